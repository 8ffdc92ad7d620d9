//! A tenant's directory in memory: resources and the indexes that answer an identity provider.
//!
//! The engine keeps two of them per tenant: the *head*, which acts are decided against, and the
//! *view*, which holds what a witness quorum has cosigned and answers reads (I18). Both grow by
//! [`Registry::apply`] alone, and share the resources behind [`Arc`].

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use chancery_authority::{Delegation, Genesis, TenantAuthority, VerifiedDelegation};
use chancery_dsse::Envelope;
use chancery_scim::FoldedName;

use crate::id::ResourceId;
use crate::resource::{Credential, Event, Group, IndexKeys, User};

/// Resources of one kind with their indexes.
#[derive(Debug)]
pub struct Shelf<T> {
    items: BTreeMap<ResourceId, Arc<T>>,
    by_sequence: BTreeMap<u64, ResourceId>,
    external_ids: BTreeSet<(Arc<str>, ResourceId)>,
    emails: BTreeSet<(Arc<str>, ResourceId)>,
    display_names: BTreeSet<(Arc<str>, ResourceId)>,
}

/// What a [`Shelf`] needs to know of a resource.
pub trait Shelved {
    /// SCIM `id`.
    fn id(&self) -> ResourceId;
    /// Order of creation.
    fn sequence(&self) -> u64;
    /// Index keys.
    fn keys(&self) -> &IndexKeys;
}

impl Shelved for User {
    fn id(&self) -> ResourceId {
        self.id
    }
    fn sequence(&self) -> u64 {
        self.sequence
    }
    fn keys(&self) -> &IndexKeys {
        &self.keys
    }
}

impl Shelved for Group {
    fn id(&self) -> ResourceId {
        self.id
    }
    fn sequence(&self) -> u64 {
        self.sequence
    }
    fn keys(&self) -> &IndexKeys {
        &self.keys
    }
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self {
            items: BTreeMap::new(),
            by_sequence: BTreeMap::new(),
            external_ids: BTreeSet::new(),
            emails: BTreeSet::new(),
            display_names: BTreeSet::new(),
        }
    }
}

impl<T: Shelved> Shelf<T> {
    /// The resource with this id.
    #[must_use]
    pub fn get(&self, id: ResourceId) -> Option<&Arc<T>> {
        self.items.get(&id)
    }

    /// Number of resources.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// All resources in order of creation.
    pub fn in_order(&self) -> impl Iterator<Item = &Arc<T>> {
        self.by_sequence
            .values()
            .filter_map(|id| self.items.get(id))
    }

    /// Resources in order of creation, without the first `offset`.
    pub fn in_order_from(&self, offset: usize) -> impl Iterator<Item = &Arc<T>> {
        self.by_sequence
            .values()
            .skip(offset)
            .filter_map(|id| self.items.get(id))
    }

    /// Resources with exactly this externalId.
    pub fn with_external_id<'a>(&'a self, key: &str) -> impl Iterator<Item = &'a Arc<T>> {
        self.under(&self.external_ids, key)
    }

    /// Resources with this folded email.
    pub fn with_email<'a>(&'a self, key: &str) -> impl Iterator<Item = &'a Arc<T>> {
        self.under(&self.emails, key)
    }

    /// Resources with this folded displayName.
    pub fn with_display_name<'a>(&'a self, key: &str) -> impl Iterator<Item = &'a Arc<T>> {
        self.under(&self.display_names, key)
    }

    fn under<'a>(
        &'a self,
        index: &'a BTreeSet<(Arc<str>, ResourceId)>,
        key: &str,
    ) -> impl Iterator<Item = &'a Arc<T>> {
        let key: Arc<str> = Arc::from(key);
        let first = (Arc::clone(&key), ResourceId::LOWEST);
        index
            .range(first..)
            .take_while(move |(found, _)| *found == key)
            .filter_map(|(_, id)| self.items.get(id))
    }

    fn put(&mut self, item: &Arc<T>) -> Option<Arc<T>> {
        let id = item.id();
        let before = self.take(id);
        self.by_sequence.insert(item.sequence(), id);
        let keys = item.keys();
        if let Some(key) = &keys.external_id {
            self.external_ids.insert((Arc::clone(key), id));
        }
        for key in &keys.emails {
            self.emails.insert((Arc::clone(key), id));
        }
        if let Some(key) = &keys.display_name {
            self.display_names.insert((Arc::clone(key), id));
        }
        self.items.insert(id, Arc::clone(item));
        before
    }

    fn take(&mut self, id: ResourceId) -> Option<Arc<T>> {
        let item = self.items.remove(&id)?;
        self.by_sequence.remove(&item.sequence());
        let keys = item.keys();
        if let Some(key) = &keys.external_id {
            self.external_ids.remove(&(Arc::clone(key), id));
        }
        for key in &keys.emails {
            self.emails.remove(&(Arc::clone(key), id));
        }
        if let Some(key) = &keys.display_name {
            self.display_names.remove(&(Arc::clone(key), id));
        }
        Some(item)
    }
}

