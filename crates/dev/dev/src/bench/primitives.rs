//! The cryptographic operations that creating a user makes, measured in the same run on one thread.

use std::hint::black_box;

use chancery_directory::vrf;
use chancery_dsse::SigningKey;
use chancery_keyset::Keyset;
use chancery_sealing::{ExpandedEntropy, Key, seal};
use chancery_tlog::{Hash, leaf_hash, node_hash};

use crate::bench::measure::float;
use crate::error::DevError;
use crate::machine::thread_cpu_ns;

/// Batches of each operation; the fastest one counts, because whatever else runs only adds.
const BATCHES: u32 = 15;
/// CPU time of one batch in nanoseconds, at least.
const BATCH_NS_MIN: u64 = 2_000_000;
/// Bytes of sealed record that a user adds to its batch.
const RECORD_SIZE: usize = 1536;
/// Bytes of a request and of its answer on the wire.
const MESSAGE_SIZE: usize = 1024;
/// Bytes of a log entry.
const ENTRY_SIZE: usize = 256;
/// Bytes of a public keyset with what stands around it.
const PUBLIC_KEYSET_SIZE: usize = 1400;

/// One operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Primitive {
    /// What it is.
    pub(crate) name: &'static str,
    /// How often a created user needs it.
    pub(crate) count: Count,
    /// CPU time of one in microseconds.
    pub(crate) us: f64,
}

/// How often a created user needs an operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Count {
    /// So many times for each user.
    User(f64),
    /// So many times for each batch of users.
    Batch(f64),
    /// For each user, once for each level of a tree of all users that a batch does not share, so many
    /// times.
    Level(f64),
}

impl Count {
    /// How often for one user, if a batch holds `batch` of `users`.
    pub(crate) fn per_user(self, users: u64, batch: f64) -> f64 {
        let batch = batch.max(1.0);
        match self {
            Self::User(count) => count,
            Self::Batch(count) => count / batch,
            Self::Level(count) => {
                // A batch shares the levels above its own width, where it makes one node for two.
                let levels = (float(users.max(1)) / batch).log2().max(0.0) + 1.0;
                count * levels
            }
        }
    }
}

/// Sum over all operations for one user, in microseconds.
pub(crate) fn sum_us(primitives: &[Primitive], users: u64, batch: f64) -> f64 {
    let each = primitives.iter();
    each.map(|primitive| primitive.us * primitive.count.per_user(users, batch))
        .sum()
}

/// Measures every operation.
pub(crate) fn measure() -> Result<Vec<Primitive>, DevError> {
    let mut bench = Primitives(Vec::new());
    bench.keys()?;
    bench.ciphers()?;
    bench.hashes()?;
    bench.signatures()?;
    Ok(bench.0)
}

struct Primitives(Vec<Primitive>);

impl Primitives {
    fn add(
        &mut self,
        name: &'static str,
        count: Count,
        operation: impl FnMut() -> bool,
    ) -> Result<(), DevError> {
        let us = time_us(operation)?;
        self.0.push(Primitive { name, count, us });
        Ok(())
    }

    fn keys(&mut self) -> Result<(), DevError> {
        let mut entropy = ExpandedEntropy::new(Key::from_bytes([8; 32]));
        let names = vrf::SecretKey::from_seed(&[10; 32]).map_err(|_seed| DevError::Primitive)?;
        self.add(
            "X-Wing and Ed25519 key generation",
            Count::User(1.0),
            || Keyset::generate(&mut entropy).is_ok(),
        )?;
        self.add("VRF of the name", Count::User(1.0), || {
            black_box(names.evaluate(black_box(b"user@demo.example"))) != [0; 64]
        })
    }

    fn ciphers(&mut self) -> Result<(), DevError> {
        let key = Key::from_bytes([7; 32]);
        let mut entropy = ExpandedEntropy::new(Key::from_bytes([8; 32]));
        let aead = Aead::new()?;
        let (record, message) = ([4; RECORD_SIZE], [5; MESSAGE_SIZE]);
        self.add("sealing the private keys, 64 B", Count::User(1.0), || {
            seal(&key, "chancery/bench/v1", b"", &[3; 64], &mut entropy).is_ok()
        })?;
        self.add(
            "AES-256-GCM of the record, 1.5 KB",
            Count::User(1.0),
            || aead.seal(&record),
        )?;
        self.add(
            "AES-256-GCM of a TLS message, 1 KB",
            Count::User(2.0),
            || aead.seal(&message),
        )
    }

