//! Account keysets: an X-Wing HPKE key pair and an Ed25519 key pair.
//!
//! Zone: core.
//!
//! A person, a tenant's recovery key and a group epoch each are one [`Keyset`]: a KEM half that
//! others wrap to, and a signing half. The private side is a 64-byte [`KeysetSeed`], which is all
//! that is ever stored of it. The public side is a [`PublicKeyset`] with one encoding and a
//! [`Fingerprint`] over it. The formats are in `docs/spec/authority.md`.
//!
//! # What it is not
//! It stores nothing, has no clock and no ambient randomness, and does not say whose a key is: that
//! is the directory's proof. A wrap does not prove who made it: HPKE base mode has no sender
//! authentication, the sender's fingerprint is bound as context only, and who wrapped is proved by
//! the log entry at the bound position.
//!
//! # Algorithms
//! HPKE (RFC 9180) base mode with X-Wing (KEM 0x647a, X25519 and ML-KEM-768, `draft-ietf-hpke-pq`),
//! HKDF-SHA256 (KDF 0x0001) and ChaCha20-Poly1305 (AEAD 0x0003). The ids stand in every public
//! keyset and every wrap; no other combination is read.
//!
//! ```
//! use chancery_keyset::{Keyset, Wrap, WrapContext, WrapPurpose, unwrap, wrap};
//! # use chancery_sealing::{Entropy, EntropyError};
//! # struct Counting(u8);
//! # impl Entropy for Counting {
//! #     fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
//! #         for byte in out { self.0 = self.0.wrapping_add(1); *byte = self.0; }
//! #         Ok(())
//! #     }
//! # }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let mut entropy = Counting(0);
//! let (sender, recipient) = (Keyset::generate(&mut entropy)?, Keyset::generate(&mut entropy)?);
//! let context = WrapContext {
//!     purpose: WrapPurpose::GroupEpochKey,
//!     tenant: [1; 16],
//!     subject: [2; 32],
//!     sender: sender.public().fingerprint(),
//!     log_position: 7,
//! };
//! let wrapped = wrap(recipient.public(), &context, b"epoch key", &mut entropy)?;
//! let received = Wrap::decode(&wrapped.encode())?;
//! assert_eq!(unwrap(&recipient, &context, &received)?.as_slice(), b"epoch key");
//! assert!(unwrap(&sender, &context, &received).is_err());
//! # Ok(())
//! # }
//! ```

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod error;
mod keyset;
mod wrap;

pub use error::Error;
pub use keyset::{
    Fingerprint, KEM_PUBLIC_KEY_LENGTH, Keyset, KeysetSeed, PUBLIC_KEYSET_LENGTH, PublicKeyset,
    SEED_LENGTH, Suite,
};
pub use wrap::{
    WRAP_OVERHEAD, WRAP_PLAINTEXT_SIZE_MAX, Wrap, WrapContext, WrapPurpose, unwrap, wrap,
};
