//! A path of the prefix tree, and the check of it.

use alloc::vec::Vec;
use core::fmt;

use super::{DEPTH_MAX, key_bit, leaf_hash, parent_hash, shared_bits};
use crate::codec::{DecodeError, Reader, within};
use crate::digest::Digest;

/// What stands at the end of the path of the key asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Terminal {
    /// The key's own leaf.
    Present {
        /// The key's value.
        value: Digest,
    },
    /// A missing child: no key has this prefix.
    Missing,
    /// The only leaf below this prefix, which is another key's.
    OtherLeaf {
        /// The other key.
        key: [u8; 32],
        /// The other key's value.
        value: Digest,
    },
}

/// A proof of presence or of absence of one key under one root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrefixProof {
    /// The end of the path.
    pub terminal: Terminal,
    /// The hashes beside the path, from the root downwards; at most [`DEPTH_MAX`].
    pub siblings: Vec<Digest>,
}

/// What a verified proof says about the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Lookup {
    /// The directory maps the key to this value.
    Present(Digest),
    /// The directory has no such key.
    Absent,
}

/// Why a proof does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProofError {
    /// The path is longer than a key.
    TooDeep,
    /// The other leaf is the very key whose absence it should show.
    OtherLeafIsKey,
    /// The other leaf does not lie on the key's path.
    OtherLeafElsewhere,
    /// The path does not lead to the root.
    RootMismatch,
}

impl fmt::Display for ProofError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooDeep => "path is longer than a key",
            Self::OtherLeafIsKey => "leaf shown for absence is the key itself",
            Self::OtherLeafElsewhere => "leaf shown for absence is not on the path of the key",
            Self::RootMismatch => "path does not lead to the root",
        })
    }
}

impl core::error::Error for ProofError {}

const TERMINAL_PRESENT: u8 = 0;
const TERMINAL_MISSING: u8 = 1;
const TERMINAL_OTHER_LEAF: u8 = 2;

impl PrefixProof {
    /// Checks this path of `key` against `root`.
    ///
    /// # Errors
    /// [`ProofError`], by the check that failed.
    pub fn verify(&self, root: &Digest, key: &[u8; 32]) -> Result<Lookup, ProofError> {
        let depth = self.siblings.len();
        if depth > DEPTH_MAX {
            return Err(ProofError::TooDeep);
        }
        let (mut hash, lookup) = match &self.terminal {
            Terminal::Present { value } => (leaf_hash(key, value), Lookup::Present(*value)),
            Terminal::Missing => (Digest::ZERO, Lookup::Absent),
            Terminal::OtherLeaf { key: other, .. } if other == key => {
                return Err(ProofError::OtherLeafIsKey);
            }
            Terminal::OtherLeaf { key: other, .. } if shared_bits(other, key) < depth => {
                return Err(ProofError::OtherLeafElsewhere);
            }
            Terminal::OtherLeaf { key: other, value } => (leaf_hash(other, value), Lookup::Absent),
        };
        for (level, sibling) in self.siblings.iter().enumerate().rev() {
            hash = if key_bit(key, level) {
                parent_hash(sibling, &hash)
            } else {
                parent_hash(&hash, sibling)
            };
        }
        if hash == *root {
            Ok(lookup)
        } else {
            Err(ProofError::RootMismatch)
        }
    }

    /// The wire form: terminal byte, its fields, `uint16` count, siblings.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.siblings.len().saturating_mul(32).saturating_add(67));
        match &self.terminal {
            Terminal::Present { value } => {
                out.push(TERMINAL_PRESENT);
                out.extend_from_slice(&value.0);
            }
            Terminal::Missing => out.push(TERMINAL_MISSING),
            Terminal::OtherLeaf { key, value } => {
                out.push(TERMINAL_OTHER_LEAF);
                out.extend_from_slice(key);
                out.extend_from_slice(&value.0);
            }
        }
        let count = u16::try_from(self.siblings.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&count.to_be_bytes());
        for sibling in &self.siblings {
            out.extend_from_slice(&sibling.0);
        }
        out
    }

    /// Reads the wire form.
    ///
    /// # Errors
    /// [`DecodeError`] unless the bytes are exactly one proof.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let terminal = match reader.u8()? {
            TERMINAL_PRESENT => Terminal::Present {
                value: Digest(reader.array()?),
            },
            TERMINAL_MISSING => Terminal::Missing,
            TERMINAL_OTHER_LEAF => Terminal::OtherLeaf {
                key: reader.array()?,
                value: Digest(reader.array()?),
            },
            code => {
                return Err(DecodeError::UnknownCode {
                    field: "terminal",
                    code,
                });
            }
        };
        let count = usize::from(reader.u16()?);
        within("siblings", count, (0, DEPTH_MAX))?;
        let siblings = (0..count)
            .map(|_| reader.array().map(Digest))
            .collect::<Result<Vec<_>, _>>()?;
        reader.finish()?;
        Ok(Self { terminal, siblings })
    }
}
