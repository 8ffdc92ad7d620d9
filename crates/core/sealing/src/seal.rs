//! Sealed records.

use alloc::vec::Vec;
use core::fmt;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroize as _;

use crate::entropy::{Entropy, EntropyError};
use crate::key::Key;

/// The only version of the record layout.
const VERSION: u8 = 1;
/// Bytes of fresh randomness from which the message key is derived.
const SALT_LENGTH: usize = 32;
/// Bytes of an AES-GCM tag.
const GCM_TAG_LENGTH: usize = 16;

/// Bytes before the ciphertext: version and salt.
const HEAD_LENGTH: usize = 1 + SALT_LENGTH;

/// Bytes that [`seal`] adds to a plaintext: version, salt and tag.
pub const SEAL_OVERHEAD: usize = HEAD_LENGTH + GCM_TAG_LENGTH;

/// Why a record could not be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SealError {
    /// The source of randomness failed.
    Entropy,
    /// The record is shorter than the overhead, or has another version.
    Malformed,
    /// The tag does not match: another key, purpose, place or other bytes.
    NotAuthentic,
    /// The plaintext is longer than the cipher allows.
    TooLong,
}

impl fmt::Display for SealError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Entropy => "the source of randomness failed",
            Self::Malformed => "the sealed record is malformed",
            Self::NotAuthentic => "the sealed record is not authentic",
            Self::TooLong => "the plaintext is too long to seal",
        })
    }
}

impl core::error::Error for SealError {}

impl From<EntropyError> for SealError {
    fn from(_: EntropyError) -> Self {
        Self::Entropy
    }
}

/// Seals `plaintext` for `purpose` at the place that `associated` describes.
///
/// # Errors
/// [`SealError::Entropy`] if no salt could be drawn, [`SealError::TooLong`] beyond the cipher's limit.
pub fn seal(
    key: &Key,
    purpose: &'static str,
    associated: &[u8],
    plaintext: &[u8],
    entropy: &mut dyn Entropy,
) -> Result<Vec<u8>, SealError> {
    let mut salt = [0_u8; SALT_LENGTH];
    entropy.fill(&mut salt)?;
    let cipher = message_key(key, purpose, &salt)?;
    // The plaintext is encrypted where it stands: the buffer never grows, so no freed memory holds it.
    let mut record = Vec::with_capacity(plaintext.len().saturating_add(SEAL_OVERHEAD));
    record.push(VERSION);
    record.extend_from_slice(&salt);
    record.extend_from_slice(plaintext);
    let body = record.get_mut(HEAD_LENGTH..).unwrap_or_default();
    match cipher.seal_in_place_separate_tag(zero_nonce(), Aad::from(associated), body) {
        Ok(tag) => {
            record.extend_from_slice(tag.as_ref());
            Ok(record)
        }
        Err(_unspecified) => {
            record.zeroize();
            Err(SealError::TooLong)
        }
    }
}

/// Opens what [`seal`] made for the same `key`, `purpose` and `associated`.
///
/// # Errors
/// [`SealError::Malformed`] or [`SealError::NotAuthentic`]; the two reveal nothing of the content.
pub fn open(
    key: &Key,
    purpose: &'static str,
    associated: &[u8],
    record: &[u8],
) -> Result<Vec<u8>, SealError> {
    let (version, rest) = record.split_first().ok_or(SealError::Malformed)?;
    if *version != VERSION {
        return Err(SealError::Malformed);
    }
    let (salt, body) = rest
        .split_first_chunk::<SALT_LENGTH>()
        .ok_or(SealError::Malformed)?;
    let mut body = body.to_vec();
    let opened = message_key(key, purpose, salt)?
        .open_in_place(zero_nonce(), Aad::from(associated), &mut body)
        .map(|plaintext| plaintext.len());
    match opened {
        Ok(length) => {
            body.truncate(length);
            Ok(body)
        }
        Err(_unspecified) => {
            body.zeroize();
            Err(SealError::NotAuthentic)
        }
    }
}

fn message_key(
    key: &Key,
    purpose: &'static str,
    salt: &[u8; SALT_LENGTH],
) -> Result<LessSafeKey, SealError> {
    let mut context = Vec::with_capacity(purpose.len().saturating_add(SALT_LENGTH));
    context.extend_from_slice(purpose.as_bytes());
    context.extend_from_slice(salt);
    let derived = key.derive("chancery/seal/v1", &context);
    UnboundKey::new(&AES_256_GCM, derived.expose())
        .map(LessSafeKey::new)
        .map_err(|_unspecified| SealError::Malformed)
}

/// Each message key encrypts one message, so its nonce carries nothing.
fn zero_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counter(u8);

    impl Entropy for Counter {
        fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
            for byte in out {
                self.0 = self.0.wrapping_add(1);
                *byte = self.0;
            }
            Ok(())
        }
    }

    struct Broken;

    impl Entropy for Broken {
        fn fill(&mut self, _: &mut [u8]) -> Result<(), EntropyError> {
            Err(EntropyError)
        }
    }

    fn sealed() -> (Key, Vec<u8>) {
        let key = Key::from_bytes([9; 32]);
        let record = seal(&key, "test/v1", b"here", b"plaintext", &mut Counter(0)).unwrap();
        (key, record)
    }

    #[test]
    fn refuses_every_flipped_bit_and_every_truncation() {
        let (key, record) = sealed();
        assert_eq!(
            open(&key, "test/v1", b"here", &record).unwrap(),
            b"plaintext"
        );
        for index in 0..record.len() {
            for bit in 0..8 {
                let mut spoiled = record.clone();
                spoiled[index] ^= 1 << bit;
                assert!(open(&key, "test/v1", b"here", &spoiled).is_err());
            }
            assert!(open(&key, "test/v1", b"here", &record[..index]).is_err());
        }
    }

    #[test]
    fn refuses_another_key_purpose_or_place() {
        let (key, record) = sealed();
        let other = Key::from_bytes([10; 32]);
        assert_eq!(
            open(&other, "test/v1", b"here", &record),
            Err(SealError::NotAuthentic)
        );
        assert_eq!(
            open(&key, "other/v1", b"here", &record),
            Err(SealError::NotAuthentic)
        );
        assert_eq!(
            open(&key, "test/v1", b"there", &record),
            Err(SealError::NotAuthentic)
        );
    }

    #[test]
    fn stops_without_randomness() {
        let key = Key::from_bytes([9; 32]);
        assert_eq!(
            seal(&key, "test/v1", b"", b"", &mut Broken),
            Err(SealError::Entropy)
        );
    }

    #[test]
    fn two_seals_of_one_plaintext_differ() {
        let key = Key::from_bytes([9; 32]);
        let mut entropy = Counter(0);
        let first = seal(&key, "test/v1", b"", b"same", &mut entropy).unwrap();
        let second = seal(&key, "test/v1", b"", b"same", &mut entropy).unwrap();
        assert_ne!(first, second);
        assert_eq!(first.len(), 4 + SEAL_OVERHEAD);
    }

    #[test]
    fn the_buffer_is_never_moved_with_plaintext_in_it() {
        let key = Key::from_bytes([9; 32]);
        let plaintext = [7; 1000];
        let record = seal(&key, "test/v1", b"", &plaintext, &mut Counter(0)).unwrap();
        assert_eq!(record.capacity(), plaintext.len() + SEAL_OVERHEAD);
    }
}
