//! C2SP transparency log: Merkle tree, notes, checkpoints, cosignatures, policy, witness.
//!
//! Zone: core.

#![forbid(unsafe_code)]
