//! Whether a token request gets its token.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use base64ct::{Base64, Encoding as _};
use chancery_authority::{AccessToken, ClientSecret, Scope, ScopeSet, TenantId};
use chancery_claim::{ClientAssertion, ExpectedAssertion, Jwk};
use chancery_engine::{Credential, CredentialForm, View, live_credential};
use chancery_sealing::{Entropy, Key, same_bytes};
use zeroize::Zeroizing;

use super::assertions::Assertions;
use super::form;

/// The one kind of assertion (RFC 7523 section 2.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Why there is no token.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// `invalid_request`: what is wrong with its form.
    Request(&'static str),
    /// `invalid_client`, whatever is wrong.
    Client,
    /// `unsupported_grant_type`.
    GrantType,
    /// `invalid_scope`: the scopes that it could ask for.
    Scope(String),
    /// Nothing can be said of it now.
    Busy,
}

/// A token request as it was sent.
#[derive(Debug)]
pub(super) struct Sent<'a> {
    /// The `Authorization` header.
    pub(super) authorization: Option<&'a str>,
    /// The body.
    pub(super) form: &'a [u8],
}

/// What a token request is decided by.
#[derive(Debug)]
pub(super) struct Desk<'a> {
    /// The tenant's name in the path.
    pub(super) slug: &'a str,
    /// URL of the token endpoint, as the client knows it.
    pub(super) endpoint: String,
    pub(super) now_ms: u64,
    pub(super) token_key: &'a Key,
    pub(super) used: &'a Assertions,
}

/// An access token and what is said beside it.
#[derive(Debug)]
pub(super) struct Granted {
    pub(super) credential: [u8; 32],
    pub(super) token: Zeroizing<String>,
    pub(super) expires_in_s: u64,
    pub(super) scope: String,
}

/// How a client says who it is.
enum Method {
    Secret { client_id: String, secret: String },
    Assertion { client_id: String, text: String },
}

/// A credential of the path's tenant that is alive.
struct Client {
    tenant: TenantId,
    credential: Arc<Credential>,
}

impl Desk<'_> {
    /// Issues an access token to the client that the request proves to be of.
    pub(super) fn grant(
        &self,
        view: &RwLock<View>,
        sent: &Sent<'_>,
        entropy: &mut dyn Entropy,
    ) -> Result<Granted, Fault> {
        let mut parameters = form::parse(sent.form).ok_or(Fault::Request(
            "the body is no form, or has a parameter twice",
        ))?;
        let method = method(sent.authorization, &mut parameters)?;
        match parameters.get("grant_type").map(String::as_str) {
            Some("client_credentials") => {}
            Some(_) => return Err(Fault::GrantType),
            None => return Err(Fault::Request("grant_type is missing")),
        }
        let client = match method {
            Method::Secret { client_id, secret } => self.by_secret(view, &client_id, &secret)?,
            Method::Assertion { client_id, text } => self.by_assertion(view, &client_id, &text)?,
        };
        let scope = client.credential.scopes.join(" ");
        if let Some(asked) = parameters.get("scope")
            && scopes(asked).is_none_or(|asked| Some(asked) != scopes(&scope))
        {
            return Err(Fault::Scope(scope));
        }
        let (credential, times) = (
            client.credential.handle,
            (self.now_ms, client.credential.not_after_ms),
        );
        let issued = AccessToken::issue(client.tenant, credential, times, self.token_key, entropy);
        let (issued, token) = issued.map_err(|_entropy| Fault::Busy)?;
        Ok(Granted {
            credential,
            token,
            expires_in_s: issued.expires_ms().saturating_sub(self.now_ms) / 1000,
            scope,
        })
    }

    fn by_secret(
        &self,
        view: &RwLock<View>,
        client_id: &str,
        secret: &str,
    ) -> Result<Client, Fault> {
        let given = ClientSecret::parse(secret).map_err(|_form| Fault::Client)?;
        let given = given.digest(self.token_key);
        let client = self.find(view, client_id).ok_or(Fault::Client)?;
        let is_right = client.credential.form == CredentialForm::Secret
            && same_bytes(given.as_bytes(), &client.credential.digest);
        is_right.then_some(client).ok_or(Fault::Client)
    }

    fn by_assertion(
        &self,
        view: &RwLock<View>,
        client_id: &str,
        text: &str,
    ) -> Result<Client, Fault> {
        // Whoever asks, so that it says nothing of any client.
        let issued_after_ms = self.used.issued_after_ms(self.now_ms).ok_or(Fault::Busy)?;
        let client = self.find(view, client_id).ok_or(Fault::Client)?;
        let keys: Vec<Jwk> = client.credential.form.keys().collect();
        let expected = ExpectedAssertion {
            client_id,
            audience: &self.endpoint,
            keys: &keys,
            now_ms: self.now_ms,
            issued_after_ms,
        };
        let assertion = ClientAssertion::verify(text.as_bytes(), &expected);
        let assertion = assertion.map_err(|_refused| Fault::Client)?;
        let handle = client.credential.handle;
        let is_first = self.used.spend(handle, &assertion, self.now_ms);
        is_first.then_some(client).ok_or(Fault::Client)
    }

    /// The credential of this tenant with this id, in the one form of an id. A bearer token has neither
    /// a client secret nor keys to be shown for it.
    fn find(&self, view: &RwLock<View>, client_id: &str) -> Option<Client> {
        let mut handle = [0; 32];
        hex::decode_to_slice(client_id, &mut handle).ok()?;
        let view = view.read().unwrap_or_else(PoisonError::into_inner);
        let tenant = view.tenant_of_slug(self.slug)?;
        live_credential(&tenant.registry, self.now_ms, &handle).ok()?;
        let credential = Arc::clone(tenant.registry.credential(&handle)?);
        (hex::encode(handle) == client_id).then(|| Client {
            tenant: tenant.secrets.id(),
            credential,
        })
    }
}

