//! Offline inclusion proofs, by [c2sp.org/tlog-proof](https://c2sp.org/tlog-proof).

use alloc::string::String;
use alloc::string::ToString as _;
use alloc::vec::Vec;
use core::fmt;

use base64ct::Base64;
use base64ct::Encoding as _;

use crate::Error;
use crate::Hash;
use crate::PROOF_HASHES_MAX;
use crate::checkpoint::UnverifiedCheckpoint;
use crate::merkle::verify_inclusion;
use crate::note::NOTE_BYTES_MAX;
use crate::note::VerifierKey;
use crate::policy::CosignedCheckpoint;
use crate::policy::Policy;
use crate::text::parse_decimal;

/// First line of a proof.
pub const PROOF_HEADER: &str = "c2sp.org/tlog-proof@v1";

/// Longest extra data in bytes, decoded.
pub const EXTRA_BYTES_MAX: usize = 256 * 1024;

/// Longest proof in bytes: base64 of the extra data, a note, and 63 hashes.
pub const PROOF_BYTES_MAX: usize = EXTRA_BYTES_MAX / 3 * 4 + NOTE_BYTES_MAX + 4096;

/// A proof that was read but not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnverifiedProof {
    extra: Option<Vec<u8>>,
    index: u64,
    path: Vec<Hash>,
    checkpoint: String,
}

impl UnverifiedProof {
    /// Makes a proof of its parts; `checkpoint` is an encoded note.
    ///
    /// # Errors
    /// [`Error::ProofLength`] above [`PROOF_HASHES_MAX`], [`Error::Number`] for an index above
    /// 2^63 - 1, [`Error::TooLarge`] for extra data above [`EXTRA_BYTES_MAX`] or an oversized
    /// checkpoint.
    pub fn new(
        extra: Option<Vec<u8>>,
        index: u64,
        path: Vec<Hash>,
        checkpoint: String,
    ) -> Result<Self, Error> {
        if path.len() > PROOF_HASHES_MAX {
            return Err(Error::ProofLength);
        }
        if index > crate::TREE_SIZE_MAX {
            return Err(Error::Number);
        }
        let extra_bytes = extra.as_ref().map_or(0, Vec::len);
        if extra_bytes > EXTRA_BYTES_MAX || checkpoint.len() > NOTE_BYTES_MAX {
            return Err(Error::TooLarge);
        }
        Ok(Self {
            extra,
            index,
            path,
            checkpoint,
        })
    }

    /// Reads the text form. The checkpoint within is kept as it is until [`Self::verify`].
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Encoding`], [`Error::Line`], [`Error::Number`],
    /// [`Error::Base64`] or [`Error::ProofLength`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > PROOF_BYTES_MAX {
            return Err(Error::TooLarge);
        }
        let Ok(text) = core::str::from_utf8(bytes) else {
            return Err(Error::Encoding);
        };
        let (head, checkpoint) = text.split_once("\n\n").ok_or(Error::Line)?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(PROOF_HEADER) {
            return Err(Error::Line);
        }
        let mut extra = None;
        if let Some(blob) = lines.peek().and_then(|line| line.strip_prefix("extra ")) {
            let Ok(decoded) = Base64::decode_vec(blob) else {
                return Err(Error::Base64);
            };
            extra = Some(decoded);
            lines.next();
        }
        let index = lines.next().and_then(|line| line.strip_prefix("index "));
        let index = parse_decimal(index.ok_or(Error::Line)?)?;
        let mut path = Vec::new();
        for line in lines {
            if path.len() >= PROOF_HASHES_MAX {
                return Err(Error::ProofLength);
            }
            path.push(Hash::from_base64(line)?);
        }
        Self::new(extra, index, path, checkpoint.to_string())
    }

    /// The extra data. The format does not authenticate it: bind it to the leaf by hash.
    #[must_use]
    pub fn unverified_extra(&self) -> Option<&[u8]> {
        self.extra.as_deref()
    }

    /// The index that the proof claims.
    #[must_use]
    pub const fn unverified_index(&self) -> u64 {
        self.index
    }

    /// The inclusion path.
    #[must_use]
    pub fn path(&self) -> &[Hash] {
        &self.path
    }

    /// The checkpoint's note as text.
    #[must_use]
    pub fn checkpoint(&self) -> &str {
        &self.checkpoint
    }

    /// The text form, which [`Self::parse`] reads back.
    #[must_use]
    pub fn encode(&self) -> String {
        self.to_string()
    }

    /// Checks the checkpoint by the policy and the inclusion of `leaf` in it.
    ///
    /// # Errors
    /// What [`UnverifiedCheckpoint::parse`], [`Policy::check`] and [`verify_inclusion`] say.
    pub fn verify(
        &self,
        leaf: &Hash,
        policy: &Policy,
        origin: &str,
        log_key: &VerifierKey,
    ) -> Result<VerifiedProof, Error> {
        let checkpoint = UnverifiedCheckpoint::parse(self.checkpoint.as_bytes())?;
        let checkpoint = policy.check(&checkpoint, origin, log_key)?;
        verify_inclusion(
            leaf,
            self.index,
            checkpoint.size(),
            &self.path,
            checkpoint.root(),
        )?;
        Ok(VerifiedProof {
            leaf: *leaf,
            index: self.index,
            checkpoint,
        })
    }
}

impl fmt::Display for UnverifiedProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{PROOF_HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", Base64::encode_string(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.path {
            writeln!(f, "{}", hash.to_base64())?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

/// A leaf that is in a log under a checkpoint that satisfied a policy. Only
/// [`UnverifiedProof::verify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedProof {
    leaf: Hash,
    index: u64,
    checkpoint: CosignedCheckpoint,
}

impl VerifiedProof {
    /// The leaf hash that was proved.
    #[must_use]
    pub const fn leaf(&self) -> &Hash {
        &self.leaf
    }

    /// Its index in the log.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The checkpoint that contains it.
    #[must_use]
    pub const fn checkpoint(&self) -> &CosignedCheckpoint {
        &self.checkpoint
    }
}
