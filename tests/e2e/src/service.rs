//! `chancery-dev up` on a folder of its own.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::client::{Client, Tls, plain};
use crate::programs::{Finished, program, run};
use crate::wait::{LONG, SHORT, eventually};

/// Runs `up`, ends it when the test's end of the pipe is closed (which the kernel does however the test
/// process ends), and exits as `up` did. `$1` is a folder to remove at the end, or empty.
const GUARD: &str = r#"
folder=$1; shift
exec 3<&0
"$@" </dev/null 3<&- &
up=$!
( read -r _; kill -TERM "$up" ) <&3 2>/dev/null &
wait "$up"; status=$?
kill "$!" 2>/dev/null
[ -z "$folder" ] || rm -rf "$folder"
exit "$status"
"#;

/// The processes of a running service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pids {
    /// The supervisor.
    pub up: u32,
    /// The host.
    pub host: u32,
    /// The runtime.
    pub runtime: u32,
    /// The emulated secure processor.
    pub emulated_sp: u32,
    /// The identity provider.
    pub issuer: u32,
    /// The witnesses, the first one first.
    pub witnesses: Vec<u32>,
}

impl Pids {
    /// Every one of them.
    #[must_use]
    pub fn all(&self) -> Vec<u32> {
        let mut all = vec![
            self.up,
            self.host,
            self.runtime,
            self.emulated_sp,
            self.issuer,
        ];
        all.extend(&self.witnesses);
        all
    }
}

/// What the ready file says.
#[derive(Clone, Debug)]
pub struct Ready(pub Value);

impl Ready {
    /// A member that is text.
    #[must_use]
    pub fn text(&self, member: &str) -> &str {
        let value = self.0.get(member).and_then(Value::as_str);
        value.unwrap_or_else(|| panic!("no text `{member}` in {}", self.0))
    }

    /// The processes.
    #[must_use]
    pub fn pids(&self) -> Pids {
        let pids = self.0.get("pids").unwrap();
        let number = |value: &Value| u32::try_from(value.as_u64().unwrap()).unwrap();
        let pid = |name: &str| number(pids.get(name).unwrap());
        let witnesses = pids.get("witnesses").and_then(Value::as_array).unwrap();
        Pids {
            up: pid("up"),
            host: pid("host"),
            runtime: pid("runtime"),
            emulated_sp: pid("emulated_sp"),
            issuer: pid("issuer"),
            witnesses: witnesses.iter().map(number).collect(),
        }
    }

    /// Where the service listens on this machine.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        let port = self.text("base").rsplit(':').next().unwrap();
        SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap()))
    }

    /// Where the host shows health and metrics.
    #[must_use]
    pub fn status_address(&self) -> SocketAddr {
        let metrics = self.text("metrics");
        let address = metrics.strip_prefix("http://").unwrap();
        address.strip_suffix("/metrics").unwrap().parse().unwrap()
    }
}

/// A running service, ended when it is dropped or when this process ends.
#[derive(Debug)]
pub struct Service {
    guard: Child,
    data: PathBuf,
    ready_file: PathBuf,
    log: PathBuf,
    folder: Option<Arc<TempDir>>,
}

impl Service {
    /// Starts a service on a new folder and waits until it serves.
    #[must_use]
    pub fn new() -> Self {
        let folder = Arc::new(TempDir::with_prefix("chancery-e2e-").unwrap());
        Self::start(&folder, &[])
    }

    /// Starts a service that lasts until this process ends, and its folder with it: for a static value,
    /// which is never dropped.
    #[must_use]
    pub fn lasting() -> Self {
        let folder = TempDir::with_prefix("chancery-e2e-").unwrap().keep();
        let mut service = Self::launch(&folder, Some(&folder), &[]);
        service.await_ready();
        service
    }

    /// Starts a service on a folder that outlives it, with further arguments for `up`.
    #[must_use]
    pub fn start(folder: &Arc<TempDir>, arguments: &[&str]) -> Self {
        let mut service = Self::launch(folder.path(), None, arguments);
        service.folder = Some(Arc::clone(folder));
        service.await_ready();
        service
    }

    /// Runs `up` on a folder whose service is expected to end by itself.
    #[must_use]
    pub fn refused(folder: &TempDir, arguments: &[&str]) -> Finished {
        let data = folder.path().join("data");
        let mut all = vec!["up", "--listen", "127.0.0.1:0", "--data"];
        all.push(data.to_str().unwrap());
        all.extend(arguments);
        run("chancery-dev", &all)
    }

    fn launch(folder: &Path, remove: Option<&Path>, arguments: &[&str]) -> Self {
        let data = folder.join("data");
        let ready_file = folder.join("r.json");
        let log = folder.join("up.log");
        // One that was killed could not remove it.
        if ready_file.exists() {
            fs::remove_file(&ready_file).unwrap();
        }
        let out = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", GUARD, "guard"]);
        command.arg(remove.unwrap_or_else(|| Path::new("")));
        command.arg(program("chancery-dev")).arg("up");
        command.arg("--data").arg(&data);
        command.arg("--ready-file").arg(&ready_file);
        if !arguments.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        let guard = command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            // A ctrl-c must reach the test alone: then `up` ends in its own order.
            .process_group(0)
            .spawn()
            .unwrap();
        Self {
            guard,
            data,
            ready_file,
            log,
            folder: None,
        }
    }

