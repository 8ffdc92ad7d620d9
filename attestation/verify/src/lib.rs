//! Appraisal of evidence: pure, total, one path.
//!
//! Zone: attestation.
//!
//! What it is: [`appraise`] takes evidence, a release policy, firmware floors, the report data that the caller expects and
//! the time, and says which rule failed or that none did. Clients, peers and handover all use this one function.
//! A [`Verdict`] is made here only, after every check passed, and names the anchor in its type, so that
//! emulated evidence cannot stand in for AMD's.
//!
//! What it is not: it has no clock, network or cache, and does not know what the report data means; binding
//! evidence to a connection is `chancery-session`.
//!
//! ```
//! use chancery_verify::{Amd, Evidence, ReleasePolicy, TcbFloors, appraise};
//!
//! let policy = ReleasePolicy::baseline(1, 0, 1_000);
//! let floors = TcbFloors::shipped().unwrap();
//! match appraise(&Amd, &Evidence::default(), &policy, &floors, &[0; 64], 500) {
//!     Ok(verdict) => println!("release {}", verdict.release().id),
//!     Err(refusal) => {
//!         assert_eq!(refusal.stage().word(), "parse");
//!         assert_eq!(refusal.failed().next().unwrap().check.name(), "report_length");
//!     }
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

mod amd_chain;
mod anchor;
mod appraise;
mod check;
mod envelope;
mod evidence;
mod floors;
mod policy;
mod verdict;

pub use crate::amd_chain::AmdChain;
pub use crate::amd_chain::amd_chain;
pub use crate::anchor::Amd;
pub use crate::anchor::Anchor;
pub use crate::anchor::Mode;
pub use crate::anchor::RootKey;
pub use crate::appraise::appraise;
pub use crate::appraise::examine;
pub use crate::check::CheckId;
pub use crate::check::CheckRow;
pub use crate::check::Outcome;
pub use crate::check::Stage;
pub use crate::envelope::RELEASE_POLICY_TYPE;
pub use crate::envelope::SignedPolicyError;
pub use crate::envelope::TCB_FLOORS_TYPE;
pub use crate::envelope::VerifiedFloors;
pub use crate::envelope::VerifiedPolicy;
pub use crate::envelope::open_release_policy;
pub use crate::envelope::open_tcb_floors;
pub use crate::evidence::Evidence;
pub use crate::evidence::EvidenceError;
pub use crate::floors::CrlNumbers;
pub use crate::floors::Floor;
pub use crate::floors::FloorRule;
pub use crate::floors::Processors;
pub use crate::floors::TcbFloors;
pub use crate::policy::AbiVersion;
pub use crate::policy::BitRule;
pub use crate::policy::IdBlockRule;
pub use crate::policy::PolicyError;
pub use crate::policy::Release;
pub use crate::policy::ReleasePolicy;
pub use crate::verdict::Examination;
pub use crate::verdict::Refusal;
pub use crate::verdict::Verdict;
