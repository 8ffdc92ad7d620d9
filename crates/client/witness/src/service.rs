//! Requests to answers: one lock per log, held from reading its head until the cosignature.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::RwLock;

use chancery_tlog::CosignerKey;
use chancery_tlog::VerifierKey;
use chancery_tlog::witness::AddCheckpoint;
use chancery_tlog::witness::Decision;
use chancery_tlog::witness::Refusal;
use chancery_tlog::witness::decide;
use chancery_tlog::witness::monitoring_path;
use tokio::sync::Mutex as AsyncMutex;
use tokio::sync::OwnedMutexGuard;

use crate::Error;
use crate::logs::LogKeys;
use crate::logs::LogsFile;
use crate::state::HeadFile;
use crate::state::StateFolder;

/// Seconds since the Unix epoch.
pub type Clock = fn() -> u64;

/// One followed log.
#[derive(Debug, Clone)]
struct FollowedLog {
    key: VerifierKey,
    head: Arc<AsyncMutex<HeadFile>>,
}

/// An answer with a body, or a refusal.
pub(crate) type Answer = Result<String, Refused>;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The protocol's refusals.
    Request(Refusal),
    /// No head of that log.
    NoCheckpoint,
    /// The witness's own fault.
    Fault(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Fault(error)
    }
}

/// The witness without its socket.
#[derive(Debug)]
pub(crate) struct Service {
    cosigner: CosignerKey,
    now_s: Clock,
    folder: StateFolder,
    file: Mutex<LogsFile>,
    /// By monitoring path, which names the origin one to one.
    logs: RwLock<BTreeMap<String, FollowedLog>>,
}

impl Service {
    /// Opens state and logs; every stored head of a listed log is read and verified.
    pub(crate) fn open(
        state: &Path,
        name: &str,
        logs: PathBuf,
        now_s: Clock,
    ) -> Result<Self, Error> {
        let folder = StateFolder::open(state)?;
        let cosigner = folder.cosigner(name)?;
        let file = Mutex::new(LogsFile::new(logs));
        let service = Self {
            cosigner,
            now_s,
            folder,
            file,
            logs: RwLock::default(),
        };
        service.reload()?;
        Ok(service)
    }

    pub(crate) const fn verifier(&self) -> &VerifierKey {
        self.cosigner.verifier()
    }

    /// Reads the logs file if it changed and adds what is new, all or nothing.
    fn reload(&self) -> Result<(), Error> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(keys) = file.read_if_changed()? else {
            return Ok(());
        };
        // A disk that failed may do better when the next unknown origin is asked for.
        self.add(keys).inspect_err(|_| file.forget())
    }

    fn add(&self, keys: LogKeys) -> Result<(), Error> {
        let mut logs = self
            .logs
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for (origin, key) in keys {
            let path = monitoring_path(&origin);
            match logs.get(&path) {
                Some(known) if known.key == key => {}
                Some(_) => return Err(Error::LogConflict),
                None => {
                    let head = Arc::new(AsyncMutex::new(self.folder.head(&origin, &key)?));
                    logs.insert(path, FollowedLog { key, head });
                }
            }
        }
        *self.logs.write().unwrap_or_else(PoisonError::into_inner) = logs;
        Ok(())
    }

    fn known(&self, path: &str) -> Option<FollowedLog> {
        self.logs
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(path)
            .cloned()
    }

    /// The log of a monitoring path. An unknown one may have been added to the file since.
    async fn find(self: &Arc<Self>, path: &str) -> Result<Option<FollowedLog>, Error> {
        if let Some(log) = self.known(path) {
            return Ok(Some(log));
        }
        let service = Arc::clone(self);
        let reloaded = tokio::task::spawn_blocking(move || service.reload()).await;
        match reloaded {
            // A bad file takes nothing away from the logs that are known; its operator is told.
            Ok(Err(error)) => report(&error),
            Ok(Ok(())) => {}
            Err(_) => return Err(Error::Task),
        }
        Ok(self.known(path))
    }

    /// `POST /add-checkpoint`.
    pub(crate) async fn add_checkpoint(self: Arc<Self>, body: &[u8]) -> Answer {
        let request = AddCheckpoint::parse(body)
            .map_err(|error| Refused::Request(Refusal::Malformed(error)))?;
        let origin = request.checkpoint().unverified_head().origin();
        let log = self.find(&monitoring_path(origin)).await?;
        let log = log.ok_or(Refused::Request(Refusal::UnknownOrigin))?;
        let head = Arc::clone(&log.head).lock_owned().await;
        let decision =
            decide(&request, head.newest()?, Some(&log.key)).map_err(Refused::Request)?;
        match decision {
            Decision::Unchanged(same) => {
                let line = same
                    .cosign(&self.cosigner, (self.now_s)())
                    .map_err(Error::Clock)?;
                Ok(line.to_string())
            }
            Decision::Advance(pending) if !HeadFile::fits(pending.note()) => {
                let too_large = Refusal::Malformed(chancery_tlog::Error::TooLarge);
                Err(Refused::Request(too_large))
            }
            Decision::Advance(pending) => {
                // The lock goes along: a client that hangs up does not stop the write half way.
                let commit = move || self.commit(head, pending);
                tokio::task::spawn_blocking(commit)
                    .await
                    .unwrap_or_else(|_| Err(Error::Task.into()))
            }
        }
    }

    fn commit(
        &self,
        mut head: OwnedMutexGuard<HeadFile>,
        pending: chancery_tlog::witness::Pending,
    ) -> Answer {
        let durable = head.commit(pending).inspect_err(report)?;
        let line = durable
            .cosign(&self.cosigner, (self.now_s)())
            .map_err(Error::Clock)?;
        Ok(line.to_string())
    }

    /// `GET /<origin hash>/checkpoint`.
    pub(crate) async fn checkpoint(self: Arc<Self>, path: &str) -> Answer {
        let log = self.find(path).await?.ok_or(Refused::NoCheckpoint)?;
        let head = log.head.lock().await;
        let newest = head.newest()?.ok_or(Refused::NoCheckpoint)?;
        let note = newest
            .cosigned_note(&self.cosigner, (self.now_s)())
            .map_err(Error::Clock)?;
        Ok(note.encode())
    }
}

/// Tells the operator on standard error; a closed one is no reason to stop.
pub(crate) fn report(error: &Error) {
    drop(writeln!(std::io::stderr(), "chancery-witness: {error}"));
}
