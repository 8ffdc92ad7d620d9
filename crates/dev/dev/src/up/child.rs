//! One child process: started, watched, ended.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::error::DevError;
use crate::files;

/// Longest line that is read from a child; what is longer comes in parts.
const LINE_SIZE_MAX: u64 = 64 * 1024;
/// A child's log is put aside at a start when it is larger than this, in bytes.
const LOG_SIZE_MAX: u64 = 4 * 1024 * 1024;
/// How long a child may take to end by itself: longer than the emulated processor gives the runtime.
const GRACE: Duration = Duration::from_secs(8);

/// What a child is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// A witness; the first one is 1.
    Witness(usize),
    /// The identity provider.
    Issuer,
    /// The host.
    Host,
    /// The emulated secure processor, which has the runtime as its child.
    Processor,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Witness(number) => write!(f, "witness-{number}"),
            Self::Issuer => f.write_str("issuer"),
            Self::Host => f.write_str("host"),
            Self::Processor => f.write_str("emulated-sp"),
        }
    }
}

/// How to start a child.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    /// The program.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) arguments: Vec<OsString>,
    /// The folder that it runs in.
    pub(crate) folder: PathBuf,
    /// Where its standard error goes.
    pub(crate) log: PathBuf,
}

/// Something that a child did.
#[derive(Debug)]
pub(crate) struct Happening {
    /// What the child is for.
    pub(crate) role: Role,
    /// Its process id: an earlier child of the same role may still have had something to say.
    pub(crate) pid: u32,
    /// What it did.
    pub(crate) what: What,
}

/// What a child did.
#[derive(Debug)]
pub(crate) enum What {
    /// It wrote a line to its standard output.
    Line(String),
    /// It ended.
    Ended(ExitStatus),
}

/// A child that runs.
#[derive(Debug)]
pub(crate) struct Running {
    /// Its process id.
    pub(crate) pid: u32,
    stop: oneshot::Sender<()>,
    watch: JoinHandle<()>,
}

impl Running {
    /// Starts a child and watches it.
    pub(crate) fn start(
        role: Role,
        launch: &Launch,
        happenings: mpsc::Sender<Happening>,
    ) -> Result<Self, DevError> {
        let log = files::open_log(&launch.log, LOG_SIZE_MAX).map_err(DevError::System)?;
        let mut child = Command::new(&launch.program)
            .args(&launch.arguments)
            .current_dir(&launch.folder)
            // Held open for as long as this process lives: the child ends when it is closed.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::from(log))
            // A ctrl-c of the terminal must not reach the children: they end in an order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(DevError::System)?;
        let gone = || DevError::System(std::io::ErrorKind::NotFound.into());
        let pid = child.id().ok_or_else(gone)?;
        let output = child.stdout.take().ok_or_else(gone)?;
        let (stop, stopping) = oneshot::channel();
        let happening = move |what| Happening { role, pid, what };
        tokio::spawn(read_lines(output, happenings.clone(), happening));
        let watch = tokio::spawn(async move {
            if let Ok(status) = watch(child, stopping).await {
                // Nobody listens any more when everything ends.
                drop(happenings.send(happening(What::Ended(status))).await);
            }
        });
        Ok(Self { pid, stop, watch })
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        send(self.pid, signal);
    }

    /// Ends the child and waits for it.
    pub(crate) async fn end(self) {
        // It may have ended by itself just now; then there is nothing to stop.
        self.stop.send(()).unwrap_or_default();
        drop(self.watch.await);
    }
}

async fn watch(mut child: Child, stopping: oneshot::Receiver<()>) -> std::io::Result<ExitStatus> {
    // Waiting for a child closes its standard input, which would end it.
    let input = child.stdin.take();
    let ended = tokio::select! {
        status = child.wait() => Some(status),
        _stop = stopping => None,
    };
    let status = match ended {
        Some(status) => status,
        None => end(&mut child).await,
    };
    drop(input);
    status
}

/// Asks a child to end, and makes it end if it does not.
async fn end(child: &mut Child) -> std::io::Result<ExitStatus> {
    if let Some(pid) = child.id() {
        send(pid, Signal::TERM);
    }
    match timeout(GRACE, child.wait()).await {
        Ok(status) => status,
        Err(_elapsed) => {
            child.start_kill()?;
            child.wait().await
        }
    }
}

/// An error means that the process ended in this moment, which whoever waits for it learns.
fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        kill_process(pid, signal).unwrap_or_default();
    }
}

async fn read_lines(
    output: ChildStdout,
    happenings: mpsc::Sender<Happening>,
    happening: impl Fn(What) -> Happening,
) {
    let mut reader = BufReader::new(output);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut part = (&mut reader).take(LINE_SIZE_MAX);
        match part.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        if happenings.send(happening(What::Line(text))).await.is_err() {
            return;
        }
    }
}

/// How a process ended, in words.
pub(crate) fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown status".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, folder: &std::path::Path) -> Launch {
        Launch {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            folder: folder.to_owned(),
            log: folder.join("child.log"),
        }
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    }

    #[test]
    fn tells_the_lines_and_the_end_of_a_child_and_keeps_its_log() {
        let folder = tempfile::tempdir().unwrap();
        runtime().block_on(async {
            let (sender, mut receiver) = mpsc::channel(8);
            let launch = shell("echo one; echo two; echo why >&2; exit 3", folder.path());
            let running = Running::start(Role::Witness(2), &launch, sender).unwrap();
            let (mut lines, mut end) = (Vec::new(), String::new());
            while lines.len() < 2 || end.is_empty() {
                let Happening { role, pid, what } = receiver.recv().await.unwrap();
                assert_eq!((role, pid), (Role::Witness(2), running.pid));
                match what {
                    What::Line(line) => lines.push(line),
                    What::Ended(status) => end = ending(status),
                }
            }
            assert_eq!(
                (lines, end.as_str()),
                (vec!["one".into(), "two".into()], "exit code 3")
            );
            running.end().await;
        });
        assert_eq!(
            files::read(&folder.path().join("child.log")).unwrap(),
            b"why\n"
        );
    }

    #[test]
    fn a_child_runs_with_open_input_until_it_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        runtime().block_on(async {
            let (sender, mut receiver) = mpsc::channel(8);
            let launch = shell("echo up; read line; echo ended", folder.path());
            let running = Running::start(Role::Host, &launch, sender).unwrap();
            let first = receiver.recv().await.unwrap().what;
            assert!(matches!(first, What::Line(line) if line == "up"));
            assert!(receiver.try_recv().is_err(), "its input is open");
            running.end().await;
            let What::Ended(status) = receiver.recv().await.unwrap().what else {
                panic!("no end");
            };
            assert_eq!(ending(status), "signal 15");
        });
    }
}