/// The one way in which a request authenticates its client (RFC 6749 section 2.3).
fn method(
    authorization: Option<&str>,
    parameters: &mut BTreeMap<String, String>,
) -> Result<Method, Fault> {
    let mut take = |name| parameters.remove(name);
    let (named, secret) = (take("client_id"), take("client_secret"));
    let (kind, assertion) = (take("client_assertion_type"), take("client_assertion"));
    let asserts = kind.is_some() || assertion.is_some();
    let (client_id, method) = match (authorization, secret, asserts) {
        (Some(header), None, false) => {
            let (client_id, secret) = basic(header).ok_or(Fault::Client)?;
            (client_id.clone(), Method::Secret { client_id, secret })
        }
        (None, Some(secret), false) => {
            let client_id = named
                .clone()
                .ok_or(Fault::Request("client_id is missing beside client_secret"))?;
            (client_id.clone(), Method::Secret { client_id, secret })
        }
        (None, None, true) => {
            let (Some(kind), Some(text)) = (kind, assertion) else {
                return Err(Fault::Request(
                    "client_assertion and client_assertion_type belong together",
                ));
            };
            if kind != ASSERTION_TYPE {
                return Err(Fault::Client);
            }
            let client_id = ClientAssertion::unverified_client(text.as_bytes());
            let client_id = client_id.ok_or(Fault::Client)?;
            (client_id.clone(), Method::Assertion { client_id, text })
        }
        (None, None, false) => return Err(Fault::Client),
        _ => {
            return Err(Fault::Request(
                "the client must be authenticated in one way alone",
            ));
        }
    };
    if named.is_some_and(|named| named != client_id) {
        return Err(Fault::Client);
    }
    Ok(method)
}

/// User and password of a Basic header, which OAuth encodes once more (RFC 6749 section 2.3.1).
fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, text) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let bytes = Base64::decode_vec(text.trim_start()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((form::decoded(user)?, form::decoded(password)?))
}

/// A list of scopes (RFC 6749 section 3.3).
fn scopes(text: &str) -> Option<ScopeSet> {
    text.split(' ').map(Scope::parse).collect()
}