    fn hashes(&mut self) -> Result<(), DevError> {
        let key = Key::from_bytes([7; 32]);
        let (entry, keyset, node) = ([1; ENTRY_SIZE], [2; PUBLIC_KEYSET_SIZE], Hash([6; 32]));
        self.add(
            "HMAC-SHA-256: token, draws, openings",
            Count::User(14.0),
            || black_box(key.tag("chancery/bench/v1", black_box(&[9; 16]))) != [0; 32],
        )?;
        self.add(
            "SHA-256 of the public keys, 1.4 KB",
            Count::User(2.0),
            || black_box(leaf_hash(black_box(&keyset))) != node,
        )?;
        self.add("SHA-256 of a log entry, 256 B", Count::User(2.0), || {
            black_box(leaf_hash(black_box(&entry))) != node
        })?;
        self.add("SHA-256 of a tree node", Count::Level(3.0), || {
            black_box(node_hash(black_box(&node), &node)) != node
        })
    }

    fn signatures(&mut self) -> Result<(), DevError> {
        let signer = SigningKey::from_seed([9; 32]);
        let (public, message) = (signer.public_key(), [1; MESSAGE_SIZE / 4]);
        let signature = signer.sign(&message);
        self.add(
            "Ed25519 signature of the checkpoint",
            Count::Batch(1.0),
            || black_box(signer.sign(black_box(&message))) != [0; 64],
        )?;
        self.add(
            "Ed25519 verification of a cosignature",
            Count::Batch(4.0),
            || public.verifies(black_box(&message), &signature),
        )
    }
}

/// AES-256-GCM with a key that is set up.
struct Aead(ring::aead::LessSafeKey);

impl Aead {
    fn new() -> Result<Self, DevError> {
        let key = ring::aead::UnboundKey::new(&ring::aead::AES_256_GCM, &[11; 32]);
        let key = key.map_err(|ring::error::Unspecified| DevError::Primitive)?;
        Ok(Self(ring::aead::LessSafeKey::new(key)))
    }

    fn seal(&self, message: &[u8]) -> bool {
        // The nonce repeats: nothing is protected here.
        let nonce = ring::aead::Nonce::assume_unique_for_key([0; 12]);
        let mut sealed = message.to_vec();
        self.0
            .seal_in_place_append_tag(nonce, ring::aead::Aad::empty(), &mut sealed)
            .is_ok()
    }
}

/// CPU time of one operation in microseconds: the fastest of several batches.
fn time_us(mut operation: impl FnMut() -> bool) -> Result<f64, DevError> {
    let mut run = |count: u64| {
        let begun = thread_cpu_ns();
        for _ in 0..count {
            if !black_box(operation()) {
                return Err(DevError::Primitive);
            }
        }
        Ok(thread_cpu_ns().saturating_sub(begun))
    };
    let mut count = 1_u64;
    while run(count)? < BATCH_NS_MIN {
        count = count.saturating_mul(2);
    }
    let mut fastest = u64::MAX;
    for _ in 0..BATCHES {
        fastest = fastest.min(run(count)?);
    }
    Ok(float(fastest) / float(count) / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_follow_the_batch_and_the_number_of_users() {
        assert_eq!(Count::User(2.0).per_user(1000, 10.0), 2.0);
        assert_eq!(Count::Batch(4.0).per_user(1000, 8.0), 0.5);
        assert_eq!(Count::Batch(4.0).per_user(1000, 0.0), 4.0);
        assert_eq!(Count::Level(2.0).per_user(1024, 1.0), 22.0);
        assert_eq!(Count::Level(2.0).per_user(1024, 1024.0), 2.0);
        let primitives = [
            Primitive {
                name: "a",
                count: Count::User(2.0),
                us: 1.5,
            },
            Primitive {
                name: "b",
                count: Count::Batch(1.0),
                us: 8.0,
            },
        ];
        assert_eq!(sum_us(&primitives, 100, 4.0), 5.0);
    }

    #[test]
    fn a_failing_operation_is_not_timed() {
        assert!(matches!(time_us(|| false), Err(DevError::Primitive)));
    }

    #[test]
    fn every_operation_of_the_path_takes_time() {
        let primitives = measure().unwrap();
        assert_eq!(primitives.len(), 11);
        assert!(primitives.iter().all(|primitive| primitive.us > 0.0));
    }
}
