//! Labelled key derivation and authenticated sealing of records.
//!
//! Zone: core.

#![forbid(unsafe_code)]
