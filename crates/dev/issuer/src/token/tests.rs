//! Each spoiled token is wrong in exactly one way.

use super::*;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

const NOW_S: u64 = 1_700_000_000;

struct World {
    random: SystemRandom,
    keys: Keyring,
    account: Account,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let random = SystemRandom::new();
        let folder = tempfile::tempdir().unwrap();
        Self {
            keys: Keyring::open(folder.path().join("keys.json"), &random).unwrap(),
            random,
            account: Account {
                user_name: "ada".into(),
                password: "p".into(),
                sub: "00u1ada".into(),
                email: "ada@demo.example".into(),
                oid: "o1".into(),
            },
            _folder: folder,
        }
    }

    /// Header, claims, whether the active key verifies it, and the signature.
    fn token(&self, spoil: Option<Spoil>) -> (Object, Object, bool, Vec<u8>) {
        let statement = Statement {
            issuer: "https://localhost:1",
            client_id: "c",
            tenant: "t",
            account: &self.account,
            nonce: Some("n"),
            login_s: NOW_S - 5,
            now_s: NOW_S,
        };
        let text = statement.sign(&self.keys, &self.random, spoil).unwrap();
        let (signed, signature) = text.rsplit_once('.').unwrap();
        let signature = Base64UrlUnpadded::decode_vec(signature).unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        let object = |part| {
            let bytes = Base64UrlUnpadded::decode_vec(part).unwrap();
            let value = Value::parse(&bytes, &chancery_json::Limits::DOCUMENT).unwrap();
            value.as_object().unwrap().clone()
        };
        let point = self.keys.active().unwrap().point();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        let is_valid = key.verify(signed.as_bytes(), &signature).is_ok();
        (object(header), object(claims), is_valid, signature)
    }
}

#[test]
fn a_good_token_says_what_it_should_and_verifies() {
    let world = World::new();
    let (header, claims, is_valid, _) = world.token(None);
    assert!(is_valid);
    let kid = world.keys.active().unwrap().kid().to_owned();
    let expected = format!(r#"{{"alg":"ES256","kid":"{kid}","typ":"JWT"}}"#);
    assert_eq!(String::from_utf8(header.to_bytes()).unwrap(), expected);
    assert_eq!(
        String::from_utf8(claims.to_bytes()).unwrap(),
        concat!(
            r#"{"iss":"https://localhost:1","sub":"00u1ada","aud":"c","exp":1700000600,"#,
            r#""iat":1700000000,"auth_time":1699999995,"nonce":"n","email":"ada@demo.example","#,
            r#""email_verified":true,"preferred_username":"ada","oid":"o1","tid":"t"}"#
        )
    );
}

#[test]
fn spoiled_claims_differ_in_the_named_claims_and_are_signed_well() {
    let world = World::new();
    let good = world.token(None).1;
    let differing = |how| {
        let (_, claims, is_valid, _) = world.token(Some(how));
        assert!(is_valid, "{how:?}");
        let mut names: Vec<String> = good
            .iter()
            .filter(|(name, value)| claims.get(name) != Some(value))
            .map(|(name, _)| name.to_owned())
            .collect();
        let added = claims.iter().filter(|(name, _)| good.get(name).is_none());
        names.extend(added.map(|(name, _)| name.to_owned()));
        names
    };
    assert_eq!(differing(Spoil::Issuer), ["iss"]);
    assert_eq!(differing(Spoil::Audience), ["aud"]);
    assert_eq!(differing(Spoil::AuthorizedParty), ["aud", "azp"]);
    assert_eq!(differing(Spoil::Nonce), ["nonce"]);
    assert_eq!(differing(Spoil::NoNonce), ["nonce"]);
    assert_eq!(differing(Spoil::Expired), ["exp", "iat", "auth_time"]);
    assert_eq!(differing(Spoil::Future), ["exp", "iat"]);
    assert_eq!(differing(Spoil::NoSubject), ["sub", "oid"]);
    let expired = world.token(Some(Spoil::Expired)).1;
    let ended_s = expired.get("exp").and_then(Value::as_u64).unwrap();
    assert_eq!(ended_s, NOW_S - EXPIRED_S);
}

#[test]
fn spoiled_signatures_do_not_verify_and_say_so_only_where_named() {
    let world = World::new();
    let (good_header, good_claims, _, _) = world.token(None);
    let alg = |header: &Object| {
        header
            .get("alg")
            .and_then(Value::as_str)
            .unwrap()
            .to_owned()
    };
    let kid = |header: &Object| {
        header
            .get("kid")
            .and_then(Value::as_str)
            .unwrap()
            .to_owned()
    };
    for (how, algorithm, same_kid, size) in [
        (Spoil::AlgorithmNone, "none", true, 0),
        (Spoil::AlgorithmHs256, "HS256", true, 32),
        (Spoil::Signature, "ES256", true, 64),
        (Spoil::UnpublishedKey, "ES256", false, 64),
        (Spoil::SwappedKey, "ES256", true, 64),
    ] {
        let (header, claims, is_valid, signature) = world.token(Some(how));
        assert!(!is_valid, "{how:?}");
        assert_eq!(claims, good_claims, "{how:?}");
        assert_eq!(alg(&header), algorithm, "{how:?}");
        assert_eq!(kid(&header) == kid(&good_header), same_kid, "{how:?}");
        assert_eq!(signature.len(), size, "{how:?}");
    }
}

#[test]
fn every_way_has_a_word_and_only_so_many_tokens_are_spoiled() {
    for (how, word) in Spoil::ALL {
        assert_eq!(Spoil::parse(word), Some(how));
    }
    assert_eq!(Spoil::parse("other"), None);
    let mut spoiling = Spoiling::new(Spoil::Nonce, 2);
    let ways: Vec<_> = (0..3).map(|_| spoiling.next()).collect();
    assert_eq!(ways, [Some(Spoil::Nonce), Some(Spoil::Nonce), None]);
    assert_eq!(Spoiling::default().next(), None);
}
