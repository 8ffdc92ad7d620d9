//! The secure processor of an AMD SEV-SNP guest.
//!
//! Zone: sealed.

#![forbid(unsafe_code)]
