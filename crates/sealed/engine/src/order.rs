//! Ids in order of creation, found by number and by rank.
//!
//! Numbers ascend and are handed out once, so nearly every insertion is at the end. Ids stand in blocks:
//! to find a rank is to add up the lengths of blocks, a thousand of them for a million ids, and the last
//! page of a list costs as much as the first.

use alloc::vec::Vec;

use crate::id::ResourceId;

/// Most ids in one block.
const BLOCK_MAX: usize = 1024;

/// Ids under ascending numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Order {
    /// None of them is empty.
    blocks: Vec<Vec<(u64, ResourceId)>>,
}

impl Order {
    /// Puts an id under a number; what stood there is replaced.
    pub(crate) fn insert(&mut self, number: u64, id: ResourceId) {
        let at = self.block_of(number);
        let Some(block) = self.blocks.get_mut(at) else {
            // Beyond every block: the last one takes it while it has room.
            match self.blocks.last_mut() {
                Some(last) if last.len() < BLOCK_MAX => last.push((number, id)),
                _ => self.blocks.push(alloc::vec![(number, id)]),
            }
            return;
        };
        match block.binary_search_by_key(&number, |(known, _)| *known) {
            Ok(place) => {
                if let Some(entry) = block.get_mut(place) {
                    *entry = (number, id);
                }
            }
            Err(place) => {
                block.insert(place, (number, id));
                if block.len() > BLOCK_MAX {
                    let upper = block.split_off(BLOCK_MAX / 2);
                    self.blocks.insert(at.saturating_add(1), upper);
                }
            }
        }
    }

    /// Takes the id under a number away.
    pub(crate) fn remove(&mut self, number: u64) {
        let at = self.block_of(number);
        let Some(block) = self.blocks.get_mut(at) else {
            return;
        };
        if let Ok(place) = block.binary_search_by_key(&number, |(known, _)| *known) {
            block.remove(place);
            if block.is_empty() {
                self.blocks.remove(at);
            }
        }
    }

    /// All ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = ResourceId> {
        self.blocks.iter().flatten().map(|(_, id)| *id)
    }

    /// All ids without the first `rank`.
    pub(crate) fn after_rank(&self, rank: usize) -> impl Iterator<Item = ResourceId> {
        let mut at = 0;
        let mut rest = rank;
        for block in &self.blocks {
            if rest < block.len() {
                break;
            }
            rest = rest.saturating_sub(block.len());
            at = usize::saturating_add(at, 1);
        }
        let blocks = self.blocks.get(at..).unwrap_or_default().iter();
        blocks.flatten().skip(rest).map(|(_, id)| *id)
    }

    /// The ids whose number is `number` or higher.
    pub(crate) fn since(&self, number: u64) -> impl Iterator<Item = ResourceId> {
        let blocks = self.blocks.get(self.block_of(number)..).unwrap_or_default();
        let below = blocks.first().map_or(0, |block| below(block, number));
        blocks.iter().flatten().skip(below).map(|(_, id)| *id)
    }

    /// The ids whose number is lower than `number`, the highest first.
    pub(crate) fn before(&self, number: u64) -> impl Iterator<Item = ResourceId> {
        let at = self.block_of(number);
        let last = self.blocks.get(at);
        let last = last.and_then(|block| block.get(..below(block, number)));
        let others = self.blocks.get(..at).unwrap_or_default().iter();
        let blocks = others.map(Vec::as_slice).chain(last).rev();
        blocks
            .flat_map(|block| block.iter().rev())
            .map(|(_, id)| *id)
    }

    /// The first block whose last number is not below `number`.
    fn block_of(&self, number: u64) -> usize {
        self.blocks
            .partition_point(|block| block.last().is_some_and(|(last, _)| *last < number))
    }
}

/// How many entries of a block have a lower number.
fn below(block: &[(u64, ResourceId)], number: u64) -> usize {
    block.partition_point(|(known, _)| *known < number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;

    fn id(number: u64) -> ResourceId {
        let mut bytes = [0; 16];
        bytes[8..].copy_from_slice(&number.to_be_bytes());
        ResourceId::from_random(bytes)
    }

    #[test]
    fn agrees_with_a_map_whatever_is_done_to_it() {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random
        };
        let (mut order, mut map) = (Order::default(), BTreeMap::new());
        for step in 0..20_000_u64 {
            let number = match next() % 4 {
                // Mostly at the end, as creation does it.
                0 | 1 => step * 3,
                2 => next() % (step * 3 + 1),
                _ => {
                    let number = next() % (step * 3 + 1);
                    order.remove(number);
                    map.remove(&number);
                    continue;
                }
            };
            order.insert(number, id(number));
            map.insert(number, id(number));
        }
        let all: Vec<ResourceId> = map.values().copied().collect();
        assert!(order.blocks.len() > 4 && order.blocks.iter().all(|block| !block.is_empty()));
        assert_eq!(order.iter().collect::<Vec<_>>(), all);
        for _ in 0..200 {
            let rank = usize::try_from(next()).unwrap_or(0) % (all.len() + 2);
            let from: Vec<ResourceId> = order.after_rank(rank).take(5).collect();
            assert_eq!(
                from,
                all.iter().copied().skip(rank).take(5).collect::<Vec<_>>()
            );
            let number = next() % 60_001;
            let since: Vec<ResourceId> = order.since(number).take(5).collect();
            let wanted = map.range(number..).map(|(_, id)| *id);
            assert_eq!(since, wanted.take(5).collect::<Vec<_>>());
            let before: Vec<ResourceId> = order.before(number).take(5).collect();
            let wanted = map.range(..number).rev().map(|(_, id)| *id);
            assert_eq!(before, wanted.take(5).collect::<Vec<_>>());
        }
    }

    #[test]
    fn ascending_numbers_fill_whole_blocks() {
        let mut order = Order::default();
        for number in 0..5000 {
            order.insert(number, id(number));
        }
        assert_eq!(order.blocks.len(), 5000_usize.div_ceil(BLOCK_MAX));
    }
}
