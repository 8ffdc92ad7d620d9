//! The endpoints of the provider, and what they share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chancery_json::{Object, Value};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderMap, SET_COOKIE, WWW_AUTHENTICATE};
use hyper::{Method, Request, StatusCode};
use ring::rand::SystemRandom;

use crate::accounts::Accounts;
use crate::authorize::{Refusal, answer, check, origin, verifies};
use crate::error::Error;
use crate::form::Form;
use crate::grants::{Grant, Grants, Login, token};
use crate::http::{
    Answered, body, form_page, html, json, method_not_allowed, put, see_other, text,
};
use crate::issuer::Clock;
use crate::keys::Keyring;
use crate::page;
use crate::server::Answer;
use crate::token::{Spoiling, Statement, TOKEN_LIFE_S};

/// Binds a login page to the browser that it was shown to, so that no other page can send its form.
const COOKIE_NAME: &str = "__Host-login";
/// The characters of the cookie's value.
const COOKIE_SIZE: usize = 43;

const FORM: &str = "application/x-www-form-urlencoded";

/// The provider.
pub(crate) struct Provider {
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    pub(crate) tenant: String,
    pub(crate) clock: Clock,
    pub(crate) random: SystemRandom,
    pub(crate) accounts: Accounts,
    pub(crate) keys: Mutex<Keyring>,
    pub(crate) grants: Mutex<Grants>,
    pub(crate) spoiling: Mutex<Spoiling>,
}

/// What is behind a lock. What a thread that died left there is whole: every change is one step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Answer for Arc<Provider> {
    async fn answer(&self, request: Request<Incoming>) -> Answered {
        let get = request.method() == Method::GET;
        let post = request.method() == Method::POST;
        match request.uri().path() {
            "/.well-known/openid-configuration" if get => json(StatusCode::OK, &self.metadata()),
            "/jwks.json" if get => json(StatusCode::OK, &lock(&self.keys).jwks()),
            "/authorize" if get => {
                let form = Form::parse(request.uri().query().unwrap_or_default().as_bytes());
                self.authorize(form, request.headers())
            }
            "/authorize" | "/login" | "/token" if post => self.posted(request).await,
            "/.well-known/openid-configuration" | "/jwks.json" => method_not_allowed("GET"),
            "/authorize" => method_not_allowed("GET, POST"),
            "/login" | "/token" => method_not_allowed("POST"),
            _ => text(StatusCode::NOT_FOUND, "no such path\n"),
        }
    }
}

impl Provider {
    fn now_s(&self) -> u64 {
        (self.clock)()
    }

    /// The provider's metadata (OpenID Connect Discovery 1.0 section 3).
    fn metadata(&self) -> Object {
        let at = |path: &str| format!("{}{path}", self.issuer);
        let list = |texts: &[&str]| -> Vec<Value> { texts.iter().map(|t| (*t).into()).collect() };
        let claims = [
            "iss",
            "sub",
            "aud",
            "exp",
            "iat",
            "auth_time",
            "nonce",
            "email",
            "email_verified",
            "preferred_username",
            "oid",
            "tid",
        ];
        Object::new()
            .with("issuer", self.issuer.as_str())
            .with("authorization_endpoint", at("/authorize"))
            .with("token_endpoint", at("/token"))
            .with("jwks_uri", at("/jwks.json"))
            .with("scopes_supported", list(&["openid", "email", "profile"]))
            .with("response_types_supported", list(&["code"]))
            .with("response_modes_supported", list(&["query"]))
            .with("grant_types_supported", list(&["authorization_code"]))
            .with("subject_types_supported", list(&["public"]))
            .with("id_token_signing_alg_values_supported", list(&["ES256"]))
            .with("token_endpoint_auth_methods_supported", list(&["none"]))
            .with("code_challenge_methods_supported", list(&["S256"]))
            .with("claims_supported", list(&claims))
            .with("claims_parameter_supported", false)
            .with("request_parameter_supported", false)
            .with("request_uri_parameter_supported", false)
            .with("authorization_response_iss_parameter_supported", true)
    }

