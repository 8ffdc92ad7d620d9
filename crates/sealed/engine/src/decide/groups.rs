//! Groups: create, replace, change, delete. A change of members costs what changes, not the group.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use chancery_authority::Scope;
use chancery_directory::{Digest, EntryType};
use chancery_scim::{Error, GroupDocument, MemberChange, MemberRef};
use chancery_sealing::Key;

use super::authority::{Caller, Grant, managed_group};
use super::booking::{Booking, Warrant};
use super::expect_version;
use crate::act::{Answer, Refusal, Update};
use crate::id::ResourceId;
use crate::prepare::{Draws, NewGroup};
use crate::records::ActRecord;
use crate::registry::Registry;
use crate::resource::{Event, Group};
use crate::scim_keys::group_keys;
use crate::tenant::Tenant;

type Outcome = Result<(Option<ActRecord>, Answer), Refusal>;

pub(super) fn create(head: &mut Tenant, by: &Caller, new: NewGroup) -> Outcome {
    let registry = &head.registry;
    let grant = by.may(registry, Scope::GroupsManage)?;
    if !new.members.is_empty() {
        by.may(registry, Scope::GroupsMembership)?;
    }
    managed_group(registry, new.document.display_name())?;
    let added: BTreeSet<ResourceId> = users_of(registry, new.members)?;
    let group = Arc::new(Group {
        id: new.id,
        handle: new.handle,
        sequence: registry.next_sequence(),
        created_ms: by.now_ms,
        modified_ms: by.now_ms,
        version: 1,
        keys: group_keys(new.document.keys()),
        document: new.canonical.into_boxed_slice(),
    });
    let warrant = Warrant::delegated(&grant, by.credential);
    let mut booking = Booking::begin(head, by.now_ms, &warrant, new.secret, &group.document)?;
    booking.plain(EntryType::GroupCreated, group.handle)?;
    booking.event(Event::GroupPut(Arc::clone(&group)));
    if !added.is_empty() {
        booking.regroup(&group, added.into_iter().collect(), Vec::new())?;
    }
    let index = Some(booking.last());
    Ok((Some(booking.finish()), Answer::Group { group, index }))
}

pub(super) fn replace(head: &mut Tenant, by: &Caller, update: &Update<Vec<u8>>) -> Outcome {
    let (group, before) = current(head, by, update.id, update.if_match.as_ref())?;
    let (after, members) = GroupDocument::parse_replace(&update.change)?;
    let document = (after != before).then_some(after);
    let members = members.map(MemberChange::ReplaceAll).into_iter().collect();
    change(
        head,
        by,
        &group,
        &before,
        (document, members),
        &update.fresh,
    )
}

pub(super) fn patch(
    head: &mut Tenant,
    by: &Caller,
    update: &Update<chancery_scim::PatchRequest>,
) -> Outcome {
    let (group, before) = current(head, by, update.id, update.if_match.as_ref())?;
    let changes = update.change.group_changes(&before)?;
    change(
        head,
        by,
        &group,
        &before,
        (changes.document, changes.members),
        &update.fresh,
    )
}

fn current(
    head: &Tenant,
    by: &Caller,
    id: ResourceId,
    if_match: Option<&chancery_scim::EntityTags>,
) -> Result<(Arc<Group>, GroupDocument), Refusal> {
    // Whoever may change nothing must not learn what exists.
    if by.may(&head.registry, Scope::GroupsManage).is_err() {
        by.may(&head.registry, Scope::GroupsMembership)?;
    }
    let group = head.registry.groups().get(id).ok_or(Error::NotFound)?;
    expect_version(if_match, group.version)?;
    Ok((
        Arc::clone(group),
        GroupDocument::from_canonical(&group.document)?,
    ))
}

/// Who joins and who leaves, in the end, after changes in order.
#[derive(Debug, Default)]
struct Delta {
    added: BTreeSet<ResourceId>,
    removed: BTreeSet<ResourceId>,
}

impl Delta {
    fn of(
        registry: &Registry,
        group: ResourceId,
        changes: Vec<MemberChange>,
    ) -> Result<Self, Refusal> {
        let mut delta = Self::default();
        for change in changes {
            match change {
                MemberChange::Add(members) => {
                    for id in users_of(registry, members)? {
                        delta.add(registry, group, id);
                    }
                }
                // A value that is no id of ours is not a member: removing it is a success.
                MemberChange::Remove(values) => {
                    for id in values.iter().filter_map(|value| ResourceId::parse(value)) {
                        delta.remove(registry, group, id);
                    }
                }
                MemberChange::ReplaceAll(members) => {
                    let wanted = users_of(registry, members)?;
                    delta.clear(registry, group, &wanted);
                    for id in wanted {
                        delta.add(registry, group, id);
                    }
                }
                MemberChange::Clear => delta.clear(registry, group, &BTreeSet::new()),
                _ => return Err(Refusal::Unsupported),
            }
        }
        Ok(delta)
    }

