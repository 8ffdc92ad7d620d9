//! What an audit knows at a point of the log, beyond what the state machine keeps.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;

use chancery_authority::{IdentityProvider, ScopeSet, TenantAuthority, VerifiedDelegation};
use chancery_claim::ClaimId;
use chancery_directory::{Digest, Handle, PrefixTree, Validity};
use chancery_dsse::KeyId;

/// A delegation that was granted.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) paper: VerifiedDelegation,
}

/// A credential that was issued.
#[derive(Debug)]
pub(crate) struct Credential {
    pub(crate) scopes: ScopeSet,
    pub(crate) validity: Validity,
    pub(crate) revoked: bool,
}

/// What an approval approves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Approved {
    /// One held change of a sensitive group.
    Held,
    /// The plan with this chain of intents.
    Plan([u8; 32]),
    /// That a plan comes to nothing.
    Dropped,
    /// A burst, or something that no act needs to name.
    Other,
}

/// A change of a sensitive group that waits for an approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeldChange {
    pub(crate) group: Handle,
    pub(crate) added: BTreeSet<Handle>,
    pub(crate) removed: BTreeSet<Handle>,
}

#[derive(Debug)]
pub(crate) struct Approval {
    pub(crate) what: Approved,
    pub(crate) spent: bool,
}

/// The public halves of a key, as its record has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicHalves {
    pub(crate) kem: alloc::vec::Vec<u8>,
    pub(crate) signing: alloc::vec::Vec<u8>,
}

/// What is known of a user.
#[derive(Debug, Default)]
pub(crate) struct User {
    /// The canonical userName; none if the part that says it is gone.
    pub(crate) name: Option<String>,
    pub(crate) external_id: Option<String>,
    pub(crate) label: Option<[u8; 32]>,
    pub(crate) key_version: u32,
    pub(crate) fingerprint: [u8; 32],
    /// The current key: of the runtime until the claim, the member's after it.
    pub(crate) key: Option<Box<PublicHalves>>,
    /// Devices by fingerprint, with their signing keys.
    pub(crate) devices: BTreeMap<[u8; 32], [u8; 32]>,
    pub(crate) groups: BTreeSet<Handle>,
    pub(crate) claim: Option<ClaimId>,
    /// The name was released for good: the user was deleted by the identity provider.
    pub(crate) departed: bool,
    /// From when on the runtime may erase it by itself.
    pub(crate) erase_from_ms: Option<u64>,
}

/// What is known of a group.
#[derive(Debug, Default)]
pub(crate) struct Group {
    /// The folded displayName; none if the part that says it is gone.
    pub(crate) name: Option<String>,
    pub(crate) members: BTreeSet<Handle>,
    pub(crate) tree: PrefixTree,
    pub(crate) epoch: u32,
    pub(crate) fingerprint: [u8; 32],
    pub(crate) deleted: bool,
}

/// A name's label.
#[derive(Debug, Default)]
pub(crate) struct Label {
    pub(crate) owner: Option<Handle>,
    pub(crate) binding: u32,
    pub(crate) name: Option<String>,
}

/// Everything that the acts so far have said.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) genesis_hash: [u8; 32],
    pub(crate) authority: Option<TenantAuthority>,
    pub(crate) provider: Option<IdentityProvider>,
    /// Keys of the identity provider, and from when on each counts, in milliseconds since the Unix epoch.
    pub(crate) issuer_keys: BTreeMap<[u8; 32], u64>,
    pub(crate) grants: BTreeMap<Handle, Grant>,
    pub(crate) serial: u64,
    pub(crate) credentials: BTreeMap<Handle, Credential>,
    pub(crate) approvals: BTreeMap<Handle, Approval>,
    pub(crate) held: BTreeMap<Handle, HeldChange>,
    pub(crate) windows: BTreeSet<Handle>,
    /// The chain of the intents of the open plan.
    pub(crate) plan: [u8; 32],
    /// Which signed act used which sequence number of which key.
    pub(crate) sequences: BTreeMap<(KeyId, u64), Digest>,
    pub(crate) users: BTreeMap<Handle, User>,
    pub(crate) groups: BTreeMap<Handle, Group>,
    /// Live userNames.
    pub(crate) names: BTreeMap<String, Handle>,
    pub(crate) labels: BTreeMap<[u8; 32], Label>,
    pub(crate) label_of: BTreeMap<String, [u8; 32]>,
}

impl World {
    /// The userName of a user before an act, empty if it is not known.
    pub(crate) fn name_of(&self, user: &Handle) -> Option<&str> {
        self.users.get(user).and_then(|user| user.name.as_deref())
    }
}
