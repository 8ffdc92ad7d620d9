//! Values under the ids of resources.
//!
//! Ids are random and nobody but this program draws them, so that their own bits spread them evenly over
//! buckets. A look-up touches a few places in memory however many ids there are, where a search tree of
//! a million touches a dozen that no cache holds. Buckets are split one at a time as ids are added
//! (linear hashing), so that no insertion pays for all the others. Nothing walks through a table: its
//! order means nothing.

use alloc::vec::Vec;
use core::mem;

use crate::id::ResourceId;

/// Ids for each bucket, on average.
const LOAD: usize = 8;

/// Values by id.
#[derive(Clone, Debug)]
pub(crate) struct Table<T> {
    /// Once there was a value there is at least one.
    buckets: Vec<Vec<(ResourceId, T)>>,
    len: usize,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            buckets: Vec::new(),
            len: 0,
        }
    }
}

impl<T> Table<T> {
    /// Number of values.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value under an id.
    pub(crate) fn get(&self, id: ResourceId) -> Option<&T> {
        let bucket = self.buckets.get(self.bucket_of(id))?;
        let mut entries = bucket.iter();
        entries
            .find(|(known, _)| *known == id)
            .map(|(_, item)| item)
    }

    /// The value under an id, to be changed.
    pub(crate) fn get_mut(&mut self, id: ResourceId) -> Option<&mut T> {
        let at = self.bucket_of(id);
        let mut entries = self.buckets.get_mut(at)?.iter_mut();
        entries
            .find(|(known, _)| *known == id)
            .map(|(_, item)| item)
    }

    /// Puts a value under an id; gives back what was there.
    pub(crate) fn insert(&mut self, id: ResourceId, item: T) -> Option<T> {
        if let Some(present) = self.get_mut(id) {
            return Some(mem::replace(present, item));
        }
        if self.len >= self.buckets.len().saturating_mul(LOAD) {
            self.split();
        }
        let at = self.bucket_of(id);
        if let Some(bucket) = self.buckets.get_mut(at) {
            bucket.push((id, item));
            self.len = self.len.saturating_add(1);
        }
        None
    }

    /// Takes the value under an id away.
    pub(crate) fn remove(&mut self, id: ResourceId) -> Option<T> {
        let at = self.bucket_of(id);
        let bucket = self.buckets.get_mut(at)?;
        let place = bucket.iter().position(|(known, _)| *known == id)?;
        self.len = self.len.saturating_sub(1);
        Some(bucket.swap_remove(place).1)
    }

    /// Adds a bucket and gives it what belongs there from the one bucket that held it so far.
    fn split(&mut self) {
        let new = self.buckets.len();
        self.buckets.push(Vec::new());
        let from = halved(new, self.buckets.len());
        let Some(from) = self.buckets.get_mut(from) else {
            return;
        };
        for (id, item) in mem::take(from) {
            let at = self.bucket_of(id);
            if let Some(bucket) = self.buckets.get_mut(at) {
                bucket.push((id, item));
            }
        }
    }

    fn bucket_of(&self, id: ResourceId) -> usize {
        let [.., a, b, c, d, e, f, g, h] = *id.as_bytes();
        let bits = usize::from_be_bytes([a, b, c, d, e, f, g, h]);
        let count = self.buckets.len();
        let at = bits & count.next_power_of_two().saturating_sub(1);
        if at < count { at } else { halved(at, count) }
    }
}

/// The bucket that holds what belongs into the one at `at` as long as that is not there.
const fn halved(at: usize, count: usize) -> usize {
    at & (count.next_power_of_two() / 2).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use super::*;

    #[test]
    fn agrees_with_a_map_whatever_is_done_to_it() {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random
        };
        let id = |number: u64| {
            // Spread as random bytes are, and the same again for the same number.
            let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            bytes[8..].copy_from_slice(&(mixed ^ (mixed >> 29)).to_be_bytes());
            ResourceId::from_bytes(bytes)
        };
        let (mut table, mut map) = (Table::default(), BTreeMap::new());
        assert_eq!(table.get(id(0)), None);
        for step in 0..20_000_u64 {
            let id = id(next() % 5000);
            if next() % 3 == 0 {
                assert_eq!(table.remove(id), map.remove(&id));
            } else {
                assert_eq!(table.insert(id, step), map.insert(id, step));
            }
            assert_eq!((table.len(), table.is_empty()), (map.len(), map.is_empty()));
        }
        for number in 0..5000 {
            let id = id(number);
            assert_eq!(table.get(id), map.get(&id));
            assert_eq!(table.get_mut(id), map.get_mut(&id));
        }
        let most = table.buckets.iter().map(Vec::len).max().unwrap();
        assert!(
            table.buckets.len() >= map.len() / LOAD && most < 8 * LOAD,
            "{most}"
        );
    }

    #[test]
    fn ids_that_share_their_bits_are_told_apart() {
        let mut table = Table::default();
        let id = |byte| {
            let mut bytes = [0; 16];
            bytes[0] = byte;
            ResourceId::from_bytes(bytes)
        };
        for byte in 0..200 {
            table.insert(id(byte), byte);
        }
        assert!((0..200).all(|byte| table.get(id(byte)) == Some(&byte)));
        assert_eq!(table.remove(id(7)), Some(7));
        assert_eq!((table.get(id(7)), table.len()), (None, 199));
    }
}
