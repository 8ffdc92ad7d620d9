//! A good token, and every way in which it can be a bad one.

use std::format;
use std::string::{String, ToString as _};
use std::vec::Vec;

use chancery_json::Object;
use chancery_keyset::Fingerprint;
use ring::hmac;

use super::*;
use crate::sample::{ALGORITHMS, Noise, decode, encode, jwk, jwk_text, token};
use crate::statement::{ClaimBinding, ClaimId};

const NOW_S: u64 = 1_800_000_000;
const ISSUER: &str = "https://id.example/realm";
const CLIENT: &str = "chancery";
const HEADER: &str = r#"{"alg":"EdDSA","typ":"JWT"}"#;

fn nonce_of(tenant: u8) -> ClaimNonce {
    let binding = ClaimBinding {
        challenge: b"single-use",
        claim: ClaimId::from_bytes([1; 16]),
        deployment: [1; 32],
        tenant: [tenant; 16],
        genesis: [3; 32],
        account: Fingerprint::from_bytes([4; 32]),
        device: Fingerprint::from_bytes([5; 32]),
    };
    binding.nonce().unwrap()
}

fn claims() -> Object {
    Object::new()
        .with("iss", ISSUER)
        .with("sub", "00u1ada")
        .with("aud", CLIENT)
        .with("exp", NOW_S + 300)
        .with("iat", NOW_S - 5)
        .with("nonce", nonce_of(2).to_text())
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

fn verify_with(token: impl AsRef<[u8]>, keys: &[Jwk]) -> Result<IdToken, Error> {
    let expected = Expected {
        issuer: ISSUER,
        client_id: CLIENT,
        nonce: &nonce_of(2),
        keys,
        now_ms: NOW_S * 1000 + 999,
    };
    IdToken::verify(token.as_ref(), &expected)
}

fn verify(token: impl AsRef<[u8]>) -> Result<IdToken, Error> {
    verify_with(token, &keys())
}

fn verify_claims(claims: &Object) -> Result<IdToken, Error> {
    verify(token(Algorithm::EdDsa, HEADER, &text(claims)))
}

fn verify_header(header: &str) -> Result<IdToken, Error> {
    verify(token(Algorithm::EdDsa, header, &text(&claims())))
}

fn changed(name: &str, value: impl Into<Value>) -> Result<IdToken, Error> {
    verify_claims(&claims().with(name, value))
}

fn without(name: &str) -> Result<IdToken, Error> {
    let mut claims = claims();
    claims.remove(name);
    verify_claims(&claims)
}

fn list(audiences: &[&str]) -> Value {
    Value::Array(audiences.iter().map(|text| Value::from(*text)).collect())
}

#[test]
fn accepts_a_good_token_of_each_algorithm_and_names_its_key() {
    for algorithm in ALGORITHMS {
        let header = format!(r#"{{"alg":"{}"}}"#, algorithm.name());
        let good = verify(token(algorithm, &header, &text(&claims()))).unwrap();
        assert_eq!(good.sub(), "00u1ada");
        assert_eq!(good.issued_at_s(), NOW_S - 5);
        assert_eq!(*good.key(), jwk(algorithm).thumbprint());
    }
}

#[test]
fn refuses_no_signature_at_all() {
    for name in ["none", "None", "NONE", ""] {
        let header = encode(format!(r#"{{"alg":"{name}"}}"#).as_bytes());
        let payload = encode(text(&claims()).as_bytes());
        assert_eq!(
            verify(format!("{header}.{payload}.")),
            Err(Error::TokenForm)
        );
        assert_eq!(
            verify(format!("{header}.{payload}.AA")),
            Err(Error::AlgorithmRefused)
        );
    }
}

#[test]
fn refuses_hmac_with_the_public_key_as_secret() {
    let key = jwk(Algorithm::Rs256);
    for secret in [key.canonical().into_bytes(), decode(crate::sample::RSA_N)] {
        for (name, algorithm) in [
            ("HS256", hmac::HMAC_SHA256),
            ("HS384", hmac::HMAC_SHA384),
            ("HS512", hmac::HMAC_SHA512),
        ] {
            let header = encode(format!(r#"{{"alg":"{name}"}}"#).as_bytes());
            let signed = format!("{header}.{}", encode(text(&claims()).as_bytes()));
            let tag = hmac::sign(&hmac::Key::new(algorithm, &secret), signed.as_bytes());
            let forged = format!("{signed}.{}", encode(tag.as_ref()));
            assert_eq!(verify(&forged), Err(Error::AlgorithmRefused), "{name}");
        }
    }
}

#[test]
fn refuses_a_signature_of_a_key_that_is_not_trusted() {
    let good = token(Algorithm::EdDsa, HEADER, &text(&claims()));
    let other = chancery_dsse::SigningKey::from_seed([9; 32]);
    let x = encode(&other.public_key().to_bytes());
    let other = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#);
    let other = Jwk::parse(other.as_bytes()).unwrap();
    assert_eq!(
        verify_with(&good, core::slice::from_ref(&other)),
        Err(Error::TokenSignature)
    );
    assert_eq!(verify_with(&good, &[]), Err(Error::UnknownKey));
    assert_eq!(
        verify_with(&good, &[jwk(Algorithm::Rs256)]),
        Err(Error::UnknownKey)
    );
    // With the right key beside it, in either order.
    let right = jwk(Algorithm::EdDsa);
    assert!(verify_with(&good, &[other.clone(), right.clone()]).is_ok());
    assert!(verify_with(&good, &[right, other]).is_ok());
}

#[test]
fn refuses_an_algorithm_that_does_not_fit_the_key() {
    let payload = text(&claims());
    for (signing, claimed) in [("RS256", "PS256"), ("PS256", "RS256")] {
        let signing = Algorithm::parse(signing).unwrap();
        let crossed = token(signing, &format!(r#"{{"alg":"{claimed}"}}"#), &payload);
        assert_eq!(verify(&crossed), Err(Error::TokenSignature), "{claimed}");
    }
    let only_ps256 = jwk_text(Algorithm::Ps256, r#""alg":"PS256","#);
    let only_ps256 = Jwk::parse(only_ps256.as_bytes()).unwrap();
    let by_rs256 = token(Algorithm::Rs256, r#"{"alg":"RS256"}"#, &payload);
    assert_eq!(
        verify_with(&by_rs256, &[only_ps256]),
        Err(Error::UnknownKey)
    );
}

#[test]
fn a_key_id_chooses_among_named_keys_and_leaves_others_possible() {
    let named = Jwk::parse(jwk_text(Algorithm::EdDsa, r#""kid":"a","#).as_bytes()).unwrap();
    let payload = text(&claims());
    let with = |header: &str, key: &Jwk| {
        verify_with(
            token(Algorithm::EdDsa, header, &payload),
            core::slice::from_ref(key),
        )
    };
    assert!(with(r#"{"alg":"EdDSA","kid":"a"}"#, &named).is_ok());
    assert!(with(r#"{"alg":"EdDSA"}"#, &named).is_ok());
    assert!(with(r#"{"alg":"EdDSA","kid":"b"}"#, &jwk(Algorithm::EdDsa)).is_ok());
    assert_eq!(
        with(r#"{"alg":"EdDSA","kid":"b"}"#, &named),
        Err(Error::UnknownKey)
    );
    assert_eq!(
        with(r#"{"alg":"EdDSA","kid":""}"#, &named),
        Err(Error::UnknownKey)
    );
}

#[test]
fn refuses_headers_that_ask_for_more() {
    assert_eq!(
        verify_header(r#"{"alg":"EdDSA","crit":["b64"],"b64":false}"#),
        Err(Error::CriticalHeader)
    );
    assert_eq!(
        verify_header(r#"{"alg":"EdDSA","crit":[]}"#),
        Err(Error::CriticalHeader)
    );
    for kind in ["at+jwt", "jwt", "JWS", "logout+jwt", ""] {
        let header = format!(r#"{{"alg":"EdDSA","typ":"{kind}"}}"#);
        assert_eq!(verify_header(&header), Err(Error::TokenType), "{kind}");
    }
    for header in [
        "{}",
        "[]",
        r#"{"alg":["EdDSA"]}"#,
        r#"{"alg":"EdDSA","alg":"EdDSA"}"#,
        r#"{"alg":"EdDSA","kid":1}"#,
        r#"{"alg":"EdDSA","typ":null}"#,
        r#"{"alg":"EdDSA"} x"#,
    ] {
        assert!(
            matches!(verify_header(header), Err(Error::Json(_))),
            "{header}"
        );
    }
}

/// A key in the header would let anybody sign: such members are ignored like any unknown one.
#[test]
fn a_key_in_the_header_is_never_used() {
    let own = jwk_text(Algorithm::EdDsa, "");
    let header = format!(r#"{{"alg":"EdDSA","jwk":{own},"jku":"https://x.example","x5t":"a"}}"#);
    assert!(verify_header(&header).is_ok());
    let signed = token(Algorithm::EdDsa, &header, &text(&claims()));
    let others = [jwk(Algorithm::Rs256)];
    assert_eq!(verify_with(&signed, &others), Err(Error::UnknownKey));
}

#[test]
fn refuses_another_issuer_by_one_byte() {
    for other in [
        "https://id.example/realm/",
        "https://id.example",
        "HTTPS://id.example/realm",
        "",
    ] {
        assert_eq!(changed("iss", other), Err(Error::OtherIssuer), "{other}");
    }
    assert!(matches!(without("iss"), Err(Error::Json(_))));
}

#[test]
fn refuses_a_token_for_another_client() {
    for other in ["other", "chancery2", "Chancery", ""] {
        assert_eq!(changed("aud", other), Err(Error::OtherAudience), "{other}");
        assert_eq!(changed("aud", list(&[other])), Err(Error::OtherAudience));
    }
    assert_eq!(changed("aud", list(&[])), Err(Error::OtherAudience));
    assert_eq!(changed("aud", Value::Null), Err(Error::OtherAudience));
    let mixed = Value::Array([Value::from(CLIENT), Value::from(1_u64)].into());
    assert_eq!(changed("aud", mixed), Err(Error::OtherAudience));
    assert!(matches!(without("aud"), Err(Error::Json(_))));
    assert!(changed("aud", list(&[CLIENT])).is_ok());
}

#[test]
fn several_audiences_need_us_as_the_authorized_party() {
    let both = claims().with("aud", list(&["other", CLIENT]));
    assert_eq!(verify_claims(&both), Err(Error::OtherAuthorizedParty));
    assert_eq!(
        verify_claims(&both.clone().with("azp", "other")),
        Err(Error::OtherAuthorizedParty)
    );
    assert!(verify_claims(&both.with("azp", CLIENT)).is_ok());
    // Where one is named it must be us, also beside a single audience.
    assert!(changed("azp", CLIENT).is_ok());
    assert_eq!(changed("azp", "other"), Err(Error::OtherAuthorizedParty));
    assert_eq!(
        changed("azp", Value::Null),
        Err(Error::OtherAuthorizedParty)
    );
}

#[test]
fn audiences_are_bounded() {
    let of = |count| {
        let claims = claims().with("aud", list(&std::vec![CLIENT; count]));
        verify_claims(&claims.with("azp", CLIENT))
    };
    assert!(of(AUDIENCES_MAX).is_ok());
    assert_eq!(of(AUDIENCES_MAX + 1), Err(Error::OtherAudience));
}

#[test]
fn times_are_kept_to_the_second_with_a_minute_of_skew() {
    assert!(changed("exp", NOW_S - 59).is_ok());
    let expires_s = NOW_S - 60;
    assert_eq!(changed("exp", expires_s), Err(Error::Expired { expires_s }));
    assert_eq!(changed("exp", 0_u64), Err(Error::Expired { expires_s: 0 }));
    assert!(changed("exp", u64::MAX).is_ok());
    assert!(changed("iat", NOW_S + 60).is_ok());
    assert_eq!(changed("iat", NOW_S + 61), Err(Error::IssuedInFuture));
    assert!(changed("nbf", NOW_S + 60).is_ok());
    assert_eq!(changed("nbf", NOW_S + 61), Err(Error::NotYetValid));
    for name in ["exp", "iat"] {
        assert!(matches!(without(name), Err(Error::Json(_))), "{name}");
    }
    for name in ["exp", "iat", "nbf"] {
        for value in [Value::Null, Value::from("1800000000"), Value::from(true)] {
            assert!(
                matches!(changed(name, value), Err(Error::Json(_))),
                "{name}"
            );
        }
        let number = text(&claims().with(name, 7_u64)).replace(":7", ":1800000000.5");
        let fraction = verify(token(Algorithm::EdDsa, HEADER, &number));
        assert!(matches!(fraction, Err(Error::Json(_))), "{name}");
    }
}

#[test]
fn refuses_the_nonce_of_another_claim_tenant_or_person() {
    let right = nonce_of(2).to_text();
    assert_eq!(
        changed("nonce", nonce_of(3).to_text()),
        Err(Error::OtherNonce)
    );
    for wrong in [
        String::new(),
        right.chars().skip(1).collect(),
        format!("{right}="),
        right.to_lowercase(),
    ] {
        assert_eq!(
            changed("nonce", wrong.as_str()),
            Err(Error::OtherNonce),
            "{wrong}"
        );
    }
    assert!(matches!(without("nonce"), Err(Error::Json(_))));
}

#[test]
fn a_subject_is_there_and_is_text() {
    let form = Err(Error::ClaimForm { claim: "sub" });
    assert_eq!(changed("sub", ""), form);
    assert_eq!(changed("sub", "a\u{0}b"), form);
    assert_eq!(changed("sub", "a\n"), form);
    assert_eq!(changed("sub", "s".repeat(256)), form);
    assert!(changed("sub", "s".repeat(255)).is_ok());
    assert!(changed("sub", "s").is_ok());
    assert!(matches!(without("sub"), Err(Error::Json(_))));
    assert!(matches!(changed("sub", 7_u64), Err(Error::Json(_))));
}

#[test]
fn maps_to_sub_or_to_oid_beside_tid() {
    let token = verify_claims(&claims().with("tid", "t1").with("oid", "o1")).unwrap();
    assert_eq!(token.subject(SubjectClaim::Sub), Ok("00u1ada"));
    assert_eq!(token.subject(SubjectClaim::TenantAndObject), Ok("o1"));
    assert_eq!(token.tid(), Some("t1"));
    for (missing, claims) in [
        ("tid", claims().with("oid", "o1")),
        ("oid", claims().with("tid", "t1")),
        ("tid", claims().with("oid", "o1").with("tid", "")),
        ("oid", claims().with("tid", "t1").with("oid", 1_u64)),
    ] {
        let token = verify_claims(&claims).unwrap();
        assert_eq!(
            token.subject(SubjectClaim::TenantAndObject),
            Err(Error::ClaimForm { claim: missing })
        );
        assert!(token.subject(SubjectClaim::Sub).is_ok());
    }
}

#[test]
fn maps_to_an_address_only_if_the_issuer_verified_it() {
    let email = |claims: &Object| {
        let token = verify_claims(claims).unwrap();
        token
            .subject(SubjectClaim::DangerousEmail)
            .map(String::from)
    };
    let with = claims().with("email", "ada@demo.example");
    assert_eq!(
        email(&with.clone().with("email_verified", true)),
        Ok("ada@demo.example".to_string())
    );
    assert_eq!(email(&with), Err(Error::EmailUnverified));
    for value in [
        Value::from(false),
        Value::from("true"),
        Value::from(1_u64),
        Value::Null,
    ] {
        let unverified = with.clone().with("email_verified", value);
        assert_eq!(email(&unverified), Err(Error::EmailUnverified));
    }
    let form = Err(Error::ClaimForm { claim: "email" });
    assert_eq!(email(&claims().with("email_verified", true)), form);
    for wrong in ["", "a\u{7f}@demo.example"] {
        let claims = claims().with("email", wrong).with("email_verified", true);
        assert_eq!(email(&claims), form);
    }
}

#[test]
fn refuses_a_payload_that_is_not_one_object() {
    for payload in ["", "null", "[]", "{", "{} {}", r#"{"iss":"a","iss":"b"}"#] {
        let result = verify(token(Algorithm::EdDsa, HEADER, payload));
        let is_refused = matches!(result, Err(Error::Json(_) | Error::TokenForm));
        assert!(is_refused, "{payload:?}");
    }
    let twice = text(&claims()).replacen('{', r#"{"sub":"eve","#, 1);
    let twice = verify(token(Algorithm::EdDsa, HEADER, &twice));
    assert!(matches!(twice, Err(Error::Json(_))));
}

#[test]
fn refuses_forms_that_are_not_three_parts() {
    let good = token(Algorithm::EdDsa, HEADER, &text(&claims()));
    let parts: Vec<&str> = good.split('.').collect();
    for wrong in [
        String::new(),
        "..".into(),
        parts[1..].join("."),
        parts[..2].join("."),
        format!("{good}."),
        format!("{good}.AA"),
        format!(".{good}"),
        format!("{good}="),
        format!("{good}\n"),
        format!(" {good}"),
        format!("{}..{}", parts[0], parts[2]),
        format!("{good}é"),
    ] {
        assert_eq!(verify(&wrong), Err(Error::TokenForm), "{wrong}");
    }
    assert_eq!(verify([0xff, b'.', b'.']), Err(Error::TokenForm));
}

#[test]
fn tokens_are_bounded() {
    let padded = |length: usize| {
        let claims = text(&claims());
        let payload = format!("{}{}", claims, " ".repeat(length));
        token(Algorithm::EdDsa, HEADER, &payload)
    };
    let fixed = padded(0).len();
    let spaces = (TOKEN_SIZE_MAX - fixed) / 4 * 3;
    let longest = padded(spaces);
    assert!(longest.len() <= TOKEN_SIZE_MAX && longest.len() > TOKEN_SIZE_MAX - 8);
    assert!(verify(&longest).is_ok());
    assert_eq!(verify(padded(spaces + 12)), Err(Error::TokenTooLarge));
    let exact = "a".repeat(TOKEN_SIZE_MAX);
    assert_eq!(verify(&exact), Err(Error::TokenForm));
    assert_eq!(verify(format!("{exact}a")), Err(Error::TokenTooLarge));
}

#[test]
fn every_cut_of_a_good_token_is_refused() {
    for algorithm in ALGORITHMS {
        let header = format!(r#"{{"alg":"{}"}}"#, algorithm.name());
        let good = token(algorithm, &header, &text(&claims()));
        let bytes = good.as_bytes();
        for length in 0..bytes.len() {
            assert!(verify(&bytes[..length]).is_err(), "{length}");
            assert!(verify(&bytes[length + 1..]).is_err(), "{length}");
        }
        assert!(verify(bytes).is_ok());
    }
}

#[test]
fn every_flipped_bit_of_a_good_token_is_refused() {
    for algorithm in ALGORITHMS {
        let header = format!(r#"{{"alg":"{}"}}"#, algorithm.name());
        let good = token(algorithm, &header, &text(&claims()));
        let keys = keys();
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bytes = good.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let result = verify_with(&bytes, &keys);
                assert!(result.is_err(), "{} byte {at} bit {bit}", algorithm.name());
            }
        }
    }
}

#[test]
fn noise_is_refused_and_never_panics() {
    let mut noise = Noise(0xc1a1);
    let good = token(Algorithm::EdDsa, HEADER, &text(&claims()));
    for _ in 0..5000 {
        let length = noise.below(64);
        let bytes: Vec<u8> = (0..length).map(|_| noise.next().to_le_bytes()[0]).collect();
        assert!(verify(&bytes).is_err());
        let part = encode(&bytes);
        assert!(verify(format!("{part}.{part}.{part}")).is_err());
        let mut spliced = good.clone();
        spliced.insert_str(noise.below(good.len()), &part);
        assert!(part.is_empty() || verify(&spliced).is_err());
    }
}
