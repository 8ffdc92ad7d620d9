//! The children: started in order, restarted when they die, ended in order.

mod lines;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use chancery_json::Object;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::console::Console;
use crate::error::DevError;
use crate::files;
use crate::up::child::{Happening, Launch, Role, Running, What, ending};
use crate::up::configuration::{host_json, witness_name};
use crate::up::issuer::IssuerFacts;
use crate::up::layout::{Layout, WITNESSES};
use crate::up::programs::Programs;

/// Lines and ends of children that wait to be looked at.
const HAPPENINGS_MAX: usize = 256;
/// How long a child may take to say that it serves: the runtime's image is measured first.
const READY_TIME_MAX: Duration = Duration::from_secs(60);
/// How long the children of a killed `up` may take to let go of their folders and ports.
const LEFT_TIME_MAX: Duration = Duration::from_secs(15);
/// Pause between attempts within that time.
const LEFT_PAUSE: Duration = Duration::from_millis(250);
/// Wait before the first restart of a child; doubled each time.
const BACKOFF_MIN: Duration = Duration::from_millis(100);
/// Longest wait before a restart.
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// A child that ran for this long was well: the wait begins anew.
const WELL_AFTER: Duration = Duration::from_secs(10);

/// A child as it stands.
#[derive(Debug)]
struct Place {
    running: Option<Running>,
    started: Instant,
    backoff: Duration,
    /// When it is to be started again.
    due: Option<Instant>,
    is_ready: bool,
}

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A child says that it serves; for the processor, that it has launched the runtime.
    Ready(Role),
    /// The runtime, or something that stands between it and its clients, ended.
    Lost,
    /// Nothing that matters.
    Nothing,
}

/// All children.
#[derive(Debug)]
pub(crate) struct Supervisor<'a> {
    console: &'a Console,
    layout: &'a Layout,
    programs: &'a Programs,
    places: BTreeMap<Role, Place>,
    sender: mpsc::Sender<Happening>,
    receiver: mpsc::Receiver<Happening>,
    /// Until when an early end of a child is put down to the children of a killed `up`.
    patient_until: Instant,
    listen: SocketAddr,
    witness_keys: [Option<String>; WITNESSES],
    witness_addresses: [Option<SocketAddr>; WITNESSES],
    issuer: Option<IssuerFacts>,
    metrics: Option<SocketAddr>,
    runtime: Option<u32>,
}

impl<'a> Supervisor<'a> {
    /// No child yet. `was_left`: an earlier `up` was killed, so its children may still be ending.
    pub(crate) fn new(
        console: &'a Console,
        layout: &'a Layout,
        programs: &'a Programs,
        listen: SocketAddr,
        was_left: bool,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(HAPPENINGS_MAX);
        let now = Instant::now();
        let patience = if was_left {
            LEFT_TIME_MAX
        } else {
            Duration::ZERO
        };
        Self {
            console,
            layout,
            programs,
            places: BTreeMap::new(),
            sender,
            receiver,
            patient_until: now.checked_add(patience).unwrap_or(now),
            listen,
            witness_keys: [const { None }; WITNESSES],
            witness_addresses: [None; WITNESSES],
            issuer: None,
            metrics: None,
            runtime: None,
        }
    }

    /// Where the service listens; with the port that the host took if 0 was asked for.
    pub(crate) fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// What the identity provider said of itself last.
    pub(crate) fn issuer(&self) -> Result<&IssuerFacts, DevError> {
        self.issuer.as_ref().ok_or_else(|| DevError::ChildSilent {
            name: Role::Issuer.to_string(),
        })
    }

