//! Prints the table of attestation vectors and their verdicts.
//!
//! Zone: tests.

#![forbid(unsafe_code)]

use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let page = chancery_vectors::table();
    match std::io::stdout().lock().write_all(page.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        // A reader that has gone away.
        Err(_closed) => ExitCode::FAILURE,
    }
}
