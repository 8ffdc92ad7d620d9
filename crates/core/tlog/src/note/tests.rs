//! What the strict Ed25519 check accepts and refuses, by public vectors; in the crate, because it
//! concerns bytes that no note can hold.

use std::vec::Vec;

use serde_json::Value;

use super::KeyKind;
use super::SignerKey;
use super::VerifierKey;
use crate::Error;

fn bytes<const N: usize>(value: &Value) -> [u8; N] {
    hex::decode(value.as_str().unwrap())
        .unwrap()
        .try_into()
        .unwrap()
}

/// Order of the base point, little-endian.
const L: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

#[test]
fn edge_case_vectors_are_refused_for_every_flag_but_mixed_order() {
    let file = std::fs::read(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/vectors/ed25519_edge_cases.json"
    ));
    let file: Value = serde_json::from_slice(&file.unwrap()).unwrap();
    let (mut accepted, mut refused) = (0, 0);
    for (name, case) in file["cases"].as_object().unwrap() {
        let flags: Vec<&str> = case["flags"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|f| f.as_str().unwrap())
            .collect();
        // A component of small order is harmless while the plain equation holds.
        let harmless = ["low_order_component_A", "low_order_component_R"];
        let expected = flags.iter().all(|flag| harmless.contains(flag));
        let message = case["msg"].as_str().unwrap().as_bytes();
        let verdict = VerifierKey::new("key", KeyKind::Ed25519, &bytes(&case["key"]))
            .and_then(|key| key.verify_bytes(message, &bytes(&case["sig"])));
        assert_eq!(verdict.is_ok(), expected, "{name}: {flags:?} {verdict:?}");
        *(if expected {
            &mut accepted
        } else {
            &mut refused
        }) += 1;
    }
    assert!(accepted > 0 && refused > 500, "{accepted} {refused}");
}

#[test]
fn refuses_a_signature_with_the_group_order_added_to_s() {
    let key = SignerKey::from_seed("key", &[7; 32]).unwrap();
    let signature = key.sign_bytes(b"message");
    assert_eq!(key.verifier().verify_bytes(b"message", &signature), Ok(()));
    let mut malleated = signature;
    let mut carry = 0_u16;
    for (s, l) in malleated[32..].iter_mut().zip(L) {
        let sum = u16::from(*s) + u16::from(l) + carry;
        [*s, _] = sum.to_le_bytes();
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
    let verdict = key.verifier().verify_bytes(b"message", &malleated);
    assert_eq!(verdict, Err(Error::SignatureInvalid));
}
