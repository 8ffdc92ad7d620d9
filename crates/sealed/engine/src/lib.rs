//! The tenant state machines, the trust log and the commit pipeline, without I/O.
//!
//! Zone: sealed.
//!
//! One tenant is one deterministic state machine. The [`Ledger`] decides acts against the head of each
//! tenant, books them in the tenant's trust log, and closes batches: sealed records for the host's
//! store, and leaves for the [`RootLog`]. A shell makes a batch durable, has its checkpoint signed and
//! cosigned, and only then shows it to readers through the [`View`] and answers whoever waits.
//!
//! # What it is not
//! It has no clock, no ambient randomness, no storage, no network and no threads: time and fresh keys
//! come with each act, records and leaves go out with each [`Batch`]. The same inputs give the same
//! bytes, so that a simulation replays a run from one seed.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod act;
mod batch;
mod chronicle;
mod claim;
mod custody;
mod decide;
mod event;
mod exhibits;
mod governance;
mod id;
mod index;
mod journal;
mod key_record;
mod ledger;
mod memberships;
mod order;
mod plan;
mod prepare;
mod proof;
mod records;
mod recovery;
mod registry;
mod resource;
mod root_log;
mod round;
mod scim_keys;
mod secret;
mod shelf;
mod table;
mod tenant;
mod vault;
mod view;

pub use act::{
    Act, Admit, Answer, AuditPage, Authority, GroupKey, ListedCredential, Refusal, Submission,
    TenantAct, Update,
};
pub use batch::{Batch, LeafContext, LedgerError, NoteRecord};
pub use chronicle::ChronicleError;
pub use claim::{ClaimOf, DEVICE_NAME_BYTES_MAX, NewClaim};
pub use custody::{Account, Custody, Device, GroupEpoch, PendingKeyset};
pub use decide::{Settings, covers, live_credential};
pub use event::Event;
pub use exhibits::{ExhibitError, ExhibitReader};
pub use governance::{Auditor, BurstKind, HeldAct, IssuerKey};
pub use id::ResourceId;
pub use journal::{ROOT_STREAM, RecordError, StreamBytes};
pub use ledger::Ledger;
pub use plan::{Intent, Parts, Step};
pub use prepare::{NewGroup, NewUser};
pub use proof::{InnerProof, ProofWanted};
pub use records::{ROOT_PURPOSE, RootAnchor, RootItem, SecretBytes};
pub use recovery::{ExpectedStream, Recovered, Recovery, RecoveryError, StoredTls};
pub use registry::{Approved, Departed, Granted, Plan, Registry};
pub use resource::{Credential, CredentialForm, Group, IndexKeys, User, UserProof};
pub use root_log::{RootLog, RootLogError, root_origin};
pub use round::{Outcome, Round, SILENCE_MS};
pub use secret::Secret;
pub use shelf::{Shelf, Shelved};
pub use tenant::{SecretsError, TenantSecrets};
pub use vault::{RootKey, TenantKey};
pub use view::{Effect, TenantView, View};

/// A resource's version as its entity tag carries it, without quotes and weakness.
#[must_use]
pub fn version_text(version: u64) -> alloc::string::String {
    alloc::format!("{version}")
}
