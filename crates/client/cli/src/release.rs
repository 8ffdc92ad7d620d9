//! `release …`: measure an image, and sign and check what release keys sign.

mod document;
mod error;
mod keygen;
mod measure;
mod sign;
#[cfg(test)]
mod tests;
mod verify;

use crate::args::release::ReleaseCommand;
use crate::error::CliError;
use crate::output::Outcome;

pub(crate) use self::document::is_envelope;
pub use self::error::ReleaseError;

/// Runs `release …`.
pub(crate) fn run(command: &ReleaseCommand) -> Result<Outcome, CliError> {
    match command {
        ReleaseCommand::Measure(args) => measure::run(args),
        ReleaseCommand::Keygen(args) => keygen::run(args),
        ReleaseCommand::Sign(args) => sign::run(args),
        ReleaseCommand::Verify(args) => verify::run(args),
    }
}
