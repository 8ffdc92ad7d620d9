//! Randomness of the running system (I10).
//!
//! The kernel's generator is seeded by `RDRAND` and `RDSEED` among others; a value that the secure
//! processor derives for this chip and image is mixed in, so that a host that controls the guest's
//! other sources still does not know the output. Output is HMAC-SHA-256 over fresh kernel bytes,
//! keyed with that mixed value.

use chancery_sealing::{Entropy, EntropyError, Key};
use ring::rand::{SecureRandom, SystemRandom};

/// Bytes that one extraction yields.
const BLOCK: usize = 32;

/// The kernel's generator, mixed with a secret of this launch.
pub struct SystemEntropy {
    source: SystemRandom,
    mixer: Key,
    counter: u64,
    last: [u8; BLOCK],
}

impl std::fmt::Debug for SystemEntropy {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SystemEntropy(redacted)")
    }
}

impl SystemEntropy {
    /// Mixes the kernel's bytes with `mixer`.
    ///
    /// # Errors
    /// [`EntropyError`] if the kernel has none.
    pub fn new(mixer: &Key) -> Result<Self, EntropyError> {
        let source = SystemRandom::new();
        let mut fresh = [0; BLOCK];
        source
            .fill(&mut fresh)
            .map_err(|_unspecified| EntropyError)?;
        Ok(Self {
            source,
            mixer: mixer.derive("chancery/entropy/mixer/v1", &fresh),
            counter: 0,
            last: [0; BLOCK],
        })
    }

    /// Another independent source from this one, for another thread.
    ///
    /// # Errors
    /// [`EntropyError`] if the kernel has none.
    pub fn fork(&mut self) -> Result<Self, EntropyError> {
        let seed = Key::generate(self)?;
        Self::new(&seed)
    }
}

impl Entropy for SystemEntropy {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        for chunk in out.chunks_mut(BLOCK) {
            let mut fresh = [0; BLOCK];
            self.source
                .fill(&mut fresh)
                .map_err(|_unspecified| EntropyError)?;
            // A repeated block of 256 bits means that the source is stuck (SP 800-90B section 4.4.1,
            // with a cut-off that a working source never meets).
            if chancery_sealing::same_bytes(&fresh, &self.last) {
                return Err(EntropyError);
            }
            self.last = fresh;
            self.counter = self.counter.wrapping_add(1);
            let mut context = [0; BLOCK + 8];
            context
                .iter_mut()
                .zip(fresh.iter().chain(&self.counter.to_be_bytes()))
                .for_each(|(to, from)| {
                    *to = *from;
                });
            let block =
                zeroize::Zeroizing::new(self.mixer.tag("chancery/entropy/output/v1", &context));
            chunk
                .iter_mut()
                .zip(block.iter())
                .for_each(|(to, from)| *to = *from);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_sources_with_one_mixer_differ_and_no_block_repeats() {
        let mixer = Key::from_bytes([1; 32]);
        let mut first = SystemEntropy::new(&mixer).unwrap();
        let mut second = first.fork().unwrap();
        let (mut a, mut b) = ([0; 100], [0; 100]);
        first.fill(&mut a).unwrap();
        second.fill(&mut b).unwrap();
        assert_ne!(a, b);
        assert_ne!(a[..32], a[32..64]);
    }
}
