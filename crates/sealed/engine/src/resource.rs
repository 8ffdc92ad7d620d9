//! What a tenant's directory holds, and the events that change it.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::id::ResourceId;

/// A pending account keyset: its private half sealed under the tenant's storage key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingKeyset {
    /// SHA-256 fingerprint of the public half.
    pub fingerprint: [u8; 32],
    /// The sealed 64-byte seed.
    pub sealed_seed: Box<[u8]>,
}

/// The strings under which a resource is found, in canonical form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexKeys {
    /// Folded userName; empty for a group.
    pub user_name: Arc<str>,
    /// externalId, case-exact.
    pub external_id: Option<Arc<str>>,
    /// Folded values of `emails`.
    pub emails: Vec<Arc<str>>,
    /// Folded displayName.
    pub display_name: Option<Arc<str>>,
}

/// One provisioned user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// SCIM `id`.
    pub id: ResourceId,
    /// Random handle of the subject in the trust log.
    pub handle: [u8; 32],
    /// Order of creation in the tenant, from 0.
    pub sequence: u64,
    /// Creation time in milliseconds since the Unix epoch.
    pub created_ms: u64,
    /// Time of the last change in milliseconds since the Unix epoch.
    pub modified_ms: u64,
    /// Counts changes, from 1; the ETag is made of it.
    pub version: u64,
    /// SCIM `active`.
    pub active: bool,
    /// VRF label of the current userName in the key directory.
    pub label: [u8; 32],
    /// The canonical JSON of the attributes.
    pub document: Box<[u8]>,
    /// The pending keyset.
    pub keyset: PendingKeyset,
    /// Index keys; derived from the document, so not stored.
    #[serde(skip)]
    pub keys: IndexKeys,
}

/// One group, without its members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// SCIM `id`.
    pub id: ResourceId,
    /// Random handle of the subject in the trust log.
    pub handle: [u8; 32],
    /// Order of creation in the tenant, from 0.
    pub sequence: u64,
    /// Creation time in milliseconds since the Unix epoch.
    pub created_ms: u64,
    /// Time of the last change in milliseconds since the Unix epoch.
    pub modified_ms: u64,
    /// Counts changes, from 1; the ETag is made of it.
    pub version: u64,
    /// The canonical JSON of the attributes.
    pub document: Box<[u8]>,
    /// Index keys; derived from the document, so not stored.
    #[serde(skip)]
    pub keys: IndexKeys,
}

/// A SCIM bearer credential; its secret is known only as a keyed digest (I17).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// Random handle of the credential in the trust log.
    pub handle: [u8; 32],
    /// HMAC-SHA-256 of the token under the deployment's digest key.
    pub digest: [u8; 32],
    /// Names of the delegation's scopes that this credential may use.
    pub scopes: Vec<Box<str>>,
    /// Issue time in milliseconds since the Unix epoch.
    pub issued_ms: u64,
    /// End of life in milliseconds since the Unix epoch.
    pub not_after_ms: u64,
    /// What the admin called it.
    pub label: Box<str>,
    /// Set by revocation.
    pub revoked: bool,
}

/// One change of a tenant's directory. Events say what is, not what to compute, so that replay needs
/// no policy and no randomness.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The tenant exists; the signed genesis envelope.
    Genesis(Arc<[u8]>),
    /// A delegation is live from here; its handle in the log and the signed envelope.
    DelegationPut {
        /// Random handle in the trust log.
        handle: [u8; 32],
        /// The signed envelope.
        envelope: Arc<[u8]>,
    },
    /// A delegation is dead from here.
    DelegationRevoked {
        /// SHA-256 of the delegation's payload.
        hash: [u8; 32],
    },
    /// An admin key used this sequence number.
    AdminSequence {
        /// SHA-256 of the admin's public key.
        key: [u8; 32],
        /// The highest number seen.
        sequence: u64,
    },
    /// A credential was issued or changed.
    CredentialPut(Arc<Credential>),
    /// A user was created or changed.
    UserPut(Arc<User>),
    /// A user was deleted for the IdP; the subject stays suspended until its retention ends.
    UserDeparted(ResourceId),
    /// A group was created or changed.
    GroupPut(Arc<Group>),
    /// Members of a group changed.
    GroupMembers {
        /// The group.
        group: ResourceId,
        /// Users who became members.
        added: Vec<ResourceId>,
        /// Users who are no members any more.
        removed: Vec<ResourceId>,
    },
    /// A group was deleted.
    GroupRemoved(ResourceId),
}

impl Event {
    /// About how many bytes this event takes in a record.
    #[must_use]
    pub fn weight(&self) -> usize {
        let variable = match self {
            Self::Genesis(bytes)
            | Self::DelegationPut {
                envelope: bytes, ..
            } => bytes.len(),
            Self::DelegationRevoked { .. }
            | Self::AdminSequence { .. }
            | Self::CredentialPut(_)
            | Self::UserDeparted(_)
            | Self::GroupRemoved(_) => 64,
            Self::UserPut(user) => user
                .document
                .len()
                .saturating_add(user.keyset.sealed_seed.len()),
            Self::GroupPut(group) => group.document.len(),
            Self::GroupMembers { added, removed, .. } => {
                added.len().saturating_add(removed.len()).saturating_mul(16)
            }
        };
        variable.saturating_add(128)
    }
}
