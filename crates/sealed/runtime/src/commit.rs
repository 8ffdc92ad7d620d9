//! The commit path: durable, then signed, then cosigned, and only then acknowledged (I18, I22).
//!
//! One batch is on its way at a time; what arrives meanwhile is the next one. A batch that was sent to
//! the store is never changed: while the store is full or gone, or the witnesses are silent, the same
//! batch is tried again, and everybody waiting is told by their own timeout that the outcome is
//! unknown.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use chancery_engine::{
    Answer, Batch, InnerProof, LedgerError, NoteRecord, RecordError, Refusal, RootLog, View,
};
use chancery_json::Object;
use chancery_tlog::proof::UnverifiedProof;
use chancery_tlog::{Checkpoint, CosignedCheckpoint};
use chancery_wire::{
    NewRecord, RecordBody, RefusalCode, StoreAnswer, StoreFault, StoreOperation, StreamId,
};
use tokio::sync::mpsc;

use crate::clock::{Clock, TrustedTime};
use crate::journal_line;
use crate::link::{StoreFailure, StoreLink};
use crate::metrics::Metrics;
use crate::sequencer::{Inbox, Reply};
use crate::transport::Transport;
use crate::witnesses::{NoQuorum, Witnesses};

/// Pause before the same batch is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// How long nothing may be committed before the newest checkpoint is cosigned again for a fresh time.
pub const HEARTBEAT: Duration = Duration::from_secs(30);

/// What the commit path tells the rest of the runtime.
#[derive(Debug)]
pub struct CommitState {
    /// Set while a batch cannot be committed: new acts are refused at once.
    pub stalled: AtomicBool,
    /// Monotonic microseconds of the newest quorum.
    pub quorum_at_us: AtomicU64,
    /// The newest cosigned checkpoint.
    pub newest: Mutex<Option<Arc<CosignedCheckpoint>>>,
    /// Set once the clock was found out of bounds; cleared by an agreeing quorum.
    pub clock_disagrees: AtomicBool,
}

