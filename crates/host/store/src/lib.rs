//! The host's store of sealed records.
//!
//! Zone: host.

#![forbid(unsafe_code)]
