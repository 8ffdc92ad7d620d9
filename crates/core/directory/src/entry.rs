//! The leaves of a tenant's log: [`Entry`] and [`StateRoot`] (trust-log section 3.1).

mod codes;

pub use codes::{EntryType, SubjectKind, SubjectState};

use crate::codec::{DecodeError, Reader};
use crate::digest::{Digest, Handle, merkle_leaf_hash};

/// Bytes of an encoded [`Entry`].
pub const ENTRY_SIZE: usize = 225;

/// Bytes of an encoded [`StateRoot`].
pub const STATE_ROOT_SIZE: usize = 104;

/// The type byte of a [`StateRoot`].
pub const STATE_ROOT_TYPE: u8 = 0xff;

/// `prev_subject` of a subject's first entry.
pub const NO_PREVIOUS: u64 = u64::MAX;

const VERSION: u8 = 1;

/// One logged act. Names, addresses and keys appear as commitments only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// What was done.
    pub kind: EntryType,
    /// The leaf's index in the tenant's log.
    pub index: u64,
    /// The runtime's clock, milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// By whose authority: a delegation, an open break-glass window, the tenant's admins (the
    /// tenant's own handle), the subject itself, or the runtime instance.
    pub actor: Handle,
    /// To whom it was done.
    pub subject: Handle,
    /// Index of the subject's previous entry, or [`NO_PREVIOUS`].
    pub prev_subject: u64,
    /// 1 for the subject's first entry, then 2, 3, ...
    pub subject_seq: u32,
    /// The subject's state after this entry.
    pub new_state: SubjectState,
    /// Commitment to the key that this entry sets; zero if it sets none.
    pub key_commit: Digest,
    /// Commitment to the object (name, member set, measurement), or a [`Validity`] in clear.
    pub object_commit: Digest,
    /// Commitment to the private details.
    pub body_commit: Digest,
    /// Digest of the evidence: an admin's signature, a SCIM request, a user's signature.
    pub authz_hash: Digest,
}

impl Entry {
    /// The 225 bytes of the Merkle leaf.
    #[must_use]
    pub fn encode(&self) -> [u8; ENTRY_SIZE] {
        let mut out = Fixed::<ENTRY_SIZE>::new();
        out.put(&[VERSION, self.kind.code(), 0, 0]);
        out.put(&self.index.to_be_bytes());
        out.put(&self.time_ms.to_be_bytes());
        out.put(&self.actor.0);
        out.put(&self.subject.0);
        out.put(&self.prev_subject.to_be_bytes());
        out.put(&self.subject_seq.to_be_bytes());
        out.put(&[self.new_state.code()]);
        out.put(&self.key_commit.0);
        out.put(&self.object_commit.0);
        out.put(&self.body_commit.0);
        out.put(&self.authz_hash.0);
        out.bytes
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// [`DecodeError`] unless the bytes are exactly one entry of a known type and state.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.version()?;
        let kind = EntryType::from_code(reader.u8()?)?;
        reader.flags()?;
        let entry = Self {
            kind,
            index: reader.u64()?,
            time_ms: reader.u64()?,
            actor: Handle(reader.array()?),
            subject: Handle(reader.array()?),
            prev_subject: reader.u64()?,
            subject_seq: reader.u32()?,
            new_state: SubjectState::from_code(reader.u8()?)?,
            key_commit: Digest(reader.array()?),
            object_commit: Digest(reader.array()?),
            body_commit: Digest(reader.array()?),
            authz_hash: Digest(reader.array()?),
        };
        reader.finish()?;
        Ok(entry)
    }

    /// `H(0x00 || Entry)`.
    #[must_use]
    pub fn leaf_hash(&self) -> Digest {
        merkle_leaf_hash(&self.encode())
    }
}

/// The last leaf of every batch: the directory that the log so far makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateRoot {
    /// The leaf's index in the tenant's log.
    pub index: u64,
    /// The runtime's clock, milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// 0 for the tenant's first batch, then 1, 2, ...
    pub batch: u64,
    /// Entries in this batch, this leaf not counted; at least 1.
    pub entries: u32,
    /// Trusted lower bound of the time when this was sealed (trust-log section 5.7).
    pub time_floor_ms: u64,
    /// Root of the directory's prefix tree after this batch.
    pub dir_root: Digest,
    /// Digest of the batch's changes to name leaves.
    pub dir_update: Digest,
}

