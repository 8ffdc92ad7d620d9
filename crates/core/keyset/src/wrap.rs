use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt;

use chancery_sealing::Entropy;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{
    Deserializable as _, OpModeR, OpModeS, Serializable as _, setup_receiver, setup_sender_with_rng,
};
use zeroize::{Zeroize as _, Zeroizing};

use crate::error::Error;
use crate::keyset::{Fingerprint, Keyset, PublicKeyset, Suite};

/// Most bytes that are wrapped at once: keys and seeds, not documents.
pub const WRAP_PLAINTEXT_SIZE_MAX: usize = 4096;

/// Bytes that a wrap adds to its plaintext: version, suite ids, encapsulated key, tag.
pub const WRAP_OVERHEAD: usize = 1 + 6 + ENCAPSULATED_KEY_LENGTH + TAG_LENGTH;

const WRAP_VERSION: u8 = 1;
const ENCAPSULATED_KEY_LENGTH: usize = 1120;
const TAG_LENGTH: usize = 16;
/// X-Wing encapsulation takes 32 bytes for ML-KEM and 32 for X25519.
const RANDOMNESS_LENGTH: usize = 64;
const INFO_PURPOSE: &str = "chancery/wrap/v1";

/// What a wrapped secret is for. A wrap of one purpose never opens as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WrapPurpose {
    /// The key of one epoch of a managed group, to a member.
    GroupEpochKey,
    /// What the pending keyset could open, to the keyset that replaces it at claim or rotation.
    KeysetSuccession,
    /// A tenant's storage key, to the tenant's recovery key.
    TenantStorageKey,
    /// A secret of the platform's own, from one member to another; the service never makes one.
    MemberSecret,
}

impl WrapPurpose {
    /// The name as it is bound into the wrap.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GroupEpochKey => "group-epoch-key",
            Self::KeysetSuccession => "keyset-succession",
            Self::TenantStorageKey => "tenant-storage-key",
            Self::MemberSecret => "member-secret",
        }
    }
}

/// What a wrap is bound to, besides the recipient, whose fingerprint is taken from its key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a caller must name every part; a new part must break every caller"
)]
pub struct WrapContext {
    /// What the secret is for.
    pub purpose: WrapPurpose,
    /// The tenant's id.
    pub tenant: [u8; 16],
    /// The handle of the group, person or tenant object whose secret this is.
    pub subject: [u8; 32],
    /// The keyset on whose behalf the wrap is made.
    pub sender: Fingerprint,
    /// Index of the entry in the tenant's log that the wrap belongs to.
    pub log_position: u64,
}

impl WrapContext {
    /// The HPKE `info`: `u8 length || "chancery/wrap/v1" || u8 length || purpose || tenant (16) ||
    /// subject (32) || sender fingerprint (32) || recipient fingerprint (32) || u64 log position`.
    fn info(&self, recipient: &Fingerprint) -> Vec<u8> {
        let mut info = Vec::with_capacity(160);
        for text in [INFO_PURPOSE, self.purpose.name()] {
            // Both are constants of this file with fewer than 32 characters.
            info.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
            info.extend_from_slice(text.as_bytes());
        }
        info.extend_from_slice(&self.tenant);
        info.extend_from_slice(&self.subject);
        info.extend_from_slice(self.sender.as_bytes());
        info.extend_from_slice(recipient.as_bytes());
        info.extend_from_slice(&self.log_position.to_be_bytes());
        info
    }
}

/// A secret that only the holder of one keyset can open, in one context.
#[derive(Clone, PartialEq, Eq)]
pub struct Wrap {
    suite: Suite,
    encapsulated_key: Vec<u8>,
    ciphertext: Vec<u8>,
}

impl Wrap {
    /// The algorithms.
    #[must_use]
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// The one encoding: `version (1) || KEM, KDF, AEAD ids (6) || encapsulated key (1120) ||
    /// ciphertext and tag`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(WRAP_OVERHEAD.saturating_add(self.ciphertext.len()));
        bytes.push(WRAP_VERSION);
        bytes.extend_from_slice(&self.suite.ids());
        bytes.extend_from_slice(&self.encapsulated_key);
        bytes.extend_from_slice(&self.ciphertext);
        bytes
    }

    /// Reads the one encoding. Nothing is opened by that.
    ///
    /// # Errors
    /// [`Error::Length`], [`Error::Version`] or [`Error::UnknownSuite`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let length_max = WRAP_OVERHEAD.saturating_add(WRAP_PLAINTEXT_SIZE_MAX);
        if !(WRAP_OVERHEAD..=length_max).contains(&bytes.len()) {
            return Err(Error::Length);
        }
        let (version, rest) = bytes.split_first().ok_or(Error::Length)?;
        if *version != WRAP_VERSION {
            return Err(Error::Version);
        }
        let (ids, rest) = rest.split_first_chunk::<6>().ok_or(Error::Length)?;
        let suite = Suite::from_ids(*ids)?;
        let (encapsulated_key, ciphertext) = rest
            .split_at_checked(ENCAPSULATED_KEY_LENGTH)
            .ok_or(Error::Length)?;
        Ok(Self {
            suite,
            encapsulated_key: encapsulated_key.to_vec(),
            ciphertext: ciphertext.to_vec(),
        })
    }
}

