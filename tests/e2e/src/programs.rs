//! The built programs, run to their end.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;

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

/// Starts a program without input; what it says is kept for `finish`.
pub fn spawn(name: &str, arguments: &[&str]) -> Child {
    Command::new(program(name))
        .args(arguments)
        // Without a home a client remembers nothing, unless `--state` says where.
        .env_remove("HOME")
        .env_remove("XDG_STATE_HOME")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Runs a program to its end.
///
/// # Panics
/// If it does not end in time; it is killed then.
pub fn run(name: &str, arguments: &[&str]) -> Finished {
    finish(name, spawn(name, arguments))
}

/// Waits for a program that was spawned with both outputs piped.
fn finish(name: &str, mut child: Child) -> Finished {
    let mut out = child.stdout.take().unwrap();
    let mut err = child.stderr.take().unwrap();
    let read_out = thread::spawn(move || {
        let mut text = String::new();
        out.read_to_string(&mut text).map(|_size| text)
    });
    let read_err = thread::spawn(move || {
        let mut text = String::new();
        err.read_to_string(&mut text).map(|_size| text)
    });
    let mut child = Killed(child);
    let status = eventually(&format!("the end of {name}"), LONG, || {
        child.0.try_wait().unwrap()
    });
    Finished {
        code: status.code(),
        stdout: read_out.join().unwrap().unwrap(),
        stderr: read_err.join().unwrap().unwrap(),
    }
}

/// A child that does not outlive the wait for it.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }
}
