//! Why a bundle proves nothing, by the step that failed.

use core::fmt;

use crate::codec::DecodeError;
use crate::prefix::ProofError;
use crate::vrf::VrfError;

/// Why a bundle was refused. The steps are those of the trust-log page, section 10.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BundleError {
    /// Step 1: the outer proof is malformed.
    Proof(chancery_tlog::Error),
    /// Step 1: the outer proof has no extra data.
    ExtraMissing,
    /// Step 1: the extra data is malformed.
    Extra(DecodeError),
    /// Step 2: origin, log signature, a cosignature, the quorum, or the leaf's inclusion.
    Checkpoint(chancery_tlog::Error),
    /// Step 2: the leaf says another index than the proof.
    EpochMismatch,
    /// Step 2: the leaf is not the checkpoint's last one, so that a newer map may exist.
    NotNewest,
    /// Step 3: the witnesses' time is further back than the use allows.
    Stale {
        /// How far, in milliseconds.
        age_ms: u64,
    },
    /// Step 4: the head is another tenant's.
    ForeignTenant,
    /// Step 4: the path of the tenant in the map does not hold.
    MapPath(ProofError),
    /// Step 4: the map has no such tenant.
    TenantAbsent,
    /// Step 4: the map commits to another head.
    HeadMismatch,
    /// Step 4: a first head whose chain does not begin there.
    ChainBroken,
    /// Step 4: the head is older than the remembered one.
    RolledBack,
    /// Step 4: the head does not extend the remembered one: two histories were shown.
    Forked,
    /// Step 5: the state root is not the last leaf of the head.
    StateRootIndex,
    /// Step 5: the state root is not in the tenant's log.
    StateRootPath(chancery_tlog::Error),
    /// Step 6: the bundle shows something else than was asked.
    OtherQuestion,
    /// Step 6: the receipt is of another entry than was asked, or its index is not the entry's.
    OtherEntry,
    /// Step 6: the entry is not in the tenant's log.
    EntryPath(chancery_tlog::Error),
    /// Step 6: the path of the tenant's own state does not hold.
    TenantStatePath(ProofError),
    /// Step 6: the directory has another state of the tenant itself.
    TenantStateMismatch,
    /// Step 6: the VRF public key is not one.
    VrfKey(VrfError),
    /// Step 6: the tenant's state commits to another VRF public key.
    VrfKeyMismatch,
    /// Step 6: the label of the name that was asked for is not proved.
    VrfProof(VrfError),
    /// Step 6: the path of the name's label does not hold.
    NamePath(ProofError),
    /// Step 6: nobody has the name.
    NameAbsent,
    /// Step 6: somebody has the name that should be free.
    NamePresent,
    /// Step 6: the name's leaf commits to another binding.
    NameMismatch,
    /// Step 6: the state is not that of the subject that the name belongs to.
    OtherSubject,
    /// Step 6: the subject is no user.
    NotUser,
    /// Step 6: the path of the subject's state does not hold.
    StatePath(ProofError),
    /// Step 6: the directory has no such subject.
    StateAbsent,
    /// Step 6: the directory has another state of the subject.
    StateMismatch,
    /// Step 6: the state commits to another key.
    KeyMismatch,
    /// Step 6: the key is another tenant's, subject's or version's.
    KeyForeign,
    /// The user is not confirmed: no key of the user's own.
    NotConfirmed,
}

impl fmt::Display for BundleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proof(error) => write!(f, "proof is malformed: {error}"),
            Self::Extra(error) => write!(f, "extra data is malformed: {error}"),
            Self::Checkpoint(error) => write!(f, "root log does not prove the epoch: {error}"),
            Self::Stale { age_ms } => {
                write!(f, "proof is {age_ms} ms old, which is too old for this use")
            }
            Self::MapPath(error) => write!(f, "path of the tenant: {error}"),
            Self::StateRootPath(error) => write!(f, "state root is not in the log: {error}"),
            Self::EntryPath(error) => write!(f, "entry is not in the log: {error}"),
            Self::TenantStatePath(error) => write!(f, "path of the tenant's own state: {error}"),
            Self::VrfKey(error) => write!(f, "tenant's vrf key: {error}"),
            Self::VrfProof(error) => write!(f, "label of the name: {error}"),
            Self::NamePath(error) => write!(f, "path of the name: {error}"),
            Self::StatePath(error) => write!(f, "path of the subject's state: {error}"),
            other => f.write_str(other.plain()),
        }
    }
}

impl BundleError {
    /// The sentence of a variant without fields.
    const fn plain(&self) -> &'static str {
        match self {
            Self::ExtraMissing => "proof has no extra data",
            Self::EpochMismatch => "epoch leaf says another index than the proof",
            Self::NotNewest => "epoch leaf is not the newest of its checkpoint",
            Self::ForeignTenant => "head is another tenant's",
            Self::TenantAbsent => "map has no such tenant",
            Self::HeadMismatch => "map commits to another head",
            Self::ChainBroken => "chain of the first head does not begin there",
            Self::RolledBack => "head is older than the remembered one",
            Self::Forked => "head does not extend the remembered one",
            Self::StateRootIndex => "state root is not the last leaf of the head",
            Self::OtherQuestion => "bundle shows something else than was asked",
            Self::OtherEntry => "receipt is of another entry than was asked",
            Self::TenantStateMismatch => "directory has another state of the tenant",
            Self::VrfKeyMismatch => "tenant's state commits to another vrf key",
            Self::NameAbsent => "nobody has the name",
            Self::NamePresent => "somebody has the name",
            Self::NameMismatch => "name's leaf commits to another binding",
            Self::OtherSubject => "state is another subject's than the name's",
            Self::NotUser => "subject is no user",
            Self::StateAbsent => "directory has no such subject",
            Self::StateMismatch => "directory has another state of the subject",
            Self::KeyMismatch => "state commits to another key",
            Self::KeyForeign => "key is another tenant's, subject's or version's",
            Self::NotConfirmed => "user has not confirmed an own key",
            Self::Proof(_)
            | Self::Extra(_)
            | Self::Checkpoint(_)
            | Self::Stale { .. }
            | Self::MapPath(_)
            | Self::StateRootPath(_)
            | Self::EntryPath(_)
            | Self::TenantStatePath(_)
            | Self::VrfKey(_)
            | Self::VrfProof(_)
            | Self::NamePath(_)
            | Self::StatePath(_) => "bundle does not hold",
        }
    }
}

impl core::error::Error for BundleError {}
