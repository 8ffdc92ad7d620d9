//! The deployment's public root log: the tree, and the key that signs its heads.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use chancery_sealing::Key;
use chancery_tlog::tile::{TileCoordinate, TileKind, encode_entry_bundle};
use chancery_tlog::{Checkpoint, Hash, MerkleTree, SignerKey, TreeHead, VerifierKey, leaf_hash};

/// Why a head was not signed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RootLogError {
    /// The origin or the key name is not one that C2SP allows.
    Origin,
    /// This instance has signed another root of the same size, or a larger size (I19).
    WouldEquivocate,
    /// A proof over sizes that the tree does not have.
    Size,
}

impl fmt::Display for RootLogError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Origin => "the log's origin is not a valid name",
            Self::WouldEquivocate => "signing this head would contradict an earlier one",
            Self::Size => "the log has no such size",
        })
    }
}

impl core::error::Error for RootLogError {}

/// The origin of a service's root log.
#[must_use]
pub fn root_origin(service: &str) -> String {
    alloc::format!("{service}/atl/root/v1")
}

/// The root log of one deployment in one boot epoch.
#[derive(Debug)]
pub struct RootLog {
    origin: String,
    tree: MerkleTree,
    /// Every leaf's bytes, which clients are shown with their proofs.
    leaves: Vec<Vec<u8>>,
    signer: SignerKey,
    signed: Option<(u64, Hash)>,
}

impl RootLog {
    /// An empty log that signs with the key of `seed`.
    ///
    /// # Errors
    /// [`RootLogError::Origin`] if `origin` cannot name a key.
    pub fn new(origin: &str, seed: &Key) -> Result<Self, RootLogError> {
        let signer =
            SignerKey::from_seed(origin, seed.expose()).map_err(|_name| RootLogError::Origin)?;
        Ok(Self {
            origin: String::from(origin),
            tree: MerkleTree::new(),
            leaves: Vec::new(),
            signer,
            signed: None,
        })
    }

    /// The key that clients and witnesses verify heads with.
    #[must_use]
    pub const fn verifier(&self) -> &VerifierKey {
        self.signer.verifier()
    }

    /// The log's origin.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    /// The root when the log had `size` leaves.
    ///
    /// # Errors
    /// [`RootLogError::Size`] if it has not grown so far.
    pub fn root_at(&self, size: u64) -> Result<Hash, RootLogError> {
        self.tree.root_at(size).map_err(|_size| RootLogError::Size)
    }

    /// Appends a leaf and returns its index.
    pub fn append(&mut self, leaf: &[u8]) -> u64 {
        self.leaves.push(leaf.to_vec());
        self.tree.append(leaf_hash(leaf))
    }

    /// The bytes of leaf `index`.
    #[must_use]
    pub fn leaf(&self, index: u64) -> Option<&[u8]> {
        self.leaves
            .get(usize::try_from(index).ok()?)
            .map(Vec::as_slice)
    }

    /// A tile of hashes or a bundle of entries as C2SP tlog-tiles names it; none if the log has not
    /// grown so far.
    #[must_use]
    pub fn tile(&self, coordinate: &TileCoordinate) -> Option<Vec<u8>> {
        if coordinate.kind() != TileKind::Entries {
            return self.tree.tile(coordinate);
        }
        let start = usize::try_from(coordinate.start()).ok()?;
        let end = start.checked_add(usize::from(coordinate.width()))?;
        let entries = self.leaves.get(start..end)?;
        encode_entry_bundle(entries.iter().map(Vec::as_slice)).ok()
    }

    /// Signs the present head. The caller has made every leaf durable before (section 6 of the
    /// threat model, rule 1).
    ///
    /// # Errors
    /// [`RootLogError::WouldEquivocate`] if another head of this or a larger size was signed before.
    pub fn sign(&mut self) -> Result<Checkpoint, RootLogError> {
        let (size, root) = (self.tree.size(), self.tree.root());
        if let Some((signed_size, signed_root)) = &self.signed
            && (*signed_size > size || (*signed_size == size && *signed_root != root))
        {
            return Err(RootLogError::WouldEquivocate);
        }
        let head = TreeHead::new(&self.origin, size, root).map_err(|_head| RootLogError::Origin)?;
        let checkpoint =
            Checkpoint::sign(head, &self.signer).map_err(|_sign| RootLogError::Origin)?;
        self.signed = Some((size, root));
        Ok(checkpoint)
    }

    /// Proof that the log of size `old` is a prefix of the log of size `new`.
    ///
    /// # Errors
    /// [`RootLogError::Size`] unless `old <= new <=` the log's size.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, RootLogError> {
        self.tree
            .consistency(old, new)
            .map_err(|_size| RootLogError::Size)
    }

    /// Proof that leaf `index` is in the log of size `size`.
    ///
    /// # Errors
    /// [`RootLogError::Size`] unless `index < size <=` the log's size.
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, RootLogError> {
        self.tree
            .inclusion(index, size)
            .map_err(|_size| RootLogError::Size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_signs_a_smaller_head_after_a_larger_one() {
        let seed = Key::from_bytes([1; 32]);
        let mut log = RootLog::new("example.org/atl/root/v1", &seed).unwrap();
        log.append(b"one");
        let first = log.sign().unwrap();
        assert_eq!(log.sign().unwrap().size(), first.size());
        log.append(b"two");
        log.sign().unwrap();
        log.tree = MerkleTree::new();
        log.append(b"one");
        assert_eq!(log.sign().unwrap_err(), RootLogError::WouldEquivocate);
        log.append(b"other");
        assert_eq!(log.sign().unwrap_err(), RootLogError::WouldEquivocate);
    }
}
