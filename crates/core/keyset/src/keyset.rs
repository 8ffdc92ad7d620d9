use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use chancery_dsse::{PublicKey, SigningKey};
use chancery_sealing::Entropy;
use hpke::kem::XWing;
use hpke::{Deserializable as _, Kem as _, Serializable as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroize as _;

use crate::error::Error;

/// Bytes of a [`KeysetSeed`]: 32 for the KEM, then 32 for signing.
pub const SEED_LENGTH: usize = 64;

/// Bytes of an X-Wing public key: ML-KEM-768 (1184), then X25519 (32).
pub const KEM_PUBLIC_KEY_LENGTH: usize = 1216;

/// Bytes of an encoded [`PublicKeyset`]: version, suite ids, KEM key, signing key.
pub const PUBLIC_KEYSET_LENGTH: usize = 1 + 6 + KEM_PUBLIC_KEY_LENGTH + 32;

const PUBLIC_KEYSET_VERSION: u8 = 1;
const FINGERPRINT_PURPOSE: &[u8] = b"chancery/keyset/fingerprint/v1";

/// The algorithms of a keyset. There is one; its ids are encoded so that a second can be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Suite {
    /// X-Wing (0x647a), HKDF-SHA256 (0x0001), ChaCha20-Poly1305 (0x0003); signatures by Ed25519.
    XWingHkdfSha256ChaCha20Poly1305,
}

impl Suite {
    /// The HPKE ids of KEM, KDF and AEAD, big-endian.
    #[must_use]
    pub const fn ids(self) -> [u8; 6] {
        match self {
            Self::XWingHkdfSha256ChaCha20Poly1305 => [0x64, 0x7a, 0x00, 0x01, 0x00, 0x03],
        }
    }

    pub(crate) fn from_ids(ids: [u8; 6]) -> Result<Self, Error> {
        let known = Self::XWingHkdfSha256ChaCha20Poly1305;
        if ids == known.ids() {
            Ok(known)
        } else {
            Err(Error::UnknownSuite)
        }
    }
}

/// The private side of a keyset: boxed, zeroized on drop, never printed, never compared.
pub struct KeysetSeed(Box<[u8; SEED_LENGTH]>);

impl KeysetSeed {
    /// Draws a fresh seed.
    ///
    /// # Errors
    /// [`Error::Entropy`] if `entropy` fails.
    pub fn generate(entropy: &mut dyn Entropy) -> Result<Self, Error> {
        let mut seed = Self(Box::new([0; SEED_LENGTH]));
        entropy.fill(seed.0.as_mut_slice())?;
        Ok(seed)
    }

    /// Takes over the bytes of a seed that was sealed or kept in a key file.
    #[must_use]
    pub fn from_bytes(mut bytes: [u8; SEED_LENGTH]) -> Self {
        let seed = Self(Box::new(bytes));
        bytes.zeroize();
        seed
    }

    /// Lends the seed bytes, to seal them or to write a key file.
    #[must_use]
    pub fn expose(&self) -> &[u8; SEED_LENGTH] {
        &self.0
    }

    fn half(&self, index: usize) -> [u8; 32] {
        let mut half = [0; 32];
        let from = self.0.iter().skip(index.saturating_mul(32));
        half.iter_mut().zip(from).for_each(|(to, byte)| *to = *byte);
        half
    }

    /// The HPKE private key of the first half.
    pub(crate) fn kem_key(&self) -> Result<<XWing as hpke::Kem>::PrivateKey, Error> {
        let mut half = self.half(0);
        let key = <XWing as hpke::Kem>::PrivateKey::from_bytes(&half);
        half.zeroize();
        // Any 32 bytes are an X-Wing seed; the library's signature allows for other lengths.
        key.ok().ok_or(Error::Length)
    }

    /// The Ed25519 private key of the second half.
    #[must_use]
    pub fn signing_key(&self) -> SigningKey {
        SigningKey::from_seed(self.half(1))
    }
}

impl Drop for KeysetSeed {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for KeysetSeed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("KeysetSeed(redacted)")
    }
}

/// A keyset whose private side is here: the seed and the public side derived from it, once.
pub struct Keyset {
    seed: KeysetSeed,
    public: PublicKeyset,
}

impl Keyset {
    /// Draws a fresh keyset: 64 random bytes, one key generation for each half, nothing else.
    ///
    /// # Errors
    /// [`Error::Entropy`] if `entropy` fails.
    pub fn generate(entropy: &mut dyn Entropy) -> Result<Self, Error> {
        Self::from_seed(KeysetSeed::generate(entropy)?)
    }

