//! `release keygen`: a key that signs releases.

use crate::admins::make_key;
use crate::args::release::ReleaseKeygenArgs;
use crate::error::CliError;
use crate::output::Outcome;

/// Runs `release keygen`.
pub(super) fn run(args: &ReleaseKeygenArgs) -> Result<Outcome, CliError> {
    make_key(&args.out, "whoever pins the deployment's release keys")
}
