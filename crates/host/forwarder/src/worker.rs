//! The one thread that uses the store. Requests of all streams are answered in the order of their
//! arrival; the thread blocks on the disk and on nothing else.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use chancery_store::{Store, StoreError};
use chancery_wire::{StoreFault, StoreOperation, StoreReply, StoreRequest};
use tokio::sync::mpsc::{Receiver, Sender, UnboundedSender, channel};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::counters::HostCounters;
use crate::event::Event;

/// Requests of all streams that may wait for the thread; each stream is bounded on its own too.
const QUEUE_MAX: usize = 64;

/// A request, and where its reply goes. The reply's channel is bounded by its stream.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) request: StoreRequest,
    pub(crate) reply: UnboundedSender<StoreReply>,
}

/// The running thread.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) jobs: Sender<Job>,
    /// Told once, if the store fails for good.
    pub(crate) failure: oneshot::Receiver<StoreError>,
    pub(crate) thread: JoinHandle<()>,
}

/// Starts the thread. It ends, and closes the store, when the last sender of jobs is gone, or when the
/// store fails.
pub(crate) fn start(store: Store, counters: Arc<HostCounters>) -> io::Result<Worker> {
    let (jobs, queue) = channel(QUEUE_MAX);
    let (failed, failure) = oneshot::channel();
    let thread = std::thread::Builder::new()
        .name("store".to_owned())
        .spawn(move || {
            if let Err(error) = work(store, queue, &counters) {
                Event::StoreFailed.log();
                // If nobody listens, the process is ending already.
                drop(failed.send(error));
            }
        })?;
    Ok(Worker {
        jobs,
        failure,
        thread,
    })
}

fn work(
    mut store: Store,
    mut queue: Receiver<Job>,
    counters: &HostCounters,
) -> Result<(), StoreError> {
    while let Some(Job { request, reply }) = queue.blocking_recv() {
        let started = Instant::now();
        // A failed store answers nothing: whoever asked must find out by reading later.
        let result = store.execute(&request.operation)?;
        count(
            counters,
            &request.operation,
            result.as_ref().err().copied(),
            started,
        );
        // A stream that is gone wants no reply.
        drop(reply.send(StoreReply {
            id: request.id,
            result,
        }));
    }
    Ok(())
}

fn count(
    counters: &HostCounters,
    operation: &StoreOperation,
    fault: Option<StoreFault>,
    started: Instant,
) {
    match operation {
        StoreOperation::Append { records, .. } => {
            counters.store_appends.one();
            if fault.is_none() {
                let size: usize = records.iter().map(|record| record.body.0.len()).sum();
                let elapsed = started.elapsed().as_micros();
                counters
                    .store_records
                    .add(u64::try_from(records.len()).unwrap_or(0));
                counters
                    .store_record_bytes
                    .add(u64::try_from(size).unwrap_or(0));
                counters
                    .store_append_us_sum
                    .add(u64::try_from(elapsed).unwrap_or(0));
                counters.store_append_count.one();
            }
        }
        StoreOperation::Read { .. } => counters.store_reads.one(),
        StoreOperation::Streams => counters.store_listings.one(),
        StoreOperation::Fence { .. } => counters.store_fences.one(),
    }
    match fault {
        None => {}
        Some(StoreFault::Conflict { .. }) => counters.store_conflicts.one(),
        Some(StoreFault::Fenced { .. }) => counters.store_fenced.one(),
        Some(StoreFault::Full) => {
            counters.store_full.one();
            Event::StoreFull.log();
        }
        Some(StoreFault::Unavailable) => counters.store_unavailable.one(),
        Some(StoreFault::TooLarge) => counters.store_too_large.one(),
    }
}
