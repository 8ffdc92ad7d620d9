//! The thread that owns the ledger: acts come in, batches go out, one at a time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use chancery_authority::TenantId;
use chancery_engine::{Act, Answer, Batch, Ledger, LedgerError, Refusal, Submission};
use chancery_keyset::Keyset;
use chancery_sealing::Key;
use tokio::sync::{mpsc, oneshot};

use crate::clock::{Clock, TrustedTime};
use crate::entropy::SystemEntropy;

/// Most acts that wait to be decided. Beyond it new ones are refused at once, so that memory is
/// bounded and nobody waits longer than the time limit of a request.
const WAITING_MAX: usize = 4096;
/// Most acts of one tenant that wait: the rest of the queue is for the others (I30).
const WAITING_TENANT_MAX: usize = 1024;
/// Most acts in one batch, so that one batch's records stay far below the store's limits.
const BATCH_ACTS_MAX: usize = 1024;

/// The way back to whoever waits for an act.
#[derive(Debug)]
pub struct Reply {
    /// Monotonic microseconds of arrival.
    pub arrived_us: u64,
    sender: oneshot::Sender<Result<Answer, Refusal>>,
}

impl Reply {
    /// Answers. A client that has gone away in the meantime does not matter.
    pub fn send(self, answer: Result<Answer, Refusal>) {
        let _gone = self.sender.send(answer);
    }
}

/// Too many acts wait, or the sequencer has ended.
#[derive(Clone, Copy, Debug)]
pub struct Overloaded;

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Submission<Reply>>,
    of_tenant: BTreeMap<TenantId, usize>,
    in_flight: bool,
    tick_due: bool,
    ended: bool,
}

impl Queue {
    /// Takes an act in, unless its tenant has its share of the queue already.
    fn push(&mut self, submission: Submission<Reply>) -> Result<(), Overloaded> {
        if let Some(tenant) = tenant_of(&submission) {
            let waiting = self.of_tenant.entry(tenant).or_default();
            if *waiting >= WAITING_TENANT_MAX {
                return Err(Overloaded);
            }
            *waiting = waiting.saturating_add(1);
        }
        self.waiting.push_back(submission);
        Ok(())
    }

    fn pop(&mut self) -> Option<Submission<Reply>> {
        let submission = self.waiting.pop_front()?;
        if let Some(tenant) = tenant_of(&submission)
            && let Some(waiting) = self.of_tenant.get_mut(&tenant)
        {
            *waiting = waiting.saturating_sub(1);
            if *waiting == 0 {
                self.of_tenant.remove(&tenant);
            }
        }
        Some(submission)
    }
}

const fn tenant_of(submission: &Submission<Reply>) -> Option<TenantId> {
    match &submission.act {
        Act::Tenant { tenant, .. } => Some(*tenant),
        Act::Leaf { .. } | Act::Admit(_) => None,
    }
}

/// Where acts wait for the sequencer.
#[derive(Debug, Default)]
pub struct Inbox {
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Inbox {
    /// Hands an act over; the receiver gets the answer once it is durable and cosigned.
    ///
    /// # Errors
    /// [`Overloaded`] if too many wait already.
    pub fn submit(
        &self,
        arrived_us: u64,
        act: impl FnOnce(Reply) -> Submission<Reply>,
    ) -> Result<oneshot::Receiver<Result<Answer, Refusal>>, Overloaded> {
        let (sender, receiver) = oneshot::channel();
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.ended || queue.waiting.len() >= WAITING_MAX {
            return Err(Overloaded);
        }
        queue.push(act(Reply { arrived_us, sender }))?;
        self.changed.notify_one();
        Ok(receiver)
    }

    /// Number of acts that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .waiting
            .len()
    }

    /// Asks the sequencer to do what is due without anybody asking, before it decides the next act.
    pub fn tick(&self) {
        self.queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .tick_due = true;
        self.changed.notify_one();
    }

    /// Says that the batch on its way has been committed.
    pub fn committed(&self) {
        self.queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .in_flight = false;
        self.changed.notify_one();
    }

