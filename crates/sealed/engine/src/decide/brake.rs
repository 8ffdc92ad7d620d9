//! The brake (I16): how many accounts, groups and grants automation may touch within a window, and what
//! an admin lets through beyond it.

use alloc::vec::Vec;

use chancery_authority::BurstLimits;
use chancery_directory::EntryType;
use chancery_json::Fields;

use super::admin::{Desk, Outcome};
use super::booking::Document;
use super::steps::granted;
use crate::act::{Answer, Refusal};
use crate::event::Event;
use crate::governance::{Burst, BurstKind};
use crate::plan::Step;
use crate::prepare::Draws;
use crate::registry::Registry;
use crate::tenant::Tenant;

/// Most acts that one approval lets through: as many as a delegation can allow.
const APPROVED_MAX: u64 = 10_000_000;
/// After how long without a suspension the next one counts as a single one, in milliseconds: five minutes.
const ALONE_AFTER_MS: u64 = 300_000;
/// Shortest and longest life of an approval, in seconds: a minute, and the longest window.
const APPROVAL_LIFE_S: core::ops::RangeInclusive<u64> = 60..=604_800;

/// What the steps count for, if they stay within the limits and what an admin has approved.
///
/// The window comes first; only what it does not take is taken from the approval.
///
/// # Errors
/// [`Refusal::Burst`]; then nothing of the act may happen.
pub(super) fn check(
    registry: &Registry,
    limits: &BurstLimits,
    now_ms: u64,
    steps: &[Step],
) -> Result<Vec<Event>, Refusal> {
    let mut events = Vec::new();
    for kind in BurstKind::ALL {
        let asked = steps
            .iter()
            .map(|step| weigh(registry, step, kind))
            .fold(0, u64::saturating_add);
        if asked > 0 {
            book(registry, kind, limits, now_ms, asked, &mut events)?;
        }
    }
    Ok(events)
}

/// How much a step counts for.
fn weigh(registry: &Registry, step: &Step, kind: BurstKind) -> u64 {
    let count = match (kind, step) {
        (BurstKind::Suspensions, Step::Update { user, parts }) => {
            usize::from(parts.activity && !user.active)
        }
        (BurstKind::Deletions, Step::Depart { .. }) => 1,
        (BurstKind::Grants, Step::Regroup { added, .. }) => granted(registry, added).count(),
        (
            BurstKind::EmptiedGroups,
            Step::Regroup {
                group,
                added,
                removed,
            },
        ) => {
            let members = registry.member_count(*group);
            usize::from(members > 0 && added.is_empty() && removed.len() == members)
        }
        (BurstKind::EmptiedGroups, Step::RemoveGroup { group }) => {
            usize::from(registry.member_count(*group) > 0)
        }
        _ => 0,
    };
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn book(
    registry: &Registry,
    kind: BurstKind,
    limits: &BurstLimits,
    now_ms: u64,
    asked: u64,
    events: &mut Vec<Event>,
) -> Result<(), Refusal> {
    let window_ms = limits.window_s.saturating_mul(1000);
    let limit = kind.limit(limits);
    let none = Burst::default();
    let burst = registry.burst(kind).unwrap_or(&none);
    let free = limit.saturating_sub(burst.used(now_ms, window_ms));
    let (within, beyond) = (asked.min(free), asked.saturating_sub(free));
    if within > 0 {
        events.push(Event::Counted {
            kind,
            at_ms: now_ms,
            count: within,
        });
    }
    if beyond == 0 {
        return Ok(());
    }
    let alone_at_ms = alone_at_ms(kind, burst, asked);
    if alone_at_ms.is_some_and(|at| at <= now_ms) {
        events.push(Event::Counted {
            kind,
            at_ms: now_ms,
            count: asked,
        });
        return Ok(());
    }
    let (approved, until_ms) = burst.approved(now_ms).unwrap_or_default();
    let left = approved.checked_sub(beyond).ok_or_else(|| {
        let free_at_ms = burst.free_at_ms(window_ms, limit, asked);
        let free_at_ms = free_at_ms.into_iter().chain(alone_at_ms).min();
        Refusal::Burst {
            kind,
            limit,
            window_s: limits.window_s,
            retry_after_s: free_at_ms.map(|at| at.saturating_sub(now_ms).div_ceil(1000).max(1)),
        }
    })?;
    events.push(Event::BurstApproved {
        kind,
        count: left,
        until_ms,
    });
    Ok(())
}

/// From when on a suspension is no part of a burst: it goes through although the window is full, so that somebody
/// who must be out now is not kept in by the accident of an hour ago.
fn alone_at_ms(kind: BurstKind, burst: &Burst, asked: u64) -> Option<u64> {
    let last_ms = burst.last_ms()?;
    (kind == BurstKind::Suspensions && asked == 1).then(|| last_ms.saturating_add(ALONE_AFTER_MS))
}

impl Desk<'_> {
    /// Lets more acts of one kind through than the window does, in the place of what was approved before.
    pub(super) fn approve_burst(
        &self,
        head: &mut Tenant,
        mut draws: Draws,
        mut fields: Fields,
    ) -> Outcome {
        let kind = BurstKind::parse(&fields.take_str("burst")?).ok_or(Refusal::Value {
            member: "burst",
            allowed: "suspensions, deletions, grants or emptied_groups",
        })?;
        let count = fields.take_u64("count")?;
        let life_s = fields.take_u64("life_s")?;
        fields.finish()?;
        if !(1..=APPROVED_MAX).contains(&count) {
            return Err(Refusal::Value {
                member: "count",
                allowed: "from 1 to 10000000",
            });
        }
        if !APPROVAL_LIFE_S.contains(&life_s) {
            return Err(Refusal::Value {
                member: "life_s",
                allowed: "from 60 to 604800 seconds",
            });
        }
        let subject = draws.bytes()?;
        let mut booking = self.begin(head, draws, Document::Kept(self.signed.body))?;
        booking.with_document(EntryType::ApprovalGiven, subject)?;
        booking.event(Event::BurstApproved {
            kind,
            count,
            until_ms: self.now_ms.saturating_add(life_s.saturating_mul(1000)),
        });
        self.spend(&mut booking);
        let index = booking.last();
        Ok((Some(booking.finish()), Answer::Done { subject, index }))
    }
}
