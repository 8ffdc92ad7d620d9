//! ID tokens: <https://openid.net/specs/openid-connect-core-1_0.html> section 3.1.3.7, in the compact
//! form of <https://www.rfc-editor.org/rfc/rfc7515>.

use alloc::string::String;
use alloc::vec::Vec;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use chancery_json::{Fields, Limits, Value};

use crate::error::Error;
use crate::jwk::{Algorithm, Jwk, Thumbprint};
use crate::statement::ClaimNonce;

/// Longest token, in bytes: room for the group lists that some issuers put in.
pub const TOKEN_SIZE_MAX: usize = 16 * 1024;

/// How far the issuer's clock may differ from ours, in seconds.
pub const CLOCK_SKEW_S: u64 = 60;

/// Longest claim that is used, in bytes: the limit of `sub` (section 2), enough for an address.
const CLAIM_LENGTH_MAX: usize = 255;

/// Most audiences of one token.
const AUDIENCES_MAX: usize = 16;

pub(crate) const LIMITS: Limits = Limits {
    bytes_max: TOKEN_SIZE_MAX,
    depth_max: 8,
    values_max: 2048,
};

/// What a token must match to be accepted.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a caller must state every expectation; a new one must break every caller"
)]
pub struct Expected<'a> {
    /// The issuer, compared byte by byte with `iss`.
    pub issuer: &'a str,
    /// The client that must stand in `aud`.
    pub client_id: &'a str,
    /// The nonce of this claim.
    pub nonce: &'a ClaimNonce,
    /// The issuer's keys that the caller trusts.
    pub keys: &'a [Jwk],
    /// Now, in milliseconds since the Unix epoch.
    pub now_ms: u64,
}

/// Which claim names the person, as the tenant's genesis says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubjectClaim {
    /// `sub`, which the issuer never gives to another person.
    Sub,
    /// `oid` of Entra ID, in a token that also has `tid`.
    TenantAndObject,
    /// `email`, if the issuer has verified it. An address that is given to another person names that person.
    DangerousEmail,
}

/// An ID token that was checked in full: signature, issuer, audience, times and nonce.
///
/// Only [`IdToken::verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdToken {
    sub: String,
    tid: Option<String>,
    oid: Option<String>,
    email: Option<String>,
    email_verified: bool,
    issued_at_s: u64,
    key: Thumbprint,
}

impl IdToken {
    /// Checks a token as it was received.
    ///
    /// The signature comes before anything of the payload. Header members that are not known are ignored, as RFC 7515 section 4 demands; none
    /// of them chooses a key: the keys are those of `expected`, of which `kid` and `alg` of the header choose.
    ///
    /// # Errors
    /// One variant for each check, in this order: [`Error::TokenTooLarge`], [`Error::TokenForm`], [`Error::Json`],
    /// [`Error::AlgorithmRefused`], [`Error::CriticalHeader`], [`Error::TokenType`],
    /// [`Error::UnknownKey`], [`Error::TokenSignature`], [`Error::OtherIssuer`],
    /// [`Error::OtherAudience`], [`Error::OtherAuthorizedParty`], [`Error::Expired`],
    /// [`Error::IssuedInFuture`], [`Error::NotYetValid`], [`Error::OtherNonce`], [`Error::ClaimForm`].
    pub fn verify(token: &[u8], expected: &Expected<'_>) -> Result<Self, Error> {
        if token.len() > TOKEN_SIZE_MAX {
            return Err(Error::TokenTooLarge);
        }
        let parts = Parts::split(token)?;
        let header = Header::parse(&parts.header, &["JWT"])?;
        let key = parts.signer(&header, expected.keys)?;
        let mut fields = Fields::parse(&parts.payload, &LIMITS)?;
        if fields.take_str("iss")? != expected.issuer {
            return Err(Error::OtherIssuer);
        }
        check_audience(&mut fields, expected.client_id)?;
        let issued_at_s = check_times(&mut fields, expected.now_ms / 1000)?;
        let nonce = fields.take_str("nonce")?;
        let wanted = expected.nonce.to_text();
        if !chancery_sealing::same_bytes(nonce.as_bytes(), wanted.as_bytes()) {
            return Err(Error::OtherNonce);
        }
        let sub = fields.take_str("sub")?;
        if !is_claim(&sub) {
            return Err(Error::ClaimForm { claim: "sub" });
        }
        let mut optional = |name: &str| {
            let text = fields.take_optional(name)?.into_str().ok()?;
            is_claim(&text).then_some(text)
        };
        let (tid, oid, email) = (optional("tid"), optional("oid"), optional("email"));
        let email_verified = fields
            .take_optional("email_verified")
            .is_some_and(|element| element.into_value() == Value::Bool(true));
        Ok(Self {
            sub,
            tid,
            oid,
            email,
            email_verified,
            issued_at_s,
            key,
        })
    }

    /// The issuer's name for the person: 1 to 255 bytes without control characters.
    #[must_use]
    pub fn sub(&self) -> &str {
        &self.sub
    }

    /// Entra ID's directory, if the token has a usable one.
    #[must_use]
    pub fn tid(&self) -> Option<&str> {
        self.tid.as_deref()
    }

    /// When the token was issued, in seconds since the Unix epoch; at most [`CLOCK_SKEW_S`] after now.
    #[must_use]
    pub const fn issued_at_s(&self) -> u64 {
        self.issued_at_s
    }

    /// The trusted key that signed it.
    #[must_use]
    pub const fn key(&self) -> &Thumbprint {
        &self.key
    }

