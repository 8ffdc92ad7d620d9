//! Groups: create, replace, change, delete. A change of members costs what changes, not the group.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use chancery_authority::Scope;
use chancery_scim::{Error, GroupDocument, MemberChange, MemberRef, ResourceKind};
use chancery_sealing::Key;

use super::authority::{Caller, Grant, Need, members_named};
use super::booking::Document;
use super::expect_version;
use super::gate::{Done, carry_out};
use super::held::hold;
use super::intents;
use crate::act::{Answer, Refusal, Update};
use crate::id::ResourceId;
use crate::plan::Step;
use crate::prepare::{Draws, NewGroup};
use crate::records::ActRecord;
use crate::registry::Registry;
use crate::resource::Group;
use crate::scim_keys::group_keys;
use crate::tenant::Tenant;

/// Most members that one request may add or remove, so that its record stays far below the store's
/// limit.
const MEMBER_CHANGES_MAX: usize = 120_000;
/// Most groups of one user: deleting a user ends all memberships in one act.
const MEMBERSHIPS_MAX: usize = 4096;

type Outcome = Result<(Option<ActRecord>, Answer), Refusal>;

pub(super) fn create(head: &mut Tenant, by: &Caller, new: NewGroup) -> Outcome {
    let registry = &head.registry;
    let members = new.members.iter();
    let mut need = Need {
        groups: alloc::vec![new.document.keys().display_name.as_str()],
        members: members_named(
            registry,
            members.filter_map(|member| ResourceId::parse(&member.value)),
        ),
        ..Need::of(Scope::GroupsManage)
    };
    if !new.members.is_empty() {
        need.scopes.push(Scope::GroupsMembership);
    }
    let grant = by.may(registry, &need)?;
    let directory = registry.effective();
    let joining = Delta::joining(
        users_of(directory, new.members, Unknown::Refused)?,
        directory,
    )?;
    let group = Group {
        id: new.id,
        handle: new.handle,
        sequence: registry.next_sequence(),
        created_ms: by.now_ms,
        modified_ms: by.now_ms,
        version: 1,
        keys: group_keys(new.document.keys()),
        document: new.canonical.into_boxed_slice(),
    };
    let document = group.document.clone();
    let mut steps = alloc::vec![Step::CreateGroup {
        group: Box::new(group),
    }];
    if !joining.is_empty() {
        steps.push(Step::Regroup {
            group: new.id,
            added: joining.added,
            removed: joining.removed,
        });
    }
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
    let group = done.group.ok_or(Refusal::Internal)?;
    let index = Some(done.index);
    Ok((Some(done.record), Answer::Group { group, index }))
}

