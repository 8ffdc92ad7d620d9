//! A plan: what automation asked for while it is on trial, and the directory as it would be.
//!
//! The shadow begins as the directory is at the first intent. Intents change the shadow alone; whatever
//! really happens meanwhile, such as an admin's suspension, is carried over into it.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

use chancery_authority::Mode;
use chancery_scim::UserDocument;
use sha2::{Digest as _, Sha256};

use super::{Granted, Registry};
use crate::event::Event;
use crate::id::ResourceId;
use crate::plan::{Intent, Step};
use crate::resource::{Group, User};

/// Domain byte of the chain over a plan's intents (trust-log page, section 1).
const PLAN_CHAIN: u8 = 0x28;

/// A plan of one tenant.
#[derive(Clone, Debug)]
pub struct Plan {
    shadow: Box<Registry>,
    intents: Vec<Arc<Intent>>,
    matched: BTreeSet<ResourceId>,
    hash: [u8; 32],
    approved: Option<Approved>,
}

/// A plan that admins have signed and that is being carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approved {
    /// Handle of the approval in the log.
    pub approval: [u8; 32],
    /// Users who are suspended after the last intent.
    pub suspend: Box<[ResourceId]>,
    /// How many intents, and then suspensions, are behind.
    pub done: u64,
    /// How many of them changed nothing because they no longer fitted.
    pub skipped: u64,
}

impl Plan {
    fn begin(registry: &Registry) -> Self {
        let shadow = Registry {
            users: registry.users.clone(),
            user_names: registry.user_names.clone(),
            groups: registry.groups.clone(),
            members: registry.members.clone(),
            memberships: registry.memberships.clone(),
            parked: registry.parked.clone(),
            next_sequence: registry.next_sequence,
            ..Registry::default()
        };
        // A tenant's id is the beginning of the hash of its genesis.
        let [tenant @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = &registry.genesis_hash;
        Self {
            shadow: Box::new(shadow),
            intents: Vec::new(),
            matched: BTreeSet::new(),
            hash: Sha256::new()
                .chain_update(b"chancery/plan/v1")
                .chain_update(tenant)
                .finalize()
                .into(),
            approved: None,
        }
    }

    /// The directory as it will be if the plan is carried out.
    #[must_use]
    pub const fn shadow(&self) -> &Registry {
        &self.shadow
    }

    /// The intents in order.
    #[must_use]
    pub fn intents(&self) -> &[Arc<Intent>] {
        &self.intents
    }

    /// The chain over all intents: what an admin signs.
    #[must_use]
    pub const fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// Whether the identity provider has found or named a user of the real directory.
    #[must_use]
    pub fn is_matched(&self, user: ResourceId) -> bool {
        self.matched.contains(&user)
    }

    /// How far it has been carried out, once admins have signed it.
    #[must_use]
    pub const fn approved(&self) -> Option<&Approved> {
        self.approved.as_ref()
    }

    /// Intents and suspensions of the signed plan that are still to come.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.approved.as_ref().map_or(0, |approved| {
            let all = self.intents.len().saturating_add(approved.suspend.len());
            u64::try_from(all)
                .unwrap_or(u64::MAX)
                .saturating_sub(approved.done)
        })
    }

    fn intend(&mut self, intent: &Arc<Intent>) {
        self.hash = Sha256::new()
            .chain_update([PLAN_CHAIN])
            .chain_update(self.hash)
            .chain_update(intent.digest())
            .finalize()
            .into();
        self.matched.extend(intent.matched.iter().copied());
        for step in &intent.steps {
            self.shadow.shadow(step);
        }
        self.intents.push(Arc::clone(intent));
    }

    /// Carries over what really happens, as far as the plan has not decided otherwise. What the signed
    /// plan itself makes happen is in the shadow already.
    fn carry_over(&mut self, real: &Registry, event: &Event) {
        let shadow = &mut self.shadow;
        if let Event::UserDeparted { .. } | Event::UserErased { .. } = event {
            shadow.apply_here(event);
            return;
        }
        if self.approved.is_some() {
            return;
        }
        match event {
            Event::UserPut(user) => shadow.follow_user(real.users.get(user.id), user),
            Event::GroupPut(group) => shadow.follow_group(real.groups.get(group.id), group),
            Event::GroupMembers { group, .. } if shadow.groups.get(*group).is_some() => {
                shadow.apply_here(event);
            }
            Event::MembershipsParked { user, groups } => {
                let groups = groups
                    .iter()
                    .copied()
                    .filter(|group| shadow.is_member(*group, *user))
                    .collect();
                shadow.apply_here(&Event::MembershipsParked {
                    user: *user,
                    groups,
                });
            }
            Event::GroupRemoved(_) => shadow.apply_here(event),
            _ => {}
        }
    }
}

impl Registry {
    /// The plan that is open or being carried out.
    #[must_use]
    pub const fn plan(&self) -> Option<&Plan> {
        self.plan.as_ref()
    }

    /// The directory as the identity provider is to see it: with a plan, the one that its requests have
    /// made.
    #[must_use]
    pub fn effective(&self) -> &Self {
        self.plan.as_ref().map_or(self, |plan| &plan.shadow)
    }

