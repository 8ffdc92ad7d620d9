//! The same operations in directories of several sizes, and at servers that others wrote. All take turns,
//! so that whatever else happens on the machine happens to all of them.

mod ids;
mod in_process;
mod kind;
mod report;
mod rounds;
mod service;
mod subject;
mod tenant;

use std::collections::BTreeSet;
use std::sync::Arc;

use chancery_client::now_ms;
use chancery_json::Object;
use tokio::runtime::Builder;

use crate::args::{BenchArgs, Named};
use crate::bench::growth::in_process::InProcess;
use crate::bench::growth::kind::Kind;
use crate::bench::growth::report::{Measured, Report};
use crate::bench::growth::rounds::{Round, Rounds};
use crate::bench::growth::service::{Http, Service};
use crate::bench::growth::subject::Subject;
use crate::bench::plan;
use crate::console::Console;
use crate::error::DevError;
use crate::http::Target;
use crate::ready::Ready;

/// Rounds that count, unless it is said.
const ROUNDS: u64 = 5;
/// Operations of each kind in a round, unless it is said.
const OPERATIONS: u64 = 200;
/// Seed of the worlds in this process.
const SEED: u64 = 7;

/// Measures and prints.
pub(super) fn run(args: &BenchArgs, console: &Console) -> Result<(), DevError> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(DevError::System)?;
    let prefix = match &args.prefix {
        Some(prefix) => prefix.clone(),
        None => format!("g{:x}", now_ms()),
    };
    plan::check_prefix(&prefix)?;
    let growth = Growth {
        args,
        console,
        prefix,
        sizes: args.growth.sizes.iter().copied().collect(),
    };
    let operations = growth.operations();
    if growth
        .sizes
        .first()
        .is_some_and(|least| operations > *least)
    {
        return Err(DevError::Value {
            option: "--operations",
            allowed: "at most the smallest size",
        });
    }
    let measured = runtime.block_on(growth.measure())?;
    let report = Report {
        operations,
        rounds: growth.rounds(),
        measured: &measured,
    };
    console.text(&report.to_text());
    console.document(&report.to_json());
    Ok(())
}

struct Growth<'a> {
    args: &'a BenchArgs,
    console: &'a Console,
    prefix: String,
    sizes: BTreeSet<u64>,
}

impl Growth<'_> {
    fn operations(&self) -> u64 {
        self.args.operations.unwrap_or(OPERATIONS)
    }

    fn rounds(&self) -> u64 {
        self.args.growth.rounds.unwrap_or(ROUNDS)
    }

    async fn measure(&self) -> Result<Vec<Measured>, DevError> {
        let mut subjects = self.subjects().await?;
        for subject in &mut subjects {
            self.fill(subject).await?;
        }
        let mut rounds = vec![Rounds::default(); subjects.len()];
        let in_all = self.rounds().saturating_add(1);
        let bar = self.console.bar(in_all);
        for number in 0..in_all {
            bar.set_message(format!("round {number} of {}", self.rounds()));
            let mut turns: Vec<_> = subjects.iter_mut().zip(&mut rounds).collect();
            // Nobody is always the first one.
            if number % 2 == 1 {
                turns.reverse();
            }
            for (subject, rounds) in turns {
                let turn = self.turn(subject).await?;
                // The first round warms up.
                if number > 0 {
                    for (kind, round) in turn {
                        rounds.push(kind, round);
                    }
                }
            }
            bar.inc(1);
            self.told(
                "round",
                &format!("round {number} of {} is over", self.rounds()),
            );
        }
        bar.finish_and_clear();
        let measured = subjects.into_iter().zip(rounds);
        Ok(measured
            .map(|(subject, rounds)| Measured {
                peer: subject.peer,
                users: subject.users,
                resident: subject.resident,
                own_bytes: if self.args.growth.in_process {
                    ids::ID_BYTES
                } else {
                    0
                },
                rounds,
            })
            .collect())
    }

    fn told(&self, event: &str, message: &str) {
        self.console.event(event, message, &Object::new());
    }

    async fn turn(&self, subject: &mut Subject) -> Result<Vec<(Kind, Round)>, DevError> {
        let mut turn = Vec::new();
        subject.open().await?;
        for kind in Kind::ALL {
            if subject.is_asked(kind) {
                let count = kind.count(self.operations());
                turn.push((kind, Round::new(&subject.burst(kind, count).await?)));
            }
        }
        Ok(turn)
    }

    /// Our directories, the smallest one first, and those of others.
    async fn subjects(&self) -> Result<Vec<Subject>, DevError> {
        let mut subjects = Vec::new();
        let names = || (self.prefix.clone(), self.args.domain.clone());
        match self
            .args
            .ready_file
            .as_deref()
            .map(Ready::read)
            .transpose()?
        {
            Some(ready) => {
                for users in &self.sizes {
                    let service = self.tenant(&ready, *users).await?;
                    subjects.push(Subject::new(None, *users, service, names()));
                }
            }
            None => {
                for users in &self.sizes {
                    let world = InProcess::found(SEED)?;
                    let service = Service::InProcess(Box::new(world));
                    subjects.push(Subject::new(None, *users, service, names()));
                }
            }
        }
        let least = self.sizes.first().copied().unwrap_or(0);
        for peer in &self.args.growth.peers {
            let service = self.peer(peer)?;
            subjects.push(Subject::new(
                Some(peer.name.clone()),
                least,
                service,
                names(),
            ));
        }
        Ok(subjects)
    }

    async fn tenant(&self, ready: &Ready, users: u64) -> Result<Service, DevError> {
        let slug = format!("bench-{:x}-{users}", now_ms());
        let made = tenant::make(ready, &slug).await?;
        let target = Target::new(&made.base, &made.token, &ready.ca_file)?;
        let mut pids = vec![ready.pids.runtime, ready.pids.host];
        pids.extend(&ready.pids.witnesses);
        Ok(self.http(target, pids))
    }

    fn peer(&self, peer: &Named) -> Result<Service, DevError> {
        let growth = &self.args.growth;
        let token = growth.peer_token.as_deref().unwrap_or_default();
        let mut pids = Vec::new();
        for named in growth.peer_pids.iter().filter(|pid| pid.name == peer.name) {
            pids.push(named.value.parse().map_err(|_no_number| DevError::Value {
                option: "--peer-pid",
                allowed: "NAME=PID",
            })?);
        }
        Ok(self.http(Target::plain(&peer.value, token)?, pids))
    }

    const fn http(&self, target: Arc<Target>, pids: Vec<u32>) -> Service {
        Service::Http(Http::new(target, self.args.connections, pids))
    }

    async fn fill(&self, subject: &mut Subject) -> Result<(), DevError> {
        let name = subject.name();
        let bar = self.console.bar(subject.users);
        bar.set_message(format!("{name}: users"));
        subject.open().await?;
        subject.fill(&|count| bar.inc(count)).await?;
        bar.finish_and_clear();
        self.told("filled", &format!("{name}: all users are created"));
        if subject.peer.is_none() {
            let bar = self.console.bar(subject.users);
            bar.set_message(format!("{name}: members"));
            subject.prepare(&|count| bar.inc(count)).await?;
            bar.finish_and_clear();
            self.told("prepared", &format!("{name}: all are in one group"));
        }
        Ok(())
    }
}
