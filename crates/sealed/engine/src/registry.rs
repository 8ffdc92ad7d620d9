//! A tenant's directory in memory: resources and the indexes that answer an identity provider.
//!
//! The engine keeps two of them per tenant: the *head*, which acts are decided against, and the
//! *view*, which holds what a witness quorum has cosigned and answers reads (I18). Both grow by
//! [`Registry::apply`] alone, and share the resources behind [`Arc`].

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use chancery_authority::{AdminChange, Delegation, Genesis, IdentityProvider, TenantAuthority};
use chancery_dsse::Envelope;
use chancery_scim::FoldedName;

use crate::custody::GroupEpoch;
use crate::event::Event;
use crate::governance::{Auditor, Burst, BurstKind, HeldAct, IssuerKey};
use crate::id::ResourceId;
use crate::index::Index;
use crate::memberships::Memberships;
use crate::resource::{Credential, Group, User};
use crate::shelf::Shelf;

mod planned;
mod standing;

pub use planned::{Approved, Plan};
pub use standing::{Departed, Granted};

/// The directory of one tenant.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    genesis: Option<Arc<[u8]>>,
    idp: Option<IdentityProvider>,
    genesis_hash: [u8; 32],
    authority: Option<TenantAuthority>,
    admin_changes: Vec<Arc<[u8]>>,
    delegations: Vec<Granted>,
    users: Shelf<User>,
    user_names: Index,
    departed: BTreeMap<ResourceId, Departed>,
    /// When whom to erase.
    erasures: BTreeSet<(u64, ResourceId)>,
    groups: Shelf<Group>,
    members: BTreeMap<ResourceId, BTreeSet<ResourceId>>,
    memberships: Memberships,
    parked: BTreeSet<(ResourceId, ResourceId)>,
    handles: BTreeMap<[u8; 32], ResourceId>,
    erased: BTreeSet<[u8; 32]>,
    epochs: BTreeMap<ResourceId, Vec<Arc<GroupEpoch>>>,
    credentials: BTreeMap<[u8; 32], Arc<Credential>>,
    last_used: BTreeMap<[u8; 32], u64>,
    admin_sequences: BTreeMap<[u8; 32], u64>,
    auditors: BTreeMap<[u8; 32], Arc<Auditor>>,
    issuer_keys: Arc<[IssuerKey]>,
    held: BTreeMap<[u8; 32], Arc<HeldAct>>,
    bursts: BTreeMap<BurstKind, Burst>,
    next_sequence: u64,
    plan: Option<Plan>,
}

impl Registry {
    /// The users that the identity provider can see.
    #[must_use]
    pub const fn users(&self) -> &Shelf<User> {
        &self.users
    }

    /// The groups.
    #[must_use]
    pub const fn groups(&self) -> &Shelf<Group> {
        &self.groups
    }

    /// The user with this folded userName.
    #[must_use]
    pub fn user_named(&self, folded: &str) -> Option<&Arc<User>> {
        self.user_names
            .candidates(folded)
            .filter_map(|id| self.users.get(id))
            .find(|user| *user.keys.user_name == *folded)
    }

    /// The members of a group, in order of their ids.
    pub fn members(&self, group: ResourceId) -> impl Iterator<Item = ResourceId> {
        self.members.get(&group).into_iter().flatten().copied()
    }

    /// Number of members of a group.
    #[must_use]
    pub fn member_count(&self, group: ResourceId) -> usize {
        self.members.get(&group).map_or(0, BTreeSet::len)
    }

    /// Whether `user` is a member of `group`.
    #[must_use]
    pub fn is_member(&self, group: ResourceId, user: ResourceId) -> bool {
        self.memberships.contains(user, group)
    }

    /// The groups that a user is a member of, in order of their ids.
    pub fn groups_of(&self, user: ResourceId) -> impl Iterator<Item = &Arc<Group>> {
        let groups = self.memberships.of(user).iter();
        groups.filter_map(|group| self.groups.get(*group))
    }

    /// The user with this handle, deleted ones included.
    #[must_use]
    pub fn user_of_handle(&self, handle: &[u8; 32]) -> Option<&Arc<User>> {
        let id = self.handles.get(handle)?;
        self.users
            .get(*id)
            .or_else(|| self.departed.get(id).map(|departed| &departed.user))
    }

