//! Names: one name, one label, one subject at a time.

use alloc::collections::BTreeMap;
use alloc::string::String;

use chancery_directory::{Digest, DirName, EntryType, Handle, NameMove, Opens};
use chancery_scim::UserKeys;

use crate::audit::{Act, Audit, Step};
use crate::finding::Fault;
use crate::world::Label;

impl Audit {
    /// What the document of an act says about its user.
    pub(crate) fn describe_user(&mut self, act: &Act, handle: &Handle, keys: &UserKeys) {
        let name = String::from(keys.user_name.as_str());
        let owner = self.world.names.get(&name).copied();
        if owner.is_some_and(|owner| owner != *handle) {
            self.find(act.first(), Fault::NameTaken);
        }
        let Some(user) = self.world.users.get_mut(handle) else {
            return;
        };
        let before = user.name.replace(name.clone());
        user.external_id.clone_from(&keys.external_id);
        if let Some(before) = before.filter(|before| *before != name)
            && self.world.names.get(&before) == Some(handle)
        {
            self.world.names.remove(&before);
        }
        if owner.is_none() {
            self.world.names.insert(name, *handle);
        }
    }

    /// Whether the user's name is released in this act and no other bound.
    pub(crate) fn departs(&self, act: &Act, user: &Handle) -> bool {
        let label = self.world.users.get(user).and_then(|user| user.label);
        let Some(label) = label else {
            return false;
        };
        let moves = &act.exhibit.names;
        moves
            .iter()
            .any(|one| one.label == label && one.value.is_none())
            && moves.iter().all(|one| one.value.is_none())
    }

    /// Takes in the names that the act moved, and opens each.
    pub(crate) fn check_names(&mut self, act: &Act) {
        if let Some(step) = act.find(EntryType::Rekey).copied() {
            return self.rebind_all(act, &step);
        }
        for one in &act.exhibit.names {
            match one.value {
                Some(value) => self.bind(act, &one.label, value),
                None => self.release(act, &one.label),
            }
        }
        let users = act.steps.iter().filter(|step| {
            matches!(
                step.entry.kind,
                EntryType::UserProvisioned
                    | EntryType::NameChanged
                    | EntryType::ProfileChanged
                    | EntryType::Suspended
                    | EntryType::Reactivated
            )
        });
        for step in users {
            self.check_named(act, &step.entry.subject);
        }
    }

    fn bind(&mut self, act: &Act, label: &[u8; 32], value: Digest) {
        let index = act.first();
        if self.log.name_bind(*label, value).is_err() {
            return self.find(index, Fault::NameTaken);
        }
        let binding = self
            .world
            .labels
            .get(label)
            .map_or(1, |known| known.binding.saturating_add(1));
        let owner = act
            .steps
            .iter()
            .find(|step| opens(act, step, binding, value))
            .map(|step| step.entry.subject);
        if owner.is_none() {
            self.find(index, Fault::NameMismatch);
        }
        let name = owner.and_then(|owner| self.world.name_of(&owner).map(String::from));
        self.check_label(index, label, name.as_deref());
        let known = self.world.labels.entry(*label).or_default();
        known.owner = owner;
        known.binding = binding;
        if name.is_some() {
            known.name.clone_from(&name);
        }
        if let Some(name) = name {
            self.world.label_of.insert(name, *label);
        }
        if let Some(user) = owner.and_then(|owner| self.world.users.get_mut(&owner)) {
            user.label = Some(*label);
            user.departed = false;
            user.erase_from_ms = None;
        }
    }

    /// A name has one label for as long as the VRF key stays.
    fn check_label(&mut self, index: u64, label: &[u8; 32], name: Option<&str>) {
        let Some(name) = name else {
            return;
        };
        let other_label = self
            .world
            .label_of
            .get(name)
            .is_some_and(|known| known != label);
        let other_name = self
            .world
            .labels
            .get(label)
            .and_then(|known| known.name.as_deref())
            .is_some_and(|known| known != name);
        if other_label || other_name {
            self.find(index, Fault::LabelMoved);
        }
    }

    fn release(&mut self, act: &Act, label: &[u8; 32]) {
        let index = act.first();
        if self.log.name_release(*label).is_err() {
            return self.find(index, Fault::NameMismatch);
        }
        let owner = self
            .world
            .labels
            .get_mut(label)
            .and_then(|known| known.owner.take());
        let ours = owner.filter(|owner| act.steps.iter().any(|step| step.entry.subject == *owner));
        let Some(owner) = ours else {
            return self.find(index, Fault::NameMismatch);
        };
        if let Some(user) = self.world.users.get_mut(&owner)
            && user.label == Some(*label)
        {
            user.label = None;
        }
    }

