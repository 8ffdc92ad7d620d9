//! Frames that the untrusted host and the sealed runtime exchange.
//!
//! Zone: core.

#![forbid(unsafe_code)]
