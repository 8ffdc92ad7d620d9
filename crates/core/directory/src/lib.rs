//! Trust-log structures: entries, state roots, the key directory, tenant heads.
//!
//! Zone: core.
//!
//! Pure: bytes, time and randomness come in as arguments; nothing here does I/O. The exact bytes of
//! every structure stand in `docs/spec/trust-log.md`. The same [`tenant::LogState`] runs in the
//! sealed runtime, which may only append what steps, and in every monitor, for which an entry that
//! does not step is proof of a bad runtime.
//!
//! # What it is not
//!
//! The Merkle tree, checkpoints and witnesses are in `chancery-tlog`. Whether an act was allowed is the
//! audit's to say (`chancery-audit`): the rules here need no private data.
//!
//! ```
//! use chancery_directory::{Draft, EntryType, Handle, LogState, Digest};
//!
//! let mut log = LogState::new();
//! let tenant = Handle([1; 32]);
//! let genesis = log.append(&Draft {
//!     key_commit: Digest([7; 32]),
//!     authz_hash: Digest([8; 32]),
//!     ..Draft::new(EntryType::Genesis, Handle([2; 32]), tenant, 1_000)
//! })?;
//! let root = log.seal_state_root(1_000, 0)?;
//! assert_eq!((genesis.index, root.index, root.entries), (0, 1, 1));
//!
//! // A monitor replays the same two leaves and must arrive at the same directory.
//! let mut monitor = LogState::new();
//! monitor.step(&genesis)?;
//! monitor.check_state_root(&root)?;
//! # Ok::<(), chancery_directory::StepError>(())
//! ```

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod arena;
pub mod bundle;
mod codec;
pub mod deployment;
pub mod details;
pub mod digest;
pub mod entry;
pub mod exhibit;
pub mod head;
pub mod prefix;
pub mod record;
pub mod tenant;
#[cfg(test)]
mod testing;
pub mod vrf;

pub use bundle::{BundleError, BundleExtra};
pub use codec::DecodeError;
pub use deployment::DeploymentGenesis;
pub use details::{ActSecret, Details, GroupDelta, Opens, Origin};
pub use digest::{Digest, Handle, Opening, TenantId, commit};
pub use entry::{Entry, EntryType, StateRoot, SubjectKind, SubjectState, Validity};
pub use exhibit::{Exhibit, NameMove};
pub use head::{EpochKind, EpochLeaf, TenantHead};
pub use prefix::{Lookup, PrefixProof, PrefixTree, ProofError};
pub use record::{DirName, DirState, KeyRecord, KeySource};
pub use tenant::{Draft, LogState, NameChange, StepError};
