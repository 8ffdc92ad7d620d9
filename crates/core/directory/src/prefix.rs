//! The key directory's prefix tree, with the hashing of IETF KEYTRANS (trust-log section 3.3).
//!
//! A leaf is `H(0x02 || key || value)`, a parent `H(0x03 || left || right)`, a missing child 32 zero
//! bytes, and a leaf sits at the shallowest prefix that no other key shares. Bit 0 of a key is the
//! most significant bit of its first byte; 0 goes left. The root of an empty tree is 32 zero bytes,
//! that of a single key its leaf hash.
//!
//! Nodes live in two arenas and name each other by 32-bit index: 40 bytes per parent, 68 per leaf,
//! about 1.44 parents per leaf for hashed keys. A change only marks its path stale; [`PrefixTree::root`]
//! hashes each stale node once, so that a batch shares the upper levels. Nothing here recurses.

mod proof;
#[cfg(test)]
mod tests;

pub use proof::{Lookup, PrefixProof, ProofError, Terminal};

use alloc::vec::Vec;

use crate::arena::Arena;
use crate::digest::{Digest, domain, sha256};

/// Longest path: one step per key bit.
pub const DEPTH_MAX: usize = 256;

/// What a child reference names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Child {
    Empty,
    Leaf(u32),
    Parent(u32),
}

/// A child reference in 32 bits: the top bit tells leaves, all ones is "missing".
#[derive(Clone, Copy, PartialEq, Eq)]
struct Link(u32);

const LEAF_BIT: u32 = 1 << 31;

impl Link {
    const EMPTY: Self = Self(u32::MAX);

    const fn leaf(index: u32) -> Self {
        Self(index | LEAF_BIT)
    }

    const fn parent(index: u32) -> Self {
        Self(index)
    }

    const fn child(self) -> Child {
        if self.0 == u32::MAX {
            Child::Empty
        } else if self.0 & LEAF_BIT != 0 {
            Child::Leaf(self.0 & !LEAF_BIT)
        } else {
            Child::Parent(self.0)
        }
    }
}

#[derive(Clone)]
struct Leaf {
    key: [u8; 32],
    value: Digest,
    tag: u32,
}

impl Leaf {
    fn hash(&self) -> Digest {
        leaf_hash(&self.key, &self.value)
    }
}

/// A parent; a zero hash means "stale" (no SHA-256 output is zero in any run of this code).
#[derive(Clone)]
struct Parent {
    left: Link,
    right: Link,
    hash: Digest,
}

impl Parent {
    const fn side(&self, right: bool) -> Link {
        if right { self.right } else { self.left }
    }

    const fn set_side(&mut self, right: bool, link: Link) {
        if right {
            self.right = link;
        } else {
            self.left = link;
        }
    }
}

/// Hash of a leaf.
pub(crate) fn leaf_hash(key: &[u8; 32], value: &Digest) -> Digest {
    hash_pair(domain::PREFIX_LEAF, key, &value.0)
}

/// Hash of a parent.
pub(crate) fn parent_hash(left: &Digest, right: &Digest) -> Digest {
    hash_pair(domain::PREFIX_PARENT, &left.0, &right.0)
}

/// `H(domain || first || second)`, from one buffer: the hot path of every batch.
fn hash_pair(domain: u8, first: &[u8; 32], second: &[u8; 32]) -> Digest {
    let mut bytes = [domain; 65];
    let (_, pair) = bytes.split_at_mut(1);
    let (left, right) = pair.split_at_mut(32);
    left.copy_from_slice(first);
    right.copy_from_slice(second);
    sha256(&[&bytes])
}

/// Bit `depth` of `key`, most significant first.
pub(crate) fn key_bit(key: &[u8; 32], depth: usize) -> bool {
    key.get(depth / 8)
        .is_some_and(|byte| byte & (0x80_u8 >> (depth % 8)) != 0)
}

/// Number of leading bits that two keys share.
pub(crate) fn shared_bits(a: &[u8; 32], b: &[u8; 32]) -> usize {
    let mut bits = 0_usize;
    for (x, y) in a.iter().zip(b) {
        let differing = x ^ y;
        if differing != 0 {
            return bits.saturating_add(usize::try_from(differing.leading_zeros()).unwrap_or(8));
        }
        bits = bits.saturating_add(8);
    }
    bits
}

/// The tag of a leaf whose owner keeps no record beside the tree.
pub(crate) const TAG_NONE: u32 = u32::MAX;

/// An in-memory prefix tree from 32-byte keys to digests.
#[derive(Clone)]
pub struct PrefixTree {
    root: Link,
    parents: Arena<Parent>,
    leaves: Arena<Leaf>,
}

impl core::fmt::Debug for PrefixTree {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PrefixTree")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl Default for PrefixTree {
    fn default() -> Self {
        Self::new()
    }
}

