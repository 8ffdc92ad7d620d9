//! `chancery-dev`: the whole service on one machine, and its load generator.
//!
//! Zone: dev.
//!
//! # What it is
//!
//! Every command of `chancery`, with the anchor of an emulated secure processor in the place of AMD's,
//! a sign-in without a browser for `claim`, and two commands more: `up` starts and supervises the emulated processor, the runtime, the host and four
//! witnesses; `bench` puts load on a running service and measures it.
//!
//! # What it is not
//!
//! Never shipped, and protects nothing: the emulated processor's secrets lie in a file.
//!
//! # Example
//!
//! ```
//! use std::process::ExitCode;
//!
//! // The virtual machine's image does not exist yet: `up` says so and starts nothing.
//! let code = chancery_dev::run(["chancery-dev", "up", "--tee", "qemu"].map(Into::into));
//! assert_ne!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS));
//! ```

#![forbid(unsafe_code)]

mod anchor;
mod args;
mod attested;
mod bench;
mod console;
mod error;
mod files;
mod http;
mod login;
mod machine;
mod ready;
mod up;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::builder::ArgPredicate;
use clap::{ArgMatches, Args as _, CommandFactory as _, FromArgMatches as _};

pub use crate::anchor::EmulatedSource;
pub use crate::args::{BenchArgs, Cli, Command, GrowthArgs, Named, Tee, UpArgs};
use crate::console::Console;
pub use crate::error::DevError;
pub use crate::login::LoginArgs;

/// Runs a whole command line, the program's name first.
///
/// The exit code is 0 only if everything asked for holds, 2 for a command line that cannot be
/// understood, 1 for everything else.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match parse(args) {
        Ok((cli, login)) => dispatch(cli, &login),
        Err(error) => {
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            // If neither help nor the mistake can be written, the exit code is all that is left.
            drop(error.print());
            ExitCode::from(code)
        }
    }
}

/// The whole command line: the shipped command's `claim` has more options here, and needs no id of
/// somebody who can be looked up.
fn command_line() -> clap::Command {
    Cli::command().mut_subcommand("claim", |claim| {
        LoginArgs::augment_args(claim).mut_arg("claim", |id| {
            id.required(false)
                .required_unless_present("login_as")
                .default_value_if("login_as", ArgPredicate::IsPresent, "")
        })
    })
}

fn parse(args: impl IntoIterator<Item = OsString>) -> Result<(Cli, LoginArgs), clap::Error> {
    let mut command = command_line();
    let matches = command.try_get_matches_from_mut(args)?;
    let read = |matches: &ArgMatches| {
        let login = match matches.subcommand() {
            Some(("claim", claim)) => LoginArgs::from_arg_matches(claim)?,
            _ => LoginArgs::default(),
        };
        Ok((Cli::from_arg_matches(matches)?, login))
    };
    read(&matches).map_err(|error: clap::Error| error.format(&mut command))
}

fn dispatch(cli: Cli, login: &LoginArgs) -> ExitCode {
    let console = Console::new(cli.global.json);
    let result = match cli.command {
        Command::Up(args) => up::run(&args, &console),
        Command::Bench(args) => bench::run(&args, &console),
        Command::Shared(mut command) => match login::complete(&mut command, login, &console) {
            Ok(login) => {
                let source = &EmulatedSource;
                return chancery_cli::execute_signing_in(&command, cli.global, source, &login);
            }
            Err(error) => Err(error),
        },
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            console.error(&error);
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<(Cli, LoginArgs), clap::Error> {
        let words = line.split_whitespace().map(OsString::from);
        parse(words.collect::<Vec<_>>())
    }

    #[test]
    fn the_command_line_with_the_additions_is_well_formed() {
        command_line().debug_assert();
    }

    #[test]
    fn a_claim_can_be_told_whom_to_sign_in_here_alone() {
        let line = "chancery-dev claim --claim x --ready-file r.json --login-as ada --password p";
        let (cli, login) = parsed(line).unwrap();
        assert!(matches!(
            cli.command,
            Command::Shared(chancery_cli::Command::Claim(_))
        ));
        assert_eq!(login.login_as.as_deref(), Some("ada"));
        assert_eq!(login.password.as_deref(), Some("p"));
        assert!(parsed("chancery-dev keys rotate --login-as ada").is_err());
        assert!(parsed("chancery-dev claim --claim x --login-as ada").is_err());
        assert!(parsed("chancery-dev claim --claim x --ready-file r --password p").is_err());
        // Whoever can be looked up needs no id; everybody else does, and all of the shipped command.
        let (cli, _) = parsed("chancery-dev claim --ready-file r.json --login-as ada").unwrap();
        assert!(matches!(
            cli.command,
            Command::Shared(chancery_cli::Command::Claim(claim)) if claim.claim.is_empty()
        ));
        assert!(parsed("chancery-dev claim --ready-file r.json").is_err());
        // The shipped command has no such option.
        let shipped = line.replacen("chancery-dev", "chancery", 1);
        let words = shipped.split(' ').map(str::to_owned);
        assert!(<chancery_cli::Cli as clap::Parser>::try_parse_from(words).is_err());
    }
}
