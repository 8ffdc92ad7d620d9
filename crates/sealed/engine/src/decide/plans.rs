//! Plans: what an admin is shown, signs or drops, and how an intent fits the directory when it takes effect.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use chancery_directory::EntryType;
use chancery_directory::record::NameKind;
use chancery_json::{Fields, Object};
use chancery_scim::{GroupDocument, UserDocument};

use super::admin::{Desk, hash_member};
use super::booking::Document;
use super::timer::is_stopped;
use super::users::parts_of;
use crate::act::{Answer, Refusal};
use crate::event::Event;
use crate::id::ResourceId;
use crate::plan::{Intent, Step};
use crate::prepare::Draws;
use crate::records::ActRecord;
use crate::registry::{Plan, Registry};
use crate::resource::{Group, User};
use crate::tenant::Tenant;

mod difference;

type Outcome = Result<(Option<ActRecord>, Answer), Refusal>;

impl Desk<'_> {
    /// What would change if the plan were carried out, or what of it is still to come.
    pub(super) fn show_plan(&self, head: &Tenant) -> Object {
        let registry = &head.registry;
        let plan = registry.plan();
        let approved = plan.and_then(Plan::approved);
        let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        let shown = Object::new()
            .with("open", plan.is_some() && approved.is_none())
            .with(
                "hash",
                plan.map(|plan| hex::encode(plan.hash()))
                    .unwrap_or_default(),
            )
            .with(
                "intents",
                plan.map_or(0, |plan| count(plan.intents().len())),
            );
        difference::between(registry, self.now_ms, shown)
            .with("remaining", plan.map_or(0, Plan::remaining))
            .with("skipped", approved.map_or(0, |approved| approved.skipped))
            .with(
                "stopped",
                plan.is_some_and(|plan| {
                    approved.is_some() && is_stopped(registry, plan, self.now_ms)
                }),
            )
    }

    /// An admin threshold signs the plan as it is: from here on it is carried out.
    pub(super) fn apply_plan(
        &self,
        head: &mut Tenant,
        mut draws: Draws,
        mut fields: Fields,
    ) -> Outcome {
        let hash = hash_member(&mut fields, "hash")?;
        let unmatched = fields.take_str("unmatched")?;
        fields.finish()?;
        let registry = &head.registry;
        let plan = registry.plan().ok_or(Refusal::NoPlan)?;
        if plan.approved().is_some() {
            return Err(Refusal::PlanUnderway);
        }
        if plan.hash() != &hash {
            return Err(Refusal::OtherPlan);
        }
        let suspend: Box<[ResourceId]> = match unmatched.as_str() {
            "suspend" => difference::unmatched(registry, plan, self.now_ms)
                .map(|user| user.id)
                .collect(),
            "keep" => Box::default(),
            _ => {
                return Err(Refusal::Value {
                    member: "unmatched",
                    allowed: "suspend or keep",
                });
            }
        };
        let approval = draws.bytes()?;
        let mut booking = self.begin(head, draws, Document::Kept(self.signed.body))?;
        booking.with_document(EntryType::ApprovalGiven, approval)?;
        booking.event(Event::PlanApproved {
            hash,
            approval,
            suspend,
        });
        self.spend(&mut booking);
        let index = booking.last();
        let subject = approval;
        Ok((Some(booking.finish()), Answer::Done { subject, index }))
    }

    /// Admins decide that nothing of the plan, or of what is left of it, happens.
    pub(super) fn drop_plan(&self, head: &mut Tenant, mut draws: Draws) -> Outcome {
        let plan = head.registry.plan().ok_or(Refusal::NoPlan)?;
        let document = Object::new()
            .with("dropped", hex::encode(plan.hash()))
            .to_bytes();
        let subject = draws.bytes()?;
        let mut booking = self.begin(head, draws, Document::Kept(&document))?;
        booking.with_document(EntryType::ApprovalGiven, subject)?;
        booking.event(Event::PlanEnded);
        self.spend(&mut booking);
        let index = booking.last();
        Ok((Some(booking.finish()), Answer::Done { subject, index }))
    }
}

