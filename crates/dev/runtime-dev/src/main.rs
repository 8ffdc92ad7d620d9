//! `chancery-runtime-dev`: the runtime on the emulated secure processor. It protects nothing.
//!
//! Zone: dev.

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::Arc;

use chancery_emulated_sp::{EmulatedAnchor, EmulatedProcessor};
use chancery_runtime::{Machine, arguments, block_on, journal_line};

fn main() -> ExitCode {
    let transport = match arguments::parse(std::env::args().skip(1)) {
        Ok(transport) => transport,
        Err(usage) => {
            journal_line(usage);
            return ExitCode::from(2);
        }
    };
    // A guest does not outlive its processor.
    let processor = match EmulatedProcessor::from_stdin(end) {
        Ok(processor) => Arc::new(processor),
        Err(error) => {
            journal_line(&format!(
                "no emulated secure processor on standard input: {error}"
            ));
            return ExitCode::FAILURE;
        }
    };
    match block_on::<EmulatedAnchor>(Machine {
        processor,
        transport,
    }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            journal_line(&format!("no threads: {error}"));
            ExitCode::FAILURE
        }
    }
}

#[expect(
    clippy::exit,
    reason = "the machine under this program is gone; there is nothing to unwind"
)]
fn end() {
    std::process::exit(1);
}
