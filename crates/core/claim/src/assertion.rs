//! Client assertions: <https://www.rfc-editor.org/rfc/rfc7523> sections 2.2 and 3, by which an OAuth client
//! shows that it holds a private key.

use alloc::string::String;

use chancery_json::{Fields, Value};

use crate::error::Error;
use crate::jwk::Jwk;
use crate::token::{Header, LIMITS, Parts, TOKEN_SIZE_MAX};

/// How far ahead an assertion may expire, in seconds: as long as its `jti` has to be remembered. Libraries
/// of clients sign for between a minute and this hour.
pub const ASSERTION_LIFE_S_MAX: u64 = 3600;

/// How far the client's clock may be ahead of ours, in seconds. For so long after its start a service
/// cannot tell a new assertion from one that was used before, so it is short.
pub const ASSERTION_SKEW_S: u64 = 10;

/// Longest `jti`, in bytes.
const ID_LENGTH_MAX: usize = 128;

/// What `typ` may be: the usual word, and the one of
/// <https://datatracker.ietf.org/doc/draft-ietf-oauth-rfc7523bis/>.
const TYPES: [&str; 2] = ["JWT", "client-authentication+jwt"];

/// What an assertion must match to be accepted.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a caller must state every expectation; a new one must break every caller"
)]
pub struct ExpectedAssertion<'a> {
    /// The client: `iss` and `sub`.
    pub client_id: &'a str,
    /// URL of the token endpoint: the one and only audience.
    pub audience: &'a str,
    /// The client's registered keys.
    pub keys: &'a [Jwk],
    /// Now, in milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// Assertions from up to here may have been used without the caller knowing, in milliseconds since the Unix epoch.
    pub issued_after_ms: u64,
}

/// An assertion that was checked in full, but for whether it was used before: that is the caller's to
/// know, by `id`, until `expires_ms`.
///
/// Only [`ClientAssertion::verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAssertion {
    id: String,
    expires_ms: u64,
}

impl ClientAssertion {
    /// The client that an assertion claims to come from; believed only once it was verified.
    #[must_use]
    pub fn unverified_client(token: &[u8]) -> Option<String> {
        if token.len() > TOKEN_SIZE_MAX {
            return None;
        }
        let parts = Parts::split(token).ok()?;
        let mut fields = Fields::parse(&parts.payload, &LIMITS).ok()?;
        fields.take_str("sub").ok()
    }

    /// Checks an assertion as it was received.
    ///
    /// The signature comes before anything of the payload. The audience is the token endpoint alone: a
    /// second one could present the assertion here.
    ///
    /// # Errors
    /// One variant for each check, in this order: [`Error::TokenTooLarge`], [`Error::TokenForm`],
    /// [`Error::Json`], [`Error::AlgorithmRefused`], [`Error::CriticalHeader`], [`Error::TokenType`],
    /// [`Error::UnknownKey`], [`Error::TokenSignature`], [`Error::OtherIssuer`], [`Error::OtherSubject`],
    /// [`Error::OtherAudience`], [`Error::Expired`], [`Error::LivesTooLong`], [`Error::IssuedInFuture`],
    /// [`Error::IssuedTooEarly`], [`Error::NotYetValid`], [`Error::ClaimForm`].
    pub fn verify(token: &[u8], expected: &ExpectedAssertion<'_>) -> Result<Self, Error> {
        if token.len() > TOKEN_SIZE_MAX {
            return Err(Error::TokenTooLarge);
        }
        let parts = Parts::split(token)?;
        let header = Header::parse(&parts.header, &TYPES)?;
        parts.signer(&header, expected.keys)?;
        let mut fields = Fields::parse(&parts.payload, &LIMITS)?;
        if fields.take_str("iss")? != expected.client_id {
            return Err(Error::OtherIssuer);
        }
        if fields.take_str("sub")? != expected.client_id {
            return Err(Error::OtherSubject);
        }
        let audience = fields.take("aud")?.into_value();
        let only = match audience.as_array() {
            None => Some(&audience),
            Some([only]) => Some(only),
            Some(_) => None,
        };
        if only.and_then(Value::as_str) != Some(expected.audience) {
            return Err(Error::OtherAudience);
        }
        let expires_ms = check_times(&mut fields, expected)?;
        let id = fields.take_str("jti")?;
        if !(1..=ID_LENGTH_MAX).contains(&id.len()) {
            return Err(Error::ClaimForm { claim: "jti" });
        }
        Ok(Self { id, expires_ms })
    }

    /// Its own name, `jti`: no two assertions of one client have the same.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// First millisecond since the Unix epoch at which it is refused.
    #[must_use]
    pub const fn expires_ms(&self) -> u64 {
        self.expires_ms
    }
}

/// Gives `exp` in milliseconds. `iat` is required: without it an assertion from before a restart could be
/// used again after it.
fn check_times(fields: &mut Fields, expected: &ExpectedAssertion<'_>) -> Result<u64, Error> {
    let now_s = expected.now_ms / 1000;
    let latest_s = now_s.saturating_add(ASSERTION_SKEW_S);
    let expires_s = fields.take_u64("exp")?;
    if expires_s <= now_s {
        return Err(Error::Expired { expires_s });
    }
    if expires_s > latest_s.saturating_add(ASSERTION_LIFE_S_MAX) {
        return Err(Error::LivesTooLong);
    }
    let issued_at_s = fields.take_u64("iat")?;
    if issued_at_s > latest_s {
        return Err(Error::IssuedInFuture);
    }
    if issued_at_s.saturating_mul(1000) <= expected.issued_after_ms {
        return Err(Error::IssuedTooEarly);
    }
    if let Some(not_before) = fields.take_optional("nbf")
        && not_before.into_u64()? > latest_s
    {
        return Err(Error::NotYetValid);
    }
    Ok(expires_s.saturating_mul(1000))
}

#[cfg(test)]
mod tests;
