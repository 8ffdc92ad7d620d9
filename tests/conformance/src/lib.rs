//! SCIM conformance, against the real processes over TLS.
//!
//! Zone: tests.
//!
//! # What it is
//!
//! Cases that quote the RFC sentence which they try, sequences as identity providers send them, and
//! the public suites and clients that run offline.
//!
//! # What it is not
//!
//! It tests no library: what a client cannot see over the wire is tested where it is written.

#![forbid(unsafe_code)]
