//! Vectors of RFC 7515, RFC 7638 and RFC 8037, and each refusal.
#![expect(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

use std::format;
use std::string::{String, ToString as _};
use std::vec::Vec;

use super::*;
use crate::sample::{
    ALGORITHMS, EC_X, EC_Y, ED_X, Noise, RSA_N, decode, encode, jwk, jwk_text, signature,
};

/// RFC 7515 appendix A.2 and A.3: `BASE64URL(header) || '.' || BASE64URL(payload)` after the header.
const RFC_7515_PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt\
    cGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

fn parse(text: &str) -> Result<Jwk, Error> {
    Jwk::parse(text.as_bytes())
}

fn set(keys: &[&str]) -> Result<JwkSet, Error> {
    JwkSet::parse(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes())
}

fn form(member: &'static str) -> Result<Jwk, Error> {
    Err(Error::KeyForm { member })
}

#[test]
fn verifies_the_rs256_example_of_rfc_7515() {
    let message = format!("eyJhbGciOiJSUzI1NiJ9.{RFC_7515_PAYLOAD}");
    let signature = decode(
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W\
         2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSj\
         tQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh\
         6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
    );
    let key = jwk(Algorithm::Rs256);
    assert!(key.verifies(Algorithm::Rs256, message.as_bytes(), &signature));
    assert!(!key.verifies(Algorithm::Ps256, message.as_bytes(), &signature));
}

#[test]
fn verifies_the_es256_example_of_rfc_7515() {
    let message = format!("eyJhbGciOiJFUzI1NiJ9.{RFC_7515_PAYLOAD}");
    let signature = decode(
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    );
    let key = jwk(Algorithm::Es256);
    assert!(key.verifies(Algorithm::Es256, message.as_bytes(), &signature));
}

#[test]
fn verifies_the_eddsa_example_of_rfc_8037() {
    let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature = decode(
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    );
    let key = jwk(Algorithm::EdDsa);
    assert!(key.verifies(Algorithm::EdDsa, message, &signature));
    assert!(!key.verifies(Algorithm::EdDsa, message, &signature[..63]));
}

/// Signed by the `cryptography` package for Python with the same key: MGF1 with SHA-256, a salt of 32 bytes.
#[test]
fn verifies_a_ps256_signature_of_another_implementation() {
    let signature = decode(
        "ecVurq-91VtcyODHh-00cRY7XPJYk1ZVCoAOqv4AuCyFXEEGKvc-RXjfBQ65e5dYpMND97HqBR0-vGx73k8Gtz\
         3mSjmiUYib9k9t6rkudEi_fVbZ2sRqkB4rpJY7kEWzHbgQlOg0wc-jteOW8dYaWz7DpKZckPmVAvC7kymjw_Ay\
         r3r5fC34nnvLxc4XGIi3GpZ2IMQIBoXk38HKleB7OVSX_uzFdViX4JyYTvgshxTAa6lBEW-GnqCjYQEcevuAV9\
         uaKNCUWwCWU59lUImOV9_PFYWhmFCbz7onUUmhQjj1_hoy5jAZr6aadxYDOXuOoW3w1_MInRbkT1ysjOQFlA",
    );
    let key = jwk(Algorithm::Ps256);
    assert!(key.verifies(Algorithm::Ps256, b"message", &signature));
    assert!(!key.verifies(Algorithm::Rs256, b"message", &signature));
}

#[test]
fn thumbprints_are_those_of_the_rfcs() {
    // RFC 7638 section 3.1.
    let example = parse(
        r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#,
    )
    .unwrap();
    let shown = |key: &Jwk| encode(key.thumbprint().as_bytes());
    assert_eq!(
        shown(&example),
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    );
    assert_eq!(example.key_id(), Some("2011-04-29"));
    assert_eq!(example.algorithm(), Some(Algorithm::Rs256));
    // RFC 8037 appendix A.3.
    assert_eq!(
        shown(&jwk(Algorithm::EdDsa)),
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    );
    // Computed with Python's hashlib over the members in lexicographic order.
    assert_eq!(
        shown(&jwk(Algorithm::Es256)),
        "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"
    );
    let thumbprint = example.thumbprint();
    assert_eq!(Thumbprint::from_bytes(*thumbprint.as_bytes()), thumbprint);
    assert_eq!(thumbprint.to_string().len(), 64);
    assert_eq!(format!("{example:?}"), format!("Jwk({thumbprint})"));
    assert_eq!(
        format!("{thumbprint:?}"),
        format!("Thumbprint({thumbprint})")
    );
}

