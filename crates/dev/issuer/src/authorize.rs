//! What an authorization request must be (OpenID Connect Core 1.0 section 3.1.2.1, RFC 7636, RFC 8252).

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use ring::digest::{SHA256, digest};

use crate::form::{Form, encode_form};

/// Longest redirect address, state, nonce and hint, in bytes.
const VALUE_SIZE_MAX: usize = 1024;
/// Characters of a code challenge by S256: 32 bytes in base64url (RFC 7636 section 4.2).
const CHALLENGE_SIZE: usize = 43;
/// Shortest and longest code verifier (RFC 7636 section 4.1).
const VERIFIER_SIZE: std::ops::RangeInclusive<usize> = 43..=128;

/// A request that may be answered with a login page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authorization {
    /// Where the answer goes.
    pub(crate) redirect_uri: String,
    /// What comes back with it.
    pub(crate) state: Option<String>,
    /// What the token must say.
    pub(crate) nonce: Option<String>,
    /// The code challenge.
    pub(crate) challenge: String,
    /// What the login page proposes.
    pub(crate) login_hint: String,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Said to the person: there is no client that could be told.
    Page(&'static str),
    /// Said to the client, by this redirect.
    Redirect(String),
}

/// Checks a request.
pub(crate) fn check(form: &Form, client_id: &str, issuer: &str) -> Result<Authorization, Refusal> {
    if form.value("client_id") != Some(client_id) {
        return Err(Refusal::Page("This client is not known here."));
    }
    let redirect_uri = form.value("redirect_uri").unwrap_or_default();
    if !is_native_redirect(redirect_uri) {
        return Err(Refusal::Page(
            "The address to return to is not one on this machine's loopback interface.",
        ));
    }
    let state = form.value("state");
    let refuse = |error: &str, description: &str| {
        let fields = [("error", error), ("error_description", description)];
        Err(Refusal::Redirect(answer(
            redirect_uri,
            state,
            issuer,
            &fields,
        )))
    };
    let values = ["state", "nonce", "login_hint"];
    let is_long = |name: &&str| {
        form.value(name)
            .is_some_and(|value| value.len() > VALUE_SIZE_MAX)
    };
    if let Some(name) = values.iter().find(|name| is_long(name)) {
        return refuse("invalid_request", &format!("{name} is too long"));
    }
    if form.value("request").is_some() {
        return refuse("request_not_supported", "request objects are not taken");
    }
    if form.value("request_uri").is_some() {
        return refuse("request_uri_not_supported", "request objects are not taken");
    }
    if form.value("response_type") != Some("code") {
        return refuse("unsupported_response_type", "response_type must be code");
    }
    if form
        .value("response_mode")
        .is_some_and(|mode| mode != "query")
    {
        return refuse("invalid_request", "response_mode must be query");
    }
    let scopes = form.value("scope").unwrap_or_default();
    if !scopes.split(' ').any(|scope| scope == "openid") {
        return refuse("invalid_scope", "scope must hold openid");
    }
    let challenge = form.value("code_challenge").unwrap_or_default();
    if form.value("code_challenge_method") != Some("S256") || !is_challenge(challenge) {
        return refuse("invalid_request", "PKCE with S256 is required");
    }
    match form.value("prompt") {
        None | Some("login" | "consent" | "select_account") => {}
        Some("none") => return refuse("login_required", "there are no sessions"),
        Some(_) => return refuse("invalid_request", "prompt is not understood"),
    }
    Ok(Authorization {
        redirect_uri: redirect_uri.to_owned(),
        state: state.map(str::to_owned),
        nonce: form.value("nonce").map(str::to_owned),
        challenge: challenge.to_owned(),
        login_hint: form.value("login_hint").unwrap_or_default().to_owned(),
    })
}

/// The address that leads back to the client with an answer (RFC 6749 section 4.1.2, RFC 9207).
pub(crate) fn answer(
    redirect_uri: &str,
    state: Option<&str>,
    issuer: &str,
    fields: &[(&str, &str)],
) -> String {
    let mut all = fields.to_vec();
    all.extend(state.map(|state| ("state", state)));
    all.push(("iss", issuer));
    let joint = if redirect_uri.contains('?') { '&' } else { '?' };
    format!("{redirect_uri}{joint}{}", encode_form(&all))
}

/// Whether an address is `http://127.0.0.1:port/…` or `http://[::1]:port/…`, without a fragment.
fn is_native_redirect(uri: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"#\"<>\\^`{|}".contains(&byte);
    let Some(rest) = uri.strip_prefix("http://") else {
        return false;
    };
    let Some(end) = rest.find('/') else {
        return false;
    };
    let (authority, _path) = rest.split_at(end);
    uri.len() <= VALUE_SIZE_MAX && uri.bytes().all(is_plain) && loopback(authority).is_some()
}

fn loopback(authority: &str) -> Option<SocketAddr> {
    let address: SocketAddr = authority.parse().ok()?;
    let is_loopback = address.ip() == Ipv4Addr::LOCALHOST || address.ip() == Ipv6Addr::LOCALHOST;
    // The text must be the address as it is written, so that no browser reads it as another.
    (is_loopback && address.port() != 0 && address.to_string() == authority).then_some(address)
}

