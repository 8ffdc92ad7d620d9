//! Resources in order of creation, found by number and by rank.
//!
//! Numbers ascend and are handed out once, so nearly every insertion is at the end. Resources stand in
//! blocks: to find a rank is to add up the lengths of blocks, a thousand of them for a million resources,
//! and the last page of a list costs as much as the first. The resources themselves stand here and not
//! their ids: a page looks nobody up.

use alloc::vec::Vec;

/// Most resources in one block.
const BLOCK_MAX: usize = 1024;

/// Resources under ascending numbers.
#[derive(Clone, Debug)]
pub(crate) struct Order<T> {
    /// None of them is empty.
    blocks: Vec<Vec<(u64, T)>>,
}

impl<T> Default for Order<T> {
    fn default() -> Self {
        Self { blocks: Vec::new() }
    }
}

impl<T> Order<T> {
    /// Puts a resource under a number; what stood there is replaced.
    pub(crate) fn insert(&mut self, number: u64, item: T) {
        let at = self.block_of(number);
        let Some(block) = self.blocks.get_mut(at) else {
            // Beyond every block: the last one takes it while it has room.
            match self.blocks.last_mut() {
                Some(last) if last.len() < BLOCK_MAX => last.push((number, item)),
                _ => self.blocks.push(alloc::vec![(number, item)]),
            }
            return;
        };
        match block.binary_search_by_key(&number, |(known, _)| *known) {
            Ok(place) => {
                if let Some(entry) = block.get_mut(place) {
                    *entry = (number, item);
                }
            }
            Err(place) => {
                block.insert(place, (number, item));
                if block.len() > BLOCK_MAX {
                    let upper = block.split_off(BLOCK_MAX / 2);
                    self.blocks.insert(at.saturating_add(1), upper);
                }
            }
        }
    }

    /// Takes the resource under a number away.
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

    /// All resources.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.blocks.iter().flatten().map(|(_, item)| item)
    }

    /// All resources without the first `rank`.
    pub(crate) fn after_rank(&self, rank: usize) -> impl Iterator<Item = &T> {
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
        blocks.flatten().skip(rest).map(|(_, item)| item)
    }

    /// The resources whose number is `number` or higher.
    pub(crate) fn since(&self, number: u64) -> impl Iterator<Item = &T> {
        let blocks = self.blocks.get(self.block_of(number)..).unwrap_or_default();
        let below = blocks.first().map_or(0, |block| below(block, number));
        blocks.iter().flatten().skip(below).map(|(_, item)| item)
    }

    /// The resources whose number is lower than `number`, the highest first.
    pub(crate) fn before(&self, number: u64) -> impl Iterator<Item = &T> {
        let at = self.block_of(number);
        let last = self.blocks.get(at);
        let last = last.and_then(|block| block.get(..below(block, number)));
        let others = self.blocks.get(..at).unwrap_or_default().iter();
        let blocks = others.map(Vec::as_slice).chain(last).rev();
        blocks
            .flat_map(|block| block.iter().rev())
            .map(|(_, item)| item)
    }

    /// The first block whose last number is not below `number`.
    fn block_of(&self, number: u64) -> usize {
        self.blocks
            .partition_point(|block| block.last().is_some_and(|(last, _)| *last < number))
    }
}

/// How many entries of a block have a lower number.
fn below<T>(block: &[(u64, T)], number: u64) -> usize {
    block.partition_point(|(known, _)| *known < number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;

    /// What stands under a number the first time, and the second time something else.
    fn item(number: u64, step: u64) -> [u64; 2] {
        [number, step]
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
            order.insert(number, item(number, step));
            map.insert(number, item(number, step));
        }
        let all: Vec<[u64; 2]> = map.values().copied().collect();
        assert!(order.blocks.len() > 4 && order.blocks.iter().all(|block| !block.is_empty()));
        assert_eq!(order.iter().copied().collect::<Vec<_>>(), all);
        for _ in 0..200 {
            let rank = usize::try_from(next()).unwrap_or(0) % (all.len() + 2);
            let from: Vec<[u64; 2]> = order.after_rank(rank).take(5).copied().collect();
            assert_eq!(
                from,
                all.iter().copied().skip(rank).take(5).collect::<Vec<_>>()
            );
            let number = next() % 60_001;
            let since: Vec<[u64; 2]> = order.since(number).take(5).copied().collect();
            let wanted = map.range(number..).map(|(_, item)| *item);
            assert_eq!(since, wanted.take(5).collect::<Vec<_>>());
            let before: Vec<[u64; 2]> = order.before(number).take(5).copied().collect();
            let wanted = map.range(..number).rev().map(|(_, item)| *item);
            assert_eq!(before, wanted.take(5).collect::<Vec<_>>());
        }
    }

    #[test]
    fn ascending_numbers_fill_whole_blocks() {
        let mut order = Order::default();
        for number in 0..5000 {
            order.insert(number, number);
        }
        assert_eq!(order.blocks.len(), 5000_usize.div_ceil(BLOCK_MAX));
    }
}
