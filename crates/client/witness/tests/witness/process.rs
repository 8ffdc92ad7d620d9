//! The binary: ready line, sudden death, orderly end.

use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read as _;
use std::net::SocketAddr;
use std::process::Child;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Stdio;

use crate::harness::Client;
use crate::harness::Folder;
use crate::harness::Log;

struct Process {
    child: Child,
    out: BufReader<ChildStdout>,
    address: SocketAddr,
    vkey: String,
}

fn command(folder: &Folder) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chancery-witness"));
    command.arg("--state").arg(folder.state());
    command.args([
        "--name",
        "witness.example/w1",
        "--listen",
        "127.0.0.1:0",
        "--logs",
    ]);
    command.arg(folder.logs());
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

impl Process {
    fn start(folder: &Folder) -> Self {
        Self::run(&mut command(folder))
    }

    fn run(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(ready["ready"], true);
        assert_eq!(ready["pid"], child.id());
        let address = ready["address"].as_str().unwrap().parse().unwrap();
        let vkey = ready["vkey"].as_str().unwrap().to_string();
        Self {
            child,
            out,
            address,
            vkey,
        }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .arg(name)
            .arg(self.child.id().to_string())
            .status();
        assert!(sent.unwrap().success());
    }

    /// Waits for the end; gives the exit code, and what else was written to standard output.
    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn heads_survive_being_killed_at_once_after_each_answer() {
    let (folder, log) = (Folder::new(), Log::new("log.example", 40));
    folder.follow(&[&log]);
    let (mut old, mut vkey) = (0, None);
    for new in [3, 8, 21, 40] {
        let process = Process::start(&folder);
        let mut client = Client::new(process.address);
        assert_eq!(
            *vkey.get_or_insert_with(|| process.vkey.clone()),
            process.vkey
        );
        if old != 0 {
            assert_eq!(client.add(&log.request(0, new)).body, format!("{old}\n"));
        }
        client.cosigned(&log, old, new, &process.vkey);
        process.signal("-KILL");
        assert_eq!(process.end(), (None, String::new()));
        old = new;
    }
}

#[test]
fn a_second_process_on_one_folder_is_refused() {
    let (folder, log) = (Folder::new(), Log::new("log.example", 5));
    folder.follow(&[&log]);
    let process = Process::start(&folder);
    let second = command(&folder).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert_eq!(second.stdout, b"");
    assert!(
        String::from_utf8(second.stderr)
            .unwrap()
            .contains("another process")
    );
    Client::new(process.address).cosigned(&log, 0, 5, &process.vkey);
}

#[test]
fn terminate_and_interrupt_end_it_cleanly_with_open_connections() {
    let (folder, log) = (Folder::new(), Log::new("log.example", 9));
    folder.follow(&[&log]);
    for (signal, old, new) in [("-TERM", 0, 5), ("-INT", 5, 9)] {
        let process = Process::start(&folder);
        let mut client = Client::new(process.address);
        client.cosigned(&log, old, new, &process.vkey);
        process.signal(signal);
        assert_eq!(process.end(), (Some(0), String::new()));
    }
}

#[test]
fn ends_cleanly_with_its_standard_input_only_if_it_is_watched() {
    let (folder, log) = (Folder::new(), Log::new("log.example", 9));
    folder.follow(&[&log]);
    let mut process = Process::run(command(&folder).stdin(Stdio::piped()));
    drop(process.child.stdin.take());
    Client::new(process.address).cosigned(&log, 0, 5, &process.vkey);
    process.signal("-KILL");
    assert_eq!(process.end(), (None, String::new()));

    let watching = &mut command(&folder);
    let mut process = Process::run(watching.arg("--watch-stdin").stdin(Stdio::piped()));
    Client::new(process.address).cosigned(&log, 5, 9, &process.vkey);
    drop(process.child.stdin.take());
    assert_eq!(process.end(), (Some(0), String::new()));
}
