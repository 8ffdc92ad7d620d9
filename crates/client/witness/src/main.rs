//! The witness process: arguments, the clock, the ready line, the end.
//!
//! Zone: client.

#![forbid(unsafe_code)]

use std::future::pending;
use std::io;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use chancery_json::Object;
use chancery_witness::Error;
use chancery_witness::Options;
use chancery_witness::Witness;
use clap::Parser;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::sync::oneshot;

/// Threads for sockets; the disk has its own.
const WORKER_THREADS: usize = 2;

/// A C2SP witness: cosigns what extends the last head that it cosigned.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    /// State folder: key and newest heads. Never restore it from a backup.
    #[arg(long)]
    state: PathBuf,
    /// Key name of this witness, such as witness.example/w1.
    #[arg(long)]
    name: String,
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long)]
    listen: SocketAddr,
    /// JSON file of the logs to follow: {"version":1,"logs":[{"origin":"…","vkey":"…"}]}.
    #[arg(long)]
    logs: PathBuf,
    /// End, as on SIGTERM, when standard input ends: whoever holds the other end can then not be
    /// outlived.
    #[arg(long)]
    watch_stdin: bool,
}

fn main() -> ExitCode {
    let Arguments {
        state,
        name,
        listen,
        logs,
        watch_stdin,
    } = Arguments::parse();
    let options = Options {
        state,
        name,
        listen,
        logs,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKER_THREADS)
        .enable_all()
        .build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(run(options, watch_stdin)),
        Err(error) => Err(Error::Io("threads", error)),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(io::stderr(), "chancery-witness: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options, watch_stdin: bool) -> Result<(), Error> {
    // Before the ready line, so that a parent that has read it can end the process.
    let watch = |kind| signal(kind).map_err(|e| Error::Io("signals", e));
    let (mut terminate, mut interrupt) = (
        watch(SignalKind::terminate())?,
        watch(SignalKind::interrupt())?,
    );
    let input_ended = if watch_stdin {
        Some(stdin_end().map_err(|e| Error::Io("standard input", e))?)
    } else {
        None
    };
    let witness = Witness::bind(options, now_s).await?;
    let mut line = Object::default()
        .with("ready", true)
        .with("vkey", witness.vkey())
        .with("address", witness.address()?.to_string())
        .with("pid", u64::from(std::process::id()))
        .to_bytes();
    line.push(b'\n');
    let mut out = io::stdout();
    out.write_all(&line)
        .and_then(|()| out.flush())
        .map_err(|e| Error::Io("ready line", e))?;
    let stop = async move {
        tokio::select! {
            _signal = terminate.recv() => {}
            _signal = interrupt.recv() => {}
            () = ended(input_ended) => {}
        }
    };
    witness.serve(stop).await;
    Ok(())
}

/// Tells when standard input has ended.
fn stdin_end() -> io::Result<oneshot::Receiver<()>> {
    let (sender, receiver) = oneshot::channel();
    std::thread::Builder::new()
        .name("watch-stdin".to_owned())
        .spawn(move || {
            // An error is an end, too, and so is a sender that is dropped.
            io::copy(&mut io::stdin().lock(), &mut io::sink()).unwrap_or_default();
            drop(sender);
        })?;
    Ok(receiver)
}

/// Waits for the end of standard input if it is watched, and for ever if not.
async fn ended(input: Option<oneshot::Receiver<()>>) {
    match input {
        Some(input) => drop(input.await),
        None => pending().await,
    }
}

/// The one clock of this process: seconds since the Unix epoch, zero (which is refused) before.
#[expect(clippy::disallowed_methods, reason = "the shell's one clock")]
fn now_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
