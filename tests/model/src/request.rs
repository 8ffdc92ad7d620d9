//! Requests and answers as bytes, and who answers.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// A request below the SCIM base.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The method.
    pub method: &'static str,
    /// Path and query.
    pub target: String,
    /// Name and value of each header.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers, by lower-case name.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

/// A SCIM service that answers at once.
pub trait Service {
    /// The SCIM base URI.
    fn base(&self) -> String;

    /// Answers one request.
    fn send(&mut self, request: &Request) -> Response;
}

impl Request {
    /// A request without body.
    #[must_use]
    pub fn of(method: &'static str, target: impl Into<String>) -> Self {
        Self {
            method,
            target: target.into(),
            ..Self::default()
        }
    }

    /// With a JSON body.
    #[must_use]
    pub fn with_body(mut self, body: &Value) -> Self {
        self.body = body.to_string().into_bytes();
        self.headers
            .push(("content-type", "application/scim+json".to_owned()));
        self
    }

    /// With a header, if there is a value for it.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: Option<String>) -> Self {
        self.headers.extend(value.map(|value| (name, value)));
        self
    }
}

impl Response {
    /// The body as JSON; null if it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// A header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.target)?;
        for (name, value) in &self.headers {
            if *name != "content-type" {
                write!(f, "\n    {name}: {value}")?;
            }
        }
        if !self.body.is_empty() {
            write!(f, "\n    {}", String::from_utf8_lossy(&self.body))?;
        }
        Ok(())
    }
}

impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, String::from_utf8_lossy(&self.body))
    }
}
