//! The tenant state machines, the trust log and the commit pipeline, without I/O.
//!
//! Zone: sealed.

#![forbid(unsafe_code)]
