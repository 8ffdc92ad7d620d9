//! `chancery-dev`: the whole service on one machine, and its load generator.
//!
//! Zone: dev.
//!
//! # What it is
//!
//! Every command of `chancery`, with the anchor of an emulated secure processor in the place of AMD's,
//! and two more: `up` starts and supervises the emulated processor, the runtime, the host and four
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
mod bench;
mod console;
mod error;
mod files;
mod http;
mod machine;
mod ready;
mod up;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

pub use crate::anchor::EmulatedSource;
pub use crate::args::{BenchArgs, Cli, Command, Tee, UpArgs};
use crate::console::Console;
pub use crate::error::DevError;

/// Runs a whole command line, the program's name first.
///
/// The exit code is 0 only if everything asked for holds, 2 for a command line that cannot be
/// understood, 1 for everything else.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match Cli::try_parse_from(args) {
        Ok(cli) => dispatch(&cli),
        Err(error) => {
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            // If neither help nor the mistake can be written, the exit code is all that is left.
            drop(error.print());
            ExitCode::from(code)
        }
    }
}

fn dispatch(cli: &Cli) -> ExitCode {
    let result = match &cli.command {
        Command::Up(args) => {
            let console = Console::new(cli.global.json);
            up::run(args, &console).map_err(|error| (console, error))
        }
        Command::Bench(args) => {
            let console = Console::new(cli.global.json);
            bench::run(args, &console).map_err(|error| (console, error))
        }
        Command::Shared(command) => {
            return chancery_cli::execute(command, cli.global, &EmulatedSource);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err((console, error)) => {
            console.error(&error);
            ExitCode::FAILURE
        }
    }
}
