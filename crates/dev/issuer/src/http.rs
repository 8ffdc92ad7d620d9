//! Answers and bodies, the same for both ports.

use std::time::Duration;

use bytes::Bytes;
use chancery_json::Object;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use hyper::{Response, StatusCode};
use tokio::time::timeout;

use crate::form::FORM_SIZE_MAX;

/// How long the body of a request may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// An answer.
pub(crate) type Answered = Response<Full<Bytes>>;

/// The whole body of a request, or the answer to one that is too large, too slow or cut off.
pub(crate) async fn body(incoming: Incoming) -> Result<Bytes, Answered> {
    let body = Limited::new(incoming, FORM_SIZE_MAX).collect();
    match timeout(BODY_TIMEOUT, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(_)) => Err(text(StatusCode::BAD_REQUEST, "too large or cut off\n")),
        Err(_elapsed) => Err(text(StatusCode::REQUEST_TIMEOUT, "too slow\n")),
    }
}

/// An answer with a type and the headers that all have: nothing is stored, framed, guessed or told to others.
fn answered(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answered {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let mut set = |name: HeaderName, value: &'static str| {
        let headers = response.headers_mut();
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(CONTENT_TYPE, kind);
    set(CACHE_CONTROL, "no-store");
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(X_FRAME_OPTIONS, "DENY");
    set(REFERRER_POLICY, "no-referrer");
    set(
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    );
    response
}

/// Plain text.
pub(crate) fn text(status: StatusCode, text: &'static str) -> Answered {
    answered(status, "text/plain; charset=utf-8", text)
}

/// JSON.
pub(crate) fn json(status: StatusCode, object: &Object) -> Answered {
    answered(status, "application/json", object.to_bytes())
}

/// A page whose forms lead nowhere.
pub(crate) fn html(status: StatusCode, page: String) -> Answered {
    answered(status, "text/html; charset=utf-8", page)
}

/// A page whose form goes to this server, which may lead on to `origin`.
pub(crate) fn form_page(status: StatusCode, page: String, origin: &str) -> Answered {
    let mut response = html(status, page);
    let policy = format!(
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self' {origin}"
    );
    put(&mut response, CONTENT_SECURITY_POLICY, &policy);
    response
}

/// Leads on by a GET.
pub(crate) fn see_other(location: &str) -> Answered {
    let mut response = text(StatusCode::SEE_OTHER, "");
    put(&mut response, LOCATION, location);
    response
}

/// The method is not one that the path takes.
pub(crate) fn method_not_allowed(allowed: &str) -> Answered {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
    put(&mut response, ALLOW, allowed);
    response
}

/// Sets a header. What cannot stand in one is left out; checked addresses and our own texts can.
pub(crate) fn put(response: &mut Answered, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
}
