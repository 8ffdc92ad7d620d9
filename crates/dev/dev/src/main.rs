//! `chancery-dev`: the whole service on one machine. It protects nothing.
//!
//! Zone: dev.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    chancery_dev::run(std::env::args_os())
}
