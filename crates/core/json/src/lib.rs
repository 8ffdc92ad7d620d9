//! Strict JSON: no duplicate members, bounded depth and size, ordered objects.
//!
//! Zone: core.

#![forbid(unsafe_code)]
