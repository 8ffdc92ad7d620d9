//! The smallest guest: says what its processor says, then waits for it to end. It shows how a runtime takes its processor
//! from standard input, and the tests of the launcher run it.
//!
//! Zone: dev.

#![forbid(unsafe_code)]

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use chancery_emulated_sp::EmulatedProcessor;
use chancery_evidence::Report;
use chancery_platform::{DerivedKeyRequest, PlatformError, SecureProcessor as _};
use clap::{Parser, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Parser)]
struct CommandLine {
    /// What to do after the first report.
    #[arg(long, value_enum, default_value_t = Then::Wait)]
    then: Then,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Then {
    /// Wait for the processor to end.
    Wait,
    /// End at once with status 3.
    Fail,
    /// Wait, and take no notice of SIGTERM.
    Stubborn,
}

fn main() -> ExitCode {
    let then = CommandLine::parse().then;
    match run(then) {
        Ok(()) if then == Then::Fail => ExitCode::from(3),
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(std::io::stderr(), "guest: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(then: Then) -> Result<(), PlatformError> {
    let (sender, lost) = mpsc::channel::<()>();
    let processor = EmulatedProcessor::from_stdin(move || drop(sender))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .ok()
        .ok_or(PlatformError::System)?;
    // Listening for the signal takes its default effect away.
    let listener = (then == Then::Stubborn).then(|| {
        runtime.spawn(async {
            if let Ok(mut terminate) = signal(SignalKind::terminate()) {
                while terminate.recv().await.is_some() {}
            }
        })
    });
    let bytes = processor.report(&[7; 64])?;
    let report = Report::parse(&bytes).ok().ok_or(PlatformError::Malformed)?;
    let certificates = processor.certificates()?;
    let key = processor.derived_key(&DerivedKeyRequest::sealing(0, 0))?;
    let line = format!(
        "guest {} {} {} {}\n",
        hex::encode(report.fields().measurement),
        hex::encode(report.fields().host_data),
        certificates.vcek.is_some(),
        hex::encode(key.tag("chancery-EMULATED/guest-key-check/v1", &[])),
    );
    drop(std::io::stdout().write_all(line.as_bytes()));
    if then != Then::Fail {
        // The sender is dropped when the processor's end closes.
        lost.recv().unwrap_or_default();
    }
    drop(listener);
    runtime.shutdown_timeout(Duration::ZERO);
    Ok(())
}
