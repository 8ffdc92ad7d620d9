//! Requests and responses on an appraised connection: small, whole, bounded.

use bytes::Bytes;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use http_body_util::LengthLimitError;
use http_body_util::Limited;
use hyper::Method;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header;
use hyper::header::HeaderName;

use crate::error::ClientError;
use crate::limits::PATH_SIZE_MAX;
use crate::limits::REQUEST_SIZE_MAX;
use crate::limits::RESPONSE_HEAD_SIZE_MAX;
use crate::limits::RESPONSE_HEADERS_MAX;

/// The header by which a page of exhibits names the next one.
const NEXT_RECORD: HeaderName = HeaderName::from_static("chancery-next-record");

/// A request to the attested API, complete in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    method: Method,
    path: String,
    json: Option<Vec<u8>>,
}

impl Request {
    /// A `GET` of `path`, which starts with a slash and may carry a query.
    #[must_use]
    pub fn get(path: &str) -> Self {
        Self {
            method: Method::GET,
            path: path.to_owned(),
            json: None,
        }
    }

    /// A `POST` of a JSON document to `path`.
    #[must_use]
    pub fn post_json(path: &str, json: Vec<u8>) -> Self {
        Self {
            method: Method::POST,
            path: path.to_owned(),
            json: Some(json),
        }
    }

    /// The bytes for hyper, with the headers that every request of ours carries and no other.
    pub(crate) fn into_hyper(
        self,
        host_header: &str,
    ) -> Result<hyper::Request<Full<Bytes>>, ClientError> {
        let path_plain = self.path.starts_with('/')
            && self.path.len() <= PATH_SIZE_MAX
            && self.path.bytes().all(|byte| byte.is_ascii_graphic());
        if !path_plain {
            return Err(ClientError::RequestInvalid);
        }
        let mut request = hyper::Request::builder()
            .method(self.method)
            .uri(self.path)
            .header(header::HOST, host_header)
            .header(header::ACCEPT, "application/json, application/problem+json");
        let body = match self.json {
            Some(json) if json.len() > REQUEST_SIZE_MAX => {
                return Err(ClientError::RequestTooLarge);
            }
            Some(json) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Bytes::from(json)
            }
            None => Bytes::new(),
        };
        request
            .body(Full::new(body))
            .map_err(|_invalid_part| ClientError::RequestInvalid)
    }
}

/// A response, complete in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    status: u16,
    content_type: Option<String>,
    retry_after_s: Option<u64>,
    next_record: Option<u64>,
    body: Vec<u8>,
}

impl Response {
    /// The HTTP status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether the status is 200 to 299.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The `Content-Type`, if there was one in visible ASCII.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// The `Retry-After` in seconds, if there was one in that form.
    #[must_use]
    pub fn retry_after_s(&self) -> Option<u64> {
        self.retry_after_s
    }

    /// The number of the record with which the next page begins (`Chancery-Next-Record`), if this page
    /// is not the last.
    #[must_use]
    pub fn next_record(&self) -> Option<u64> {
        self.next_record
    }

    /// The body's bytes.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Reads a whole response of at most `size_max` body bytes.
    pub(crate) async fn collect(
        response: hyper::Response<Incoming>,
        size_max: usize,
    ) -> Result<Self, ClientError> {
        let (head, body) = response.into_parts();
        let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
        let body = Limited::new(body, size_max)
            .collect()
            .await
            .map_err(|error| {
                if error.is::<LengthLimitError>() {
                    return ClientError::ResponseTooLarge { size_max };
                }
                match error.downcast::<hyper::Error>() {
                    Ok(error) => ClientError::Http(*error),
                    Err(_other) => ClientError::Closed,
                }
            })?;
        Ok(Self {
            status: head.status.as_u16(),
            content_type: text(header::CONTENT_TYPE).map(str::to_owned),
            retry_after_s: text(header::RETRY_AFTER).and_then(|value| value.parse().ok()),
            next_record: text(NEXT_RECORD).and_then(|value| value.parse().ok()),
            body: body.to_bytes().to_vec(),
        })
    }
}

/// The HTTP/1.1 client with our bounds on what a server may send as a head.
pub(crate) fn http1_builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .max_headers(RESPONSE_HEADERS_MAX)
        .max_buf_size(RESPONSE_HEAD_SIZE_MAX);
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sends_exactly_the_headers_of_ours() {
        let request = Request::post_json("/v1/tenants?x=1", b"{}".to_vec());
        let request = request.into_hyper("localhost:8443").unwrap();
        assert_eq!(request.method(), Method::POST);
        assert_eq!(request.uri().to_string(), "/v1/tenants?x=1");
        let headers: Vec<_> = request
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        assert_eq!(
            headers,
            [
                ("host", "localhost:8443"),
                ("accept", "application/json, application/problem+json"),
                ("content-type", "application/json"),
            ]
        );
    }

    #[test]
    fn refuses_paths_that_could_split_or_redirect_a_request() {
        let long = format!("/{}", "a".repeat(PATH_SIZE_MAX));
        for path in [
            "",
            "v1",
            "https://other.example/",
            "/a b",
            "/a\r\nX: y",
            "/\u{e9}",
            &long,
        ] {
            let refused = Request::get(path).into_hyper("localhost");
            assert!(
                matches!(refused, Err(ClientError::RequestInvalid)),
                "{path}"
            );
        }
    }

    #[test]
    fn refuses_a_body_over_the_limit() {
        let request = Request::post_json("/v1", vec![b' '; REQUEST_SIZE_MAX]);
        assert!(request.into_hyper("localhost").is_ok());
        let request = Request::post_json("/v1", vec![b' '; REQUEST_SIZE_MAX + 1]);
        assert!(matches!(
            request.into_hyper("localhost"),
            Err(ClientError::RequestTooLarge)
        ));
    }
}
