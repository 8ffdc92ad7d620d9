//! The system's randomness, as the crates here want it.

use ring::rand::{SecureRandom as _, SystemRandom};
use rsa::rand_core::{TryCryptoRng, TryRng};

use crate::error::EmulationError;

/// Random bytes from the system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], EmulationError> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .ok()
        .ok_or(EmulationError::Crypto)?;
    Ok(bytes)
}

/// The system's randomness for key generation and signatures of the crate `rsa`.
#[derive(Debug)]
pub(crate) struct SystemRng;

/// The system gave no randomness.
#[derive(Debug)]
pub(crate) struct NoRandomness;

impl std::fmt::Display for NoRandomness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the system gave no randomness")
    }
}

impl std::error::Error for NoRandomness {}

impl TryRng for SystemRng {
    type Error = NoRandomness;

    fn try_next_u32(&mut self) -> Result<u32, NoRandomness> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, NoRandomness> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), NoRandomness> {
        SystemRandom::new().fill(out).ok().ok_or(NoRandomness)
    }
}

impl TryCryptoRng for SystemRng {}
