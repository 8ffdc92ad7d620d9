use super::*;
use alloc::format;
use alloc::vec;

use chancery_json::ErrorKind;

const TYPE: &str = "application/example+json";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed([seed; 32])
}

fn envelope(seeds: &[u8]) -> Envelope {
    let keys: Vec<SigningKey> = seeds.iter().map(|seed| key(*seed)).collect();
    Envelope::sign(TYPE, b"{\"a\":1}", &keys.iter().collect::<Vec<_>>()).unwrap()
}

fn publics(seeds: &[u8]) -> Vec<PublicKey> {
    seeds.iter().map(|seed| key(*seed).public_key()).collect()
}

fn text(seeds: &[u8]) -> String {
    String::from_utf8(envelope(seeds).to_json()).unwrap()
}

fn refusal(text: &str) -> Error {
    Envelope::parse(text.as_bytes()).unwrap_err()
}

fn json_refusal(text: &str) -> (ErrorKind, String) {
    let Error::Json(error) = refusal(text) else {
        panic!("not a JSON refusal");
    };
    (error.kind(), error.pointer().to_string())
}

#[test]
fn encodes_as_the_example_of_the_specification() {
    // DSSE v1, protocol.md, "Test vectors".
    assert_eq!(
        pre_authentication_encoding("http://example.com/HelloWorld", b"hello world"),
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    );
    assert_eq!(pre_authentication_encoding("", b""), b"DSSEv1 0  0 ");
}

#[test]
fn verifies_what_it_signed_after_a_round_trip() {
    let parsed = Envelope::parse(&envelope(&[1, 2]).to_json()).unwrap();
    assert_eq!(parsed.unverified_payload_type(), TYPE);
    assert_eq!(parsed.unverified_payload(), b"{\"a\":1}");
    assert_eq!(parsed.unverified_signers().count(), 2);
    let verified = parsed.verify(TYPE, &publics(&[1, 2, 3]), 2).unwrap();
    assert_eq!(verified.payload(), b"{\"a\":1}");
    let mut expected = vec![key(1).id(), key(2).id()];
    expected.sort_unstable();
    assert_eq!(verified.signers(), expected);
}

#[test]
fn signs_the_same_bytes_as_an_independent_signer() {
    use ed25519_dalek::Signer as _;
    let dalek = ed25519_dalek::SigningKey::from_bytes(&[1; 32]);
    let expected = dalek.sign(b"DSSEv1 24 application/example+json 7 {\"a\":1}");
    assert_eq!(envelope(&[1]).signatures[0].bytes, expected.to_bytes());
}

#[test]
fn accepts_an_added_signature_and_refuses_a_second_of_one_key() {
    let mut envelope = envelope(&[1]);
    envelope.add_signature(&key(2)).unwrap();
    assert!(envelope.verify(TYPE, &publics(&[1, 2]), 2).is_ok());
    assert_eq!(
        envelope.add_signature(&key(2)).unwrap_err(),
        Error::DuplicateSigner { key: key(2).id() }
    );
    assert_eq!(envelope.unverified_signers().count(), 2);
}

#[test]
fn refuses_another_payload_type_before_looking_at_signatures() {
    let envelope = envelope(&[1]);
    assert_eq!(
        envelope
            .verify("application/other+json", &[], 0)
            .unwrap_err(),
        Error::WrongPayloadType
    );
}

#[test]
fn refuses_a_signature_made_for_another_type() {
    let renamed = text(&[1]).replace("example", "exampla");
    let error = Envelope::parse(renamed.as_bytes())
        .unwrap()
        .verify("application/exampla+json", &publics(&[1]), 1)
        .unwrap_err();
    assert_eq!(error, Error::BadSignature { key: key(1).id() });
}

#[test]
fn refuses_below_the_threshold_and_counts_distinct_keys_once() {
    let one = envelope(&[1, 9]);
    assert_eq!(
        one.verify(TYPE, &publics(&[1, 2]), 2).unwrap_err(),
        Error::BelowThreshold {
            valid: 1,
            threshold: 2
        }
    );
    // The same key twice in the set is one key.
    assert_eq!(
        one.verify(TYPE, &publics(&[1, 1]), 2).unwrap_err(),
        Error::ThresholdOutOfReach
    );
    assert_eq!(
        one.verify(TYPE, &publics(&[1]), 0).unwrap_err(),
        Error::ThresholdZero
    );
    assert_eq!(
        one.verify(TYPE, &[], 1).unwrap_err(),
        Error::ThresholdOutOfReach
    );
    assert_eq!(
        one.verify(TYPE, &publics(&[5]), 1).unwrap_err(),
        Error::BelowThreshold {
            valid: 0,
            threshold: 1
        }
    );
}

