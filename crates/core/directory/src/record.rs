//! What the directory's leaves commit to: key records, subject states, names (trust-log section 3.3).

use alloc::vec::Vec;

use crate::codec::{DecodeError, Reader, put_bytes16};
use crate::digest::{Digest, Handle, Opening, TenantId, commit, domain, sha256};
use crate::entry::{Fixed, SubjectKind, SubjectState};

/// Longest public key in a record: ML-KEM-1024 with room, and a bound on what a reader allocates.
pub const PUBLIC_KEY_SIZE_MAX: usize = 4096;

const PUBLIC_KEY_BOUNDS: (usize, usize) = (1, PUBLIC_KEY_SIZE_MAX);

/// Bytes of an encoded [`DirState`].
pub const DIR_STATE_SIZE: usize = 122;

/// Bytes of an encoded [`DirName`].
pub const DIR_NAME_SIZE: usize = 44;

/// Who made a key pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySource {
    /// The runtime, before the claim.
    Enclave,
    /// The user's device.
    UserDevice,
}

impl KeySource {
    const fn code(self) -> u8 {
        match self {
            Self::Enclave => 0,
            Self::UserDevice => 1,
        }
    }

    const fn from_code(code: u8) -> Result<Self, DecodeError> {
        match code {
            0 => Ok(Self::Enclave),
            1 => Ok(Self::UserDevice),
            _ => Err(DecodeError::UnknownCode {
                field: "key source",
                code,
            }),
        }
    }
}

/// The public halves of one version of a user's keyset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// The tenant.
    pub tenant: TenantId,
    /// The user.
    pub handle: Handle,
    /// 1 for the pending keyset, then 2, 3, ...
    pub key_version: u32,
    /// Who made it.
    pub source: KeySource,
    /// The KEM public key, 1 to [`PUBLIC_KEY_SIZE_MAX`] bytes.
    pub enc_pk: Vec<u8>,
    /// The signature public key, 1 to [`PUBLIC_KEY_SIZE_MAX`] bytes.
    pub sig_pk: Vec<u8>,
    /// From when on it may be used, milliseconds since the Unix epoch.
    pub not_before_ms: u64,
    /// Digest of the activation secret; zero if there is none.
    pub activation_commit: Digest,
}

impl KeyRecord {
    /// The record's bytes.
    ///
    /// # Errors
    /// [`DecodeError::LengthOutOfRange`] for a key of a length that no reader accepts.
    pub fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        let mut out = Vec::new();
        out.extend_from_slice(&self.tenant.0);
        out.extend_from_slice(&self.handle.0);
        out.extend_from_slice(&self.key_version.to_be_bytes());
        out.push(self.source.code());
        put_bytes16(&mut out, "enc_pk", &self.enc_pk, PUBLIC_KEY_BOUNDS)?;
        put_bytes16(&mut out, "sig_pk", &self.sig_pk, PUBLIC_KEY_BOUNDS)?;
        out.extend_from_slice(&self.not_before_ms.to_be_bytes());
        out.extend_from_slice(&self.activation_commit.0);
        Ok(out)
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`DecodeError`] unless the bytes are exactly one record.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let record = Self {
            tenant: TenantId(reader.array()?),
            handle: Handle(reader.array()?),
            key_version: reader.u32()?,
            source: KeySource::from_code(reader.u8()?)?,
            enc_pk: reader.bytes16("enc_pk", PUBLIC_KEY_BOUNDS)?.to_vec(),
            sig_pk: reader.bytes16("sig_pk", PUBLIC_KEY_BOUNDS)?.to_vec(),
            not_before_ms: reader.u64()?,
            activation_commit: Digest(reader.array()?),
        };
        reader.finish()?;
        Ok(record)
    }

    /// `key_commit = Commit("key", o, KeyRecord)`.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn commit(&self, opening: &Opening) -> Result<Digest, DecodeError> {
        Ok(commit("key", opening, &self.encode()?))
    }
}

/// The current state of a subject; its directory leaf is [`DirState::value`] at [`handle_key`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirState {
    /// The subject.
    pub handle: Handle,
    /// What it is.
    pub kind: SubjectKind,
    /// Its state.
    pub state: SubjectState,
    /// Version of its key, or a group's epoch; 0 = none yet.
    pub key_version: u32,
    /// The current key commitment; for a group [`group_commit`].
    pub key_commit: Digest,
    /// Index of its first entry.
    pub first: u64,
    /// Index of its last entry.
    pub last: u64,
    /// Number of its entries.
    pub seq: u32,
    /// Chain over all its entries ([`chain_next`]).
    pub chain: Digest,
}

