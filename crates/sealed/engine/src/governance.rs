//! What a tenant's admins keep an eye on: auditors, issuer keys, held acts, and the brake.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use chancery_authority::BurstLimits;
use serde::{Deserialize, Serialize};

use crate::id::ResourceId;

/// Most auditors of a tenant.
pub(crate) const AUDITORS_MAX: usize = 64;
/// Most acts of a tenant that wait for a signature.
pub(crate) const HELD_MAX: usize = 256;
/// How long an act waits for a signature, in milliseconds: a week.
pub(crate) const HELD_LIFE_MS: u64 = 7 * 86_400_000;
/// How long a new key of an issuer waits before it counts by itself, in milliseconds: a day.
pub(crate) const ISSUER_KEY_WAIT_MS: u64 = 86_400_000;

/// Somebody who may read the tenant's log and change nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Auditor {
    /// SHA-256 of the public key.
    pub key_id: [u8; 32],
    /// The Ed25519 public key.
    pub key: [u8; 32],
    /// What the admins call them.
    pub name: Box<str>,
}

/// A signing key of the tenant's OpenID provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuerKey {
    /// Its RFC 7638 thumbprint.
    pub thumbprint: [u8; 32],
    /// The canonical JWK.
    pub jwk: Box<[u8]>,
    /// When the runtime first saw it, in milliseconds since the Unix epoch.
    pub seen_ms: u64,
    /// From when it counts, in milliseconds since the Unix epoch.
    pub trusted_from_ms: u64,
    /// Whether an admin has signed that it counts.
    pub approved: bool,
}

/// A change of a sensitive group that waits for an admin's signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldAct {
    /// Random identifier; the approval's handle in the log.
    pub id: [u8; 32],
    /// The group.
    pub group: ResourceId,
    /// The new canonical document, if the act changes it.
    pub document: Option<Box<[u8]>>,
    /// Users who are to join.
    pub added: Vec<ResourceId>,
    /// Users who are to leave.
    pub removed: Vec<ResourceId>,
    /// The credential that asked.
    pub credential: [u8; 32],
    /// When it asked, in milliseconds since the Unix epoch.
    pub at_ms: u64,
}

impl HeldAct {
    /// When nobody can approve it any more, in milliseconds since the Unix epoch.
    #[must_use]
    pub const fn expires_ms(&self) -> u64 {
        self.at_ms.saturating_add(HELD_LIFE_MS)
    }
}

/// A kind of act that is counted within the window of a delegation's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum BurstKind {
    /// Users suspended.
    Suspensions,
    /// Users deleted.
    Deletions,
    /// Memberships granted.
    Grants,
    /// Groups emptied, or deleted with members.
    EmptiedGroups,
}

impl BurstKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [
        Self::Suspensions,
        Self::Deletions,
        Self::Grants,
        Self::EmptiedGroups,
    ];

    /// The word of the API and of the delegation.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Suspensions => "suspensions",
            Self::Deletions => "deletions",
            Self::Grants => "grants",
            Self::EmptiedGroups => "emptied_groups",
        }
    }

    /// The limit that a delegation sets for this kind.
    #[must_use]
    pub const fn limit(self, limits: &BurstLimits) -> u64 {
        match self {
            Self::Suspensions => limits.suspensions,
            Self::Deletions => limits.deletions,
            Self::Grants => limits.grants,
            Self::EmptiedGroups => limits.emptied_groups,
        }
    }
}

/// Counts of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Burst {
    /// Time and number of each counted act, the oldest first.
    pub(crate) counted: VecDeque<(u64, u64)>,
    /// How many more an admin has approved, and until when, in milliseconds since the Unix epoch.
    pub(crate) approved: (u64, u64),
}