impl CommitState {
    /// Nothing is committed yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            stalled: AtomicBool::new(false),
            quorum_at_us: AtomicU64::new(0),
            newest: Mutex::new(None),
            clock_disagrees: AtomicBool::new(false),
        }
    }

    /// The newest cosigned checkpoint.
    #[must_use]
    pub fn newest(&self) -> Option<Arc<CosignedCheckpoint>> {
        self.newest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Default for CommitState {
    fn default() -> Self {
        Self::new()
    }
}

/// Everything that a batch passes through.
#[derive(Debug)]
pub struct Committer {
    /// The way to the host.
    pub transport: Arc<dyn Transport>,
    /// The tree and its signing key.
    pub log: Arc<Mutex<RootLog>>,
    /// The witnesses.
    pub witnesses: Arc<Witnesses>,
    /// What readers see.
    pub view: Arc<RwLock<View>>,
    /// The sequencer's inbox.
    pub inbox: Arc<Inbox>,
    /// The shell's clock.
    pub clock: Arc<dyn Clock>,
    /// Time as the witnesses bound it.
    pub time: Arc<TrustedTime>,
    /// What the rest of the runtime learns.
    pub state: Arc<CommitState>,
    /// Numbers for the host.
    pub metrics: Arc<Metrics>,
    /// The fencing epoch of this boot.
    pub fence: u64,
}

impl Committer {
    /// Commits batches until the sequencer ends, or this instance finds itself superseded. Returns
    /// why the runtime must stop serving.
    pub async fn run(
        self,
        mut batches: mpsc::UnboundedReceiver<Result<Batch<Reply>, LedgerError>>,
    ) -> RefusalCode {
        let mut store = None;
        loop {
            let received = tokio::time::timeout(HEARTBEAT, batches.recv()).await;
            let done = match received {
                Ok(Some(Ok(batch))) => self.commit(&mut store, batch).await,
                Ok(Some(Err(fault))) => Err(refusal_of(&fault)),
                Ok(None) => Err(RefusalCode::EngineFault),
                Err(_idle) => Ok(()),
            };
            // Traffic that changes nothing must not keep the heartbeat from its turn.
            let done = match done {
                Ok(()) if self.is_heartbeat_due() => self.heartbeat().await,
                other => other,
            };
            if let Err(refusal) = done {
                return refusal;
            }
        }
    }

    fn is_heartbeat_due(&self) -> bool {
        let at = self.state.quorum_at_us.load(Ordering::Acquire);
        let age = Duration::from_micros(self.clock.monotonic_us().saturating_sub(at));
        age >= HEARTBEAT
    }

    async fn commit(
        &self,
        store: &mut Option<StoreLink>,
        batch: Batch<Reply>,
    ) -> Result<(), RefusalCode> {
        if batch.records.is_empty() && batch.leaves.is_empty() {
            // Refusals and reads alone: nothing to make durable, and everything that they rest on is. What
            // releases a key leaves with a quorum that was asked for after it was decided, so that a paused or
            // cloned instance serves nobody.
            if batch.needs_quorum
                && let Some(newest) = self.state.newest()
            {
                let cosigned = self.cosign(newest.checkpoint()).await?;
                self.adopt(cosigned);
            }
            self.release(batch);
            return Ok(());
        }
        let started = self.clock.monotonic_us();
        self.append(store, &batch.records).await?;
        let durable = self.clock.monotonic_us();
        self.metrics
            .store_latency_us_sum
            .add(durable.saturating_sub(started));
        self.metrics.store_latency_count.add(1);
        let checkpoint = {
            let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
            for leaf in &batch.leaves {
                log.append(leaf);
            }
            log.sign()
                .map_err(|_equivocation| RefusalCode::WitnessesDiverged)?
        };
        let cosigned = self.cosign(&checkpoint).await?;
        self.metrics
            .quorum_latency_us_sum
            .add(self.clock.monotonic_us().saturating_sub(durable));
        self.metrics.quorum_latency_count.add(1);
        self.adopt(cosigned);
        self.release(batch);
        Ok(())
    }

    /// The proof of a fact about a tenant under the checkpoint that its batch has made the newest.
    fn outer_proof(&self, inner: &InnerProof) -> Option<Object> {
        let newest = self.state.newest()?;
        let path = self
            .log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .inclusion(inner.leaf_index, newest.size())
            .ok()?;
        let proof = UnverifiedProof::new(
            Some(inner.extra.clone()),
            inner.leaf_index,
            path,
            newest.note().encode(),
        )
        .ok()?;
        Some(inner.about.clone().with("proof", proof.encode()))
    }

    /// Makes a batch visible and answers those who waited for it.
    fn release(&self, batch: Batch<Reply>) {
        {
            let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
            view.apply(&batch.effects);
            self.metrics.tenants.set(count(view.tenant_count()));
            self.metrics.users.set(count(view.user_count()));
            self.metrics.groups.set(count(view.group_count()));
        }
        self.metrics.batches.add(1);
        let now = self.clock.monotonic_us();
        for (reply, answer) in batch.replies {
            let answer = match answer {
                Ok(Answer::Proof(inner)) => self
                    .outer_proof(&inner)
                    .map(|proved| Answer::Proved(Box::new(proved)))
                    .ok_or(Refusal::Internal),
                other => other,
            };
            if answer.is_ok() {
                self.metrics.acts_committed.add(1);
            } else {
                self.metrics.acts_refused.add(1);
                if matches!(answer, Err(Refusal::Burst { .. })) {
                    self.metrics.acts_braked.add(1);
                }
            }
            self.metrics
                .commit_latency_us_sum
                .add(now.saturating_sub(reply.arrived_us));
            self.metrics.commit_latency_count.add(1);
            reply.send(answer);
        }
        self.inbox.committed();
    }

    async fn append(
        &self,
        store: &mut Option<StoreLink>,
        records: &[NoteRecord],
    ) -> Result<(), RefusalCode> {
        let wire: Vec<NewRecord> = records
            .iter()
            .map(|record| NewRecord {
                stream: StreamId(record.stream),
                sequence: record.sequence,
                body: RecordBody(record.body.clone()),
            })
            .collect();
        let bytes: u64 = records.iter().map(|record| count(record.body.len())).sum();
        loop {
            match self.try_append(store, wire.clone()).await {
                Ok(()) => break,
                Err(Trouble::Wait) => {
                    self.metrics.store_faults.add(1);
                    self.state.stalled.store(true, Ordering::Release);
                    *store = None;
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
                Err(Trouble::Stop(refusal)) => return Err(refusal),
            }
        }
        self.metrics.store_appended_bytes.add(bytes);
        Ok(())
    }

    async fn try_append(
        &self,
        store: &mut Option<StoreLink>,
        records: Vec<NewRecord>,
    ) -> Result<(), Trouble> {
        let link = match store {
            Some(link) => link,
            None => {
                let link = StoreLink::open(&self.transport)
                    .await
                    .map_err(|_gone| Trouble::Wait)?;
                store.insert(link)
            }
        };
        let first = records
            .first()
            .map(|record| (record.stream, record.sequence, record.body.clone()));
        match link
            .ask(StoreOperation::Append {
                fence: self.fence,
                records,
            })
            .await
        {
            Ok(StoreAnswer::Appended) => Ok(()),
            // The link may have broken between the commit and its reply: then the batch is there. It
            // is one transaction, so its first record speaks for all.
            Err(StoreFailure::Fault(StoreFault::Conflict { .. })) => match first {
                Some(first) => match is_there(link, first).await {
                    Some(true) => Ok(()),
                    Some(false) => Err(Trouble::Stop(RefusalCode::RecordChainBroken)),
                    None => Err(Trouble::Wait),
                },
                None => Err(Trouble::Stop(RefusalCode::EngineFault)),
            },
            // A batch that can never be taken must not be tried for ever.
            Err(StoreFailure::Fault(StoreFault::TooLarge)) => {
                Err(Trouble::Stop(RefusalCode::EngineFault))
            }
            Err(StoreFailure::Fault(StoreFault::Fenced { .. })) => {
                Err(Trouble::Stop(RefusalCode::RolledBack))
            }
            Ok(_) | Err(_) => Err(Trouble::Wait),
        }
    }

    async fn cosign(&self, checkpoint: &Checkpoint) -> Result<CosignedCheckpoint, RefusalCode> {
        loop {
            match self.witnesses.submit(checkpoint).await {
                Ok(cosigned) => {
                    self.state.stalled.store(false, Ordering::Release);
                    return Ok(cosigned);
                }
                Err(NoQuorum::Superseded(_)) => return Err(RefusalCode::RolledBack),
                Err(NoQuorum::Unreachable) => {
                    self.state.stalled.store(true, Ordering::Release);
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
        }
    }

    /// Has the newest checkpoint cosigned again, so that its time stays fresh.
    async fn heartbeat(&self) -> Result<(), RefusalCode> {
        let Some(newest) = self.state.newest() else {
            return Ok(());
        };
        match self.witnesses.submit(newest.checkpoint()).await {
            Ok(cosigned) => self.adopt(cosigned),
            Err(NoQuorum::Superseded(_)) => return Err(RefusalCode::RolledBack),
            // Writes find out for themselves; reads stop when the quorum is too old.
            Err(NoQuorum::Unreachable) => {}
        }
        Ok(())
    }

    fn adopt(&self, cosigned: CosignedCheckpoint) {
        adopt(&self.state, &self.time, self.clock.as_ref(), cosigned);
        self.metrics
            .log_size
            .set(self.state.newest().map_or(0, |newest| newest.size()));
    }
}

/// Takes over a fresh quorum: its time bounds the clock, its checkpoint is the newest.
pub fn adopt(
    state: &CommitState,
    time: &TrustedTime,
    clock: &dyn Clock,
    cosigned: CosignedCheckpoint,
) {
    let bound_ms = cosigned.time_floor_s().saturating_mul(1000);
    time.raise_floor(bound_ms, clock);
    state
        .clock_disagrees
        .store(!TrustedTime::agrees(clock, bound_ms), Ordering::Release);
    state
        .quorum_at_us
        .store(clock.monotonic_us(), Ordering::Release);
    *state.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(cosigned));
}

enum Trouble {
    Wait,
    Stop(RefusalCode),
}

/// Whether the store holds this record; none if it cannot tell now.
async fn is_there(link: &mut StoreLink, record: (StreamId, u64, RecordBody)) -> Option<bool> {
    let (stream, from, body) = record;
    let bytes_max = u32::try_from(body.0.len()).unwrap_or(u32::MAX);
    let read = StoreOperation::Read {
        stream,
        from,
        bytes_max,
    };
    match link.ask(read).await {
        Ok(StoreAnswer::Records(records)) => Some(records.first() == Some(&body)),
        Ok(_) | Err(_) => None,
    }
}

/// Why the sequencer ended.
fn refusal_of(fault: &LedgerError) -> RefusalCode {
    journal_line(&format!("the sequencer stopped: {fault}"));
    match fault {
        LedgerError::Record(RecordError::Seal(_)) => RefusalCode::EntropyFailed,
        _ => RefusalCode::EngineFault,
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
