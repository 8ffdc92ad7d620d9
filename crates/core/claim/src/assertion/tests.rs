//! A good assertion, and every way in which it can be a bad one.

use std::format;
use std::string::String;
use std::vec::Vec;

use chancery_json::Object;
use ring::hmac;

use super::*;
use crate::jwk::Algorithm;
use crate::sample::{ALGORITHMS, encode, jwk, jwk_text, token};

const NOW_S: u64 = 1_800_000_000;
const CLIENT: &str = "4f1c";
const ENDPOINT: &str = "https://scim.example/t/demo/oauth2/token";
const HEADER: &str = r#"{"alg":"EdDSA","typ":"JWT"}"#;

fn claims() -> Object {
    Object::new()
        .with("iss", CLIENT)
        .with("sub", CLIENT)
        .with("aud", ENDPOINT)
        .with("exp", NOW_S + 60)
        .with("iat", NOW_S - 5)
        .with("jti", "one")
}

fn text(claims: &Object) -> String {
    String::from_utf8(claims.to_bytes()).unwrap()
}

fn keys() -> Vec<Jwk> {
    ALGORITHMS[1..]
        .iter()
        .map(|algorithm| jwk(*algorithm))
        .collect()
}

fn verify_with(token: impl AsRef<[u8]>, keys: &[Jwk]) -> Result<ClientAssertion, Error> {
    let expected = ExpectedAssertion {
        client_id: CLIENT,
        audience: ENDPOINT,
        keys,
        now_ms: NOW_S * 1000 + 999,
        issued_after_ms: (NOW_S - 101) * 1000,
    };
    ClientAssertion::verify(token.as_ref(), &expected)
}

fn verify(token: impl AsRef<[u8]>) -> Result<ClientAssertion, Error> {
    verify_with(token, &keys())
}

fn verify_claims(claims: &Object) -> Result<ClientAssertion, Error> {
    verify(token(Algorithm::EdDsa, HEADER, &text(claims)))
}

fn verify_header(header: &str) -> Result<ClientAssertion, Error> {
    verify(token(Algorithm::EdDsa, header, &text(&claims())))
}

fn changed(name: &str, value: impl Into<Value>) -> Result<ClientAssertion, Error> {
    verify_claims(&claims().with(name, value))
}

fn list(audiences: &[&str]) -> Value {
    Value::Array(audiences.iter().map(|text| Value::from(*text)).collect())
}

