//! Whoever answers: a server that is reached over HTTP, or the service in this process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::bench::growth::in_process::InProcess;
use crate::bench::growth::kind::Kind;
use crate::bench::measure::float;
use crate::bench::plan::Operation;
use crate::error::DevError;
use crate::http::{Connection, Reply, Target};
use crate::machine::{threads_cpu_ns, usage};

/// Pause before and after what is measured, so that what was before is not counted, and what follows is.
const SETTLING: Duration = Duration::from_millis(20);
/// Attempts at a request that is answered with 503.
const ATTEMPTS_MAX: u32 = 60;
/// Pause before another attempt.
const PAUSE: Duration = Duration::from_millis(500);

/// A request, and what tells what became of it if no answer does.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// The request.
    pub(super) operation: Operation,
    /// For a creation: the search for what it creates.
    pub(super) search: Option<Operation>,
}

/// CPU time in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Cpu {
    /// Of the process that answers: ours is the runtime.
    pub(super) server: Option<f64>,
    /// Of all processes of the service together.
    pub(super) all: Option<f64>,
}

/// What requests of one kind took.
#[derive(Clone, Debug, Default)]
pub(super) struct Burst {
    /// Time of each in microseconds.
    pub(super) latencies_us: Vec<u32>,
    /// Ids of what was created, in the order of the requests.
    pub(super) ids: Vec<String>,
    /// How long all took together.
    pub(super) wall: Duration,
    /// CPU time of each.
    pub(super) cpu: Cpu,
}

/// Whoever answers.
pub(super) enum Service {
    /// A server.
    Http(Http),
    /// This process.
    InProcess(Box<InProcess>),
}

impl Service {
    /// Sends all requests of one kind to a directory of `users` and measures them.
    pub(super) async fn burst(
        &mut self,
        kind: Kind,
        asked: Vec<Asked>,
        users: u64,
    ) -> Result<Burst, DevError> {
        match self {
            Self::Http(http) => http.burst(kind, asked, users).await,
            Self::InProcess(service) => service.burst(kind, &asked, users),
        }
    }

    /// Sends one request that is not measured.
    pub(super) async fn send(&mut self, operation: &Operation) -> Result<Reply, DevError> {
        match self {
            Self::Http(http) => http.send(operation).await,
            Self::InProcess(service) => Ok(service.answer(operation)),
        }
    }

    /// Opens connections anew: a server may have closed those that were idle.
    pub(super) async fn open(&mut self) -> Result<(), DevError> {
        match self {
            Self::Http(http) => http.open().await,
            Self::InProcess(_) => Ok(()),
        }
    }

    /// Resident bytes of the process that answers.
    pub(super) fn resident_bytes(&self) -> Option<u64> {
        let pid = match self {
            Self::Http(http) => http.pids.first().copied(),
            Self::InProcess(_) => Some(std::process::id()),
        };
        usage(pid?).map(|usage| usage.resident_bytes)
    }
}

/// A server.
pub(super) struct Http {
    target: Arc<Target>,
    connections: Vec<Connection>,
    count: u16,
    /// Its processes, first the one that answers; none if they are not known.
    pids: Vec<u32>,
}

impl Http {
    /// Over so many connections.
    pub(super) const fn new(target: Arc<Target>, count: u16, pids: Vec<u32>) -> Self {
        Self {
            target,
            connections: Vec::new(),
            count,
            pids,
        }
    }

    async fn open(&mut self) -> Result<(), DevError> {
        self.connections.clear();
        for _ in 0..self.count {
            self.connections.push(self.target.connect().await?);
        }
        Ok(())
    }

    async fn send(&mut self, operation: &Operation) -> Result<Reply, DevError> {
        if self.connections.is_empty() {
            self.open().await?;
        }
        let connection = self.connections.last_mut();
        let connection = connection.ok_or_else(|| DevError::Load("no connection".to_owned()))?;
        patient(connection, operation).await.map(|(reply, _)| reply)
    }

    async fn burst(
        &mut self,
        kind: Kind,
        asked: Vec<Asked>,
        users: u64,
    ) -> Result<Burst, DevError> {
        if self.connections.is_empty() {
            self.open().await?;
        }
        let count = asked.len();
        let asked = Arc::new(asked);
        let next = Arc::new(AtomicUsize::new(0));
        sleep(SETTLING).await;
        let before = self.cpu_ns();
        let begun = Instant::now();
        let mut workers = JoinSet::new();
        for mut connection in self.connections.drain(..) {
            let (asked, next) = (Arc::clone(&asked), Arc::clone(&next));
            workers.spawn(async move {
                let done = work(&mut connection, kind, &asked, users, &next).await;
                done.map(|done| (connection, done))
            });
        }
        let mut all = Vec::with_capacity(count);
        while let Some(worker) = workers.join_next().await {
            let stopped = |error| DevError::Load(format!("a worker stopped: {error}"));
            let (connection, done) = worker.map_err(stopped)??;
            self.connections.push(connection);
            all.extend(done);
        }
        let wall = begun.elapsed();
        sleep(SETTLING).await;
        let cpu = self.per_operation(&before, count);
        all.sort_unstable_by_key(|done| done.number);
        Ok(Burst {
            latencies_us: all.iter().map(|done| done.took_us).collect(),
            ids: all.into_iter().filter_map(|done| done.id).collect(),
            wall,
            cpu,
        })
    }

