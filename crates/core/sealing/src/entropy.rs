//! Randomness as an argument.

use core::fmt;

use crate::key::{Key, TAG_LENGTH};

/// The source of randomness could not give what was asked.
///
/// Key generation stops on it (I10); it is never replaced by weaker bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "sources outside this crate report it"
)]
pub struct EntropyError;

impl fmt::Display for EntropyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the source of randomness failed")
    }
}

impl core::error::Error for EntropyError {}

/// A source of unpredictable bytes, or in a simulation of repeatable ones.
pub trait Entropy {
    /// Fills `out` with random bytes.
    ///
    /// # Errors
    /// [`EntropyError`] if the source is not seeded or failed a health test.
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError>;
}

/// Bytes expanded from one key: HMAC-SHA-256 over a counter. As unpredictable as its key, and the same
/// for the same key, so that a decision that needs randomness can be replayed.
#[derive(Debug)]
pub struct ExpandedEntropy {
    key: Key,
    counter: u64,
}

impl ExpandedEntropy {
    /// Expands `key`, which serves nothing else.
    #[must_use]
    pub const fn new(key: Key) -> Self {
        Self { key, counter: 0 }
    }
}

impl Entropy for ExpandedEntropy {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        for chunk in out.chunks_mut(TAG_LENGTH) {
            let mut block = self
                .key
                .tag("chancery/entropy/expand/v1", &self.counter.to_be_bytes());
            self.counter = self.counter.checked_add(1).ok_or(EntropyError)?;
            chunk
                .iter_mut()
                .zip(block.iter())
                .for_each(|(to, from)| *to = *from);
            zeroize::Zeroize::zeroize(&mut block);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expansion_repeats_for_one_key_and_never_within_it() {
        let mut first = ExpandedEntropy::new(Key::from_bytes([1; 32]));
        let mut again = ExpandedEntropy::new(Key::from_bytes([1; 32]));
        let (mut a, mut b) = ([0; 96], [0; 96]);
        first.fill(&mut a).unwrap();
        again.fill(&mut b).unwrap();
        assert_eq!(a, b);
        assert_ne!(a[..32], a[32..64]);
        first.fill(&mut b).unwrap();
        assert_ne!(a, b);
    }
}
