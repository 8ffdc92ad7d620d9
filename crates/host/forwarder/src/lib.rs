//! The untrusted host: forwards bytes, keeps sealed records, opens named connections.
//!
//! Zone: host.
//!
//! One process stands between the network and the sealed runtime, which has neither network nor files
//! of its own:
//!
//! - it accepts TCP connections and copies their bytes to the runtime and back, parsing nothing;
//! - it keeps the runtime's sealed records in [`chancery_store`];
//! - it hands out three files that the runtime checks for itself;
//! - it opens outbound connections, only to the names in its own configuration and to the issuers that it allows;
//! - it answers `/healthz` and `/metrics` on a port of its own, from a closed list of numbers.
//!
//! # What this is not
//!
//! It holds no key and cannot read what it carries: TLS ends in the runtime, records are sealed. It
//! depends on the frame types and on no parser of what users send, so that it *cannot* look inside.
//! What a hostile version of it can do is to delay, drop and roll back, and the runtime and its
//! clients are built to notice.
//!
//! The streams between the two processes are specified in `docs/spec/host-protocol.md`.

#![forbid(unsafe_code)]

mod config;
mod counters;
mod destination;
mod error;
mod event;
mod files;
mod forward;
mod metrics;
mod process;
mod server;
mod service;
mod status;
mod stream;
mod worker;

pub use crate::config::{Blobs, Config, ConfigError};
pub use crate::destination::{Destinations, Issuers};
pub use crate::error::HostError;
pub use crate::server::run;
