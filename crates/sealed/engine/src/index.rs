//! Strings under which resources are found.
//!
//! An index holds half of a string's SHA-256 instead of the string: comparing strings would follow a
//! pointer at every step down the tree, and in a large directory each of them is a cache miss. Whoever
//! searches compares the strings of what is found, so that a collision shows nobody else.

use alloc::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use crate::id::ResourceId;

/// Resources by string.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index(BTreeSet<(u128, ResourceId)>);

impl Index {
    /// Lets a resource be found under a string.
    pub(crate) fn insert(&mut self, key: &str, id: ResourceId) {
        self.0.insert((mark(key), id));
    }

    /// Lets a resource no longer be found under a string.
    pub(crate) fn remove(&mut self, key: &str, id: ResourceId) {
        self.0.remove(&(mark(key), id));
    }

    /// All resources under a string, in order of their ids, and perhaps others.
    pub(crate) fn candidates(&self, key: &str) -> impl Iterator<Item = ResourceId> {
        let wanted = mark(key);
        self.0
            .range((wanted, ResourceId::LOWEST)..)
            .take_while(move |(mark, _)| *mark == wanted)
            .map(|(_, id)| *id)
    }
}

fn mark(key: &str) -> u128 {
    let digest: [u8; 32] = Sha256::digest(key).into();
    let mut half = [0; 16];
    for (to, from) in half.iter_mut().zip(digest) {
        *to = from;
    }
    u128::from_be_bytes(half)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn finds_all_under_a_string_and_nobody_under_another() {
        let id = |byte| ResourceId::from_random([byte; 16]);
        let mut index = Index::default();
        let found = |index: &Index, key| index.candidates(key).collect::<Vec<_>>();
        for (key, byte) in [("a", 2), ("b", 3), ("a", 1), ("a", 1)] {
            index.insert(key, id(byte));
        }
        assert_eq!(found(&index, "a"), [id(1), id(2)]);
        assert_eq!(found(&index, "b"), [id(3)]);
        assert_eq!(found(&index, ""), []);
        index.remove("b", id(1));
        index.remove("a", id(1));
        assert_eq!(found(&index, "a"), [id(2)]);
        assert_eq!(found(&index, "b"), [id(3)]);
    }
}
