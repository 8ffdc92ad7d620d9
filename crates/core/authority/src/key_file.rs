//! Key files of admins: the format, not the file.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;

use base64ct::{Base64, Encoding as _};
use chancery_dsse::SigningKey;
use chancery_json::Fields;
use chancery_keyset::{Keyset, KeysetSeed, SEED_LENGTH};
use chancery_sealing::Entropy;
use zeroize::{Zeroize as _, Zeroizing};

use crate::error::{Error, FieldFault};
use crate::read;

const ED25519_SEED: &str = "ed25519-seed";
const KEYSET_SEED: &str = "keyset-seed";

/// A private key as an admin keeps it: an admin's own key, or the tenant's recovery key.
///
/// The JSON reader keeps short-lived copies of the text that are not zeroized; read key files in the
/// command-line client alone.
#[non_exhaustive]
pub enum KeyFile {
    /// 32 bytes that make an Ed25519 key.
    Ed25519(Ed25519Seed),
    /// 64 bytes that make a whole keyset.
    Keyset(KeysetSeed),
}

/// The 32-byte seed of an Ed25519 key: zeroized on drop, never printed, never compared.
pub struct Ed25519Seed(Zeroizing<[u8; 32]>);

impl Ed25519Seed {
    /// Draws a fresh seed.
    ///
    /// # Errors
    /// [`Error::Entropy`] if `entropy` fails.
    pub fn generate(entropy: &mut dyn Entropy) -> Result<Self, Error> {
        let mut seed = Self(Zeroizing::new([0; 32]));
        entropy.fill(seed.0.as_mut_slice())?;
        Ok(seed)
    }

    /// Takes over the bytes of a seed.
    #[must_use]
    pub fn from_bytes(mut bytes: [u8; 32]) -> Self {
        let seed = Self(Zeroizing::new(bytes));
        bytes.zeroize();
        seed
    }

    /// The key.
    #[must_use]
    pub fn signing_key(&self) -> SigningKey {
        SigningKey::from_seed(*self.0)
    }
}

impl fmt::Debug for Ed25519Seed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Ed25519Seed(redacted)")
    }
}

impl KeyFile {
    /// Reads `{"version":1,"kind":"ed25519-seed"|"keyset-seed","seed":"<base64>"}`.
    ///
    /// # Errors
    /// [`Error::Json`] or [`Error::Field`] with the place.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Error> {
        let mut fields: Fields = read::document(bytes)?;
        let kind = fields.take("kind")?;
        let pointer = kind.pointer().to_string();
        let kind = kind.into_str()?;
        let seed = fields.take("seed")?;
        fields.finish()?;
        match kind.as_str() {
            ED25519_SEED => {
                let seed = Ed25519Seed::from_bytes(read::base64_bytes(seed)?);
                Ok(Self::Ed25519(seed))
            }
            KEYSET_SEED => {
                let seed: [u8; SEED_LENGTH] = read::base64_bytes(seed)?;
                Ok(Self::Keyset(KeysetSeed::from_bytes(seed)))
            }
            _ => Err(Error::field(pointer, FieldFault::UnknownWord)),
        }
    }

    /// Writes the form that [`KeyFile::from_json`] reads, with a line end. The caller writes it where
    /// only its owner can read it.
    #[must_use]
    pub fn to_json(&self) -> Zeroizing<Vec<u8>> {
        let (kind, seed) = match self {
            Self::Ed25519(seed) => (ED25519_SEED, seed.0.as_slice()),
            Self::Keyset(seed) => (KEYSET_SEED, seed.expose().as_slice()),
        };
        let seed: Zeroizing<String> = Zeroizing::new(Base64::encode_string(seed));
        // The kinds and base64 need no escaping. The capacity holds all, so that no copy is left behind.
        let mut text = Zeroizing::new(Vec::with_capacity(192));
        for part in [
            "{\"version\":1,\"kind\":\"",
            kind,
            "\",\"seed\":\"",
            seed.as_str(),
            "\"}\n",
        ] {
            text.extend_from_slice(part.as_bytes());
        }
        text
    }

    /// The key that signs: an admin's own, or the signing half of a keyset.
    #[must_use]
    pub fn signing_key(&self) -> SigningKey {
        match self {
            Self::Ed25519(seed) => seed.signing_key(),
            Self::Keyset(seed) => seed.signing_key(),
        }
    }

    /// The keyset, if this is one.
    #[must_use]
    pub fn into_keyset(self) -> Option<Keyset> {
        match self {
            Self::Ed25519(_) => None,
            Self::Keyset(seed) => Keyset::from_seed(seed).ok(),
        }
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ed25519(_) => formatter.write_str("KeyFile(ed25519-seed, redacted)"),
            Self::Keyset(_) => formatter.write_str("KeyFile(keyset-seed, redacted)"),
        }
    }
}

#[cfg(test)]
mod tests;
