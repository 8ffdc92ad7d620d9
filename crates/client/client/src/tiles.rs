//! Consistency proofs from the log's public tiles ([C2SP tlog-tiles](https://c2sp.org/tlog-tiles)).
//!
//! Pure: it says which tiles are needed and computes the proof from their bytes. Nothing here is
//! believed; `chancery-session` verifies the proof against both roots.

use std::collections::BTreeMap;

use chancery_tlog::tile::{TileCoordinate, TileKind, tile_width};
use chancery_tlog::{Hash, node_hash};

/// Levels of the tree in one tile.
const TILE_HEIGHT: u32 = 8;

/// Bytes of a hash.
const HASH_SIZE: usize = 32;

/// The root of `2^level` leaves that begin at `index * 2^level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Subtree {
    level: u32,
    index: u64,
}

/// Where a subtree's hash comes from: so many hashes of a tile, from one on.
#[derive(Debug)]
struct Place {
    tile: TileCoordinate,
    first: usize,
    count: usize,
}

/// The tiles of the tree of `new` leaves that prove that it extends the tree of `old` leaves; none if
/// the sizes are out of range.
pub(crate) fn needed(old: u64, new: u64) -> Option<Vec<TileCoordinate>> {
    let mut tiles: BTreeMap<String, TileCoordinate> = BTreeMap::new();
    for (low, high) in proof_ranges(old, new)? {
        for subtree in subtrees(low, high)? {
            let tile = place(subtree, new)?.tile;
            tiles.insert(tile.to_string(), tile);
        }
    }
    Some(tiles.into_values().collect())
}

/// The consistency proof (RFC 9162, section 2.1.4) from the bytes of the needed tiles, by path; none
/// if one is missing or has another length than its width.
pub(crate) fn proof(old: u64, new: u64, tiles: &BTreeMap<String, Vec<u8>>) -> Option<Vec<Hash>> {
    proof_ranges(old, new)?
        .into_iter()
        .map(|(low, high)| {
            let mut hashes = subtrees(low, high)?
                .into_iter()
                .map(|subtree| hash(subtree, new, tiles))
                .collect::<Option<Vec<_>>>()?
                .into_iter()
                .rev();
            let last = hashes.next()?;
            Some(hashes.fold(last, |right, left| node_hash(&left, &right)))
        })
        .collect()
}

/// The ranges of leaves whose roots are the proof, in its order.
fn proof_ranges(old: u64, new: u64) -> Option<Vec<(u64, u64)>> {
    if old == 0 || old >= new {
        return None;
    }
    let mut ranges = Vec::new();
    let (mut low, mut high) = (0, new);
    while old != high {
        let middle = split(low, high)?;
        if old <= middle {
            ranges.push((middle, high));
            high = middle;
        } else {
            ranges.push((low, middle));
            low = middle;
        }
    }
    if low != 0 {
        ranges.push((low, high));
    }
    ranges.reverse();
    Some(ranges)
}

/// Where RFC 6962 divides a range: `low` plus the largest power of two below its length.
fn split(low: u64, high: u64) -> Option<u64> {
    let level = high.checked_sub(low)?.checked_sub(1)?.checked_ilog2()?;
    low.checked_add(1_u64.checked_shl(level)?)
}

/// The complete subtrees that make up a range, from left to right.
fn subtrees(low: u64, high: u64) -> Option<Vec<Subtree>> {
    let mut parts = Vec::new();
    let mut start = low;
    while start < high {
        let level = high.checked_sub(start)?.checked_ilog2()?;
        parts.push(Subtree {
            level,
            index: start.checked_shr(level)?,
        });
        start = start.checked_add(1_u64.checked_shl(level)?)?;
    }
    Some(parts)
}