impl StateRoot {
    /// The 104 bytes of the Merkle leaf.
    #[must_use]
    pub fn encode(&self) -> [u8; STATE_ROOT_SIZE] {
        let mut out = Fixed::<STATE_ROOT_SIZE>::new();
        out.put(&[VERSION, STATE_ROOT_TYPE, 0, 0]);
        out.put(&self.index.to_be_bytes());
        out.put(&self.time_ms.to_be_bytes());
        out.put(&self.batch.to_be_bytes());
        out.put(&self.entries.to_be_bytes());
        out.put(&self.time_floor_ms.to_be_bytes());
        out.put(&self.dir_root.0);
        out.put(&self.dir_update.0);
        out.bytes
    }

    /// Reads a state root.
    ///
    /// # Errors
    /// [`DecodeError`] unless the bytes are exactly one state root.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.version()?;
        match reader.u8()? {
            STATE_ROOT_TYPE => {}
            code => {
                return Err(DecodeError::UnknownCode {
                    field: "type",
                    code,
                });
            }
        }
        reader.flags()?;
        let root = Self {
            index: reader.u64()?,
            time_ms: reader.u64()?,
            batch: reader.u64()?,
            entries: reader.u32()?,
            time_floor_ms: reader.u64()?,
            dir_root: Digest(reader.array()?),
            dir_update: Digest(reader.array()?),
        };
        reader.finish()?;
        Ok(root)
    }

    /// `H(0x00 || StateRoot)`.
    #[must_use]
    pub fn leaf_hash(&self) -> Digest {
        merkle_leaf_hash(&self.encode())
    }
}

/// A leaf of a tenant's log, of either shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenantLeaf {
    /// An act.
    Entry(Entry),
    /// The end of a batch.
    StateRoot(StateRoot),
}

impl TenantLeaf {
    /// Reads a leaf of either shape by its type byte.
    ///
    /// # Errors
    /// [`DecodeError`] unless the bytes are exactly one leaf.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        match bytes.get(1) {
            Some(&STATE_ROOT_TYPE) => StateRoot::decode(bytes).map(Self::StateRoot),
            Some(_) => Entry::decode(bytes).map(Self::Entry),
            None => Err(DecodeError::Truncated),
        }
    }
}

/// From when to when a delegation, a token or a break-glass window holds; it stands in clear in the
/// entry's `object_commit`, because monitors without any private data must check it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// First millisecond at which it holds.
    pub not_before_ms: u64,
    /// First millisecond at which it no longer holds.
    pub not_after_ms: u64,
}

impl Validity {
    /// The value of `object_commit`: both times, then 16 zero bytes.
    #[must_use]
    pub fn to_object_commit(self) -> Digest {
        let mut out = Fixed::<32>::new();
        out.put(&self.not_before_ms.to_be_bytes());
        out.put(&self.not_after_ms.to_be_bytes());
        Digest(out.bytes)
    }

    /// Reads it back from `object_commit`.
    ///
    /// # Errors
    /// [`DecodeError::NotCanonical`] if the padding is not zero or the window is empty.
    pub fn from_object_commit(field: &Digest) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(&field.0);
        let validity = Self {
            not_before_ms: reader.u64()?,
            not_after_ms: reader.u64()?,
        };
        if reader.array::<16>()? != [0; 16] || validity.not_before_ms >= validity.not_after_ms {
            return Err(DecodeError::NotCanonical { field: "validity" });
        }
        Ok(validity)
    }

    /// Whether it holds at `time_ms`.
    #[must_use]
    pub const fn holds_at(&self, time_ms: u64) -> bool {
        self.not_before_ms <= time_ms && time_ms < self.not_after_ms
    }
}

/// Fills a fixed array from the front.
pub(crate) struct Fixed<const N: usize> {
    pub(crate) bytes: [u8; N],
    filled: usize,
}

impl<const N: usize> Fixed<N> {
    pub(crate) const fn new() -> Self {
        Self {
            bytes: [0; N],
            filled: 0,
        }
    }

    /// Appends `field`; the callers' fields add up to `N`, which their tests hold them to.
    pub(crate) fn put(&mut self, field: &[u8]) {
        let room = self.bytes.iter_mut().skip(self.filled);
        for (slot, byte) in room.zip(field) {
            *slot = *byte;
        }
        self.filled = self.filled.saturating_add(field.len());
    }
}

#[cfg(test)]
mod tests;