/// The tree holds 2^30 leaves or would need more nodes than an index can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeFull;

impl core::fmt::Display for TreeFull {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("prefix tree is full")
    }
}

impl core::error::Error for TreeFull {}

impl PrefixTree {
    /// An empty tree.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            root: Link::EMPTY,
            parents: Arena::new(),
            leaves: Arena::new(),
        }
    }

    /// Number of keys.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.leaves.len()
    }

    /// Whether the tree has no key.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether another key fits, whatever its path.
    pub(crate) const fn has_room(&self) -> bool {
        self.has_room_for(1)
    }

    /// Whether `keys` more keys fit, whatever their paths.
    pub(crate) const fn has_room_for(&self, keys: usize) -> bool {
        self.parents.has_room(keys.saturating_mul(DEPTH_MAX)) && self.leaves.has_room(keys)
    }

    /// Bytes that the tree has allocated.
    #[must_use]
    pub const fn memory_bytes(&self) -> usize {
        self.parents
            .memory_bytes()
            .saturating_add(self.leaves.memory_bytes())
    }

    /// Sets `key` to `value`; gives the value that stood there before.
    ///
    /// # Errors
    /// [`TreeFull`], with the tree unchanged.
    pub fn set(&mut self, key: [u8; 32], value: Digest) -> Result<Option<Digest>, TreeFull> {
        self.set_tagged(key, value, TAG_NONE)
    }

    /// Sets `key` to `value` and keeps `tag`, the owner's own index, beside it; the tag is not hashed.
    pub(crate) fn set_tagged(
        &mut self,
        key: [u8; 32],
        value: Digest,
        tag: u32,
    ) -> Result<Option<Digest>, TreeFull> {
        // Room for the longest split is checked first, so that a refusal leaves the tree as it was.
        if !self.has_room() {
            return Err(TreeFull);
        }
        let mut above = None;
        let mut link = self.root;
        let mut depth = 0_usize;
        loop {
            match link.child() {
                Child::Parent(index) => {
                    let right = key_bit(&key, depth);
                    let parent = self.parents.at_mut(index);
                    parent.hash = Digest::ZERO;
                    link = parent.side(right);
                    above = Some((index, right));
                    depth = depth.saturating_add(1);
                }
                Child::Leaf(index) if self.leaves.at(index).key == key => {
                    let leaf = self.leaves.at_mut(index);
                    leaf.tag = tag;
                    return Ok(Some(core::mem::replace(&mut leaf.value, value)));
                }
                Child::Leaf(index) => {
                    let other_key = self.leaves.at(index).key;
                    let placed = Link::leaf(self.leaves.insert(Leaf { key, value, tag }));
                    let top = self.split(placed, &key, (link, &other_key), depth);
                    self.relink(above, top);
                    return Ok(None);
                }
                Child::Empty => {
                    let placed = Link::leaf(self.leaves.insert(Leaf { key, value, tag }));
                    self.relink(above, placed);
                    return Ok(None);
                }
            }
        }
    }

    /// Makes the parents from `depth` down to the bit at which two leaves part; gives the topmost.
    fn split(
        &mut self,
        new: Link,
        key: &[u8; 32],
        (old, old_key): (Link, &[u8; 32]),
        depth: usize,
    ) -> Link {
        let fork = shared_bits(key, old_key);
        let (left, right) = if key_bit(key, fork) {
            (old, new)
        } else {
            (new, old)
        };
        let stale = Digest::ZERO;
        let mut top = Link::parent(self.parents.insert(Parent {
            left,
            right,
            hash: stale,
        }));
        for level in (depth..fork).rev() {
            let (left, right) = if key_bit(key, level) {
                (Link::EMPTY, top)
            } else {
                (top, Link::EMPTY)
            };
            top = Link::parent(self.parents.insert(Parent {
                left,
                right,
                hash: stale,
            }));
        }
        top
    }

    /// Hangs `link` under the parent `above`, or makes it the root.
    fn relink(&mut self, above: Option<(u32, bool)>, link: Link) {
        match above {
            Some((index, right)) => self.parents.at_mut(index).set_side(right, link),
            None => self.root = link,
        }
    }

    /// Removes `key`; gives the value that stood there.
    pub fn remove(&mut self, key: &[u8; 32]) -> Option<Digest> {
        let mut path: Vec<(u32, bool)> = Vec::new();
        let mut link = self.root;
        let leaf_index = loop {
            match link.child() {
                Child::Parent(index) => {
                    let right = key_bit(key, path.len());
                    path.push((index, right));
                    link = self.parents.at(index).side(right);
                }
                Child::Leaf(index) if self.leaves.at(index).key == *key => break index,
                Child::Leaf(_) | Child::Empty => return None,
            }
        };
        for (index, _) in &path {
            self.parents.at_mut(*index).hash = Digest::ZERO;
        }
        let value = self.leaves.at(leaf_index).value;
        self.leaves.remove(leaf_index);
        self.lift(&mut path);
        Some(value)
    }

    /// After a removal under the last parent of `path`: a leaf that is now alone under its parent
    /// moves up to the shallowest prefix that is its own.
    fn lift(&mut self, path: &mut Vec<(u32, bool)>) {
        let mut hanging = Link::EMPTY;
        while let Some((index, right)) = path.pop() {
            let sibling = self.parents.at(index).side(!right);
            let alone = match (hanging.child(), sibling.child()) {
                (Child::Empty, Child::Leaf(_)) => sibling,
                (Child::Leaf(_), Child::Empty) => hanging,
                _ => {
                    self.parents.at_mut(index).set_side(right, hanging);
                    return;
                }
            };
            self.parents.remove(index);
            hanging = alone;
        }
        self.root = hanging;
    }

    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &[u8; 32]) -> Option<Digest> {
        self.find(key).map(|leaf| leaf.value)
    }

    /// The tag that was set with `key`.
    pub(crate) fn tag(&self, key: &[u8; 32]) -> Option<u32> {
        self.find(key).map(|leaf| leaf.tag)
    }

    fn find(&self, key: &[u8; 32]) -> Option<&Leaf> {
        let mut link = self.root;
        let mut depth = 0_usize;
        loop {
            match link.child() {
                Child::Parent(index) => {
                    link = self.parents.at(index).side(key_bit(key, depth));
                    depth = depth.saturating_add(1);
                }
                Child::Leaf(index) => {
                    let leaf = self.leaves.at(index);
                    return (leaf.key == *key).then_some(leaf);
                }
                Child::Empty => return None,
            }
        }
    }

    /// The root hash, after hashing what changed since the last call.
    pub fn root(&mut self) -> Digest {
        let mut stack: Vec<u32> = Vec::new();
        if let Some(index) = self.stale(self.root) {
            stack.push(index);
        }
        while let Some(index) = stack.last().copied() {
            let (left, right) = {
                let parent = self.parents.at(index);
                (parent.left, parent.right)
            };
            if let Some(below) = self.stale(left).or_else(|| self.stale(right)) {
                stack.push(below);
                continue;
            }
            let hash = parent_hash(&self.link_hash(left), &self.link_hash(right));
            self.parents.at_mut(index).hash = hash;
            stack.pop();
        }
        self.link_hash(self.root)
    }

    /// The parent behind `link`, if it must be hashed again.
    fn stale(&self, link: Link) -> Option<u32> {
        match link.child() {
            Child::Parent(index) if self.parents.at(index).hash.is_zero() => Some(index),
            Child::Parent(_) | Child::Leaf(_) | Child::Empty => None,
        }
    }

    /// The hash of a link whose parents are not stale.
    fn link_hash(&self, link: Link) -> Digest {
        match link.child() {
            Child::Empty => Digest::ZERO,
            Child::Leaf(index) => self.leaves.at(index).hash(),
            Child::Parent(index) => self.parents.at(index).hash,
        }
    }

    /// Proves what the tree says about `key`: its value, or that it has none.
    pub fn prove(&mut self, key: &[u8; 32]) -> PrefixProof {
        self.root();
        let mut siblings = Vec::new();
        let mut link = self.root;
        loop {
            match link.child() {
                Child::Parent(index) => {
                    let right = key_bit(key, siblings.len());
                    let parent = self.parents.at(index);
                    siblings.push(self.link_hash(parent.side(!right)));
                    link = parent.side(right);
                }
                Child::Leaf(index) => {
                    let leaf = self.leaves.at(index);
                    let terminal = if leaf.key == *key {
                        Terminal::Present { value: leaf.value }
                    } else {
                        Terminal::OtherLeaf {
                            key: leaf.key,
                            value: leaf.value,
                        }
                    };
                    return PrefixProof { terminal, siblings };
                }
                Child::Empty => {
                    return PrefixProof {
                        terminal: Terminal::Missing,
                        siblings,
                    };
                }
            }
        }
    }

    /// Every key with its value, in ascending order of keys.
    #[must_use]
    pub fn to_vec(&self) -> Vec<([u8; 32], Digest)> {
        let mut found = Vec::with_capacity(self.len());
        let mut stack = alloc::vec![self.root];
        while let Some(link) = stack.pop() {
            match link.child() {
                Child::Empty => {}
                Child::Leaf(index) => {
                    let leaf = self.leaves.at(index);
                    found.push((leaf.key, leaf.value));
                }
                Child::Parent(index) => {
                    let parent = self.parents.at(index);
                    stack.push(parent.right);
                    stack.push(parent.left);
                }
            }
        }
        found
    }
}