fn place(subtree: Subtree, size: u64) -> Option<Place> {
    let tile_level = u8::try_from(subtree.level / TILE_HEIGHT).ok()?;
    let height = subtree.level % TILE_HEIGHT;
    // Aligned and at most 128 hashes, so that they never straddle two tiles.
    let start = subtree.index.checked_shl(height)?;
    let tile_index = start >> TILE_HEIGHT;
    let width = tile_width(tile_level, tile_index, size)?;
    let tile = TileCoordinate::new(TileKind::Hashes(tile_level), tile_index, width).ok()?;
    Some(Place {
        tile,
        first: usize::try_from(start & 0xFF).ok()?,
        count: 1_usize.checked_shl(height)?,
    })
}

fn hash(subtree: Subtree, size: u64, tiles: &BTreeMap<String, Vec<u8>>) -> Option<Hash> {
    let Place { tile, first, count } = place(subtree, size)?;
    let bytes = tiles.get(&tile.to_string())?;
    let (hashes, rest) = bytes.as_chunks::<HASH_SIZE>();
    if !rest.is_empty() || hashes.len() != usize::from(tile.width()) {
        return None;
    }
    let hashes = hashes.get(first..first.checked_add(count)?)?;
    let mut level: Vec<Hash> = hashes.iter().copied().map(Hash).collect();
    while level.len() > 1 {
        let (pairs, _) = level.as_chunks::<2>();
        level = pairs
            .iter()
            .map(|[left, right]| node_hash(left, right))
            .collect();
    }
    level.first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_tlog::{MerkleTree, leaf_hash, verify_consistency};

    fn tree(size: u64) -> MerkleTree {
        let mut tree = MerkleTree::new();
        for index in 0..size {
            tree.append(leaf_hash(&index.to_be_bytes()));
        }
        tree
    }

    /// The tiles as a server of the tree of `size` leaves has them.
    fn served(tree: &MerkleTree, tiles: &[TileCoordinate]) -> BTreeMap<String, Vec<u8>> {
        tiles
            .iter()
            .map(|tile| (tile.to_string(), tree.tile(tile).unwrap()))
            .collect()
    }

    #[test]
    fn makes_the_same_proof_as_the_whole_tree() {
        let sizes = [1, 2, 3, 7, 8, 127, 255, 256, 257, 300, 511, 512, 513, 1000];
        for new in sizes {
            let tree = tree(new);
            for old in sizes.into_iter().filter(|old| *old < new) {
                let tiles = served(&tree, &needed(old, new).unwrap());
                let proof = proof(old, new, &tiles).unwrap();
                assert_eq!(proof, tree.consistency(old, new).unwrap(), "{old} -> {new}");
                let (old_root, new_root) = (tree.root_at(old).unwrap(), tree.root());
                assert_eq!(
                    verify_consistency(old, &old_root, new, &new_root, &proof),
                    Ok(())
                );
            }
        }
    }

    #[test]
    fn asks_for_few_tiles_of_a_large_tree() {
        let tiles = needed(1_000_000, 1_000_001).unwrap();
        assert!(tiles.len() <= 12, "{}", tiles.len());
        assert!(needed(1, (1 << 63) - 1).unwrap().len() <= 64);
    }

    #[test]
    fn makes_no_proof_of_missing_or_mutilated_tiles() {
        let tree = tree(300);
        let tiles = served(&tree, &needed(200, 300).unwrap());
        for path in tiles.keys() {
            let mut fewer = tiles.clone();
            fewer.remove(path);
            assert_eq!(proof(200, 300, &fewer), None);
            for change in [-1_i32, 1, 32] {
                let mut changed = tiles.clone();
                let bytes = changed.get_mut(path).unwrap();
                match change {
                    -1 => drop(bytes.pop()),
                    more => bytes.extend(vec![0; usize::try_from(more).unwrap()]),
                }
                assert_eq!(proof(200, 300, &changed), None);
            }
        }
    }

    #[test]
    fn has_no_proof_for_sizes_that_do_not_grow() {
        for (old, new) in [(0, 1), (1, 1), (2, 1), (0, 0)] {
            assert_eq!(needed(old, new), None);
        }
    }
}
