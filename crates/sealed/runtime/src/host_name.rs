//! The `Host` header (RFC 9110 section 7.2), read strictly.

use std::net::Ipv6Addr;

/// What a `Host` header names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct HostName<'a> {
    /// A DNS name or an address, without brackets.
    name: &'a str,
    port: Option<u16>,
}

impl<'a> HostName<'a> {
    /// Reads the header's value; none if it is no `host [ ":" port ]`.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (name, rest) = match text.strip_prefix('[') {
            Some(bracketed) => {
                let (name, rest) = bracketed.split_once(']')?;
                name.parse::<Ipv6Addr>().ok()?;
                (name, rest)
            }
            None => {
                let (name, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
                if name.is_empty() || !name.bytes().all(is_name_byte) {
                    return None;
                }
                (name, rest)
            }
        };
        let port = match rest.strip_prefix(':') {
            // RFC 3986 allows an empty port: it is none.
            Some("") => None,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().ok()?)
            }
            None if rest.is_empty() => None,
            Some(_) | None => return None,
        };
        Some(Self { name, port })
    }

    fn is(&self, ours: &str) -> bool {
        match (self.name.parse::<Ipv6Addr>(), ours.parse::<Ipv6Addr>()) {
            (Ok(named), Ok(ours)) => named == ours,
            _ => self.name.eq_ignore_ascii_case(ours),
        }
    }
}

const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}

/// The authority of URIs for a client that sent `header`: the one of `ours` that it named, or else the
/// first, with the port that it named. The runtime does not know the port itself: the host listens.
pub(crate) fn authority(header: Option<&str>, ours: &[String]) -> String {
    let asked = header.and_then(HostName::parse);
    let named = asked
        .as_ref()
        .and_then(|asked| ours.iter().find(|name| asked.is(name)));
    let name = named.or_else(|| ours.first()).map_or("", String::as_str);
    let name = match name.parse::<Ipv6Addr>() {
        Ok(_) => format!("[{name}]"),
        Err(_) => String::from(name),
    };
    match asked.and_then(|asked| asked.port) {
        Some(port) => format!("{name}:{port}"),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_asked_host_of_ours_or_else_the_first_with_the_asked_port() {
        let ours = ["chancery.example", "127.0.0.1", "::1"].map(String::from);
        for (header, expected) in [
            (Some("chancery.example"), "chancery.example"),
            (Some("Chancery.EXAMPLE:8443"), "chancery.example:8443"),
            (Some("chancery.example:"), "chancery.example"),
            (Some("127.0.0.1:8443"), "127.0.0.1:8443"),
            (Some("[::1]:8443"), "[::1]:8443"),
            (Some("[0:0:0:0:0:0:0:1]"), "[::1]"),
            (Some("[::2]:8443"), "chancery.example:8443"),
            (Some("elsewhere.example:8443"), "chancery.example:8443"),
            (None, "chancery.example"),
        ] {
            assert_eq!(authority(header, &ours), expected, "{header:?}");
        }
    }

    #[test]
    fn refuses_what_is_no_host_and_port() {
        for text in [
            "",
            ":8443",
            "localhost:+8443",
            "localhost:-1",
            "localhost:65536",
            "localhost:8443:1",
            "localhost:84 43",
            "local host",
            "user@localhost",
            "localhost/path",
            "::1",
            "[::1",
            "[::1]8443",
            "[localhost]",
            "[]",
            "h\u{f6}st",
        ] {
            assert_eq!(HostName::parse(text), None, "{text}");
        }
        assert!(HostName::parse("localhost:65535").is_some());
    }
}
