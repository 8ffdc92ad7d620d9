//! What the tests share: published values and a seeded generator.

use std::string::String;
use std::vec::Vec;

/// SplitMix64: the same numbers for the same seed, everywhere.
pub(crate) struct Seeded(pub(crate) u64);

impl Seeded {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(crate) fn bytes32(&mut self) -> [u8; 32] {
        let mut out = [0; 32];
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes());
        }
        out
    }
}

/// The value `name` of `vectors/structures.json`.
pub(crate) fn vector(name: &str) -> serde_json::Value {
    let all: serde_json::Value =
        serde_json::from_str(include_str!("../vectors/structures.json")).unwrap();
    all[name].clone()
}

/// The hexadecimal value `name` of `vectors/structures.json`.
pub(crate) fn vector_hex(name: &str) -> Vec<u8> {
    unhex(vector(name).as_str().unwrap())
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

/// Holds a decoder to its promises on one valid input: the input re-encodes to itself, every strict
/// prefix is refused, a trailing byte is refused, and whatever else it accepts re-encodes to itself.
pub(crate) fn check_strict<T, E: core::fmt::Debug>(
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, E>,
    encode: impl Fn(&T) -> Vec<u8>,
) {
    assert_eq!(encode(&decode(bytes).unwrap()), bytes);
    for length in 0..bytes.len() {
        assert!(
            decode(&bytes[..length]).is_err(),
            "prefix of {length} bytes was accepted"
        );
    }
    let mut longer = bytes.to_vec();
    longer.push(0);
    assert!(decode(&longer).is_err(), "a trailing byte was accepted");
    for at in 0..bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut changed = bytes.to_vec();
            changed[at] ^= flip;
            if let Ok(value) = decode(&changed) {
                assert_eq!(encode(&value), changed, "byte {at} has two encodings");
            }
        }
    }
}

/// The text of a value's `Display`.
pub(crate) fn shown(value: impl core::fmt::Display) -> String {
    std::format!("{value}")
}
