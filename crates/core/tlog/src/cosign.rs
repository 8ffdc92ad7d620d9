//! Timestamped Ed25519 cosignatures (`cosignature/v1`, type `0x04`), by
//! [c2sp.org/tlog-cosignature](https://c2sp.org/tlog-cosignature).
//!
//! The statement: at that time this was the largest consistent tree of the origin that the
//! cosigner had seen.

use alloc::format;
use alloc::string::String;
use core::fmt;

use crate::Error;
use crate::TREE_SIZE_MAX;
use crate::note::ED25519_KEY_BYTES;
use crate::note::ED25519_SIGNATURE_BYTES;
use crate::note::KeyKind;
use crate::note::NoteSignature;
use crate::note::SignedNote;
use crate::note::SignerKey;
use crate::note::VerifierKey;

/// Latest time in seconds that a cosignature may give.
pub const TIMESTAMP_S_MAX: u64 = TREE_SIZE_MAX;

/// A cosigner's signing key with its name. Wiped from memory when dropped.
pub struct CosignerKey(SignerKey);

impl CosignerKey {
    /// Makes the cosigner from a 32-byte seed of the caller's entropy. The message does not name
    /// the cosigner, so each cosigner needs a seed of its own.
    ///
    /// # Errors
    /// [`Error::KeyName`].
    pub fn from_seed(name: &str, seed: &[u8; ED25519_KEY_BYTES]) -> Result<Self, Error> {
        Ok(Self(SignerKey::with_kind(
            name,
            KeyKind::Cosignature,
            seed,
        )?))
    }

    /// The public half.
    #[must_use]
    pub const fn verifier(&self) -> &VerifierKey {
        self.0.verifier()
    }

    /// Cosigns a checkpoint text at `now_s`, seconds since the Unix epoch.
    ///
    /// # Errors
    /// [`Error::Timestamp`] if the time is zero or above [`TIMESTAMP_S_MAX`].
    pub fn cosign(&self, text: &str, now_s: u64) -> Result<NoteSignature, Error> {
        check_timestamp(now_s)?;
        let mut bytes = now_s.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.0.sign_bytes(message(text, now_s).as_bytes()));
        Ok(self.0.signature(bytes))
    }
}

impl fmt::Debug for CosignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CosignerKey")
            .field("verifier", self.verifier())
            .finish_non_exhaustive()
    }
}

fn message(text: &str, timestamp_s: u64) -> String {
    format!("cosignature/v1\ntime {timestamp_s}\n{text}")
}

/// Zero would be a cosigner's "no statement about time", which this type does not have.
const fn check_timestamp(timestamp_s: u64) -> Result<(), Error> {
    if timestamp_s == 0 || timestamp_s > TIMESTAMP_S_MAX {
        return Err(Error::Timestamp);
    }
    Ok(())
}

/// Checks one cosignature of a known cosigner over a checkpoint text and returns its time in
/// seconds.
///
/// # Errors
/// [`Error::KeyType`], [`Error::SignatureMissing`] if it is of another key,
/// [`Error::SignatureLength`], [`Error::Timestamp`] or [`Error::SignatureInvalid`].
pub fn verify_cosignature(
    text: &str,
    signature: &NoteSignature,
    key: &VerifierKey,
) -> Result<u64, Error> {
    if key.kind() != KeyKind::Cosignature {
        return Err(Error::KeyType);
    }
    if !key.claims(signature) {
        return Err(Error::SignatureMissing);
    }
    let Some((timestamp_s, rest)) = signature.bytes().split_first_chunk::<8>() else {
        return Err(Error::SignatureLength);
    };
    let Ok(bytes) = <&[u8; ED25519_SIGNATURE_BYTES]>::try_from(rest) else {
        return Err(Error::SignatureLength);
    };
    let timestamp_s = u64::from_be_bytes(*timestamp_s);
    check_timestamp(timestamp_s)?;
    key.verify_bytes(message(text, timestamp_s).as_bytes(), bytes)?;
    Ok(timestamp_s)
}

/// Checks all cosignatures of one cosigner on a note: each must verify. The latest time counts;
/// none if the cosigner has not signed.
///
/// # Errors
/// What [`verify_cosignature`] says about any of them.
pub fn cosigned_by(note: &SignedNote, key: &VerifierKey) -> Result<Option<u64>, Error> {
    let mut latest = None;
    for signature in note.signatures().iter().filter(|s| key.claims(s)) {
        latest = latest.max(Some(verify_cosignature(note.text(), signature, key)?));
    }
    Ok(latest)
}
