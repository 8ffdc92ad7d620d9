//! Signed notes and their keys, by [c2sp.org/signed-note](https://c2sp.org/signed-note).
//!
//! Two signature types are known: `0x01` (Ed25519, logs) and `0x04` (timestamped Ed25519,
//! cosigners). Signatures of unknown keys are carried and ignored.

use alloc::string::String;
use alloc::string::ToString as _;
use alloc::vec::Vec;
use core::fmt;

use base64ct::Base64;
use base64ct::Encoding as _;

use crate::Error;

mod key;

pub(crate) use key::ED25519_SIGNATURE_BYTES;
use key::check_name;

pub use key::ED25519_KEY_BYTES;
pub use key::KEY_NAME_BYTES_MAX;
pub use key::KeyKind;
pub use key::SignerKey;
pub use key::VerifierKey;

/// Largest note in bytes. The specification asks for 16 signatures; 16 of the largest assigned
/// type are under 80 KiB.
pub const NOTE_BYTES_MAX: usize = 128 * 1024;

/// Most signatures of a note: a log's and those of 32 witnesses, twice over.
pub const SIGNATURES_MAX: usize = 64;

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
