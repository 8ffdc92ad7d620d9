//! The emulated secure processor as a program. It protects nothing.
//!
//! Zone: dev.

#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use chancery_emulated_sp::{
    Chip, Clock, EmulatedProduct, EmulationError, Identity, LaunchRequest, run_launcher,
};
use clap::{Args, Parser, Subcommand};
use rustix::process::{Signal, getpid, kill_process};

#[derive(Parser)]
#[command(
    name = "chancery-emulated-sp",
    about = "An emulated AMD secure processor. It protects nothing."
)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print what a report of the program will say, as JSON.
    Identity(Target),
    /// Measure the program, run it as a child, and be its secure processor.
    Launch {
        #[command(flatten)]
        target: Target,
        /// End, as on SIGTERM, when standard input ends: whoever holds the other end can then not be outlived.
        #[arg(long)]
        watch_stdin: bool,
        /// Arguments of the program, after `--`. They are not measured.
        #[arg(last = true)]
        arguments: Vec<OsString>,
    },
}

#[derive(Args)]
struct Target {
    /// Folder with the chip's secrets; made the first time.
    #[arg(long)]
    state: PathBuf,
    /// The program.
    #[arg(long)]
    runtime: PathBuf,
    /// Its configuration, whose SHA-256 becomes HOST_DATA.
    #[arg(long)]
    configuration: PathBuf,
    /// The product to emulate: genoa (default) or turin. Fixed once the state folder is made.
    #[arg(long, value_parser = parse_product)]
    product: Option<EmulatedProduct>,
    /// Guest policy, such as 0x30000; the strictest one if absent.
    #[arg(long, value_parser = parse_bits)]
    policy: Option<u64>,
    /// ID block, 96 bytes: the launch is refused if it differs.
    #[arg(long, requires = "id_auth")]
    id_block: Option<PathBuf>,
    /// ID authentication, 4096 bytes.
    #[arg(long, requires = "id_block")]
    id_auth: Option<PathBuf>,
}

fn parse_product(word: &str) -> Result<EmulatedProduct, String> {
    EmulatedProduct::from_word(word).ok_or_else(|| "genoa or turin".to_owned())
}

fn parse_bits(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix("0x").ok_or("begins with 0x")?;
    u64::from_str_radix(digits, 16).map_err(|error| error.to_string())
}

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
            let (chip, request) = prepare(target, Vec::new())?;
            let identity = Identity {
                level: chip.product().level(),
                guest: request.measure()?,
                chip: &chip,
            };
            print_line(&identity.to_json());
            Ok(())
        }
        Command::Launch {
            target,
            watch_stdin,
            arguments,
        } => {
            let (chip, request) = prepare(target, arguments)?;
            if watch_stdin {
                end_with_stdin()?;
            }
            let level = chip.product().level();
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(EmulationError::System)?
                .block_on(run_launcher(chip, level, request, clock(), &mut print_line))
        }
    }
}

fn prepare(
    target: Target,
    arguments: Vec<OsString>,
) -> Result<(Arc<Chip>, LaunchRequest), EmulationError> {
    let chip = Chip::open(&target.state, target.product, clock()())?;
    let request = LaunchRequest {
        runtime: target.runtime,
        configuration: target.configuration,
        arguments,
        policy: target.policy,
        id_block: target.id_block.zip(target.id_auth),
    };
    Ok((Arc::new(chip), request))
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
