//! The launcher: measures a program, runs it as a child and stays its processor until it ends.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use chancery_json::Object;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep, timeout};

use crate::chip::Chip;
use crate::error::EmulationError;
use crate::guest::Guest;
use crate::machine::{Clock, Machine};
use crate::platform::PlatformSource;
use crate::request::LaunchRequest;
use crate::server::serve;

/// Wait before the first launch after a child ended; doubled each time.
const BACKOFF_MIN: Duration = Duration::from_millis(100);
/// Longest wait between launches.
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// A child that ran for this long was well: the wait begins anew.
const WELL_AFTER: Duration = Duration::from_secs(10);
/// How long a child may take to end by itself.
const GRACE: Duration = Duration::from_secs(5);

/// Runs the program until SIGTERM or SIGINT, and launches it anew, newly measured, whenever it ends by itself.
///
/// `emit` gets one JSON object per event: `{"event":"launched","runtime_pid":…,"measurement":"…"}` and
/// `{"event":"exited","runtime_pid":…,"status":"…"}`.
///
/// # Errors
/// When the program cannot be measured or started, or its policy is refused. No child is left behind.
pub async fn run_launcher(
    chip: Arc<Chip>,
    platform: PlatformSource,
    request: LaunchRequest,
    clock: Clock,
    emit: &mut dyn FnMut(&[u8]),
) -> Result<(), EmulationError> {
    let mut stop = Stop::new()?;
    let mut backoff = BACKOFF_MIN;
    loop {
        let guest = request.measure()?;
        let machine = {
            let (chip, clock) = (Arc::clone(&chip), Arc::clone(&clock));
            Machine::launch_on(chip, platform.clone(), guest, clock)?
        };
        let started = Instant::now();
        let (mut child, pid) = start(&request, machine)?;
        emit(&launched(pid, &guest));
        let ended = tokio::select! {
            status = child.wait() => Some(status),
            () = stop.requested() => None,
        };
        let Some(status) = ended else {
            let status = end(&mut child, pid).await.map_err(EmulationError::System)?;
            emit(&exited(pid, status));
            return Ok(());
        };
        emit(&exited(pid, status.map_err(EmulationError::System)?));
        if started.elapsed() >= WELL_AFTER {
            backoff = BACKOFF_MIN;
        }
        tokio::select! {
            () = sleep(backoff) => {}
            () = stop.requested() => return Ok(()),
        }
        backoff = backoff.saturating_mul(2).min(BACKOFF_MAX);
    }
}

/// Starts the program with one end of a socket pair as its standard input and serves the other end.
fn start(request: &LaunchRequest, machine: Machine) -> Result<(Child, u32), EmulationError> {
    // Both ends are close-on-exec, so that the child holds its own end alone and sees this process end.
    let (ours, theirs) = UnixStream::pair().map_err(EmulationError::System)?;
    let child = Command::new(&request.runtime)
        .args(&request.arguments)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .kill_on_drop(true)
        .spawn()
        .map_err(EmulationError::Start)?;
    let pid = child
        .id()
        .ok_or_else(|| EmulationError::Start(io::ErrorKind::NotFound.into()))?;
    thread::Builder::new()
        .name("guest-device".to_owned())
        // The child's death closes the socket, which ends the thread; what it asked wrongly is its own loss.
        .spawn(move || drop(serve(&machine, ours)))
        .map_err(EmulationError::System)?;
    Ok((child, pid))
}

/// Asks the child to end, and makes it end if it does not.
async fn end(child: &mut Child, pid: u32) -> io::Result<ExitStatus> {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // An error means that it ended in this moment, which the wait below tells.
        kill_process(pid, Signal::TERM).unwrap_or_default();
    }
    match timeout(GRACE, child.wait()).await {
        Ok(status) => status,
        Err(_) => {
            child.start_kill()?;
            child.wait().await
        }
    }
}

/// The signals that end the launcher.
struct Stop {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Stop {
    fn new() -> Result<Self, EmulationError> {
        let listen = |kind| signal(kind).map_err(EmulationError::System);
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn requested(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn launched(pid: u32, guest: &Guest) -> Vec<u8> {
    Object::new()
        .with("event", "launched")
        .with("runtime_pid", u64::from(pid))
        .with("measurement", guest.measurement.to_string())
        .with("host_data", hex::encode(guest.host_data))
        .to_bytes()
}

fn exited(pid: u32, status: ExitStatus) -> Vec<u8> {
    let status = match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "unknown".to_owned(),
    };
    Object::new()
        .with("event", "exited")
        .with("runtime_pid", u64::from(pid))
        .with("status", status)
        .to_bytes()
}