    /// The host's own port.
    pub(crate) fn metrics(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// The runtime's process id.
    pub(crate) fn runtime(&self) -> Option<u32> {
        self.runtime
    }

    /// A child's process id.
    pub(crate) fn pid(&self, role: Role) -> Option<u32> {
        self.places
            .get(&role)?
            .running
            .as_ref()
            .map(|child| child.pid)
    }

    /// The witnesses' keys, once all have said them.
    pub(crate) fn witness_keys(&self) -> Option<Vec<String>> {
        self.witness_keys.iter().cloned().collect()
    }

    /// Whether every child serves, as far as it says.
    pub(crate) fn all_ready(&self) -> bool {
        self.places.values().all(|place| place.is_ready) && self.runtime.is_some()
    }

    /// Starts a child and waits until it says that it serves.
    pub(crate) async fn start(&mut self, role: Role) -> Result<(), DevError> {
        self.console.waiting(&format!("starting {role}"));
        loop {
            if role == Role::Host {
                self.write_host_file()?;
            }
            self.spawn(role)?;
            let now = Instant::now();
            let deadline = now.checked_add(READY_TIME_MAX).unwrap_or(now);
            let status = match timeout_at(deadline, self.ready_or_ended(role)).await {
                Ok(None) => return Ok(()),
                Ok(Some(status)) => status,
                Err(_elapsed) => {
                    return Err(DevError::ChildSilent {
                        name: role.to_string(),
                    });
                }
            };
            if Instant::now() >= self.patient_until {
                return Err(DevError::ChildFailed {
                    name: role.to_string(),
                    status,
                    last_line: self.last_log_line(role),
                });
            }
            sleep(LEFT_PAUSE).await;
        }
    }

    /// Waits until a child serves, or how it ended.
    async fn ready_or_ended(&mut self, role: Role) -> Option<String> {
        loop {
            match self.receiver.recv().await {
                Some(Happening {
                    role: ended,
                    pid,
                    what: What::Ended(status),
                }) if ended == role && self.pid(role) == Some(pid) => {
                    self.forget(role);
                    return Some(ending(status));
                }
                Some(other) => {
                    self.take_in(other);
                    if self.places.get(&role).is_some_and(|place| place.is_ready) {
                        return None;
                    }
                }
                // Not while this value lives: it holds a sender.
                None => return None,
            }
        }
    }

    /// Waits for the next thing to happen, and restarts what is due.
    pub(crate) async fn next(&mut self) -> Result<Change, DevError> {
        let due = self
            .places
            .iter()
            .filter_map(|(role, place)| Some((place.due?, *role)));
        let first = due.min();
        tokio::select! {
            happening = self.receiver.recv() => Ok(happening.map_or(Change::Nothing, |happening| self.take_in(happening))),
            () = until(first.map(|(due, _)| due)) => {
                if let Some((_, role)) = first {
                    self.restart(role)?;
                }
                Ok(Change::Nothing)
            }
        }
    }

    fn restart(&mut self, role: Role) -> Result<(), DevError> {
        if role == Role::Host {
            self.write_host_file()?;
        }
        self.spawn(role)
    }

    fn spawn(&mut self, role: Role) -> Result<(), DevError> {
        let running = Running::start(role, &self.launch(role), self.sender.clone())?;
        let backoff = self
            .places
            .get(&role)
            .map_or(BACKOFF_MIN, |place| place.backoff);
        let place = Place {
            running: Some(running),
            started: Instant::now(),
            backoff,
            due: None,
            is_ready: false,
        };
        self.places.insert(role, place);
        Ok(())
    }

    fn launch(&self, role: Role) -> Launch {
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        let (program, mut arguments) = match role {
            Role::Witness(number) => {
                let mut arguments = words(&["--name", &witness_name(number), "--state"]);
                arguments.push(self.layout.witness(number).into());
                arguments.extend(words(&["--listen", "127.0.0.1:0", "--logs"]));
                arguments.push(self.layout.witness_logs().into());
                (&self.programs.witness, arguments)
            }
            Role::Issuer => {
                let mut arguments = words(&["--control", "--data"]);
                arguments.push(self.layout.issuer().into());
                (&self.programs.issuer, arguments)
            }
            Role::Host => (&self.programs.host, words(&["--config", "host.json"])),
            Role::Processor => {
                let mut arguments = words(&["launch", "--state"]);
                arguments.push(self.layout.processor().into());
                arguments.push("--runtime".into());
                arguments.push(self.programs.runtime.clone().into());
                arguments.extend(words(&["--configuration", "configuration.json"]));
                (&self.programs.processor, arguments)
            }
        };
        arguments.push("--watch-stdin".into());
        if role == Role::Processor {
            let sockets = [
                "--",
                "--host-socket",
                "host.sock",
                "--ingress-socket",
                "ingress.sock",
            ];
            arguments.extend(words(&sockets));
        }
        Launch {
            program: program.clone(),
            arguments,
            folder: self.layout.host(),
            log: self.layout.log(&role.to_string()),
        }
    }

    fn write_host_file(&self) -> Result<(), DevError> {
        // A witness that is down keeps its last address: nobody answers there until it is back.
        let addresses: Vec<SocketAddr> = self.witness_addresses.iter().flatten().copied().collect();
        let issuer = self.issuer.as_ref().map(|issuer| issuer.address);
        let bytes = host_json(self.listen, &addresses, issuer);
        let path = self.layout.host_file("host.json");
        files::write_if_changed(&path, &bytes, files::PUBLIC).map(drop)
    }

    /// Learns from what happened.
    fn take_in(&mut self, happening: Happening) -> Change {
        let Happening { role, pid, what } = happening;
        if self.pid(role) != Some(pid) {
            return Change::Nothing;
        }
        match what {
            What::Line(line) => self.take_line(role, &line),
            What::Ended(status) => {
                self.tell_end(&role.to_string(), role, &ending(status));
                self.schedule(role);
                match role {
                    Role::Witness(_) | Role::Issuer => Change::Nothing,
                    Role::Host | Role::Processor => Change::Lost,
                }
            }
        }
    }

    /// Says that a child, or the child of one, ended, with what it said last if it failed.
    fn tell_end(&self, name: &str, role: Role, status: &str) {
        let last = self.last_log_line(role);
        let mut message = format!("{name} ended with {status}");
        if !status.starts_with("signal") && !last.is_empty() {
            message = format!("{message}; its last line: {last}");
        }
        let members = Object::new().with("child", name).with("last_line", last);
        self.console.event("ended", &message, &members);
    }

    fn schedule(&mut self, role: Role) {
        self.forget(role);
        let now = Instant::now();
        if let Some(place) = self.places.get_mut(&role) {
            if now.duration_since(place.started) >= WELL_AFTER {
                place.backoff = BACKOFF_MIN;
            }
            place.due = now.checked_add(place.backoff);
            place.backoff = place.backoff.saturating_mul(2).min(BACKOFF_MAX);
        }
    }

    fn forget(&mut self, role: Role) {
        if let Some(place) = self.places.get_mut(&role) {
            place.running = None;
            place.is_ready = false;
        }
        if role == Role::Processor {
            self.runtime = None;
        }
    }

    fn last_log_line(&self, role: Role) -> String {
        let bytes = files::read(&self.layout.log(&role.to_string())).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        text.lines().last().unwrap_or_default().to_owned()
    }

    /// Ends a child and waits for it.
    pub(crate) async fn end(&mut self, role: Role) {
        let running = self
            .places
            .get_mut(&role)
            .and_then(|place| place.running.take());
        let Some(running) = running else { return };
        let ending = running.end();
        tokio::pin!(ending);
        loop {
            tokio::select! {
                () = &mut ending => break,
                // Its own last words change nothing any more, but must not block it.
                happening = self.receiver.recv() => {
                    happening.map(|happening| self.take_in(happening));
                }
            }
        }
        self.places.remove(&role);
    }

    /// Ends every child: the runtime first, while its host and witnesses still answer it.
    pub(crate) async fn end_all(&mut self) {
        self.end(Role::Processor).await;
        self.end(Role::Host).await;
        for number in 1..=WITNESSES {
            self.end(Role::Witness(number)).await;
        }
        self.end(Role::Issuer).await;
    }

    /// Starts all witnesses anew, so that they forget the logs that they read.
    pub(crate) async fn restart_witnesses(&mut self) -> Result<(), DevError> {
        for number in 1..=WITNESSES {
            self.end(Role::Witness(number)).await;
            self.start(Role::Witness(number)).await?;
        }
        Ok(())
    }
}

/// Waits for a time, or for ever if there is none.
async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}
