//! The member's side of the authorization code flow with PKCE, without any I/O.
//!
//! [OpenID Connect Core 1.0](https://openid.net/specs/openid-connect-core-1_0.html) section 3.1, RFC
//! 7636 (PKCE, S256), RFC 8252 (native applications, loopback redirect), RFC 9207 (`iss` in the answer).
//! Whether the ID token is genuine, the runtime decides; here is only checked that it is the one that was
//! asked for, before it is sent anywhere.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use chancery_authority::IdMapping;
use chancery_claim::{ClaimNonce, HttpsUrl, TOKEN_SIZE_MAX};
use chancery_json::{Fields, Limits, Object, Value};
use chancery_sealing::{Entropy, same_bytes};
use sha2::{Digest as _, Sha256};

use super::error::MemberError;

/// Largest answer of a token endpoint, in bytes: an ID token, an access token and little else.
pub(crate) const TOKEN_ANSWER_SIZE_MAX: usize = 64 * 1024;

const TOKEN_ANSWER_LIMITS: Limits = Limits {
    bytes_max: TOKEN_ANSWER_SIZE_MAX,
    depth_max: 8,
    values_max: 1024,
};

const CLAIMS_LIMITS: Limits = Limits {
    bytes_max: TOKEN_SIZE_MAX,
    depth_max: 8,
    values_max: 4096,
};

/// Longest code that an identity provider may hand out, in bytes.
const CODE_LENGTH_MAX: usize = 4096;

/// One sign-in: what leads the person there, and what its answer must fit.
#[derive(Debug)]
pub(crate) struct SignInAttempt {
    /// Where the person signs in.
    pub(crate) url: String,
    redirect_uri: String,
    state: String,
    verifier: String,
}

/// Whom to ask for a token, and for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client<'a> {
    /// The issuer, compared byte by byte.
    pub(crate) issuer: &'a str,
    /// The client id.
    pub(crate) client_id: &'a str,
    /// Which claim must be in the token.
    pub(crate) mapping: IdMapping,
}

