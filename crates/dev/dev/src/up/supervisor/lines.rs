//! What children say on their standard output.

use std::net::SocketAddr;

use chancery_json::{Fields, Limits, Object};
use rustix::process::Signal;

use crate::up::child::Role;
use crate::up::issuer::IssuerFacts;
use crate::up::supervisor::{Change, Supervisor};

impl Supervisor<'_> {
    pub(super) fn take_line(&mut self, role: Role, line: &str) -> Change {
        let understood = match role {
            Role::Witness(number) => self.witness_line(number, line),
            Role::Issuer => self.issuer_line(line),
            Role::Host => self.host_line(line),
            Role::Processor => self.processor_line(role, line),
        };
        match understood {
            Some(Change::Ready(role)) => {
                if let Some(place) = self.places.get_mut(&role) {
                    place.is_ready = true;
                }
                let pid = self.pid(role).map_or(0, u64::from);
                let mut members = Object::new()
                    .with("child", role.to_string())
                    .with("pid", pid);
                let mut message = format!("{role} runs as process {pid}");
                if let (Role::Processor, Some(runtime)) = (role, self.runtime) {
                    members = members.with("runtime_pid", u64::from(runtime));
                    message = format!("{message}, the runtime as process {runtime}");
                }
                self.console.event("running", &message, &members);
                Change::Ready(role)
            }
            Some(change) => change,
            // The runtime shares its processor's standard output and may say something of its own.
            None => Change::Nothing,
        }
    }

    fn witness_line(&mut self, number: usize, line: &str) -> Option<Change> {
        let mut fields = Fields::parse(line.as_bytes(), &Limits::DOCUMENT).ok()?;
        let key = fields.take_str("vkey").ok()?;
        let address: SocketAddr = fields.take_str("address").ok()?.parse().ok()?;
        let index = number.checked_sub(1)?;
        *self.witness_keys.get_mut(index)? = Some(key);
        let known = self.witness_addresses.get_mut(index)?.replace(address);
        if known.is_some_and(|known| known != address) {
            self.tell_host();
        }
        Some(Change::Ready(Role::Witness(number)))
    }

    fn issuer_line(&mut self, line: &str) -> Option<Change> {
        self.issuer = Some(IssuerFacts::parse(line)?);
        Some(Change::Ready(Role::Issuer))
    }

    /// Gives the host the witnesses' new addresses.
    fn tell_host(&self) {
        if let Err(error) = self.write_host_file() {
            self.console.say("warning", &error.to_string());
            return;
        }
        let host = self.places.get(&Role::Host);
        // A host that is starting reads the file as it is now.
        if let Some(running) = host.and_then(|place| place.running.as_ref())
            && host.is_some_and(|place| place.is_ready)
        {
            running.signal(Signal::HUP);
        }
    }

    fn host_line(&mut self, line: &str) -> Option<Change> {
        let mut fields = Fields::parse(line.as_bytes(), &Limits::DOCUMENT).ok()?;
        let listen = fields.take_str("listen").ok()?.parse().ok()?;
        let metrics = fields.take_str("metrics").ok()?;
        let metrics = metrics.strip_prefix("http://")?.strip_suffix("/metrics")?;
        self.metrics = Some(metrics.parse().ok()?);
        // The port stays the same when the host is started again.
        self.listen = listen;
        Some(Change::Ready(Role::Host))
    }

    fn processor_line(&mut self, role: Role, line: &str) -> Option<Change> {
        let mut fields = Fields::parse(line.as_bytes(), &Limits::DOCUMENT).ok()?;
        let event = fields.take_str("event").ok()?;
        let pid = u32::try_from(fields.take_u64("runtime_pid").ok()?).ok()?;
        match event.as_str() {
            "launched" => {
                self.runtime = Some(pid);
                Some(Change::Ready(Role::Processor))
            }
            "exited" => {
                self.runtime = None;
                let status = fields.take_str("status").ok()?;
                self.tell_end("the runtime", role, &status);
                Some(Change::Lost)
            }
            _ => None,
        }
    }
}
