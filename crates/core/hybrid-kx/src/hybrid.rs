//! draft-ietf-tls-ecdhe-mlkem, the group X25519MLKEM768 (code point 0x11EC).
//!
//! ```text
//! client share = ML-KEM-768 encapsulation key (1184) || X25519 public key (32)
//! server share = ML-KEM-768 ciphertext        (1088) || X25519 public key (32)
//! secret       = ML-KEM-768 shared key          (32) || X25519 shared secret (32)
//! ```
//!
//! The ML-KEM part comes first in all three. Both halves are always computed, and either one that
//! fails ends the handshake: a share without its post-quantum half must not pass as hybrid.

use core::fmt;

use ml_kem::B32;
use ml_kem::Decapsulate as _;
use ml_kem::KeyExport as _;
use ml_kem::ml_kem_768::Ciphertext;
use ml_kem::ml_kem_768::DecapsulationKey;
use ml_kem::ml_kem_768::EncapsulationKey;
use ring::rand::SecureRandom as _;
use ring::rand::SystemRandom;
use rustls::Error;
use rustls::NamedGroup;
use rustls::PeerMisbehaved;
use rustls::ProtocolVersion;
use rustls::crypto::ActiveKeyExchange;
use rustls::crypto::CompletedKeyExchange;
use rustls::crypto::GetRandomFailed;
use rustls::crypto::SharedSecret;
use rustls::crypto::SupportedKxGroup;
use rustls::crypto::ring::kx_group::X25519;
use rustls::ffdhe_groups::FfdheGroup;
use zeroize::Zeroize as _;
use zeroize::Zeroizing;

/// Bytes of an ML-KEM-768 encapsulation key (FIPS 203, table 3).
const ENCAPSULATION_KEY_SIZE: usize = 1184;
/// Bytes of an ML-KEM-768 ciphertext (FIPS 203, table 3).
const CIPHERTEXT_SIZE: usize = 1088;
/// Bytes of an X25519 public key (RFC 7748).
const X25519_SHARE_SIZE: usize = 32;
/// Bytes of an ML-KEM seed `d || z` (FIPS 203, section 7.1).
const SEED_SIZE: usize = 64;
/// Bytes of the message `m` that an encapsulation draws (FIPS 203, section 7.2).
const MESSAGE_SIZE: usize = 32;

const INVALID_SHARE: Error = Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare);

/// The hybrid key-exchange group of draft-ietf-tls-ecdhe-mlkem, for TLS 1.3 only.
///
/// A recording of the handshake stays closed unless both X25519 and ML-KEM-768 fall.
pub static X25519MLKEM768: &dyn SupportedKxGroup = &HybridGroup;

struct HybridGroup;

impl fmt::Debug for HybridGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        NamedGroup::X25519MLKEM768.fmt(f)
    }
}

impl SupportedKxGroup for HybridGroup {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let mut seed = ml_kem::Seed::default();
        let drawn = fill(seed.as_mut_slice());
        let decapsulation_key = DecapsulationKey::from_seed(seed);
        seed.zeroize();
        drawn?;
        let classical = X25519.start()?;
        let share = concat(
            decapsulation_key.encapsulation_key().to_bytes().as_slice(),
            classical.pub_key(),
        );
        Ok(Box::new(ActiveHybrid {
            decapsulation_key,
            classical,
            share,
        }))
    }

    fn start_and_complete(&self, client_share: &[u8]) -> Result<CompletedKeyExchange, Error> {
        let (encapsulation_key, classical_share) =
            split::<ENCAPSULATION_KEY_SIZE>(client_share).ok_or(INVALID_SHARE)?;
        // FIPS 203 section 7.2: the modulus check, without which the result is undefined.
        let encapsulation_key =
            EncapsulationKey::new(&(*encapsulation_key).into()).map_err(invalid_share)?;
        let classical = X25519.start_and_complete(classical_share)?;

        let mut message = Zeroizing::new([0_u8; MESSAGE_SIZE]);
        fill(message.as_mut_slice())?;
        let mut message_array = B32::from(*message);
        let (ciphertext, mut shared_key) =
            encapsulation_key.encapsulate_deterministic(&message_array);
        message_array.zeroize();
        let secret = concat(shared_key.as_slice(), classical.secret.secret_bytes());
        shared_key.zeroize();

        Ok(CompletedKeyExchange {
            group: self.name(),
            pub_key: concat(ciphertext.as_slice(), &classical.pub_key),
            secret: SharedSecret::from(secret),
        })
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }

    fn usable_for_version(&self, version: ProtocolVersion) -> bool {
        version == ProtocolVersion::TLSv1_3
    }
}

