//! End-to-end tests against the real processes.
//!
//! Zone: tests.

#![forbid(unsafe_code)]