    /// The text by which the person is found among the provisioned accounts.
    ///
    /// # Errors
    /// [`Error::ClaimForm`] if the token lacks a claim that is needed, [`Error::EmailUnverified`].
    pub fn subject(&self, claim: SubjectClaim) -> Result<&str, Error> {
        let needed = |value: &'_ Option<String>, claim| match value {
            Some(_) => Ok(()),
            None => Err(Error::ClaimForm { claim }),
        };
        match claim {
            SubjectClaim::Sub => Ok(&self.sub),
            SubjectClaim::TenantAndObject => {
                needed(&self.tid, "tid")?;
                needed(&self.oid, "oid")?;
                Ok(self.oid.as_deref().unwrap_or_default())
            }
            SubjectClaim::DangerousEmail => {
                needed(&self.email, "email")?;
                if !self.email_verified {
                    return Err(Error::EmailUnverified);
                }
                Ok(self.email.as_deref().unwrap_or_default())
            }
        }
    }
}

/// The three parts, and the bytes that the signature covers.
pub(crate) struct Parts<'a> {
    signed: &'a [u8],
    pub(crate) header: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    signature: Vec<u8>,
}

impl<'a> Parts<'a> {
    pub(crate) fn split(token: &'a [u8]) -> Result<Self, Error> {
        let text = core::str::from_utf8(token).ok().ok_or(Error::TokenForm)?;
        let (signed, signature) = text.rsplit_once('.').ok_or(Error::TokenForm)?;
        let (header, payload) = signed.split_once('.').ok_or(Error::TokenForm)?;
        Ok(Self {
            signed: signed.as_bytes(),
            header: decoded(header)?,
            payload: decoded(payload)?,
            signature: decoded(signature)?,
        })
    }

    /// The trusted key whose signature this is.
    pub(crate) fn signer(&self, header: &Header, keys: &[Jwk]) -> Result<Thumbprint, Error> {
        let mut fitting = keys
            .iter()
            .filter(|key| key.fits(header.algorithm) && header.may_mean(key))
            .peekable();
        if fitting.peek().is_none() {
            return Err(Error::UnknownKey);
        }
        fitting
            .find(|key| key.verifies(header.algorithm, self.signed, &self.signature))
            .map(Jwk::thumbprint)
            .ok_or(Error::TokenSignature)
    }
}

/// A part of a token. A third dot ends up here and is no digit of base64url.
fn decoded(part: &str) -> Result<Vec<u8>, Error> {
    let bytes = Base64UrlUnpadded::decode_vec(part).ok();
    bytes
        .filter(|bytes| !bytes.is_empty())
        .ok_or(Error::TokenForm)
}

/// What the header says of the signature.
pub(crate) struct Header {
    algorithm: Algorithm,
    key_id: Option<String>,
}

impl Header {
    /// Reads a header; `types` are those that `typ` may be, if it is there.
    pub(crate) fn parse(text: &[u8], types: &[&str]) -> Result<Self, Error> {
        let mut fields = Fields::parse(text, &LIMITS)?;
        let algorithm =
            Algorithm::parse(&fields.take_str("alg")?).ok_or(Error::AlgorithmRefused)?;
        if fields.take_optional("crit").is_some() {
            return Err(Error::CriticalHeader);
        }
        if let Some(kind) = fields.take_optional("typ")
            && !types.contains(&kind.into_str()?.as_str())
        {
            return Err(Error::TokenType);
        }
        let key_id = match fields.take_optional("kid") {
            Some(element) => Some(element.into_str()?),
            None => None,
        };
        Ok(Self { algorithm, key_id })
    }

    /// Whether `kid` leaves the key possible: it is the key's, or one of the two has none.
    fn may_mean(&self, key: &Jwk) -> bool {
        match (self.key_id.as_deref(), key.key_id()) {
            (Some(ours), Some(theirs)) => ours == theirs,
            (None, _) | (_, None) => true,
        }
    }
}

/// Steps 3 to 5: the client is an audience, and the authorized party wherever one is named or needed.
fn check_audience(fields: &mut Fields, client_id: &str) -> Result<(), Error> {
    let audiences = match fields.take("aud")?.into_value() {
        Value::String(one) => Vec::from([Value::String(one)]),
        Value::Array(several) => several,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    };
    let is_named = audiences
        .iter()
        .any(|audience| audience.as_str() == Some(client_id));
    let is_list_of_text = audiences.iter().all(|audience| audience.as_str().is_some());
    if !is_named || !is_list_of_text || audiences.len() > AUDIENCES_MAX {
        return Err(Error::OtherAudience);
    }
    let is_party = match fields.take_optional("azp") {
        Some(party) => party.into_value().as_str() == Some(client_id),
        None => audiences.len() == 1,
    };
    if is_party {
        Ok(())
    } else {
        Err(Error::OtherAuthorizedParty)
    }
}

/// Steps 9 and 10, and `nbf` of RFC 7519 section 4.1.5. Gives `iat`.
fn check_times(fields: &mut Fields, now_s: u64) -> Result<u64, Error> {
    let latest_s = now_s.saturating_add(CLOCK_SKEW_S);
    let expires_s = fields.take_u64("exp")?;
    if expires_s.saturating_add(CLOCK_SKEW_S) <= now_s {
        return Err(Error::Expired { expires_s });
    }
    let issued_at_s = fields.take_u64("iat")?;
    if issued_at_s > latest_s {
        return Err(Error::IssuedInFuture);
    }
    if let Some(not_before) = fields.take_optional("nbf")
        && not_before.into_u64()? > latest_s
    {
        return Err(Error::NotYetValid);
    }
    Ok(issued_at_s)
}

fn is_claim(text: &str) -> bool {
    (1..=CLAIM_LENGTH_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests;
