//! House rules as tests.
//!
//! Zone: tests.

#![forbid(unsafe_code)]