impl DirState {
    /// The 122 bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; DIR_STATE_SIZE] {
        let mut out = Fixed::<DIR_STATE_SIZE>::new();
        out.put(&self.handle.0);
        out.put(&[self.kind.code(), self.state.code()]);
        out.put(&self.key_version.to_be_bytes());
        out.put(&self.key_commit.0);
        out.put(&self.first.to_be_bytes());
        out.put(&self.last.to_be_bytes());
        out.put(&self.seq.to_be_bytes());
        out.put(&self.chain.0);
        out.bytes
    }

    /// Reads a state.
    ///
    /// # Errors
    /// [`DecodeError`] unless the bytes are exactly one state.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let state = Self {
            handle: Handle(reader.array()?),
            kind: SubjectKind::from_code(reader.u8()?)?,
            state: SubjectState::from_code(reader.u8()?)?,
            key_version: reader.u32()?,
            key_commit: Digest(reader.array()?),
            first: reader.u64()?,
            last: reader.u64()?,
            seq: reader.u32()?,
            chain: Digest(reader.array()?),
        };
        reader.finish()?;
        Ok(state)
    }

    /// The value of its directory leaf: `H(0x21 || DirState)`.
    #[must_use]
    pub fn value(&self) -> Digest {
        sha256(&[&[domain::DIR_STATE], &self.encode()])
    }
}

/// Whom a name belongs to; its directory leaf is a commitment at the name's VRF label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirName {
    /// The subject that the name is bound to.
    pub handle: Handle,
    /// 1 for the label's first binding, then 2, 3, ... as the name passes on.
    pub binding: u32,
    /// Index of the entry that bound it.
    pub since: u64,
}

impl DirName {
    /// The 44 bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; DIR_NAME_SIZE] {
        let mut out = Fixed::<DIR_NAME_SIZE>::new();
        out.put(&self.handle.0);
        out.put(&self.binding.to_be_bytes());
        out.put(&self.since.to_be_bytes());
        out.bytes
    }

    /// Reads a name binding.
    ///
    /// # Errors
    /// [`DecodeError`] unless the bytes are exactly one binding.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let name = Self {
            handle: Handle(reader.array()?),
            binding: reader.u32()?,
            since: reader.u64()?,
        };
        reader.finish()?;
        Ok(name)
    }

    /// The value of its directory leaf: `Commit("name", o, DirName)`.
    #[must_use]
    pub fn value(&self, opening: &Opening) -> Digest {
        commit("name", opening, &self.encode())
    }
}

/// The directory key of a subject's state: `H("atl/h" || handle)`.
#[must_use]
pub fn handle_key(handle: &Handle) -> [u8; 32] {
    sha256(&[b"atl/h", &handle.0]).0
}

/// The handle by which a tenant's own log names the tenant, and as an actor its admins:
/// `H("chancery/tenant-handle/v1" || tenant)`.
#[must_use]
pub fn tenant_handle(tenant: &TenantId) -> Handle {
    Handle(sha256(&[b"chancery/tenant-handle/v1", &tenant.0]).0)
}

/// The directory key of a name: the first 32 bytes of the VRF output for its [`name_input`].
#[must_use]
pub fn name_label(vrf_output: &[u8; 64]) -> [u8; 32] {
    let mut label = [0; 32];
    for (slot, byte) in label.iter_mut().zip(vrf_output) {
        *slot = *byte;
    }
    label
}

/// The VRF input of a name: one byte for the kind of name, then the normalised name.
#[must_use]
pub fn name_input(kind: NameKind, normalized: &str) -> Vec<u8> {
    let mut input = Vec::with_capacity(normalized.len().saturating_add(1));
    input.push(kind.code());
    input.extend_from_slice(normalized.as_bytes());
    input
}

/// The name spaces of the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameKind {
    /// A user's userName.
    UserName,
    /// A user's e-mail address.
    Email,
    /// A user's or group's externalId.
    ExternalId,
    /// A group's displayName.
    GroupName,
}

impl NameKind {
    /// The byte in front of the name.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::UserName => 1,
            Self::Email => 2,
            Self::ExternalId => 3,
            Self::GroupName => 4,
        }
    }
}

/// `chain_i = H(0x20 || chain_(i-1) || leaf_hash_i)`, from `chain_0` = zero.
#[must_use]
pub fn chain_next(chain: &Digest, leaf_hash: &Digest) -> Digest {
    sha256(&[&[domain::SUBJECT_CHAIN], &chain.0, &leaf_hash.0])
}

/// What a group's [`DirState`] holds as its key commitment: `H(0x25 || members || key)`, over the
/// latest member-set commitment and the latest epoch-key commitment (zero before the first).
#[must_use]
pub fn group_commit(members: &Digest, key: &Digest) -> Digest {
    sha256(&[&[domain::GROUP_COMMIT], &members.0, &key.0])
}

/// The key and the value of a member in a group's member set, a prefix tree of its own:
/// `H("atl/m" || handle)` and `H(0x26 || handle)`. The entry holds `Commit("members", o, root)`.
#[must_use]
pub fn member_leaf(member: &Handle) -> ([u8; 32], Digest) {
    (
        sha256(&[b"atl/m", &member.0]).0,
        sha256(&[&[domain::MEMBER], &member.0]),
    )
}

#[cfg(test)]
mod tests;
