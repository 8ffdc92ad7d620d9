use super::*;
use chancery_claim::{ClaimBinding, ClaimId};
use chancery_keyset::Fingerprint;
use chancery_sealing::EntropyError;

const ISSUER: &str = "https://id.example";
const REDIRECT: &str = "http://127.0.0.1:4/signed-in";

struct Counting(u8);

impl Entropy for Counting {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        self.0 += 1;
        out.fill(self.0);
        Ok(())
    }
}

struct Failing;

impl Entropy for Failing {
    fn fill(&mut self, _out: &mut [u8]) -> Result<(), EntropyError> {
        Err(EntropyError)
    }
}

fn nonce() -> ClaimNonce {
    let binding = ClaimBinding {
        challenge: b"c",
        claim: ClaimId::from_bytes([1; 16]),
        deployment: [1; 32],
        tenant: [2; 16],
        genesis: [3; 32],
        account: Fingerprint::from_bytes([4; 32]),
        device: Fingerprint::from_bytes([5; 32]),
    };
    binding.nonce().unwrap()
}

fn client() -> Client<'static> {
    Client {
        issuer: ISSUER,
        client_id: "chancery claim",
        mapping: IdMapping::SubToExternalId,
    }
}

fn attempt_at(endpoint: &str) -> SignInAttempt {
    let endpoint = HttpsUrl::parse(endpoint).unwrap();
    SignInAttempt::new(&client(), &endpoint, &nonce(), REDIRECT, &mut Counting(0)).unwrap()
}

fn signed_in() -> SignInAttempt {
    attempt_at("https://id.example/authorize")
}

#[test]
fn asks_for_a_code_with_nonce_state_and_the_hash_of_the_verifier() {
    let attempt = signed_in();
    let state = Base64UrlUnpadded::encode_string(&[1; 32]);
    // Made with Python: base64url(sha256(base64url(bytes([2] * 32)))), without padding.
    let challenge = "bB1ju9q0N8VDaMu9iIaohqea2XcpfiZe6_H19fAVM7k";
    assert_eq!(
        attempt.url,
        format!(
            "https://id.example/authorize?response_type=code&client_id=chancery%20claim\
             &redirect_uri=http%3A%2F%2F127.0.0.1%3A4%2Fsigned-in&scope=openid&state={state}\
             &nonce={}&code_challenge={challenge}&code_challenge_method=S256",
            nonce().to_text()
        )
    );
    let with_query = attempt_at("https://id.example/authorize?tenant=1");
    assert!(with_query.url.contains("?tenant=1&response_type=code&"));
    let request = attempt.token_request(&client(), "a/b");
    assert!(request.starts_with("grant_type=authorization_code&code=a%2Fb&redirect_uri=http%3A"));
    assert!(request.ends_with(&format!(
        "&code_verifier={}",
        Base64UrlUnpadded::encode_string(&[2; 32])
    )));
}

#[test]
fn asks_for_the_scope_that_the_mapping_needs() {
    assert_eq!(scope(IdMapping::SubToExternalId), "openid");
    assert_eq!(scope(IdMapping::OidToExternalId), "openid profile");
    assert_eq!(scope(IdMapping::DangerousEmailToUserName), "openid email");
}

#[test]
fn makes_no_sign_in_without_randomness() {
    let endpoint = HttpsUrl::parse("https://id.example/authorize").unwrap();
    let made = SignInAttempt::new(&client(), &endpoint, &nonce(), REDIRECT, &mut Failing);
    assert!(matches!(made, Err(MemberError::Keyset(_))));
}

#[test]
fn takes_the_code_of_its_own_sign_in() {
    let attempt = signed_in();
    let state = &attempt.state;
    for (rest, code) in [
        (format!("code=abc&state={state}"), "abc"),
        (format!("state={state}&code=a%2Fb+c&x=y"), "a/b c"),
        (
            format!("code=a&state={state}&iss=https%3A%2F%2Fid.example"),
            "a",
        ),
    ] {
        let redirect = format!("{REDIRECT}?{rest}");
        assert_eq!(attempt.code(&redirect, ISSUER).unwrap(), code);
    }
}

