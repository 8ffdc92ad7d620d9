//! The provider configuration: <https://openid.net/specs/openid-connect-discovery-1_0.html> section 4.

use alloc::string::String;

use chancery_json::{Fields, Limits};

use crate::error::Error;
use crate::url::HttpsUrl;

/// Largest provider configuration, in bytes; those of large issuers have about 4 KiB.
pub const CONFIGURATION_SIZE_MAX: usize = 64 * 1024;

const LIMITS: Limits = Limits {
    bytes_max: CONFIGURATION_SIZE_MAX,
    depth_max: 8,
    values_max: 4096,
};

/// Where the configuration of `issuer` is served: a slash at the end of the issuer is taken away, then
/// `/.well-known/openid-configuration` is put behind it (section 4).
///
/// # Errors
/// [`Error::UrlForm`] if that is no acceptable URL, or the issuer has a query.
pub fn configuration_url(issuer: &str) -> Result<HttpsUrl, Error> {
    if issuer.contains('?') {
        return Err(Error::UrlForm);
    }
    let base = issuer.strip_suffix('/').unwrap_or(issuer);
    HttpsUrl::parse(&alloc::format!("{base}/.well-known/openid-configuration"))
}

/// What an issuer says of itself, as far as a claim needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderConfiguration {
    jwks: HttpsUrl,
    authorization_endpoint: HttpsUrl,
    token_endpoint: HttpsUrl,
}

impl ProviderConfiguration {
    /// Reads a configuration and compares its `issuer` byte by byte. Other members are ignored.
    ///
    /// # Errors
    /// [`Error::Json`], [`Error::OtherIssuer`] or [`Error::UrlForm`].
    pub fn parse(text: &[u8], issuer: &str) -> Result<Self, Error> {
        let mut fields = Fields::parse(text, &LIMITS)?;
        if fields.take_str("issuer")? != issuer {
            return Err(Error::OtherIssuer);
        }
        let mut url = |member: &str| -> Result<HttpsUrl, Error> {
            let text: String = fields.take_str(member)?;
            HttpsUrl::parse(&text)
        };
        Ok(Self {
            jwks: url("jwks_uri")?,
            authorization_endpoint: url("authorization_endpoint")?,
            token_endpoint: url("token_endpoint")?,
        })
    }

    /// Where the issuer publishes its keys. Its host may be another than the issuer's.
    #[must_use]
    pub const fn jwks(&self) -> &HttpsUrl {
        &self.jwks
    }

    /// Where a person signs in.
    #[must_use]
    pub const fn authorization_endpoint(&self) -> &HttpsUrl {
        &self.authorization_endpoint
    }

    /// Where a client redeems a code.
    #[must_use]
    pub const fn token_endpoint(&self) -> &HttpsUrl {
        &self.token_endpoint
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_json::ErrorKind;
    use std::string::String;

    const ISSUER: &str = "https://id.example/realm";
    const GOOD: &str = r#"{"issuer":"https://id.example/realm",
        "authorization_endpoint":"https://id.example/authorize?x=1",
        "token_endpoint":"https://id.example/token","jwks_uri":"https://keys.example:444/jwks",
        "response_types_supported":["code"],"claims_parameter_supported":false}"#;

    fn changed(from: &str, to: &str) -> Result<ProviderConfiguration, Error> {
        assert!(GOOD.contains(from), "{from}");
        ProviderConfiguration::parse(GOOD.replacen(from, to, 1).as_bytes(), ISSUER)
    }

    #[test]
    fn reads_the_endpoints_and_ignores_the_rest() {
        let configuration = ProviderConfiguration::parse(GOOD.as_bytes(), ISSUER).unwrap();
        assert_eq!(configuration.jwks().authority(), "keys.example:444");
        assert_eq!(
            configuration.authorization_endpoint().target(),
            "/authorize?x=1"
        );
        assert_eq!(configuration.token_endpoint().target(), "/token");
    }

    #[test]
    fn refuses_another_issuer_by_one_byte() {
        for other in [
            "https://id.example/realm/",
            "https://id.example/Realm",
            "https://id.example",
            "",
        ] {
            let text = GOOD.replacen(ISSUER, other, 1);
            let result = ProviderConfiguration::parse(text.as_bytes(), ISSUER);
            assert_eq!(result, Err(Error::OtherIssuer), "{other}");
        }
    }

    #[test]
    fn refuses_endpoints_that_are_missing_or_not_https() {
        for member in [
            "jwks_uri",
            "authorization_endpoint",
            "token_endpoint",
            "issuer",
        ] {
            let absent = changed(&std::format!(r#""{member}":"#), r#""x":"#).unwrap_err();
            let Error::Json(error) = absent else {
                panic!("{absent:?}")
            };
            assert_eq!(error.kind(), ErrorKind::MissingMember, "{member}");
        }
        for from in [
            "https://keys",
            "https://id.example/authorize",
            "https://id.example/token",
        ] {
            let to = from.replacen("https", "http", 1);
            assert_eq!(changed(from, &to), Err(Error::UrlForm), "{from}");
        }
    }

    #[test]
    fn refuses_what_is_twice_there_too_large_or_no_object() {
        assert!(matches!(
            changed(r#""issuer":"#, r#""token_endpoint":"https://x","issuer":"#),
            Err(Error::Json(_))
        ));
        let mut large = String::from(GOOD);
        large.extend(core::iter::repeat_n(
            ' ',
            CONFIGURATION_SIZE_MAX - GOOD.len(),
        ));
        assert!(ProviderConfiguration::parse(large.as_bytes(), ISSUER).is_ok());
        large.push(' ');
        assert!(matches!(
            ProviderConfiguration::parse(large.as_bytes(), ISSUER),
            Err(Error::Json(_))
        ));
        assert!(matches!(
            ProviderConfiguration::parse(b"[]", ISSUER),
            Err(Error::Json(_))
        ));
    }

    #[test]
    fn finds_the_configuration_below_the_issuer() {
        for (issuer, url) in [
            (
                ISSUER,
                "https://id.example/realm/.well-known/openid-configuration",
            ),
            (
                "https://id.example/",
                "https://id.example/.well-known/openid-configuration",
            ),
            (
                "https://id.example",
                "https://id.example/.well-known/openid-configuration",
            ),
        ] {
            assert_eq!(configuration_url(issuer).unwrap().as_str(), url);
        }
        for issuer in ["http://id.example", "https://id.example?a=b", ""] {
            assert_eq!(configuration_url(issuer), Err(Error::UrlForm), "{issuer}");
        }
    }
}
