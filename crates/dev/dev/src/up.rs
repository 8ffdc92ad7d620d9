//! `up`: starts the whole service here and keeps it running (design section 3.1).

mod child;
mod configuration;
mod greeting;
mod issuer;
mod layout;
mod lock;
mod programs;
mod publication;
mod release;
mod schemas;
mod service;
mod supervisor;
mod tenant;

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use chancery_authority::Domain;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep};

use crate::args::{Tee, UpArgs};
use crate::console::Console;
use crate::error::DevError;
use crate::files;
pub(crate) use crate::up::layout::Layout;
use crate::up::lock::Lock;
use crate::up::programs::Programs;
use crate::up::service::Service;
use crate::up::supervisor::Supervisor;
use crate::up::tenant::DOMAIN;
pub(crate) use crate::up::tenant::{admit, issue_token, nonce, put_delegation};

/// The first line of every run.
const WARNING: &str = "EMULATED MODE PROTECTS NOTHING: the secure processor is a program whose \
                       secrets lie in a file. For development and tests alone.";

/// How long the data folder may stay taken before somebody is said to hold it.
const LOCK_TIME_MAX: Duration = Duration::from_millis(500);
/// Pause between attempts at it.
const LOCK_PAUSE: Duration = Duration::from_millis(50);
/// How long a port may stay taken by the host of a killed `up`.
const PORT_TIME_MAX: Duration = Duration::from_secs(10);
/// Pause between looks at it.
const PORT_PAUSE: Duration = Duration::from_millis(100);

/// Runs `up` until a signal ends it.
pub(crate) fn run(args: &UpArgs, console: &Console) -> Result<(), DevError> {
    console.say("warning", WARNING);
    if args.tee == Tee::Qemu {
        return Err(DevError::NoImage);
    }
    let domains = demo_domains(&args.demo_domains)?;
    let programs = Programs::find()?;
    let layout = Layout::make(&args.data)?;
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(DevError::System)?;
    let lock = runtime.block_on(take_lock(&layout))?;
    let spinner = console.with_spinner();
    let result = runtime.block_on(async {
        let mut stop = Stop::new()?;
        await_port(args.listen, lock.was_left).await?;
        if let Some(path) = &args.ready_file {
            // Sees now that it can be written, and leaves none of an earlier run to be read.
            files::write(path, b"", files::PRIVATE)?;
            files::remove(path)?;
        }
        let children = Supervisor::new(&spinner, &layout, &programs, args.listen, lock.was_left);
        let mut service = Service::new(args, domains, &spinner, &layout, children, &programs);
        let result = tokio::select! {
            result = service.run() => result,
            () = stop.requested() => Ok(()),
        };
        spinner.done_waiting();
        service.end(&result).await;
        result
    });
    lock.release();
    result
}

fn demo_domains(texts: &[String]) -> Result<BTreeSet<Domain>, DevError> {
    let default = [DOMAIN.to_owned()];
    let texts = if texts.is_empty() { &default } else { texts };
    texts
        .iter()
        .map(|text| {
            Domain::parse(text).ok_or(DevError::Value {
                option: "--demo-domain",
                allowed: "a domain in lower case, such as demo.example",
            })
        })
        .collect()
}

/// Takes the data folder. A process that was killed just now may not have let go of it yet.
async fn take_lock(layout: &Layout) -> Result<Lock, DevError> {
    let begun = Instant::now();
    loop {
        match Lock::take(layout) {
            Err(DevError::Locked { .. }) if begun.elapsed() < LOCK_TIME_MAX => {
                sleep(LOCK_PAUSE).await;
            }
            result => return result,
        }
    }
}

/// Sees that the port is free before anything is started.
async fn await_port(listen: SocketAddr, was_left: bool) -> Result<(), DevError> {
    let now = Instant::now();
    let patience = if was_left {
        PORT_TIME_MAX
    } else {
        Duration::ZERO
    };
    loop {
        let source = match TcpListener::bind(listen) {
            Ok(_free) => return Ok(()),
            Err(source) => source,
        };
        if source.kind() != ErrorKind::AddrInUse {
            return Err(DevError::Listen {
                address: listen,
                source,
            });
        }
        if now.elapsed() >= patience {
            return Err(DevError::AddressInUse { address: listen });
        }
        sleep(PORT_PAUSE).await;
    }
}

/// The signals that end `up`.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn new() -> Result<Self, DevError> {
        let listen = |kind| signal(kind).map_err(DevError::System);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_told_before_anything_starts() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let result = runtime.block_on(await_port(address, false));
        assert!(matches!(result, Err(DevError::AddressInUse { address: told }) if told == address));
        drop(taken);
        assert!(runtime.block_on(await_port(address, false)).is_ok());
    }

    #[test]
    fn the_demo_domain_has_a_default_and_a_form() {
        let names = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            demo_domains(&texts).map(|domains| {
                let names = domains.iter().map(|domain| domain.as_str().to_owned());
                names.collect::<Vec<_>>()
            })
        };
        assert_eq!(names(&[]).unwrap(), ["demo.example"]);
        assert_eq!(
            names(&["b.example", "a.example"]).unwrap(),
            ["a.example", "b.example"]
        );
        assert!(matches!(
            names(&["Not a domain"]),
            Err(DevError::Value { .. })
        ));
    }
}
