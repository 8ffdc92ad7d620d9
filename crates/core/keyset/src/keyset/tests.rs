use super::*;
use alloc::format;
use alloc::vec;

use x_wing::{Decapsulator as _, KeyExport as _};

struct Fixed(u8);
impl Entropy for Fixed {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), chancery_sealing::EntropyError> {
        out.fill(self.0);
        Ok(())
    }
}

/// Counts what is asked for.
struct Metered {
    drawn: usize,
}
impl Entropy for Metered {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), chancery_sealing::EntropyError> {
        self.drawn += out.len();
        out.fill(7);
        Ok(())
    }
}

fn keyset(byte: u8) -> Keyset {
    Keyset::from_seed(KeysetSeed::from_bytes([byte; SEED_LENGTH])).unwrap()
}

#[test]
fn derives_the_public_keys_of_the_published_x_wing_vectors() {
    let text = include_str!("../../tests/vectors/x-wing-draft.json");
    let vectors: serde_json::Value = serde_json::from_str(text).unwrap();
    let vectors = vectors.as_array().unwrap();
    assert_eq!(vectors.len(), 3);
    for vector in vectors {
        let mut seed = [9; SEED_LENGTH];
        seed[..32].copy_from_slice(&hex::decode(vector["sk"].as_str().unwrap()).unwrap());
        let keyset = Keyset::from_seed(KeysetSeed::from_bytes(seed)).unwrap();
        assert_eq!(
            hex::encode(keyset.public().kem()),
            vector["pk"].as_str().unwrap()
        );
    }
}

#[test]
fn derives_each_half_from_its_own_seed_alone() {
    let mut seed = [1; SEED_LENGTH];
    seed[32..].fill(2);
    let keyset = Keyset::from_seed(KeysetSeed::from_bytes(seed)).unwrap();
    let independent = x_wing::DecapsulationKey::from([1; 32]);
    assert_eq!(
        keyset.public().kem().as_slice(),
        independent.encapsulation_key().to_bytes().as_slice()
    );
    assert_eq!(
        keyset.public().signing(),
        &SigningKey::from_seed([2; 32]).public_key().to_bytes()
    );
}

#[test]
fn draws_exactly_one_seed() {
    let mut metered = Metered { drawn: 0 };
    Keyset::generate(&mut metered).unwrap();
    assert_eq!(metered.drawn, SEED_LENGTH);
}

#[test]
fn is_restored_from_its_seed() {
    let made = Keyset::generate(&mut Fixed(5)).unwrap();
    let (seed, public) = made.into_parts();
    let restored = Keyset::from_seed(KeysetSeed::from_bytes(*seed.expose())).unwrap();
    assert_eq!(restored.public(), &public);
    let signature = restored.signing_key().sign(b"message");
    assert!(
        public
            .verifying_key()
            .unwrap()
            .verifies(b"message", &signature)
    );
}

#[test]
fn decodes_what_it_encoded_and_names_it_alike() {
    let public = keyset(1).public().clone();
    let bytes = public.encode();
    assert_eq!(bytes.len(), PUBLIC_KEYSET_LENGTH);
    assert_eq!(bytes[..7], [1, 0x64, 0x7a, 0, 1, 0, 3]);
    let decoded = PublicKeyset::decode(&bytes).unwrap();
    assert_eq!(decoded, public);
    assert_eq!(decoded.fingerprint(), public.fingerprint());
}

#[test]
fn fingerprint_is_a_hash_over_purpose_and_encoding() {
    let public = keyset(1).public().clone();
    let mut framed = vec![u8::try_from(FINGERPRINT_PURPOSE.len()).unwrap()];
    framed.extend_from_slice(b"chancery/keyset/fingerprint/v1");
    framed.extend_from_slice(&public.encode());
    let expected: [u8; 32] = Sha256::digest(&framed).into();
    assert_eq!(public.fingerprint().as_bytes(), &expected);
}

#[test]
fn fingerprint_changes_with_either_half() {
    let (one, two) = (keyset(1), keyset(2));
    let mixed = PublicKeyset::new(one.public().kem(), two.public().signing()).unwrap();
    let other = PublicKeyset::new(two.public().kem(), one.public().signing()).unwrap();
    let mut all = vec![
        one.public().fingerprint(),
        two.public().fingerprint(),
        mixed.fingerprint(),
        other.fingerprint(),
    ];
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 4);
}

#[test]
fn refuses_wrong_length_version_and_suite() {
    let bytes = keyset(1).public().encode();
    for length in 0..bytes.len() {
        assert_eq!(
            PublicKeyset::decode(&bytes[..length]).unwrap_err(),
            Error::Length
        );
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert_eq!(PublicKeyset::decode(&longer).unwrap_err(), Error::Length);
    for (position, expected) in (0..7).zip([
        Error::Version,
        Error::UnknownSuite,
        Error::UnknownSuite,
        Error::UnknownSuite,
        Error::UnknownSuite,
        Error::UnknownSuite,
        Error::UnknownSuite,
    ]) {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[position] ^= 1 << bit;
            assert_eq!(PublicKeyset::decode(&changed).unwrap_err(), expected);
        }
    }
}

#[test]
fn refuses_keys_that_are_none() {
    let good = keyset(1).public().encode();
    // Twelve bits of ones are 4095, above the modulus 3329 (FIPS 203 section 7.2).
    let mut unreduced = good.clone();
    unreduced[7] = 0xff;
    unreduced[8] |= 0x0f;
    assert_eq!(PublicKeyset::decode(&unreduced).unwrap_err(), Error::KemKey);
    let mut weak = good;
    weak[PUBLIC_KEYSET_LENGTH - 32..].fill(0);
    assert_eq!(PublicKeyset::decode(&weak).unwrap_err(), Error::SigningKey);
}

#[test]
fn prints_no_private_bytes() {
    let keyset = keyset(0x41);
    let printed = format!("{keyset:?} {:?}", keyset.seed());
    assert!(printed.contains("KeysetSeed(redacted)"));
    assert!(
        !printed.contains("41, 41") && !printed.contains("65, 65") && !printed.contains("4141")
    );
}
