//! Every attestation vector through the verifier.
//!
//! Zone: tests.
//!
//! [`Genuine`] is a report of real hardware with its certificates and a policy under which exactly it is in order; [`Spoiled`] is one of the
//! cases that differ from a genuine one in what their name says. [`table`] appraises them all and writes the page
//! `docs/attestation-vectors.md`, which `cargo run -p chancery-vectors` prints.

#![forbid(unsafe_code)]
#![expect(
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test support crate: a vector that is missing ends the test"
)]

mod fixture;
mod genuine;
mod spoiled;
mod table;

use std::fs;

pub use fixture::{floors, policy};
pub use genuine::{Genuine, genuine_ids};
pub use spoiled::{Spoiled, spoiled_cases};
pub use table::table;

/// The folder `attestation/vectors`.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../attestation/vectors");

/// A file of `attestation/vectors`.
///
/// # Panics
/// If it is not there: the vectors are part of the tree.
#[must_use]
pub fn read(path: &str) -> Vec<u8> {
    fs::read(format!("{FOLDER}/{path}")).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A JSON file of `attestation/vectors`.
fn read_json(path: &str) -> serde_json::Value {
    serde_json::from_slice(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
