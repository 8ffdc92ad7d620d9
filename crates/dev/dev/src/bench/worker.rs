//! The load itself: connections that are kept alive, each with one request at a time.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chancery_json::{Limits, Value};
use indicatif::ProgressBar;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::bench::plan::{Operation, Phase, Plan};
use crate::error::DevError;
use crate::http::{Connection, Reply, Target};

/// Attempts at one operation before it has failed: a service that restarts is waited for.
const ATTEMPTS_MAX: u32 = 120;
/// Pause before another attempt when the answer names none.
const PAUSE: Duration = Duration::from_millis(500);
/// Longest pause that an answer may ask for, in seconds.
const RETRY_AFTER_S_MAX: u64 = 30;
/// The status with which the brake of a delegation answers.
pub(crate) const BRAKED: u16 = 429;
/// Most connections that are opened at a time.
const OPENING_MAX: usize = 32;

/// Largest answer that is parsed: one resource, or a list of one.
const ANSWER: Limits = Limits {
    bytes_max: 1024 * 1024,
    depth_max: 16,
    values_max: 16 * 1024,
};

/// The file of acknowledged userNames, if one is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct AckLog(Option<Arc<Mutex<File>>>);

impl AckLog {
    /// Appends to a file.
    pub(crate) fn new(file: Mutex<File>) -> Self {
        Self(Some(Arc::new(file)))
    }

    fn append(&self, user_name: &str) -> Result<(), String> {
        let Some(file) = &self.0 else { return Ok(()) };
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(format!("{user_name}\n").as_bytes())
            .map_err(|error| format!("the log of acknowledgements cannot be written: {error}"))
    }
}

/// What became of the operations of one phase.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// Time of each successful operation in microseconds, from its first request to its success.
    pub(crate) latencies_us: Vec<u32>,
    /// Operations that failed.
    pub(crate) failed: u64,
    /// Why the first of them did.
    pub(crate) first_failure: Option<String>,
    /// Answers with status 503.
    pub(crate) unavailable: u64,
    /// Connections that were opened again.
    pub(crate) reconnected: u64,
    /// Why the brake of the tenant's delegation stopped the phase, if it did.
    pub(crate) braked: Option<String>,
    /// Ids of what was created, by the operation's number.
    pub(crate) ids: BTreeMap<u64, String>,
}

impl Done {
    fn absorb(&mut self, other: Self) {
        self.latencies_us.extend(other.latencies_us);
        self.failed = self.failed.saturating_add(other.failed);
        self.first_failure = self.first_failure.take().or(other.first_failure);
        self.unavailable = self.unavailable.saturating_add(other.unavailable);
        self.reconnected = self.reconnected.saturating_add(other.reconnected);
        self.braked = self.braked.take().or(other.braked);
        self.ids.extend(other.ids);
    }
}

/// Open connections.
pub(crate) struct Load {
    target: Arc<Target>,
    connections: Vec<Option<Connection>>,
    acknowledged: AckLog,
}

impl Load {
    /// Opens the connections.
    pub(crate) async fn connect(
        target: &Arc<Target>,
        count: u16,
        acknowledged: AckLog,
    ) -> Result<Self, DevError> {
        let count = usize::from(count);
        let (mut connections, mut opening) = (Vec::new(), JoinSet::new());
        for _ in 0..count {
            if opening.len() >= OPENING_MAX {
                connections.push(Some(joined(opening.join_next().await)?));
            }
            let target = Arc::clone(target);
            opening.spawn(async move { target.connect().await });
        }
        while connections.len() < count {
            connections.push(Some(joined(opening.join_next().await)?));
        }
        Ok(Self {
            target: Arc::clone(target),
            connections,
            acknowledged,
        })
    }

    /// Runs all operations of a phase over all connections.
    pub(crate) async fn run(&mut self, plan: &Arc<Plan>, phase: Phase, bar: &ProgressBar) -> Done {
        let next = Arc::new(AtomicU64::new(0));
        let mut workers = JoinSet::new();
        for connection in self.connections.drain(..) {
            let worker = Worker {
                target: Arc::clone(&self.target),
                connection,
                plan: Arc::clone(plan),
                phase,
                acknowledged: self.acknowledged.clone(),
                done: Done::default(),
            };
            workers.spawn(worker.run(Arc::clone(&next), bar.clone()));
        }
        let mut done = Done::default();
        while let Some(worker) = workers.join_next().await {
            match worker {
                Ok((connection, part)) => {
                    self.connections.push(connection);
                    done.absorb(part);
                }
                Err(error) => {
                    done.failed = done.failed.saturating_add(1);
                    done.first_failure = Some(format!("a worker stopped: {error}"));
                    self.connections.push(None);
                }
            }
        }
        done
    }
}

type Joined = Result<Result<Connection, DevError>, tokio::task::JoinError>;

fn joined(result: Option<Joined>) -> Result<Connection, DevError> {
    match result {
        Some(Ok(connection)) => connection,
        Some(Err(_)) | None => Err(DevError::Load("a connection was given up".to_owned())),
    }
}

