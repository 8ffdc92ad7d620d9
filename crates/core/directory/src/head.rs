//! The root log: tenant heads, the map of them, and its leaves (trust-log section 3.4).

use alloc::vec::Vec;

use crate::codec::{DecodeError, Reader, put_bytes16};
use crate::digest::{
    Digest, Opening, TenantId, commit, domain, hmac_sha256, merkle_leaf_hash, sha256,
};
use crate::entry::Fixed;

/// Bytes of an encoded [`TenantHead`].
pub const TENANT_HEAD_SIZE: usize = 96;

/// Longest detail of an [`EpochLeaf`].
pub const DETAIL_SIZE_MAX: usize = 4095;

/// Bytes of an [`EpochLeaf`] without its detail.
pub const EPOCH_LEAF_SIZE_MIN: usize = 152;

/// One head of a tenant's log, in the map of its epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TenantHead {
    /// The tenant.
    pub tenant: TenantId,
    /// 1 for the tenant's first head, then 2, 3, ...
    pub version: u64,
    /// Leaves in the tenant's log.
    pub size: u64,
    /// Root of the tenant's log at that size.
    pub root: Digest,
    /// Chain over all its heads.
    pub chain: Digest,
}

impl TenantHead {
    /// A tenant's first head.
    #[must_use]
    pub fn first(tenant: TenantId, size: u64, root: Digest) -> Self {
        Self {
            tenant,
            version: 1,
            size,
            root,
            chain: head_chain(&Digest::ZERO, size, &root),
        }
    }

    /// The head after this one.
    #[must_use]
    pub fn next(&self, size: u64, root: Digest) -> Self {
        Self {
            tenant: self.tenant,
            version: self.version.saturating_add(1),
            size,
            root,
            chain: head_chain(&self.chain, size, &root),
        }
    }

    /// Whether `next` is this head's successor: version, chain and a size that grew.
    #[must_use]
    pub fn is_followed_by(&self, next: &Self) -> bool {
        next.size > self.size && *next == self.next(next.size, next.root)
    }

    /// The 96 bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; TENANT_HEAD_SIZE] {
        let mut out = Fixed::<TENANT_HEAD_SIZE>::new();
        out.put(&self.tenant.0);
        out.put(&self.version.to_be_bytes());
        out.put(&self.size.to_be_bytes());
        out.put(&self.root.0);
        out.put(&self.chain.0);
        out.bytes
    }

    /// Reads a head.
    ///
    /// # Errors
    /// [`DecodeError`] unless the bytes are exactly one head.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let head = Self {
            tenant: TenantId(reader.array()?),
            version: reader.u64()?,
            size: reader.u64()?,
            root: Digest(reader.array()?),
            chain: Digest(reader.array()?),
        };
        reader.finish()?;
        Ok(head)
    }

    /// The map value: `Commit("head", o_v, TenantHead)`.
    #[must_use]
    pub fn map_value(&self, opening: &Opening) -> Digest {
        commit("head", opening, &self.encode())
    }
}

/// `chain_v = H(0x22 || chain_(v-1) || size || root)`, from `chain_0` = zero.
#[must_use]
pub fn head_chain(chain: &Digest, size: u64, root: &Digest) -> Digest {
    sha256(&[
        &[domain::HEAD_CHAIN],
        &chain.0,
        &size.to_be_bytes(),
        &root.0,
    ])
}

/// The map key of a tenant: `H("atl/t" || tenant)`.
#[must_use]
pub fn map_key(tenant: &TenantId) -> [u8; 32] {
    sha256(&[b"atl/t", &tenant.0]).0
}

/// The opening of a tenant's head: `o_v = HMAC-SHA256(tenant map key, uint64 v)`.
#[must_use]
pub fn head_opening(tenant_map_key: &[u8; 32], version: u64) -> Opening {
    Opening(hmac_sha256(tenant_map_key, &[&version.to_be_bytes()]).0)
}

/// `updates` of an epoch: `H(0x24 || uint32 n || n x (map key || map value))`, by ascending key.
/// `changed` is sorted here; a key that stands twice counts once, with its last value.
#[must_use]
pub fn updates_digest(changed: &[([u8; 32], Digest)]) -> (Digest, u32) {
    let sorted: alloc::collections::BTreeMap<[u8; 32], Digest> = changed.iter().copied().collect();
    pairs_digest(
        domain::MAP_UPDATES,
        sorted.iter().map(|(key, value)| (key, *value)),
    )
}

