//! Recording what automation asks for while it is on trial, instead of doing it.

use alloc::sync::Arc;
use alloc::vec::Vec;

use chancery_authority::Scope;
use chancery_directory::EntryType;
use chancery_sealing::Key;

use super::admin::tenant_handle;
use super::authority::{Caller, Grant, Need};
use super::booking::{Booking, Document, Warrant};
use super::gate::{Done, note_use};
use crate::act::{Answer, Refusal};
use crate::event::Event;
use crate::id::ResourceId;
use crate::plan::{Intent, Step};
use crate::prepare::Draws;
use crate::records::{ActRecord, OpeningSecret};
use crate::registry::Registry;
use crate::resource::{Group, User};
use crate::tenant::Tenant;

/// Most intents of one plan: all of them stay in memory until an admin has decided.
pub(super) const INTENTS_MAX: usize = 1_000_000;

/// Records an act as an intent and answers as if it were done.
pub(super) fn record(
    head: &mut Tenant,
    by: &Caller,
    grant: &Grant,
    draws: Draws,
    steps: Vec<Step>,
) -> Result<Done, Refusal> {
    let named: Vec<ResourceId> = steps.iter().flat_map(named_by).collect();
    let matched = head.registry.unmatched(&named);
    book(head, by, grant, draws, (matched, steps))
}

/// Notes that users were found by a reader.
pub(super) fn matched(
    head: &mut Tenant,
    by: &Caller,
    ids: &[ResourceId],
    fresh: &Key,
) -> Result<(Option<ActRecord>, Answer), Refusal> {
    let grant = by.may(&head.registry, &Need::of(Scope::UsersRead))?;
    let done = note(head, by, &grant, ids, fresh)?;
    Ok((done.map(|done| done.record), Answer::Noted))
}

/// Notes that users were named by a request beside what it changes.
pub(super) fn named(
    head: &mut Tenant,
    by: &Caller,
    ids: &[ResourceId],
    fresh: &Key,
) -> Result<Option<Done>, Refusal> {
    // Whoever may ask for a change may be noted to have named somebody.
    let grant = [
        Scope::UsersUpdate,
        Scope::UsersSuspend,
        Scope::GroupsMembership,
        Scope::GroupsManage,
    ]
    .into_iter()
    .find_map(|scope| by.may(&head.registry, &Need::of(scope)).ok());
    match grant {
        Some(grant) => note(head, by, &grant, ids, fresh),
        None => Ok(None),
    }
}

fn note(
    head: &mut Tenant,
    by: &Caller,
    grant: &Grant,
    ids: &[ResourceId],
    fresh: &Key,
) -> Result<Option<Done>, Refusal> {
    if !by.planning {
        return Ok(None);
    }
    let matched = head.registry.unmatched(ids);
    if matched.is_empty() {
        return Ok(None);
    }
    book(head, by, grant, Draws::new(fresh), (matched, Vec::new())).map(Some)
}

fn book(
    head: &mut Tenant,
    by: &Caller,
    grant: &Grant,
    draws: Draws,
    (matched, steps): (Vec<ResourceId>, Vec<Step>),
) -> Result<Done, Refusal> {
    if is_full(&head.registry) {
        return Err(Refusal::TooLarge {
            what: "intents in one plan",
            limit: INTENTS_MAX,
        });
    }
    let (user, group) = outcome(&steps);
    let Draws {
        secret,
        mut entropy,
    } = draws;
    // The secret is the future act's. This one has its own, so that showing it opens nothing of that.
    let mut own = [0; 32];
    chancery_sealing::Entropy::fill(&mut entropy, &mut own)
        .map_err(|_entropy| Refusal::Internal)?;
    let draws = Draws {
        secret: OpeningSecret(own),
        entropy,
    };
    let intent = Arc::new(Intent {
        credential: by.credential,
        delegation: grant.hash,
        at_ms: by.now_ms,
        matched,
        secret,
        steps,
    });
    let document = intent.encode();
    let warrant = Warrant::delegated(grant, by.credential);
    let subject = tenant_handle(&head.secrets.id());
    let document = Document::Kept(&document);
    let mut booking = Booking::begin(head, by.now_ms, &warrant, draws, document, Vec::new())?;
    booking.with_document(EntryType::IntentRecorded, subject)?;
    booking.event(Event::Intended(intent));
    note_use(&mut booking, by);
    Ok(Done {
        index: booking.last(),
        user,
        group,
        record: booking.finish(),
    })
}

fn is_full(registry: &Registry) -> bool {
    registry
        .plan()
        .is_some_and(|plan| plan.intents().len() >= INTENTS_MAX)
}

/// The users that a step names.
fn named_by(step: &Step) -> Vec<ResourceId> {
    match step {
        Step::Update { user, .. } => alloc::vec![user.id],
        Step::Depart { user, .. } => alloc::vec![*user],
        // Who is removed may just not be mentioned any more.
        Step::Regroup { added, .. } => added.clone(),
        Step::Provision { .. }
        | Step::CreateGroup { .. }
        | Step::UpdateGroup { .. }
        | Step::RemoveGroup { .. } => Vec::new(),
    }
}

/// The resource as it would be.
fn outcome(steps: &[Step]) -> (Option<Arc<User>>, Option<Arc<Group>>) {
    let user = steps.iter().find_map(|step| match step {
        Step::Provision { user, .. } | Step::Update { user, .. } => {
            Some(Arc::new(User::clone(user)))
        }
        _ => None,
    });
    let group = steps.iter().find_map(|step| match step {
        Step::CreateGroup { group } | Step::UpdateGroup { group, .. } => {
            Some(Arc::new(Group::clone(group)))
        }
        _ => None,
    });
    (user, group)
}
