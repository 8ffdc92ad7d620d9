//! What an OAuth client shows: its secret (<https://www.rfc-editor.org/rfc/rfc6749> section 2.3.1), and the
//! access token that it gets for it (section 1.4).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use chancery_sealing::{Entropy, Key, same_bytes};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::name::TenantId;
use crate::token::{Token, TokenDigest};

/// Derivation label of the keyed digest under which client secrets are stored. It is not that of bearer
/// tokens, so that neither is ever found as the other.
pub const CLIENT_SECRET_DIGEST_LABEL: &str = "chancery/client-secret/digest/v1";

/// Derivation label of the tag that makes an access token authentic.
pub const ACCESS_LABEL: &str = "chancery/access-token/v1";

/// Longest life of an access token: one hour.
pub const ACCESS_LIFE_MS_MAX: u64 = 60 * 60 * 1000;

/// Characters of an access token: the prefix, then 105 bytes in base64url.
pub const ACCESS_LENGTH: usize = ACCESS_PREFIX.len() + 140;

const SECRET_PREFIX: &str = "chs_";
const ACCESS_PREFIX: &str = "cho_";
const ACCESS_VERSION: u8 = 1;
/// Version, tenant, credential, end, random bytes.
const STATED_LENGTH: usize = 1 + 16 + 32 + 8 + 16;

/// The secret of an OAuth client: `chs_` and what stands behind `chy_` in a [`Token`]. Kept, wiped and
/// compared as a token is.
#[derive(Debug)]
pub struct ClientSecret(Token);

impl ClientSecret {
    /// Draws a fresh secret.
    ///
    /// # Errors
    /// [`Error::Entropy`] if `entropy` fails.
    pub fn generate(entropy: &mut dyn Entropy) -> Result<Self, Error> {
        Token::generate(entropy).map(Self)
    }

    /// Reads the one form of a secret.
    ///
    /// # Errors
    /// [`Error::TokenForm`] for anything else; it does not say what is wrong.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Token::read(SECRET_PREFIX, text).map(Self)
    }

    /// The text, to be delivered once over an attested channel.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        self.0.written(SECRET_PREFIX)
    }

    /// The keyed digest by which the secret is stored and compared.
    #[must_use]
    pub fn digest(&self, key: &Key) -> TokenDigest {
        self.0.tagged(key, CLIENT_SECRET_DIGEST_LABEL)
    }
}

/// What an authentic access token says: which credential it stands for, and until when.
///
/// Nothing of it is stored. It is `cho_` and base64url of version, tenant, credential, end and 16 random
/// bytes, then HMAC-SHA-256 of these under a key of the deployment, so that it outlives a restart. Whether
/// the credential is still alive, it cannot say.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AccessToken {
    tenant: TenantId,
    credential: [u8; 32],
    expires_ms: u64,
}

impl AccessToken {
    /// Writes a token for a credential that lives until `not_after_ms`: for an hour or as long as it.
    ///
    /// # Errors
    /// [`Error::Entropy`] if `entropy` fails.
    pub fn issue(
        tenant: TenantId,
        credential: [u8; 32],
        (now_ms, not_after_ms): (u64, u64),
        key: &Key,
        entropy: &mut dyn Entropy,
    ) -> Result<(Self, Zeroizing<String>), Error> {
        let expires_ms = not_after_ms.min(now_ms.saturating_add(ACCESS_LIFE_MS_MAX));
        let mut random = [0; 16];
        entropy.fill(&mut random)?;
        let mut bytes = Vec::with_capacity(STATED_LENGTH.saturating_add(32));
        bytes.push(ACCESS_VERSION);
        bytes.extend_from_slice(tenant.as_bytes());
        bytes.extend_from_slice(&credential);
        bytes.extend_from_slice(&expires_ms.to_be_bytes());
        bytes.extend_from_slice(&random);
        let tag = key.tag(ACCESS_LABEL, &bytes);
        bytes.extend_from_slice(&tag);
        let bytes = Zeroizing::new(bytes);
        let mut text = Zeroizing::new(Base64UrlUnpadded::encode_string(&bytes));
        text.insert_str(0, ACCESS_PREFIX);
        let issued = Self {
            tenant,
            credential,
            expires_ms,
        };
        Ok((issued, text))
    }

