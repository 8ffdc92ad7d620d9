//! Acts of automation that wait for an admin's signature (I16), and the brake as admins see it.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use chancery_directory::EntryType;
use chancery_json::{Limits, Object, Value};
use chancery_scim::GroupDocument;
use chancery_sealing::Key;
use sha2::{Digest as _, Sha256};

use super::admin::{Desk, Outcome};
use super::authority::{Caller, Grant};
use super::booking::{Booking, Document, Warrant};
use super::gate::note_use;
use super::groups::{Change, Delta};
use super::steps::deltas;
use crate::act::{Answer, Refusal};
use crate::event::Event;
use crate::governance::{Burst, BurstKind, HELD_MAX, HELD_MEMBERS_MAX, HeldAct};
use crate::id::ResourceId;
use crate::prepare::Draws;
use crate::registry::Registry;
use crate::tenant::Tenant;

/// Keeps a change of a sensitive group until an admin signs it; returns its identifier. The same change asked
/// for again is the same held act.
///
/// # Errors
/// [`Refusal::TooLarge`] for more members than an admin could read, [`Refusal::Protected`] if too much
/// waits already.
pub(super) fn hold(
    head: &mut Tenant,
    by: &Caller,
    grant: &Grant,
    mut draws: Draws,
    change: &Change,
) -> Result<[u8; 32], Refusal> {
    let Delta { added, removed } = &change.delta;
    if added.len().saturating_add(removed.len()) > HELD_MEMBERS_MAX {
        return Err(Refusal::TooLarge {
            what: "members of a sensitive group changed in one request",
            limit: HELD_MEMBERS_MAX,
        });
    }
    let wanted = change
        .after
        .as_ref()
        .map(|after| after.to_canonical().into_boxed_slice());
    let held = HeldAct {
        id: draws.bytes()?,
        group: change.group.id,
        before: wanted
            .as_ref()
            .map_or([0; 32], |_| Sha256::digest(&change.group.document).into()),
        document: wanted,
        added: added.clone(),
        removed: removed.clone(),
        credential: by.credential,
        at_ms: by.now_ms,
    };
    let (waiting, over): (Vec<_>, Vec<_>) = head
        .registry
        .held()
        .partition(|known| by.now_ms < known.expires_ms());
    if let Some(known) = waiting.iter().find(|known| is_same(known, &held)) {
        return Ok(known.id);
    }
    if waiting.len() >= HELD_MAX {
        return Err(Refusal::Protected {
            reason: "too many changes of sensitive groups wait for an admin's signature already",
        });
    }
    let over: Vec<[u8; 32]> = over.iter().map(|known| known.id).collect();
    let document = described(&head.registry, change, &held)?;
    let warrant = Warrant::delegated(grant, by.credential);
    let mut booking = Booking::begin(
        head,
        by.now_ms,
        &warrant,
        draws,
        Document::Kept(&document),
        Vec::new(),
    )?;
    booking.with_document(EntryType::ActHeld, held.id)?;
    for id in over {
        booking.event(Event::HeldEnded { id });
    }
    let id = held.id;
    booking.event(Event::HeldPut(Arc::new(held)));
    note_use(&mut booking, by);
    let record = booking.finish();
    head.aside.push(record);
    Ok(id)
}

fn is_same(one: &HeldAct, other: &HeldAct) -> bool {
    one.group == other.group
        && one.document == other.document
        && one.before == other.before
        && one.added == other.added
        && one.removed == other.removed
}

/// What an auditor sees of a held act: handles for people, so that it says nothing once they are erased.
fn described(registry: &Registry, change: &Change, held: &HeldAct) -> Result<Vec<u8>, Refusal> {
    let handles = |users: &[ResourceId]| -> Vec<Value> {
        users
            .iter()
            .filter_map(|id| registry.users().get(*id))
            .map(|user| Value::from(hex::encode(user.handle)))
            .collect()
    };
    let document = match &held.document {
        Some(bytes) => {
            Value::parse(bytes, &Limits::DOCUMENT).map_err(|_canonical| Refusal::Internal)?
        }
        None => Value::Null,
    };
    Ok(Object::new()
        .with("held", hex::encode(held.id))
        .with("group", hex::encode(change.group.handle))
        .with("added", handles(&held.added))
        .with("removed", handles(&held.removed))
        .with("document", document)
        .to_bytes())
}

