//! End-to-end tests against the real processes.
//!
//! Zone: tests.
//!
//! # What it is
//!
//! The harness: [`Service`] runs `chancery-dev up` on a folder of its own and ends it whatever becomes of
//! the test; [`Client`] speaks SCIM over TLS 1.2 or 1.3 as an identity provider does, byte for byte;
//! [`Tap`] stands between two ends and writes down what passes, [`Proxy`] loses some of it; [`Impostor`]
//! ends TLS in the runtime's name, by an [`Identity`] that it invented or stole; [`Needle`] looks for secrets. [`Customer`] makes and runs a tenant by the
//! printed commands; [`Issuer`] is where its members sign in; [`Claimant`] claims by bytes of its own. The tests themselves lie in `tests/`, one file per promise.
//!
//! # What it is not
//!
//! It builds nothing but `vendor-app`, an app that uses hyper's pooled client over the attested connector: `cargo build --workspace
//! --bins` comes first (`cargo xtask test` does that). It uses no network but this machine's own addresses (but for the packages of Canaille, the first time), and waits for what can be seen, never for a fixed time.

#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "helpers of tests fail by panicking"
)]

mod claimant;
mod client;
mod customer;
mod hello;
mod impostor;
mod oidc;
mod programs;
mod proxy;
mod scan;
mod service;
mod tap;
mod unsealed;
mod verdict;
mod wait;

pub use claimant::{Claimant, context};
pub use client::{Answer, Client, Tls, plain};
pub use customer::Customer;
pub use hello::{ClientHello, SUPPORTED_VERSIONS};
pub use impostor::{Heard, Identity, Impostor, Request, Terms};
pub use oidc::{Claiming, ForeignIssuer, Issuer};
pub use programs::{Finished, Running, program, run, start, start_command};
pub use proxy::{Fate, Passing, Proxy};
pub use scan::{Needle, found};
pub use service::{Pids, Ready, Service, is_alive, signal};
pub use tap::{Recording, Tap};
pub use unsealed::{leaf_key, private_keys};
pub use verdict::{checks, refused};
pub use wait::{LONG, SHORT, back_off, eventually};
