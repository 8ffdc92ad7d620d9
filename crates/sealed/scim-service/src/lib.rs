//! SCIM over HTTP (RFC 7644), without sockets: from a request to acts of the engine, and back.
//!
//! Zone: sealed.
//!
//! # What it is
//!
//! [`answer`] takes a request whose caller is known and gives its answer. What it needs of the world
//! (the directory that readers see, the way to the engine, time, randomness) it reaches through
//! [`Directory`], so that the runtime serves it over TLS and tests and benches drive it in memory.
//!
//! # What it is not
//!
//! It opens no connection, checks no credential's secret and reads no clock. It decides nothing about
//! an act: the engine does, at commit time.

#![forbid(unsafe_code)]

mod answers;
mod bulk;
mod cursor;
mod directory;
mod item;
mod listing;
mod path;
mod read;
mod rendered;
mod route;
mod selection;
mod write;

pub use answers::{allowing, error, retry_later, too_long, unauthorized};
pub use directory::{ActFailure, Directory};
pub use route::{Answer, Caller, Request, answer};

/// The media type of RFC 7644 section 8.1.
const MEDIA_TYPE: &str = "application/scim+json";
