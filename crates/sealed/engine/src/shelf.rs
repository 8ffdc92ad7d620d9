//! Resources of one kind, in order of creation and under the strings by which they are found.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::mem;

use crate::id::ResourceId;
use crate::index::Index;
use crate::order::Order;
use crate::resource::{Group, IndexKeys, User};
use crate::table::Table;

/// Resources of one kind with their indexes.
#[derive(Clone, Debug)]
pub struct Shelf<T> {
    items: Table<Arc<T>>,
    order: Order<Arc<T>>,
    external_ids: Index,
    emails: Index,
    display_names: Index,
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
            items: Table::default(),
            order: Order::default(),
            external_ids: Index::default(),
            emails: Index::default(),
            display_names: Index::default(),
        }
    }
}

impl<T: Shelved> Shelf<T> {
    /// The resource with this id.
    #[must_use]
    pub fn get(&self, id: ResourceId) -> Option<&Arc<T>> {
        self.items.get(id)
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
        self.order.iter()
    }

    /// Resources in order of creation, without the first `offset`, which are not walked through.
    pub fn in_order_from(&self, offset: usize) -> impl Iterator<Item = &Arc<T>> {
        self.order.after_rank(offset)
    }

    /// Resources in order of creation whose number is `sequence` or higher.
    pub fn in_order_since(&self, sequence: u64) -> impl Iterator<Item = &Arc<T>> {
        self.order.since(sequence)
    }

    /// Resources whose number is lower than `sequence`, the newest first.
    pub fn in_order_before(&self, sequence: u64) -> impl Iterator<Item = &Arc<T>> {
        self.order.before(sequence)
    }

    /// Resources with exactly this externalId.
    pub fn with_external_id<'a>(&'a self, key: &str) -> impl Iterator<Item = &'a Arc<T>> {
        self.under(&self.external_ids, key, |keys, key| {
            keys.external_id.as_deref() == Some(key)
        })
    }

    /// Resources with this folded email.
    pub fn with_email<'a>(&'a self, key: &str) -> impl Iterator<Item = &'a Arc<T>> {
        self.under(&self.emails, key, |keys, key| {
            keys.emails.iter().any(|email| **email == *key)
        })
    }

    /// Resources with this folded displayName.
    pub fn with_display_name<'a>(&'a self, key: &str) -> impl Iterator<Item = &'a Arc<T>> {
        self.under(&self.display_names, key, |keys, key| {
            keys.display_name.as_deref() == Some(key)
        })
    }

    fn under<'a>(
        &'a self,
        index: &'a Index,
        key: &str,
        has: fn(&IndexKeys, &str) -> bool,
    ) -> impl Iterator<Item = &'a Arc<T>> {
        let owned: Box<str> = Box::from(key);
        index
            .candidates(key)
            .filter_map(|id| self.items.get(id))
            .filter(move |item| has(item.keys(), &owned))
    }

    pub(crate) fn put(&mut self, item: &Arc<T>) -> Option<Arc<T>> {
        let id = item.id();
        // A change of what nobody searches by leaves the indexes as they are.
        if let Some(present) = self.items.get_mut(id)
            && present.sequence() == item.sequence()
            && present.keys() == item.keys()
        {
            self.order.insert(item.sequence(), Arc::clone(item));
            return Some(mem::replace(present, Arc::clone(item)));
        }
        let before = self.take(id);
        self.order.insert(item.sequence(), Arc::clone(item));
        let keys = item.keys();
        if let Some(key) = &keys.external_id {
            self.external_ids.insert(key, id);
        }
        for key in &keys.emails {
            self.emails.insert(key, id);
        }
        if let Some(key) = &keys.display_name {
            self.display_names.insert(key, id);
        }
        self.items.insert(id, Arc::clone(item));
        before
    }

    pub(crate) fn take(&mut self, id: ResourceId) -> Option<Arc<T>> {
        let item = self.items.remove(id)?;
        self.order.remove(item.sequence());
        let keys = item.keys();
        if let Some(key) = &keys.external_id {
            self.external_ids.remove(key, id);
        }
        for key in &keys.emails {
            self.emails.remove(key, id);
        }
        if let Some(key) = &keys.display_name {
            self.display_names.remove(key, id);
        }
        Some(item)
    }
}
