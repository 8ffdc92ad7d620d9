//! X25519MLKEM768 as a rustls key-exchange group, and the one TLS provider.
//!
//! Zone: core.

#![forbid(unsafe_code)]
