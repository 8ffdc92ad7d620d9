//! ID tokens (OpenID Connect Core 1.0 section 2), and those that a client must refuse.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use chancery_json::{Object, Value};
use ring::hmac;
use ring::rand::SystemRandom;

use crate::accounts::Account;
use crate::error::Error;
use crate::keys::{Keyring, SigningKey};

/// Life of an ID token in seconds.
pub(crate) const TOKEN_LIFE_S: u64 = 600;
/// How long ago a token of [`Spoil::Expired`] ended, in seconds: longer than any clock is behind.
const EXPIRED_S: u64 = 24 * 3600;

/// In which one way a token is wrong. Everything else about it is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Spoil {
    /// `iss` is another issuer.
    Issuer,
    /// `aud` is another client.
    Audience,
    /// `aud` is a list of this client and another, and `azp` is the other.
    AuthorizedParty,
    /// `nonce` is another.
    Nonce,
    /// There is no `nonce`.
    NoNonce,
    /// It ended a day ago.
    Expired,
    /// It was issued in a day's time.
    Future,
    /// `sub` and `oid` are empty.
    NoSubject,
    /// The algorithm is `none` and the signature empty.
    AlgorithmNone,
    /// HS256, keyed with the public key's uncompressed point under its `kid`.
    AlgorithmHs256,
    /// One bit of the signature is wrong.
    Signature,
    /// Signed by a key that is not published, under its own `kid`.
    UnpublishedKey,
    /// Signed by a key that is not published, under the active key's `kid`.
    SwappedKey,
}

impl Spoil {
    /// All ways, with the words that the control port knows them by.
    pub const ALL: [(Self, &'static str); 13] = [
        (Self::Issuer, "issuer"),
        (Self::Audience, "audience"),
        (Self::AuthorizedParty, "authorized_party"),
        (Self::Nonce, "nonce"),
        (Self::NoNonce, "no_nonce"),
        (Self::Expired, "expired"),
        (Self::Future, "future"),
        (Self::NoSubject, "no_subject"),
        (Self::AlgorithmNone, "alg_none"),
        (Self::AlgorithmHs256, "alg_hs256"),
        (Self::Signature, "signature"),
        (Self::UnpublishedKey, "unpublished_key"),
        (Self::SwappedKey, "swapped_key"),
    ];

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|(_, known)| *known == word).map(|(how, _)| how)
    }
}

/// What a token says.
pub(crate) struct Statement<'a> {
    /// The issuer.
    pub(crate) issuer: &'a str,
    /// The client.
    pub(crate) client_id: &'a str,
    /// The `tid` claim.
    pub(crate) tenant: &'a str,
    /// Who logged in.
    pub(crate) account: &'a Account,
    /// What the client sent.
    pub(crate) nonce: Option<&'a str>,
    /// When the login was, in seconds since the Unix epoch.
    pub(crate) login_s: u64,
    /// Now.
    pub(crate) now_s: u64,
}

impl Statement<'_> {
    fn claims(&self, spoil: Option<Spoil>) -> Object {
        let is = |how| spoil == Some(how);
        let now_s = match spoil {
            Some(Spoil::Expired) => self
                .now_s
                .saturating_sub(EXPIRED_S)
                .saturating_sub(TOKEN_LIFE_S),
            Some(Spoil::Future) => self.now_s.saturating_add(EXPIRED_S),
            _ => self.now_s,
        };
        let or_empty = |text: &str| {
            let text = if is(Spoil::NoSubject) { "" } else { text };
            text.to_owned()
        };
        let other = |how, text: &str| {
            let end = if is(how) { "-other" } else { "" };
            format!("{text}{end}")
        };
        let mut claims = Object::new()
            .with("iss", other(Spoil::Issuer, self.issuer))
            .with("sub", or_empty(&self.account.sub));
        claims = if is(Spoil::AuthorizedParty) {
            let both: Vec<Value> = vec![self.client_id.into(), "another".into()];
            claims.with("aud", both).with("azp", "another")
        } else {
            claims.with("aud", other(Spoil::Audience, self.client_id))
        };
        claims = claims
            .with("exp", now_s.saturating_add(TOKEN_LIFE_S))
            .with("iat", now_s)
            .with("auth_time", self.login_s.min(now_s));
        if let Some(nonce) = self.nonce.filter(|_| !is(Spoil::NoNonce)) {
            claims = claims.with("nonce", other(Spoil::Nonce, nonce));
        }
        claims
            .with("email", self.account.email.as_str())
            .with("email_verified", true)
            .with("preferred_username", self.account.user_name.as_str())
            .with("oid", or_empty(&self.account.oid))
            .with("tid", self.tenant)
    }

    /// The token in compact form (RFC 7515 section 3.1).
    pub(crate) fn sign(
        &self,
        keys: &Keyring,
        random: &SystemRandom,
        spoil: Option<Spoil>,
    ) -> Result<String, Error> {
        let active = keys.active()?;
        let stranger = match spoil {
            Some(Spoil::UnpublishedKey | Spoil::SwappedKey) => Some(SigningKey::generate(random)?),
            _ => None,
        };
        let key = stranger.as_ref().unwrap_or(active);
        let kid = match spoil {
            Some(Spoil::SwappedKey) => active.kid(),
            _ => key.kid(),
        };
        let algorithm = match spoil {
            Some(Spoil::AlgorithmNone) => "none",
            Some(Spoil::AlgorithmHs256) => "HS256",
            _ => "ES256",
        };
        let header = Object::new()
            .with("alg", algorithm)
            .with("kid", kid)
            .with("typ", "JWT");
        let encode = Base64UrlUnpadded::encode_string;
        let claims = self.claims(spoil);
        let signed = format!(
            "{}.{}",
            encode(&header.to_bytes()),
            encode(&claims.to_bytes())
        );
        let signature = match spoil {
            Some(Spoil::AlgorithmNone) => Vec::new(),
            Some(Spoil::AlgorithmHs256) => {
                let secret = hmac::Key::new(hmac::HMAC_SHA256, key.point());
                hmac::sign(&secret, signed.as_bytes()).as_ref().to_vec()
            }
            _ => key.sign(random, signed.as_bytes())?,
        };
        let mut signature = signature;
        if spoil == Some(Spoil::Signature)
            && let Some(byte) = signature.last_mut()
        {
            *byte ^= 1;
        }
        Ok(format!("{signed}.{}", encode(&signature)))
    }
}

/// How many of the next tokens are wrong, and in which way.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spoiling {
    how: Option<Spoil>,
    left: u32,
}

impl Spoiling {
    /// The next `count` tokens.
    pub(crate) const fn new(how: Spoil, count: u32) -> Self {
        Self {
            how: Some(how),
            left: count,
        }
    }

    /// The way of the next token.
    pub(crate) fn next(&mut self) -> Option<Spoil> {
        self.left = self.left.checked_sub(1)?;
        self.how
    }
}

#[cfg(test)]
mod tests;