    /// Ends the sequencer; whoever waits finds the reply gone.
    pub fn end(&self) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.ended = true;
        queue.waiting.clear();
        queue.of_tenant.clear();
        self.changed.notify_one();
    }
}

/// The next thing that the sequencer does.
enum Step {
    Decide(Box<Submission<Reply>>),
    Tick,
    Close,
    /// Nothing waits: a keyset is drawn for a group that will need one.
    Draw,
}

/// What the sequencer thread owns.
#[derive(Debug)]
pub struct Sequencer {
    /// The state machines' heads.
    pub ledger: Ledger<Reply>,
    /// Randomness of this thread.
    pub entropy: SystemEntropy,
    /// Where acts come from.
    pub inbox: Arc<Inbox>,
    /// Where batches go.
    pub batches: mpsc::UnboundedSender<Result<Batch<Reply>, LedgerError>>,
    /// The shell's clock.
    pub clock: Arc<dyn Clock>,
    /// Time as the witnesses bound it.
    pub time: Arc<TrustedTime>,
}

impl Sequencer {
    /// Decides and batches until the inbox is ended. While a batch is on its way, the next one is
    /// decided; it leaves as soon as the one before is committed, so no timer is needed.
    pub fn run(mut self) {
        let mut is_more_due = false;
        while let Some(step) = self.next() {
            match step {
                Step::Tick => is_more_due = self.tick(),
                Step::Decide(act) => {
                    let now_ms = self.time.now_ms(self.clock.as_ref());
                    self.ledger.submit(now_ms, *act);
                }
                // A failing generator shows where a key is needed at once.
                Step::Draw => self
                    .ledger
                    .stock(Keyset::generate(&mut self.entropy).into_iter().collect()),
                Step::Close => {
                    let closed = self.close();
                    let is_fault = closed.is_err();
                    // Without randomness or a valid log nothing more may be written: the runtime
                    // stops rather than continue in doubt.
                    if self.batches.send(closed).is_err() || is_fault {
                        self.inbox.end();
                        return;
                    }
                    // What is left for the timer goes into the next batch, beside what others ask for.
                    if core::mem::take(&mut is_more_due) {
                        self.inbox.tick();
                    }
                }
            }
        }
    }

    /// Does a bounded part of what is due; whether there is more. Without randomness nothing can be done,
    /// which the next batch finds out as well.
    fn tick(&mut self) -> bool {
        let now_ms = self.time.now_ms(self.clock.as_ref());
        Key::generate(&mut self.entropy).is_ok_and(|fresh| self.ledger.tick(now_ms, &fresh))
    }

    fn close(&mut self) -> Result<Batch<Reply>, LedgerError> {
        let now_ms = self.time.now_ms(self.clock.as_ref());
        let batch = self
            .ledger
            .close(now_ms, self.time.floor_ms(), &mut self.entropy)?;
        self.inbox
            .queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .in_flight = true;
        Ok(batch)
    }

    /// Waits for something to do. An act is decided only while the open batch has room, so that no
    /// batch outgrows the store whatever waits; a batch leaves when none is on its way and nothing
    /// that would fit waits, or it is full.
    fn next(&self) -> Option<Step> {
        let mut queue = self
            .inbox
            .queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        loop {
            if queue.ended {
                return None;
            }
            let has_room = self.ledger.open_acts() < BATCH_ACTS_MAX;
            if has_room && core::mem::take(&mut queue.tick_due) {
                return Some(Step::Tick);
            }
            if has_room && let Some(act) = queue.pop() {
                return Some(Step::Decide(Box::new(act)));
            }
            if !queue.in_flight && self.ledger.has_open() {
                return Some(Step::Close);
            }
            if !queue.in_flight && self.ledger.stock_wanted() > 0 {
                return Some(Step::Draw);
            }
            queue = self.changed(queue);
        }
    }

    fn changed<'a>(
        &self,
        queue: std::sync::MutexGuard<'a, Queue>,
    ) -> std::sync::MutexGuard<'a, Queue> {
        self.inbox
            .changed
            .wait(queue)
            .unwrap_or_else(PoisonError::into_inner)
    }
}
