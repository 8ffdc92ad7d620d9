//! Appraisal of evidence: pure, total, one path.
//!
//! Zone: attestation.

#![forbid(unsafe_code)]
