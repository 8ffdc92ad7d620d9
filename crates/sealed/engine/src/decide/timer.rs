//! What the runtime does by itself: carrying out signed plans, and ending retention.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use chancery_authority::Scope;
use chancery_directory::EntryType;
use chancery_json::Object;
use chancery_scim::UserDocument;
use chancery_sealing::Key;

use super::admin::tenant_handle;
use super::authority::{Grant, open_account};
use super::booking::{Booking, Document, Warrant};
use super::erase::erase;
use super::plans::fit;
use super::steps::deltas;
use crate::act::Refusal;
use crate::event::Event;
use crate::id::ResourceId;
use crate::plan::{Intent, Parts, Step};
use crate::prepare::Draws;
use crate::records::{ActRecord, OpeningSecret};
use crate::registry::{Plan, Registry};
use crate::resource::User;
use crate::tenant::Tenant;

/// Whether the timer has something to do for a tenant.
pub(crate) fn is_due(registry: &Registry, now_ms: u64) -> bool {
    registry.due_for_erasure(now_ms).next().is_some()
        || registry
            .plan()
            .is_some_and(|plan| plan.approved().is_some() && !is_stopped(registry, plan, now_ms))
}

/// Whether a signed plan cannot go on: no delegation is in force under which its acts could be done.
pub(super) fn is_stopped(registry: &Registry, plan: &Plan, now_ms: u64) -> bool {
    plan.remaining() > 0 && registry.in_force(now_ms).next().is_none()
}

/// Does what is due, `most` acts at the most. A head that comes apart over it is spoilt and stops the
/// ledger when the batch is closed.
pub(crate) fn due(
    head: &mut Tenant,
    instance: [u8; 32],
    now_ms: u64,
    fresh: &Key,
    most: usize,
) -> Vec<ActRecord> {
    let mut records = Vec::new();
    let mut timer = Timer {
        instance,
        now_ms: now_ms.max(head.chronicle.log().time_ms()),
        fresh,
        number: 0,
    };
    while records.len() < most {
        match timer.next(head) {
            Ok(Some(record)) => records.push(record),
            Ok(None) => break,
            Err(_refusal) => {
                // Nothing of this can be refused by anybody: the head and its log disagree.
                head.spoilt = true;
                break;
            }
        }
    }
    records
}

/// One call of the timer for one tenant.
struct Timer<'a> {
    instance: [u8; 32],
    now_ms: u64,
    fresh: &'a Key,
    number: u64,
}

