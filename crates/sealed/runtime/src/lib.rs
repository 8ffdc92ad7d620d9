//! The sealed runtime: TLS, HTTP and the shell around the engine.
//!
//! Zone: sealed.

#![forbid(unsafe_code)]
