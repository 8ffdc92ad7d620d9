//! The auditor's replay of a tenant's log: what was done, by whose authority, and what does not add up.
//!
//! Zone: core.
//!
//! An [`Audit`] takes in every leaf of a tenant's log and the private part of every act, steps the same
//! state machine as the runtime, and checks each act against its evidence: delegations and credentials,
//! signatures of admins, members and claims, keys, names and members. At the end it compares what it has
//! with the head that the witnesses cosigned, with the identity provider's roster and with what the
//! service says now. The checks stand in `docs/spec/audit.md`, with what no audit can know.
//!
//! # What it is not
//! It fetches nothing and believes nothing that the service says now: that is only compared. It verifies
//! no bundle itself: a [`chancery_directory::bundle::Verified`] head comes from a full verification.
//!
//! ```
//! use chancery_audit::{Audit, Audited};
//! use chancery_directory::bundle::Verified;
//! use chancery_directory::{DecodeError, Exhibit};
//!
//! fn audit(
//!     audited: Audited,
//!     head: &Verified,
//!     leaves: &[Vec<u8>],
//!     pages: &[Vec<u8>],
//! ) -> Result<bool, DecodeError> {
//!     let mut audit = Audit::new(audited);
//!     for page in pages {
//!         Exhibit::decode_page(page)?.into_iter().for_each(|one| audit.exhibit(one));
//!     }
//!     for leaf in leaves {
//!         audit.leaf(leaf);
//!     }
//!     let verdict = audit.finish(head, None, None);
//!     for finding in verdict.findings() {
//!         println!("{finding}");
//!     }
//!     Ok(verdict.is_clean())
//! }
//! ```

#![no_std]
#![forbid(unsafe_code)]
#![warn(
    clippy::arithmetic_side_effects,
    clippy::exhaustive_enums,
    clippy::exhaustive_structs
)]

extern crate alloc;

mod act;
mod audit;
mod authority;
mod compare;
mod finding;
mod groups;
mod keys;
mod names;
mod paper;
mod signed;
mod verdict;
mod world;

pub use audit::{Audit, Audited, FINDINGS_MAX};
pub use compare::{Roster, Shown, ShownGroup, ShownUser};
pub use finding::{ActFault, Breach, Fault, Finding, KeyFault};
pub use verdict::{Counts, Verdict};
