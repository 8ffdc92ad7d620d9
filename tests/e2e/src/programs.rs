//! The built programs, run to their end.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use serde_json::Value;

use crate::wait::{LONG, eventually};

/// A program of this build: the test's own executable lies in `target/<profile>/deps`.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    path.push(name);
    assert!(
        path.exists(),
        "{} is not built: run `cargo build --workspace --bins` first",
        path.display()
    );
    path
}

/// How a program ended.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// What it said.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

impl Finished {
    /// Its one JSON document.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Both outputs.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// A program that runs, and what it has said so far. Dropped, it is killed.
#[derive(Debug)]
pub struct Running {
    name: String,
    child: Killed,
    stdout: Heard,
    stderr: Heard,
}

impl Running {
    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.0.id()
    }

    /// What it has complained of so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.0.try_wait().unwrap().is_some()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If it does not end in time; it is killed then.
    #[must_use]
    pub fn finish(mut self) -> Finished {
        let status = eventually(&format!("the end of {}", self.name), LONG, || {
            self.child.0.try_wait().unwrap()
        });
        Finished {
            code: status.code(),
            stdout: self.stdout.whole(),
            stderr: self.stderr.whole(),
        }
    }
}

/// One output of a program, read as it comes.
#[derive(Debug)]
struct Heard {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Heard {
    fn new(mut output: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&bytes);
        let reader = thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(size @ 1..) = output.read(&mut chunk) {
                let new = chunk.get(..size).unwrap();
                heard.lock().unwrap().extend_from_slice(new);
            }
        });
        Self { bytes, reader }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }

    fn whole(self) -> String {
        self.reader.join().unwrap();
        let bytes = self.bytes.lock().unwrap();
        String::from_utf8(bytes.clone()).unwrap()
    }
}

/// Starts a program without input.
#[must_use]
pub fn start(name: &str, arguments: &[&str]) -> Running {
    let mut command = Command::new(program(name));
    // Without a home a client remembers nothing, unless `--state` says where.
    command.env_remove("HOME").env_remove("XDG_STATE_HOME");
    command.args(arguments);
    start_command(name, command)
}

/// Starts a command without input.
#[must_use]
pub fn start_command(name: &str, mut command: Command) -> Running {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let started = command.stderr(Stdio::piped()).spawn();
    let mut child = started.unwrap_or_else(|error| panic!("{name}: {error}"));
    Running {
        name: name.to_owned(),
        stdout: Heard::new(child.stdout.take().unwrap()),
        stderr: Heard::new(child.stderr.take().unwrap()),
        child: Killed(child),
    }
}

/// Runs a program to its end.
///
/// # Panics
/// If it does not end in time; it is killed then.
#[must_use]
pub fn run(name: &str, arguments: &[&str]) -> Finished {
    start(name, arguments).finish()
}

/// A child that does not outlive the wait for it.
#[derive(Debug)]
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }
}