    async fn posted(&self, request: Request<Incoming>) -> Answered {
        let path = request.uri().path().to_owned();
        let (head, incoming) = request.into_parts();
        let kind = head.headers.get(CONTENT_TYPE).map(|kind| kind.as_bytes());
        let kind = kind.unwrap_or_default().split(|byte| *byte == b';').next();
        let is_form =
            kind.is_some_and(|kind| kind.trim_ascii().eq_ignore_ascii_case(FORM.as_bytes()));
        let bytes = match body(incoming).await {
            Ok(bytes) => bytes,
            Err(refused) => return refused,
        };
        let form = is_form.then(|| Form::parse(&bytes)).flatten();
        match path.as_str() {
            "/authorize" => self.authorize(form, &head.headers),
            "/login" => self.login(form, &head.headers),
            _ => self.exchange(form, &head.headers),
        }
    }

    /// The authorization endpoint.
    fn authorize(&self, form: Option<Form>, headers: &HeaderMap) -> Answered {
        let Some(form) = form else {
            return stop(StatusCode::BAD_REQUEST, "The request cannot be read.");
        };
        let authorization = match check(&form, &self.client_id, &self.issuer) {
            Ok(authorization) => authorization,
            Err(Refusal::Page(reason)) => return stop(StatusCode::BAD_REQUEST, reason),
            Err(Refusal::Redirect(to)) => return see_other(&to),
        };
        let known = cookie(headers);
        let browser = match known.map_or_else(|| token(&self.random), |known| Ok(known.to_owned()))
        {
            Ok(browser) => browser,
            Err(error) => return fault(&error),
        };
        let login = Login::new(authorization.clone(), browser.clone());
        let put_in = lock(&self.grants)
            .logins
            .put(login, self.now_s(), &self.random);
        let handle = match put_in {
            Ok(Some(handle)) => handle,
            Ok(None) => {
                return self
                    .overloaded(&authorization.redirect_uri, authorization.state.as_deref());
            }
            Err(error) => return fault(&error),
        };
        let page = page::login(&authorization, &handle, self.accounts.anybody(), None);
        let to = origin(&authorization.redirect_uri);
        let mut response = form_page(StatusCode::OK, page, to);
        let value = format!("{COOKIE_NAME}={browser}; Path=/; Secure; HttpOnly; SameSite=Strict");
        put(&mut response, SET_COOKIE, &value);
        response
    }

    fn overloaded(&self, redirect_uri: &str, state: Option<&str>) -> Answered {
        let fields = [("error", "temporarily_unavailable")];
        see_other(&answer(redirect_uri, state, &self.issuer, &fields))
    }

    /// What the login page's form sends.
    fn login(&self, form: Option<Form>, headers: &HeaderMap) -> Answered {
        const OVER: &str = "This login page is no longer valid, or is another browser's.";
        let form = form.unwrap_or_default();
        let field = |name| form.value(name).unwrap_or_default();
        let (handle, now_s) = (field("request"), self.now_s());
        let mut grants = lock(&self.grants);
        let Some(login) = grants.logins.look(handle, now_s) else {
            return stop(StatusCode::BAD_REQUEST, OVER);
        };
        if cookie(headers) != Some(login.browser.as_str()) {
            return stop(StatusCode::BAD_REQUEST, OVER);
        }
        let Some(account) = self.accounts.log_in(field("username"), field("password")) else {
            if login.failed() {
                let alert = Some("The user name or the password is wrong.");
                let anybody = self.accounts.anybody();
                let page = page::login(&login.authorization, handle, anybody, alert);
                let to = origin(&login.authorization.redirect_uri);
                return form_page(StatusCode::FORBIDDEN, page, to);
            }
            grants.logins.take(handle, now_s);
            return stop(StatusCode::FORBIDDEN, "Too many wrong passwords.");
        };
        let Some(login) = grants.logins.take(handle, now_s) else {
            return stop(StatusCode::BAD_REQUEST, OVER);
        };
        let Login { authorization, .. } = login;
        let (redirect_uri, state) = (
            authorization.redirect_uri.clone(),
            authorization.state.clone(),
        );
        let grant = Grant {
            authorization,
            account,
            login_s: now_s,
        };
        match grants.codes.put(grant, now_s, &self.random) {
            Ok(Some(code)) => see_other(&answer(
                &redirect_uri,
                state.as_deref(),
                &self.issuer,
                &[("code", &code)],
            )),
            Ok(None) => self.overloaded(&redirect_uri, state.as_deref()),
            Err(error) => fault(&error),
        }
    }

