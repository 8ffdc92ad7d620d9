//! SCIM conformance, against the real processes over TLS.
//!
//! Zone: tests.
//!
//! # What it is
//!
//! Cases that quote the RFC sentence which they try ([`CaseFile`]), sequences as identity providers send
//! them ([`Provider`]), what plays both against a service ([`Stage`]), and the public suites and clients
//! that run offline.
//!
//! # What it is not
//!
//! It tests no library: what a client cannot see over the wire is tested where it is written.

#![forbid(unsafe_code)]

mod document;
mod format;
mod judge;
mod play;
mod pointer;
mod stage;
mod variables;

pub use document::{operations_table, renewed};
pub use format::{Case, CaseFile, Confidence, Operation, Provider, Speaker, Step, TlsVersion};
pub use play::{Failure, play_case, play_provider};
pub use stage::{Stage, Voices};
