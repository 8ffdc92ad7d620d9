//! SCIM bearer tokens.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use chancery_sealing::{Entropy, Key};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize as _, Zeroizing};

use crate::error::Error;
use crate::name::written_in_hex;
use crate::scope::ScopeSet;

/// Characters of a token: the prefix, then 36 bytes in base64url.
pub const TOKEN_LENGTH: usize = PREFIX.len() + 48;

/// Derivation label of the keyed digest under which tokens are stored.
pub const TOKEN_DIGEST_LABEL: &str = "chancery/token/digest/v1";

const PREFIX: &str = "chy_";
const SECRET_LENGTH: usize = 32;
const CHECKSUM_LENGTH: usize = 4;
const CHECKSUM_PURPOSE: &[u8] = b"chancery/token/checksum/v1";

/// A bearer token: `chy_` and base64url of 32 random bytes and a 4-byte checksum.
///
/// It says nothing about its tenant or rights. The prefix lets secret scanners find it, the checksum
/// lets a mistyped one be told from a revoked one without a look-up. Boxed, zeroized on drop, never
/// printed, compared by its keyed digest alone.
pub struct Token(Box<[u8; SECRET_LENGTH]>);

impl Token {
    /// Draws a fresh token.
    ///
    /// # Errors
    /// [`Error::Entropy`] if `entropy` fails.
    pub fn generate(entropy: &mut dyn Entropy) -> Result<Self, Error> {
        let mut token = Self(Box::new([0; SECRET_LENGTH]));
        entropy.fill(token.0.as_mut_slice())?;
        Ok(token)
    }

    /// Reads the one form of a token.
    ///
    /// # Errors
    /// [`Error::TokenForm`] for anything else; it does not say what is wrong.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::read(PREFIX, text)
    }

    /// The text, to be delivered once over an attested channel.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        self.written(PREFIX)
    }

    /// Reads a secret behind the prefix of its kind.
    pub(crate) fn read(prefix: &str, text: &str) -> Result<Self, Error> {
        if text.len() != TOKEN_LENGTH {
            return Err(Error::TokenForm);
        }
        let encoded = text.strip_prefix(prefix).ok_or(Error::TokenForm)?;
        let mut bytes = Zeroizing::new([0; SECRET_LENGTH + CHECKSUM_LENGTH]);
        Base64UrlUnpadded::decode(encoded, bytes.as_mut_slice())
            .ok()
            .ok_or(Error::TokenForm)?;
        let (secret, check) = bytes
            .split_first_chunk::<SECRET_LENGTH>()
            .ok_or(Error::TokenForm)?;
        if chancery_sealing::same_bytes(check, &checksum(secret)) {
            Ok(Self(Box::new(*secret)))
        } else {
            Err(Error::TokenForm)
        }
    }

    /// Writes the secret behind the prefix of its kind.
    pub(crate) fn written(&self, prefix: &str) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0; SECRET_LENGTH + CHECKSUM_LENGTH]);
        let check = checksum(&self.0);
        let all = self.0.iter().chain(&check);
        bytes.iter_mut().zip(all).for_each(|(to, from)| *to = *from);
        let mut encoded = Zeroizing::new(Base64UrlUnpadded::encode_string(bytes.as_slice()));
        encoded.insert_str(0, prefix);
        encoded
    }

    /// The keyed digest of the secret under the label of its kind.
    pub(crate) fn tagged(&self, key: &Key, label: &'static str) -> TokenDigest {
        TokenDigest(key.tag(label, self.0.as_slice()))
    }

    /// The keyed digest by which the token is stored and looked up: HMAC-SHA256 under the tenant-wide
    /// or deployment-wide digest key, so that a stolen store gives nothing to guess against.
    #[must_use]
    pub fn digest(&self, key: &Key) -> TokenDigest {
        self.tagged(key, TOKEN_DIGEST_LABEL)
    }
}

fn checksum(secret: &[u8; SECRET_LENGTH]) -> [u8; CHECKSUM_LENGTH] {
    let hash: [u8; 32] = Sha256::new()
        .chain_update(CHECKSUM_PURPOSE)
        .chain_update(secret)
        .finalize()
        .into();
    let mut check = [0; CHECKSUM_LENGTH];
    check.iter_mut().zip(hash).for_each(|(to, byte)| *to = byte);
    check
}

impl Drop for Token {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(redacted)")
    }
}

/// The keyed digest of a token. It can be a map's key: who does not hold the digest key cannot choose
/// or predict one, so that comparing it early-out tells nothing about any token.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Compares in constant time.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        chancery_sealing::same_bytes(&self.0, &other.0)
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenDigest(redacted)")
    }
}

/// Names a token in lists, logs and revocations: 16 random bytes, unrelated to the secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TokenId([u8; 16]);

written_in_hex!(TokenId);

impl TokenId {
    /// Draws a fresh id.
    ///
    /// # Errors
    /// [`Error::Entropy`] if `entropy` fails.
    pub fn generate(entropy: &mut dyn Entropy) -> Result<Self, Error> {
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// Takes over the 16 bytes of an id that was stored before.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Reads 32 lower-case hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if !text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        {
            return None;
        }
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

/// What is kept of an issued token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::exhaustive_structs,
    reason = "plain data; every writer must fill every member"
)]
pub struct TokenRecord {
    /// Its name.
    pub id: TokenId,
    /// Its keyed digest.
    pub digest: TokenDigest,
    /// A subset of the scopes of the delegation it was issued under. An act needs its scope both here
    /// and in the delegation that is live when the act commits.
    pub scopes: ScopeSet,
    /// When it was issued, in milliseconds since the Unix epoch.
    pub issued_ms: u64,
    /// First millisecond since the Unix epoch at which it is refused.
    pub not_after_ms: u64,
    /// Hash of the delegation it was issued under.
    pub delegation: [u8; 32],
}

impl TokenRecord {
    /// Whether the token may be used for `scope` at `now_ms`, as far as the token is concerned.
    #[must_use]
    pub const fn allows(&self, now_ms: u64, scope: crate::scope::Scope) -> bool {
        now_ms < self.not_after_ms && self.scopes.contains(scope)
    }
}

#[cfg(test)]
mod tests;