impl SignInAttempt {
    /// Draws `state` and the PKCE verifier and writes the authorization request.
    pub(crate) fn new(
        client: &Client<'_>,
        endpoint: &HttpsUrl,
        nonce: &ClaimNonce,
        redirect_uri: &str,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, MemberError> {
        let mut draw = || -> Result<String, MemberError> {
            let mut bytes = [0; 32];
            let filled = entropy.fill(&mut bytes);
            filled.map_err(|error| MemberError::Keyset(error.into()))?;
            Ok(Base64UrlUnpadded::encode_string(&bytes))
        };
        let (state, verifier) = (draw()?, draw()?);
        let challenge = Base64UrlUnpadded::encode_string(&Sha256::digest(&verifier));
        let nonce = nonce.to_text();
        let query = form(&[
            ("response_type", "code"),
            ("client_id", client.client_id),
            ("redirect_uri", redirect_uri),
            ("scope", scope(client.mapping)),
            ("state", &state),
            ("nonce", &nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        let joint = if endpoint.as_str().contains('?') {
            '&'
        } else {
            '?'
        };
        Ok(Self {
            url: format!("{}{joint}{query}", endpoint.as_str()),
            redirect_uri: redirect_uri.to_owned(),
            state,
            verifier,
        })
    }

    /// The code in the address to which the provider led back, if it belongs to this sign-in.
    pub(crate) fn code(&self, redirect: &str, issuer: &str) -> Result<String, MemberError> {
        let foreign = |what| MemberError::RedirectForeign { what };
        let query = redirect
            .strip_prefix(self.redirect_uri.as_str())
            .and_then(|rest| rest.strip_prefix('?'))
            .ok_or_else(|| foreign("address"))?;
        let parameters = parse_form(query).ok_or_else(|| foreign("query"))?;
        let find = |name: &str| -> Result<Option<&str>, MemberError> {
            let mut values = parameters.iter().filter(|(key, _)| key == name);
            match (values.next(), values.next()) {
                (first, None) => Ok(first.map(|(_, value)| value.as_str())),
                // RFC 6749 section 3.1: parameters are not repeated.
                (_, Some(_)) => Err(foreign("repeated parameter")),
            }
        };
        let state = find("state")?.ok_or_else(|| foreign("state"))?;
        if !same_bytes(state.as_bytes(), self.state.as_bytes()) {
            return Err(foreign("state"));
        }
        if find("iss")?.is_some_and(|named| named != issuer) {
            return Err(foreign("iss"));
        }
        if let Some(error) = find("error")? {
            return Err(MemberError::SignInRefused {
                code: error.to_owned(),
            });
        }
        let code = find("code")?.ok_or_else(|| foreign("code"))?;
        if code.is_empty() || code.len() > CODE_LENGTH_MAX {
            return Err(foreign("code"));
        }
        Ok(code.to_owned())
    }

    /// The body of the token request (`application/x-www-form-urlencoded`).
    pub(crate) fn token_request(&self, client: &Client<'_>, code: &str) -> String {
        form(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.redirect_uri),
            ("client_id", client.client_id),
            ("code_verifier", &self.verifier),
        ])
    }
}

/// What must be asked for, so that the claim that the mapping needs is in the token.
const fn scope(mapping: IdMapping) -> &'static str {
    match mapping {
        IdMapping::OidToExternalId => "openid profile",
        IdMapping::DangerousEmailToUserName => "openid email",
        _ => "openid",
    }
}

/// The ID token in a token endpoint's answer, if it was made for this client and nonce.
pub(crate) fn id_token(
    answer: &[u8],
    client: &Client<'_>,
    nonce: &ClaimNonce,
) -> Result<String, MemberError> {
    let failed = |reason: &str| MemberError::Provider {
        step: "the token request",
        reason: reason.to_owned(),
    };
    let Ok(Value::Object(answer)) = Value::parse(answer, &TOKEN_ANSWER_LIMITS) else {
        return Err(failed("its answer is no JSON object"));
    };
    let token = answer.get("id_token").and_then(Value::as_str);
    let token = token.ok_or_else(|| failed("its answer has no ID token"))?;
    if token.len() > TOKEN_SIZE_MAX {
        return Err(failed("its ID token is too large"));
    }
    let claims = claims(token).ok_or_else(|| failed("its ID token cannot be read"))?;
    let is = |name: &str, wanted: &str| claims.get(name).and_then(Value::as_str) == Some(wanted);
    if !is("nonce", &nonce.to_text()) {
        return Err(MemberError::TokenForeign { what: "nonce" });
    }
    if !is("iss", client.issuer) {
        return Err(MemberError::TokenForeign { what: "iss" });
    }
    let audiences = claims.get("aud").and_then(Value::as_array).unwrap_or(&[]);
    let listed = audiences
        .iter()
        .any(|audience| audience.as_str() == Some(client.client_id));
    if !listed && !is("aud", client.client_id) {
        return Err(MemberError::TokenForeign { what: "aud" });
    }
    Ok(token.to_owned())
}

/// The claims of a JWS in compact form, whose signature nobody looked at.
fn claims(token: &str) -> Option<Object> {
    let mut parts = token.split('.');
    let (_header, claims, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let claims = Base64UrlUnpadded::decode_vec(claims).ok()?;
    match Value::parse(&claims, &CLAIMS_LIMITS).ok()? {
        Value::Object(claims) => Some(claims),
        _ => None,
    }
}

/// The provider's code in an answer that is an error (RFC 6749 section 5.2), for a person.
pub(crate) fn error_code(answer: &[u8]) -> Option<String> {
    let mut fields = Fields::parse(answer, &TOKEN_ANSWER_LIMITS).ok()?;
    let code = fields.take_str("error").ok()?;
    (code.len() <= 64).then_some(code)
}

/// `name=value&…` with everything but unreserved characters escaped (RFC 3986 section 2.3).
fn form(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", escaped(value)))
        .collect();
    pairs.join("&")
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// The pairs of a query or a form; none if an escape or UTF-8 is broken.
fn parse_form(text: &str) -> Option<Vec<(String, String)>> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((unescaped(name)?, unescaped(value)?))
        })
        .collect()
}

fn unescaped(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut value = [0];
                let digits = [bytes.next()?, bytes.next()?];
                hex::decode_to_slice(digits, &mut value).ok()?;
                let [value] = value;
                value
            }
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests;