    /// After an act about a user: the name stands at its label, or the user has left.
    fn check_named(&mut self, act: &Act, handle: &Handle) {
        let erase_from_ms = self.erase_from_ms(&act.steps);
        let Some(user) = self.world.users.get_mut(handle) else {
            return;
        };
        let Some(label) = user.label else {
            let leaves = act.has(EntryType::Suspended, handle)
                || act.has(EntryType::NameChanged, handle)
                || act.has(EntryType::Deleted, handle);
            let named = !user.departed;
            if named && leaves && !act.has(EntryType::UserProvisioned, handle) {
                user.departed = true;
                user.erase_from_ms = erase_from_ms;
                self.unname(handle);
            } else if named {
                self.find(act.first(), Fault::NameMissing);
            }
            return;
        };
        let stands = self
            .world
            .labels
            .get(&label)
            .and_then(|known| known.name.as_deref());
        let says = user.name.as_deref();
        if says.is_some() && stands.is_some() && stands != says {
            self.find(act.first(), Fault::NameMissing);
        }
    }

    /// A new VRF key gives every name another label, whose first binding it is.
    fn rebind_all(&mut self, act: &Act, step: &Step) {
        let index = step.entry.index;
        let mut owners: BTreeMap<Digest, Handle> = BTreeMap::new();
        for (handle, user) in &mut self.world.users {
            if user.label.take().is_some() {
                owners.insert(binding_of(act, handle, 1, index), *handle);
            }
        }
        self.world.labels.clear();
        self.world.label_of.clear();
        for one in &act.exhibit.names {
            let Some(value) = one.value else {
                if self.log.name_release(one.label).is_err() {
                    self.find(index, Fault::NameMismatch);
                }
                continue;
            };
            let owner = owners.remove(&value);
            if self.log.name_bind(one.label, value).is_err() || owner.is_none() {
                self.find(index, Fault::NameMismatch);
            }
            let name = owner.and_then(|owner| self.world.name_of(&owner).map(String::from));
            if let Some(name) = &name {
                self.world.label_of.insert(name.clone(), one.label);
            }
            let label = Label {
                owner,
                binding: 1,
                name,
            };
            self.world.labels.insert(one.label, label);
            if let Some(user) = owner.and_then(|owner| self.world.users.get_mut(&owner)) {
                user.label = Some(one.label);
            }
        }
        if !owners.is_empty() {
            self.find(index, Fault::NameMissing);
        }
    }

    /// The name of a user who left is free.
    fn unname(&mut self, handle: &Handle) {
        if let Some(name) = self.world.name_of(handle).map(String::from)
            && self.world.names.get(&name) == Some(handle)
        {
            self.world.names.remove(&name);
        }
    }

    /// Takes in names that nobody can open any more: they belong to the act's one user.
    pub(crate) fn move_names_unopened(&mut self, steps: &[Step], names: &[NameMove]) {
        let user = steps
            .iter()
            .map(|step| step.entry.subject)
            .find(|subject| self.is_user(subject));
        let index = steps.first().map_or(0, |step| step.entry.index);
        let erase_from_ms = self.erase_from_ms(steps);
        for one in names {
            let moved = match one.value {
                Some(value) => self.log.name_bind(one.label, value).map(|()| value),
                None => self.log.name_release(one.label),
            };
            if moved.is_err() {
                self.find(index, Fault::NameMismatch);
                continue;
            }
            let known = self.world.labels.entry(one.label).or_default();
            if one.value.is_some() {
                known.binding = known.binding.saturating_add(1);
                known.owner = user;
            } else {
                known.owner = None;
            }
            if let Some(user) = user.and_then(|user| self.world.users.get_mut(&user)) {
                user.label = one.value.map(|_| one.label);
                user.departed = one.value.is_none();
                user.erase_from_ms = erase_from_ms.filter(|_| one.value.is_none());
            }
        }
    }
}

/// Whether a name's value is a binding to the subject of this entry, since it.
fn opens(act: &Act, step: &Step, binding: u32, value: Digest) -> bool {
    binding_of(act, &step.entry.subject, binding, step.entry.index) == value
}

/// What the leaf of a name of `handle` commits to.
fn binding_of(act: &Act, handle: &Handle, binding: u32, since: u64) -> Digest {
    let name = DirName {
        handle: *handle,
        binding,
        since,
    };
    name.value(&act.exhibit.secret.opening(Opens::Name(handle)))
}
