//! What the endpoints refuse that no well-behaved client sends, and what happens when there is no place.

use super::*;
use crate::token::Spoil;
use hyper::header::{HeaderValue, LOCATION};

const REDIRECT: &str = "http://127.0.0.1:9/";

fn provider() -> Provider {
    let random = SystemRandom::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("accounts.json");
    let accounts = Accounts::read(&path, Vec::new(), Some("open".to_owned())).unwrap();
    let keys = Keyring::open(folder.path().join("keys.json"), &random).unwrap();
    Provider {
        issuer: "https://localhost:1".to_owned(),
        client_id: "c".to_owned(),
        tenant: "t".to_owned(),
        clock: Arc::new(|| 1_700_000_000),
        random,
        accounts,
        keys: Mutex::new(keys),
        grants: Mutex::new(Grants::new()),
        spoiling: Mutex::new(Spoiling::new(Spoil::Nonce, 0)),
    }
}

fn asked() -> Form {
    let challenge = "x".repeat(43);
    let fields = [
        ("client_id", "c"),
        ("redirect_uri", REDIRECT),
        ("response_type", "code"),
        ("scope", "openid"),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
    ];
    Form::parse(crate::form::encode_form(&fields).as_bytes()).unwrap()
}

fn location(response: &Answered) -> &str {
    response.headers()[LOCATION].to_str().unwrap()
}

#[test]
fn a_client_that_brings_credentials_is_refused() {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_static("Basic Yzo="));
    let refused = provider().exchange(Some(Form::default()), &headers);
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert!(refused.headers().contains_key(WWW_AUTHENTICATE));
}

#[test]
fn what_is_no_form_is_refused_everywhere() {
    let (provider, none) = (provider(), HeaderMap::new());
    for refused in [
        provider.authorize(None, &none),
        provider.login(None, &none),
        provider.exchange(None, &none),
    ] {
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    }
}

#[test]
fn a_browser_keeps_its_cookie_and_a_strange_one_is_not_taken_over() {
    let provider = provider();
    let set = |value: &str| {
        let mut headers = HeaderMap::new();
        let value = format!("a=b; {COOKIE_NAME}={value}");
        headers.insert(COOKIE, HeaderValue::try_from(value).unwrap());
        let response = provider.authorize(Some(asked()), &headers);
        assert_eq!(response.status(), StatusCode::OK);
        response.headers()[SET_COOKIE].to_str().unwrap().to_owned()
    };
    let own = "k".repeat(COOKIE_SIZE);
    assert!(set(&own).contains(&own));
    assert!(!set("short").contains("=short;"));
}

#[test]
fn when_there_is_no_place_the_client_is_told() {
    let (provider, none) = (provider(), HeaderMap::new());
    let mut last = provider.authorize(Some(asked()), &none);
    let mut pages = 0;
    while last.status() == StatusCode::OK {
        pages += 1;
        last = provider.authorize(Some(asked()), &none);
    }
    assert_eq!(pages, 1024);
    let expected = format!("{REDIRECT}?error=temporarily_unavailable&iss=");
    assert!(
        location(&last).starts_with(&expected),
        "{}",
        location(&last)
    );
}
