//! Strict parsers of SNP reports, AMD certificates and revocation lists.
//!
//! Zone: attestation.
//!
//! What it is: bytes in, typed fields out. Each parser accepts one encoding only and names the first
//! rule that was broken. The encoder of [`ReportFields`] is the inverse of [`Report::parse`], byte by byte.
//!
//! What it is not: a verifier. Nothing here checks a signature, a date or a policy, so a parsed value
//! is a *claim*. `chancery-verify` decides.
//!
//! ```
//! use chancery_evidence::Report;
//!
//! match Report::parse(&[0; 16]) {
//!     Ok(report) => println!("claims measurement {:02x?}", report.fields().measurement),
//!     Err(error) => assert_eq!(error.to_string(), "report is 16 bytes long, not 1184"),
//! }
//! ```

#![no_std]
#![forbid(unsafe_code)]
#![warn(
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    clippy::exhaustive_enums,
    clippy::exhaustive_structs
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod bits;
mod certificate;
mod crl;
mod der;
mod name;
mod product;
mod pss;
mod report;
mod time;
mod vek;

pub use crate::bits::GuestPolicy;
pub use crate::bits::PlatformInfo;
pub use crate::bits::SignerInfo;
pub use crate::bits::SigningKey;
pub use crate::certificate::BasicConstraints;
pub use crate::certificate::Certificate;
pub use crate::certificate::CertificateError;
pub use crate::certificate::KeyUsage;
pub use crate::certificate::PublicKey;
pub use crate::crl::Crl;
pub use crate::crl::CrlError;
pub use crate::der::DerError;
pub use crate::name::Name;
pub use crate::product::CpuId;
pub use crate::product::FirmwareVersion;
pub use crate::product::ProductLine;
pub use crate::product::Tcb;
pub use crate::product::TcbComponents;
pub use crate::report::MitigationVectors;
pub use crate::report::REPORT_SIZE;
pub use crate::report::Report;
pub use crate::report::ReportError;
pub use crate::report::ReportFields;
pub use crate::report::ReportVersion;
pub use crate::report::SIGNED_SIZE;
pub use crate::report::encode_report;
pub use crate::vek::VekExtensions;
pub use crate::vek::VekIdentity;
pub use crate::vek::VekKind;