    /// Derives the public side of `seed`.
    ///
    /// # Errors
    /// None is reachable with a seed of 64 bytes; a fault of the KEM library shows as [`Error::Length`].
    pub fn from_seed(seed: KeysetSeed) -> Result<Self, Error> {
        let mut kem = Box::new([0; KEM_PUBLIC_KEY_LENGTH]);
        XWing::sk_to_pk(&seed.kem_key()?).write_exact(kem.as_mut_slice());
        let signing = seed.signing_key().public_key().to_bytes();
        let public = PublicKeyset {
            suite: Suite::XWingHkdfSha256ChaCha20Poly1305,
            kem,
            signing,
        };
        Ok(Self { seed, public })
    }

    /// The public side.
    #[must_use]
    pub const fn public(&self) -> &PublicKeyset {
        &self.public
    }

    /// The private side, to seal it.
    #[must_use]
    pub const fn seed(&self) -> &KeysetSeed {
        &self.seed
    }

    /// Gives up the public side and keeps what must be stored.
    #[must_use]
    pub fn into_parts(self) -> (KeysetSeed, PublicKeyset) {
        (self.seed, self.public)
    }

    /// The signing half.
    #[must_use]
    pub fn signing_key(&self) -> SigningKey {
        self.seed.signing_key()
    }
}

impl fmt::Debug for Keyset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Keyset")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

/// SHA-256 over a purpose string and the encoding of a [`PublicKeyset`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Takes over a fingerprint that was stored or logged before.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Fingerprint({self})")
    }
}

/// The public side of a keyset: both halves are checked keys.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKeyset {
    suite: Suite,
    kem: Box<[u8; KEM_PUBLIC_KEY_LENGTH]>,
    signing: [u8; 32],
}

impl PublicKeyset {
    /// Joins two public halves that another party made.
    ///
    /// # Errors
    /// [`Error::KemKey`] or [`Error::SigningKey`] if a half is no key.
    pub fn new(kem: &[u8; KEM_PUBLIC_KEY_LENGTH], signing: &[u8; 32]) -> Result<Self, Error> {
        <XWing as hpke::Kem>::PublicKey::from_bytes(kem)
            .ok()
            .ok_or(Error::KemKey)?;
        PublicKey::from_bytes(signing)
            .ok()
            .ok_or(Error::SigningKey)?;
        Ok(Self {
            suite: Suite::XWingHkdfSha256ChaCha20Poly1305,
            kem: Box::new(*kem),
            signing: *signing,
        })
    }

    /// The algorithms.
    #[must_use]
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// The X-Wing public key.
    #[must_use]
    pub const fn kem(&self) -> &[u8; KEM_PUBLIC_KEY_LENGTH] {
        &self.kem
    }

    /// The Ed25519 public key.
    #[must_use]
    pub const fn signing(&self) -> &[u8; 32] {
        &self.signing
    }

    /// The Ed25519 public key, ready to check signatures with.
    ///
    /// # Errors
    /// None is reachable: the bytes were checked when this value was made.
    pub fn verifying_key(&self) -> Result<PublicKey, Error> {
        PublicKey::from_bytes(&self.signing)
            .ok()
            .ok_or(Error::SigningKey)
    }

    /// The one encoding: `version (1) || KEM, KDF, AEAD ids (6) || X-Wing key (1216) || Ed25519 key (32)`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(PUBLIC_KEYSET_LENGTH);
        bytes.push(PUBLIC_KEYSET_VERSION);
        bytes.extend_from_slice(&self.suite.ids());
        bytes.extend_from_slice(self.kem.as_slice());
        bytes.extend_from_slice(&self.signing);
        bytes
    }

    /// Reads the one encoding and checks both keys.
    ///
    /// # Errors
    /// [`Error::Length`], [`Error::Version`], [`Error::UnknownSuite`], [`Error::KemKey`] or
    /// [`Error::SigningKey`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() != PUBLIC_KEYSET_LENGTH {
            return Err(Error::Length);
        }
        let (version, rest) = bytes.split_first().ok_or(Error::Length)?;
        if *version != PUBLIC_KEYSET_VERSION {
            return Err(Error::Version);
        }
        let (ids, rest) = rest.split_first_chunk::<6>().ok_or(Error::Length)?;
        Suite::from_ids(*ids)?;
        let (kem, rest) = rest
            .split_first_chunk::<KEM_PUBLIC_KEY_LENGTH>()
            .ok_or(Error::Length)?;
        let signing = <&[u8; 32]>::try_from(rest).ok().ok_or(Error::Length)?;
        Self::new(kem, signing)
    }

    /// Names this public keyset: SHA-256 of `u8 length of purpose || purpose || encoding`.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let mut hash = Sha256::new();
        // The purpose has 30 bytes.
        hash.update([30]);
        hash.update(FINGERPRINT_PURPOSE);
        hash.update([PUBLIC_KEYSET_VERSION]);
        hash.update(self.suite.ids());
        hash.update(self.kem.as_slice());
        hash.update(self.signing);
        Fingerprint(hash.finalize().into())
    }
}

impl fmt::Debug for PublicKeyset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PublicKeyset({})", self.fingerprint())
    }
}

#[cfg(test)]
mod tests;