pub(super) fn replace(head: &mut Tenant, by: &Caller, update: &Update<Vec<u8>>) -> Outcome {
    let (group, before) = current(head, by, update.id, update.if_match.as_ref())?;
    let (after, members) = GroupDocument::parse_replace(&update.change, &before, by.catalogue)?;
    let document = (after != before).then_some(after);
    let members = members.map(MemberChange::ReplaceAll).into_iter().collect();
    change(
        head,
        by,
        (group, before),
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
    let changes = update.change.group_changes(&before, by.catalogue)?;
    change(
        head,
        by,
        (group, before),
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
    if by
        .may(&head.registry, &Need::of(Scope::GroupsManage))
        .is_err()
    {
        by.may(&head.registry, &Need::of(Scope::GroupsMembership))?;
    }
    let directory = head.registry.effective();
    let group = directory.groups().get(id).ok_or(Error::NotFound)?;
    expect_version(if_match, group.version)?;
    Ok((
        Arc::clone(group),
        GroupDocument::from_canonical(&group.document)?,
    ))
}

/// Changes of a member set, in order, without looking at the set itself.
#[derive(Debug, Default)]
struct Wish {
    cleared: bool,
    added: BTreeSet<ResourceId>,
    removed: BTreeSet<ResourceId>,
}

impl Wish {
    fn of(registry: &Registry, changes: Vec<MemberChange>) -> Result<Self, Refusal> {
        let mut wish = Self::default();
        for change in changes {
            match change {
                MemberChange::Add(members) => {
                    wish.add(users_of(registry, members, Unknown::LeftOut)?);
                }
                // A value that is no id of ours is not a member: removing it is a success.
                MemberChange::Remove(values) => {
                    for id in values.iter().filter_map(|value| ResourceId::parse(value)) {
                        wish.added.remove(&id);
                        wish.removed.insert(id);
                    }
                }
                MemberChange::ReplaceAll(members) => {
                    let wanted = users_of(registry, members, Unknown::Refused)?;
                    wish = Self {
                        cleared: true,
                        ..Self::default()
                    };
                    wish.add(wanted);
                }
                MemberChange::Clear => {
                    wish = Self {
                        cleared: true,
                        ..Self::default()
                    };
                }
                _ => return Err(Refusal::Unsupported),
            }
        }
        Ok(wish)
    }

    fn add(&mut self, members: BTreeSet<ResourceId>) {
        for id in members {
            self.removed.remove(&id);
            self.added.insert(id);
        }
    }

    /// What the wish changes in the set as it is. Only a cleared set is walked through.
    fn against(self, registry: &Registry, group: ResourceId) -> Result<Delta, Refusal> {
        let removed: Vec<ResourceId> = if self.cleared {
            let stays = |id: &ResourceId| self.added.contains(id);
            registry.members(group).filter(|id| !stays(id)).collect()
        } else {
            self.removed.into_iter().collect()
        };
        Delta::effective(registry, group, self.added, removed)
    }
}

/// Who joins and who leaves.
#[derive(Debug)]
pub(super) struct Delta {
    pub(super) added: Vec<ResourceId>,
    pub(super) removed: Vec<ResourceId>,
}

impl Delta {
    /// What of these wishes changes the set as it is.
    pub(super) fn effective(
        registry: &Registry,
        group: ResourceId,
        added: impl IntoIterator<Item = ResourceId>,
        removed: impl IntoIterator<Item = ResourceId>,
    ) -> Result<Self, Refusal> {
        let leaves = |id: &ResourceId| registry.is_member(group, *id);
        // Naming a member whose membership is parked grants it anew, unless they are still suspended.
        let joins = |id: &ResourceId| {
            registry.users().get(*id).is_some_and(|user| {
                !registry.is_member(group, *id) || (!registry.holds_keys(group, *id) && user.active)
            })
        };
        Self {
            added: added.into_iter().filter(joins).collect(),
            removed: removed.into_iter().filter(leaves).collect(),
        }
        .bounded(registry)
    }

    fn joining(members: BTreeSet<ResourceId>, registry: &Registry) -> Result<Self, Refusal> {
        let added = members.into_iter().collect();
        Self {
            added,
            removed: Vec::new(),
        }
        .bounded(registry)
    }

    /// Refuses what one record could not hold, and memberships beyond what a deletion can end in one
    /// act.
    fn bounded(self, registry: &Registry) -> Result<Self, Refusal> {
        let changes = self.added.len().saturating_add(self.removed.len());
        if changes > MEMBER_CHANGES_MAX {
            return Err(Refusal::TooLarge {
                what: "members changed in one request",
                limit: MEMBER_CHANGES_MAX,
            });
        }
        let full = |id: &ResourceId| {
            registry.groups_of(*id).take(MEMBERSHIPS_MAX).count() == MEMBERSHIPS_MAX
        };
        if self.added.iter().any(full) {
            return Err(Refusal::TooLarge {
                what: "groups of one user",
                limit: MEMBERSHIPS_MAX,
            });
        }
        Ok(self)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }
}

/// A change of a group.
#[derive(Debug)]
pub(super) struct Change {
    /// The group as it is.
    pub(super) group: Arc<Group>,
    /// Its document.
    pub(super) before: GroupDocument,
    /// Its new document, if that changes.
    pub(super) after: Option<GroupDocument>,
    /// Who joins and who leaves.
    pub(super) delta: Delta,
}

impl Change {
    pub(super) const fn is_empty(&self) -> bool {
        self.after.is_none() && self.delta.is_empty()
    }

    /// The delegation that covers it, at once or once an admin has signed.
    pub(super) fn permitted(&self, registry: &Registry, by: &Caller) -> Result<Grant, Refusal> {
        let mut need = Need {
            groups: alloc::vec![self.before.keys().display_name.as_str()],
            members: members_named(
                registry,
                self.delta.added.iter().chain(&self.delta.removed).copied(),
            ),
            can_wait: true,
            ..Need::default()
        };
        if let Some(after) = &self.after {
            need.groups.push(after.keys().display_name.as_str());
            need.scopes.push(Scope::GroupsManage);
        }
        if !self.delta.is_empty() {
            need.scopes.push(Scope::GroupsMembership);
        }
        by.may(registry, &need)
    }

    /// The group's document as it will be, and the steps that lead there.
    pub(super) fn into_steps(self, now_ms: u64) -> (Box<[u8]>, Vec<Step>) {
        let Self {
            group,
            before,
            after,
            delta,
        } = self;
        let next = Group {
            id: group.id,
            handle: group.handle,
            sequence: group.sequence,
            created_ms: group.created_ms,
            modified_ms: now_ms,
            version: group.version.saturating_add(1),
            keys: after
                .as_ref()
                .map_or_else(|| group.keys.clone(), |new| group_keys(new.keys())),
            document: after.as_ref().map_or_else(
                || group.document.clone(),
                |new| new.to_canonical().into_boxed_slice(),
            ),
        };
        let document = next.document.clone();
        let mut steps = alloc::vec![Step::UpdateGroup {
            profile: after.is_some(),
            renamed: after
                .as_ref()
                .is_some_and(|new| new.keys().display_name != before.keys().display_name),
            group: Box::new(next),
        }];
        if !delta.is_empty() {
            steps.push(Step::Regroup {
                group: group.id,
                added: delta.added,
                removed: delta.removed,
            });
        }
        (document, steps)
    }
}

/// What becomes of a member that is no resource of the tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unknown {
    /// The request is refused.
    Refused,
    /// The member is left out, and the answer shows that it is not there: what a list is added to is often
    /// older than the departure of one of its members.
    LeftOut,
}

/// The users that members name. A group is no member, whoever asks.
fn users_of(
    registry: &Registry,
    members: Vec<MemberRef>,
    unknown: Unknown,
) -> Result<BTreeSet<ResourceId>, Refusal> {
    let mut users = BTreeSet::new();
    for member in members {
        let id = ResourceId::parse(&member.value);
        let is_group = member.kind == Some(ResourceKind::Group)
            || id.is_some_and(|id| registry.groups().get(id).is_some());
        let user = id.filter(|id| registry.users().get(*id).is_some());
        match user {
            _ if is_group => {
                return Err(Refusal::GroupMember {
                    value: short(member.value),
                });
            }
            Some(id) => {
                users.insert(id);
            }
            None if unknown == Unknown::LeftOut => {}
            None => {
                return Err(Refusal::UnknownMember {
                    value: short(member.value),
                });
            }
        }
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
    (group, before): (Arc<Group>, GroupDocument),
    (after, members): (Option<GroupDocument>, Vec<MemberChange>),
    fresh: &Key,
) -> Outcome {
    let directory = head.registry.effective();
    let wish = Wish::of(directory, members)?;
    let named: Vec<ResourceId> = wish.added.iter().copied().collect();
    let delta = wish.against(directory, group.id)?;
    let change = Change {
        group,
        before,
        after,
        delta,
    };
    if change.is_empty() {
        let noted = intents::named(head, by, &named, fresh)?;
        let (record, index) =
            noted.map_or((None, None), |done| (Some(done.record), Some(done.index)));
        let group = change.group;
        return Ok((record, Answer::Group { group, index }));
    }
    let grant = change.permitted(&head.registry, by)?;
    let own = fresh.derive("chancery/act/named/v1", b"");
    if let Some(done) = intents::named(head, by, &named, &own)? {
        head.aside.push(done.record);
    }
    let draws = Draws::new(fresh);
    if grant.waits {
        let id = hold(head, by, &grant, draws, &change)?;
        return Err(Refusal::Held { id });
    }
    let (document, steps) = change.into_steps(by.now_ms);
    finished(carry_out(
        head,
        by,
        &grant,
        draws,
        Document::InEvent(&document),
        steps,
    )?)
}

pub(super) fn delete(head: &mut Tenant, by: &Caller, update: &Update<()>) -> Outcome {
    by.may(&head.registry, &Need::of(Scope::GroupsManage))?;
    let group = Arc::clone(
        head.registry
            .effective()
            .groups()
            .get(update.id)
            .ok_or(Error::NotFound)?,
    );
    expect_version(update.if_match.as_ref(), group.version)?;
    let document = GroupDocument::from_canonical(&group.document)?;
    let need = Need {
        groups: alloc::vec![document.keys().display_name.as_str()],
        ..Need::of(Scope::GroupsManage)
    };
    let grant = by.may(&head.registry, &need)?;
    let steps = alloc::vec![Step::RemoveGroup { group: group.id }];
    let draws = Draws::new(&update.fresh);
    let done = carry_out(head, by, &grant, draws, Document::None, steps)?;
    Ok((Some(done.record), Answer::Gone { index: done.index }))
}
