//! The Merkle tree of [RFC 6962 section 2.1](https://www.rfc-editor.org/rfc/rfc6962.html#section-2.1):
//! an append-only tree in memory, and the checks of its proofs by
//! [RFC 9162 section 2.1](https://www.rfc-editor.org/rfc/rfc9162.html#section-2.1).

use alloc::vec::Vec;

use crate::Error;
use crate::Hash;
use crate::node_hash;

/// Largest tree size: C2SP sizes and times stay below 2^63, so that they fit a signed integer.
pub const TREE_SIZE_MAX: u64 = (1 << 63) - 1;

/// Most hashes that a proof of a tree of at most [`TREE_SIZE_MAX`] leaves can need.
pub const PROOF_HASHES_MAX: usize = 63;

/// An append-only tree that keeps the root of every complete subtree: two hashes per leaf.
///
/// Appending costs one node hash on average; roots and proofs cost O(log n).
#[derive(Debug, Clone, Default)]
pub struct MerkleTree {
    /// `levels[l][i]` is the root of the leaves `i * 2^l .. (i + 1) * 2^l`.
    levels: Vec<Vec<Hash>>,
}

impl MerkleTree {
    /// The tree without leaves.
    #[must_use]
    pub const fn new() -> Self {
        Self { levels: Vec::new() }
    }

    /// Adds a leaf hash and returns its index.
    pub fn append(&mut self, leaf: Hash) -> u64 {
        let index = self.size();
        let mut hash = leaf;
        for level in &mut self.levels {
            level.push(hash);
            match level.as_slice() {
                [.., left, right] if level.len().is_multiple_of(2) => {
                    hash = node_hash(left, right);
                }
                _ => return index,
            }
        }
        self.levels.push(alloc::vec![hash]);
        index
    }

    /// Number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| {
            // A vector of 32-byte hashes holds fewer than 2^59 of them.
            u64::try_from(leaves.len()).unwrap_or(TREE_SIZE_MAX)
        })
    }

    /// Root of the whole tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.range(0, self.size()).unwrap_or(Hash::EMPTY_ROOT)
    }

    /// Root of the first `size` leaves.
    ///
    /// # Errors
    /// [`Error::SizeOutOfRange`] if the tree is smaller.
    pub fn root_at(&self, size: u64) -> Result<Hash, Error> {
        if size == 0 {
            return Ok(Hash::EMPTY_ROOT);
        }
        self.range(0, size).ok_or(Error::SizeOutOfRange)
    }

    /// Hash of one leaf, if there is one.
    #[must_use]
    pub fn leaf(&self, index: u64) -> Option<Hash> {
        self.subtree(0, index)
    }

    /// Root of the complete subtree of `2^level` leaves that starts at `index * 2^level`.
    #[must_use]
    pub fn subtree(&self, level: u32, index: u64) -> Option<Hash> {
        let nodes = self.levels.get(usize::try_from(level).ok()?)?;
        nodes.get(usize::try_from(index).ok()?).copied()
    }

    /// The audit path of leaf `index` in the tree of the first `size` leaves, leaf side first.
    ///
    /// # Errors
    /// [`Error::SizeOutOfRange`] or [`Error::IndexOutOfRange`].
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, Error> {
        if size > self.size() {
            return Err(Error::SizeOutOfRange);
        }
        if index >= size {
            return Err(Error::IndexOutOfRange);
        }
        let mut path = Vec::new();
        let (mut low, mut high) = (0, size);
        while let Some(middle) = split(low, high) {
            if index < middle {
                path.push(self.range(middle, high).ok_or(Error::SizeOutOfRange)?);
                high = middle;
            } else {
                path.push(self.range(low, middle).ok_or(Error::SizeOutOfRange)?);
                low = middle;
            }
        }
        path.reverse();
        Ok(path)
    }

    /// The proof that the first `old` leaves are the beginning of the first `new` leaves; empty
    /// if `old` is zero or equals `new`.
    ///
    /// # Errors
    /// [`Error::SizeOutOfRange`] if `old > new` or the tree is smaller than `new`.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, Error> {
        if old > new || new > self.size() {
            return Err(Error::SizeOutOfRange);
        }
        let mut proof = Vec::new();
        if old == 0 || old == new {
            return Ok(proof);
        }
        let (mut low, mut high) = (0, new);
        while old != high {
            let middle = split(low, high).ok_or(Error::SizeOutOfRange)?;
            if old <= middle {
                proof.push(self.range(middle, high).ok_or(Error::SizeOutOfRange)?);
                high = middle;
            } else {
                proof.push(self.range(low, middle).ok_or(Error::SizeOutOfRange)?);
                low = middle;
            }
        }
        if low != 0 {
            proof.push(self.range(low, high).ok_or(Error::SizeOutOfRange)?);
        }
        proof.reverse();
        Ok(proof)
    }

    /// Root of the leaves `low .. high`, where `low` is aligned as a split of the tree leaves it;
    /// none if the range is empty or ends outside the tree.
    fn range(&self, low: u64, high: u64) -> Option<Hash> {
        let mut complete = Vec::new();
        let mut start = low;
        while start < high {
            let level = high.checked_sub(start)?.checked_ilog2()?;
            complete.push(self.subtree(level, start.checked_shr(level)?)?);
            start = start.checked_add(1_u64.checked_shl(level)?)?;
        }
        let last = complete.pop()?;
        Some(
            complete
                .iter()
                .rev()
                .fold(last, |right, left| node_hash(left, &right)),
        )
    }
}

