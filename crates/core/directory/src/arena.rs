//! A slab with 32-bit indices that grows by an eighth, so that a large tree wastes little memory.

use alloc::vec::Vec;

/// Most slots: indices stay below the tree's tag bit, with the all-ones value free for "missing".
const SLOTS_MAX: usize = 1 << 30;

/// Slots added at least, when an arena grows.
const GROWTH_MIN: usize = 4;

#[derive(Clone)]
pub(crate) struct Arena<T> {
    slots: Vec<T>,
    free: Vec<u32>,
}

impl<T> Arena<T> {
    pub(crate) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.slots.len().saturating_sub(self.free.len())
    }

    pub(crate) const fn memory_bytes(&self) -> usize {
        let slots = self.slots.capacity().saturating_mul(size_of::<T>());
        slots.saturating_add(self.free.capacity().saturating_mul(size_of::<u32>()))
    }

    /// Whether `more` inserts will succeed.
    pub(crate) const fn has_room(&self, more: usize) -> bool {
        self.slots.len().saturating_add(more) <= SLOTS_MAX
    }

    /// Stores `item`. The caller has asked [`Self::has_room`].
    pub(crate) fn insert(&mut self, item: T) -> u32 {
        if let Some(index) = self.free.pop() {
            *self.at_mut(index) = item;
            return index;
        }
        if self.slots.len() == self.slots.capacity() {
            self.slots
                .reserve_exact((self.slots.len() / 8).max(GROWTH_MIN));
        }
        let index = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.slots.push(item);
        index
    }

    /// Frees a slot. Its content stays until the slot is used again.
    pub(crate) fn remove(&mut self, index: u32) {
        self.free.push(index);
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "every index was given out by `insert` of this arena, which never shrinks"
    )]
    pub(crate) fn at(&self, index: u32) -> &T {
        &self.slots[slot(index)]
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "every index was given out by `insert` of this arena, which never shrinks"
    )]
    pub(crate) fn at_mut(&mut self, index: u32) -> &mut T {
        &mut self.slots[slot(index)]
    }
}

fn slot(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}