#[test]
fn refuses_every_flipped_bit_of_a_signature() {
    for bit in 0..512 {
        let mut envelope = envelope(&[1]);
        envelope.signatures[0].bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(
            envelope.verify(TYPE, &publics(&[1]), 1).unwrap_err(),
            Error::BadSignature { key: key(1).id() },
            "bit {bit}"
        );
    }
}

#[test]
fn refuses_every_flipped_bit_of_the_payload() {
    for bit in 0..7 * 8 {
        let mut envelope = envelope(&[1]);
        envelope.payload[bit / 8] ^= 1 << (bit % 8);
        assert!(
            envelope.verify(TYPE, &publics(&[1]), 1).is_err(),
            "bit {bit}"
        );
    }
}

#[test]
fn refuses_a_bad_signature_of_a_known_key_even_if_the_threshold_is_met() {
    let mut envelope = envelope(&[1, 2]);
    envelope.signatures[1].bytes[0] ^= 1;
    assert_eq!(
        envelope.verify(TYPE, &publics(&[1, 2]), 1).unwrap_err(),
        Error::BadSignature { key: key(2).id() }
    );
}

#[test]
fn refuses_a_scalar_raised_by_the_group_order() {
    // L = 2^252 + 27742317777372353535851937790883648493, little-endian.
    let order: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut envelope = envelope(&[1]);
    let mut carry = 0_u16;
    for (byte, add) in envelope.signatures[0].bytes[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    assert_eq!(carry, 0, "S + L still fits in 256 bits");
    assert!(envelope.verify(TYPE, &publics(&[1]), 1).is_err());
}

#[test]
fn refuses_keys_of_small_order_and_second_encodings() {
    // The neutral element, points of order 2, 4 and 8, and the neutral element written as p + 1.
    let mut neutral = [0_u8; 32];
    neutral[0] = 1;
    let mut order_two = [0xff_u8; 32];
    order_two[0] = 0xec;
    order_two[31] = 0x7f;
    let order_four = [0_u8; 32];
    let mut second_encoding = [0xff_u8; 32];
    second_encoding[0] = 0xee;
    second_encoding[31] = 0x7f;
    let order_eight: [u8; 32] = [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ];
    for bytes in [neutral, order_two, order_four, order_eight, second_encoding] {
        assert_eq!(PublicKey::from_bytes(&bytes).unwrap_err(), Error::WeakKey);
    }
    // y = p + 3 is the second encoding of the point with y = 3, which is of large order.
    let mut plain = [0_u8; 32];
    plain[0] = 3;
    let mut raised = [0xff_u8; 32];
    raised[0] = 0xf0;
    raised[31] = 0x7f;
    assert!(PublicKey::from_bytes(&plain).is_ok());
    assert_eq!(PublicKey::from_bytes(&raised).unwrap_err(), Error::WeakKey);
}

#[test]
fn refuses_unknown_missing_and_duplicate_members_with_their_place() {
    let good = text(&[1]);
    let unknown = |pointer: &str| (ErrorKind::UnknownMember, pointer.to_string());
    assert_eq!(
        json_refusal(&good.replacen('{', "{\"x\":1,", 1)),
        unknown("/x")
    );
    assert_eq!(
        json_refusal(&good.replace("{\"keyid\"", "{\"cert\":\"\",\"keyid\"")),
        unknown("/signatures/0/cert")
    );
    for (name, pointer) in [
        ("payloadType", "/payloadType"),
        ("payload", "/payload"),
        ("signatures", "/signatures"),
        ("keyid", "/signatures/0/keyid"),
        ("sig", "/signatures/0/sig"),
    ] {
        let renamed = good.replace(&format!("\"{name}\":"), "\"other\":");
        assert_eq!(
            json_refusal(&renamed),
            (ErrorKind::MissingMember, pointer.to_string())
        );
    }
    let twice = good.replacen('{', "{\"payload\":\"\",", 1);
    assert_eq!(json_refusal(&twice).0, ErrorKind::DuplicateMember);
    let twice = good.replace("{\"keyid\"", "{\"keyid\":\"\",\"keyid\"");
    assert_eq!(json_refusal(&twice).0, ErrorKind::DuplicateMember);
    assert_eq!(
        json_refusal(&format!("{good} x")).0,
        ErrorKind::TrailingData
    );
}

#[test]
fn refuses_truncation_at_every_length() {
    let good = text(&[1]);
    for length in 0..good.len() {
        assert!(
            Envelope::parse(&good.as_bytes()[..length]).is_err(),
            "length {length}"
        );
    }
}

#[test]
fn refuses_base64_that_is_not_canonical() {
    // {"a":1} is eyJhIjoxfQ==; the last character's unused bits set give eyJhIjoxfR==.
    let good = text(&[1]);
    assert!(good.contains("eyJhIjoxfQ=="));
    for other in [
        "eyJhIjoxfR==",
        "eyJhIjoxfQ",
        "eyJhIjoxfQ= ",
        "eyJhIjox fQ==",
        "eyJh_joxfQ==",
    ] {
        assert_eq!(
            refusal(&good.replace("eyJhIjoxfQ==", other)),
            Error::PayloadBase64
        );
    }
}

#[test]
fn refuses_malformed_signatures_and_key_ids() {
    let good = text(&[1]);
    let start = good.find("\"sig\":\"").unwrap() + 7;
    let (head, tail) = good.split_at(start);
    for bad in [
        "",
        "AAAA",
        tail.get(4..88).unwrap(),
        &format!("AAAA{}", tail.get(..88).unwrap()),
        "!",
    ] {
        let text = format!("{head}{bad}\"}}]}}");
        assert_eq!(
            refusal(&text),
            Error::SignatureEncoding { index: 0 },
            "{bad}"
        );
    }
    let id = key(1).id().to_hex();
    for bad in [
        id.to_uppercase(),
        id.get(1..).unwrap().to_string(),
        format!("{id}0"),
        "g".repeat(64),
    ] {
        assert_eq!(
            refusal(&good.replace(&id, &bad)),
            Error::KeyIdEncoding { index: 0 }
        );
    }
}

#[test]
fn refuses_two_signatures_of_one_key_none_and_too_many() {
    let good = text(&[1]);
    let at = good.find("[").unwrap() + 1;
    let signature = good.get(at..good.len() - 2).unwrap();
    let double = good.replace(signature, &format!("{signature},{signature}"));
    assert_eq!(
        refusal(&double),
        Error::DuplicateSigner { key: key(1).id() }
    );
    assert_eq!(refusal(&good.replace(signature, "")), Error::NoSignature);
    let seeds: Vec<u8> = (1..=16).collect();
    let full = text(&seeds);
    assert!(Envelope::parse(full.as_bytes()).is_ok());
    let over = full.replacen(
        '[',
        &format!(
            "[{},",
            signature.replace(&key(1).id().to_hex(), &"0".repeat(64))
        ),
        1,
    );
    assert_eq!(refusal(&over), Error::TooManySignatures);
    let keys: Vec<SigningKey> = (1..=17).map(key).collect();
    assert_eq!(
        Envelope::sign(TYPE, b"", &keys.iter().collect::<Vec<_>>()).unwrap_err(),
        Error::TooManySignatures
    );
    assert_eq!(
        Envelope::sign(TYPE, b"", &[]).unwrap_err(),
        Error::NoSignature
    );
}

#[test]
fn refuses_payload_types_outside_the_alphabet() {
    for bad in [
        "",
        "a b",
        "A",
        "a\"",
        "a\\",
        "ä",
        &"a".repeat(PAYLOAD_TYPE_LENGTH_MAX + 1),
    ] {
        assert_eq!(
            Envelope::sign(bad, b"", &[&key(1)]).unwrap_err(),
            Error::PayloadTypeForm
        );
    }
    assert_eq!(
        refusal(&text(&[1]).replace(TYPE, "Application")),
        Error::PayloadTypeForm
    );
}

#[test]
fn holds_the_size_limits_on_both_sides() {
    let largest = vec![b' '; PAYLOAD_SIZE_MAX];
    let seeds: Vec<SigningKey> = (1..=16).map(key).collect();
    let envelope = Envelope::sign(TYPE, &largest, &seeds.iter().collect::<Vec<_>>()).unwrap();
    let json = envelope.to_json();
    assert!(json.len() <= ENVELOPE_SIZE_MAX, "{}", json.len());
    assert!(Envelope::parse(&json).is_ok());
    let over = vec![b' '; PAYLOAD_SIZE_MAX + 1];
    assert_eq!(
        Envelope::sign(TYPE, &over, &[&key(1)]).unwrap_err(),
        Error::PayloadTooLarge
    );
    let over_text = text(&[1]).replace("eyJhIjoxfQ==", &Base64::encode_string(&over));
    assert_eq!(refusal(&over_text), Error::PayloadTooLarge);
    let padded = format!("{}{}", text(&[1]), " ".repeat(ENVELOPE_SIZE_MAX));
    assert_eq!(refusal(&padded), Error::EnvelopeTooLarge);
}

#[test]
fn prints_no_key_material_and_no_payload() {
    let printed = format!(
        "{:?} {:?} {:?}",
        key(1),
        key(1).public_key(),
        envelope(&[1])
    );
    assert!(printed.contains("SigningKey(redacted)"));
    assert!(!printed.contains("0101") && !printed.contains("eyJ"));
}
