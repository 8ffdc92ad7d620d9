//! Groups: the members that the log commits to are those that the acts make.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use chancery_directory::record::member_leaf;
use chancery_directory::{Digest, EntryType, GroupDelta, Handle, Opens, SubjectState, commit};

use crate::audit::{Act, Actor, Audit, Step};
use crate::finding::Fault;

impl Audit {
    /// Applies the act's changes of groups and compares each with its entry.
    pub(crate) fn check_groups(&mut self, act: &Act) {
        let mut deltas: BTreeMap<Handle, &GroupDelta> = BTreeMap::new();
        for delta in &act.details.groups {
            if deltas.insert(delta.group, delta).is_some() {
                let group = delta.group;
                self.find(act.first(), Fault::DeltaImpossible { group });
            }
        }
        let epochs: BTreeSet<Handle> = act
            .steps
            .iter()
            .filter(|step| step.entry.kind == EntryType::GroupEpochStarted)
            .map(|step| step.entry.subject)
            .collect();
        for step in act.steps.iter().filter(|step| sets_members(step)) {
            let group = step.entry.subject;
            if let Some(delta) = deltas.remove(&group) {
                self.change_group(step, delta);
                let left = !delta.removed.is_empty();
                if left && !epochs.contains(&group) {
                    self.find(step.entry.index, Fault::EpochMissing { group });
                }
            }
            self.check_members(act, step);
        }
        for group in deltas.into_keys() {
            self.find(act.first(), Fault::DeltaWithoutEntry { group });
        }
        for step in &act.steps {
            self.check_left(step);
        }
    }

    fn change_group(&mut self, step: &Step, delta: &GroupDelta) {
        let group = delta.group;
        let mut impossible = false;
        for member in &delta.removed {
            impossible |= !self.leave(&group, member);
        }
        for member in &delta.added {
            let active = self.log.subject(member).is_some_and(|state| {
                matches!(
                    state.state,
                    SubjectState::Provisioned | SubjectState::Confirmed
                )
            });
            let joined = self.is_user(member) && self.join(&group, *member);
            impossible |= !(active && joined);
        }
        if impossible {
            self.find(step.entry.index, Fault::DeltaImpossible { group });
        }
        if step.actor == Actor::Admins && !delta.added.is_empty() {
            self.find(step.entry.index, Fault::AdminsAdded);
        }
    }

    /// Adds a member; whether it was none before.
    fn join(&mut self, group: &Handle, member: Handle) -> bool {
        let Some(known) = self.world.groups.get_mut(group) else {
            return false;
        };
        let (key, value) = member_leaf(&member);
        let placed = known.tree.set(key, value).is_ok();
        if let Some(user) = self.world.users.get_mut(&member) {
            user.groups.insert(*group);
        }
        known.members.insert(member) && placed
    }

    /// Takes a member out; whether it was one.
    fn leave(&mut self, group: &Handle, member: &Handle) -> bool {
        let Some(known) = self.world.groups.get_mut(group) else {
            return false;
        };
        known.tree.remove(&member_leaf(member).0);
        if let Some(user) = self.world.users.get_mut(member) {
            user.groups.remove(group);
        }
        known.members.remove(member)
    }

    /// The entry commits to the members as they are now.
    fn check_members(&mut self, act: &Act, step: &Step) {
        let group = step.entry.subject;
        let root = self
            .world
            .groups
            .get_mut(&group)
            .map_or(Digest::ZERO, |known| known.tree.root());
        let opening = act.exhibit.secret.opening(Opens::Members(&group));
        if step.entry.object_commit != commit("members", &opening, &root.0) {
            self.find(step.entry.index, Fault::MembersMismatch { group });
        }
    }

    /// Whoever was suspended or is gone is a member of nothing.
    fn check_left(&mut self, step: &Step) {
        let user = step.entry.subject;
        let left = matches!(step.entry.kind, EntryType::Suspended | EntryType::Deleted);
        let known = self.world.users.get(&user);
        if left && known.is_some_and(|known| !known.groups.is_empty()) {
            self.find(step.entry.index, Fault::MembershipKept { user });
        }
    }

    /// A withheld act that changed groups took its own users out of them: nothing else withholds it.
    pub(crate) fn leave_unopened(&mut self, steps: &[Step]) {
        let subjects = steps.iter().map(|step| step.entry.subject);
        let users: Vec<Handle> = subjects.filter(|subject| self.is_user(subject)).collect();
        for step in steps.iter().filter(|step| sets_members(step)) {
            for user in &users {
                self.leave(&step.entry.subject, user);
            }
        }
    }
}

/// Whether an entry commits to a member set.
fn sets_members(step: &Step) -> bool {
    match step.entry.kind {
        EntryType::GroupMemberChanged => true,
        EntryType::GroupCreated | EntryType::GroupEpochStarted => {
            !step.entry.object_commit.is_zero()
        }
        _ => false,
    }
}