    fn cpu_ns(&self) -> Vec<Option<u64>> {
        self.pids.iter().map(|pid| threads_cpu_ns(*pid)).collect()
    }

    fn per_operation(&self, before: &[Option<u64>], count: usize) -> Cpu {
        let after = self.cpu_ns();
        let count = u64::try_from(count).unwrap_or(u64::MAX).max(1);
        // Threads that ended meanwhile make a process seem to have used less than before.
        let used: Vec<Option<f64>> = before
            .iter()
            .zip(&after)
            .map(|(before, after)| after.zip(*before)?.0.checked_sub((*before)?))
            .map(|ns| Some(float(ns?) / float(count) / 1000.0))
            .collect();
        let all: Option<Vec<f64>> = used.iter().copied().collect();
        Cpu {
            server: used.first().copied().flatten(),
            all: all
                .filter(|all| !all.is_empty())
                .map(|all| all.iter().sum()),
        }
    }
}

/// One request that succeeded.
struct Done {
    number: usize,
    took_us: u32,
    id: Option<String>,
}

async fn work(
    connection: &mut Connection,
    kind: Kind,
    asked: &[Asked],
    users: u64,
    next: &AtomicUsize,
) -> Result<Vec<Done>, DevError> {
    let mut done = Vec::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let Some(asked) = asked.get(number) else {
            return Ok(done);
        };
        let begun = Instant::now();
        let (reply, is_certain) = patient(connection, &asked.operation).await?;
        let took_us = u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX);
        let id = match (&asked.search, reply.status, is_certain) {
            // It took effect at an attempt whose answer did not say so.
            (Some(search), 409, false) => found(&patient(connection, search).await?.0),
            (None, 404, false) if kind == Kind::Delete => Ok(None),
            _ => kind.accept(&reply, users),
        };
        let told = |reason| DevError::Load(format!("{}: {reason}", kind.name()));
        let id = id.map_err(told)?;
        done.push(Done {
            number,
            took_us,
            id,
        });
    }
}

fn found(reply: &Reply) -> Result<Option<String>, String> {
    match crate::bench::worker::found(reply).as_deref() {
        Some([id]) => Ok(Some(id.clone())),
        _ => Err("what was created is not found".to_owned()),
    }
}

/// The answer, once it is another one than 503, and whether it is the first one.
async fn patient(
    connection: &mut Connection,
    operation: &Operation,
) -> Result<(Reply, bool), DevError> {
    for attempt in 0..ATTEMPTS_MAX {
        let Operation { method, path, body } = operation.clone();
        let reply = connection.send(method, &path, body).await?;
        if reply.status != 503 {
            return Ok((reply, attempt == 0));
        }
        sleep(PAUSE).await;
    }
    Err(DevError::Load("the service stays unavailable".to_owned()))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::bench::plan::{get, post};
    use chancery_json::Object;

    /// A server that gives these answers on one connection, one for each request.
    async fn answering(answers: Vec<(u16, &'static str)>) -> Arc<Target> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            for (status, body) in answers {
                assert!(stream.read(&mut request).await.unwrap() > 0);
                let size = body.len();
                let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {size}\r\n\r\n{body}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Target::plain(&format!("http://{address}/v2"), "t").unwrap()
    }

    async fn creates(answers: Vec<(u16, &'static str)>) -> Result<Burst, DevError> {
        let target = answering(answers).await;
        let asked = Asked {
            operation: post("/Users", &Object::new()),
            search: Some(get("/Users?filter=x".to_owned())),
        };
        let mut http = Http::new(target, 1, vec![std::process::id()]);
        http.burst(Kind::Create, vec![asked], 100).await
    }

    #[tokio::test]
    async fn what_is_created_is_told_with_its_time_and_cost() {
        let burst = creates(vec![(201, r#"{"id":"a"}"#)]).await.unwrap();
        assert_eq!(
            (burst.ids.as_slice(), burst.latencies_us.len()),
            (&["a".to_owned()][..], 1)
        );
        assert!(burst.cpu.server.is_some() && burst.cpu.server == burst.cpu.all);
    }

    #[tokio::test]
    async fn a_conflict_after_an_answer_without_outcome_is_what_was_created() {
        let found = (200, r#"{"totalResults":1,"Resources":[{"id":"b"}]}"#);
        let burst = creates(vec![(503, ""), (409, "{}"), found]).await.unwrap();
        assert_eq!(burst.ids, ["b"]);
        let nobody = (200, r#"{"totalResults":0}"#);
        assert!(creates(vec![(503, ""), (409, "{}"), nobody]).await.is_err());
        // Without such an answer before it, it is somebody else's.
        assert!(creates(vec![(409, "{}")]).await.is_err());
    }

    #[tokio::test]
    async fn a_refusal_ends_the_measurement_with_its_reason() {
        let refused = creates(vec![(403, r#"{"detail":"expired"}"#)]).await;
        let Err(DevError::Load(reason)) = refused else {
            panic!("it was no success");
        };
        assert_eq!(reason, "create user: status 403: expired");
    }
}
