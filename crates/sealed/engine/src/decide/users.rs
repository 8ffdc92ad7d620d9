//! Users: create, replace, change, delete.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

use chancery_authority::Scope;
use chancery_directory::record::NameKind;
use chancery_scim::{Changed, Error, FoldedName, UserDocument, UserKeys};
use chancery_sealing::Key;

use super::authority::{Caller, Grant, Need};
use super::booking::Document;
use super::expect_version;
use super::gate::{Done, carry_out};
use super::intents;
use crate::act::{Answer, Refusal, Update};
use crate::custody::Custody;
use crate::id::ResourceId;
use crate::plan::{Parts, Step};
use crate::prepare::{Draws, NewUser};
use crate::records::ActRecord;
use crate::resource::{User, UserProof};
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
        ..Need::default()
    };
    let grant = by.may(registry, &need)?;
    if registry.effective().user_named(&keys.user_name).is_some() {
        return Err(Error::Uniqueness {
            attribute: "userName",
        }
        .into());
    }
    let user = User {
        id: new.id,
        handle: new.handle,
        sequence: registry.next_sequence(),
        created_ms: by.now_ms,
        modified_ms: by.now_ms,
        version: 1,
        active: new.document.keys().active,
        label: new.label,
        document: new.canonical.into_boxed_slice(),
        custody: Custody::Pending(new.keyset.keyset),
        // What the log commits to is known once its entries are there.
        proof: UserProof {
            key_version: 1,
            key_index: 0,
            not_before_ms: new.made_ms,
            key_opening: [0; 32],
            name_binding: 0,
            name_since: 0,
            name_opening: [0; 32],
        },
        keys,
    };
    let document = user.document.clone();
    let steps = alloc::vec![Step::Provision {
        user: Box::new(user),
        key_commit: new.keyset.key_commit.0,
    }];
    finished(carry_out(
        head,
        by,
        &grant,
        new.draws,
        Document::InEvent(&document),
        steps,
    )?)
}

fn finished(done: Done) -> Outcome {
    let user = done.user.ok_or(Refusal::Internal)?;
    let index = Some(done.index);
    Ok((Some(done.record), Answer::User { user, index }))
}

pub(super) fn replace(head: &mut Tenant, by: &Caller, update: &Update<Vec<u8>>) -> Outcome {
    let (user, before) = current(head, by, update.id, update.if_match.as_ref())?;
    let after = UserDocument::parse_replace(&update.change, &before, by.catalogue)?;
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
    let outcome = update.change.apply_user(&before, by.catalogue)?;
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
    let directory = head.registry.effective();
    let user = directory.users().get(id).ok_or(Error::NotFound)?;
    expect_version(if_match, user.version)?;
    Ok((
        Arc::clone(user),
        UserDocument::from_canonical(&user.document)?,
    ))
}

pub(super) fn parts_of(before: &UserDocument, after: &UserDocument) -> Parts {
    let (old, new) = (before.keys(), after.keys());
    Parts {
        profile: before.with_active(new.active) != *after,
        renamed: old.user_name != new.user_name,
        readdressed: old.user_name != new.user_name || addresses(old) != addresses(new),
        activity: old.active != new.active,
    }
}

/// The addresses of a user, whatever their order. The userName is one of them: repeating it as an e-mail
/// address, as identity providers do when they adopt an account, names nobody else.
fn addresses(keys: &UserKeys) -> BTreeSet<&str> {
    let emails = keys.emails.iter().map(FoldedName::as_str);
    emails.chain([keys.user_name.as_str()]).collect()
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
        let noted = intents::named(head, by, &[user.id], fresh)?;
        let (record, index) =
            noted.map_or((None, None), |done| (Some(done.record), Some(done.index)));
        let user = Arc::clone(user);
        return Ok((record, Answer::User { user, index }));
    }
    let parts = parts_of(before, &after);
    let grant = permitted(head, by, user, &after, &parts)?;
    let keys = user_keys(after.keys());
    let label = if parts.renamed {
        head.secrets.label(NameKind::UserName, &keys.user_name)
    } else {
        user.label
    };
    let next = User {
        id: user.id,
        handle: user.handle,
        sequence: user.sequence,
        created_ms: user.created_ms,
        modified_ms: by.now_ms,
        version: user.version.saturating_add(1),
        active: after.keys().active,
        label,
        document: after.to_canonical().into_boxed_slice(),
        custody: user.custody.clone(),
        proof: user.proof.clone(),
        keys,
    };
    let document = next.document.clone();
    let steps = alloc::vec![Step::Update {
        user: Box::new(next),
        parts,
    }];
    let draws = Draws::new(fresh);
    finished(carry_out(
        head,
        by,
        &grant,
        draws,
        Document::InEvent(&document),
        steps,
    )?)
}

/// The user, suspended or restored, and otherwise as before.
pub(super) fn with_activity(user: &User, active: bool, now_ms: u64) -> Result<User, Refusal> {
    let document = UserDocument::from_canonical(&user.document)?.with_active(active);
    Ok(User {
        modified_ms: now_ms,
        version: user.version.saturating_add(1),
        active,
        document: document.to_canonical().into_boxed_slice(),
        ..user.clone()
    })
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
    if parts.renamed && registry.effective().user_named(wanted).is_some() {
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
            .effective()
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
    let steps = alloc::vec![Step::Depart {
        user: user.id,
        erase_at_ms: grant.erase_at_ms(by.now_ms),
    }];
    let draws = Draws::new(&update.fresh);
    let done = carry_out(head, by, &grant, draws, Document::None, steps)?;
    Ok((Some(done.record), Answer::Gone { index: done.index }))
}
