//! `chancery-host`: the untrusted host as a process.

#![forbid(unsafe_code)]

use std::error::Error;
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use chancery_forwarder::HostError;

const USAGE: &str = "usage: chancery-host --config FILE

Forwards connections to the sealed runtime, keeps its sealed records and opens
the outbound connections that FILE names. Paths in FILE are relative to the
current folder. SIGHUP reads the `egress` part of FILE again; SIGTERM ends.
";

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let result = match arguments.as_slice() {
        [flag, file] if flag == "--config" => chancery_forwarder::run(&PathBuf::from(file)),
        [flag] if flag == "--help" => {
            return if std::io::stdout().write_all(USAGE.as_bytes()).is_ok() {
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
    drop(std::io::stderr().write_all(line.as_bytes()));
}