#[test]
fn a_canonical_key_is_read_back_as_the_same_key() {
    for algorithm in ALGORITHMS {
        let named = parse(&jwk_text(algorithm, r#""kid":"a","#)).unwrap();
        let again = parse(&named.canonical()).unwrap();
        assert_eq!(again, jwk(algorithm));
        assert_eq!(again.thumbprint(), named.thumbprint());
        assert_eq!(again.key_id(), None);
        assert_eq!(again.canonical(), named.canonical());
    }
}

#[test]
fn a_key_verifies_only_what_its_owner_signed_by_an_algorithm_that_fits() {
    for signing in ALGORITHMS {
        let signature = signature(signing, b"message");
        for algorithm in ALGORITHMS {
            for owner in ALGORITHMS {
                let is_owner = jwk(owner) == jwk(signing);
                let verifies = jwk(owner).verifies(algorithm, b"message", &signature);
                assert_eq!(verifies, is_owner && algorithm == signing);
            }
        }
        assert!(!jwk(signing).verifies(signing, b"massage", &signature));
        assert!(!jwk(signing).verifies(signing, b"message", &signature[1..]));
        assert!(!jwk(signing).verifies(signing, b"message", b""));
    }
}

#[test]
fn a_named_algorithm_is_the_only_one() {
    let key = parse(&jwk_text(Algorithm::Rs256, r#""alg":"PS256","#)).unwrap();
    assert!(key.fits(Algorithm::Ps256));
    assert!(!key.fits(Algorithm::Rs256));
    let by_rs256 = signature(Algorithm::Rs256, b"message");
    assert!(!key.verifies(Algorithm::Rs256, b"message", &by_rs256));
    let open = jwk(Algorithm::Rs256);
    assert!(open.fits(Algorithm::Ps256) && open.fits(Algorithm::Rs256));
    assert!(!open.fits(Algorithm::Es256) && !open.fits(Algorithm::EdDsa));
}

#[test]
fn algorithms_are_named_letter_by_letter() {
    for algorithm in ALGORITHMS {
        assert_eq!(Algorithm::parse(algorithm.name()), Some(algorithm));
    }
    for name in [
        "none", "None", "HS256", "rs256", "RS384", "RS512", "ES384", "ES256K", "EdDSA ", "",
    ] {
        assert_eq!(Algorithm::parse(name), None, "{name}");
    }
}

#[test]
fn a_private_member_refuses_key_and_set() {
    for member in PRIVATE_MEMBERS {
        for algorithm in ALGORITHMS {
            let text = jwk_text(algorithm, &format!(r#""{member}":"AA","#));
            assert_eq!(parse(&text), Err(Error::PrivateMember), "{member}");
            let good = jwk_text(algorithm, "");
            assert_eq!(set(&[&good, &text]), Err(Error::PrivateMember), "{member}");
        }
    }
    // Also where the key would otherwise be skipped.
    for text in [
        r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T"}"#,
        r#"{"kty":"RSA","use":"enc","d":"AA"}"#,
    ] {
        assert_eq!(set(&[text]), Err(Error::PrivateMember));
    }
}

#[test]
fn keys_that_cannot_be_used_are_skipped_and_counted() {
    let good = jwk_text(Algorithm::EdDsa, "");
    let use_enc = jwk_text(Algorithm::Rs256, r#""use":"enc","#);
    let to_wrap = jwk_text(Algorithm::Rs256, r#""key_ops":["wrapKey"],"#);
    let rs512 = jwk_text(Algorithm::Rs256, r#""alg":"RS512","#);
    let crossed = jwk_text(Algorithm::Rs256, r#""alg":"ES256","#);
    let unusable = [
        use_enc.as_str(),
        &to_wrap,
        &rs512,
        &crossed,
        r#"{"kty":"AKP","pub":"AA"}"#,
        r#"{"kty":"EC","crv":"P-384","x":"AA","y":"AA"}"#,
        r#"{"kty":"OKP","crv":"X25519","x":"AA"}"#,
    ];
    for text in unusable {
        assert_eq!(parse(text), Err(Error::KeyUnsupported), "{text}");
        let set = set(&[text, &good]).unwrap();
        assert_eq!(set.skipped(), 1);
        assert_eq!(set.keys(), [jwk(Algorithm::EdDsa)]);
    }
    let all = set(&unusable).unwrap();
    assert_eq!((all.keys().len(), all.skipped()), (0, unusable.len()));
}

#[test]
fn keys_for_signatures_may_say_so_and_more() {
    for more in [
        r#""use":"sig","#,
        r#""key_ops":["sign","verify"],"#,
        r#""use":"sig","key_ops":["verify"],"alg":"RS256","kid":"","x5t":"a","x5c":["b"],"issuer":"c","#,
    ] {
        let key = parse(&jwk_text(Algorithm::Rs256, more)).unwrap();
        assert_eq!(key.thumbprint(), jwk(Algorithm::Rs256).thumbprint());
    }
}

#[test]
fn members_of_another_type_are_refused() {
    for more in [
        r#""use":1,"#,
        r#""use":null,"#,
        r#""alg":["RS256"],"#,
        r#""kid":7,"#,
        r#""key_ops":"verify","#,
        r#""key_ops":[1],"#,
    ] {
        let text = jwk_text(Algorithm::Rs256, more);
        assert!(matches!(parse(&text), Err(Error::Json(_))), "{more}");
    }
    for text in [
        "{}",
        "[]",
        r#"{"kty":"RSA","e":"AQAB"}"#,
        r#"{"kty":"EC","x":"AA","y":"AA"}"#,
        r#"{"kty":"OKP","crv":"Ed25519"}"#,
        r#"{"kty":"RSA","kty":"RSA"}"#,
    ] {
        assert!(matches!(parse(text), Err(Error::Json(_))), "{text}");
    }
    assert!(matches!(JwkSet::parse(b"{}"), Err(Error::Json(_))));
    assert!(matches!(
        JwkSet::parse(br#"{"keys":{}}"#),
        Err(Error::Json(_))
    ));
    assert!(JwkSet::parse(br#"{"keys":[],"more":1}"#).is_ok());
}

/// An RSA key whose modulus has this many bits; nobody knows its factors.
fn rsa_of(bits: usize) -> String {
    let length = bits.div_ceil(8);
    let mut modulus = std::vec![0xff_u8; length];
    modulus[0] = 0xff_u8 >> (length * 8 - bits);
    format!(r#"{{"kty":"RSA","e":"AQAB","n":"{}"}}"#, encode(&modulus))
}

#[test]
fn rsa_keys_are_used_from_2048_to_8192_bits() {
    for bits in [2048, 2049, 3072, 4096, 8192] {
        assert!(parse(&rsa_of(bits)).is_ok(), "{bits}");
    }
    for bits in [8, 1024, 2047, 8193, 16_384] {
        assert_eq!(parse(&rsa_of(bits)), Err(Error::KeyUnsupported), "{bits}");
    }
}

#[test]
fn rsa_exponents_are_odd_and_of_the_usual_sizes() {
    let with = |exponent: &[u8]| {
        let exponent = encode(exponent);
        parse(&format!(
            r#"{{"kty":"RSA","n":"{RSA_N}","e":"{exponent}"}}"#
        ))
    };
    for good in [&[1, 0, 1][..], &[1, 0, 3], &[1, 0xff, 0xff, 0xff, 0xff]] {
        assert!(with(good).is_ok(), "{good:?}");
    }
    for unusual in [
        &[1][..],
        &[3],
        &[0xff, 0xff],
        &[2, 0, 0, 0, 1],
        &[1, 0, 0, 0, 0, 0, 1],
        &[1, 0, 0, 0, 0, 0, 1, 0, 1],
        &[0xff; 9],
    ] {
        assert_eq!(with(unusual), Err(Error::KeyUnsupported), "{unusual:?}");
    }
    for malformed in [&[][..], &[0], &[0, 1, 0, 1], &[2], &[1, 0, 0]] {
        assert_eq!(with(malformed), form("e"), "{malformed:?}");
    }
}

#[test]
fn numbers_and_coordinates_have_one_encoding() {
    let mut modulus = decode(RSA_N);
    let with_n = |n: &str| parse(&format!(r#"{{"kty":"RSA","e":"AQAB","n":"{n}"}}"#));
    assert_eq!(with_n(&format!("{RSA_N}==")), form("n"));
    assert_eq!(with_n(&RSA_N.replace('_', "/")), form("n"));
    assert_eq!(with_n(&format!(" {RSA_N}")), form("n"));
    assert_eq!(with_n(""), form("n"));
    // The last digit carries bits that belong to no byte.
    assert_eq!(with_n(&RSA_N.replacen("XpoQ", "XpoR", 1)), form("n"));
    modulus.insert(0, 0);
    assert_eq!(with_n(&encode(&modulus)), form("n"));
    modulus.remove(0);
    *modulus.last_mut().unwrap() ^= 1;
    assert_eq!(with_n(&encode(&modulus)), form("n"));

    let short = encode(&decode(EC_X)[1..]);
    let long = encode(&[&[0], decode(EC_X).as_slice()].concat());
    for wrong in [short.as_str(), &long, "", "+"] {
        let x = format!(r#"{{"kty":"EC","crv":"P-256","x":"{wrong}","y":"{EC_Y}"}}"#);
        assert_eq!(parse(&x), form("x"), "{wrong}");
        let y = format!(r#"{{"kty":"EC","crv":"P-256","x":"{EC_X}","y":"{wrong}"}}"#);
        assert_eq!(parse(&y), form("y"), "{wrong}");
        let okp = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{wrong}"}}"#);
        assert_eq!(parse(&okp), form("x"), "{wrong}");
    }
}

#[test]
fn weak_points_are_refused_or_verify_nothing() {
    // The neutral element, a point of order 8, and a value that is no point's encoding.
    for bytes in [
        [&[1][..], &[0; 31]].concat(),
        [0; 32].to_vec(),
        [0xff; 32].to_vec(),
    ] {
        let text = format!(
            r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#,
            encode(&bytes)
        );
        assert_eq!(parse(&text), form("x"));
    }
    let off_curve = format!(r#"{{"kty":"EC","crv":"P-256","x":"{EC_X}","y":"{EC_X}"}}"#);
    let key = parse(&off_curve).unwrap();
    let signature = signature(Algorithm::Es256, b"message");
    assert!(!key.verifies(Algorithm::Es256, b"message", &signature));
}

#[test]
fn one_key_or_one_key_id_twice_refuses_the_set() {
    let named = |algorithm, kid: &str| jwk_text(algorithm, &format!(r#""kid":"{kid}","#));
    let (rsa, ed) = (named(Algorithm::Rs256, "a"), named(Algorithm::EdDsa, "b"));
    assert_eq!(set(&[&rsa, &ed]).unwrap().keys().len(), 2);
    assert_eq!(
        set(&[&rsa, &named(Algorithm::EdDsa, "a")]),
        Err(Error::DuplicateKey)
    );
    assert_eq!(
        set(&[&rsa, &named(Algorithm::Rs256, "c")]),
        Err(Error::DuplicateKey)
    );
    // Keys without a name are told apart by themselves.
    let (rsa, ed) = (
        jwk_text(Algorithm::Rs256, ""),
        jwk_text(Algorithm::EdDsa, ""),
    );
    assert!(set(&[&rsa, &ed]).is_ok());
    assert_eq!(set(&[&rsa, &rsa]), Err(Error::DuplicateKey));
    // What is skipped is not compared: an issuer may name a pair for two uses alike.
    let encryption = jwk_text(Algorithm::Rs256, r#""use":"enc","#);
    assert_eq!(set(&[&rsa, &encryption]).unwrap().skipped(), 1);
}

#[test]
fn sets_are_bounded() {
    let other = r#"{"kty":"AKP"}"#;
    assert_eq!(set(&[other; KEYS_MAX]).unwrap().skipped(), KEYS_MAX);
    assert_eq!(set(&[other; KEYS_MAX + 1]), Err(Error::TooManyKeys));
    let mut text = String::from(r#"{"keys":[]}"#);
    text.extend(core::iter::repeat_n(' ', JWK_SET_SIZE_MAX - text.len()));
    assert!(JwkSet::parse(text.as_bytes()).is_ok());
    text.push(' ');
    assert!(matches!(
        JwkSet::parse(text.as_bytes()),
        Err(Error::Json(_))
    ));
    let kid = |length| format!(r#""kid":"{}","#, "k".repeat(length));
    assert!(parse(&jwk_text(Algorithm::EdDsa, &kid(KEY_ID_LENGTH_MAX))).is_ok());
    assert_eq!(
        parse(&jwk_text(Algorithm::EdDsa, &kid(KEY_ID_LENGTH_MAX + 1))),
        form("kid")
    );
}

#[test]
fn a_set_finds_its_keys_by_their_thumbprints() {
    let texts = [
        jwk_text(Algorithm::Rs256, ""),
        jwk_text(Algorithm::Es256, ""),
    ];
    let set = set(&[&texts[0], &texts[1]]).unwrap();
    let wanted = jwk(Algorithm::Es256);
    assert_eq!(set.find(&wanted.thumbprint()), Some(&wanted));
    assert_eq!(set.find(&jwk(Algorithm::EdDsa).thumbprint()), None);
}

#[test]
fn damaged_keys_never_panic() {
    let mut noise = Noise(0x5eed);
    for algorithm in ALGORITHMS {
        let text = format!(
            r#"{{"keys":[{}]}}"#,
            jwk_text(algorithm, r#""kid":"a","use":"sig","#)
        );
        for length in 0..text.len() {
            assert!(JwkSet::parse(&text.as_bytes()[..length]).is_err());
        }
        for _ in 0..2000 {
            let mut bytes: Vec<u8> = text.clone().into_bytes();
            let at = noise.below(bytes.len());
            bytes[at] = noise.next().to_le_bytes()[0];
            let _either = JwkSet::parse(&bytes).is_ok();
        }
    }
    // The Ed25519 key of the sample is really the one that was damaged above.
    assert!(jwk(Algorithm::EdDsa).canonical().contains(ED_X));
}