    /// The token endpoint. A code is used up by the first request that names it, whatever comes of that.
    fn exchange(&self, form: Option<Form>, headers: &HeaderMap) -> Answered {
        if headers.contains_key(AUTHORIZATION) {
            let mut response = refused(
                StatusCode::UNAUTHORIZED,
                "invalid_client",
                "the client is public",
            );
            put(&mut response, WWW_AUTHENTICATE, "Basic realm=\"token\"");
            return response;
        }
        let bad = |error, description| refused(StatusCode::BAD_REQUEST, error, description);
        let Some(form) = form else {
            return bad("invalid_request", "the form cannot be read");
        };
        let field = |name| form.value(name).unwrap_or_default();
        if field("grant_type") != "authorization_code" {
            return bad("unsupported_grant_type", "only authorization_code");
        }
        if field("client_id") != self.client_id {
            return bad("invalid_client", "the client is not known");
        }
        let now_s = self.now_s();
        let Some(grant) = lock(&self.grants).codes.take(field("code"), now_s) else {
            return bad("invalid_grant", "the code is unknown, used or too old");
        };
        if field("redirect_uri") != grant.authorization.redirect_uri {
            return bad("invalid_grant", "the redirect address is another");
        }
        if !verifies(&grant.authorization.challenge, field("code_verifier")) {
            return bad("invalid_grant", "the code verifier is wrong");
        }
        match self.issue(&grant, now_s) {
            Ok(tokens) => json(StatusCode::OK, &tokens),
            Err(error) => fault(&error),
        }
    }

    fn issue(&self, grant: &Grant, now_s: u64) -> Result<Object, Error> {
        let statement = Statement {
            issuer: &self.issuer,
            client_id: &self.client_id,
            tenant: &self.tenant,
            account: &grant.account,
            nonce: grant.authorization.nonce.as_deref(),
            login_s: grant.login_s,
            now_s,
        };
        let spoil = lock(&self.spoiling).next();
        let id_token = statement.sign(&lock(&self.keys), &self.random, spoil)?;
        Ok(Object::new()
            .with("access_token", token(&self.random)?)
            .with("token_type", "Bearer")
            .with("expires_in", TOKEN_LIFE_S)
            .with("scope", "openid")
            .with("id_token", id_token))
    }
}

/// The value of our cookie, if it has the form that we give it.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(COOKIE).iter();
    let mut pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(name, _)| *name == COOKIE_NAME)?;
    (value.len() == COOKIE_SIZE && value.bytes().all(|byte| byte.is_ascii_graphic()))
        .then_some(value)
}

/// An error of the token endpoint (RFC 6749 section 5.2).
fn refused(status: StatusCode, error: &str, description: &str) -> Answered {
    let object = Object::new()
        .with("error", error)
        .with("error_description", description);
    json(status, &object)
}

/// An error that a person sees.
fn stop(status: StatusCode, reason: &str) -> Answered {
    html(status, page::error(reason))
}

/// Our own fault; what it is goes to the caller, who is a developer.
pub(crate) fn fault(error: &Error) -> Answered {
    refused(
        StatusCode::INTERNAL_SERVER_ERROR,
        "server_error",
        &error.to_string(),
    )
}

#[cfg(test)]
mod tests;