/// An intent's steps as they fit the directory now; none if nothing of them does. Whatever happened since
/// it was recorded counts: a name may be taken, a user gone, an admin may have suspended somebody.
///
/// `erase_at_ms` is when a user who is deleted now is to be erased.
pub(super) fn fit(head: &Tenant, intent: &Intent, erase_at_ms: Option<u64>) -> Vec<Step> {
    let fitting = Fitting { head, erase_at_ms };
    let mut steps = Vec::new();
    for step in &intent.steps {
        if let Some(fitted) = fitting.step(step, &steps) {
            steps.push(fitted);
        }
    }
    let is_idle = |step: &Step| matches!(step, Step::UpdateGroup { profile: false, .. });
    if steps.iter().all(is_idle) {
        return Vec::new();
    }
    steps
}

struct Fitting<'a> {
    head: &'a Tenant,
    erase_at_ms: Option<u64>,
}

impl Fitting<'_> {
    const fn registry(&self) -> &Registry {
        &self.head.registry
    }

    fn step(&self, step: &Step, before: &[Step]) -> Option<Step> {
        let registry = self.registry();
        match step {
            Step::Provision { user, .. } => {
                let is_new = registry.users().get(user.id).is_none()
                    && registry.departed(user.id).is_none()
                    && registry.user_named(&user.keys.user_name).is_none();
                is_new.then(|| step.clone())
            }
            Step::Update { user, parts } => self.update(user, parts.activity),
            Step::Depart { user, .. } => {
                registry.users().get(*user)?;
                // The retention runs from the end of the account, not from the plan.
                Some(Step::Depart {
                    user: *user,
                    erase_at_ms: self.erase_at_ms,
                })
            }
            Step::CreateGroup { group } => registry
                .groups()
                .get(group.id)
                .is_none()
                .then(|| step.clone()),
            Step::UpdateGroup { group, .. } => self.update_group(group),
            Step::Regroup {
                group,
                added,
                removed,
            } => self.regroup(*group, (added, removed), before),
            Step::RemoveGroup { group } => {
                registry.groups().get(*group)?;
                Some(step.clone())
            }
        }
    }

    fn update(&self, planned: &User, activity: bool) -> Option<Step> {
        let registry = self.registry();
        let now = registry.users().get(planned.id)?;
        let before = UserDocument::from_canonical(&now.document).ok()?;
        let mut after = UserDocument::from_canonical(&planned.document).ok()?;
        if !activity {
            // Only an intent that is about it changes whether somebody is active.
            after = after.with_active(now.active);
        }
        if after == before {
            return None;
        }
        let parts = parts_of(&before, &after);
        let name = &planned.keys.user_name;
        if parts.renamed && registry.user_named(name).is_some() {
            return None;
        }
        let mut next = User::clone(planned);
        next.active = after.keys().active;
        next.document = after.to_canonical().into_boxed_slice();
        next.version = planned.version.max(now.version.saturating_add(1));
        next.label = if parts.renamed {
            self.head.secrets.label(NameKind::UserName, name)
        } else {
            now.label
        };
        Some(Step::Update {
            user: Box::new(next),
            parts,
        })
    }

    fn update_group(&self, planned: &Group) -> Option<Step> {
        let now = self.registry().groups().get(planned.id)?;
        let name = |group: &Group| {
            GroupDocument::from_canonical(&group.document)
                .map(|document| document.keys().display_name.clone())
        };
        let renamed = name(now).ok()? != name(planned).ok()?;
        let mut next = Group::clone(planned);
        next.version = planned.version.max(now.version.saturating_add(1));
        Some(Step::UpdateGroup {
            profile: now.document != planned.document,
            renamed,
            group: Box::new(next),
        })
    }

    fn regroup(
        &self,
        group: ResourceId,
        (added, removed): (&[ResourceId], &[ResourceId]),
        before: &[Step],
    ) -> Option<Step> {
        let registry = self.registry();
        let is_created =
            |step: &Step| matches!(step, Step::CreateGroup { group: made } if made.id == group);
        if registry.groups().get(group).is_none() && !before.iter().any(is_created) {
            return None;
        }
        let joins = |id: &ResourceId| {
            registry.users().get(*id).is_some_and(|user| {
                !registry.is_member(group, *id) || (user.active && !registry.holds_keys(group, *id))
            })
        };
        let added: Vec<ResourceId> = added.iter().copied().filter(joins).collect();
        let leaves = |id: &ResourceId| registry.is_member(group, *id);
        let removed: Vec<ResourceId> = removed.iter().copied().filter(leaves).collect();
        (!added.is_empty() || !removed.is_empty()).then_some(Step::Regroup {
            group,
            added,
            removed,
        })
    }
}

/// For the difference: the name under which a user is shown.
fn name_of(user: &Arc<User>) -> &str {
    &user.keys.user_name
}