impl fmt::Debug for Wrap {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Wrap")
            .field("suite", &self.suite)
            .field("ciphertext_length", &self.ciphertext.len())
            .finish_non_exhaustive()
    }
}

/// Wraps `plaintext` so that only `recipient` opens it, in `context` alone.
///
/// # Errors
/// [`Error::PlaintextTooLarge`] is the caller's fault, [`Error::Entropy`] the environment's;
/// [`Error::KemKey`] and [`Error::Encapsulation`] are unreachable with a checked public keyset.
pub fn wrap(
    recipient: &PublicKeyset,
    context: &WrapContext,
    plaintext: &[u8],
    entropy: &mut dyn Entropy,
) -> Result<Wrap, Error> {
    if plaintext.len() > WRAP_PLAINTEXT_SIZE_MAX {
        return Err(Error::PlaintextTooLarge);
    }
    let info = context.info(&recipient.fingerprint());
    let mut randomness = Drawn::new(entropy)?;
    seal(recipient, &info, &[], plaintext, &mut randomness)
}

/// Opens a wrap that was made for `recipient` in `context`.
///
/// # Errors
/// [`Error::Unauthentic`] if key, context or bytes are not the ones of the wrap.
pub fn unwrap(
    recipient: &Keyset,
    context: &WrapContext,
    wrapped: &Wrap,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let info = context.info(&recipient.public().fingerprint());
    open(recipient, &info, &[], wrapped)
}

fn seal(
    recipient: &PublicKeyset,
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
    randomness: &mut Drawn,
) -> Result<Wrap, Error> {
    let key = <XWing as hpke::Kem>::PublicKey::from_bytes(recipient.kem())
        .ok()
        .ok_or(Error::KemKey)?;
    let (encapsulated, mut sender) = setup_sender_with_rng::<ChaCha20Poly1305, HkdfSha256, XWing>(
        &OpModeS::Base,
        &key,
        info,
        randomness,
    )
    .ok()
    .ok_or(Error::Encapsulation)?;
    // The library must have taken all of the randomness and no more, or the key is not what it should be.
    if randomness.used != RANDOMNESS_LENGTH {
        return Err(Error::Encapsulation);
    }
    let ciphertext = sender
        .seal(plaintext, aad)
        .ok()
        .ok_or(Error::Encapsulation)?;
    let mut encapsulated_key = alloc::vec![0; ENCAPSULATED_KEY_LENGTH];
    encapsulated.write_exact(&mut encapsulated_key);
    Ok(Wrap {
        suite: recipient.suite(),
        encapsulated_key,
        ciphertext,
    })
}

fn open(
    recipient: &Keyset,
    info: &[u8],
    aad: &[u8],
    wrapped: &Wrap,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let encapsulated = <XWing as hpke::Kem>::EncappedKey::from_bytes(&wrapped.encapsulated_key)
        .ok()
        .ok_or(Error::Unauthentic)?;
    let mut receiver = setup_receiver::<ChaCha20Poly1305, HkdfSha256, XWing>(
        &OpModeR::Base,
        &recipient.seed().kem_key()?,
        &encapsulated,
        info,
    )
    .ok()
    .ok_or(Error::Unauthentic)?;
    receiver
        .open(&wrapped.ciphertext, aad)
        .map(Zeroizing::new)
        .ok()
        .ok_or(Error::Unauthentic)
}

/// Randomness drawn before the HPKE library runs, because its interface has no way to fail.
struct Drawn {
    bytes: [u8; RANDOMNESS_LENGTH],
    /// Bytes that were asked for, also beyond the end.
    used: usize,
}

impl Drawn {
    fn new(entropy: &mut dyn Entropy) -> Result<Self, Error> {
        let mut drawn = Self {
            bytes: [0; RANDOMNESS_LENGTH],
            used: 0,
        };
        entropy.fill(&mut drawn.bytes)?;
        Ok(drawn)
    }
}

impl Drop for Drawn {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl TryRng for Drawn {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Bytes beyond the drawn ones stay zero and are counted, so that `seal` refuses its result.
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        let rest = self.bytes.iter().skip(self.used);
        out.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        self.used = self.used.saturating_add(out.len());
        Ok(())
    }
}

impl TryCryptoRng for Drawn {}

#[cfg(test)]
mod tests;