    fn add(&mut self, registry: &Registry, group: ResourceId, id: ResourceId) {
        self.removed.remove(&id);
        if !registry.is_member(group, id) {
            self.added.insert(id);
        }
    }

    fn remove(&mut self, registry: &Registry, group: ResourceId, id: ResourceId) {
        self.added.remove(&id);
        if registry.is_member(group, id) {
            self.removed.insert(id);
        }
    }

    fn clear(&mut self, registry: &Registry, group: ResourceId, keep: &BTreeSet<ResourceId>) {
        self.added.retain(|id| keep.contains(id));
        self.removed
            .extend(registry.members(group).filter(|id| !keep.contains(id)));
    }

    fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }
}

/// The users that members name; anybody else is refused.
fn users_of(registry: &Registry, members: Vec<MemberRef>) -> Result<BTreeSet<ResourceId>, Refusal> {
    let mut users = BTreeSet::new();
    for member in members {
        match ResourceId::parse(&member.value).filter(|id| registry.users().get(*id).is_some()) {
            Some(id) => users.insert(id),
            None => {
                return Err(Refusal::UnknownMember {
                    value: short(member.value),
                });
            }
        };
    }
    Ok(users)
}

/// Enough of a value to recognise it in an error.
fn short(mut value: String) -> String {
    const SHOWN_BYTES_MAX: usize = 64;
    while value.len() > SHOWN_BYTES_MAX {
        value.pop();
    }
    value
}

fn change(
    head: &mut Tenant,
    by: &Caller,
    group: &Arc<Group>,
    before: &GroupDocument,
    (document, members): (Option<GroupDocument>, Vec<MemberChange>),
    fresh: &Key,
) -> Outcome {
    managed_group(&head.registry, before.display_name())?;
    let delta = Delta::of(&head.registry, group.id, members)?;
    if document.is_none() && delta.is_empty() {
        return Ok((
            None,
            Answer::Group {
                group: Arc::clone(group),
                index: None,
            },
        ));
    }
    let grant = permitted(&head.registry, by, document.as_ref(), &delta)?;
    let draws = Draws::new(fresh);
    let next = Arc::new(Group {
        id: group.id,
        handle: group.handle,
        sequence: group.sequence,
        created_ms: group.created_ms,
        modified_ms: by.now_ms,
        version: group.version.saturating_add(1),
        keys: document
            .as_ref()
            .map_or_else(|| group.keys.clone(), |new| group_keys(new.keys())),
        document: document.as_ref().map_or_else(
            || group.document.clone(),
            |new| new.to_canonical().into_boxed_slice(),
        ),
    });
    let warrant = Warrant::delegated(&grant, by.credential);
    let mut booking = Booking::begin(head, by.now_ms, &warrant, draws.secret, &next.document)?;
    if let Some(new) = &document {
        let renamed = new.keys().display_name != before.keys().display_name;
        let kind = if renamed {
            EntryType::NameChanged
        } else {
            EntryType::ProfileChanged
        };
        booking.plain(kind, group.handle)?;
    }
    booking.event(Event::GroupPut(Arc::clone(&next)));
    if !delta.is_empty() {
        booking.regroup(
            &next,
            delta.added.into_iter().collect(),
            delta.removed.into_iter().collect(),
        )?;
    }
    let index = Some(booking.last());
    Ok((Some(booking.finish()), Answer::Group { group: next, index }))
}

fn permitted(
    registry: &Registry,
    by: &Caller,
    document: Option<&GroupDocument>,
    delta: &Delta,
) -> Result<Grant, Refusal> {
    let mut grant = None;
    if let Some(document) = document {
        managed_group(registry, document.display_name())?;
        grant = Some(by.may(registry, Scope::GroupsManage)?);
    }
    if !delta.is_empty() {
        let membership = by.may(registry, Scope::GroupsMembership)?;
        grant.get_or_insert(membership);
    }
    grant.ok_or(Refusal::Internal)
}

pub(super) fn delete(head: &mut Tenant, by: &Caller, update: &Update<()>) -> Outcome {
    let grant = by.may(&head.registry, Scope::GroupsManage)?;
    let group = Arc::clone(
        head.registry
            .groups()
            .get(update.id)
            .ok_or(Error::NotFound)?,
    );
    expect_version(update.if_match.as_ref(), group.version)?;
    let document = GroupDocument::from_canonical(&group.document)?;
    managed_group(&head.registry, document.display_name())?;
    let draws = Draws::new(&update.fresh);
    let warrant = Warrant::delegated(&grant, by.credential);
    let mut booking = Booking::begin(head, by.now_ms, &warrant, draws.secret, &[])?;
    booking.entry(
        EntryType::GroupDeleted,
        group.handle,
        Digest::ZERO,
        Digest::ZERO,
    )?;
    booking.event(Event::GroupRemoved(group.id));
    let index = booking.last();
    Ok((Some(booking.finish()), Answer::Gone { index }))
}