/// Where RFC 6962 divides the range: `low` plus the largest power of two below its length.
fn split(low: u64, high: u64) -> Option<u64> {
    let level = high.checked_sub(low)?.checked_sub(1)?.checked_ilog2()?;
    low.checked_add(1_u64.checked_shl(level)?)
}

/// Checks that `leaf` is leaf number `index` of the tree of `size` leaves under `root`
/// (RFC 9162 section 2.1.3.2).
///
/// # Errors
/// [`Error::TreeTooLarge`], [`Error::IndexOutOfRange`], [`Error::ProofLength`] or
/// [`Error::RootMismatch`].
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), Error> {
    if size > TREE_SIZE_MAX {
        return Err(Error::TreeTooLarge);
    }
    if index >= size {
        return Err(Error::IndexOutOfRange);
    }
    let mut node = index;
    let mut last = size.saturating_sub(1);
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return Err(Error::ProofLength);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            skip_lone_ancestors(&mut node, &mut last);
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(Error::ProofLength);
    }
    if hash == *root {
        Ok(())
    } else {
        Err(Error::RootMismatch)
    }
}

/// On the right border a node without sibling is its parent: climb until there is a sibling.
const fn skip_lone_ancestors(node: &mut u64, last: &mut u64) {
    if *node & 1 == 0 {
        while *node & 1 == 0 && *node != 0 {
            *node >>= 1;
            *last >>= 1;
        }
    }
}

/// Checks that the tree of `old` leaves under `old_root` is the beginning of the tree of `new`
/// leaves under `new_root` (RFC 9162 section 2.1.4.2).
///
/// The empty tree is the beginning of every tree: its root must be the empty one and the proof
/// must be empty. Equal sizes need equal roots and an empty proof.
///
/// # Errors
/// [`Error::TreeTooLarge`], [`Error::SizeOutOfRange`], [`Error::EmptyRootMismatch`],
/// [`Error::ProofLength`] or [`Error::RootMismatch`].
pub fn verify_consistency(
    old: u64,
    old_root: &Hash,
    new: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), Error> {
    if new > TREE_SIZE_MAX {
        return Err(Error::TreeTooLarge);
    }
    if old > new {
        return Err(Error::SizeOutOfRange);
    }
    for (size, root) in [(old, old_root), (new, new_root)] {
        if size == 0 && *root != Hash::EMPTY_ROOT {
            return Err(Error::EmptyRootMismatch);
        }
    }
    if old == 0 || old == new {
        return match (proof, old == new && old_root != new_root) {
            ([], false) => Ok(()),
            ([], true) => Err(Error::RootMismatch),
            _ => Err(Error::ProofLength),
        };
    }
    verify_growth(old, old_root, new, new_root, proof)
}

/// The general case `0 < old < new`.
fn verify_growth(
    old: u64,
    old_root: &Hash,
    new: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), Error> {
    let mut node = old.saturating_sub(1);
    let mut last = new.saturating_sub(1);
    let complete = node.trailing_ones();
    node >>= complete;
    last >>= complete;
    // If `old` is a power of two, its root is itself the first node of the proof and is left out.
    let (mut first, rest) = if node == 0 {
        (*old_root, proof)
    } else {
        let (first, rest) = proof.split_first().ok_or(Error::ProofLength)?;
        (*first, rest)
    };
    let mut second = first;
    for sibling in rest {
        if last == 0 {
            return Err(Error::ProofLength);
        }
        if node & 1 == 1 || node == last {
            first = node_hash(sibling, &first);
            second = node_hash(sibling, &second);
            skip_lone_ancestors(&mut node, &mut last);
        } else {
            second = node_hash(&second, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(Error::ProofLength);
    }
    if first == *old_root && second == *new_root {
        Ok(())
    } else {
        Err(Error::RootMismatch)
    }
}
