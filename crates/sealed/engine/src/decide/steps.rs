//! Carrying out the steps of an act: users, groups, memberships, and the keys that go with them.

use alloc::sync::Arc;
use alloc::vec::Vec;

use chancery_directory::{Digest, EntryType, GroupDelta, Handle, KeySource, Opens};
use chancery_keyset::Keyset;

use super::booking::{Booking, boxed};
use crate::act::Refusal;
use crate::custody::{Custody, GroupEpoch, PendingKeyset};
use crate::event::Event;
use crate::id::ResourceId;
use crate::key_record::KeyOf;
use crate::plan::{Parts, Step};
use crate::registry::Registry;
use crate::resource::{Group, User};
use crate::tenant::Tenant;

/// Who joins and who leaves which group by these steps, as the log tells it. No group may occur in two
/// steps of one act.
pub(super) fn deltas(registry: &Registry, steps: &[Step]) -> Vec<GroupDelta> {
    let mut deltas = Vec::new();
    for step in steps {
        match step {
            Step::Regroup {
                group,
                added,
                removed,
            } => {
                let Some(handle) = registry.groups().get(*group).map(|found| found.handle) else {
                    // A group that this very act creates: its handle stands in the step before.
                    deltas.extend(created(steps, *group).map(|handle| GroupDelta {
                        group: Handle(handle),
                        added: handles(registry, granted(registry, added)),
                        removed: Vec::new(),
                    }));
                    continue;
                };
                let delta = GroupDelta {
                    group: Handle(handle),
                    added: handles(registry, granted(registry, added)),
                    removed: handles(registry, counting(registry, *group, removed)),
                };
                if !delta.added.is_empty() || !delta.removed.is_empty() {
                    deltas.push(delta);
                }
            }
            Step::Update { user, parts } if parts.activity && !user.active => {
                deltas.extend(leaving(registry, user.id, user.handle));
            }
            Step::Depart { user, .. } => {
                if let Some(found) = registry.users().get(*user) {
                    deltas.extend(leaving(registry, *user, found.handle));
                }
            }
            Step::Provision { .. }
            | Step::Update { .. }
            | Step::CreateGroup { .. }
            | Step::UpdateGroup { .. }
            | Step::RemoveGroup { .. } => {}
        }
    }
    deltas
}

fn created(steps: &[Step], id: ResourceId) -> Option<[u8; 32]> {
    steps.iter().find_map(|step| match step {
        Step::CreateGroup { group } if group.id == id => Some(group.handle),
        _ => None,
    })
}

fn handles(registry: &Registry, users: impl Iterator<Item = ResourceId>) -> Vec<Handle> {
    users
        .filter_map(|id| registry.users().get(id).map(|user| Handle(user.handle)))
        .collect()
}

/// Of those who are to join, the ones whom a membership gives anything: suspended users are listed and
/// parked.
pub(super) fn granted<'a>(
    registry: &'a Registry,
    users: &'a [ResourceId],
) -> impl Iterator<Item = ResourceId> + 'a {
    users
        .iter()
        .copied()
        .filter(|id| registry.users().get(*id).is_some_and(|user| user.active))
}

/// Of those who leave, the ones whose membership counts.
fn counting<'a>(
    registry: &'a Registry,
    group: ResourceId,
    users: &'a [ResourceId],
) -> impl Iterator<Item = ResourceId> + 'a {
    users
        .iter()
        .copied()
        .filter(move |id| registry.holds_keys(group, *id))
}

/// The end of all memberships of one user that count.
fn leaving(
    registry: &Registry,
    user: ResourceId,
    handle: [u8; 32],
) -> impl Iterator<Item = GroupDelta> {
    registry
        .counting_groups_of(user)
        .map(move |group| GroupDelta {
            group: Handle(group.handle),
            added: Vec::new(),
            removed: alloc::vec![Handle(handle)],
        })
}

