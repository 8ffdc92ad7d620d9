//! What a tenant's directory holds.

use alloc::boxed::Box;
use alloc::string::ToString as _;
use alloc::sync::Arc;
use alloc::vec::Vec;

use chancery_claim::Jwk;
use chancery_json::Value;
use serde::{Deserialize, Serialize};

use crate::custody::Custody;
use crate::id::ResourceId;

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
    /// displayName of a user as it was written: groups show it beside their members.
    pub display: Option<Arc<str>>,
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
    /// Whose hands the account's private keys are in.
    pub custody: Custody,
    /// What the key directory commits to for this user.
    pub proof: UserProof,
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

/// What the key directory commits to for one user, beside what the user itself tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserProof {
    /// Version of the newest key, from 1.
    pub key_version: u32,
    /// Index of the entry that set it.
    pub key_index: u64,
    /// From when it counts, in milliseconds since the Unix epoch.
    pub not_before_ms: u64,
    /// Opening of its commitment.
    pub key_opening: [u8; 32],
    /// Which binding of the label the present one is, from 1.
    pub name_binding: u32,
    /// Index of the entry that bound it.
    pub name_since: u64,
    /// Opening of its commitment.
    pub name_opening: [u8; 32],
}

/// A credential of an identity provider; its secret, if it has one, is known only as a keyed digest (I17).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// Random handle of the credential in the trust log.
    pub handle: [u8; 32],
    /// HMAC-SHA-256 of the token or client secret under the deployment's digest key; zero without one.
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
    /// How it is shown. Records of bearer tokens have no place for it; it stands in the event of clients.
    #[serde(skip)]
    pub form: CredentialForm,
}

/// How a credential is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CredentialForm {
    /// The token itself, in every request.
    #[default]
    Bearer,
    /// An OAuth client's secret, for access tokens.
    Secret,
    /// What an OAuth client signs with one of these keys, for access tokens: JWKs as `Jwk::named` writes them.
    Keys(Box<[Box<[u8]>]>),
}

impl CredentialForm {
    /// How private details and answers say it, but for bearer tokens, which say nothing: the thumbprint of
    /// each key, or `secret`.
    #[must_use]
    pub fn described(&self) -> Option<Value> {
        match self {
            Self::Bearer => None,
            Self::Secret => Some(Value::from("secret")),
            Self::Keys(_) => Some(Value::from(
                self.keys()
                    .map(|key| Value::from(key.thumbprint().to_string()))
                    .collect::<Vec<_>>(),
            )),
        }
    }

    /// About how many bytes it takes in a record.
    pub(crate) fn weight(&self) -> usize {
        let keys = match self {
            Self::Keys(stored) => stored.iter().map(|key| key.len()).sum(),
            Self::Bearer | Self::Secret => 0,
        };
        keys.saturating_add(64)
    }

    /// The registered keys; none if it is of another form.
    pub fn keys(&self) -> impl Iterator<Item = Jwk> {
        let stored = match self {
            Self::Keys(stored) => stored,
            Self::Bearer | Self::Secret => &[][..],
        };
        // They were read before they were stored.
        stored.iter().filter_map(|key| Jwk::parse(key).ok())
    }
}
