//! What proves one fact about a tenant to somebody who has nothing but the pinned root log: a user's
//! key, an act, or that a name belongs to nobody (trust-log page, section 10).
//!
//! The whole is a [c2sp.org/tlog-proof](https://c2sp.org/tlog-proof) of a leaf of the root log, whose
//! `extra` is a [`BundleExtra`]. [`verify`] is the only way to what it proves.

mod error;
#[cfg(test)]
mod tests;
mod verify;

pub use error::BundleError;
pub use verify::{
    Continuity, Freshness, Proved, Question, Remembered, Trust, UserKey, Verified, verify,
};

use alloc::boxed::Box;
use alloc::vec::Vec;

use chancery_tlog::{Hash, PROOF_HASHES_MAX};

use crate::codec::{DecodeError, Reader, put_bytes16, within};
use crate::digest::{Digest, Opening};
use crate::entry::{ENTRY_SIZE, Entry, STATE_ROOT_SIZE, StateRoot};
use crate::head::{DETAIL_SIZE_MAX, EPOCH_LEAF_SIZE_MIN, EpochLeaf, TENANT_HEAD_SIZE, TenantHead};
use crate::prefix::{DEPTH_MAX, PrefixProof};
use crate::record::{DIR_NAME_SIZE, DIR_STATE_SIZE, DirName, DirState, KeyRecord};
use crate::vrf::{PROOF_SIZE, Proof};

const VERSION: u8 = 1;
const KIND_USER: u8 = 1;
const KIND_RECEIPT: u8 = 2;
const KIND_ABSENT: u8 = 3;

const LEAF_BOUNDS: (usize, usize) = (EPOCH_LEAF_SIZE_MIN, EPOCH_LEAF_SIZE_MIN + DETAIL_SIZE_MAX);
/// The longest path has a sibling for each bit, and another key's leaf at its end.
const PREFIX_BOUNDS: (usize, usize) = (3, 1 + 64 + 2 + DEPTH_MAX * 32);
const RECORD_BOUNDS: (usize, usize) = (1, crate::exhibit::RECORD_SIZE_MAX);

/// The `extra` of a bundle, read and not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleExtra {
    /// The newest leaf of the root log.
    pub leaf: EpochLeaf,
    /// Opens the map's commitment to the tenant's head.
    pub map_opening: Opening,
    /// The tenant's newest head.
    pub head: TenantHead,
    /// The path of the tenant in the map.
    pub map_path: PrefixProof,
    /// The last leaf of the tenant's log at that head.
    pub state_root: StateRoot,
    /// Its inclusion path.
    pub state_root_path: Vec<Hash>,
    /// What is shown under that head.
    pub shown: Shown,
}

/// What a bundle shows under a tenant's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// A user by name, with state and key.
    User(Box<ShownUser>),
    /// An entry of the log.
    Receipt(Box<ShownReceipt>),
    /// That a name belongs to nobody.
    Absent(Box<ShownAbsence>),
}

/// The tenant's VRF key: the directory's state of the tenant itself commits to it, after Genesis as
/// after each Rekey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownVrf {
    /// The public key.
    pub public: [u8; 32],
    /// Opens the commitment to it.
    pub opening: Opening,
    /// The tenant's own state.
    pub tenant: DirState,
    /// Its path in the directory.
    pub path: PrefixProof,
}

/// A user by name, with state and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownUser {
    /// The tenant's VRF key.
    pub vrf: ShownVrf,
    /// Whom the name belongs to.
    pub name: DirName,
    /// Opens the name's leaf.
    pub name_opening: Opening,
    /// Proves the name's label.
    pub vrf_proof: Proof,
    /// The label's path in the directory.
    pub name_path: PrefixProof,
    /// The user's state.
    pub state: DirState,
    /// Its path in the directory.
    pub state_path: PrefixProof,
    /// The user's current key.
    pub record: KeyRecord,
    /// Opens the state's commitment to it.
    pub key_opening: Opening,
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownReceipt {
    /// The entry.
    pub entry: Entry,
    /// Its index.
    pub index: u64,
    /// Its inclusion path.
    pub path: Vec<Hash>,
}

/// That a name belongs to nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownAbsence {
    /// The tenant's VRF key.
    pub vrf: ShownVrf,
    /// Proves the name's label.
    pub vrf_proof: Proof,
    /// The label's path in the directory, to nowhere.
    pub name_path: PrefixProof,
}

