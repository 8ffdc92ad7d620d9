//! The `chancery` command for admins, members and auditors.
//!
//! Zone: client.
//!
//! # What it is
//!
//! The whole command, generic over where the anchor of the appraisal comes from: the shipped binary
//! passes [`AmdSource`] and contains no code that could accept anything else. Commands return what
//! they have to say; one module prints it, in words or as JSON.
//!
//! # What it is not
//!
//! It decides nothing about evidence: `chancery-client` connects, `chancery-session` appraises.
//!
//! # Example
//!
//! ```
//! use std::process::ExitCode;
//!
//! // A command line that names no command explains itself and fails.
//! let code = chancery_cli::run(["chancery".into()], &chancery_cli::AmdSource);
//! assert_ne!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS));
//! ```

#![forbid(unsafe_code)]

mod admins;
mod api;
mod appraise;
mod approve;
pub mod args;
mod context;
mod delegation;
mod error;
mod files;
mod hints;
mod idp;
mod import;
mod keys;
mod log;
mod member;
mod output;
mod pem;
mod plan;
mod pretty;
mod progress;
mod release;
mod report;
mod tenant;
mod time;
mod token;
mod user;
mod verify;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use chancery_verify::{Amd, Anchor};
use clap::Parser as _;
use tokio::runtime::Builder;

use crate::args::admin::GroupCommand;
use crate::context::Environment;
use crate::output::{Format, Outcome, print_error, print_outcome};

pub use crate::args::{Cli, Command, ContextArgs, GlobalOptions, VerifyArgs};
pub use crate::error::CliError;
pub use crate::keys::{create_recovery_key, create_signing_key, read_signing_key};
pub use crate::member::{ByBrowser, MemberError, SignIn};
pub use crate::release::ReleaseError;

/// Where a program's anchor comes from.
pub trait AnchorSource {
    /// The anchor's type, which decides what evidence can ever be accepted.
    type Anchor: Anchor + Send + Sync + 'static;

    /// The anchor for the deployment that `deployment_file` pins.
    ///
    /// # Errors
    ///
    /// Why there is none, in words for a person.
    fn anchor(&self, deployment_file: &Path) -> Result<Self::Anchor, String>;
}

/// AMD's roots, compiled in; the deployment file has no say.
#[derive(Clone, Copy, Debug, Default)]
pub struct AmdSource;

impl AnchorSource for AmdSource {
    type Anchor = Amd;

    fn anchor(&self, _deployment_file: &Path) -> Result<Amd, String> {
        Ok(Amd)
    }
}

/// Runs a whole command line, the program's name first, and prints what it has to say.
///
/// The exit code is 0 only if everything asked for holds, 2 for a command line that cannot be
/// understood, lacks something or has a value out of its range, 1 for everything else.
pub fn run<S: AnchorSource>(args: impl IntoIterator<Item = OsString>, source: &S) -> ExitCode {
    match Cli::try_parse_from(args) {
        Ok(cli) => execute(&cli.command, cli.global, source),
        Err(error) => {
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            // Help and version go to standard output, mistakes to standard error; if neither can be
            // written, the exit code is all that is left to say.
            drop(error.print());
            ExitCode::from(code)
        }
    }
}

/// Runs one parsed command and prints what it has to say. For programs that have commands besides.
pub fn execute<S: AnchorSource>(command: &Command, global: GlobalOptions, source: &S) -> ExitCode {
    execute_signing_in(command, global, source, &ByBrowser)
}

/// The same, where members sign in at their identity provider in another way than by a browser.
pub fn execute_signing_in<S: AnchorSource, I: SignIn>(
    command: &Command,
    global: GlobalOptions,
    source: &S,
    sign_in: &I,
) -> ExitCode {
    let format = if global.json {
        Format::Json
    } else {
        Format::Text
    };
    let outcome = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::RuntimeUnavailable)
        .and_then(|runtime| runtime.block_on(dispatch(command, source, sign_in)));
    match outcome {
        Ok(outcome) => {
            let said = print_outcome(format, &outcome);
            if outcome.holds && said.is_ok() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            // If it cannot be written, the exit code is all that is left to say.
            drop(print_error(format, &error));
            ExitCode::from(error.exit_code())
        }
    }
}

async fn dispatch<S: AnchorSource, I: SignIn>(
    command: &Command,
    source: &S,
    sign_in: &I,
) -> Result<Outcome, CliError> {
    let environment = Environment::read();
    match command {
        Command::Verify(args) => verify::run(args, &environment, source).await,
        Command::Tenant(command) => tenant::run(command, &environment, source).await,
        Command::Delegation(command) => delegation::run(command, &environment, source).await,
        Command::Token(command) => token::run(command, &environment, source).await,
        Command::Admins(command) => admins::run(command, &environment, source).await,
        Command::Auditor(command) => admins::auditor(command, &environment, source).await,
        Command::Idp(command) => idp::run(command, &environment, source).await,
        Command::Approve(args) => approve::run(args, &environment, source).await,
        Command::User(command) => user::run(command, &environment, source).await,
        Command::Group(command) => match command {
            GroupCommand::Add(args) => user::add_to_group(args, &environment, source).await,
            GroupCommand::Remove(args) => user::remove_from_group(args, &environment, source).await,
            GroupCommand::Key(args) => member::group_key(args, &environment, source).await,
        },
        Command::Plan(command) => plan::run(command, &environment, source).await,
        Command::Claim(args) => member::claim(args, &environment, source, sign_in).await,
        Command::Keys(command) => member::keys(command, &environment, source).await,
        Command::Device(command) => member::device(command, &environment, source).await,
        Command::Member(command) => member::member(command, &environment, source).await,
        Command::Log(command) => log::run(command, &environment, source).await,
        Command::Appraise(args) => appraise::run(args, source),
        Command::Report(command) => report::run(command),
        Command::Release(command) => release::run(command),
    }
}

#[cfg(test)]
mod tests;
