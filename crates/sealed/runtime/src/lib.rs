//! The sealed runtime: TLS, HTTP and the shell around the engine.
//!
//! Zone: sealed.
//!
//! [`run`] takes a secure processor and a transport to the host and serves until it must stop. It opens
//! no file and no network connection of its own: configuration, store, witnesses and clients all come
//! through the host, which is believed in nothing (I6).
//!
//! # What it is not
//! It decides nothing about tenants: the engine does. It knows no emulated processor: the caller's
//! [`chancery_verify::Anchor`] only chooses the strings that evidence carries.

#![forbid(unsafe_code)]

mod announce;
pub mod arguments;
pub mod attested;
mod audit;
mod body;
pub mod boot;
pub mod certificates;
pub mod claims;
pub mod clock;
pub mod collateral;
pub mod commit;
pub mod configuration;
pub mod connection;
pub mod entropy;
mod framing;
mod host_name;
pub mod http;
mod https;
pub mod issuer;
pub mod link;
pub mod metrics;
pub mod node;
pub mod oauth;
mod run;
pub mod scim;
pub mod sequencer;
pub mod service;
pub mod status;
pub mod transport;
mod turns;
mod upkeep;
pub mod witnesses;

pub use run::{Machine, run};
pub use transport::{Transport, Unix};

/// Runs the runtime on this thread and a few more until the process ends.
///
/// # Errors
/// If no threads can be started.
pub fn block_on<A: chancery_verify::Anchor>(machine: Machine) -> std::io::Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(run::<A>(machine));
    Ok(())
}

/// Writes one line for the operator. The texts are this program's own and carry nothing of a request
/// (I7).
#[expect(
    clippy::print_stderr,
    reason = "the one place that writes to the operator's journal"
)]
pub fn journal_line(text: &str) {
    eprintln!("chancery-runtime: {text}");
}