    fn await_ready(&mut self) {
        eventually("the ready file", LONG, || {
            if let Some(status) = self.guard.try_wait().unwrap() {
                panic!("`up` ended with {status}:\n{}", self.log());
            }
            self.ready_file.exists().then_some(())
        });
    }

    /// The folder of everything that lasts.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The ready file's path.
    #[must_use]
    pub fn ready_file(&self) -> &str {
        self.ready_file.to_str().unwrap()
    }

    /// What the ready file says now.
    #[must_use]
    pub fn ready(&self) -> Ready {
        let bytes = fs::read(&self.ready_file).unwrap();
        Ready(serde_json::from_slice(&bytes).unwrap())
    }

    /// Puts a client's files into `folder`, with the pins changed; the path of the deployment file.
    #[must_use]
    pub fn pins_with(&self, folder: &Path, change: impl FnOnce(&mut Value)) -> String {
        let genuine = PathBuf::from(self.ready().text("deployment_file"));
        let mut pins = serde_json::from_slice(&fs::read(&genuine).unwrap()).unwrap();
        change(&mut pins);
        let path = folder.join("deployment.json");
        fs::write(&path, pins.to_string()).unwrap();
        let roots = "emulated-roots.json";
        fs::copy(genuine.with_file_name(roots), folder.join(roots)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// What `up` has printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// A new client of the demo tenant over TLS 1.3.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client_over(Tls::V13)
    }

    /// The same over another version of TLS.
    #[must_use]
    pub fn client_over(&self, tls: Tls) -> Client {
        let ready = self.ready();
        let pem = fs::read(ready.text("ca_file")).unwrap();
        Client::new(ready.address(), &pem, tls)
            .with_prefix("/t/demo/scim/v2")
            .with_token(ready.text("scim_token"))
    }

    /// Status and text of the host's own port.
    #[must_use]
    pub fn status(&self, path: &str) -> (u16, String) {
        plain(self.ready().status_address(), "GET", path, "")
    }

    /// A new client of the service as a whole, without a credential.
    #[must_use]
    pub fn anonymous(&self) -> Client {
        self.client().with_prefix("").without_token()
    }

    /// Changes where the host leads those who ask for others, and has it read that again.
    pub fn change_host(&self, change: impl FnOnce(&mut Value)) {
        let path = self.data.join("host").join("host.json");
        let mut document = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut document);
        let new = path.with_extension("new");
        fs::write(&new, document.to_string()).unwrap();
        fs::rename(new, path).unwrap();
        let log = self.data.join("logs").join("host.log");
        let reloads = || {
            let text = fs::read_to_string(&log).unwrap_or_default();
            text.matches("event=egress_reloaded").count()
        };
        let before = reloads();
        signal(self.ready().pids().host, Signal::HUP);
        eventually("the host's new addresses", SHORT, || {
            (reloads() > before).then_some(())
        });
    }

    /// Waits until the service answers again and `up` has said so, after something of it was killed.
    pub fn await_recovery(&self, before: &Pids) {
        eventually("other processes in the ready file", LONG, || {
            (self.ready().pids() != *before).then_some(())
        });
        self.await_answer();
    }

    /// Waits until the service answers a read.
    pub fn await_answer(&self) {
        let mut client = self.client();
        eventually("an answer of the service", LONG, || {
            let answer = client.try_request("GET", "/ServiceProviderConfig", &[], b"");
            answer.ok().filter(|answer| answer.status == 200)
        });
    }

    /// Ends the service as ctrl-c would, and sees that no process of it is left.
    pub fn end(mut self) -> ExitStatus {
        let pids = self.ready().pids();
        let status = self.stop();
        for pid in pids.all() {
            eventually("the end of a process", SHORT, || {
                (!is_alive(pid)).then_some(())
            });
        }
        assert!(!self.ready_file.exists(), "the ready file is left");
        status
    }

    /// Waits until a service has ended by itself, with a mistake; what it printed.
    #[must_use]
    pub fn await_end(mut self) -> String {
        let status = eventually("the end of `up` by itself", LONG, || {
            self.guard.try_wait().unwrap()
        });
        assert!(!status.success(), "{}", self.log());
        self.log()
    }

    fn stop(&mut self) -> ExitStatus {
        drop(self.guard.stdin.take());
        eventually("the end of `up`", LONG, || self.guard.try_wait().unwrap())
    }
}

impl Default for Service {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        if std::thread::panicking() {
            println_log(&self.log(), &self.data);
        }
        drop(self.guard.wait());
    }
}

/// What the processes said, for whoever reads why a test failed.
#[expect(clippy::print_stderr, reason = "shown with a failed test alone")]
fn println_log(log: &str, data: &Path) {
    eprintln!("--- up\n{log}");
    for entry in fs::read_dir(data.join("logs"))
        .into_iter()
        .flatten()
        .flatten()
    {
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        if !text.is_empty() {
            eprintln!("--- {}\n{text}", entry.path().display());
        }
    }
}

fn raw(pid: u32) -> Pid {
    Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()
}

/// Whether a process runs; one that has ended and waits for its parent does not.
#[must_use]
pub fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit(") ")
        .next()
        .and_then(|rest| rest.chars().next());
    test_kill_process(raw(pid)).is_ok() && state != Some('Z')
}

/// Sends a signal to a process; one that has just ended is no mistake.
pub fn signal(pid: u32, signal: Signal) {
    assert!(pid > 1, "no process of a service");
    kill_process(raw(pid), signal).unwrap_or_default();
}