impl BundleExtra {
    /// The bytes of `extra`.
    ///
    /// # Errors
    /// [`DecodeError::LengthOutOfRange`] for a path, a key or a detail that no reader accepts.
    pub fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        let kind = match &self.shown {
            Shown::User(_) => KIND_USER,
            Shown::Receipt(_) => KIND_RECEIPT,
            Shown::Absent(_) => KIND_ABSENT,
        };
        let mut out = alloc::vec![VERSION, kind];
        put_bytes16(&mut out, "epoch leaf", &self.leaf.encode()?, LEAF_BOUNDS)?;
        out.extend_from_slice(&self.map_opening.0);
        out.extend_from_slice(&self.head.encode());
        put_prefix(&mut out, "map path", &self.map_path)?;
        out.extend_from_slice(&self.state_root.encode());
        put_path(&mut out, "state root path", &self.state_root_path)?;
        match &self.shown {
            Shown::User(user) => user.put(&mut out)?,
            Shown::Receipt(receipt) => {
                out.extend_from_slice(&receipt.entry.encode());
                out.extend_from_slice(&receipt.index.to_be_bytes());
                put_path(&mut out, "entry path", &receipt.path)?;
            }
            Shown::Absent(absence) => {
                absence.vrf.put(&mut out)?;
                out.extend_from_slice(&absence.vrf_proof.0);
                put_prefix(&mut out, "name path", &absence.name_path)?;
            }
        }
        Ok(out)
    }

    /// Reads `extra`.
    ///
    /// # Errors
    /// [`DecodeError`] unless the bytes are exactly one structure.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.version()?;
        let kind = reader.u8()?;
        let extra = Self {
            leaf: EpochLeaf::decode(reader.bytes16("epoch leaf", LEAF_BOUNDS)?)?,
            map_opening: Opening(reader.array()?),
            head: TenantHead::decode(reader.slice(TENANT_HEAD_SIZE)?)?,
            map_path: take_prefix(&mut reader, "map path")?,
            state_root: StateRoot::decode(reader.slice(STATE_ROOT_SIZE)?)?,
            state_root_path: take_path(&mut reader, "state root path")?,
            shown: match kind {
                KIND_USER => Shown::User(Box::new(ShownUser::take(&mut reader)?)),
                KIND_RECEIPT => Shown::Receipt(Box::new(ShownReceipt {
                    entry: Entry::decode(reader.slice(ENTRY_SIZE)?)?,
                    index: reader.u64()?,
                    path: take_path(&mut reader, "entry path")?,
                })),
                KIND_ABSENT => Shown::Absent(Box::new(ShownAbsence {
                    vrf: ShownVrf::take(&mut reader)?,
                    vrf_proof: Proof(reader.array::<PROOF_SIZE>()?),
                    name_path: take_prefix(&mut reader, "name path")?,
                })),
                code => {
                    return Err(DecodeError::UnknownCode {
                        field: "bundle kind",
                        code,
                    });
                }
            },
        };
        reader.finish()?;
        Ok(extra)
    }
}

impl ShownVrf {
    fn put(&self, out: &mut Vec<u8>) -> Result<(), DecodeError> {
        out.extend_from_slice(&self.public);
        out.extend_from_slice(&self.opening.0);
        out.extend_from_slice(&self.tenant.encode());
        put_prefix(out, "tenant path", &self.path)
    }

    fn take(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            public: reader.array()?,
            opening: Opening(reader.array()?),
            tenant: DirState::decode(reader.slice(DIR_STATE_SIZE)?)?,
            path: take_prefix(reader, "tenant path")?,
        })
    }
}

impl ShownUser {
    fn put(&self, out: &mut Vec<u8>) -> Result<(), DecodeError> {
        self.vrf.put(out)?;
        out.extend_from_slice(&self.name.encode());
        out.extend_from_slice(&self.name_opening.0);
        out.extend_from_slice(&self.vrf_proof.0);
        put_prefix(out, "name path", &self.name_path)?;
        out.extend_from_slice(&self.state.encode());
        put_prefix(out, "state path", &self.state_path)?;
        put_bytes16(out, "key record", &self.record.encode()?, RECORD_BOUNDS)?;
        out.extend_from_slice(&self.key_opening.0);
        Ok(())
    }

    fn take(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            vrf: ShownVrf::take(reader)?,
            name: DirName::decode(reader.slice(DIR_NAME_SIZE)?)?,
            name_opening: Opening(reader.array()?),
            vrf_proof: Proof(reader.array::<PROOF_SIZE>()?),
            name_path: take_prefix(reader, "name path")?,
            state: DirState::decode(reader.slice(DIR_STATE_SIZE)?)?,
            state_path: take_prefix(reader, "state path")?,
            record: KeyRecord::decode(reader.bytes16("key record", RECORD_BOUNDS)?)?,
            key_opening: Opening(reader.array()?),
        })
    }
}

fn put_prefix(
    out: &mut Vec<u8>,
    field: &'static str,
    proof: &PrefixProof,
) -> Result<(), DecodeError> {
    within(field, proof.siblings.len(), (0, DEPTH_MAX))?;
    put_bytes16(out, field, &proof.encode(), PREFIX_BOUNDS)
}

fn take_prefix(reader: &mut Reader<'_>, field: &'static str) -> Result<PrefixProof, DecodeError> {
    PrefixProof::decode(reader.bytes16(field, PREFIX_BOUNDS)?)
}

fn put_path(out: &mut Vec<u8>, field: &'static str, path: &[Hash]) -> Result<(), DecodeError> {
    let length = path.len();
    within(field, length, (0, PROOF_HASHES_MAX))?;
    out.push(
        u8::try_from(length).map_err(|_large| DecodeError::LengthOutOfRange { field, length })?,
    );
    for hash in path {
        out.extend_from_slice(hash.as_bytes());
    }
    Ok(())
}

fn take_path(reader: &mut Reader<'_>, field: &'static str) -> Result<Vec<Hash>, DecodeError> {
    let count = usize::from(reader.u8()?);
    within(field, count, (0, PROOF_HASHES_MAX))?;
    (0..count).map(|_| reader.array().map(Hash)).collect()
}

/// A digest of this crate as a hash of the Merkle tree's.
const fn hash(digest: &Digest) -> Hash {
    Hash(digest.0)
}
