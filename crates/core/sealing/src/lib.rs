//! Labelled key derivation and authenticated sealing of records.
//!
//! Zone: core.
//!
//! Everything that leaves the sealed runtime for the host's store passes through [`seal`], and comes
//! back through [`open`]. The bytes carry no authority (I24): there is one algorithm, its parameters
//! are not in the record, and nothing of a record is believed before its tag has been checked.
//!
//! # What it is not
//! It is not a key store and has no clock, no storage and no ambient randomness. Randomness comes
//! from an [`Entropy`], so that one seed replays a whole run.
//!
//! # Construction
//! A sealed record is `version (1) || salt (32) || AES-256-GCM ciphertext and tag`. The message key is
//! `HKDF-Expand(key, "chancery/seal/v1" || purpose || salt)` (RFC 5869) and encrypts exactly one
//! message under the all-zero nonce, so that no pair of key and nonce is used twice (I9) unless two
//! 256-bit salts collide, whatever was restored, cloned or forked.
//!
//! ```
//! use chancery_sealing::{Entropy, EntropyError, Key, open, seal};
//!
//! struct Fixed(u8);
//! impl Entropy for Fixed {
//!     fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
//!         out.fill(self.0);
//!         self.0 = self.0.wrapping_add(1);
//!         Ok(())
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut entropy = Fixed(1);
//! let key = Key::generate(&mut entropy)?;
//! let sealed = seal(&key, "example/v1", b"place", b"secret", &mut entropy)?;
//! assert_eq!(open(&key, "example/v1", b"place", &sealed)?.as_slice(), b"secret");
//! assert!(open(&key, "example/v1", b"elsewhere", &sealed).is_err());
//! # Ok(())
//! # }
//! ```

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod entropy;
mod key;
mod seal;

pub use entropy::{Entropy, EntropyError, ExpandedEntropy};
pub use key::{Key, TAG_LENGTH, same_bytes};
pub use seal::{SEAL_OVERHEAD, SealError, open, seal};