#[test]
fn refuses_a_redirect_of_another_sign_in() {
    let attempt = signed_in();
    let state = attempt.state.clone();
    let other = Base64UrlUnpadded::encode_string(&[9; 32]);
    let foreign = |redirect: String| match attempt.code(&redirect, ISSUER) {
        Err(MemberError::RedirectForeign { what }) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(foreign(format!("{REDIRECT}?code=a&state={other}")), "state");
    assert_eq!(foreign(format!("{REDIRECT}?code=a")), "state");
    assert_eq!(foreign(format!("{REDIRECT}?code=a&state=")), "state");
    assert_eq!(
        foreign(format!("{REDIRECT}?code=a&state={state}&state={state}")),
        "repeated parameter"
    );
    assert_eq!(
        foreign(format!("{REDIRECT}?code=a&code=b&state={state}")),
        "repeated parameter"
    );
    assert_eq!(
        foreign(format!(
            "{REDIRECT}?code=a&state={state}&iss=https://other.example"
        )),
        "iss"
    );
    assert_eq!(foreign(format!("{REDIRECT}?state={state}")), "code");
    assert_eq!(foreign(format!("{REDIRECT}?state={state}&code=")), "code");
    let long = "a".repeat(CODE_LENGTH_MAX + 1);
    assert_eq!(
        foreign(format!("{REDIRECT}?state={state}&code={long}")),
        "code"
    );
    assert_eq!(
        foreign(format!("{REDIRECT}?code=%zz&state={state}")),
        "query"
    );
    assert_eq!(
        foreign(format!("{REDIRECT}?code=%ff&state={state}")),
        "query"
    );
    assert_eq!(
        foreign(format!("http://127.0.0.1:5/signed-in?code=a&state={state}")),
        "address"
    );
    assert_eq!(
        foreign(format!("{REDIRECT}2?code=a&state={state}")),
        "address"
    );
}

#[test]
fn tells_what_the_provider_refused_only_for_its_own_sign_in() {
    let attempt = signed_in();
    let refused = format!("{REDIRECT}?error=access_denied&state={}", attempt.state);
    assert!(matches!(
        attempt.code(&refused, ISSUER),
        Err(MemberError::SignInRefused { code }) if code == "access_denied"
    ));
    let injected = format!("{REDIRECT}?error=access_denied&state=x");
    assert!(matches!(
        attempt.code(&injected, ISSUER),
        Err(MemberError::RedirectForeign { what: "state" })
    ));
}

fn answer(claims: &str) -> Vec<u8> {
    let token = format!(
        "e30.{}.c2ln",
        Base64UrlUnpadded::encode_string(claims.as_bytes())
    );
    format!(r#"{{"access_token":"x","id_token":"{token}"}}"#).into_bytes()
}

fn good_claims() -> String {
    format!(
        r#"{{"iss":"{ISSUER}","aud":"chancery claim","sub":"ada","nonce":"{}"}}"#,
        nonce().to_text()
    )
}

#[test]
fn takes_an_id_token_for_this_client_and_nonce() {
    let token = id_token(&answer(&good_claims()), &client(), &nonce()).unwrap();
    assert!(token.starts_with("e30."));
    let several = good_claims().replace("\"chancery claim\"", "[\"x\",\"chancery claim\"]");
    assert!(id_token(&answer(&several), &client(), &nonce()).is_ok());
}

#[test]
fn refuses_an_id_token_for_another_nonce_issuer_or_client() {
    for (from, to, wanted) in [
        (nonce().to_text(), "AAAA".to_owned(), "nonce"),
        ("\"nonce\"".to_owned(), "\"n\"".to_owned(), "nonce"),
        (ISSUER.to_owned(), "https://other.example".to_owned(), "iss"),
        (
            "\"chancery claim\"".to_owned(),
            "\"other\"".to_owned(),
            "aud",
        ),
        (
            "\"chancery claim\"".to_owned(),
            "[\"other\"]".to_owned(),
            "aud",
        ),
        ("\"aud\"".to_owned(), "\"a\"".to_owned(), "aud"),
    ] {
        let claims = good_claims().replace(&from, &to);
        let refused = id_token(&answer(&claims), &client(), &nonce());
        assert!(
            matches!(refused, Err(MemberError::TokenForeign { what }) if what == wanted),
            "{claims}"
        );
    }
}

#[test]
fn refuses_an_answer_without_a_readable_id_token() {
    let large = format!(r#"{{"id_token":"{}"}}"#, "a".repeat(TOKEN_SIZE_MAX + 1));
    for answer in [
        "",
        "[]",
        "{}",
        r#"{"id_token":1}"#,
        r#"{"id_token":"a.b"}"#,
        r#"{"id_token":"a.b.c.d"}"#,
        r#"{"id_token":"e30.!!.c2ln"}"#,
        r#"{"id_token":"e30.W10.c2ln"}"#,
        &large,
    ] {
        let refused = id_token(answer.as_bytes(), &client(), &nonce());
        assert!(
            matches!(refused, Err(MemberError::Provider { .. })),
            "{answer}"
        );
    }
}

#[test]
fn reads_the_code_of_an_error() {
    assert_eq!(
        error_code(br#"{"error":"invalid_grant","error_description":"x"}"#).as_deref(),
        Some("invalid_grant")
    );
    assert_eq!(error_code(b"<html>"), None);
}
