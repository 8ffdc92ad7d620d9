//! Break-glass: what admins do to users and groups by their own signature, without a delegation or an identity
//! provider, also where automation does not reach.
//!
//! What takes away is the admins' own entry. What gives opens a window, acts by it and closes it, in one act.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use chancery_directory::{Digest, EntryType, Validity};
use chancery_json::Fields;
use chancery_scim::{FoldedName, GroupDocument};

use super::admin::{Desk, Outcome, tenant_handle};
use super::booking::{Booking, Document};
use super::erase::erase;
use super::groups::{Change, Delta};
use super::signers::{find, find_group};
use super::steps::deltas;
use super::users::with_activity;
use crate::act::{Answer, Refusal};
use crate::id::ResourceId;
use crate::plan::{Parts, Step};
use crate::prepare::Draws;
use crate::registry::Registry;
use crate::resource::User;
use crate::tenant::Tenant;

/// How long a window may stay open, in milliseconds. It is closed in the act that opens it.
const WINDOW_MS: u64 = 60_000;

/// Whether an act gives something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    Gives,
    TakesAway,
}

impl Desk<'_> {
    /// Suspends a user, as automation would.
    pub(super) fn suspend_user(&self, head: &mut Tenant, draws: Draws, fields: Fields) -> Outcome {
        let user = find(&head.registry, &named(fields, "user")?)?;
        if !user.active {
            return Err(Refusal::Stale {
                what: "the user is suspended already",
            });
        }
        let (handle, next) = (user.handle, with_activity(user, false, self.now_ms)?);
        self.set_activity(head, draws, handle, next, Effect::TakesAway)
    }

    /// Restores a suspended user. Memberships stay parked until they are granted anew (I15).
    pub(super) fn restore_user(&self, head: &mut Tenant, draws: Draws, fields: Fields) -> Outcome {
        let user = find(&head.registry, &named(fields, "user")?)?;
        if user.active {
            return Err(Refusal::Stale {
                what: "the user is not suspended",
            });
        }
        let (handle, next) = (user.handle, with_activity(user, true, self.now_ms)?);
        self.set_activity(head, draws, handle, next, Effect::Gives)
    }

    fn set_activity(
        &self,
        head: &mut Tenant,
        draws: Draws,
        handle: [u8; 32],
        next: User,
        effect: Effect,
    ) -> Outcome {
        let document = next.document.clone();
        let parts = Parts {
            activity: true,
            ..Parts::default()
        };
        let user = Box::new(next);
        let steps = alloc::vec![Step::Update { user, parts }];
        self.break_glass(head, draws, &document, steps, (effect, handle))
    }

    /// Erases a user who is suspended or whom the identity provider deleted.
    pub(super) fn erase_user(&self, head: &mut Tenant, draws: Draws, fields: Fields) -> Outcome {
        let (id, subject) = erasable(&head.registry, &named(fields, "user")?)?;
        let mut booking = self.begin(head, draws, Document::None)?;
        erase(&mut booking, id)?;
        self.spend(&mut booking);
        let index = booking.last();
        Ok((Some(booking.finish()), Answer::Done { subject, index }))
    }

    /// Adds a member to a group.
    pub(super) fn add_member(&self, head: &mut Tenant, draws: Draws, fields: Fields) -> Outcome {
        let (group, user) = group_and_user(fields)?;
        let registry = &head.registry;
        let user = find(registry, &user)?;
        if !user.active {
            return Err(Refusal::Stale {
                what: "the user is suspended: restore the user first",
            });
        }
        let change = regrouped(registry, &group, Some(user.id), None)?;
        if change.is_empty() {
            return Err(Refusal::Stale {
                what: "the user is a member of the group already",
            });
        }
        self.regroup(head, draws, change, Effect::Gives)
    }

    /// Removes a member from a group, which gets another key at once.
    pub(super) fn remove_member(&self, head: &mut Tenant, draws: Draws, fields: Fields) -> Outcome {
        let (group, user) = group_and_user(fields)?;
        let registry = &head.registry;
        let user = find(registry, &user)?.id;
        let change = regrouped(registry, &group, None, Some(user))?;
        if change.is_empty() {
            return Err(Refusal::Stale {
                what: "the user is no member of the group",
            });
        }
        // The end of a parked membership takes no key away: the log has it as a change of the profile, which
        // admins alone cannot make.
        let effect = if registry.holds_keys(change.group.id, user) {
            Effect::TakesAway
        } else {
            Effect::Gives
        };
        self.regroup(head, draws, change, effect)
    }

    fn regroup(&self, head: &mut Tenant, draws: Draws, change: Change, effect: Effect) -> Outcome {
        let handle = change.group.handle;
        let (document, steps) = change.into_steps(self.now_ms);
        self.break_glass(head, draws, &document, steps, (effect, handle))
    }

    /// Carries out steps on the admins' own authority; `subject` is the handle of what they are about.
    fn break_glass(
        &self,
        head: &mut Tenant,
        mut draws: Draws,
        document: &[u8],
        steps: Vec<Step>,
        (effect, subject): (Effect, [u8; 32]),
    ) -> Outcome {
        let groups = deltas(&head.registry, &steps);
        let admins = tenant_handle(&head.secrets.id());
        let mut warrant = self.warrant(head);
        let window = match effect {
            Effect::Gives => Some(draws.bytes()?),
            Effect::TakesAway => None,
        };
        if let Some(window) = window {
            warrant = warrant.resting_on(window);
        }
        let mut booking = Booking::begin(
            head,
            self.now_ms,
            &warrant,
            draws,
            Document::InEvent(document),
            groups,
        )?;
        if let Some(window) = window {
            let validity = Validity {
                not_before_ms: self.now_ms,
                not_after_ms: self.now_ms.saturating_add(WINDOW_MS),
            };
            booking.entry(
                EntryType::BreakGlassOpened,
                window,
                Digest::ZERO,
                validity.to_object_commit(),
            )?;
            booking.set_actor(window);
        }
        booking.perform_all(steps)?;
        if let Some(window) = window {
            booking.set_actor(admins);
            booking.plain(EntryType::BreakGlassClosed, window)?;
        }
        self.spend(&mut booking);
        let index = booking.last();
        Ok((Some(booking.finish()), Answer::Done { subject, index }))
    }
}

