//! One tenant's secrets and its head: the state that acts are decided against.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use chancery_authority::TenantId;
use chancery_directory::record::{NameKind, member_leaf, name_input, name_label};
use chancery_directory::{Digest, Handle, PrefixTree, vrf};
use chancery_keyset::Keyset;
use chancery_sealing::SealError;

use crate::chronicle::Chronicle;
use crate::event::Event;
use crate::id::ResourceId;
use crate::journal::Tail;
use crate::records::ActRecord;
use crate::registry::Registry;
use crate::vault::TenantKey;

/// What the runtime holds in secret for one tenant. Shared by the sequencer and the request handlers,
/// so that the expensive operations of an act are made outside the one thread that decides.
#[derive(Debug)]
pub struct TenantSecrets {
    id: TenantId,
    key: TenantKey,
    vrf: vrf::SecretKey,
}

/// A tenant's keys could not be set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretsError {
    /// The wrapped storage key is not authentic.
    Seal(SealError),
    /// The VRF key derives to zero, which no honest key does.
    Vrf,
}

impl fmt::Display for SecretsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seal(error) => {
                write!(formatter, "a tenant's storage key cannot be used: {error}")
            }
            Self::Vrf => formatter.write_str("a tenant's VRF key cannot be used"),
        }
    }
}

impl core::error::Error for SecretsError {}

impl TenantSecrets {
    /// Derives a tenant's keys from its storage key.
    ///
    /// # Errors
    /// [`SecretsError::Vrf`].
    pub fn new(id: TenantId, key: TenantKey) -> Result<Self, SecretsError> {
        let vrf = vrf::SecretKey::from_seed(key.vrf_seed().expose())
            .map_err(|_zero| SecretsError::Vrf)?;
        Ok(Self { id, key, vrf })
    }

    /// The tenant.
    #[must_use]
    pub const fn id(&self) -> TenantId {
        self.id
    }

    /// The storage key and what derives from it.
    #[must_use]
    pub const fn key(&self) -> &TenantKey {
        &self.key
    }

    /// The public key with which anybody checks a label's proof.
    #[must_use]
    pub fn vrf_public(&self) -> [u8; 32] {
        self.vrf.public().to_bytes()
    }

    /// Proves the directory label of a name of `kind`, already in canonical form.
    #[must_use]
    pub fn prove_label(&self, kind: NameKind, canonical: &str) -> (vrf::Proof, [u8; 32]) {
        let (proof, output) = self.vrf.prove(&name_input(kind, canonical));
        (proof, name_label(&output))
    }

    /// The directory label of a name of `kind`, already in canonical form.
    #[must_use]
    pub fn label(&self, kind: NameKind, canonical: &str) -> [u8; 32] {
        name_label(&self.vrf.evaluate(&name_input(kind, canonical)))
    }
}

/// A tenant as the sequencer knows it.
#[derive(Debug)]
pub(crate) struct Tenant {
    /// Keys.
    pub secrets: Arc<TenantSecrets>,
    /// The directory's head, unacknowledged acts included.
    pub registry: Registry,
    /// The trust log's head, likewise.
    pub chronicle: Chronicle,
    /// The end of the tenant's stream in the store.
    pub tail: Tail,
    /// Set when directory and log have come apart: the runtime must stop.
    pub spoilt: bool,
    /// Acts that were booked beside the one that is answered, in order, before it. The ledger takes
    /// them, also when the answer is a refusal.
    pub aside: Vec<ActRecord>,
    /// Keysets drawn before they are needed; lent by the ledger for one act.
    pub stock: Vec<Keyset>,
    /// Opening of the log's commitment to the VRF key.
    pub vrf_opening: [u8; 32],
    /// When refused claims were logged lately, in milliseconds since the Unix epoch.
    pub refusals: Vec<u64>,
    member_sets: BTreeMap<ResourceId, PrefixTree>,
}

impl Tenant {
    /// A tenant without any record.
    #[must_use]
    pub(crate) fn new(secrets: Arc<TenantSecrets>, stream: [u8; 16]) -> Self {
        let chronicle = Chronicle::new(
            chancery_directory::TenantId(*secrets.id().as_bytes()),
            secrets.key().map_key(),
        );
        Self {
            secrets,
            registry: Registry::default(),
            chronicle,
            tail: Tail::empty(stream),
            spoilt: false,
            aside: Vec::new(),
            stock: Vec::new(),
            vrf_opening: [0; 32],
            refusals: Vec::new(),
            member_sets: BTreeMap::new(),
        }
    }

    /// Makes an event true in the directory and in the member sets that the log commits to.
    pub(crate) fn apply(&mut self, event: &Event) {
        match event {
            Event::GroupMembers {
                group,
                added,
                removed,
            } => {
                let set = self.member_sets.entry(*group).or_default();
                for id in removed {
                    if let Some(user) = self.registry.users().get(*id) {
                        set.remove(&member_leaf(&Handle(user.handle)).0);
                    }
                }
                // The log's set holds those alone whom the membership gives the group's keys.
                for id in added {
                    if let Some(user) = self.registry.users().get(*id).filter(|user| user.active) {
                        let (key, value) = member_leaf(&Handle(user.handle));
                        self.spoilt |= set.set(key, value).is_err();
                    }
                }
            }
            Event::MembershipsParked { user, groups } => {
                if let Some(user) = self.registry.users().get(*user) {
                    let (key, _) = member_leaf(&Handle(user.handle));
                    for group in groups {
                        if let Some(set) = self.member_sets.get_mut(group) {
                            set.remove(&key);
                        }
                    }
                }
            }
            Event::GroupRemoved(group) => {
                self.member_sets.remove(group);
            }
            _ => {}
        }
        self.registry.apply(event);
    }

    /// Version of a user's newest key in the log; 0 if it has none.
    #[must_use]
    pub(crate) fn key_version(&self, handle: &[u8; 32]) -> u32 {
        self.chronicle
            .log()
            .subject(&Handle(*handle))
            .map_or(0, |state| state.key_version)
    }

    /// Root of a group's member set.
    pub(crate) fn member_root(&mut self, group: ResourceId) -> Digest {
        self.member_sets
            .get_mut(&group)
            .map_or(Digest::ZERO, PrefixTree::root)
    }
}
