//! Users: create, replace, change, delete.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

use chancery_authority::Scope;
use chancery_directory::record::NameKind;
use chancery_directory::{Digest, EntryType};
use chancery_scim::{Changed, Error, FoldedName, UserDocument, UserKeys};
use chancery_sealing::Key;

use super::authority::{Caller, Grant, Need};
use super::booking::{Booking, Warrant};
use super::expect_version;
use crate::act::{Answer, Refusal, Update};
use crate::id::ResourceId;
use crate::prepare::{Draws, NewUser, keyset};
use crate::records::ActRecord;
use crate::resource::{Event, PendingKeyset, User};
use crate::scim_keys::user_keys;
use crate::tenant::Tenant;

type Outcome = Result<(Option<ActRecord>, Answer), Refusal>;

pub(super) fn create(head: &mut Tenant, by: &Caller, new: NewUser) -> Outcome {
    let keys = user_keys(new.document.keys());
    let registry = &head.registry;
    let need = Need {
        scopes: alloc::vec![Scope::UsersCreate],
        identifiers: new.document.identifiers(),
        accounts: alloc::vec![&*keys.user_name],
        groups: Vec::new(),
    };
    let grant = by.may(registry, &need)?;
    if registry.user_named(&keys.user_name).is_some() {
        return Err(Error::Uniqueness {
            attribute: "userName",
        }
        .into());
    }
    let user = Arc::new(User {
        id: new.id,
        handle: new.handle,
        sequence: registry.next_sequence(),
        created_ms: by.now_ms,
        modified_ms: by.now_ms,
        version: 1,
        active: new.document.keys().active,
        label: new.label,
        document: new.canonical.into_boxed_slice(),
        keyset: new.keyset.keyset,
        keys,
    });
    let warrant = Warrant::delegated(&grant, by.credential);
    let mut booking = Booking::begin(head, by.now_ms, &warrant, new.secret, &user.document)?;
    booking.entry(
        EntryType::UserProvisioned,
        user.handle,
        new.keyset.key_commit,
        Digest::ZERO,
    )?;
    booking.bind(user.label, user.handle)?;
    if !user.active {
        booking.plain(EntryType::Suspended, user.handle)?;
    }
    booking.event(Event::UserPut(Arc::clone(&user)));
    let index = Some(booking.last());
    Ok((Some(booking.finish()), Answer::User { user, index }))
}

pub(super) fn replace(head: &mut Tenant, by: &Caller, update: &Update<Vec<u8>>) -> Outcome {
    let (user, before) = current(head, by, update.id, update.if_match.as_ref())?;
    let after = UserDocument::parse_replace(&update.change, &before)?;
    let changed = if after == before {
        Changed::No
    } else {
        Changed::Yes
    };
    change(head, by, &user, &before, (after, changed), &update.fresh)
}

pub(super) fn patch(
    head: &mut Tenant,
    by: &Caller,
    update: &Update<chancery_scim::PatchRequest>,
) -> Outcome {
    let (user, before) = current(head, by, update.id, update.if_match.as_ref())?;
    let outcome = update.change.apply_user(&before)?;
    change(head, by, &user, &before, outcome, &update.fresh)
}

/// The user that an update is about, if the caller's `If-Match` names its version.
fn current(
    head: &Tenant,
    by: &Caller,
    id: ResourceId,
    if_match: Option<&chancery_scim::EntityTags>,
) -> Result<(Arc<User>, UserDocument), Refusal> {
    // Whoever may change nothing must not learn what exists.
    if by
        .may(&head.registry, &Need::of(Scope::UsersUpdate))
        .is_err()
    {
        by.may(&head.registry, &Need::of(Scope::UsersSuspend))?;
    }
    let user = head.registry.users().get(id).ok_or(Error::NotFound)?;
    expect_version(if_match, user.version)?;
    Ok((
        Arc::clone(user),
        UserDocument::from_canonical(&user.document)?,
    ))
}

/// What an update changes, by the scope that each part needs.
struct Parts {
    profile: bool,
    renamed: bool,
    readdressed: bool,
    activity: bool,
}

impl Parts {
    fn of(before: &UserDocument, after: &UserDocument) -> Self {
        let (old, new) = (before.keys(), after.keys());
        let activity = old.active != new.active;
        Self {
            profile: before.with_active(new.active) != *after,
            renamed: old.user_name != new.user_name,
            readdressed: old.user_name != new.user_name || sorted(old) != sorted(new),
            activity,
        }
    }
}

/// The addresses of a user, whatever their order.
fn sorted(keys: &UserKeys) -> BTreeSet<&str> {
    keys.emails.iter().map(FoldedName::as_str).collect()
}

