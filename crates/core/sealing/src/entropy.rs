//! Randomness as an argument.

use core::fmt;

/// The source of randomness could not give what was asked.
///
/// Key generation stops on it (I10); it is never replaced by weaker bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