/// `http://127.0.0.1:port` of a checked redirect address, as a content security policy names it.
pub(crate) fn origin(redirect_uri: &str) -> &str {
    let path = redirect_uri
        .match_indices('/')
        .nth(2)
        .map_or(redirect_uri.len(), |(at, _)| at);
    let origin = redirect_uri.get(..path).unwrap_or_default();
    // A policy has no way to write an IPv6 address.
    if origin.contains('[') {
        "http:"
    } else {
        origin
    }
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn is_challenge(text: &str) -> bool {
    text.len() == CHALLENGE_SIZE && text.bytes().all(is_base64url)
}

/// Whether a verifier is what a challenge was made of (RFC 7636 section 4.6).
pub(crate) fn verifies(challenge: &str, verifier: &str) -> bool {
    let is_unreserved = |byte| is_base64url(byte) || matches!(byte, b'.' | b'~');
    VERIFIER_SIZE.contains(&verifier.len())
        && verifier.bytes().all(is_unreserved)
        && Base64UrlUnpadded::encode_string(digest(&SHA256, verifier.as_bytes()).as_ref())
            == challenge
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    const ISSUER: &str = "https://localhost:1";

    /// A good request with one parameter replaced.
    fn with(name: &str, value: &str) -> Form {
        let mut fields = vec![
            ("client_id", "c"),
            ("redirect_uri", "http://127.0.0.1:9/back"),
            ("response_type", "code"),
            ("scope", "openid email"),
            ("state", "s&1"),
            ("nonce", "n"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        fields.retain(|(known, _)| *known != name);
        fields.push((name, value));
        Form::parse(encode_form(&fields).as_bytes()).unwrap()
    }

    fn refusal(name: &str, value: &str) -> Refusal {
        check(&with(name, value), "c", ISSUER).unwrap_err()
    }

    #[test]
    fn takes_a_native_clients_request() {
        let taken = check(&with("login_hint", "ada"), "c", ISSUER).unwrap();
        assert_eq!(taken.redirect_uri, "http://127.0.0.1:9/back");
        assert_eq!(taken.state.as_deref(), Some("s&1"));
        assert_eq!(taken.nonce.as_deref(), Some("n"));
        assert_eq!(taken.challenge, CHALLENGE);
        assert_eq!(taken.login_hint, "ada");
        let bare = check(&with("nonce", ""), "c", ISSUER).unwrap();
        assert_eq!(bare.nonce, None);
    }

    #[test]
    fn an_unknown_client_or_address_is_never_redirected_to() {
        assert!(matches!(refusal("client_id", "C"), Refusal::Page(_)));
        assert!(matches!(refusal("client_id", ""), Refusal::Page(_)));
        for uri in [
            "",
            "http://127.0.0.1:9",
            "http://127.0.0.1/back",
            "http://127.0.0.1:0/back",
            "http://127.0.0.1:09/back",
            "http://127.0.0.2:9/back",
            "http://localhost:9/back",
            "http://[::2]:9/",
            "http://[0:0:0:0:0:0:0:1]:9/",
            "https://127.0.0.1:9/back",
            "http://127.0.0.1:9@evil.example/",
            "http://evil.example:9/127.0.0.1",
            "http://127.0.0.1:9/back#fragment",
            "http://127.0.0.1:9/ba ck",
            "http://127.0.0.1:9/\"",
            "HTTP://127.0.0.1:9/",
        ] {
            let refused = refusal("redirect_uri", uri);
            assert!(matches!(refused, Refusal::Page(_)), "{uri}");
        }
        let long = format!("http://127.0.0.1:9/{}", "a".repeat(VALUE_SIZE_MAX));
        assert!(matches!(refusal("redirect_uri", &long), Refusal::Page(_)));
        assert!(check(&with("redirect_uri", "http://[::1]:9/"), "c", ISSUER).is_ok());
    }

    #[test]
    fn other_faults_are_told_to_the_client_with_its_state() {
        let long = "n".repeat(VALUE_SIZE_MAX + 1);
        for (name, value, error) in [
            ("request", "x", "request_not_supported"),
            ("request_uri", "x", "request_uri_not_supported"),
            ("response_type", "token", "unsupported_response_type"),
            ("response_type", "", "unsupported_response_type"),
            ("response_mode", "fragment", "invalid_request"),
            ("scope", "email", "invalid_scope"),
            ("code_challenge", "", "invalid_request"),
            ("code_challenge", "short", "invalid_request"),
            ("code_challenge_method", "", "invalid_request"),
            ("code_challenge_method", "plain", "invalid_request"),
            ("prompt", "none", "login_required"),
            ("prompt", "none login", "invalid_request"),
            ("nonce", long.as_str(), "invalid_request"),
        ] {
            let Refusal::Redirect(to) = refusal(name, value) else {
                panic!("{name}={value}: not told to the client");
            };
            let start = format!("http://127.0.0.1:9/back?error={error}&");
            assert!(to.starts_with(&start), "{to}");
            assert!(to.contains("&state=s%261&iss=https%3A%2F%2F"), "{to}");
        }
    }

    #[test]
    fn an_answer_keeps_the_query_of_the_address() {
        let to = answer("http://127.0.0.1:9/?a=b", None, ISSUER, &[("code", "x")]);
        assert_eq!(
            to,
            "http://127.0.0.1:9/?a=b&code=x&iss=https%3A%2F%2Flocalhost%3A1"
        );
    }

    #[test]
    fn a_policy_names_the_origin_of_the_client() {
        assert_eq!(origin("http://127.0.0.1:9/back?x"), "http://127.0.0.1:9");
        assert_eq!(origin("http://[::1]:9/"), "http:");
    }

    #[test]
    fn a_verifier_is_the_preimage_of_its_challenge() {
        // RFC 7636 appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert!(verifies(CHALLENGE, verifier));
        assert!(!verifies(CHALLENGE, &verifier.to_lowercase()));
        assert!(!verifies(CHALLENGE, ""));
        for bad in [
            "a".repeat(42),
            "a".repeat(129),
            "é".repeat(22),
            " ".repeat(43),
        ] {
            let of = digest(&SHA256, bad.as_bytes());
            let challenge = Base64UrlUnpadded::encode_string(of.as_ref());
            assert!(!verifies(&challenge, &bad), "{bad}");
        }
    }
}
