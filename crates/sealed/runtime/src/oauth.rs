//! The token endpoint for identity providers that are OAuth clients: client credentials, RFC 6749 section
//! 4.4, with a secret (section 2.3.1) or a signed assertion (RFC 7523). What it hands out is good for
//! SCIM alone, and only while the client's credential is.

mod assertions;
mod form;
mod grant;

use std::borrow::Cow;

use chancery_authority::{AccessToken, TenantId, Token};
use chancery_engine::View;
use chancery_json::Object;
use chancery_sealing::ExpandedEntropy;
use hyper::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue, PRAGMA, WWW_AUTHENTICATE,
};
use hyper::{Method, StatusCode};

use crate::http::{Answer, Call, allowing, json, problem, retry_later};
use crate::service::Service;

pub use assertions::Assertions;
use grant::{Desk, Fault, Sent};

/// Largest request in bytes: an assertion, percent-encoded, and room for the rest.
pub(crate) const REQUEST_BYTES_MAX: usize = 32 * 1024;

/// The one media type of a token request (RFC 6749 section 4.4.2).
const FORM: &str = "application/x-www-form-urlencoded";

/// The tenant and the handle of the credential behind a `Bearer` text: a token that an admin was given, or
/// an access token. Whether the credential is alive is for the caller to see.
pub(crate) fn presented(
    service: &Service,
    view: &View,
    text: &str,
) -> Option<(TenantId, [u8; 32])> {
    if AccessToken::is_meant(text) {
        let token = AccessToken::verify(text, service.now_ms(), &service.token_key).ok()?;
        return Some((*token.tenant(), *token.credential()));
    }
    let token = Token::parse(text).ok()?;
    view.credential(token.digest(&service.token_key).as_bytes())
}

/// Answers `/t/{slug}/oauth2/…`.
pub(crate) fn answer(service: &Service, call: &Call) -> Answer {
    // "", "t", slug, "oauth2", "token"
    let mut segments = call.path.split('/').skip(2);
    let (slug, name) = (segments.next(), segments.nth(1));
    let (Some(slug), Some("token"), None) = (slug, name, segments.next()) else {
        return problem(StatusCode::NOT_FOUND, "there is nothing at this path");
    };
    if call.method != Method::POST {
        let answer = problem(
            StatusCode::METHOD_NOT_ALLOWED,
            "this path does not take this method",
        );
        return allowing(answer, "POST");
    }
    let issued = issue(service, call, slug);
    if issued == Err(Fault::Client) {
        service.metrics.auth_failures.add(1);
    }
    let mut answer = issued.map_or_else(refused, |body| json(StatusCode::OK, &body));
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    answer
}

fn issue(service: &Service, call: &Call, slug: &str) -> Result<Object, Fault> {
    if call.query.is_some() {
        return Err(Fault::Request("parameters belong into the body"));
    }
    let media_type = call.header(&CONTENT_TYPE).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case(FORM) {
        return Err(Fault::Request(
            "the body must be application/x-www-form-urlencoded",
        ));
    }
    let mut entropy = ExpandedEntropy::new(service.fresh().map_err(|_entropy| Fault::Busy)?);
    let host = service.node.host_of(call.header(&HOST));
    let authorization = call.headers.get(AUTHORIZATION);
    let sent = Sent {
        // What is no text is no Basic either, but it is there.
        authorization: authorization.map(|value| value.to_str().unwrap_or_default()),
        form: call.body(),
    };
    let desk = Desk {
        slug,
        endpoint: format!("https://{host}/t/{slug}/oauth2/token"),
        now_ms: service.now_ms(),
        token_key: &service.token_key,
        used: &service.assertions,
    };
    let granted = desk.grant(&service.view, &sent, &mut entropy)?;
    service.note_use(granted.credential);
    Ok(Object::new()
        .with("access_token", granted.token.as_str())
        .with("token_type", "Bearer")
        .with("expires_in", granted.expires_in_s)
        .with("scope", granted.scope))
}

/// An error of RFC 6749 section 5.2. What is wrong with a client's authentication it never says.
fn refused(fault: Fault) -> Answer {
    let bad = StatusCode::BAD_REQUEST;
    let (status, error, text): (_, _, Cow<'static, str>) = match fault {
        Fault::Request(text) => (bad, "invalid_request", text.into()),
        Fault::GrantType => (
            bad,
            "unsupported_grant_type",
            "the one grant_type is client_credentials".into(),
        ),
        Fault::Scope(scope) => (
            bad,
            "invalid_scope",
            format!("leave scope out, or ask for what the client has: {scope}").into(),
        ),
        Fault::Client => {
            let text = "the client is not known by what it sent".into();
            (StatusCode::UNAUTHORIZED, "invalid_client", text)
        }
        Fault::Busy => {
            return retry_later(problem(
                StatusCode::SERVICE_UNAVAILABLE,
                "no access token can be issued now; try again later",
            ));
        }
    };
    let body = Object::new()
        .with("error", error)
        .with("error_description", &*text);
    let mut answer = json(status, &body);
    if status == StatusCode::UNAUTHORIZED {
        answer.headers_mut().insert(
            WWW_AUTHENTICATE,
            HeaderValue::from_static("Basic realm=\"chancery\""),
        );
    }
    answer
}

#[cfg(test)]
mod tests;
