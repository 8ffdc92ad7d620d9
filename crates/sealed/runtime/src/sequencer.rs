//! The thread that owns the ledger: acts come in, batches go out, one at a time.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use chancery_engine::{Answer, Batch, Ledger, Refusal, Submission};
use tokio::sync::{mpsc, oneshot};

use crate::clock::{Clock, TrustedTime};
use crate::entropy::SystemEntropy;

/// Most acts that wait to be decided. Beyond it new ones are refused at once, so that memory is
/// bounded and nobody waits longer than the time limit of a request.
const WAITING_MAX: usize = 4096;
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
    in_flight: bool,
    ended: bool,
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
        queue.waiting.push_back(act(Reply { arrived_us, sender }));
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
        self.changed.notify_one();
    }
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
    pub batches: mpsc::UnboundedSender<Batch<Reply>>,
    /// The shell's clock.
    pub clock: Arc<dyn Clock>,
    /// Time as the witnesses bound it.
    pub time: Arc<TrustedTime>,
}

impl Sequencer {
    /// Decides and batches until the inbox is ended. While a batch is on its way, the next one is
    /// decided; it leaves as soon as the one before is committed, so no timer is needed.
    pub fn run(mut self) {
        loop {
            let Some((acts, may_close)) = self.next() else {
                return;
            };
            for act in acts {
                let now_ms = self.time.now_ms(self.clock.as_ref());
                self.ledger.submit(now_ms, act);
            }
            if !may_close || !self.ledger.has_open() {
                continue;
            }
            let now_ms = self.time.now_ms(self.clock.as_ref());
            match self
                .ledger
                .close(now_ms, self.time.floor_ms(), &mut self.entropy)
            {
                Ok(batch) => {
                    self.inbox
                        .queue
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .in_flight = true;
                    if self.batches.send(batch).is_err() {
                        return;
                    }
                }
                // Without randomness or a valid log nothing more may be written: the runtime stops
                // rather than continue in doubt.
                Err(error) => {
                    crate::journal_line(&format!("sequencer stopped: {error}"));
                    self.inbox.end();
                    return;
                }
            }
        }
    }

    /// Waits for something to do: acts to decide, or a batch that may leave now.
    fn next(&self) -> Option<(Vec<Submission<Reply>>, bool)> {
        let mut queue = self
            .inbox
            .queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        loop {
            if queue.ended {
                return None;
            }
            let room = BATCH_ACTS_MAX.saturating_sub(self.ledger.open_acts());
            let may_close = !queue.in_flight;
            let has_acts = !queue.waiting.is_empty() && room > 0;
            if has_acts || (may_close && self.ledger.has_open()) {
                let take = queue.waiting.len().min(room);
                return Some((queue.waiting.drain(..take).collect(), may_close));
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