fn change(
    head: &mut Tenant,
    by: &Caller,
    user: &Arc<User>,
    before: &UserDocument,
    (after, changed): (UserDocument, Changed),
    fresh: &Key,
) -> Outcome {
    if changed == Changed::No {
        return Ok((
            None,
            Answer::User {
                user: Arc::clone(user),
                index: None,
            },
        ));
    }
    let parts = Parts::of(before, &after);
    let grant = permitted(head, by, user, &after, &parts)?;
    let mut draws = Draws::new(fresh);
    let keys = user_keys(after.keys());
    let label = if parts.renamed {
        head.secrets.label(NameKind::UserName, &keys.user_name)
    } else {
        user.label
    };
    // Another address may be another person: it gets keys that nobody has claimed (I14).
    let new_keys = if parts.readdressed {
        let version = head.key_version(&user.handle).saturating_add(1);
        Some(keyset(
            &head.secrets,
            user.handle,
            version,
            by.now_ms,
            &mut draws,
        )?)
    } else {
        None
    };
    let stored: PendingKeyset = new_keys
        .as_ref()
        .map_or_else(|| user.keyset.clone(), |new| new.keyset.clone());
    let next = Arc::new(User {
        id: user.id,
        handle: user.handle,
        sequence: user.sequence,
        created_ms: user.created_ms,
        modified_ms: by.now_ms,
        version: user.version.saturating_add(1),
        active: after.keys().active,
        label,
        document: after.to_canonical().into_boxed_slice(),
        keyset: stored,
        keys,
    });
    let warrant = Warrant::delegated(&grant, by.credential);
    let booking = Booking::begin(
        head,
        by.now_ms,
        &warrant,
        draws.secret.clone(),
        &next.document,
    )?;
    book_change(
        booking,
        user,
        next,
        &parts,
        new_keys.as_ref().map(|new| new.key_commit),
    )
}

/// Entries of a change in the order in which a reader of the log must meet them.
fn book_change(
    mut booking: Booking<'_>,
    user: &User,
    next: Arc<User>,
    parts: &Parts,
    key_commit: Option<Digest>,
) -> Outcome {
    if parts.renamed {
        booking.plain(EntryType::NameChanged, user.handle)?;
        booking.release(user.label)?;
        booking.bind(next.label, user.handle)?;
    } else if parts.profile {
        booking.plain(EntryType::ProfileChanged, user.handle)?;
    }
    if let Some(key_commit) = key_commit {
        booking.entry(EntryType::KeyRotated, user.handle, key_commit, Digest::ZERO)?;
    }
    if parts.activity {
        let kind = if next.active {
            EntryType::Reactivated
        } else {
            EntryType::Suspended
        };
        booking.plain(kind, user.handle)?;
    }
    booking.event(Event::UserPut(Arc::clone(&next)));
    let index = Some(booking.last());
    Ok((Some(booking.finish()), Answer::User { user: next, index }))
}

/// The delegation that covers every part of the change.
fn permitted(
    head: &Tenant,
    by: &Caller,
    user: &User,
    after: &UserDocument,
    parts: &Parts,
) -> Result<Grant, Refusal> {
    let registry = &head.registry;
    let wanted = after.keys().user_name.as_str();
    let mut need = Need {
        accounts: alloc::vec![&*user.keys.user_name, wanted],
        ..Need::default()
    };
    if parts.profile {
        need.scopes.push(Scope::UsersUpdate);
    }
    if parts.activity {
        need.scopes.push(Scope::UsersSuspend);
    }
    // Whoever is brought back must be in a trusted domain now, not only when it was created.
    if parts.profile || after.keys().active {
        need.identifiers = after.identifiers();
    }
    let grant = by.may(registry, &need)?;
    if parts.renamed && registry.user_named(wanted).is_some() {
        return Err(Error::Uniqueness {
            attribute: "userName",
        }
        .into());
    }
    Ok(grant)
}

pub(super) fn delete(head: &mut Tenant, by: &Caller, update: &Update<()>) -> Outcome {
    by.may(&head.registry, &Need::of(Scope::UsersDelete))?;
    let user = Arc::clone(
        head.registry
            .users()
            .get(update.id)
            .ok_or(Error::NotFound)?,
    );
    expect_version(update.if_match.as_ref(), user.version)?;
    let need = Need {
        accounts: alloc::vec![&*user.keys.user_name],
        ..Need::of(Scope::UsersDelete)
    };
    let grant = by.may(&head.registry, &need)?;
    let groups: Vec<_> = head.registry.groups_of(user.id).map(Arc::clone).collect();
    let draws = Draws::new(&update.fresh);
    let warrant = Warrant::delegated(&grant, by.credential);
    let mut booking = Booking::begin(head, by.now_ms, &warrant, draws.secret.clone(), &[])?;
    // The name is free at once; the subject stays, suspended, until its retention ends.
    let kind = if user.active {
        EntryType::Suspended
    } else {
        EntryType::NameChanged
    };
    booking.plain(kind, user.handle)?;
    booking.release(user.label)?;
    for group in &groups {
        booking.regroup(group, Vec::new(), alloc::vec![user.id])?;
    }
    booking.event(Event::UserDeparted(user.id));
    let index = booking.last();
    Ok((Some(booking.finish()), Answer::Gone { index }))
}
