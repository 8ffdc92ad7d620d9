//! The SNP launch digest, computed from published parts.
//!
//! Zone: attestation.

#![forbid(unsafe_code)]
