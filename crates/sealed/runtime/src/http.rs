//! From a request to its answer: framing rules, routing, and the one place that maps errors.

use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, HeaderMap, HeaderName,
    HeaderValue, IF_MATCH, IF_NONE_MATCH, TRANSFER_ENCODING,
};
use hyper::{Method, Request, Response, StatusCode, Version};

use crate::attested;
use crate::body::{self, Fault, Taken, Terms};
use crate::connection::Channel;
use crate::host_name::HostName;
use crate::oauth;
use crate::scim;
use crate::service::Service;

pub use chancery_scim_service::{allowing, retry_later, unauthorized};

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

/// A request whose framing is sound and whose body is here, once its caller may send one.
#[derive(Debug)]
pub struct Call {
    /// The method; `HEAD` counts as `GET`, whose body is not sent then.
    pub method: Method,
    /// The path, still percent-encoded.
    pub path: String,
    /// The query string, without `?`.
    pub query: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The connection.
    pub channel: Channel,
    body: Taken,
}

impl Call {
    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body.bytes
    }

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
    OAuth,
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
        Class::OAuth | Class::Other => metrics.requests_other.add(1),
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
        (Some("t"), Some(_), Some("oauth2")) => Class::OAuth,
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
    let (head, body) = request.into_parts();
    if channel.is_ambiguous() || has_two_meanings(&head.headers) {
        return closing(problem(
            StatusCode::BAD_REQUEST,
            "the request's framing is ambiguous",
        ));
    }
    if !names_host(head.version, &head.headers) {
        return closing(problem(
            StatusCode::BAD_REQUEST,
            "the request names no host that can be read",
        ));
    }
    // Entra ID documents TLS 1.2 and nothing newer; everything that is attested needs TLS 1.3.
    if !matches!(class, Class::Scim | Class::OAuth) && !channel.is_tls13 {
        return closing(problem(
            StatusCode::FORBIDDEN,
            "only SCIM and its access tokens are served over TLS 1.2",
        ));
    }
    let mut call = Call {
        method: if head.method == Method::HEAD {
            Method::GET
        } else {
            head.method
        },
        path: String::from(head.uri.path()),
        query: head.uri.query().map(String::from),
        headers: head.headers,
        channel,
        body: Taken::default(),
    };
    let admitted = admit(service, &call, class);
    let caller = match admitted {
        Ok(caller) => caller,
        Err(refused) => return unheard(*refused, &call, body).await,
    };
    let terms = terms(class);
    call.body = match body::take(body, &terms).await {
        Ok(taken) => taken,
        Err(fault) => return closing(no_body(fault, (class, &call.path), &terms)),
    };
    if let Some(caller) = caller {
        return scim::answer(service, &call, &caller).await;
    }
    match class {
        Class::Attest => attested::attestation(service, &call).await,
        Class::Attested => attested::api(service, &call).await,
        Class::Log => attested::log(service, &call),
        Class::OAuth => oauth::answer(service, &call),
        Class::Scim | Class::Other => {
            problem(StatusCode::NOT_FOUND, "there is nothing at this path")
        }
    }
}

/// Decides by the head alone whether the body is worth reading; SCIM's callers are known from then on.
fn admit(
    service: &Service,
    call: &Call,
    class: Class,
) -> Result<Option<scim::Caller>, Box<Answer>> {
    match class {
        Class::Scim => scim::admit(service, call).map(Some),
        // An instance that must not serve proves nothing and shows nothing.
        Class::OAuth | Class::Attest | Class::Attested | Class::Log if !service.may_read() => {
            Err(Box::new(attested::unavailable()))
        }
        Class::OAuth | Class::Attest | Class::Attested | Class::Log | Class::Other => Ok(None),
    }
}

/// An answer that needs no body. A sender that still writes would not see it, so the body is listened
/// to for a while, unless the sender waits to be asked for it.
async fn unheard(answer: Answer, call: &Call, body: Incoming) -> Answer {
    if body.is_end_stream() {
        return answer;
    }
    if !call.headers.contains_key(EXPECT) {
        body::discard(body).await;
    }
    closing(answer)
}

const fn terms(class: Class) -> Terms {
    match class {
        Class::Scim => Terms::CREDENTIALED,
        Class::OAuth => Terms::anybody(oauth::REQUEST_BYTES_MAX),
        Class::Attested => Terms::anybody(chancery_json::Limits::DOCUMENT.bytes_max),
        Class::Attest | Class::Log | Class::Other => {
            Terms::anybody(chancery_session::ATTEST_REQUEST_SIZE_MAX)
        }
    }
}

fn no_body(fault: Fault, (class, path): (Class, &str), terms: &Terms) -> Answer {
    let is_scim = class == Class::Scim;
    match fault {
        Fault::TooLong => {
            let text = format!("the body is larger than {} bytes", terms.bytes_max);
            if is_scim {
                scim::too_long(path, &text)
            } else {
                problem(StatusCode::PAYLOAD_TOO_LARGE, &text)
            }
        }
        Fault::Busy => {
            let (status, text) = (
                StatusCode::SERVICE_UNAVAILABLE,
                "too many requests are on their way; nothing was changed; try again later",
            );
            retry_later(if is_scim {
                scim::error(status, text)
            } else {
                problem(status, text)
            })
        }
        Fault::Broken => problem(StatusCode::BAD_REQUEST, "the body did not arrive whole"),
    }
}

/// HTTP/1.1 requires a `Host` (RFC 9112 section 3.2); any other version may name one.
fn names_host(version: Version, headers: &HeaderMap) -> bool {
    match headers.get(HOST) {
        Some(host) => host
            .to_str()
            .is_ok_and(|text| HostName::parse(text).is_some()),
        None => version != Version::HTTP_11,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static [u8])]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let value = HeaderValue::from_bytes(value).unwrap();
            headers.append(HeaderName::from_static(name), value);
        }
        headers
    }

    #[test]
    fn refuses_a_request_that_names_no_host_or_none_that_can_be_read() {
        let with = |value| headers(&[("host", value)]);
        assert!(names_host(Version::HTTP_11, &with(b"localhost:8443")));
        assert!(names_host(Version::HTTP_10, &headers(&[])));
        assert!(!names_host(Version::HTTP_11, &headers(&[])));
        for value in [&b""[..], b"local host", b"h\xf6st", b"localhost:+1"] {
            assert!(!names_host(Version::HTTP_11, &with(value)));
            assert!(!names_host(Version::HTTP_10, &with(value)));
        }
    }

    #[test]
    fn refuses_two_of_a_header_that_decides() {
        for name in SINGLE_HEADERS {
            let mut twice = HeaderMap::new();
            for _ in 0..2 {
                twice.append(&name, HeaderValue::from_static("1"));
            }
            assert!(has_two_meanings(&twice), "{name}");
        }
        assert!(has_two_meanings(&headers(&[
            ("content-length", b"1"),
            ("transfer-encoding", b"chunked"),
        ])));
        assert!(!has_two_meanings(&headers(&[
            ("accept", b"a"),
            ("accept", b"b"),
            ("host", b"localhost"),
        ])));
    }
}