/// One connection at work.
struct Worker {
    target: Arc<Target>,
    connection: Option<Connection>,
    plan: Arc<Plan>,
    phase: Phase,
    acknowledged: AckLog,
    done: Done,
}

/// What one request came to.
enum Attempt {
    /// It succeeded; with the id of what it created.
    Success(Option<String>),
    /// It is to be tried again after a pause. For creations, whether they took effect is unknown.
    Again(Duration),
    /// It failed.
    Failure(String),
    /// The brake stopped it, and would stop the next one.
    Braked(String),
}

/// Why an operation did not succeed.
enum Failed {
    /// For a reason of its own.
    Alone(String),
    /// The brake stopped it.
    Braked(String),
}

impl From<&str> for Failed {
    fn from(reason: &str) -> Self {
        Self::Alone(reason.to_owned())
    }
}

impl From<String> for Failed {
    fn from(reason: String) -> Self {
        Self::Alone(reason)
    }
}

impl Worker {
    async fn run(mut self, next: Arc<AtomicU64>, bar: ProgressBar) -> (Option<Connection>, Done) {
        let count = self.plan.count(self.phase);
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return (self.connection, self.done);
            }
            let begun = Instant::now();
            match self.operate(number).await {
                Ok(id) => {
                    let took_us = begun.elapsed().as_micros();
                    let took_us = u32::try_from(took_us).unwrap_or(u32::MAX);
                    self.done.latencies_us.push(took_us);
                    self.done.ids.extend(id.map(|id| (number, id)));
                }
                Err(Failed::Braked(reason)) => {
                    // Nobody begins another one.
                    next.store(count, Ordering::Relaxed);
                    self.done.braked = Some(reason);
                    return (self.connection, self.done);
                }
                Err(Failed::Alone(failure)) => {
                    self.done.failed = self.done.failed.saturating_add(1);
                    let told = format!("{}, operation {number}: {failure}", self.phase.name());
                    self.done.first_failure.get_or_insert(told);
                }
            }
            bar.inc(1);
        }
    }

    /// One operation, until it has succeeded or failed.
    async fn operate(&mut self, number: u64) -> Result<Option<String>, Failed> {
        let operation = self
            .plan
            .operation(self.phase, number)
            .ok_or("what it is about is not there")?;
        let mut is_unknown = false;
        for _ in 0..ATTEMPTS_MAX {
            let attempt = if is_unknown && self.phase.creates() {
                self.look(number, &operation).await
            } else {
                self.request(&operation).await
            };
            match attempt {
                Attempt::Success(id) => {
                    if matches!(self.phase, Phase::Create | Phase::CreateMore) {
                        let name = self.plan.created_name(self.phase, number);
                        self.acknowledged.append(&name)?;
                    }
                    return Ok(id);
                }
                Attempt::Again(pause) => {
                    is_unknown = true;
                    sleep(pause).await;
                }
                Attempt::Failure(reason) => return Err(Failed::Alone(reason)),
                Attempt::Braked(reason) => return Err(Failed::Braked(reason)),
            }
        }
        Err("it did not succeed in time".into())
    }

    async fn request(&mut self, operation: &Operation) -> Attempt {
        let reply = match self.send(operation).await {
            Ok(reply) => reply,
            Err(pause) => return Attempt::Again(pause),
        };
        if !self.phase.accepts(reply.status) {
            return refused(&reply);
        }
        match self.phase {
            Phase::Create | Phase::CreateMore | Phase::CreateGroup => match id_of(&reply) {
                Some(id) => Attempt::Success(Some(id)),
                None => Attempt::Failure("the answer has no id".to_owned()),
            },
            Phase::Lookup => match found(&reply) {
                Some(ids) if ids.len() == 1 => Attempt::Success(None),
                Some(ids) => Attempt::Failure(format!("{} users were found", ids.len())),
                None => Attempt::Failure("the answer is no list".to_owned()),
            },
            _ => Attempt::Success(None),
        }
    }

    /// Looks whether a creation with an unknown outcome took effect, and creates if it did not.
    async fn look(&mut self, number: u64, operation: &Operation) -> Attempt {
        let search = self.plan.search(self.phase, number);
        let reply = match self.send(&search).await {
            Ok(reply) => reply,
            Err(pause) => return Attempt::Again(pause),
        };
        if reply.status != 200 {
            return refused(&reply);
        }
        match found(&reply).as_deref() {
            Some([]) => {}
            Some([id]) => return Attempt::Success(Some(id.clone())),
            Some(ids) => return Attempt::Failure(format!("{} of one name were found", ids.len())),
            None => return Attempt::Failure("the answer is no list".to_owned()),
        }
        match self.send(operation).await {
            Err(pause) => Attempt::Again(pause),
            // It took effect between the search and this request: the next search finds it.
            Ok(reply) if reply.status == 409 => Attempt::Again(PAUSE),
            Ok(reply) if self.phase.accepts(reply.status) => match id_of(&reply) {
                Some(id) => Attempt::Success(Some(id)),
                None => Attempt::Failure("the answer has no id".to_owned()),
            },
            Ok(reply) => refused(&reply),
        }
    }

    /// Sends a request; after how long to try again if there is no answer or it is 503.
    async fn send(&mut self, operation: &Operation) -> Result<Reply, Duration> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let opened = self.target.connect().await;
                self.done.reconnected = self.done.reconnected.saturating_add(1);
                opened.map_err(|_refused| PAUSE)?
            }
        };
        let Operation { method, path, body } = operation.clone();
        // A connection without an answer is of no more use.
        let reply = connection
            .send(method, &path, body)
            .await
            .map_err(|_broken| PAUSE)?;
        self.connection = Some(connection);
        if reply.status == 503 {
            self.done.unavailable = self.done.unavailable.saturating_add(1);
            let seconds = reply
                .retry_after_s
                .map(|seconds| seconds.min(RETRY_AFTER_S_MAX));
            return Err(seconds.map_or(PAUSE, Duration::from_secs));
        }
        Ok(reply)
    }
}

