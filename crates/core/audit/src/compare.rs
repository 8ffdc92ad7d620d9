//! What is compared with the log and never believed: the identity provider's roster, and what the
//! service says now.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use chancery_directory::{Handle, SubjectKind, SubjectState};

use crate::audit::Audit;
use crate::finding::Fault;
use crate::paper::canonical_user_name;

/// The userNames that the identity provider knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roster(BTreeSet<String>);

impl Roster {
    /// A roster of these userNames, in whatever case and form the provider writes them.
    #[must_use]
    pub fn new<'a>(user_names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(user_names.into_iter().map(canonical_user_name).collect())
    }

    /// How many userNames it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A user as the service shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a record that the caller fills")]
pub struct ShownUser {
    /// The handle.
    pub handle: Handle,
    /// The userName.
    pub user_name: String,
    /// The state.
    pub state: SubjectState,
    /// The fingerprint of the current public keyset.
    pub fingerprint: [u8; 32],
}

/// A group as the service shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a record that the caller fills")]
pub struct ShownGroup {
    /// The handle.
    pub handle: Handle,
    /// The epoch of its key.
    pub epoch: u32,
    /// The fingerprint of the epoch's public keyset.
    pub fingerprint: [u8; 32],
    /// The handles of its members.
    pub members: Vec<Handle>,
}

/// What the service says now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a record that the caller fills")]
pub struct Shown {
    /// Its users.
    pub users: Vec<ShownUser>,
    /// Its groups.
    pub groups: Vec<ShownGroup>,
}

impl Audit {
    /// Whoever has an account and is not in the roster is a ghost.
    pub(crate) fn compare_roster(&mut self, roster: &Roster) {
        let ghosts: Vec<String> = self
            .world
            .names
            .iter()
            .filter(|(name, handle)| !roster.0.contains(*name) && self.may_act(handle))
            .map(|(name, _)| name.clone())
            .collect();
        for user_name in ghosts {
            self.findings.push(None, Fault::NotInRoster { user_name });
        }
        let without = roster
            .0
            .iter()
            .filter(|name| !self.world.names.contains_key(*name));
        let without = without.count();
        self.tally.compared.push(format!(
            "Compared with the identity provider's roster; {without} of its users have no account."
        ));
    }

    /// Whether a user is neither suspended nor gone.
    fn may_act(&self, user: &Handle) -> bool {
        self.log.subject(user).is_some_and(|subject| {
            matches!(
                subject.state,
                SubjectState::Provisioned | SubjectState::Confirmed
            )
        })
    }

    /// Compares what the service says now with what the log makes.
    pub(crate) fn compare_shown(&mut self, shown: &Shown) {
        let sentence = "Compared with what the service says now.";
        self.tally.compared.push(sentence.into());
        let mut seen = BTreeSet::new();
        for user in &shown.users {
            seen.insert(user.handle);
            self.compare_user(user);
        }
        let hidden: Vec<Handle> = self
            .world
            .users
            .iter()
            .filter(|(handle, user)| !user.departed && !seen.contains(*handle))
            .map(|(handle, _)| *handle)
            .collect();
        for user in hidden {
            self.findings.push(None, Fault::UserNotShown { user });
        }
        let groups: BTreeMap<Handle, &ShownGroup> = shown
            .groups
            .iter()
            .map(|group| (group.handle, group))
            .collect();
        for group in groups.values() {
            self.compare_group(group);
        }
        let hidden: Vec<Handle> = self
            .world
            .groups
            .iter()
            .filter(|(handle, group)| !group.deleted && !groups.contains_key(*handle))
            .map(|(handle, _)| *handle)
            .collect();
        for group in hidden {
            self.findings.push(None, Fault::GroupNotShown { group });
        }
    }

    fn compare_user(&mut self, shown: &ShownUser) {
        let user = shown.handle;
        let state = self
            .log
            .subject(&user)
            .filter(|subject| subject.kind == SubjectKind::User)
            .map(|subject| subject.state);
        let (Some(known), Some(state)) = (self.world.users.get(&user), state) else {
            let fault = Fault::ShownUserWithoutEntry { user };
            return self.findings.push(None, fault);
        };
        let name = canonical_user_name(&shown.user_name);
        let wrong = [
            (state != shown.state, Fault::ShownState { user }),
            (
                known.name.as_ref().is_some_and(|known| *known != name),
                Fault::ShownName { user },
            ),
            (
                known.fingerprint != shown.fingerprint,
                Fault::ShownKey { subject: user },
            ),
        ];
        self.push_all(wrong);
    }

    fn compare_group(&mut self, shown: &ShownGroup) {
        let group = shown.handle;
        let known = self.world.groups.get(&group).filter(|known| !known.deleted);
        let Some(known) = known else {
            let fault = Fault::ShownGroupWithoutEntry { group };
            return self.findings.push(None, fault);
        };
        let members: BTreeSet<Handle> = shown.members.iter().copied().collect();
        let mut wrong = alloc::vec![
            (known.epoch != shown.epoch, Fault::ShownEpoch { group }),
            (
                known.epoch == shown.epoch && known.fingerprint != shown.fingerprint,
                Fault::ShownKey { subject: group },
            ),
        ];
        for member in members.difference(&known.members).copied() {
            wrong.push((true, Fault::ShownMemberWithoutEntry { group, member }));
        }
        for member in known.members.difference(&members).copied() {
            wrong.push((true, Fault::MemberNotShown { group, member }));
        }
        self.push_all(wrong);
    }

    fn push_all(&mut self, faults: impl IntoIterator<Item = (bool, Fault)>) {
        for (wrong, fault) in faults {
            if wrong {
                self.findings.push(None, fault);
            }
        }
    }
}
