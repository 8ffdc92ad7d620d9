use super::*;
use alloc::format;
use alloc::vec;

use crate::keyset::{KeysetSeed, SEED_LENGTH};

struct Stream(u8);
impl Entropy for Stream {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), chancery_sealing::EntropyError> {
        for byte in out {
            self.0 = self.0.wrapping_add(1);
            *byte = self.0;
        }
        Ok(())
    }
}

fn keyset(byte: u8) -> Keyset {
    Keyset::from_seed(KeysetSeed::from_bytes([byte; SEED_LENGTH])).unwrap()
}

fn context() -> WrapContext {
    WrapContext {
        purpose: WrapPurpose::GroupEpochKey,
        tenant: [1; 16],
        subject: [2; 32],
        sender: keyset(8).public().fingerprint(),
        log_position: 42,
    }
}

#[test]
fn agrees_with_the_published_hpke_vector() {
    let text = include_str!("../../tests/vectors/hpke-x-wing-hkdf-sha256-chacha20poly1305.json");
    let vector: serde_json::Value = serde_json::from_str(text).unwrap();
    let bytes = |name: &str| hex::decode(vector[name].as_str().unwrap()).unwrap();
    let mut seed = [0; SEED_LENGTH];
    seed[..32].copy_from_slice(&bytes("skRm"));
    let recipient = Keyset::from_seed(KeysetSeed::from_bytes(seed)).unwrap();
    assert!(recipient.public().kem().starts_with(&bytes("pkRm_first")));
    assert!(recipient.public().kem().ends_with(&bytes("pkRm_last")));
    let mut randomness = Drawn {
        bytes: bytes("ikmE").try_into().unwrap(),
        used: 0,
    };
    let (info, aad, plaintext) = (bytes("info"), bytes("aad"), bytes("pt"));
    let made = seal(recipient.public(), &info, &aad, &plaintext, &mut randomness).unwrap();
    assert!(made.encapsulated_key.starts_with(&bytes("enc_first")));
    assert!(made.encapsulated_key.ends_with(&bytes("enc_last")));
    assert_eq!(
        hex::encode(&made.ciphertext),
        vector["ct"].as_str().unwrap()
    );
    assert_eq!(
        open(&recipient, &info, &aad, &made).unwrap().as_slice(),
        plaintext
    );
}

#[test]
fn encapsulates_as_the_published_x_wing_vectors() {
    let text = include_str!("../../tests/vectors/x-wing-draft.json");
    let vectors: serde_json::Value = serde_json::from_str(text).unwrap();
    for vector in vectors.as_array().unwrap() {
        let bytes = |name: &str| hex::decode(vector[name].as_str().unwrap()).unwrap();
        let mut seed = [0; SEED_LENGTH];
        seed[..32].copy_from_slice(&bytes("sk"));
        let recipient = Keyset::from_seed(KeysetSeed::from_bytes(seed)).unwrap();
        let mut randomness = Drawn {
            bytes: bytes("eseed").try_into().unwrap(),
            used: 0,
        };
        let made = seal(recipient.public(), b"", b"", b"", &mut randomness).unwrap();
        assert_eq!(
            hex::encode(made.encapsulated_key),
            vector["ct"].as_str().unwrap()
        );
    }
}

#[test]
fn opens_after_a_round_trip() {
    let recipient = keyset(3);
    for plaintext in [&b""[..], b"key", &[7; WRAP_PLAINTEXT_SIZE_MAX]] {
        let made = wrap(recipient.public(), &context(), plaintext, &mut Stream(0)).unwrap();
        let encoded = made.encode();
        assert_eq!(encoded.len(), WRAP_OVERHEAD + plaintext.len());
        let decoded = Wrap::decode(&encoded).unwrap();
        assert_eq!(decoded, made);
        assert_eq!(
            unwrap(&recipient, &context(), &decoded).unwrap().as_slice(),
            plaintext
        );
    }
}

#[test]
fn refuses_every_other_context_and_recipient() {
    let recipient = keyset(3);
    let made = wrap(recipient.public(), &context(), b"key", &mut Stream(0)).unwrap();
    let good = context();
    let mut others = vec![
        WrapContext {
            tenant: [9; 16],
            ..good.clone()
        },
        WrapContext {
            subject: [9; 32],
            ..good.clone()
        },
        WrapContext {
            sender: keyset(9).public().fingerprint(),
            ..good.clone()
        },
        WrapContext {
            log_position: 43,
            ..good.clone()
        },
    ];
    for purpose in [
        WrapPurpose::KeysetSuccession,
        WrapPurpose::TenantStorageKey,
        WrapPurpose::MemberSecret,
    ] {
        others.push(WrapContext {
            purpose,
            ..good.clone()
        });
    }
    for other in &others {
        assert_eq!(
            unwrap(&recipient, other, &made).unwrap_err(),
            Error::Unauthentic
        );
    }
    assert_eq!(
        unwrap(&keyset(4), &good, &made).unwrap_err(),
        Error::Unauthentic
    );
    assert!(unwrap(&recipient, &good, &made).is_ok());
}

