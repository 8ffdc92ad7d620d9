//! Node and session statements: evidence bound to one TLS connection.
//!
//! Zone: attestation.

#![forbid(unsafe_code)]
