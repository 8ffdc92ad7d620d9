//! Keys of notes: verifier keys as text, and the log's signing key.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::string::ToString as _;
use alloc::vec::Vec;
use core::fmt;

use base64ct::Base64;
use base64ct::Encoding as _;
use ed25519_dalek::Signature;
use ed25519_dalek::Signer as _;
use ed25519_dalek::SigningKey;
use ed25519_dalek::VerifyingKey;
use sha2::Digest as _;
use sha2::Sha256;

use super::NoteSignature;
use super::check_text;
use crate::Error;

/// Longest key name in bytes; a name's length must fit one byte in the newer cosignature type.
pub const KEY_NAME_BYTES_MAX: usize = 255;

/// Bytes of an Ed25519 signature.
pub(crate) const ED25519_SIGNATURE_BYTES: usize = 64;

/// Bytes of an Ed25519 public key or seed.
pub const ED25519_KEY_BYTES: usize = 32;

/// Signature type byte of Ed25519 notes.
const TYPE_ED25519: u8 = 0x01;
/// Signature type byte of ECDSA notes, whose key id is made in another way.
const TYPE_ECDSA: u8 = 0x02;
/// Signature type byte of timestamped Ed25519 cosignatures.
const TYPE_COSIGNATURE: u8 = 0x04;

/// What a key signs; the byte is part of the key id, so that one kind never passes for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyKind {
    /// `0x01`: the note text itself. Logs use it.
    Ed25519,
    /// `0x04`: `cosignature/v1`, a time and the note text. Witnesses use it.
    Cosignature,
}

impl KeyKind {
    const fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => TYPE_ED25519,
            Self::Cosignature => TYPE_COSIGNATURE,
        }
    }
}

/// The first four bytes of `SHA-256(name || 0x0A || type || key)`, big-endian.
fn key_id(name: &str, kind: u8, key: &[u8]) -> u32 {
    let mut sha = Sha256::new();
    sha.update(name.as_bytes());
    sha.update([b'\n', kind]);
    sha.update(key);
    let digest: [u8; 32] = sha.finalize().into();
    let [a, b, c, d, ..] = digest;
    u32::from_be_bytes([a, b, c, d])
}

/// Checks a key name: non-empty, without Unicode spaces, plus signs and control characters.
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    let valid = !name.is_empty()
        && name.len() <= KEY_NAME_BYTES_MAX
        && !name
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || c == '+');
    if valid { Ok(()) } else { Err(Error::KeyName) }
}

/// A public key with its name, written `name+id+base64(type || key)`.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: u32,
    kind: KeyKind,
    key: VerifyingKey,
}

impl VerifierKey {
    /// Makes a verifier key of its parts.
    ///
    /// # Errors
    /// [`Error::KeyName`], or [`Error::KeyWeak`] if the point is not canonical, not on the curve
    /// or of small order.
    pub fn new(name: &str, kind: KeyKind, key: &[u8; ED25519_KEY_BYTES]) -> Result<Self, Error> {
        check_name(name)?;
        let point = parse_point(key)?;
        let id = key_id(name, kind.byte(), key);
        Ok(Self {
            name: name.to_string(),
            id,
            kind,
            key: point,
        })
    }

