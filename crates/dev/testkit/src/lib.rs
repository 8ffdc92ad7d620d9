//! Seeded randomness, clocks and process harnesses for tests.
//!
//! Zone: dev.

#![forbid(unsafe_code)]