#[test]
fn refuses_a_recipient_that_shares_only_the_kem_half() {
    let mut seed = [3; SEED_LENGTH];
    seed[32..].fill(4);
    let half = Keyset::from_seed(KeysetSeed::from_bytes(seed)).unwrap();
    let made = wrap(keyset(3).public(), &context(), b"key", &mut Stream(0)).unwrap();
    assert_eq!(
        unwrap(&half, &context(), &made).unwrap_err(),
        Error::Unauthentic
    );
}

#[test]
fn refuses_every_changed_byte() {
    let recipient = keyset(3);
    let bytes = wrap(recipient.public(), &context(), b"key", &mut Stream(0))
        .unwrap()
        .encode();
    // Every byte of version, suite, tag and ciphertext, and a sample of the encapsulated key.
    let positions = (0..7).chain((7..1127).step_by(97)).chain(1126..bytes.len());
    for position in positions {
        let mut changed = bytes.clone();
        changed[position] ^= 1;
        let result = Wrap::decode(&changed).and_then(|made| {
            unwrap(&recipient, &context(), &made).map(|plaintext| plaintext.len())
        });
        let expected = match position {
            0 => Error::Version,
            1..7 => Error::UnknownSuite,
            _ => Error::Unauthentic,
        };
        assert_eq!(result.unwrap_err(), expected, "position {position}");
    }
}

#[test]
fn refuses_lengths_outside_the_limits() {
    let made = wrap(keyset(3).public(), &context(), b"", &mut Stream(0)).unwrap();
    let bytes = made.encode();
    for length in 0..bytes.len() {
        assert_eq!(Wrap::decode(&bytes[..length]).unwrap_err(), Error::Length);
    }
    let mut long = bytes;
    long.resize(WRAP_OVERHEAD + WRAP_PLAINTEXT_SIZE_MAX, 0);
    assert!(Wrap::decode(&long).is_ok());
    long.push(0);
    assert_eq!(Wrap::decode(&long).unwrap_err(), Error::Length);
    let large = vec![0; WRAP_PLAINTEXT_SIZE_MAX + 1];
    assert_eq!(
        wrap(keyset(3).public(), &context(), &large, &mut Stream(0)).unwrap_err(),
        Error::PlaintextTooLarge
    );
}

#[test]
fn takes_its_randomness_from_the_argument_alone() {
    let recipient = keyset(3);
    let one = wrap(recipient.public(), &context(), b"key", &mut Stream(0)).unwrap();
    let same = wrap(recipient.public(), &context(), b"key", &mut Stream(0)).unwrap();
    let other = wrap(recipient.public(), &context(), b"key", &mut Stream(1)).unwrap();
    assert_eq!(one, same);
    assert_ne!(one.encapsulated_key, other.encapsulated_key);
    assert_ne!(one.ciphertext, other.ciphertext);
}

#[test]
fn refuses_a_library_that_takes_other_randomness() {
    let mut drawn = Drawn {
        bytes: [1; RANDOMNESS_LENGTH],
        used: 1,
    };
    assert_eq!(
        seal(keyset(3).public(), b"", b"", b"", &mut drawn).unwrap_err(),
        Error::Encapsulation
    );
}

#[test]
fn frames_the_context_so_that_no_two_are_alike() {
    let recipient = keyset(3).public().fingerprint();
    let info = context().info(&recipient);
    let mut expected = vec![16];
    expected.extend_from_slice(b"chancery/wrap/v1");
    expected.push(15);
    expected.extend_from_slice(b"group-epoch-key");
    expected.extend_from_slice(&[1; 16]);
    expected.extend_from_slice(&[2; 32]);
    expected.extend_from_slice(keyset(8).public().fingerprint().as_bytes());
    expected.extend_from_slice(recipient.as_bytes());
    expected.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 42]);
    assert_eq!(info, expected);
}

#[test]
fn prints_no_ciphertext() {
    let made = wrap(keyset(3).public(), &context(), b"key", &mut Stream(0)).unwrap();
    assert!(!format!("{made:?}").contains('['));
}