/// A client's half of the exchange; the decapsulation key zeroizes itself on drop.
struct ActiveHybrid {
    decapsulation_key: DecapsulationKey,
    classical: Box<dyn ActiveKeyExchange>,
    share: Vec<u8>,
}

impl ActiveKeyExchange for ActiveHybrid {
    fn complete(self: Box<Self>, server_share: &[u8]) -> Result<SharedSecret, Error> {
        let (ciphertext, classical_share) =
            split::<CIPHERTEXT_SIZE>(server_share).ok_or(INVALID_SHARE)?;
        let classical = self.classical.complete(classical_share)?;
        // A wrong ciphertext of the right size gives a pseudo-random key (implicit rejection), and
        // the handshake then fails at the Finished message.
        let mut shared_key = self
            .decapsulation_key
            .decapsulate(&Ciphertext::from(*ciphertext));
        let secret = concat(shared_key.as_slice(), classical.secret_bytes());
        shared_key.zeroize();
        Ok(SharedSecret::from(secret))
    }

    fn hybrid_component(&self) -> Option<(NamedGroup, &[u8])> {
        Some((self.classical.group(), self.classical.pub_key()))
    }

    fn complete_hybrid_component(
        self: Box<Self>,
        server_share: &[u8],
    ) -> Result<SharedSecret, Error> {
        self.classical.complete(server_share)
    }

    fn pub_key(&self) -> &[u8] {
        &self.share
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }
}

/// Splits a received share into its ML-KEM part and exactly one X25519 public key.
fn split<const POST_QUANTUM_SIZE: usize>(
    share: &[u8],
) -> Option<(&[u8; POST_QUANTUM_SIZE], &[u8])> {
    let (post_quantum, classical) = share.split_first_chunk::<POST_QUANTUM_SIZE>()?;
    (classical.len() == X25519_SHARE_SIZE).then_some((post_quantum, classical))
}

/// Joins the two halves with one allocation of the exact size, so that no copy of a secret is left
/// behind by a growing buffer.
fn concat(post_quantum: &[u8], classical: &[u8]) -> Vec<u8> {
    let mut joined = Vec::with_capacity(post_quantum.len().saturating_add(classical.len()));
    joined.extend_from_slice(post_quantum);
    joined.extend_from_slice(classical);
    joined
}

fn fill(out: &mut [u8]) -> Result<(), Error> {
    SystemRandom::new()
        .fill(out)
        .map_err(|ring::error::Unspecified| Error::from(GetRandomFailed))
}

fn invalid_share(_: ml_kem::InvalidKey) -> Error {
    INVALID_SHARE
}

