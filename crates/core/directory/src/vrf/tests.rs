use std::format;

use super::*;
use crate::testing::{Seeded, shown, unhex};

fn published(name: &str) -> std::vec::Vec<u8> {
    let all: serde_json::Value =
        serde_json::from_str(include_str!("../../vectors/vrf_r255.json")).unwrap();
    unhex(all["vector"][name].as_str().unwrap())
}

fn published_key() -> SecretKey {
    SecretKey::from_scalar_bytes(&published("SK").try_into().unwrap()).unwrap()
}

#[test]
fn reproduces_the_published_vector_with_its_intermediate_values() {
    let key = published_key();
    let alpha = published("alpha");
    assert_eq!(key.public().to_bytes().to_vec(), published("PK"));
    let h = encode_to_curve(&key.public().to_bytes(), &alpha);
    assert_eq!(h.compress().to_bytes().to_vec(), published("H"));
    let k = key.nonce(&h.compress());
    assert_eq!(k.as_bytes().to_vec(), published("k"));
    let u = RistrettoPoint::mul_base(&k).compress();
    assert_eq!(u.to_bytes().to_vec(), published("U"));
    let v = (k * h).compress();
    assert_eq!(v.to_bytes().to_vec(), published("V"));
    let gamma = (*key.scalar * h).compress();
    assert_eq!(gamma.to_bytes().to_vec(), published("Gamma"));
    let c = challenge(&key.public().to_bytes(), [&h.compress(), &gamma, &u, &v]);
    assert_eq!(c.to_vec(), published("c"));
    let (proof, beta) = key.prove(&alpha);
    assert_eq!(proof.0.to_vec(), published("pi"));
    assert_eq!(proof.0[48..].to_vec(), published("s"));
    assert_eq!(beta.to_vec(), published("beta"));
    assert_eq!(key.evaluate(&alpha).to_vec(), published("beta"));
    assert_eq!(
        key.public().verify(&alpha, &proof).unwrap().to_vec(),
        published("beta")
    );
}

#[test]
fn outputs_with_and_without_proof_agree_for_seeded_keys() {
    let mut seeded = Seeded(1);
    for round in 0..20_u8 {
        let key = SecretKey::from_seed(&seeded.bytes32()).unwrap();
        let alpha = std::vec![round; usize::from(round) * 9];
        let (proof, output) = key.prove(&alpha);
        assert_eq!(key.evaluate(&alpha), output);
        assert_eq!(key.public().verify(&alpha, &proof), Ok(output));
        let public = PublicKey::from_bytes(&key.public().to_bytes()).unwrap();
        assert_eq!(public.verify(&alpha, &proof), Ok(output));
    }
}

#[test]
fn refuses_a_proof_with_any_bit_changed() {
    let key = published_key();
    let alpha = published("alpha");
    let (proof, _) = key.prove(&alpha);
    for at in 0..PROOF_SIZE {
        for bit in 0..8 {
            let mut changed = proof;
            changed.0[at] ^= 1 << bit;
            assert!(
                key.public().verify(&alpha, &changed).is_err(),
                "byte {at} bit {bit}"
            );
        }
    }
}

#[test]
fn refuses_a_proof_for_another_input_or_key() {
    let key = published_key();
    let (proof, _) = key.prove(b"alice");
    assert_eq!(
        key.public().verify(b"alicf", &proof),
        Err(VrfError::Challenge)
    );
    assert_eq!(key.public().verify(b"", &proof), Err(VrfError::Challenge));
    let other = SecretKey::from_seed(&[1; 32]).unwrap();
    assert_eq!(
        other.public().verify(b"alice", &proof),
        Err(VrfError::Challenge)
    );
}

#[test]
fn refuses_a_scalar_that_is_not_reduced() {
    // q itself, and s + q of a true proof: the same scalar in a second encoding.
    let order = unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let key = published_key();
    let (proof, _) = key.prove(b"alice");
    let mut unreduced = proof;
    let mut carry = 0_u16;
    for (slot, add) in unreduced.0[48..].iter_mut().zip(&order) {
        let sum = u16::from(*slot) + u16::from(*add) + carry;
        *slot = u8::try_from(sum & 0xff).unwrap();
        carry = sum >> 8;
    }
    assert_eq!(
        key.public().verify(b"alice", &unreduced),
        Err(VrfError::ProofScalar)
    );
    assert_eq!(
        SecretKey::from_scalar_bytes(&order.try_into().unwrap()).unwrap_err(),
        VrfError::SecretKey
    );
}

#[test]
fn refuses_keys_and_elements_that_are_zero_or_no_group_element() {
    assert_eq!(
        SecretKey::from_scalar_bytes(&[0; 32]).unwrap_err(),
        VrfError::SecretKey
    );
    assert_eq!(PublicKey::from_bytes(&[0; 32]), Err(VrfError::PublicKey));
    assert_eq!(PublicKey::from_bytes(&[0xff; 32]), Err(VrfError::PublicKey));
    let key = published_key();
    let (mut proof, _) = key.prove(b"alice");
    proof.0[..32].fill(0xff);
    assert_eq!(
        key.public().verify(b"alice", &proof),
        Err(VrfError::ProofElement)
    );
}

#[test]
fn secret_keys_are_not_printed() {
    assert_eq!(format!("{:?}", published_key()), "vrf::SecretKey(redacted)");
    assert!(!shown(VrfError::Challenge).is_empty());
}
