//! The untrusted host: forwards bytes, keeps sealed records, opens named connections.
//!
//! Zone: host.

#![forbid(unsafe_code)]