impl Desk<'_> {
    /// Carries out a held act. What has become of the group, its members, the credential and the delegations
    /// since counts; members who are gone are left out.
    pub(super) fn approve_held(
        &self,
        head: &mut Tenant,
        mut draws: Draws,
        id: [u8; 32],
    ) -> Outcome {
        let registry = &head.registry;
        let held = registry
            .held_act(&id)
            .filter(|held| self.now_ms < held.expires_ms())
            .map(Arc::clone)
            .ok_or(Refusal::NotFound)?;
        let change = change_of(registry, &held)?;
        let by = Caller::asked_before(self.settings, registry, self.now_ms, &held.credential)?;
        let grant = change.permitted(registry, &by)?;
        let second = Draws::new(&Key::from_bytes(draws.bytes()?));
        let mut booking = self.begin(head, draws, Document::Kept(self.signed.body))?;
        booking.with_document(EntryType::ApprovalGiven, id)?;
        self.spend(&mut booking);
        let approval = booking.finish();
        head.aside.push(approval);
        let (document, steps) = change.into_steps(self.now_ms);
        let groups = deltas(&head.registry, &steps);
        let warrant = Warrant::delegated(&grant, held.credential).resting_on(id);
        let mut booking = Booking::begin(
            head,
            self.now_ms,
            &warrant,
            second,
            Document::InEvent(&document),
            groups,
        )?;
        booking.perform_all(steps)?;
        booking.event(Event::HeldEnded { id });
        let index = booking.last();
        let answer = Answer::Done { subject: id, index };
        Ok((Some(booking.finish()), answer))
    }

    /// The acts that wait, and how much of each limit is used under the newest delegation in force.
    pub(super) fn show_held(&self, head: &Tenant) -> Answer {
        let registry = &head.registry;
        let held: Vec<Value> = registry
            .held()
            .filter(|held| self.now_ms < held.expires_ms())
            .map(|held| Value::Object(shown(registry, held)))
            .collect();
        let limits = registry
            .delegations()
            .iter()
            .rev()
            .filter(|granted| !granted.revoked)
            .map(|granted| granted.delegation.delegation())
            .find(|terms| terms.not_before_ms <= self.now_ms && self.now_ms < terms.not_after_ms)
            .map(|terms| terms.limits);
        let bursts: Vec<Value> = limits
            .iter()
            .flat_map(|limits| BurstKind::ALL.map(|kind| (kind, limits)))
            .map(|(kind, limits)| {
                let none = Burst::default();
                let burst = registry.burst(kind).unwrap_or(&none);
                let approved = burst.approved(self.now_ms);
                let window_ms = limits.window_s.saturating_mul(1000);
                let until = approved.map_or(Value::Null, |(_, until_ms)| Value::from(until_ms));
                let object = Object::new()
                    .with("kind", kind.name())
                    .with("used", burst.used(self.now_ms, window_ms))
                    .with("limit", kind.limit(limits))
                    .with("window_s", limits.window_s)
                    .with("approved", approved.map_or(0, |(count, _)| count))
                    .with("approved_until_ms", until);
                Value::Object(object)
            })
            .collect();
        let document = Object::new().with("held", held).with("bursts", bursts);
        Answer::Document(Box::new(document))
    }
}

/// What a held act changes now.
fn change_of(registry: &Registry, held: &HeldAct) -> Result<Change, Refusal> {
    let group = registry.groups().get(held.group).ok_or(Refusal::Stale {
        what: "the group is gone",
    })?;
    if held.document.is_some() && held.before != *Sha256::digest(&group.document) {
        return Err(Refusal::Stale {
            what: "the group has changed since; automation must ask again",
        });
    }
    let parsed = |bytes: &[u8]| GroupDocument::from_canonical(bytes).map_err(Refusal::from);
    let change = Change {
        group: Arc::clone(group),
        before: parsed(&group.document)?,
        after: held
            .document
            .as_ref()
            .map(|bytes| parsed(bytes))
            .transpose()?,
        delta: Delta::effective(
            registry,
            group.id,
            held.added.iter().copied(),
            held.removed.iter().copied(),
        )?,
    };
    if change.is_empty() {
        return Err(Refusal::Stale {
            what: "nothing of the change is left to do",
        });
    }
    Ok(change)
}

fn shown(registry: &Registry, held: &HeldAct) -> Object {
    let names = |users: &[ResourceId]| -> Vec<Value> {
        users
            .iter()
            .filter_map(|id| registry.users().get(*id))
            .map(|user| Value::from(&*user.keys.user_name))
            .collect()
    };
    let group = registry
        .groups()
        .get(held.group)
        .and_then(|group| GroupDocument::from_canonical(&group.document).ok())
        .map_or_else(
            || held.group.text(),
            |document| String::from(document.display_name()),
        );
    Object::new()
        .with("id", hex::encode(held.id))
        .with("group", group)
        .with("added", names(&held.added))
        .with("removed", names(&held.removed))
        .with("at_ms", held.at_ms)
        .with("expires_ms", held.expires_ms())
}
