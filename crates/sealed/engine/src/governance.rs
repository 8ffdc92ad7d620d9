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
/// Most members of one act that waits for a signature: an admin is to read them.
pub(crate) const HELD_MEMBERS_MAX: usize = 1000;
/// How long an act is remembered that was counted, in milliseconds: the longest window of a delegation.
pub(crate) const BURST_MEMORY_MS: u64 = 7 * 86_400_000;
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
    /// SHA-256 of the document that it would take the place of.
    pub before: [u8; 32],
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

    /// The kind of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What is counted, in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Suspensions => "suspensions",
            Self::Deletions => "deletions",
            Self::Grants => "memberships granted",
            Self::EmptiedGroups => "emptied groups",
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

/// What was counted of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Burst {
    /// Time of each counted act, and how many there had been by then in all, the oldest first.
    counted: VecDeque<(u64, u64)>,
    /// How many there had been before the first of these.
    before: u64,
    /// How many more an admin has approved, and until when, in milliseconds since the Unix epoch.
    approved: (u64, u64),
}

impl Burst {
    /// Counts acts, and forgets those that no window reaches any more.
    pub(crate) fn count(&mut self, at_ms: u64, count: u64) {
        let total = self.total().saturating_add(count);
        match self.counted.back_mut() {
            Some((last, by_then)) if *last == at_ms => *by_then = total,
            _ => self.counted.push_back((at_ms, total)),
        }
        while let Some((at, by_then)) = self.counted.front().copied() {
            if at.saturating_add(BURST_MEMORY_MS) > at_ms {
                break;
            }
            self.before = by_then;
            self.counted.pop_front();
        }
    }

    /// Lets this many more through until then, whatever was approved before.
    pub(crate) const fn approve(&mut self, count: u64, until_ms: u64) {
        self.approved = (count, until_ms);
    }

    fn total(&self) -> u64 {
        self.counted.back().map_or(self.before, |(_, total)| *total)
    }

    /// How many were counted within the window that ends now.
    pub(crate) fn used(&self, now_ms: u64, window_ms: u64) -> u64 {
        let outside = self
            .counted
            .partition_point(|(at, _)| at.saturating_add(window_ms) <= now_ms);
        let by_then = outside
            .checked_sub(1)
            .and_then(|last| self.counted.get(last))
            .map_or(self.before, |(_, total)| *total);
        self.total().saturating_sub(by_then)
    }

    /// When one was counted last.
    pub(crate) fn last_ms(&self) -> Option<u64> {
        self.counted.back().map(|(at, _)| *at)
    }

    /// How many more an admin has approved, and until when.
    pub(crate) const fn approved(&self, now_ms: u64) -> Option<(u64, u64)> {
        let (count, until_ms) = self.approved;
        if count > 0 && now_ms < until_ms {
            Some((count, until_ms))
        } else {
            None
        }
    }

    /// When enough has left the window that `count` more stay within `limit`; none if it never has.
    pub(crate) fn free_at_ms(&self, window_ms: u64, limit: u64, count: u64) -> Option<u64> {
        let room = limit.checked_sub(count)?;
        let must_leave = self.total().saturating_sub(room);
        let first = self
            .counted
            .partition_point(|(_, total)| *total < must_leave);
        self.counted
            .get(first)
            .map(|(at, _)| at.saturating_add(window_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_slides_exactly_and_forgets_what_no_window_reaches() {
        let mut burst = Burst::default();
        burst.count(1000, 2);
        burst.count(1000, 1);
        burst.count(5000, 4);
        assert_eq!(burst.counted.len(), 2);
        assert_eq!(burst.used(5000, 4001), 7);
        assert_eq!(burst.used(5000, 4000), 4);
        assert_eq!(burst.used(5000, u64::MAX), 7);
        assert_eq!(burst.used(9000, 4000), 0);
        burst.count(1000 + BURST_MEMORY_MS, 1);
        assert_eq!(burst.counted.len(), 2);
        assert_eq!(burst.used(1000 + BURST_MEMORY_MS, BURST_MEMORY_MS), 5);
    }

    #[test]
    fn enough_is_free_as_soon_as_enough_acts_are_old() {
        let mut burst = Burst::default();
        for at in [1000, 2000, 3000] {
            burst.count(at, 2);
        }
        assert_eq!(burst.free_at_ms(10_000, 6, 1), Some(11_000));
        assert_eq!(burst.free_at_ms(10_000, 6, 2), Some(11_000));
        assert_eq!(burst.free_at_ms(10_000, 6, 3), Some(12_000));
        assert_eq!(burst.free_at_ms(10_000, 6, 6), Some(13_000));
        assert_eq!(burst.free_at_ms(10_000, 6, 7), None);
    }

    #[test]
    fn an_approval_counts_until_its_end() {
        let mut burst = Burst::default();
        assert_eq!(burst.approved(0), None);
        burst.approve(3, 100);
        assert_eq!(burst.approved(99), Some((3, 100)));
        assert_eq!(burst.approved(100), None);
        burst.approve(0, 100);
        assert_eq!(burst.approved(99), None);
    }
}
