//! The program: ready line, control port, orderly end.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use chancery_issuer::{CLIENT_ID, Spoil};
use chancery_json::{Limits, Object, Value};

use crate::harness::text;

struct Process {
    child: Child,
    out: BufReader<ChildStdout>,
    ready: Object,
}

impl Process {
    fn start(folder: &Path, more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_chancery-issuer"))
            .arg("--data")
            .arg(folder)
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let ready = Value::parse(line.trim_end().as_bytes(), &Limits::DOCUMENT).unwrap();
        let ready = ready.as_object().unwrap().clone();
        assert_eq!(ready.get("pid"), Some(&u64::from(child.id()).into()));
        Self { child, out, ready }
    }

    /// A call of the control port: the status and the object in the answer.
    fn control(&self, method: &str, call: &str, body: &str) -> (u16, Option<Object>) {
        let base = text(&self.ready, "control");
        let (authority, path) = base
            .strip_prefix("http://")
            .unwrap()
            .split_once('/')
            .unwrap();
        request(authority, method, &format!("/{path}/{call}"), body)
    }

    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn request(authority: &str, method: &str, path: &str, body: &str) -> (u16, Option<Object>) {
    let mut stream = TcpStream::connect(authority).unwrap();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {authority}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let value = Value::parse(body.as_bytes(), &Limits::DOCUMENT).ok();
    (status, value.and_then(|value| value.as_object().cloned()))
}

#[test]
fn says_once_where_it_is_and_ends_on_sigterm_and_when_its_input_ends() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), &[]);
    let issuer = text(&process.ready, "issuer");
    assert!(issuer.starts_with("https://localhost:"));
    assert_eq!(text(&process.ready, "client_id"), CLIENT_ID);
    let ca_file = text(&process.ready, "ca_file");
    let ca = std::fs::read_to_string(ca_file).unwrap();
    assert!(ca.starts_with("-----BEGIN CERTIFICATE-----"));
    assert_eq!(process.ready.get("control"), Some(&Value::Null));
    let pid = process.child.id().to_string();
    let sent = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(sent.unwrap().success());
    assert_eq!(process.end(), (Some(0), String::new()));
    let mut process = Process::start(folder.path(), &["--watch-stdin"]);
    assert_eq!(text(&process.ready, "issuer"), issuer, "the same port");
    drop(process.child.stdin.take());
    assert_eq!(process.end(), (Some(0), String::new()));
}

#[test]
fn the_control_port_changes_keys_and_needs_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), &["--control"]);
    let (status, keys) = process.control("GET", "keys", "");
    assert_eq!(status, 200);
    let first = text(&keys.unwrap(), "active");
    let (_, keys) = process.control("POST", "keys/add", "");
    let keys = keys.unwrap();
    assert_eq!(text(&keys, "active"), first);
    let published = keys.get("published").and_then(Value::as_array).unwrap();
    let second = published[1].as_str().unwrap().to_owned();
    let body = format!(r#"{{"kid":"{second}"}}"#);
    let (_, keys) = process.control("POST", "keys/activate", &body);
    assert_eq!(text(&keys.unwrap(), "active"), second);
    let (_, keys) = process.control("POST", "keys/drop", "");
    let keys = keys.unwrap();
    let published = keys.get("published").and_then(Value::as_array).unwrap();
    assert_eq!(published, [Value::from(second.as_str())]);
    for (how, word) in Spoil::ALL {
        let body = format!(r#"{{"how":"{word}","count":1}}"#);
        assert_eq!(process.control("POST", "spoil", &body).0, 200, "{how:?}");
    }
    for (method, call, body, status) in [
        ("POST", "keys/activate", r#"{"kid":"unknown"}"#, 409),
        ("POST", "keys/activate", "{}", 400),
        ("POST", "spoil", r#"{"how":"other","count":1}"#, 400),
        ("POST", "spoil", r#"{"how":"nonce","count":1000001}"#, 400),
        ("POST", "other", "", 404),
        ("GET", "keys/add", "", 404),
    ] {
        assert_eq!(
            process.control(method, call, body).0,
            status,
            "{call} {body}"
        );
    }
    let base = text(&process.ready, "control");
    let authority = base.split('/').nth(2).unwrap();
    for path in ["/keys", "//keys", "/wrong/keys"] {
        assert_eq!(request(authority, "GET", path, "").0, 404, "{path}");
    }
}

#[test]
fn refuses_to_listen_where_others_could_reach_it() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_chancery-issuer"))
        .arg("--data")
        .arg(folder.path())
        .args(["--listen", "0.0.0.0:0"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("loopback"), "{told}");
}
