//! From a request to its answer: framing rules, routing, and the one place that maps errors.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName,
    HeaderValue, IF_MATCH, IF_NONE_MATCH, RETRY_AFTER, TRANSFER_ENCODING, WWW_AUTHENTICATE,
};
use hyper::{Method, Request, Response, StatusCode};

use crate::attested;
use crate::connection::Channel;
use crate::scim;
use crate::service::Service;

/// Largest body of a request in bytes.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// How much of a body over that limit is read and thrown away before the connection is closed.
const DISCARDED_BYTES_MAX: usize = 16 * BODY_BYTES_MAX;
/// How long a request's body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Seconds after which a client may try again.
const RETRY_AFTER_S: u64 = 2;

/// Headers of which two would make a request mean two things (I28).
const SINGLE_HEADERS: [HeaderName; 7] = [
    AUTHORIZATION,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    HOST,
    IF_MATCH,
    IF_NONE_MATCH,
    TRANSFER_ENCODING,
];

/// An answer with its whole body.
pub type Answer = Response<Full<Bytes>>;

/// A request whose framing is sound and whose body is here.
#[derive(Debug)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The path, still percent-encoded.
    pub path: String,
    /// The query string, without `?`.
    pub query: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The connection.
    pub channel: Channel,
}

impl Call {
    /// A header's value, if it is visible ASCII.
    #[must_use]
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Which class a request counts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Scim,
    Attest,
    Attested,
    Log,
    Other,
}

/// Answers one request.
pub async fn answer(service: Arc<Service>, channel: Channel, request: Request<Incoming>) -> Answer {
    let _in_flight = service.metrics.requests_in_flight.raise();
    let class = classify(request.uri().path());
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let answer = route(&service, channel, request, class).await;
    let metrics = &service.metrics;
    match class {
        Class::Scim if is_read => metrics.requests_scim_read.add(1),
        Class::Scim => metrics.requests_scim_write.add(1),
        Class::Attest => metrics.requests_attest.add(1),
        Class::Attested => metrics.requests_attested.add(1),
        Class::Log => metrics.requests_log.add(1),
        Class::Other => metrics.requests_other.add(1),
    }
    match answer.status().as_u16() {
        200..=299 => metrics.responses_success.add(1),
        300..=399 => metrics.responses_redirection.add(1),
        400..=499 => metrics.responses_client_error.add(1),
        _ => metrics.responses_server_error.add(1),
    }
    answer
}

fn classify(path: &str) -> Class {
    let mut segments = path.split('/').skip(1);
    match (segments.next(), segments.next(), segments.next()) {
        (Some("t"), Some(_), Some("scim")) => Class::Scim,
        (Some("t"), Some(_), Some("log")) | (Some("log"), _, _) => Class::Log,
        (Some(".well-known"), Some("chancery"), _) => Class::Attest,
        (Some("v1"), _, _) => Class::Attested,
        _ => Class::Other,
    }
}

async fn route(
    service: &Arc<Service>,
    channel: Channel,
    request: Request<Incoming>,
    class: Class,
) -> Answer {
    if channel.is_ambiguous() || has_two_meanings(request.headers()) {
        return closing(problem(
            StatusCode::BAD_REQUEST,
            "the request's framing is ambiguous",
        ));
    }
    // Entra ID documents TLS 1.2 and nothing newer; everything that is attested needs TLS 1.3.
    if class != Class::Scim && !channel.is_tls13 {
        return closing(problem(
            StatusCode::FORBIDDEN,
            "only SCIM is served over TLS 1.2",
        ));
    }
    let (head, body) = request.into_parts();
    let body = match tokio::time::timeout(BODY_TIMEOUT, whole(body)).await {
        Ok(Ok(body)) => body,
        Ok(Err(BodyFault::TooLong)) => {
            let text = format!("the body is larger than {BODY_BYTES_MAX} bytes");
            return closing(if class == Class::Scim {
                scim::too_long(&text)
            } else {
                problem(StatusCode::PAYLOAD_TOO_LARGE, &text)
            });
        }
        Ok(Err(BodyFault::Broken)) | Err(_) => {
            return closing(problem(
                StatusCode::BAD_REQUEST,
                "the body did not arrive whole",
            ));
        }
    };
    let call = Call {
        method: head.method,
        path: String::from(head.uri.path()),
        query: head.uri.query().map(String::from),
        headers: head.headers,
        body,
        channel,
    };
    match class {
        Class::Scim => scim::answer(service, &call).await,
        Class::Attest => attested::attestation(service, &call).await,
        Class::Attested => attested::api(service, &call).await,
        Class::Log => attested::log(service, &call),
        Class::Other => problem(StatusCode::NOT_FOUND, "there is nothing at this path"),
    }
}

enum BodyFault {
    TooLong,
    Broken,
}

/// Reads a body. One that is too long is read to its end and thrown away: a sender whose connection
/// is closed while it still writes never sees the answer.
async fn whole(mut body: Incoming) -> Result<Bytes, BodyFault> {
    let mut bytes = Vec::new();
    let mut size = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_broken| BodyFault::Broken)?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        size = size.saturating_add(data.len());
        if size > DISCARDED_BYTES_MAX {
            break;
        }
        if size > BODY_BYTES_MAX {
            bytes = Vec::new();
        } else {
            bytes.extend_from_slice(data);
        }
    }
    if size > BODY_BYTES_MAX {
        return Err(BodyFault::TooLong);
    }
    Ok(Bytes::from(bytes))
}

fn has_two_meanings(headers: &HeaderMap) -> bool {
    let twice = |name: &HeaderName| headers.get_all(name).iter().nth(1).is_some();
    SINGLE_HEADERS.iter().any(twice)
        || (headers.contains_key(CONTENT_LENGTH) && headers.contains_key(TRANSFER_ENCODING))
}

/// An answer with a body of `media_type`.
#[must_use]
pub fn with_body(status: StatusCode, media_type: &'static str, body: Vec<u8>) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    answer
}

/// A JSON answer.
#[must_use]
pub fn json(status: StatusCode, body: &chancery_json::Object) -> Answer {
    with_body(status, "application/json", body.to_bytes())
}

/// An RFC 9457 problem. The text comes from this program, never from a request.
#[must_use]
pub fn problem(status: StatusCode, detail: &str) -> Answer {
    let body = chancery_json::Object::new()
        .with("type", "about:blank")
        .with("title", status.canonical_reason().unwrap_or("Error"))
        .with("status", u64::from(status.as_u16()))
        .with("detail", detail);
    with_body(status, "application/problem+json", body.to_bytes())
}

/// The same answer, after which the connection is closed.
#[must_use]
pub fn closing(mut answer: Answer) -> Answer {
    answer
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// The same answer with a time after which the client may try again.
#[must_use]
pub fn retry_later(mut answer: Answer) -> Answer {
    answer
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
    answer
}

/// The same answer with what a 401 must say (RFC 6750 section 3); it gives no hint of the reason.
#[must_use]
pub fn unauthorized(mut answer: Answer) -> Answer {
    answer.headers_mut().insert(
        WWW_AUTHENTICATE,
        HeaderValue::from_static("Bearer realm=\"chancery\""),
    );
    answer
}
