//! Account keysets: an X-Wing HPKE key pair and an Ed25519 key pair.
//!
//! Zone: core.

#![forbid(unsafe_code)]
