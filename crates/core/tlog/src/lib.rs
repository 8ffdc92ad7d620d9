//! C2SP transparency log: Merkle tree, notes, checkpoints, cosignatures, policy, witness.
//!
//! Zone: core.
//!
//! Pure: bytes, seeds and times in; values and decisions out. It opens no file and no socket,
//! reads no clock and draws no randomness; a shell does that. It knows nothing of what the leaves
//! of a log mean.
//!
//! One module per public specification, linked in its first line:
//!
//! | module | what |
//! |---|---|
//! | crate root | hashes, [`MerkleTree`], [`verify_inclusion`], [`verify_consistency`] |
//! | [`note`] | signed notes, verifier and signer keys |
//! | [`checkpoint`] | log heads: [`UnverifiedCheckpoint`] becomes [`Checkpoint`] |
//! | [`cosign`] | `cosignature/v1` of a witness |
//! | [`policy`] | which cosignatures suffice: a [`CosignedCheckpoint`] is the proof |
//! | [`witness`] | the `add-checkpoint` messages and a witness's decision |
//! | [`tile`] | tile paths, tile and entry bundle contents |
//! | [`proof`] | offline inclusion proofs |
//!
//! # Example
//!
//! A log head is signed, cosigned and checked:
//!
//! ```
//! use chancery_tlog::{Checkpoint, Error, MerkleTree, SignerKey, TreeHead, UnverifiedCheckpoint};
//! use chancery_tlog::{CosignerKey, Policy, leaf_hash};
//!
//! fn main() -> Result<(), Error> {
//!     let log = SignerKey::from_seed("log.example", &[1; 32])?;
//!     let witness = CosignerKey::from_seed("witness.example", &[2; 32])?;
//!     let policy = Policy::parse(&format!("witness w {}\nquorum w\n", witness.verifier()))?;
//!
//!     let mut tree = MerkleTree::new();
//!     tree.append(leaf_hash(b"first entry"));
//!     let head = TreeHead::new("log.example", tree.size(), tree.root())?;
//!     let mut note = Checkpoint::sign(head, &log)?.note().clone();
//!     let received = UnverifiedCheckpoint::parse(note.encode().as_bytes())?;
//!     let refused = policy.check(&received, "log.example", log.verifier());
//!     assert_eq!(refused.err(), Some(Error::QuorumMissing));
//!
//!     note.push(witness.cosign(note.text(), 1_700_000_000)?)?;
//!     let received = UnverifiedCheckpoint::parse(note.encode().as_bytes())?;
//!     let cosigned = policy.check(&received, "log.example", log.verifier())?;
//!     assert_eq!((cosigned.size(), cosigned.time_floor_s()), (1, 1_700_000_000));
//!     Ok(())
//! }
//! ```
//!
//! # Choices where specifications leave room
//!
//! - Signatures are Ed25519 with `verify_strict`: canonical S, no small-order keys or R. Public
//!   keys must be canonically encoded, so that one key is one byte string.
//! - Types `0x02`, `0x05` and `0x06` are carried in notes and ignored; keys of these types are
//!   refused. Every signature line of a known key must verify, also a second one.
//! - Numbers, base64 and key ids have exactly one accepted spelling.
//! - A policy without quorum, or with two quorums that need not share a witness, is refused.
//! - Checkpoint extension lines are signed over but mean nothing.

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

pub mod checkpoint;
pub mod cosign;
mod error;
mod hash;
mod merkle;
pub mod note;
pub mod policy;
pub mod proof;
mod text;
pub mod tile;
pub mod witness;

pub use checkpoint::Checkpoint;
pub use checkpoint::TreeHead;
pub use checkpoint::UnverifiedCheckpoint;
pub use cosign::CosignerKey;
pub use error::Error;
pub use hash::HASH_BYTES;
pub use hash::Hash;
pub use hash::leaf_hash;
pub use hash::node_hash;
pub use merkle::MerkleTree;
pub use merkle::PROOF_HASHES_MAX;
pub use merkle::TREE_SIZE_MAX;
pub use merkle::verify_consistency;
pub use merkle::verify_inclusion;
pub use note::KeyKind;
pub use note::NoteSignature;
pub use note::SignedNote;
pub use note::SignerKey;
pub use note::VerifierKey;
pub use policy::CosignedCheckpoint;
pub use policy::Policy;
