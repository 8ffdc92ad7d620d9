//! `chancery`: the shipped command. It knows AMD's roots alone; nothing that it is given makes it
//! accept emulated evidence (I1).
//!
//! Zone: client.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use chancery_cli::AmdSource;

fn main() -> ExitCode {
    chancery_cli::run(std::env::args_os(), &AmdSource)
}
