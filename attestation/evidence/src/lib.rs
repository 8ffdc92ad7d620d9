//! Strict parsers of SNP reports, AMD certificates and revocation lists.
//!
//! Zone: attestation.

#![forbid(unsafe_code)]
