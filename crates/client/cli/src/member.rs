//! The member's side: claim, keys, devices, group keys, and proofs of other people's keys.
//!
//! Private keys are made and kept here alone. What leaves this machine is signed, public, or wrapped
//! to one of the member's own devices.

mod answers;
mod claim;
mod code;
mod device;
mod error;
mod group;
mod history;
mod home;
mod lookup;
mod oidc;
mod paper;
mod proof;
mod redirect;
mod rotate;
mod session;
mod show;
mod sign_in;

use chancery_sealing::{Entropy, EntropyError};
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::AnchorSource;
use crate::args::member::{DeviceCommand, KeysCommand, MemberCommand};
use crate::context::Environment;
use crate::error::CliError;
use crate::output::Outcome;

pub(crate) use claim::run as claim;
pub(crate) use group::key as group_key;

pub use error::MemberError;
pub use sign_in::{ByBrowser, SignIn};

/// The operating system's random source.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        SystemRandom::new()
            .fill(out)
            .map_err(|ring::error::Unspecified| EntropyError)
    }
}

/// Runs `keys …`.
pub(crate) async fn keys<S: AnchorSource>(
    command: &KeysCommand,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    match command {
        KeysCommand::Lookup(args) => lookup::run(args, environment, source).await,
        KeysCommand::History(args) => history::run(args, environment, source).await,
        KeysCommand::Rotate(args) => rotate::run(args, environment, source).await,
    }
}

/// Runs `device …`.
pub(crate) async fn device<S: AnchorSource>(
    command: &DeviceCommand,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    match command {
        DeviceCommand::Request(args) => device::request(args, environment),
        DeviceCommand::Add(args) => device::add(args, environment, source).await,
        DeviceCommand::Accept(args) => device::accept(args, environment, source).await,
        DeviceCommand::List(args) => show::devices(args, environment, source).await,
        DeviceCommand::Revoke(args) => device::revoke(args, environment, source).await,
    }
}

/// Runs `member …`.
pub(crate) async fn member<S: AnchorSource>(
    command: &MemberCommand,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    match command {
        MemberCommand::Show(args) => show::run(args, environment, source).await,
    }
}