const _: () = assert!(SEED_SIZE == size_of::<ml_kem::Seed>());

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_invalid<T>(result: Result<T, Error>) {
        assert_eq!(result.err(), Some(INVALID_SHARE));
    }

    #[test]
    fn agrees_on_sixty_four_bytes_with_shares_of_the_draft_sizes() {
        let client = X25519MLKEM768.start().unwrap();
        assert_eq!(client.pub_key().len(), 1184 + 32);
        let server = X25519MLKEM768.start_and_complete(client.pub_key()).unwrap();
        assert_eq!(server.pub_key.len(), 1088 + 32);
        assert_eq!(server.group, NamedGroup::X25519MLKEM768);
        let secret = client.complete(&server.pub_key).unwrap();
        assert_eq!(secret.secret_bytes().len(), 64);
        assert_eq!(secret.secret_bytes(), server.secret.secret_bytes());
    }

    #[test]
    fn puts_the_ml_kem_part_first_in_share_and_secret() {
        let client = X25519MLKEM768.start().unwrap();
        let (_, classical_share) = client.hybrid_component().unwrap();
        assert_eq!(&client.pub_key()[1184..], classical_share);

        // The same run computed by hand from the two primitives.
        let decapsulation_key = DecapsulationKey::from_seed([7; SEED_SIZE].into());
        let classical = X25519.start().unwrap();
        let share = concat(
            decapsulation_key.encapsulation_key().to_bytes().as_slice(),
            classical.pub_key(),
        );
        let server = X25519MLKEM768.start_and_complete(&share).unwrap();
        let (ciphertext, server_classical) = server.pub_key.split_at(1088);
        let ml_kem = decapsulation_key.decapsulate(&ciphertext.try_into().unwrap());
        let x25519 = classical.complete(server_classical).unwrap();
        assert_eq!(&server.secret.secret_bytes()[..32], ml_kem.as_slice());
        assert_eq!(&server.secret.secret_bytes()[32..], x25519.secret_bytes());
    }

    #[test]
    fn offers_the_classical_half_alone() {
        let client = X25519MLKEM768.start().unwrap();
        let (group, share) = client.hybrid_component().unwrap();
        assert_eq!(group, NamedGroup::X25519);
        let server = X25519.start_and_complete(share).unwrap();
        let secret = client.complete_hybrid_component(&server.pub_key).unwrap();
        assert_eq!(secret.secret_bytes(), server.secret.secret_bytes());
    }

    #[test]
    fn refuses_client_shares_of_any_other_length() {
        let good = X25519MLKEM768.start().unwrap().pub_key().to_vec();
        for length in [0, 1, 32, 1088 + 32, 1184, 1184 + 31] {
            assert_invalid(X25519MLKEM768.start_and_complete(&good[..length]));
        }
        let mut longer = good;
        longer.push(0);
        assert_invalid(X25519MLKEM768.start_and_complete(&longer));
    }

    #[test]
    fn refuses_server_shares_of_any_other_length() {
        let client = X25519MLKEM768.start().unwrap();
        let good = X25519MLKEM768
            .start_and_complete(client.pub_key())
            .unwrap()
            .pub_key;
        for length in [0, 1, 32, 1088, 1088 + 31] {
            assert_invalid(X25519MLKEM768.start().unwrap().complete(&good[..length]));
        }
        let mut longer = good;
        longer.push(0);
        assert_invalid(X25519MLKEM768.start().unwrap().complete(&longer));
    }

    #[test]
    fn refuses_an_encapsulation_key_with_an_unreduced_coefficient() {
        let mut share = X25519MLKEM768.start().unwrap().pub_key().to_vec();
        // The first two coefficients, 12 bits each: 0xFFF is not below q = 3329.
        share[..3].fill(0xFF);
        assert_invalid(X25519MLKEM768.start_and_complete(&share));
    }

    #[test]
    fn refuses_an_x25519_share_of_small_order() {
        let client = X25519MLKEM768.start().unwrap();
        let mut client_share = client.pub_key().to_vec();
        let mut server_share = X25519MLKEM768
            .start_and_complete(&client_share)
            .unwrap()
            .pub_key;
        client_share[1184..].fill(0);
        assert_invalid(X25519MLKEM768.start_and_complete(&client_share));
        server_share[1088..].fill(0);
        assert_invalid(client.complete(&server_share));
    }

    #[test]
    fn disagrees_when_any_part_of_the_server_share_was_changed() {
        for position in [0, 500, 1087, 1088, 1118] {
            let client = X25519MLKEM768.start().unwrap();
            let server = X25519MLKEM768.start_and_complete(client.pub_key()).unwrap();
            let mut changed = server.pub_key;
            changed[position] ^= 1;
            let secret = client.complete(&changed).unwrap();
            assert_ne!(secret.secret_bytes(), server.secret.secret_bytes());
        }
    }

    #[test]
    fn draws_new_shares_each_time() {
        let first = X25519MLKEM768.start().unwrap();
        let second = X25519MLKEM768.start().unwrap();
        assert_ne!(first.pub_key()[..1184], second.pub_key()[..1184]);
        let one = X25519MLKEM768.start_and_complete(first.pub_key()).unwrap();
        let two = X25519MLKEM768.start_and_complete(first.pub_key()).unwrap();
        assert_ne!(one.pub_key[..1088], two.pub_key[..1088]);
    }

    #[test]
    fn is_for_tls_1_3_only() {
        assert!(X25519MLKEM768.usable_for_version(ProtocolVersion::TLSv1_3));
        assert!(!X25519MLKEM768.usable_for_version(ProtocolVersion::TLSv1_2));
    }
}
