//! Erasing a user: the end of a subject, its name and its memberships.

use alloc::sync::Arc;

use chancery_directory::EntryType;

use super::booking::Booking;
use crate::act::Refusal;
use crate::event::Event;
use crate::id::ResourceId;

/// Books the erasure of a user who is suspended, or whom the identity provider deleted: the log destroys the
/// subject, the name is free, no group lists the user. The caller has made sure of the user's state, and
/// of an actor who may erase: a delegation, a window, the admins or the runtime.
///
/// # Errors
/// [`Refusal::Internal`]: there is no such user, or the log refuses.
pub(super) fn erase(booking: &mut Booking<'_>, id: ResourceId) -> Result<(), Refusal> {
    let registry = &booking.head.registry;
    let kept = registry.users().get(id).map(Arc::clone);
    let is_named = kept.is_some();
    let user = kept
        .or_else(|| registry.departed(id).map(|gone| Arc::clone(&gone.user)))
        .ok_or(Refusal::Internal)?;
    booking.plain(EntryType::Erased, user.handle)?;
    if is_named {
        booking.release(user.label)?;
        booking.end_memberships(id)?;
    }
    booking.event(Event::UserErased { id });
    Ok(())
}
