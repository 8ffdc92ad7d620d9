//! What a claim's ID token commits to, and what keys sign. Framing: `u8 length of label || label`, then
//! the members; integers are big-endian.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use chancery_keyset::Fingerprint;
use sha2::{Digest as _, Sha256};

use crate::error::Error;

/// Longest challenge, in bytes.
pub const CHALLENGE_SIZE_MAX: usize = 1024;

const NONCE_LABEL: &[u8] = b"chancery/claim/nonce/v1";
const STATEMENT_LABEL: &[u8] = b"chancery/claim/statement/v1";
const SUCCESSION_LABEL: &[u8] = b"chancery/keyset/succession/v1";

/// Length of a UUID in its text form.
const UUID_LENGTH: usize = 36;

/// Names a claim: the UUID of the SCIM user whose account is claimed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimId([u8; 16]);

impl ClaimId {
    /// Takes over the 16 bytes of a user's id.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Reads a UUID: lower-case hexadecimal digits in groups of 8, 4, 4, 4 and 12.
    ///
    /// # Errors
    /// [`Error::ClaimIdForm`] for anything that [`ClaimId`] would not show in the same way.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() != UUID_LENGTH {
            return Err(Error::ClaimIdForm);
        }
        let digits: String = text.chars().filter(|letter| *letter != '-').collect();
        let mut bytes = [0; 16];
        hex::decode_to_slice(&digits, &mut bytes)
            .ok()
            .ok_or(Error::ClaimIdForm)?;
        let id = Self(bytes);
        if alloc::format!("{id}") == text {
            Ok(id)
        } else {
            Err(Error::ClaimIdForm)
        }
    }
}

impl fmt::Display for ClaimId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for ClaimId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClaimId({self})")
    }
}

/// Everything that the `nonce` of a claim's ID token commits to.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the hashed format names every member"
)]
pub struct ClaimBinding<'a> {
    /// The runtime's single-use challenge, 1 to [`CHALLENGE_SIZE_MAX`] bytes.
    pub challenge: &'a [u8],
    /// Whose account is claimed.
    pub claim: ClaimId,
    /// The deployment.
    pub deployment: [u8; 32],
    /// The tenant.
    pub tenant: [u8; 16],
    /// Hash of the tenant's genesis.
    pub genesis: [u8; 32],
    /// The member's new account keyset.
    pub account: Fingerprint,
    /// The keyset of the member's device.
    pub device: Fingerprint,
}

impl ClaimBinding<'_> {
    /// The nonce: `SHA-256(framed label || u16 length || challenge || claim || deployment || tenant ||
    /// genesis || account || device)`.
    ///
    /// # Errors
    /// [`Error::ChallengeSize`].
    pub fn nonce(&self) -> Result<ClaimNonce, Error> {
        if self.challenge.is_empty() || self.challenge.len() > CHALLENGE_SIZE_MAX {
            return Err(Error::ChallengeSize);
        }
        let length = u16::try_from(self.challenge.len())
            .ok()
            .ok_or(Error::ChallengeSize)?;
        let mut hash = Sha256::new();
        hash.update(framed(NONCE_LABEL, &[]));
        hash.update(length.to_be_bytes());
        hash.update(self.challenge);
        hash.update(self.claim.0);
        hash.update(self.deployment);
        hash.update(self.tenant);
        hash.update(self.genesis);
        hash.update(self.account.as_bytes());
        hash.update(self.device.as_bytes());
        Ok(ClaimNonce(hash.finalize().into()))
    }
}

/// The 32 bytes of a claim's nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimNonce([u8; 32]);

impl ClaimNonce {
    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The value of `nonce` in the authorization request and in the ID token: base64url without padding.
    #[must_use]
    pub fn to_text(&self) -> String {
        Base64UrlUnpadded::encode_string(&self.0)
    }

    /// What the new account key signs: `framed label || nonce`.
    #[must_use]
    pub fn statement(&self) -> Vec<u8> {
        framed(STATEMENT_LABEL, &[&self.0])
    }
}

/// That one account keyset follows another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the signed format names every member"
)]
pub struct Succession {
    /// The tenant.
    pub tenant: [u8; 16],
    /// The handle of the account in the log.
    pub subject: [u8; 32],
    /// The keyset that is replaced.
    pub old: Fingerprint,
    /// The keyset that takes its place.
    pub new: Fingerprint,
    /// Hash of the evidence ([`crate::UnsignedEvidence::digest`]), or zeros if the old key's signature is all.
    pub evidence: [u8; 32],
}

impl Succession {
    /// What the old key signs, and in a rotation by the member the new one too: `framed label || tenant ||
    /// subject || old || new || evidence`.
    #[must_use]
    pub fn statement(&self) -> Vec<u8> {
        framed(
            SUCCESSION_LABEL,
            &[
                &self.tenant,
                &self.subject,
                self.old.as_bytes(),
                self.new.as_bytes(),
                &self.evidence,
            ],
        )
    }
}

fn framed(label: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    // Labels are constants of this file, far below 255 bytes.
    bytes.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
    bytes.extend_from_slice(label);
    for part in parts {
        bytes.extend_from_slice(part);
    }
    bytes
}

#[cfg(test)]
mod tests;