    /// Whether automation's acts are recorded instead of carried out: a plan is open, or the newest
    /// delegation in force only plans.
    #[must_use]
    pub fn takes_intents(&self, now_ms: u64) -> bool {
        match &self.plan {
            Some(plan) => plan.approved.is_none(),
            None => self
                .in_force(now_ms)
                .next()
                .is_some_and(|granted| granted.delegation.delegation().mode == Mode::Plan),
        }
    }

    /// Delegations in force, the newest first.
    pub(crate) fn in_force(&self, now_ms: u64) -> impl Iterator<Item = &Granted> {
        self.delegations.iter().rev().filter(move |granted| {
            let terms = granted.delegation.delegation();
            !granted.revoked && terms.not_before_ms <= now_ms && now_ms < terms.not_after_ms
        })
    }

    /// Of `users`, those whom the plan has not matched yet.
    #[must_use]
    pub fn unmatched(&self, users: &[ResourceId]) -> Vec<ResourceId> {
        let is_new = |id: &ResourceId| {
            self.users.get(*id).is_some()
                && self.plan.as_ref().is_none_or(|plan| !plan.is_matched(*id))
        };
        let found: BTreeSet<ResourceId> = users.iter().copied().filter(is_new).collect();
        found.into_iter().collect()
    }

    pub(super) fn planned_sequence(&self) -> u64 {
        self.plan
            .as_ref()
            .map_or(0, |plan| plan.shadow.next_sequence)
    }

    pub(super) fn carry_over(&mut self, event: &Event) {
        let Some(mut plan) = self.plan.take() else {
            return;
        };
        plan.carry_over(self, event);
        self.plan = Some(plan);
    }

    pub(super) fn apply_plan(&mut self, event: &Event) {
        match event {
            Event::Intended(intent) => {
                let mut plan = self.plan.take().unwrap_or_else(|| Plan::begin(self));
                plan.intend(intent);
                self.plan = Some(plan);
            }
            Event::PlanApproved {
                approval, suspend, ..
            } => {
                if let Some(plan) = &mut self.plan {
                    plan.approved = Some(Approved {
                        approval: *approval,
                        suspend: suspend.clone(),
                        done: 0,
                        skipped: 0,
                    });
                }
            }
            Event::PlanAdvanced { done, skipped } => {
                if let Some(approved) = self.plan.as_mut().and_then(|plan| plan.approved.as_mut()) {
                    approved.done = *done;
                    approved.skipped = *skipped;
                }
            }
            Event::PlanEnded => self.plan = None,
            _ => {}
        }
    }

    /// Makes a step true in a shadow: what is listed, and who may have whose keys, without any key.
    fn shadow(&mut self, step: &Step) {
        match step {
            Step::Provision { user, .. } => {
                self.apply_here(&Event::UserPut(Arc::new(User::clone(user))));
            }
            Step::Update { user, parts } => {
                if parts.activity && !user.active {
                    let groups = self.counting_groups_of(user.id).map(|group| group.id);
                    let parked: Vec<_> = groups.map(|group| (user.id, group)).collect();
                    self.parked.extend(parked);
                }
                self.apply_here(&Event::UserPut(Arc::new(User::clone(user))));
            }
            Step::Depart { user, .. } => self.apply_here(&Event::UserDeparted {
                id: *user,
                erase_at_ms: None,
            }),
            Step::CreateGroup { group } | Step::UpdateGroup { group, .. } => {
                self.apply_here(&Event::GroupPut(Arc::new(Group::clone(group))));
            }
            Step::Regroup {
                group,
                added,
                removed,
            } => self.regroup(*group, added, removed),
            Step::RemoveGroup { group } => self.remove_group(*group),
        }
    }

    /// A user whom the plan has not touched is as they really are. Of one whom it has touched, only a
    /// suspension or its end counts: an admin's word is the newer one.
    fn follow_user(&mut self, before: Option<&Arc<User>>, user: &Arc<User>) {
        match (self.users.get(user.id), before) {
            // The plan deletes them.
            (None, Some(_)) => {}
            (None, None) => self.put_user(user),
            (Some(planned), Some(before)) if Arc::ptr_eq(planned, before) => self.put_user(user),
            (Some(planned), before) => {
                let moved = before.is_some_and(|before| before.active != user.active);
                if moved && planned.active != user.active {
                    let mut next = User::clone(planned);
                    next.active = user.active;
                    if let Ok(document) = UserDocument::from_canonical(&next.document) {
                        next.document = document
                            .with_active(user.active)
                            .to_canonical()
                            .into_boxed_slice();
                    }
                    next.version = next.version.saturating_add(1);
                    next.modified_ms = user.modified_ms;
                    self.put_user(&Arc::new(next));
                }
            }
        }
    }

    fn follow_group(&mut self, before: Option<&Arc<Group>>, group: &Arc<Group>) {
        let is_untouched = match (self.groups.get(group.id), before) {
            (None, before) => before.is_none(),
            (Some(planned), Some(before)) => Arc::ptr_eq(planned, before),
            (Some(_), None) => false,
        };
        if is_untouched {
            self.apply_here(&Event::GroupPut(Arc::clone(group)));
        }
    }
}