    /// The group with this handle.
    #[must_use]
    pub fn group_of_handle(&self, handle: &[u8; 32]) -> Option<&Arc<Group>> {
        self.handles.get(handle).and_then(|id| self.groups.get(*id))
    }

    /// Whether a membership gives its user the group's keys: it is listed and not parked.
    #[must_use]
    pub fn holds_keys(&self, group: ResourceId, user: ResourceId) -> bool {
        self.memberships.contains(user, group) && !self.parked.contains(&(user, group))
    }

    /// The groups whose keys a user may have, in order of their ids.
    pub fn counting_groups_of(&self, user: ResourceId) -> impl Iterator<Item = &Arc<Group>> {
        self.groups_of(user)
            .filter(move |group| !self.parked.contains(&(user, group.id)))
    }

    /// The epochs of a group's key, the newest last.
    #[must_use]
    pub fn epochs(&self, group: ResourceId) -> &[Arc<GroupEpoch>] {
        self.epochs.get(&group).map_or(&[], Vec::as_slice)
    }

    /// The tenant's OpenID provider, if its genesis names one.
    #[must_use]
    pub const fn idp(&self) -> Option<&IdentityProvider> {
        self.idp.as_ref()
    }

    /// SHA-256 of the genesis payload; zero before it is known.
    #[must_use]
    pub const fn genesis_hash(&self) -> &[u8; 32] {
        &self.genesis_hash
    }

    /// Signing keys of the tenant's OpenID provider.
    #[must_use]
    pub fn issuer_keys(&self) -> &[IssuerKey] {
        &self.issuer_keys
    }

    /// Those who may read the tenant's log.
    pub fn auditors(&self) -> impl Iterator<Item = &Arc<Auditor>> {
        self.auditors.values()
    }

    /// Acts that wait for a signature.
    pub fn held(&self) -> impl Iterator<Item = &Arc<HeldAct>> {
        self.held.values()
    }

    /// The waiting act with this id.
    #[must_use]
    pub fn held_act(&self, id: &[u8; 32]) -> Option<&Arc<HeldAct>> {
        self.held.get(id)
    }

    /// What was counted of a kind of act, if anything was.
    pub(crate) fn burst(&self, kind: BurstKind) -> Option<&Burst> {
        self.bursts.get(&kind)
    }

    /// The signed changes of admins, in order.
    #[must_use]
    pub fn admin_changes(&self) -> &[Arc<[u8]>] {
        &self.admin_changes
    }