impl Timer<'_> {
    fn next(&mut self, head: &mut Tenant) -> Result<Option<ActRecord>, Refusal> {
        let due = head.registry.due_for_erasure(self.now_ms).next();
        if let Some(id) = due {
            let warrant = Warrant::instance(self.instance);
            let draws = self.draws();
            let now_ms = self.now_ms;
            let mut booking =
                Booking::begin(head, now_ms, &warrant, draws, Document::None, Vec::new())?;
            erase(&mut booking, id)?;
            return Ok(Some(booking.finish()));
        }
        self.advance(head)
    }

    /// The next act of a signed plan.
    fn advance(&mut self, head: &mut Tenant) -> Result<Option<ActRecord>, Refusal> {
        let Some((plan, approved)) = head
            .registry
            .plan()
            .and_then(|plan| plan.approved().map(|approved| (plan, approved.clone())))
        else {
            return Ok(None);
        };
        if is_stopped(&head.registry, plan, self.now_ms) {
            return Ok(None);
        }
        let (mut done, mut skipped) = (approved.done, approved.skipped);
        let mut next = None;
        while let Some(item) = item(plan, &approved.suspend, done) {
            done = done.saturating_add(1);
            let asks = !matches!(&item, Item::Intent(intent) if intent.steps.is_empty());
            if let Some((grant, steps)) = self.prepared(head, &item) {
                next = Some((item, grant, steps));
                break;
            }
            skipped = skipped.saturating_add(u64::from(asks));
        }
        let Some((item, grant, steps)) = next else {
            return self.end(head, done, skipped).map(Some);
        };
        let credential = match &item {
            Item::Intent(intent) => intent.credential,
            Item::Suspend(_) => suspending(&head.registry, plan).ok_or(Refusal::Internal)?,
        };
        let mut draws = self.draws();
        if let Item::Intent(intent) = &item {
            // The commitment to the first key was made with this secret.
            draws.secret = OpeningSecret(intent.secret.0);
        }
        let warrant = Warrant::delegated(&grant, credential).resting_on(approved.approval);
        let groups = deltas(&head.registry, &steps);
        let document = document_of(&steps);
        let document = match &document {
            Some(bytes) => Document::InEvent(bytes),
            None => Document::None,
        };
        let mut booking = Booking::begin(head, self.now_ms, &warrant, draws, document, groups)?;
        booking.perform_all(steps)?;
        booking.event(Event::PlanAdvanced { done, skipped });
        Ok(Some(booking.finish()))
    }

    /// The delegation and the steps of an item, if anything of it fits.
    fn prepared(&self, head: &Tenant, item: &Item) -> Option<(Grant, Vec<Step>)> {
        let registry = &head.registry;
        let (grant, steps) = match item {
            Item::Intent(intent) => {
                let grant = covering(registry, &intent.delegation, self.now_ms)?;
                let steps = fit(head, intent, grant.erase_at_ms(self.now_ms));
                (grant, steps)
            }
            Item::Suspend(id) => {
                let user = registry.users().get(*id)?;
                let grant = reaching(registry, &user.keys.user_name, self.now_ms)?;
                (grant, self.suspension(registry, *id))
            }
        };
        (!steps.is_empty()).then_some((grant, steps))
    }

    /// Nothing of the plan is left: the log says how it went.
    fn end(&mut self, head: &mut Tenant, done: u64, skipped: u64) -> Result<ActRecord, Refusal> {
        let hash = head
            .registry
            .plan()
            .map(|plan| *plan.hash())
            .ok_or(Refusal::Internal)?;
        let document = Object::new()
            .with("plan", hex::encode(hash))
            .with("carried_out", done.saturating_sub(skipped))
            .with("skipped", skipped)
            .to_bytes();
        let warrant = Warrant::instance(self.instance);
        let subject = tenant_handle(&head.secrets.id());
        let draws = self.draws();
        let mut booking = Booking::begin(
            head,
            self.now_ms,
            &warrant,
            draws,
            Document::Kept(&document),
            Vec::new(),
        )?;
        booking.with_document(EntryType::PolicyChanged, subject)?;
        booking.event(Event::PlanEnded);
        Ok(booking.finish())
    }

    fn draws(&mut self) -> Draws {
        self.number = self.number.saturating_add(1);
        let number = self.number.to_be_bytes();
        Draws::new(&self.fresh.derive("chancery/timer/act/v1", &number))
    }

    /// The steps that suspend a user whom the identity provider does not know.
    fn suspension(&self, registry: &Registry, id: ResourceId) -> Vec<Step> {
        let Some(user) = registry.users().get(id).filter(|user| user.active) else {
            return Vec::new();
        };
        let Ok(document) = UserDocument::from_canonical(&user.document) else {
            return Vec::new();
        };
        let mut next = User::clone(user);
        next.active = false;
        next.document = document
            .with_active(false)
            .to_canonical()
            .into_boxed_slice();
        next.version = next.version.saturating_add(1);
        next.modified_ms = self.now_ms;
        alloc::vec![Step::Update {
            user: Box::new(next),
            parts: Parts {
                activity: true,
                ..Parts::default()
            },
        }]
    }
}

/// One item of a signed plan.
enum Item {
    Intent(Arc<Intent>),
    Suspend(ResourceId),
}

fn item(plan: &Plan, suspend: &[ResourceId], done: u64) -> Option<Item> {
    let at = usize::try_from(done).ok()?;
    match plan.intents().get(at) {
        Some(intent) => Some(Item::Intent(Arc::clone(intent))),
        None => suspend
            .get(at.saturating_sub(plan.intents().len()))
            .map(|id| Item::Suspend(*id)),
    }
}

/// The delegation that covered an intent, or else the newest one in force.
fn covering(registry: &Registry, hash: &[u8; 32], now_ms: u64) -> Option<Grant> {
    registry
        .in_force(now_ms)
        .find(|granted| granted.delegation.hash() == hash)
        .or_else(|| registry.in_force(now_ms).next())
        .map(|granted| Grant::of(granted, false))
}

/// A delegation in force that may suspend this account.
fn reaching(registry: &Registry, user_name: &str, now_ms: u64) -> Option<Grant> {
    registry
        .in_force(now_ms)
        .find(|granted| {
            let delegation = &granted.delegation;
            delegation.delegation().scopes.contains(Scope::UsersSuspend)
                && open_account(delegation, user_name).is_ok()
        })
        .map(|granted| Grant::of(granted, false))
}

/// The credential beside which unmatched users are suspended: nobody asked for it but the admins, so it is
/// the one of the last intent whose credential may suspend, or else of the last intent.
fn suspending(registry: &Registry, plan: &Plan) -> Option<[u8; 32]> {
    let may = |handle: &&[u8; 32]| {
        registry.credential(handle).is_some_and(|credential| {
            let mut scopes = credential.scopes.iter();
            scopes.any(|scope| **scope == *Scope::UsersSuspend.name())
        })
    };
    let mut asked = plan.intents().iter().rev().map(|intent| &intent.credential);
    let last = asked.clone().next();
    asked.find(may).or(last).copied()
}

fn document_of(steps: &[Step]) -> Option<Box<[u8]>> {
    steps.iter().find_map(|step| match step {
        Step::Provision { user, .. } | Step::Update { user, .. } => Some(user.document.clone()),
        Step::CreateGroup { group } | Step::UpdateGroup { group, .. } => {
            Some(group.document.clone())
        }
        _ => None,
    })
}