    /// Whether a text has the prefix of access tokens.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(ACCESS_PREFIX)
    }

    /// Reads a token that was issued under `key` and has not expired. Nothing of it is looked at before
    /// its tag was compared, in constant time.
    ///
    /// # Errors
    /// [`Error::TokenForm`], whatever is wrong.
    pub fn verify(text: &str, now_ms: u64, key: &Key) -> Result<Self, Error> {
        Self::read(text, key)
            .filter(|token| now_ms < token.expires_ms)
            .ok_or(Error::TokenForm)
    }

    fn read(text: &str, key: &Key) -> Option<Self> {
        if text.len() != ACCESS_LENGTH {
            return None;
        }
        let encoded = text.strip_prefix(ACCESS_PREFIX)?;
        let mut bytes = Zeroizing::new([0; STATED_LENGTH + 32]);
        Base64UrlUnpadded::decode(encoded, bytes.as_mut_slice()).ok()?;
        let (stated, tag) = bytes.split_first_chunk::<STATED_LENGTH>()?;
        if !same_bytes(tag, &key.tag(ACCESS_LABEL, stated)) {
            return None;
        }
        let (version, rest) = stated.split_first()?;
        let (tenant, rest) = rest.split_first_chunk::<16>()?;
        let (credential, rest) = rest.split_first_chunk::<32>()?;
        let (expires_ms, _random) = rest.split_first_chunk::<8>()?;
        (*version == ACCESS_VERSION).then_some(Self {
            tenant: TenantId::from_bytes(*tenant),
            credential: *credential,
            expires_ms: u64::from_be_bytes(*expires_ms),
        })
    }

    /// The tenant.
    #[must_use]
    pub const fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Handle of the credential.
    #[must_use]
    pub const fn credential(&self) -> &[u8; 32] {
        &self.credential
    }

    /// First millisecond since the Unix epoch at which it is refused.
    #[must_use]
    pub const fn expires_ms(&self) -> u64 {
        self.expires_ms
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AccessToken(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    use crate::sample::Counting;

    const NOW_MS: u64 = 1_800_000_000_000;
    const TENANT: TenantId = TenantId::from_bytes([7; 16]);
    const CREDENTIAL: [u8; 32] = [9; 32];

    fn key(byte: u8) -> Key {
        Key::from_bytes([byte; 32])
    }

    fn issued(not_after_ms: u64) -> String {
        let times = (NOW_MS, not_after_ms);
        let issued = AccessToken::issue(TENANT, CREDENTIAL, times, &key(1), &mut Counting(0));
        String::from(issued.unwrap().1.as_str())
    }

    #[test]
    fn an_access_token_says_whose_it_is_and_lives_for_an_hour_at_most() {
        let text = issued(u64::MAX);
        assert_eq!(text.len(), ACCESS_LENGTH);
        assert!(AccessToken::is_meant(&text));
        let end_ms = NOW_MS + ACCESS_LIFE_MS_MAX;
        let read = AccessToken::verify(&text, end_ms - 1, &key(1)).unwrap();
        assert_eq!((read.tenant(), read.credential()), (&TENANT, &CREDENTIAL));
        assert_eq!(read.expires_ms(), end_ms);
        assert_eq!(
            AccessToken::verify(&text, end_ms, &key(1)),
            Err(Error::TokenForm)
        );
    }

    #[test]
    fn an_access_token_never_outlives_its_credential() {
        let text = issued(NOW_MS + 5);
        assert!(AccessToken::verify(&text, NOW_MS + 4, &key(1)).is_ok());
        assert!(AccessToken::verify(&text, NOW_MS + 5, &key(1)).is_err());
    }

    #[test]
    fn an_access_token_with_any_bit_flipped_is_refused() {
        let text = issued(u64::MAX);
        let bytes = Base64UrlUnpadded::decode_vec(text.strip_prefix("cho_").unwrap()).unwrap();
        assert_eq!(bytes.len(), STATED_LENGTH + 32);
        for place in 0..bytes.len() {
            for bit in 0..8 {
                let mut spoilt = bytes.clone();
                spoilt[place] ^= 1 << bit;
                let spoilt = format!("cho_{}", Base64UrlUnpadded::encode_string(&spoilt));
                assert_eq!(
                    AccessToken::verify(&spoilt, NOW_MS, &key(1)),
                    Err(Error::TokenForm),
                    "bit {bit} of byte {place}"
                );
            }
        }
    }

    #[test]
    fn an_access_token_of_another_deployment_version_or_label_is_refused() {
        let text = issued(u64::MAX);
        assert!(AccessToken::verify(&text, NOW_MS, &key(2)).is_err());
        let mut stated = Base64UrlUnpadded::decode_vec(text.strip_prefix("cho_").unwrap()).unwrap();
        stated.truncate(STATED_LENGTH);
        let sealed = |stated: &[u8], label| {
            let all = [stated, &key(1).tag(label, stated)].concat();
            format!("cho_{}", Base64UrlUnpadded::encode_string(&all))
        };
        assert_eq!(sealed(&stated, ACCESS_LABEL), text);
        let other = sealed(&stated, crate::TOKEN_DIGEST_LABEL);
        assert!(AccessToken::verify(&other, NOW_MS, &key(1)).is_err());
        stated[0] = 2;
        let newer = sealed(&stated, ACCESS_LABEL);
        assert!(AccessToken::verify(&newer, NOW_MS, &key(1)).is_err());
    }

    #[test]
    fn an_access_token_has_one_form() {
        let text = issued(u64::MAX);
        for length in 0..ACCESS_LENGTH {
            assert!(AccessToken::verify(text.get(..length).unwrap(), NOW_MS, &key(1)).is_err());
        }
        for bad in [
            format!("{text}A"),
            format!(" {text}"),
            text.replacen("cho_", "chy_", 1),
            text.replacen("cho_", "chs_", 1),
            text.replacen('A', "=", 1),
            text.replacen("cho_A", "cho_é", 1),
        ] {
            assert_ne!(bad, text);
            assert!(AccessToken::verify(&bad, NOW_MS, &key(1)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_client_secret_is_no_bearer_token_and_a_bearer_token_no_client_secret() {
        let secret = ClientSecret::generate(&mut Counting(0)).unwrap();
        let text = secret.expose();
        assert_eq!(
            text.as_str(),
            "chs_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyCSc6EN"
        );
        assert!(Token::parse(&text).is_err());
        let token = Token::generate(&mut Counting(0)).unwrap();
        assert!(ClientSecret::parse(&token.expose()).is_err());
        // The same 32 bytes are stored as two digests.
        assert!(!secret.digest(&key(1)).is_same(&token.digest(&key(1))));
        let read = ClientSecret::parse(&text).unwrap();
        assert!(read.digest(&key(1)).is_same(&secret.digest(&key(1))));
        assert!(!read.digest(&key(2)).is_same(&secret.digest(&key(1))));
    }

    #[test]
    fn prints_neither_secret_nor_access_token() {
        let secret = ClientSecret::generate(&mut Counting(0)).unwrap();
        let read = AccessToken::verify(&issued(u64::MAX), NOW_MS, &key(1)).unwrap();
        assert_eq!(
            format!("{secret:?} {read:?}"),
            "ClientSecret(Token(redacted)) AccessToken(redacted)"
        );
    }
}
