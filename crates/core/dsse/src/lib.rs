//! DSSE envelopes over JSON payloads with Ed25519 keys and thresholds.
//!
//! Zone: core.
//!
//! What people sign travels in an envelope of
//! [DSSE v1](https://github.com/secure-systems-lab/dsse/blob/master/protocol.md): the signature covers
//! the payload's exact bytes and its type, so that nothing is re-encoded before it is checked and an
//! object of one kind is never taken for another.
//!
//! # What it is not
//! It does not know what a payload means, whose keys are to be believed or what time it is. It has no
//! I/O, no clock and no randomness: Ed25519 signatures are deterministic.
//!
//! # Stricter than DSSE v1
//! * Unknown and duplicate members are refused, and base64 is the standard alphabet, padded and canonical.
//! * `keyid` is required: the lower-case hexadecimal SHA-256 of the 32-byte public key. It still only
//!   says which key to try; what counts is that the signature verifies under that key.
//! * An envelope with two signatures of one key, or with a signature that names a known key and does
//!   not verify under it, is refused as a whole. A signature of an unknown key counts for nothing.
//! * Signatures are checked by the strict rule: the scalar is reduced, neither point has a small order.
//!
//! ```
//! use chancery_dsse::{Envelope, Error, SigningKey};
//!
//! # fn main() -> Result<(), Error> {
//! let (alice, bob) = (SigningKey::from_seed([1; 32]), SigningKey::from_seed([2; 32]));
//! let envelope = Envelope::sign("application/example+json", b"{}", &[&alice, &bob])?;
//! let received = Envelope::parse(&envelope.to_json())?;
//! let keys = [alice.public_key(), bob.public_key()];
//! let verified = received.verify("application/example+json", &keys, 2)?;
//! assert_eq!(verified.payload(), b"{}");
//! assert!(received.verify("application/other+json", &keys, 2).is_err());
//! # Ok(())
//! # }
//! ```
//!
//! A [`Verified`] cannot be made in another way:
//!
//! ```compile_fail
//! let forged = chancery_dsse::Verified { payload: vec![], signers: vec![] };
//! ```

#![no_std]
#![forbid(unsafe_code)]
#![warn(
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    clippy::exhaustive_enums,
    clippy::exhaustive_structs
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod envelope;
mod error;
mod key;

pub use envelope::{
    ENVELOPE_SIZE_MAX, Envelope, PAYLOAD_SIZE_MAX, PAYLOAD_TYPE_LENGTH_MAX, SIGNATURES_MAX,
    Verified, pre_authentication_encoding,
};
pub use error::Error;
pub use key::{KeyId, PublicKey, SigningKey};
