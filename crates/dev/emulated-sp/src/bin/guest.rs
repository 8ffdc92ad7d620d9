//! The smallest guest: says what its processor says, then waits for it to end, and on SIGUSR1 says what the processor says by then.
//! It shows how a runtime takes its processor from standard input, and the tests of the launcher run it.
//!
//! Zone: dev.

#![forbid(unsafe_code)]

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
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
    let processor = Arc::new(EmulatedProcessor::from_stdin(move || drop(sender))?);
    let system = |_| PlatformError::System;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(system)?;
    // Listening for a signal takes its default effect away, so it begins before anybody can know of this process.
    let (terminate, mut again) = {
        let _entered = runtime.enter();
        let listen = |kind| signal(kind).map_err(system);
        let stubborn = then == Then::Stubborn;
        let terminate = stubborn.then(|| listen(SignalKind::terminate()));
        (terminate.transpose()?, listen(SignalKind::user_defined1())?)
    };
    if let Some(mut terminate) = terminate {
        runtime.spawn(async move { while terminate.recv().await.is_some() {} });
    }
    introduce(&processor)?;
    let asking = Arc::clone(&processor);
    runtime.spawn(async move {
        while again.recv().await.is_some() {
            say(&evidence(&asking));
        }
    });
    if then != Then::Fail {
        // The sender is dropped when the processor's end closes.
        lost.recv().unwrap_or_default();
    }
    runtime.shutdown_timeout(Duration::ZERO);
    Ok(())
}

/// Says who this guest is: measurement, host data, whether there are certificates, a fingerprint of its sealing key.
fn introduce(processor: &EmulatedProcessor) -> Result<(), PlatformError> {
    let bytes = processor.report(&[7; 64])?;
    let report = Report::parse(&bytes).ok().ok_or(PlatformError::Malformed)?;
    let certificates = processor.certificates()?;
    let key = processor.derived_key(&DerivedKeyRequest::sealing(0, 0))?;
    say(&format!(
        "guest {} {} {} {}",
        hex::encode(report.fields().measurement),
        hex::encode(report.fields().host_data),
        certificates.vcek.is_some(),
        hex::encode(key.tag("chancery-EMULATED/guest-key-check/v1", &[])),
    ));
    Ok(())
}

/// A report, the leaf certificate and the revocation list in hex (`-` for what the host does not keep), or the code of the error.
fn evidence(processor: &EmulatedProcessor) -> String {
    let ask = || {
        let report = processor.report(&[7; 64])?;
        let table = processor.certificates()?;
        let text = |part: Option<Vec<u8>>| part.map_or_else(|| "-".to_owned(), hex::encode);
        Ok(format!(
            "evidence {} {} {}",
            hex::encode(report),
            text(table.vcek),
            text(table.crl)
        ))
    };
    ask().unwrap_or_else(|error: PlatformError| format!("error {}", error.code()))
}

fn say(line: &str) {
    drop(std::io::stdout().write_all(format!("{line}\n").as_bytes()));
}