impl Booking<'_> {
    /// Carries out one step.
    pub(super) fn perform(&mut self, step: Step) -> Result<(), Refusal> {
        match step {
            Step::Provision { user, key_commit } => self.provision(*user, key_commit),
            Step::Update { user, parts } => self.update(*user, parts),
            Step::Depart { user, erase_at_ms } => self.depart(user, erase_at_ms),
            Step::CreateGroup { group } => self.create_group(*group),
            Step::UpdateGroup {
                group,
                profile,
                renamed,
            } => {
                let kind = if renamed {
                    EntryType::NameChanged
                } else {
                    EntryType::ProfileChanged
                };
                self.update_group(*group, profile.then_some(kind))
            }
            Step::Regroup {
                group,
                added,
                removed,
            } => self.regroup(group, added, removed),
            Step::RemoveGroup { group } => self.remove_group(group),
        }
    }

    /// Carries out all of them.
    pub(super) fn perform_all(&mut self, steps: Vec<Step>) -> Result<(), Refusal> {
        steps.into_iter().try_for_each(|step| self.perform(step))
    }

    /// Makes a user as it is now true.
    pub(super) fn put(&mut self, user: User) {
        let user = Arc::new(user);
        self.event(Event::UserPut(Arc::clone(&user)));
        self.user = Some(user);
    }

    fn provision(&mut self, mut user: User, key_commit: [u8; 32]) -> Result<(), Refusal> {
        let handle = Handle(user.handle);
        self.entry(
            EntryType::UserProvisioned,
            user.handle,
            Digest(key_commit),
            Digest::ZERO,
        )?;
        user.proof.key_index = self.last();
        user.proof.key_opening = self.opening(Opens::Key(&handle)).0;
        self.bind_user(&mut user)?;
        if !user.active {
            self.plain(EntryType::Suspended, user.handle)?;
        }
        self.put(user);
        Ok(())
    }

    fn bind_user(&mut self, user: &mut User) -> Result<(), Refusal> {
        user.proof.name_since = self.last();
        user.proof.name_opening = self.opening(Opens::Name(&Handle(user.handle))).0;
        user.proof.name_binding = self.bind(user.label, user.handle)?;
        Ok(())
    }

    /// Entries of a change in the order in which a reader of the log must meet them.
    fn update(&mut self, mut user: User, parts: Parts) -> Result<(), Refusal> {
        let before = Arc::clone(
            self.head
                .registry
                .users()
                .get(user.id)
                .ok_or(Refusal::Internal)?,
        );
        user.custody = before.custody.clone();
        user.proof = before.proof.clone();
        if parts.renamed {
            self.plain(EntryType::NameChanged, user.handle)?;
            self.release(before.label)?;
            self.bind_user(&mut user)?;
        } else if parts.profile {
            self.plain(EntryType::ProfileChanged, user.handle)?;
        }
        let was_claimed = before.custody.account().is_some();
        if parts.readdressed {
            self.redraw(&mut user)?;
        }
        let suspended = parts.activity && !user.active;
        if parts.activity {
            let kind = if user.active {
                EntryType::Reactivated
            } else {
                EntryType::Suspended
            };
            self.plain(kind, user.handle)?;
        }
        let id = user.id;
        self.put(user);
        if suspended {
            self.park(id)?;
        } else if parts.readdressed && was_claimed {
            // Whoever held the old keys may be somebody else now.
            self.rotate_groups_of(id)?;
        }
        Ok(())
    }

    /// Gives a user a pending keyset that nobody has (I14): it must be claimed, again.
    pub(super) fn redraw(&mut self, user: &mut User) -> Result<(), Refusal> {
        let version = self.head.key_version(&user.handle).saturating_add(1);
        let (pending, commitment) = self.draw(user.handle, version)?;
        self.entry(EntryType::KeyRotated, user.handle, commitment, Digest::ZERO)?;
        user.custody = Custody::Pending(pending);
        user.proof.key_version = version;
        user.proof.key_index = self.last();
        user.proof.not_before_ms = self.now_ms;
        user.proof.key_opening = self.opening(Opens::Key(&Handle(user.handle))).0;
        Ok(())
    }

    /// A fresh keyset whose private half is sealed for `handle`, and the commitment to its public one.
    fn draw(&mut self, handle: [u8; 32], version: u32) -> Result<(PendingKeyset, Digest), Refusal> {
        let keyset = match self.head.stock.pop() {
            Some(drawn) => drawn,
            None => Keyset::generate(&mut self.entropy).map_err(|_keyset| Refusal::Internal)?,
        };
        let (seed, public) = keyset.into_parts();
        let sealed = self
            .head
            .secrets
            .key()
            .seal_keyset(&handle, seed.expose(), &mut self.entropy)
            .map_err(|_seal| Refusal::Internal)?;
        let key = KeyOf {
            handle,
            version,
            source: KeySource::Enclave,
            public: &public,
            not_before_ms: self.now_ms,
        };
        let commitment = key
            .record(&self.head.secrets)
            .commit(&self.opening(Opens::Key(&Handle(handle))))
            .map_err(|_encoding| Refusal::Internal)?;
        let pending = PendingKeyset {
            fingerprint: *public.fingerprint().as_bytes(),
            sealed_seed: boxed(sealed),
        };
        Ok((pending, commitment))
    }

    /// The user's memberships stay listed and count for nothing from here; each group gets another key.
    pub(super) fn park(&mut self, user: ResourceId) -> Result<(), Refusal> {
        let groups = counting_groups(self.head, user);
        if groups.is_empty() {
            return Ok(());
        }
        self.event(Event::MembershipsParked {
            user,
            groups: groups.iter().map(|group| group.id).collect(),
        });
        for group in &groups {
            self.members_entry(group.id, group.handle)?;
            self.start_epoch(group.id, group.handle, EntryType::GroupEpochStarted)?;
        }
        Ok(())
    }

    /// Each group that the user is a member of gets another key.
    pub(super) fn rotate_groups_of(&mut self, user: ResourceId) -> Result<(), Refusal> {
        for group in &counting_groups(self.head, user) {
            self.start_epoch(group.id, group.handle, EntryType::GroupEpochStarted)?;
        }
        Ok(())
    }

    fn depart(&mut self, id: ResourceId, erase_at_ms: Option<u64>) -> Result<(), Refusal> {
        let user = Arc::clone(
            self.head
                .registry
                .users()
                .get(id)
                .ok_or(Refusal::Internal)?,
        );
        // The name is free at once; the subject stays, suspended, until its retention ends.
        let kind = if user.active {
            EntryType::Suspended
        } else {
            EntryType::NameChanged
        };
        self.plain(kind, user.handle)?;
        self.release(user.label)?;
        self.end_memberships(id)?;
        self.event(Event::UserDeparted { id, erase_at_ms });
        Ok(())
    }

    /// The user is no member of anything any more; each group that counted the user in gets another key.
    pub(super) fn end_memberships(&mut self, user: ResourceId) -> Result<(), Refusal> {
        let listed: Vec<ResourceId> = self
            .head
            .registry
            .groups_of(user)
            .map(|group| group.id)
            .collect();
        let counting = counting_groups(self.head, user);
        for group in listed {
            self.event(Event::GroupMembers {
                group,
                added: Vec::new(),
                removed: alloc::vec![user],
            });
        }
        for group in &counting {
            self.members_entry(group.id, group.handle)?;
            self.start_epoch(group.id, group.handle, EntryType::GroupEpochStarted)?;
        }
        Ok(())
    }

    fn create_group(&mut self, group: Group) -> Result<(), Refusal> {
        let (id, handle) = (group.id, group.handle);
        let group = Arc::new(group);
        self.start_epoch(id, handle, EntryType::GroupCreated)?;
        // The epoch's event names the group, which is listed by this one.
        self.event(Event::GroupPut(Arc::clone(&group)));
        self.group = Some(group);
        Ok(())
    }

    fn update_group(&mut self, group: Group, entry: Option<EntryType>) -> Result<(), Refusal> {
        if let Some(kind) = entry {
            self.plain(kind, group.handle)?;
        }
        let group = Arc::new(group);
        self.event(Event::GroupPut(Arc::clone(&group)));
        self.group = Some(group);
        Ok(())
    }

    /// Who leaves a group must not read what is written next: it gets another key at once, at a cost that
    /// does not grow with the group. Joining only lists: the key is wrapped when it is asked for.
    pub(super) fn regroup(
        &mut self,
        group: ResourceId,
        added: Vec<ResourceId>,
        removed: Vec<ResourceId>,
    ) -> Result<(), Refusal> {
        let registry = &self.head.registry;
        let handle = registry
            .groups()
            .get(group)
            .ok_or(Refusal::Internal)?
            .handle;
        let joins = granted(registry, &added).next().is_some();
        let leaves = counting(registry, group, &removed).next().is_some();
        self.event(Event::GroupMembers {
            group,
            added,
            removed,
        });
        if joins || leaves {
            self.members_entry(group, handle)?;
        } else {
            // Parked memberships alone: the log still says that the group was touched.
            self.plain(EntryType::ProfileChanged, handle)?;
        }
        if leaves {
            self.start_epoch(group, handle, EntryType::GroupEpochStarted)?;
        }
        Ok(())
    }

    /// Gives a group another key, from the entry `kind` on.
    pub(super) fn start_epoch(
        &mut self,
        group: ResourceId,
        handle: [u8; 32],
        kind: EntryType,
    ) -> Result<(), Refusal> {
        let number = self.head.key_version(&handle).saturating_add(1);
        let (pending, commitment) = self.draw(handle, number)?;
        self.entry(kind, handle, commitment, Digest::ZERO)?;
        let epoch = GroupEpoch {
            group,
            number,
            index: self.last(),
            started_ms: self.now_ms,
            fingerprint: pending.fingerprint,
            sealed_seed: pending.sealed_seed,
            opening: self.opening(Opens::Key(&Handle(handle))).0,
        };
        self.event(Event::EpochStarted(Arc::new(epoch)));
        Ok(())
    }

    fn remove_group(&mut self, id: ResourceId) -> Result<(), Refusal> {
        let handle = self
            .head
            .registry
            .groups()
            .get(id)
            .ok_or(Refusal::Internal)?
            .handle;
        self.plain(EntryType::GroupDeleted, handle)?;
        self.event(Event::GroupRemoved(id));
        Ok(())
    }
}

fn counting_groups(head: &Tenant, user: ResourceId) -> Vec<Arc<Group>> {
    head.registry
        .counting_groups_of(user)
        .map(Arc::clone)
        .collect()
}
