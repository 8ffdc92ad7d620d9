//! Hashes of [RFC 6962 section 2.1](https://www.rfc-editor.org/rfc/rfc6962.html#section-2.1).

use alloc::string::String;
use core::fmt;

use base64ct::Base64;
use base64ct::Encoding as _;
use sha2::Digest as _;
use sha2::Sha256;

use crate::Error;

/// Bytes of a hash.
pub const HASH_BYTES: usize = 32;

/// A SHA-256 value: a leaf, a node or the root of a tree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a hash is its 32 bytes and nothing else; users build it from digests they hold"
)]
pub struct Hash(pub [u8; HASH_BYTES]);

impl Hash {
    /// Root of the tree without leaves: SHA-256 of nothing.
    pub const EMPTY_ROOT: Self = Self([
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9,
        0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52,
        0xb8, 0x55,
    ]);

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; HASH_BYTES] {
        &self.0
    }

    /// Canonical padded base64, 44 characters.
    #[must_use]
    pub fn to_base64(&self) -> String {
        Base64::encode_string(&self.0)
    }

    /// Reads canonical padded base64 of exactly 32 bytes.
    ///
    /// # Errors
    /// [`Error::Base64`] for anything else.
    pub fn from_base64(text: &str) -> Result<Self, Error> {
        let mut bytes = [0; HASH_BYTES];
        match Base64::decode(text, &mut bytes) {
            Ok(read) if read.len() == HASH_BYTES => Ok(Self(bytes)),
            Ok(_) | Err(_) => Err(Error::Base64),
        }
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_base64())
    }
}

impl From<[u8; HASH_BYTES]> for Hash {
    fn from(bytes: [u8; HASH_BYTES]) -> Self {
        Self(bytes)
    }
}

/// `SHA-256(0x00 || entry)`.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    let mut sha = Sha256::new();
    sha.update([0x00]);
    sha.update(entry);
    Hash(sha.finalize().into())
}

/// `SHA-256(0x01 || left || right)`.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut sha = Sha256::new();
    sha.update([0x01]);
    sha.update(left.0);
    sha.update(right.0);
    Hash(sha.finalize().into())
}
