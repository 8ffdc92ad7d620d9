//! Digests, ids, and the commitment used by every structure (trust-log section 3).

use core::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// Bytes of a SHA-256 digest.
pub const DIGEST_SIZE: usize = 32;

/// Domain bytes in front of hashed structures. RFC 6962 owns 0x00 and 0x01, the prefix tree 0x02 and
/// 0x03; everything of ours is in 0x20-0x2f, so that no two structures share a preimage.
pub(crate) mod domain {
    pub(crate) const MERKLE_LEAF: u8 = 0x00;
    pub(crate) const PREFIX_LEAF: u8 = 0x02;
    pub(crate) const PREFIX_PARENT: u8 = 0x03;
    pub(crate) const SUBJECT_CHAIN: u8 = 0x20;
    pub(crate) const DIR_STATE: u8 = 0x21;
    pub(crate) const HEAD_CHAIN: u8 = 0x22;
    pub(crate) const DIR_UPDATE: u8 = 0x23;
    pub(crate) const MAP_UPDATES: u8 = 0x24;
    pub(crate) const GROUP_COMMIT: u8 = 0x25;
    pub(crate) const MEMBER: u8 = 0x26;
    pub(crate) const AUTHORIZATION: u8 = 0x27;
}

macro_rules! bytes_type {
    ($(#[$doc:meta])* $name:ident, $size:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $size]);

        impl $name {
            /// All bytes zero, which the formats read as "none".
            pub const ZERO: Self = Self([0; $size]);

            /// Whether every byte is zero.
            #[must_use]
            pub fn is_zero(&self) -> bool {
                *self == Self::ZERO
            }

            /// The bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $size] {
                &self.0
            }
        }

        impl From<[u8; $size]> for $name {
            fn from(bytes: [u8; $size]) -> Self {
                Self(bytes)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

bytes_type!(
    /// A SHA-256 digest, a commitment, or a tree root. Zero stands for "none".
    Digest,
    32
);
bytes_type!(
    /// The random name of a subject (user, group, token, delegation, tenant, instance) in the log.
    /// It says nothing about the person and is never taken from a request (I14, I21).
    Handle,
    32
);
bytes_type!(
    /// The first 16 bytes of the SHA-256 of a tenant's genesis payload (design section 3.2).
    TenantId,
    16
);

/// The random 32 bytes that open one commitment. Whoever holds it can test guesses against the
/// commitment, so it is kept beside the log, encrypted, and never printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Opening(pub [u8; 32]);

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opening(redacted)")
    }
}

/// SHA-256 over the concatenation of `parts`.
pub(crate) fn sha256(parts: &[&[u8]]) -> Digest {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    Digest(hasher.finalize().into())
}

/// HMAC-SHA256 under `key` over the concatenation of `parts`.
pub(crate) fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> Digest {
    // HMAC takes a key of any length, so this has one outcome; the error type forces the branch.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return Digest::ZERO;
    };
    for part in parts {
        mac.update(part);
    }
    Digest(mac.finalize().into_bytes().into())
}

/// `Commit(d, o, x) = HMAC-SHA256("atl/v1 " || d, o || x)` (trust-log section 3).
///
/// `label` is the domain `d`: `"key"`, `"name"`, `"head"`, `"body"`, `"object"`, `"members"`, `"vrf"`.
#[must_use]
pub fn commit(label: &str, opening: &Opening, value: &[u8]) -> Digest {
    const PREFIX: &[u8] = b"atl/v1 ";
    let mut key = alloc::vec::Vec::with_capacity(PREFIX.len().saturating_add(label.len()));
    key.extend_from_slice(PREFIX);
    key.extend_from_slice(label.as_bytes());
    hmac_sha256(&key, &[&opening.0, value])
}

/// RFC 6962 leaf hash: `H(0x00 || leaf)`.
#[must_use]
pub fn merkle_leaf_hash(leaf: &[u8]) -> Digest {
    sha256(&[&[domain::MERKLE_LEAF], leaf])
}

#[cfg(test)]
mod tests {
    use std::format;

    use super::*;

    #[test]
    fn commitment_matches_its_formula_computed_independently() {
        // python3: hmac.new(b"atl/v1 name", bytes([5])*32 + b"x", hashlib.sha256).hexdigest()
        let expected = "9ea211fa16b2b846fb0a2a7d6abce859a5b917e7cbe2d04af6ceefa3d08d1e7f";
        assert_eq!(
            format!("{}", commit("name", &Opening([5; 32]), b"x")),
            expected
        );
    }

    #[test]
    fn commitments_differ_by_label_opening_and_value() {
        let base = commit("name", &Opening([5; 32]), b"x");
        assert_ne!(base, commit("key", &Opening([5; 32]), b"x"));
        assert_ne!(base, commit("name", &Opening([6; 32]), b"x"));
        assert_ne!(base, commit("name", &Opening([5; 32]), b"y"));
    }

    #[test]
    fn openings_are_not_printed() {
        assert_eq!(format!("{:?}", Opening([5; 32])), "Opening(redacted)");
    }
}
