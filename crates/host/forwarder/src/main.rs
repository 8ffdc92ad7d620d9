//! `chancery-host`: the untrusted host as a process.

#![forbid(unsafe_code)]

use std::error::Error;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use chancery_forwarder::HostError;
use rustix::process::{Signal, getpid, kill_process};

const USAGE: &str = "usage: chancery-host --config FILE [--watch-stdin]

Forwards connections to the sealed runtime, keeps its sealed records and opens
the outbound connections that FILE names. Paths in FILE are relative to the
current folder. SIGHUP reads `egress` and `issuers` of FILE again; SIGTERM ends.
With --watch-stdin the end of standard input ends it as SIGTERM does, so that it
cannot outlive whoever holds the other end.
";

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let result = match arguments.as_slice() {
        [flag, file] if flag == "--config" => chancery_forwarder::run(&PathBuf::from(file)),
        [flag, file, watch] if flag == "--config" && watch == "--watch-stdin" => end_with_stdin()
            .map_err(HostError::System)
            .and_then(|()| chancery_forwarder::run(&PathBuf::from(file))),
        [flag] if flag == "--help" => {
            return if io::stdout().write_all(USAGE.as_bytes()).is_ok() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            };
        }
        _ => Err(HostError::Usage { text: USAGE }),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// Sends this process SIGTERM when its standard input ends.
fn end_with_stdin() -> io::Result<()> {
    std::thread::Builder::new()
        .name("watch-stdin".to_owned())
        .spawn(|| {
            // An error is an end, too.
            io::copy(&mut io::stdin().lock(), &mut io::sink()).unwrap_or_default();
            kill_process(getpid(), Signal::TERM).unwrap_or_default();
        })
        .map(drop)
}

/// Writes the error and its causes on one line.
fn report(error: &HostError) {
    let mut line = format!("chancery-host: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        source = cause.source();
    }
    line.push('\n');
    // There is nowhere else to say it if standard error is closed.
    drop(io::stderr().write_all(line.as_bytes()));
}
