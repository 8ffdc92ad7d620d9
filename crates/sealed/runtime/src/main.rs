//! `chancery-runtime`: the sealed runtime on an AMD secure processor.
//!
//! Zone: sealed.

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::Arc;

use chancery_platform_snp::SnpGuest;
use chancery_runtime::{Machine, arguments, block_on, journal_line};
use chancery_verify::Amd;

fn main() -> ExitCode {
    let transport = match arguments::parse(std::env::args().skip(1)) {
        Ok(transport) => transport,
        Err(usage) => {
            journal_line(usage);
            return ExitCode::from(2);
        }
    };
    let processor = match SnpGuest::open() {
        Ok(processor) => Arc::new(processor),
        Err(error) => {
            journal_line(&format!("this is no SEV-SNP guest: {error}"));
            return ExitCode::FAILURE;
        }
    };
    match block_on::<Amd>(Machine {
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
