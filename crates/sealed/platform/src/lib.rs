//! The secure processor as the runtime sees it.
//!
//! Zone: sealed.
//!
//! One trait, [`SecureProcessor`], with what a guest may ask of the AMD secure processor: a report over 64 bytes of its choice,
//! the certificates that go with it, and keys derived from the chip and the guest's identity. `chancery-platform-snp`
//! implements it over the guest's kernel interfaces; the emulated secure processor of the development tools implements it over
//! a socket. The code above cannot tell them apart, and need not: what a client trusts is decided by the root that signed the report.
//!
//! Certificates come as text from hosts and from AMD's service alike, so their one strict reader is here too: [`read_pem`].
//!
//! It holds no policy: it neither appraises a report nor chooses what a key is bound to beyond [`DerivedKeyRequest::sealing`].
//!
//! ```
//! use chancery_platform::{DerivedKeyRequest, PlatformError, SecureProcessor};
//! use chancery_sealing::Key;
//!
//! fn sealing_key(
//!     processor: &dyn SecureProcessor,
//!     guest_svn: u32,
//!     committed_tcb: u64,
//! ) -> Result<Key, PlatformError> {
//!     processor.derived_key(&DerivedKeyRequest::sealing(guest_svn, committed_tcb))
//! }
//! ```

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod derived_key;
mod error;
mod pem;

use alloc::vec::Vec;

use chancery_sealing::Key;

pub use derived_key::{DerivedKeyRequest, GuestFields, RootKey};
pub use error::PlatformError;
pub use pem::{PemBlock, PemError, PemLabel, read_pem, write_pem};

/// Bytes of REPORT_DATA.
pub const REPORT_DATA_SIZE: usize = 64;

/// Bytes of an attestation report (SEV-SNP firmware ABI, ATTESTATION_REPORT).
pub const REPORT_SIZE: usize = 1184;

/// Most bytes of one certificate or revocation list that is passed on. AMD's are below 2 KiB; a revocation list grows by 40
/// bytes per entry.
pub const COLLATERAL_SIZE_MAX: usize = 64 * 1024;

/// Certificates that came with the processor, in DER. They are the host's word until a verifier has checked them, and any
/// may be absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CertificateTable {
    /// The certificate of the chip's attestation key.
    pub vcek: Option<Vec<u8>>,
    /// AMD's intermediate certificate.
    pub ask: Option<Vec<u8>>,
    /// AMD's root certificate.
    pub ark: Option<Vec<u8>>,
    /// The revocation list signed by the root.
    pub crl: Option<Vec<u8>>,
}

/// What a guest may ask of its secure processor.
///
/// The calls block: the processor is one serial device, and a report takes it milliseconds. An implementation lets one request through at
/// a time.
pub trait SecureProcessor: Send + Sync {
    /// A signed report of [`REPORT_SIZE`] bytes over `report_data`, at VMPL 0. The runtime makes `report_data`
    /// itself and never takes it from a caller (I3).
    ///
    /// # Errors
    /// A [`PlatformError`]; after one that [is final](PlatformError::is_final) every later call fails too.
    fn report(&self, report_data: &[u8; REPORT_DATA_SIZE]) -> Result<Vec<u8>, PlatformError>;

    /// The certificates that the host keeps for the processor.
    ///
    /// # Errors
    /// A [`PlatformError`]. An empty table is not an error.
    fn certificates(&self) -> Result<CertificateTable, PlatformError>;

    /// A key that only this processor can derive again, for a guest whose selected fields are the same.
    ///
    /// # Errors
    /// [`PlatformError::Refused`] if the request names a later security version than the guest or the processor has; others as
    /// for reports.
    fn derived_key(&self, request: &DerivedKeyRequest) -> Result<Key, PlatformError>;
}