fn named(mut fields: Fields, member: &'static str) -> Result<String, Refusal> {
    let text = fields.take_str(member)?;
    fields.finish()?;
    Ok(text)
}

fn group_and_user(mut fields: Fields) -> Result<(String, String), Refusal> {
    let group = fields.take_str("group")?;
    let user = fields.take_str("user")?;
    fields.finish()?;
    Ok((group, user))
}

fn regrouped(
    registry: &Registry,
    group: &str,
    added: Option<ResourceId>,
    removed: Option<ResourceId>,
) -> Result<Change, Refusal> {
    let group = find_group(registry, group)?;
    Ok(Change {
        group: registry
            .groups()
            .get(group.id)
            .map(Arc::clone)
            .ok_or(Refusal::Internal)?,
        before: GroupDocument::from_canonical(&group.document)?,
        after: None,
        delta: Delta::effective(registry, group.id, added, removed)?,
    })
}

/// The user to erase, by id, or by the name that it has or was the only one to have.
fn erasable(registry: &Registry, text: &str) -> Result<(ResourceId, [u8; 32]), Refusal> {
    if let Ok(user) = find(registry, text) {
        return if user.active {
            Err(Refusal::Stale {
                what: "the user is active: suspend the user first",
            })
        } else {
            Ok((user.id, user.handle))
        };
    }
    let id = ResourceId::parse(text);
    let folded = FoldedName::lookup(text);
    let mut gone = registry
        .all_departed()
        .map(|departed| &departed.user)
        .filter(|user| Some(user.id) == id || *user.keys.user_name == *folded.as_str());
    match (gone.next(), gone.next()) {
        (Some(only), None) => Ok((only.id, only.handle)),
        (Some(_), Some(_)) => Err(Refusal::Stale {
            what: "several deleted users had this name: name the user by its id",
        }),
        _ => Err(Refusal::NotFound),
    }
}
