//! Randomness that a test can repeat.

use chancery_sealing::{Entropy, EntropyError, ExpandedEntropy, Key};

/// Bytes that follow from a number.
#[derive(Debug)]
pub struct Seeded(ExpandedEntropy);

impl Seeded {
    /// The bytes of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let key = Key::from_bytes([0x5e; 32]).derive("chancery/testkit/v1", &seed.to_be_bytes());
        Self(ExpandedEntropy::new(key))
    }

    /// A fresh key.
    #[must_use]
    pub fn key(&mut self) -> Key {
        Key::generate(self).expect("expansion does not fail")
    }

    /// A number below `bound`, or 0 for bound 0.
    #[must_use]
    pub fn below(&mut self, bound: u64) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes).expect("expansion does not fail");
        u64::from_be_bytes(bytes).checked_rem(bound).unwrap_or(0)
    }
}

impl Entropy for Seeded {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        self.0.fill(out)
    }
}