    /// Reads the text form; the key id must be the one that name, type and key give.
    ///
    /// # Errors
    /// [`Error::KeyFormat`], [`Error::KeyName`], [`Error::KeyIdMismatch`], [`Error::KeyType`] for
    /// a type other than `0x01` and `0x04`, or [`Error::KeyWeak`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        // Base64 may hold plus signs, so only the first two separate.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Error::KeyFormat);
        };
        check_name(name)?;
        let lower_hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        if id.len() != 8 || !id.bytes().all(lower_hex) {
            return Err(Error::KeyFormat);
        }
        let Ok(id) = u32::from_str_radix(id, 16) else {
            return Err(Error::KeyFormat);
        };
        let Ok(material) = Base64::decode_vec(key) else {
            return Err(Error::KeyFormat);
        };
        let Some((&kind, material)) = material.split_first() else {
            return Err(Error::KeyFormat);
        };
        if kind == TYPE_ECDSA {
            return Err(Error::KeyType);
        }
        if id != key_id(name, kind, material) {
            return Err(Error::KeyIdMismatch);
        }
        let kind = match kind {
            TYPE_ED25519 => KeyKind::Ed25519,
            TYPE_COSIGNATURE => KeyKind::Cosignature,
            _ => return Err(Error::KeyType),
        };
        let Ok(material) = <&[u8; ED25519_KEY_BYTES]>::try_from(material) else {
            return Err(Error::KeyFormat);
        };
        Ok(Self {
            name: name.to_string(),
            id,
            kind,
            key: parse_point(material)?,
        })
    }

    /// The key name, without spaces and plus signs.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key id that stands in signatures.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// What the key signs.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The Ed25519 public key.
    #[must_use]
    pub fn public_key(&self) -> &[u8; ED25519_KEY_BYTES] {
        self.key.as_bytes()
    }

    /// Whether the signature claims to be by this key.
    pub(crate) fn claims(&self, signature: &NoteSignature) -> bool {
        signature.key_id == self.id && signature.name == self.name
    }

    /// Strict Ed25519: canonical S, no small-order A or R, cofactorless equation.
    pub(crate) fn verify_bytes(
        &self,
        message: &[u8],
        signature: &[u8; ED25519_SIGNATURE_BYTES],
    ) -> Result<(), Error> {
        match self
            .key
            .verify_strict(message, &Signature::from_bytes(signature))
        {
            Ok(()) => Ok(()),
            Err(_) => Err(Error::SignatureInvalid),
        }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut material = alloc::vec![self.kind.byte()];
        material.extend_from_slice(self.key.as_bytes());
        write!(
            f,
            "{}+{:08x}+{}",
            self.name,
            self.id,
            Base64::encode_string(&material)
        )
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads a public key and refuses what could pass for two keys or sign anything: other than the
/// one canonical encoding, and points of small order.
fn parse_point(bytes: &[u8; ED25519_KEY_BYTES]) -> Result<VerifyingKey, Error> {
    let [first, middle @ .., last] = bytes;
    // y must be below 2^255 - 19. (The sign of x = 0 can only be wrong at small order.)
    let canonical = !(*first >= 0xed && last | 0x80 == 0xff && middle.iter().all(|b| *b == 0xff));
    match VerifyingKey::from_bytes(bytes) {
        Ok(key) if canonical && !key.is_weak() => Ok(key),
        Ok(_) | Err(_) => Err(Error::KeyWeak),
    }
}

/// A log's Ed25519 signing key with its name. Wiped from memory when dropped.
pub struct SignerKey {
    // Boxed, so that moving the signer leaves no copy of the key behind.
    key: Box<SigningKey>,
    verifier: VerifierKey,
}

impl SignerKey {
    /// Makes the signer from a 32-byte seed of the caller's entropy.
    ///
    /// # Errors
    /// [`Error::KeyName`].
    pub fn from_seed(name: &str, seed: &[u8; ED25519_KEY_BYTES]) -> Result<Self, Error> {
        Self::with_kind(name, KeyKind::Ed25519, seed)
    }

    pub(crate) fn with_kind(
        name: &str,
        kind: KeyKind,
        seed: &[u8; ED25519_KEY_BYTES],
    ) -> Result<Self, Error> {
        let key = Box::new(SigningKey::from_bytes(seed));
        let verifier = VerifierKey::new(name, kind, key.verifying_key().as_bytes())?;
        Ok(Self { key, verifier })
    }

    /// The public half.
    #[must_use]
    pub const fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Signs a note text, which must end in a newline.
    ///
    /// # Errors
    /// [`Error::Line`] or [`Error::Encoding`] if the text cannot stand in a note.
    pub fn sign(&self, text: &str) -> Result<NoteSignature, Error> {
        check_text(text)?;
        Ok(self.signature(self.sign_bytes(text.as_bytes()).to_vec()))
    }

    pub(crate) fn sign_bytes(&self, message: &[u8]) -> [u8; ED25519_SIGNATURE_BYTES] {
        self.key.sign(message).to_bytes()
    }

    pub(crate) fn signature(&self, bytes: Vec<u8>) -> NoteSignature {
        NoteSignature {
            name: self.verifier.name.clone(),
            key_id: self.verifier.id,
            bytes,
        }
    }
}

impl fmt::Debug for SignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignerKey")
            .field("verifier", &self.verifier)
            .finish_non_exhaustive()
    }
}
