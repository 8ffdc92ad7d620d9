//! Where a deployment is reached, and the name its certificate must carry.

use core::str::FromStr;

use hyper::Uri;
use rustls_pki_types::ServerName;

use crate::error::ClientError;

/// The port of `https` when the base address names none (RFC 9110, section 4.2.2).
const HTTPS_PORT: u16 = 443;

/// The parsed base address of a deployment: `https://host[:port]`, nothing more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    host: String,
    port: u16,
    server_name: ServerName<'static>,
}

impl Endpoint {
    /// Parses `https://host[:port]`.
    ///
    /// # Errors
    ///
    /// [`ClientError::BaseInvalid`] for any other scheme, for user information, a path, a query or
    /// a host that no certificate can name.
    pub fn parse(base: &str) -> Result<Self, ClientError> {
        Self::parse_parts(base).ok_or(ClientError::BaseInvalid)
    }

    fn parse_parts(base: &str) -> Option<Self> {
        let uri = Uri::from_str(base).ok()?;
        let authority = uri.authority()?;
        let plain = uri.scheme_str() == Some("https")
            && matches!(uri.path(), "" | "/")
            && uri.query().is_none()
            && !authority.as_str().contains('@');
        if !plain {
            return None;
        }
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']')
            // Names are compared as servers see them in TLS: in lower case, without the root's dot.
            .to_ascii_lowercase();
        if host.ends_with('.') {
            return None;
        }
        let port = match authority.port() {
            Some(port) => port.as_str().parse().ok()?,
            // `http::Uri` drops a port that is not a number; the text must then end with the host.
            None if authority.as_str().ends_with(authority.host()) => HTTPS_PORT,
            None => return None,
        };
        let server_name = ServerName::try_from(host.clone()).ok()?;
        Some(Self {
            host,
            port,
            server_name,
        })
    }

    /// The host name or address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether `uri` is of this origin (RFC 9110, section 4.3.1).
    pub(crate) fn is_origin_of(&self, uri: &Uri) -> bool {
        let (Some("https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return false;
        };
        Self::parse(&format!("https://{authority}"))
            .is_ok_and(|other| other.port == self.port && other.host == self.host)
    }

    /// The name that the server's certificate must carry.
    pub(crate) fn server_name(&self) -> &ServerName<'static> {
        &self.server_name
    }

    /// What TCP connects to.
    pub(crate) fn dial_address(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        }
    }

    /// The name that TLS sends (RFC 6066), which knows no addresses.
    pub(crate) fn sent_server_name(&self) -> Option<&str> {
        match self.server_name {
            ServerName::DnsName(_) => Some(&self.host),
            _ => None,
        }
    }

    /// The value of the `Host` header (RFC 9112, section 3.2).
    pub(crate) fn host_header(&self) -> String {
        let Self { host, port, .. } = self;
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.clone()
        };
        if *port == HTTPS_PORT {
            host
        } else {
            format!("{host}:{port}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_names_and_addresses_with_and_without_port() {
        let endpoint = |base: &str| {
            let endpoint = Endpoint::parse(base).unwrap();
            (
                endpoint.host().to_owned(),
                endpoint.port(),
                endpoint.host_header(),
            )
        };
        let parts = |host: &str, port, header: &str| (host.to_owned(), port, header.to_owned());
        assert_eq!(
            endpoint("https://localhost:8443"),
            parts("localhost", 8443, "localhost:8443")
        );
        assert_eq!(
            endpoint("https://scim.vendor.example/"),
            parts("scim.vendor.example", 443, "scim.vendor.example")
        );
        assert_eq!(
            endpoint("https://SCIM.Vendor.Example"),
            parts("scim.vendor.example", 443, "scim.vendor.example")
        );
        assert_eq!(
            endpoint("https://127.0.0.1:1"),
            parts("127.0.0.1", 1, "127.0.0.1:1")
        );
        assert_eq!(
            endpoint("https://[::1]:8443"),
            parts("::1", 8443, "[::1]:8443")
        );
    }

    #[test]
    fn sends_names_and_no_addresses() {
        let sent = |base| {
            Endpoint::parse(base)
                .unwrap()
                .sent_server_name()
                .map(str::to_owned)
        };
        assert_eq!(sent("https://localhost:8443").as_deref(), Some("localhost"));
        assert_eq!(sent("https://127.0.0.1:8443"), None);
        assert_eq!(sent("https://[::1]:8443"), None);
    }

    #[test]
    fn knows_the_uris_of_its_own_origin() {
        let endpoint = Endpoint::parse("https://scim.vendor.example").unwrap();
        let is_ours = |uri: &str| endpoint.is_origin_of(&uri.parse().unwrap());
        for uri in [
            "https://scim.vendor.example",
            "https://scim.vendor.example:443/v1/tenants/demo?x=1",
            "https://SCIM.vendor.example/",
        ] {
            assert!(is_ours(uri), "{uri}");
        }
        for uri in [
            "http://scim.vendor.example/",
            "http://scim.vendor.example:443/",
            "https://scim.vendor.example:8443/",
            "https://scim.vendor.example.attacker.example/",
            "https://vendor.example/",
            "https://scim.vendor.example@attacker.example/",
            "https://scim.vendor.example:443@attacker.example/",
            "https://user@scim.vendor.example/",
            "/v1/tenants/demo",
            "scim.vendor.example:443",
        ] {
            assert!(!is_ours(uri), "{uri}");
        }
    }

    #[test]
    fn refuses_everything_but_a_bare_https_origin() {
        for base in [
            "",
            "localhost:8443",
            "http://localhost:8443",
            "https://",
            "https://user@localhost",
            "https://localhost/path",
            "https://localhost?query",
            "https://localhost:99999",
            "https://localhost:",
            "https://local host",
            "https://-.example",
            "https://localhost.",
        ] {
            assert!(
                matches!(Endpoint::parse(base), Err(ClientError::BaseInvalid)),
                "{base}"
            );
        }
    }
}
