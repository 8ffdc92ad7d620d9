//! The secure processor of an AMD SEV-SNP guest.
//!
//! Zone: sealed.
//!
//! [`SnpGuest`] implements [`SecureProcessor`](chancery_platform::SecureProcessor) over the two interfaces of the guest's Linux kernel:
//!
//! - configfs-tsm (`/sys/kernel/config/tsm/report`, Linux 6.7 and later) for reports and the host's certificates;
//! - `/dev/sev-guest` for derived keys, which configfs-tsm does not carry, and for reports where it is absent.
//!
//! It is not a verifier: an answer is checked for its length and for the report data that was asked, and for nothing else. The
//! host's certificates are parsed with bounds and passed on unchecked.
//!
//! The ioctls themselves are those of the crate `sev`; this crate has no unsafe code of its own. It never asks `sev` for an *extended* report:
//! that call follows offsets which the host chose without checking them.
//!
//! ```no_run
//! use chancery_platform::{PlatformError, SecureProcessor};
//! use chancery_platform_snp::SnpGuest;
//!
//! fn main() -> Result<(), PlatformError> {
//!     let processor = SnpGuest::open()?;
//!     let report = processor.report(&[0; 64])?;
//!     assert_eq!(report.len(), 1184);
//!     Ok(())
//! }
//! ```

#![forbid(unsafe_code)]

mod certificate_table;
mod device;
mod guest;
mod tsm;

pub use certificate_table::parse_certificate_table;
pub use guest::SnpGuest;
