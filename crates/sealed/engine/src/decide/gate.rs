//! The one gate through which automation's acts go, after the delegation has been found that covers them.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::authority::{Caller, Grant};
use super::booking::{Booking, Document, Warrant};
use super::brake;
use super::intents;
use super::steps::deltas;
use crate::act::Refusal;
use crate::event::Event;
use crate::plan::Step;
use crate::prepare::Draws;
use crate::records::ActRecord;
use crate::resource::{Group, User};
use crate::tenant::Tenant;

/// How often the use of a credential is noted, in milliseconds.
const USE_NOTED_MS: u64 = 60_000;

/// What an act of automation led to.
pub(super) struct Done {
    /// For the journal.
    pub(super) record: ActRecord,
    /// Index of its last entry.
    pub(super) index: u64,
    /// The user as it is now, if the act is about one.
    pub(super) user: Option<Arc<User>>,
    /// The group as it is now, if the act is about one.
    pub(super) group: Option<Arc<Group>>,
}

/// Carries out what a credential asks for. `document` is the resource's canonical one after the act.
pub(super) fn carry_out(
    head: &mut Tenant,
    by: &Caller,
    grant: &Grant,
    draws: Draws,
    document: Document<'_>,
    steps: Vec<Step>,
) -> Result<Done, Refusal> {
    if by.planning {
        return intents::record(head, by, grant, draws, steps);
    }
    let counts = brake::check(&head.registry, &grant.limits, by.now_ms, &steps)?;
    let warrant = Warrant::delegated(grant, by.credential);
    let groups = deltas(&head.registry, &steps);
    let mut booking = Booking::begin(head, by.now_ms, &warrant, draws, document, groups)?;
    booking.perform_all(steps)?;
    for count in counts {
        booking.event(count);
    }
    note_use(&mut booking, by);
    Ok(Done {
        index: booking.last(),
        user: booking.user.take(),
        group: booking.group.take(),
        record: booking.finish(),
    })
}

/// Notes that the caller's credential was used now, once a minute.
pub(super) fn note_use(booking: &mut Booking<'_>, by: &Caller) {
    let used = booking.head.registry.last_used_ms(&by.credential);
    if by.now_ms.saturating_sub(used.unwrap_or(0)) >= USE_NOTED_MS {
        booking.event(Event::CredentialUsed {
            handle: by.credential,
            at_ms: by.now_ms,
        });
    }
}
