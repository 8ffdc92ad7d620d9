//! Signed notes and their keys, by [c2sp.org/signed-note](https://c2sp.org/signed-note).
//!
//! Two signature types are known: `0x01` (Ed25519, logs) and `0x04` (timestamped Ed25519,
//! cosigners). Signatures of unknown keys are carried and ignored.

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

use crate::Error;

/// Largest note in bytes. The specification asks for 16 signatures; 16 of the largest assigned
/// type are under 80 KiB.
pub const NOTE_BYTES_MAX: usize = 128 * 1024;

/// Most signatures of a note: a log's and those of 32 witnesses, twice over.
pub const SIGNATURES_MAX: usize = 64;

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
fn check_name(name: &str) -> Result<(), Error> {
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

/// One signature line of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    name: String,
    key_id: u32,
    bytes: Vec<u8>,
}

impl NoteSignature {
    /// The name that the line gives.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key id that the line gives.
    #[must_use]
    pub const fn key_id(&self) -> u32 {
        self.key_id
    }

    /// The signature without the key id.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Reads one line without its newline.
    ///
    /// # Errors
    /// [`Error::Line`], [`Error::KeyName`] or [`Error::Base64`].
    pub fn parse_line(line: &str) -> Result<Self, Error> {
        let (name, blob) = line
            .strip_prefix("\u{2014} ")
            .and_then(|l| l.split_once(' '))
            .ok_or(Error::Line)?;
        check_name(name)?;
        let Ok(blob) = Base64::decode_vec(blob) else {
            return Err(Error::Base64);
        };
        match blob.split_first_chunk::<4>() {
            Some((id, bytes)) if !bytes.is_empty() => Ok(Self {
                name: name.to_string(),
                key_id: u32::from_be_bytes(*id),
                bytes: bytes.to_vec(),
            }),
            _ => Err(Error::SignatureLength),
        }
    }
}

impl fmt::Display for NoteSignature {
    /// The line with its newline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut blob = self.key_id.to_be_bytes().to_vec();
        blob.extend_from_slice(&self.bytes);
        writeln!(f, "\u{2014} {} {}", self.name, Base64::encode_string(&blob))
    }
}

/// Checks that a text can be signed: newline at the end, no control characters.
fn check_text(text: &str) -> Result<(), Error> {
    if text.len() > NOTE_BYTES_MAX {
        return Err(Error::TooLarge);
    }
    if text.bytes().any(|b| b < 0x20 && b != b'\n') {
        return Err(Error::Encoding);
    }
    if text.ends_with('\n') {
        Ok(())
    } else {
        Err(Error::Line)
    }
}

/// A text with signature lines. Nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl SignedNote {
    /// Makes a note of a text and its first signature.
    ///
    /// # Errors
    /// [`Error::Line`], [`Error::Encoding`] or [`Error::TooLarge`].
    pub fn new(text: &str, signature: NoteSignature) -> Result<Self, Error> {
        check_text(text)?;
        Ok(Self {
            text: text.to_string(),
            signatures: alloc::vec![signature],
        })
    }

    /// Reads a note strictly: the text ends at the last empty line, and every line after it is a
    /// signature line.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Encoding`], [`Error::Line`], [`Error::SignatureCount`], or
    /// what [`NoteSignature::parse_line`] says.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(Error::TooLarge);
        }
        let Ok(note) = core::str::from_utf8(bytes) else {
            return Err(Error::Encoding);
        };
        check_text(note)?;
        let at = note.rfind("\n\n").ok_or(Error::Line)?;
        let (text, rest) = note
            .split_at_checked(at.saturating_add(1))
            .ok_or(Error::Line)?;
        let lines = rest.strip_prefix('\n').ok_or(Error::Line)?;
        let signatures = parse_signature_lines(lines)?;
        Ok(Self {
            text: text.to_string(),
            signatures,
        })
    }

    /// The signed text with its last newline.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// All signatures, known or not.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds a signature line, unless the very same one is there.
    ///
    /// # Errors
    /// [`Error::SignatureCount`] at [`SIGNATURES_MAX`].
    pub fn push(&mut self, signature: NoteSignature) -> Result<(), Error> {
        if self.signatures.contains(&signature) {
            return Ok(());
        }
        if self.signatures.len() >= SIGNATURES_MAX {
            return Err(Error::SignatureCount);
        }
        self.signatures.push(signature);
        Ok(())
    }

    /// The note as text, which [`Self::parse`] reads back.
    #[must_use]
    pub fn encode(&self) -> String {
        self.to_string()
    }

    /// Keeps the signatures of the keys given, and drops all others.
    #[must_use]
    pub fn retaining(&self, keys: &[&VerifierKey]) -> Self {
        let known = |s: &&NoteSignature| keys.iter().any(|k| k.claims(s));
        Self {
            text: self.text.clone(),
            signatures: self.signatures.iter().filter(known).cloned().collect(),
        }
    }

    /// Checks the signature of an Ed25519 (`0x01`) key: every signature line of that key must
    /// verify, and there must be one.
    ///
    /// # Errors
    /// [`Error::KeyType`], [`Error::SignatureMissing`], [`Error::SignatureLength`] or
    /// [`Error::SignatureInvalid`].
    pub fn verify(&self, key: &VerifierKey) -> Result<(), Error> {
        if key.kind() != KeyKind::Ed25519 {
            return Err(Error::KeyType);
        }
        let mut outcome = Err(Error::SignatureMissing);
        for signature in self.signatures.iter().filter(|s| key.claims(s)) {
            let Ok(bytes) = signature.bytes().try_into() else {
                return Err(Error::SignatureLength);
            };
            key.verify_bytes(self.text.as_bytes(), bytes)?;
            outcome = Ok(());
        }
        outcome
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures
            .iter()
            .try_for_each(|s| fmt::Display::fmt(s, f))
    }
}

/// Reads signature lines, each ended by a newline.
pub(crate) fn parse_signature_lines(lines: &str) -> Result<Vec<NoteSignature>, Error> {
    let lines = lines.strip_suffix('\n').ok_or(Error::SignatureCount)?;
    let mut signatures = Vec::new();
    for line in lines.split('\n') {
        if signatures.len() >= SIGNATURES_MAX {
            return Err(Error::SignatureCount);
        }
        signatures.push(NoteSignature::parse_line(line)?);
    }
    Ok(signatures)
}

#[cfg(test)]
mod tests;