/// A delegation that the tenant's admins signed.
#[derive(Debug)]
pub struct Granted {
    /// Its handle in the trust log.
    pub handle: [u8; 32],
    /// What was signed.
    pub delegation: VerifiedDelegation,
    /// The signed envelope.
    pub envelope: Arc<[u8]>,
    /// Whether the admins have ended it.
    pub revoked: bool,
}

/// The directory of one tenant.
#[derive(Debug, Default)]
pub struct Registry {
    genesis: Option<Arc<[u8]>>,
    authority: Option<TenantAuthority>,
    delegations: Vec<Granted>,
    users: Shelf<User>,
    user_names: BTreeMap<Arc<str>, ResourceId>,
    departed: BTreeMap<ResourceId, Arc<User>>,
    groups: Shelf<Group>,
    members: BTreeMap<ResourceId, BTreeSet<ResourceId>>,
    memberships: BTreeSet<(ResourceId, ResourceId)>,
    credentials: BTreeMap<[u8; 32], Arc<Credential>>,
    admin_sequences: BTreeMap<[u8; 32], u64>,
    next_sequence: u64,
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
            .get(folded)
            .and_then(|id| self.users.get(*id))
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
        self.memberships.contains(&(user, group))
    }

    /// The groups that a user is a member of, in order of their ids.
    pub fn groups_of(&self, user: ResourceId) -> impl Iterator<Item = &Arc<Group>> {
        self.memberships
            .range((user, ResourceId::LOWEST)..)
            .take_while(move |(member, _)| *member == user)
            .filter_map(|(_, group)| self.groups.get(*group))
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

    /// The creation number that the next resource gets.
    #[must_use]
    pub const fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// Makes one event true. Events were decided before, so there is nothing to refuse here.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Genesis(envelope) => {
                self.authority = Envelope::parse(envelope)
                    .ok()
                    .and_then(|parsed| Genesis::verify(&parsed).ok())
                    .map(|verified| verified.authority());
                self.genesis = Some(Arc::clone(envelope));
            }
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
            Event::UserPut(user) => self.put_user(user),
            Event::UserDeparted(id) => self.depart(*id),
            Event::GroupPut(group) => {
                self.groups.put(group);
                self.count(group.sequence);
            }
            Event::GroupMembers {
                group,
                added,
                removed,
            } => self.regroup(*group, added, removed),
            Event::GroupRemoved(id) => {
                self.groups.take(*id);
                for member in self.members.remove(id).into_iter().flatten() {
                    self.memberships.remove(&(member, *id));
                }
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
        if let Some(before) = before
            && before.keys.user_name != user.keys.user_name
        {
            self.user_names.remove(&before.keys.user_name);
        }
        self.user_names
            .insert(Arc::clone(&user.keys.user_name), user.id);
        self.count(user.sequence);
    }

    fn depart(&mut self, id: ResourceId) {
        let Some(user) = self.users.take(id) else {
            return;
        };
        self.user_names.remove(&user.keys.user_name);
        let groups: Vec<ResourceId> = self
            .memberships
            .range((id, ResourceId::LOWEST)..)
            .take_while(|(member, _)| *member == id)
            .map(|(_, group)| *group)
            .collect();
        for group in groups {
            self.regroup(group, &[], &[id]);
        }
        self.departed.insert(id, user);
    }

    fn regroup(&mut self, group: ResourceId, added: &[ResourceId], removed: &[ResourceId]) {
        let members = self.members.entry(group).or_default();
        for id in removed {
            members.remove(id);
            self.memberships.remove(&(*id, group));
        }
        for id in added {
            members.insert(*id);
            self.memberships.insert((*id, group));
        }
    }

    fn count(&mut self, sequence: u64) {
        self.next_sequence = self.next_sequence.max(sequence.saturating_add(1));
    }
}