#[test]
fn accepts_a_good_assertion_of_each_algorithm() {
    for algorithm in ALGORITHMS {
        let header = format!(r#"{{"alg":"{}"}}"#, algorithm.name());
        let good = verify(token(algorithm, &header, &text(&claims()))).unwrap();
        assert_eq!(good.id(), "one");
        assert_eq!(good.expires_ms(), (NOW_S + 60) * 1000);
    }
}

#[test]
fn refuses_no_signature_at_all() {
    for name in ["none", "None", "NONE", ""] {
        let header = encode(format!(r#"{{"alg":"{name}"}}"#).as_bytes());
        let payload = encode(text(&claims()).as_bytes());
        let bare = format!("{header}.{payload}.");
        assert_eq!(verify(bare), Err(Error::TokenForm));
        let signed = format!("{header}.{payload}.AA");
        assert_eq!(verify(signed), Err(Error::AlgorithmRefused));
    }
}

#[test]
fn refuses_hmac_with_the_public_key_as_secret() {
    let key = jwk(Algorithm::Rs256);
    for secret in [key.canonical(), jwk_text(Algorithm::Rs256, "")] {
        let header = encode(br#"{"alg":"HS256","typ":"JWT"}"#);
        let signed = format!("{header}.{}", encode(text(&claims()).as_bytes()));
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let tag = encode(hmac::sign(&secret, signed.as_bytes()).as_ref());
        let forged = format!("{signed}.{tag}");
        assert_eq!(verify(forged), Err(Error::AlgorithmRefused));
    }
}

#[test]
fn refuses_an_algorithm_that_is_not_the_keys() {
    for algorithm in ALGORITHMS {
        for named in ALGORITHMS.iter().filter(|named| **named != algorithm) {
            let header = format!(r#"{{"alg":"{}"}}"#, named.name());
            let signed = token(algorithm, &header, &text(&claims()));
            let only = [jwk(algorithm)];
            assert!(matches!(
                verify_with(signed, &only),
                Err(Error::UnknownKey | Error::TokenSignature)
            ));
        }
    }
    // One RSA key fits both; the one that names its algorithm is used with no other.
    let pinned = [Jwk::parse(jwk_text(Algorithm::Rs256, r#""alg":"RS256","#).as_bytes()).unwrap()];
    let signed = token(Algorithm::Ps256, r#"{"alg":"PS256"}"#, &text(&claims()));
    assert_eq!(verify_with(signed, &pinned), Err(Error::UnknownKey));
}

#[test]
fn refuses_a_key_id_that_no_registered_key_has() {
    let named = [Jwk::parse(jwk_text(Algorithm::EdDsa, r#""kid":"a","#).as_bytes()).unwrap()];
    let with = |header: &str| {
        verify_with(
            token(Algorithm::EdDsa, header, &text(&claims())),
            named.as_slice(),
        )
    };
    assert!(with(r#"{"alg":"EdDSA","kid":"a"}"#).is_ok());
    assert!(with(r#"{"alg":"EdDSA"}"#).is_ok());
    assert_eq!(with(r#"{"alg":"EdDSA","kid":"b"}"#), Err(Error::UnknownKey));
}

#[test]
fn refuses_headers_that_ask_for_more_or_are_of_another_type() {
    for (header, error) in [
        (r#"{"alg":"EdDSA","crit":["exp"]}"#, Error::CriticalHeader),
        (r#"{"alg":"EdDSA","crit":[]}"#, Error::CriticalHeader),
        (r#"{"alg":"EdDSA","typ":"at+jwt"}"#, Error::TokenType),
        (r#"{"alg":"EdDSA","typ":"secevent+jwt"}"#, Error::TokenType),
    ] {
        assert_eq!(verify_header(header), Err(error), "{header}");
    }
    assert!(verify_header(r#"{"alg":"EdDSA","typ":"client-authentication+jwt"}"#).is_ok());
    // What would choose a key is ignored.
    let own = jwk_text(Algorithm::EdDsa, "");
    let signed = token(
        Algorithm::EdDsa,
        &format!(r#"{{"alg":"EdDSA","jwk":{own},"jku":"https://a.example/k"}}"#),
        &text(&claims()),
    );
    let others = [jwk(Algorithm::Es256)];
    assert_eq!(verify_with(signed, &others), Err(Error::UnknownKey));
}

#[test]
fn refuses_every_changed_part_and_every_cut() {
    let good = token(Algorithm::EdDsa, HEADER, &text(&claims()));
    assert!(verify(&good).is_ok());
    for place in 0..good.len() {
        assert!(verify(good.get(..place).unwrap()).is_err());
        let mut spoilt = good.clone().into_bytes();
        spoilt[place] = if spoilt[place] == b'A' { b'B' } else { b'A' };
        assert!(verify(spoilt).is_err(), "{place}");
    }
    assert_eq!(
        verify("a".repeat(TOKEN_SIZE_MAX + 1)),
        Err(Error::TokenTooLarge)
    );
}

#[test]
fn refuses_another_issuer_subject_or_audience() {
    assert_eq!(changed("iss", "4f1d"), Err(Error::OtherIssuer));
    assert_eq!(changed("sub", "4f1d"), Err(Error::OtherSubject));
    for audience in [
        Value::from("https://scim.example/t/demo"),
        "https://scim.example/t/demo/oauth2/token/".into(),
        "https://SCIM.example/t/demo/oauth2/token".into(),
        "http://scim.example/t/demo/oauth2/token".into(),
        "https://scim.example/t/other/oauth2/token".into(),
        "".into(),
        Value::Null,
        list(&[]),
        list(&["https://scim.example/t/demo"]),
        // Whoever else it is for could present it here.
        list(&[ENDPOINT, "https://elsewhere.example"]),
        list(&[ENDPOINT, ENDPOINT]),
        Value::Array(Vec::from([list(&[ENDPOINT])])),
    ] {
        assert_eq!(
            changed("aud", audience.clone()),
            Err(Error::OtherAudience),
            "{audience:?}"
        );
    }
    assert!(changed("aud", list(&[ENDPOINT])).is_ok());
}

#[test]
fn refuses_what_has_expired_or_lives_too_long() {
    let expired = |expires_s| Err(Error::Expired { expires_s });
    assert_eq!(changed("exp", NOW_S), expired(NOW_S));
    assert_eq!(changed("exp", NOW_S - 60), expired(NOW_S - 60));
    assert!(changed("exp", NOW_S + 1).is_ok());
    assert!(changed("exp", NOW_S + 3610).is_ok());
    assert_eq!(changed("exp", NOW_S + 3611), Err(Error::LivesTooLong));
    assert_eq!(changed("exp", u64::MAX), Err(Error::LivesTooLong));
}

#[test]
fn refuses_what_was_issued_in_the_future_or_before_replays_are_known() {
    assert!(changed("iat", NOW_S + 10).is_ok());
    assert_eq!(changed("iat", NOW_S + 11), Err(Error::IssuedInFuture));
    assert!(changed("iat", NOW_S - 100).is_ok());
    assert_eq!(changed("iat", NOW_S - 101), Err(Error::IssuedTooEarly));
    assert!(changed("nbf", NOW_S + 10).is_ok());
    assert_eq!(changed("nbf", NOW_S + 11), Err(Error::NotYetValid));
}

#[test]
fn refuses_what_lacks_a_claim_or_has_it_in_another_form() {
    for name in ["iss", "sub", "aud", "exp", "iat", "jti"] {
        let mut claims = claims();
        claims.remove(name);
        assert!(
            matches!(verify_claims(&claims), Err(Error::Json(_))),
            "{name}"
        );
        if name != "aud" {
            let other = claims.with(name, Value::Bool(true));
            assert!(
                matches!(verify_claims(&other), Err(Error::Json(_))),
                "{name}"
            );
        }
    }
    assert!(matches!(changed("exp", "1800000060"), Err(Error::Json(_))));
    let long = "j".repeat(129);
    let malformed = Err(Error::ClaimForm { claim: "jti" });
    assert_eq!(changed("jti", long.as_str()), malformed);
    assert_eq!(changed("jti", ""), malformed);
    assert!(changed("jti", long.get(..128).unwrap()).is_ok());
    // Two answers to one question are none.
    let twice = text(&claims()).replacen('{', r#"{"jti":"two","#, 1);
    let signed = token(Algorithm::EdDsa, HEADER, &twice);
    assert!(matches!(verify(signed), Err(Error::Json(_))));
}

#[test]
fn names_the_client_that_it_claims_to_be_of() {
    let good = token(Algorithm::EdDsa, HEADER, &text(&claims()));
    let named = ClientAssertion::unverified_client(good.as_bytes());
    assert_eq!(named.as_deref(), Some(CLIENT));
    for bad in ["", "a.b", "..", &"a".repeat(TOKEN_SIZE_MAX + 1)] {
        assert_eq!(ClientAssertion::unverified_client(bad.as_bytes()), None);
    }
}

#[test]
fn a_key_with_its_names_is_read_as_the_same_key() {
    for algorithm in ALGORITHMS {
        let plain = jwk(algorithm);
        assert_eq!(plain.named(), plain.canonical().into_bytes());
        let names = format!(r#""alg":"{}","kid":"a \"b\" é","#, algorithm.name());
        let named = Jwk::parse(jwk_text(algorithm, &names).as_bytes()).unwrap();
        let again = Jwk::parse(&named.named()).unwrap();
        assert_eq!(again, named);
        assert_eq!(again.key_id(), Some("a \"b\" é"));
    }
}
