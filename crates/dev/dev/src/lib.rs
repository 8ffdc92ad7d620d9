//! `chancery-dev`: the whole service on one machine, and its load generator.
//!
//! Zone: dev.

#![forbid(unsafe_code)]