    /// When a credential was last used, as far as it was noted, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn last_used_ms(&self, handle: &[u8; 32]) -> Option<u64> {
        self.last_used.get(handle).copied()
    }

    /// A user whom the identity provider deleted and who was not erased yet.
    #[must_use]
    pub fn departed(&self, id: ResourceId) -> Option<&Departed> {
        self.departed.get(&id)
    }

    /// All users whom the identity provider deleted and who were not erased yet.
    pub fn all_departed(&self) -> impl Iterator<Item = &Departed> {
        self.departed.values()
    }

    /// Whether a subject's private parts are gone.
    #[must_use]
    pub fn is_erased_handle(&self, handle: &[u8; 32]) -> bool {
        self.erased.contains(handle)
    }

    /// Those who are to be erased by `now_ms`.
    pub fn due_for_erasure(&self, now_ms: u64) -> impl Iterator<Item = ResourceId> {
        self.erasures
            .iter()
            .take_while(move |(at_ms, _)| *at_ms <= now_ms)
            .map(|(_, id)| *id)
    }

    /// The signed genesis envelope.
    #[must_use]
    pub const fn genesis(&self) -> Option<&Arc<[u8]>> {
        self.genesis.as_ref()
    }

    /// Who may sign for the tenant, and for which domains.
    #[must_use]
    pub const fn authority(&self) -> Option<&TenantAuthority> {
        self.authority.as_ref()
    }

    /// All delegations ever granted, the newest last.
    #[must_use]
    pub fn delegations(&self) -> &[Granted] {
        &self.delegations
    }

    /// The credential with this handle.
    #[must_use]
    pub fn credential(&self, handle: &[u8; 32]) -> Option<&Arc<Credential>> {
        self.credentials.get(handle)
    }

    /// All credentials, revoked and expired ones included.
    pub fn credentials(&self) -> impl Iterator<Item = &Arc<Credential>> {
        self.credentials.values()
    }

    /// The highest sequence number that an admin key has used; 0 before its first act.
    #[must_use]
    pub fn admin_sequence(&self, key: &[u8; 32]) -> u64 {
        self.admin_sequences.get(key).copied().unwrap_or(0)
    }

    /// Subjects that were deleted for the identity provider and are kept suspended.
    #[must_use]
    pub fn departed_count(&self) -> usize {
        self.departed.len()
    }

    /// The creation number that the next resource gets, planned ones included.
    #[must_use]
    pub fn next_sequence(&self) -> u64 {
        self.next_sequence.max(self.planned_sequence())
    }

    /// Makes one event true. Events were decided before, so there is nothing to refuse here.
    pub fn apply(&mut self, event: &Event) {
        if self.plan.is_some() {
            self.carry_over(event);
        }
        self.apply_here(event);
    }

    fn apply_here(&mut self, event: &Event) {
        match event {
            Event::Genesis(envelope) => {
                let verified = Envelope::parse(envelope)
                    .ok()
                    .and_then(|parsed| Genesis::verify(&parsed).ok());
                if let Some(verified) = verified {
                    self.authority = Some(verified.authority());
                    self.genesis_hash = *verified.hash();
                    self.idp.clone_from(&verified.genesis().idp);
                }
                self.genesis = Some(Arc::clone(envelope));
            }
            Event::AdminsPut(envelope) => self.change_admins(envelope),
            Event::DelegationPut { handle, envelope } => self.grant(*handle, envelope),
            Event::DelegationRevoked { hash } => {
                for granted in &mut self.delegations {
                    granted.revoked |= granted.delegation.hash() == hash;
                }
            }
            Event::AdminSequence { key, sequence } => {
                self.admin_sequences.insert(*key, *sequence);
            }
            Event::CredentialPut(credential) => {
                self.credentials
                    .insert(credential.handle, Arc::clone(credential));
            }
            Event::ClientPut { credential, form } => {
                // Read back from a record, the credential alone does not know its form.
                let mut client = Credential::clone(credential);
                client.form.clone_from(form);
                self.credentials.insert(client.handle, Arc::new(client));
            }
            Event::CredentialUsed { handle, at_ms } => {
                self.last_used.insert(*handle, *at_ms);
            }
            Event::UserPut(user) => self.put_user(user),
            Event::UserDeparted { id, erase_at_ms } => self.depart(*id, *erase_at_ms),
            Event::UserErased { id } => self.erase(*id),
            Event::GroupPut(group) => {
                self.handles.insert(group.handle, group.id);
                self.groups.put(group);
                self.count(group.sequence);
            }
            Event::GroupMembers {
                group,
                added,
                removed,
            } => self.regroup(*group, added, removed),
            Event::MembershipsParked { user, groups } => {
                self.parked
                    .extend(groups.iter().map(|group| (*user, *group)));
            }
            Event::EpochStarted(epoch) => {
                self.epochs
                    .entry(epoch.group)
                    .or_default()
                    .push(Arc::clone(epoch));
            }
            Event::GroupRemoved(id) => self.remove_group(*id),
            Event::AuditorPut(_)
            | Event::AuditorEnded { .. }
            | Event::IssuerKeys(_)
            | Event::HeldPut(_)
            | Event::HeldEnded { .. }
            | Event::Counted { .. }
            | Event::BurstApproved { .. } => self.watch(event),
            Event::Intended(_)
            | Event::PlanApproved { .. }
            | Event::PlanAdvanced { .. }
            | Event::PlanEnded => self.apply_plan(event),
        }
    }

    /// What admins keep an eye on.
    fn watch(&mut self, event: &Event) {
        match event {
            Event::AuditorPut(auditor) => {
                self.auditors.insert(auditor.key_id, Arc::clone(auditor));
            }
            Event::AuditorEnded { key_id } => {
                self.auditors.remove(key_id);
            }
            Event::IssuerKeys(keys) => self.issuer_keys = Arc::clone(keys),
            Event::HeldPut(held) => {
                self.held.insert(held.id, Arc::clone(held));
            }
            Event::HeldEnded { id } => {
                self.held.remove(id);
            }
            Event::Counted { kind, at_ms, count } => {
                self.bursts.entry(*kind).or_default().count(*at_ms, *count);
            }
            Event::BurstApproved {
                kind,
                count,
                until_ms,
            } => {
                self.bursts
                    .entry(*kind)
                    .or_default()
                    .approve(*count, *until_ms);
            }
            _ => {}
        }
    }

    fn remove_group(&mut self, id: ResourceId) {
        self.groups.take(id);
        self.epochs.remove(&id);
        for member in self.members.remove(&id).into_iter().flatten() {
            self.memberships.remove(member, id);
            self.parked.remove(&(member, id));
        }
    }

    /// The change was verified before it became an event; a contradiction leaves the admins as they are.
    /// A delegation that no threshold of the next admins has signed has ended (I11).
    fn change_admins(&mut self, envelope: &[u8]) {
        let Some(present) = &self.authority else {
            return;
        };
        let verified = Envelope::parse(envelope)
            .ok()
            .and_then(|parsed| AdminChange::verify(&parsed, present).ok());
        if let Some(change) = verified {
            self.authority = Some(change.authority().clone());
            self.admin_changes.push(Arc::from(envelope));
            for granted in &mut self.delegations {
                granted.revoked |= !granted.delegation.is_signed_by(change.authority().admins());
            }
        }
    }

    /// Events were decided before and are authentic; a delegation that no longer verifies gives no
    /// authority, which is the safe reading of a contradiction.
    fn grant(&mut self, handle: [u8; 32], envelope: &Arc<[u8]>) {
        let Some(authority) = &self.authority else {
            return;
        };
        let verified = Envelope::parse(envelope)
            .ok()
            .and_then(|parsed| Delegation::verify(&parsed, authority).ok());
        if let Some(delegation) = verified {
            let delegation = delegation
                .with_canonical_names(&|name| FoldedName::lookup(name).into_string(), &|name| {
                    FoldedName::text(name).into_string()
                });
            let envelope = Arc::clone(envelope);
            self.delegations.push(Granted {
                handle,
                delegation,
                envelope,
                revoked: false,
            });
        }
    }

    fn put_user(&mut self, user: &Arc<User>) {
        let before = self.users.put(user);
        let is_named = before
            .as_ref()
            .is_some_and(|before| before.keys.user_name == user.keys.user_name);
        if !is_named {
            if let Some(before) = before {
                self.user_names.remove(&before.keys.user_name, user.id);
            }
            self.handles.insert(user.handle, user.id);
            self.user_names.insert(&user.keys.user_name, user.id);
        }
        self.count(user.sequence);
    }

    fn erase(&mut self, id: ResourceId) {
        if self.users.get(id).is_some() {
            self.depart(id, None);
        }
        if let Some(departed) = self.departed.remove(&id) {
            self.handles.remove(&departed.user.handle);
            self.erased.insert(departed.user.handle);
            if let Some(at_ms) = departed.erase_at_ms {
                self.erasures.remove(&(at_ms, id));
            }
        }
    }

    fn depart(&mut self, id: ResourceId, erase_at_ms: Option<u64>) {
        let Some(user) = self.users.take(id) else {
            return;
        };
        self.user_names.remove(&user.keys.user_name, id);
        for group in self.memberships.of(id).to_vec() {
            self.regroup(group, &[], &[id]);
        }
        if let Some(at_ms) = erase_at_ms {
            self.erasures.insert((at_ms, id));
        }
        self.departed.insert(id, Departed { user, erase_at_ms });
    }

    fn regroup(&mut self, group: ResourceId, added: &[ResourceId], removed: &[ResourceId]) {
        let members = self.members.entry(group).or_default();
        for id in removed {
            members.remove(id);
            self.memberships.remove(*id, group);
            self.parked.remove(&(*id, group));
        }
        for id in added {
            members.insert(*id);
            self.memberships.insert(*id, group);
            // Who is suspended is listed, and gets nothing from it until granted anew (I15).
            if self.users.get(*id).is_some_and(|user| user.active) {
                self.parked.remove(&(*id, group));
            } else {
                self.parked.insert((*id, group));
            }
        }
    }

    fn count(&mut self, sequence: u64) {
        self.next_sequence = self.next_sequence.max(sequence.saturating_add(1));
    }
}