/// The digest of a length-framed list of 32-byte pairs, and the number of pairs.
pub(crate) fn pairs_digest<'a>(
    domain: u8,
    pairs: impl ExactSizeIterator<Item = (&'a [u8; 32], Digest)>,
) -> (Digest, u32) {
    let count = u32::try_from(pairs.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(pairs.len().saturating_mul(64).saturating_add(5));
    bytes.push(domain);
    bytes.extend_from_slice(&count.to_be_bytes());
    for (key, value) in pairs {
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(&value.0);
    }
    (sha256(&[&bytes]), count)
}

/// What a leaf of the root log is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EpochKind {
    /// The deployment begins: leaf 0, its detail a `DeploymentGenesis`.
    Genesis,
    /// Tenant heads changed.
    Epoch,
    /// An instance started; its detail holds a fresh nonce.
    Boot,
    /// Another image takes over.
    Upgrade,
    /// The release or witness policy changed.
    Policy,
    /// This log continues another origin.
    Succession,
    /// The digest of a node statement.
    NodeStatement,
    /// A release statement.
    Release,
    /// The key digest of a served certificate (I5).
    Certificate,
}

impl EpochKind {
    /// Every kind, by ascending code.
    pub const ALL: &[Self] = &[
        Self::Genesis,
        Self::Epoch,
        Self::Boot,
        Self::Upgrade,
        Self::Policy,
        Self::Succession,
        Self::NodeStatement,
        Self::Release,
        Self::Certificate,
    ];

    /// The byte on the wire.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Genesis => 0,
            Self::Epoch => 1,
            Self::Boot => 2,
            Self::Upgrade => 3,
            Self::Policy => 4,
            Self::Succession => 5,
            Self::NodeStatement => 6,
            Self::Release => 7,
            Self::Certificate => 8,
        }
    }

    /// The kind of a byte on the wire.
    ///
    /// # Errors
    /// [`DecodeError::UnknownCode`].
    pub fn from_code(code: u8) -> Result<Self, DecodeError> {
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.code() == code)
            .ok_or(DecodeError::UnknownCode {
                field: "epoch kind",
                code,
            })
    }
}

/// A leaf of the public root log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochLeaf {
    /// What it is about.
    pub kind: EpochKind,
    /// The leaf's index in the root log.
    pub epoch: u64,
    /// The runtime's clock, milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// Root of the map of all tenant heads after this leaf.
    pub map_root: Digest,
    /// [`updates_digest`] of the map leaves that changed.
    pub updates: Digest,
    /// Their number.
    pub n_updates: u32,
    /// The public key of the writing instance.
    pub instance_key: Digest,
    /// SHA-256 of the release policy in force.
    pub policy_hash: Digest,
    /// What the kind asks for, at most [`DETAIL_SIZE_MAX`] bytes.
    pub detail: Vec<u8>,
}

impl EpochLeaf {
    /// The leaf's bytes.
    ///
    /// # Errors
    /// [`DecodeError::LengthOutOfRange`] for a detail that is too long.
    pub fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        let mut out = Vec::with_capacity(EPOCH_LEAF_SIZE_MIN.saturating_add(self.detail.len()));
        out.extend_from_slice(&[1, self.kind.code()]);
        out.extend_from_slice(&self.epoch.to_be_bytes());
        out.extend_from_slice(&self.time_ms.to_be_bytes());
        out.extend_from_slice(&self.map_root.0);
        out.extend_from_slice(&self.updates.0);
        out.extend_from_slice(&self.n_updates.to_be_bytes());
        out.extend_from_slice(&self.instance_key.0);
        out.extend_from_slice(&self.policy_hash.0);
        put_bytes16(&mut out, "detail", &self.detail, (0, DETAIL_SIZE_MAX))?;
        Ok(out)
    }

    /// Reads a leaf.
    ///
    /// # Errors
    /// [`DecodeError`] unless the bytes are exactly one leaf.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.version()?;
        let leaf = Self {
            kind: EpochKind::from_code(reader.u8()?)?,
            epoch: reader.u64()?,
            time_ms: reader.u64()?,
            map_root: Digest(reader.array()?),
            updates: Digest(reader.array()?),
            n_updates: reader.u32()?,
            instance_key: Digest(reader.array()?),
            policy_hash: Digest(reader.array()?),
            detail: reader.bytes16("detail", (0, DETAIL_SIZE_MAX))?.to_vec(),
        };
        reader.finish()?;
        Ok(leaf)
    }

    /// `H(0x00 || EpochLeaf)`.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn leaf_hash(&self) -> Result<Digest, DecodeError> {
        Ok(merkle_leaf_hash(&self.encode()?))
    }
}

#[cfg(test)]
mod tests;
