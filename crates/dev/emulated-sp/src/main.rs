//! The emulated secure processor as a program. It protects nothing.
//!
//! Zone: dev.

#![forbid(unsafe_code)]

mod command_line;
mod operator;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use chancery_emulated_sp::{
    Chip, Clock, EmulationError, Guest, GuestDevice as _, Identity, LaunchRequest, Machine,
    MachineRequest, PlatformFolder, PlatformSource, run_launcher,
};
use chancery_measurement::{Hypervisor, LaunchShape};
use clap::Parser as _;
use rustix::process::{Signal, getpid, kill_process};

use crate::command_line::{Command, CommandLine, MachineTarget, Processor, ProgramTarget};

/// The one clock of this program.
fn clock() -> Clock {
    #[expect(clippy::disallowed_methods, reason = "the shell's one clock")]
    Arc::new(|| {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .ok()
            .and_then(|since| u64::try_from(since.as_millis()).ok())
            .unwrap_or(0)
    })
}

/// The one place that prints. A reader that has gone away is no reason to leave a child alone.
fn print_line(line: &[u8]) {
    let mut out = std::io::stdout().lock();
    let written = out
        .write_all(line)
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush());
    drop(written);
}

fn main() -> ExitCode {
    let command_line = CommandLine::parse();
    match run(command_line.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut message = format!("chancery-emulated-sp: {error}");
            let mut cause = std::error::Error::source(&error);
            while let Some(source) = cause {
                message.push_str(": ");
                message.push_str(&source.to_string());
                cause = source.source();
            }
            drop(writeln!(std::io::stderr(), "{message}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), EmulationError> {
    match command {
        Command::Identity(target) => {
            let (chip, platform) = open(&target.processor)?;
            print_identity(&chip, &platform, request(target, Vec::new()).measure()?)
        }
        Command::Launch {
            target,
            watch_stdin,
            arguments,
        } => {
            let (chip, platform) = open(&target.processor)?;
            let request = request(target, arguments);
            if watch_stdin {
                end_with_stdin()?;
            }
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(EmulationError::System)?
                .block_on(run_launcher(
                    chip,
                    platform,
                    request,
                    clock(),
                    &mut print_line,
                ))
        }
        Command::MeasureGuest(target) => measure_guest(&target),
        Command::Platform { act } => {
            print_line(&operator::run(act, clock()())?.to_json());
            Ok(())
        }
    }
}

/// Opens chip and platform; makes them the first time.
fn open(processor: &Processor) -> Result<(Arc<Chip>, PlatformSource), EmulationError> {
    let now_ms = clock()();
    let of_level = processor.level.map(|(product, _)| product);
    let chip = Chip::open(&processor.state, processor.product.or(of_level), now_ms)?;
    if of_level.is_some_and(|product| product != chip.product()) {
        return Err(EmulationError::OtherProduct);
    }
    let level = processor.level.map(|(_, level)| level);
    let platform = PlatformFolder::open(&processor.state, chip.product(), level, now_ms)?;
    Ok((Arc::new(chip), PlatformSource::Folder(platform)))
}

fn request(target: ProgramTarget, arguments: Vec<OsString>) -> LaunchRequest {
    LaunchRequest {
        terms: target.processor.terms(),
        runtime: target.runtime,
        configuration: target.configuration,
        arguments,
    }
}

fn print_identity(
    chip: &Chip,
    platform: &PlatformSource,
    guest: Guest,
) -> Result<(), EmulationError> {
    let identity = Identity {
        platform: platform.read()?,
        guest,
        chip,
    };
    print_line(&identity.to_json());
    Ok(())
}

/// Measures a virtual machine; launches it and writes a report if one is asked for. The machine is gone afterwards: its report shows
/// what one that runs would show, with a REPORT_ID of its own.
fn measure_guest(target: &MachineTarget) -> Result<(), EmulationError> {
    let (chip, platform) = open(&target.processor)?;
    let request = MachineRequest {
        firmware: target.ovmf.clone(),
        kernel: target.kernel(),
        shape: LaunchShape::new(
            Hypervisor::Qemu,
            target.vcpus,
            target.vcpu_type,
            target.guest_features,
        )?,
        configuration: target.configuration.clone(),
        terms: target.processor.terms(),
    };
    let guest = request.measure()?;
    if let (Some(report_data), Some(path)) = (&target.report_data, &target.report) {
        let chip = Arc::clone(&chip);
        let machine = Machine::launch_on(chip, platform.clone(), guest, clock())?;
        write(path, &machine.report(report_data)?)?;
        if let Some(path) = &target.certificates {
            write(path, &machine.certificate_table()?)?;
        }
    }
    print_identity(&chip, &platform, guest)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), EmulationError> {
    std::fs::write(path, bytes).map_err(|source| EmulationError::File {
        path: path.to_owned(),
        source,
    })
}

/// Sends this process SIGTERM when its standard input ends. The launcher starts a child only after it listens for signals, so
/// an end that comes before that leaves none behind.
fn end_with_stdin() -> Result<(), EmulationError> {
    std::thread::Builder::new()
        .name("watch-stdin".to_owned())
        .spawn(|| {
            // An error is an end, too.
            std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink()).unwrap_or_default();
            kill_process(getpid(), Signal::TERM).unwrap_or_default();
        })
        .map(drop)
        .map_err(EmulationError::System)
}
