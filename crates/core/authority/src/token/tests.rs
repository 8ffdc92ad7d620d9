use super::*;
use alloc::format;
use alloc::string::ToString as _;

use crate::sample::Counting;
use crate::scope::Scope;

fn token() -> Token {
    Token::generate(&mut Counting(0)).unwrap()
}

/// The token whose secret is the bytes 1 to 32, as it stands in the specification.
const TEXT: &str = "chy_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyCSc6EN";

#[test]
fn has_the_form_that_is_written_in_the_specification() {
    let text = token().expose();
    assert_eq!(text.len(), TOKEN_LENGTH);
    assert_eq!(text.as_str(), TEXT);
    let parsed = Token::parse(&text).unwrap();
    assert_eq!(parsed.0.as_slice(), token().0.as_slice());
}

#[test]
fn refuses_every_other_text() {
    for length in 0..TOKEN_LENGTH {
        assert_eq!(
            Token::parse(TEXT.get(..length).unwrap()).unwrap_err(),
            Error::TokenForm
        );
    }
    for bad in [
        format!("{TEXT}A"),
        format!(" {TEXT}"),
        TEXT.to_lowercase(),
        TEXT.replace("chy_", "chx_"),
        TEXT.replace('A', "+"),
        TEXT.replace('A', "="),
        TEXT.replace('A', "é"),
    ] {
        assert_eq!(Token::parse(&bad).unwrap_err(), Error::TokenForm, "{bad}");
    }
}

#[test]
fn refuses_every_changed_character_by_the_checksum() {
    for position in 4..TOKEN_LENGTH {
        let mut bytes = TEXT.as_bytes().to_vec();
        bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert_eq!(
            Token::parse(&changed).unwrap_err(),
            Error::TokenForm,
            "{position}"
        );
    }
}

#[test]
fn digest_depends_on_key_and_token() {
    let (one, two) = (Key::from_bytes([1; 32]), Key::from_bytes([2; 32]));
    let digest = token().digest(&one);
    assert!(digest.is_same(&Token::parse(TEXT).unwrap().digest(&one)));
    assert!(!digest.is_same(&token().digest(&two)));
    let other = Token::generate(&mut Counting(1)).unwrap();
    assert!(!digest.is_same(&other.digest(&one)));
    let secret: alloc::vec::Vec<u8> = (1..=32).collect();
    assert_eq!(
        digest.as_bytes(),
        &one.tag("chancery/token/digest/v1", &secret)
    );
}

#[test]
fn draws_fresh_bytes() {
    let mut entropy = Counting(0);
    let first = Token::generate(&mut entropy).unwrap().expose();
    let second = Token::generate(&mut entropy).unwrap().expose();
    assert_ne!(first.as_str(), second.as_str());
    let id = TokenId::generate(&mut entropy).unwrap();
    assert_ne!(id, TokenId::generate(&mut entropy).unwrap());
    assert_eq!(TokenId::parse(&id.to_string()), Some(id));
    assert_eq!(TokenId::parse(&id.to_string().to_uppercase()), None);
    assert_eq!(TokenId::parse("00"), None);
}

#[test]
fn prints_neither_secret_nor_digest() {
    let digest = token().digest(&Key::from_bytes([1; 32]));
    let printed = format!("{:?} {digest:?}", token());
    assert_eq!(printed, "Token(redacted) TokenDigest(redacted)");
}

#[test]
fn a_record_allows_its_scopes_until_its_end() {
    let record = TokenRecord {
        id: TokenId::from_bytes([1; 16]),
        digest: token().digest(&Key::from_bytes([1; 32])),
        scopes: ScopeSet::from_iter([Scope::UsersRead]),
        issued_ms: 0,
        not_after_ms: 1_000,
        delegation: [0; 32],
    };
    assert!(record.allows(999, Scope::UsersRead));
    assert!(!record.allows(1_000, Scope::UsersRead));
    assert!(!record.allows(0, Scope::UsersCreate));
}
