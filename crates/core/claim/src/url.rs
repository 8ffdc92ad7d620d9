//! `https` URLs of issuers: the part of <https://www.rfc-editor.org/rfc/rfc3986> that is needed to reach them.

use alloc::string::{String, ToString as _};
use core::fmt;

use crate::error::Error;

/// Longest URL, in bytes.
pub const URL_LENGTH_MAX: usize = 2048;

/// Longest host name, in bytes (RFC 1035 section 2.3.4).
const HOST_LENGTH_MAX: usize = 253;

/// The port where none is named.
const PORT: u16 = 443;

/// An `https` URL with a host of letters, digits, `-` and `.` (in lower case), without user part and fragment.
///
/// An internationalised host is written in its ASCII form; an IPv6 address cannot be written.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpsUrl {
    text: String,
    host_end: usize,
    authority_end: usize,
    port: u16,
}

impl HttpsUrl {
    /// Checks and keeps a URL.
    ///
    /// # Errors
    /// [`Error::UrlForm`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::split(text).ok_or(Error::UrlForm)
    }

    fn split(text: &str) -> Option<Self> {
        const SCHEME: &str = "https://";
        let graphic = |byte: u8| byte.is_ascii_graphic() && !b"#\\\"<>^`{|}".contains(&byte);
        if text.len() > URL_LENGTH_MAX || !text.bytes().all(graphic) {
            return None;
        }
        let rest = text.strip_prefix(SCHEME)?;
        let authority_length = rest.find(['/', '?']).unwrap_or(rest.len());
        let authority = rest.get(..authority_length)?;
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, port_number(port)?),
            None => (authority, PORT),
        };
        if !is_host(host) {
            return None;
        }
        Some(Self {
            text: text.to_string(),
            host_end: SCHEME.len().checked_add(host.len())?,
            authority_end: SCHEME.len().checked_add(authority_length)?,
            port,
        })
    }

    /// The whole URL, as it was read.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host, to be compared with the server's certificate.
    #[must_use]
    pub fn host(&self) -> &str {
        self.text.get(8..self.host_end).unwrap_or_default()
    }

    /// The port, 443 if none is named.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Host and port, always both: where to connect.
    #[must_use]
    pub fn authority(&self) -> String {
        alloc::format!("{}:{}", self.host(), self.port)
    }

    /// Path and query: the target of a request (RFC 9112 section 3.2.1).
    #[must_use]
    pub fn target(&self) -> String {
        let rest = self.text.get(self.authority_end..).unwrap_or_default();
        if rest.starts_with('/') {
            rest.to_string()
        } else {
            alloc::format!("/{rest}")
        }
    }
}

impl fmt::Debug for HttpsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpsUrl({})", self.text)
    }
}

fn port_number(text: &str) -> Option<u16> {
    let port = text.parse::<u16>().ok()?;
    (port != 0 && alloc::format!("{port}") == text).then_some(port)
}

fn is_host(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(letter)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= HOST_LENGTH_MAX && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;

    #[test]
    fn splits_a_url_into_what_a_request_needs() {
        for (text, host, authority, target) in [
            ("https://id.example", "id.example", "id.example:443", "/"),
            ("https://id.example/", "id.example", "id.example:443", "/"),
            (
                "https://id.example:8443/a/b?c=d/e?f",
                "id.example",
                "id.example:8443",
                "/a/b?c=d/e?f",
            ),
            (
                "https://localhost:1?x=y",
                "localhost",
                "localhost:1",
                "/?x=y",
            ),
            (
                "https://127.0.0.1:65535/k",
                "127.0.0.1",
                "127.0.0.1:65535",
                "/k",
            ),
            (
                "https://xn--bcher-kva.example/%7Ea",
                "xn--bcher-kva.example",
                "xn--bcher-kva.example:443",
                "/%7Ea",
            ),
        ] {
            let url = HttpsUrl::parse(text).unwrap();
            assert_eq!(url.as_str(), text);
            assert_eq!(url.host(), host);
            assert_eq!(url.authority(), authority);
            assert_eq!(url.target(), target);
        }
        assert_eq!(HttpsUrl::parse("https://a").unwrap().port(), 443);
    }

    #[test]
    fn refuses_what_is_no_acceptable_url() {
        let long_label = std::format!("https://{}.example", "a".repeat(64));
        let long_host = std::format!("https://{}a", "a.".repeat(127));
        for text in [
            "",
            "https://",
            "https:///path",
            "http://id.example",
            "HTTPS://id.example",
            "https:/id.example",
            "https://ID.example",
            "https://id..example",
            "https://id.example.",
            "https://-id.example",
            "https://id-.example",
            "https://user@id.example",
            "https://id.example@other.example",
            "https://id.example:443:1",
            "https://id.example:",
            "https://id.example:0",
            "https://id.example:0443",
            "https://id.example:+443",
            "https://id.example:65536",
            "https://[::1]/",
            "https://id_x.example",
            "https://id.example/a b",
            "https://id.example/\r\nHost: x",
            "https://id.example/#part",
            "https://id.example/\\x",
            "https://é.example",
            "https://id.example/é",
            &long_label,
            &long_host,
        ] {
            assert_eq!(HttpsUrl::parse(text), Err(Error::UrlForm), "{text:?}");
        }
    }

    #[test]
    fn accepts_the_longest_and_no_longer() {
        let of_length = |length: usize| {
            let mut text = String::from("https://id.example/");
            text.extend(core::iter::repeat_n('a', length - text.len()));
            HttpsUrl::parse(&text)
        };
        assert!(of_length(URL_LENGTH_MAX).is_ok());
        assert!(of_length(URL_LENGTH_MAX + 1).is_err());
        let host = std::format!("https://{}aaa", "a.".repeat(125));
        assert_eq!(HttpsUrl::parse(&host).unwrap().host().len(), 253);
        let label = std::format!("https://{}.example", "a".repeat(63));
        assert!(HttpsUrl::parse(&label).is_ok());
    }
}