fn refused(reply: &Reply) -> Attempt {
    let reason = refusal(reply);
    if reply.status == BRAKED {
        Attempt::Braked(reason)
    } else {
        Attempt::Failure(reason)
    }
}

/// Status and detail of an answer that is no success.
pub(crate) fn refusal(reply: &Reply) -> String {
    let parsed = Value::parse(&reply.body, &ANSWER).ok();
    let detail = parsed
        .as_ref()
        .and_then(|value| value.as_object()?.get("detail")?.as_str());
    match detail {
        Some(detail) => format!("status {}: {detail}", reply.status),
        None => format!("status {}", reply.status),
    }
}

/// The id of a resource in an answer.
pub(crate) fn id_of(reply: &Reply) -> Option<String> {
    let value = Value::parse(&reply.body, &ANSWER).ok()?;
    Some(value.as_object()?.get("id")?.as_str()?.to_owned())
}

/// The ids in a list.
pub(super) fn found(reply: &Reply) -> Option<Vec<String>> {
    let value = Value::parse(&reply.body, &ANSWER).ok()?;
    let list = value.as_object()?;
    let total = list.get("totalResults")?.as_u64()?;
    let resources = match list.get("Resources") {
        Some(resources) => resources.as_array()?,
        None => &[],
    };
    let ids: Option<Vec<String>> = resources
        .iter()
        .map(|resource| Some(resource.as_object()?.get("id")?.as_str()?.to_owned()))
        .collect();
    ids.filter(|ids| u64::try_from(ids.len()).is_ok_and(|count| count == total))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply {
            status,
            retry_after_s: None,
            body: body.to_owned().into(),
        }
    }

    #[test]
    fn finds_ids_only_in_a_list_that_counts_them() {
        let ids = |body| found(&reply(200, body));
        assert_eq!(ids(r#"{"totalResults":0}"#), Some(vec![]));
        assert_eq!(ids(r#"{"totalResults":0,"Resources":[]}"#), Some(vec![]));
        let one = r#"{"totalResults":1,"Resources":[{"id":"a"}]}"#;
        assert_eq!(ids(one), Some(vec!["a".to_owned()]));
        assert_eq!(ids(r#"{"totalResults":2,"Resources":[{"id":"a"}]}"#), None);
        assert_eq!(ids(r#"{"Resources":[]}"#), None);
        assert_eq!(ids("no list"), None);
    }

    #[test]
    fn tells_the_reason_of_a_refusal_if_there_is_one() {
        assert_eq!(
            refusal(&reply(403, r#"{"detail":"expired"}"#)),
            "status 403: expired"
        );
        assert_eq!(refusal(&reply(500, "oops")), "status 500");
        assert_eq!(id_of(&reply(201, r#"{"id":"a"}"#)), Some("a".to_owned()));
        assert_eq!(id_of(&reply(201, "{}")), None);
    }

    #[test]
    fn the_brake_is_told_apart_from_other_refusals() {
        let held = |status| matches!(refused(&reply(status, "{}")), Attempt::Braked(_));
        assert!(held(429));
        assert!(!held(403));
    }

    #[test]
    fn appends_one_line_for_each_acknowledgement() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("acks");
        let log = AckLog::new(Mutex::new(File::create(&path).unwrap()));
        log.append("a@x").unwrap();
        log.clone().append("b@x").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a@x\nb@x\n");
        AckLog::default().append("c@x").unwrap();
    }

    #[test]
    fn parts_add_up_and_the_first_failure_stays() {
        let part = |failure: &str| Done {
            latencies_us: vec![1],
            failed: 1,
            first_failure: Some(failure.to_owned()),
            unavailable: 2,
            reconnected: 3,
            braked: Some(failure.to_owned()),
            ids: BTreeMap::new(),
        };
        let mut done = part("one");
        done.absorb(part("two"));
        assert_eq!(done.latencies_us, [1, 1]);
        assert_eq!((done.failed, done.unavailable, done.reconnected), (2, 4, 6));
        assert_eq!(done.first_failure.as_deref(), Some("one"));
        assert_eq!(done.braked.as_deref(), Some("one"));
    }
}
