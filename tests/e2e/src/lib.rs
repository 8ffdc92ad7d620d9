//! End-to-end tests against the real processes.
//!
//! Zone: tests.
//!
//! # What it is
//!
//! The harness: [`Service`] runs `chancery-dev up` on a folder of its own and ends it whatever becomes of
//! the test; [`Client`] speaks SCIM over TLS 1.2 or 1.3 as an identity provider does, byte for byte;
//! [`Tap`] stands between two ends and writes down what passes; [`Impostor`] ends TLS in its own name;
//! [`Needle`] looks for secrets. The tests themselves lie in `tests/`, one file per promise.
//!
//! # What it is not
//!
//! It builds nothing: `cargo build --workspace --bins` comes first (`cargo xtask test` does that). It uses
//! no network but this machine's own addresses, and waits for what can be seen, never for a fixed time.

#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "helpers of tests fail by panicking"
)]

mod client;
mod impostor;
mod programs;
mod scan;
mod service;
mod tap;
mod wait;

pub use client::{Answer, Client, Tls};
pub use impostor::Impostor;
pub use programs::{Finished, program, run, spawn};
pub use scan::{Needle, found};
pub use service::{Pids, Ready, Service, is_alive, signal};
pub use tap::{Recording, Tap};
pub use wait::{LONG, SHORT, back_off, eventually};
