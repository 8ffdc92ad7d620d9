//! Turns at the secure processor, which is one serial device.
//!
//! A turn lasts until the device has answered, whoever still waits for the answer: a client that goes
//! away does not let the next one in. Of all clients at most one stands in the queue that renewal of
//! the node statement uses, so they cannot starve it.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Most clients that wait for the processor or use it; the next one is told to come back.
const CLIENTS_MAX: usize = 8;

/// The queue.
#[derive(Debug)]
pub(crate) struct Turns {
    clients: Arc<Semaphore>,
    first_client: Arc<Semaphore>,
    device: Arc<Semaphore>,
}

/// Whose turn it is: to be held until the device has answered.
#[derive(Debug)]
pub(crate) struct Turn(#[expect(dead_code, reason = "held, not read")] Vec<OwnedSemaphorePermit>);

impl Turns {
    /// Nobody waits yet.
    pub(crate) fn new() -> Self {
        Self {
            clients: Arc::new(Semaphore::new(CLIENTS_MAX)),
            first_client: Arc::new(Semaphore::new(1)),
            device: Arc::new(Semaphore::new(1)),
        }
    }

    /// The turn of the runtime itself: it waits for one client at most.
    pub(crate) async fn of_runtime(&self) -> Option<Turn> {
        let device = Arc::clone(&self.device).acquire_owned().await.ok()?;
        Some(Turn(vec![device]))
    }

    /// The turn of a client; none at once if too many wait already.
    pub(crate) async fn of_client(&self) -> Option<Turn> {
        let place = Arc::clone(&self.clients).try_acquire_owned().ok()?;
        let first = Arc::clone(&self.first_client).acquire_owned().await.ok()?;
        let device = Arc::clone(&self.device).acquire_owned().await.ok()?;
        Some(Turn(vec![device, first, place]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    fn ready(future: impl Future<Output = Option<Turn>>) -> Turn {
        match poll(pin!(future)) {
            Poll::Ready(Some(turn)) => turn,
            other => panic!("no turn: {other:?}"),
        }
    }

    #[test]
    fn a_client_too_many_is_turned_away_at_once() {
        let turns = Turns::new();
        let used = ready(turns.of_client());
        let mut waiting: Vec<_> = (1..CLIENTS_MAX)
            .map(|_| Box::pin(turns.of_client()))
            .collect();
        for client in &mut waiting {
            assert!(poll(client.as_mut()).is_pending());
        }
        assert!(matches!(poll(pin!(turns.of_client())), Poll::Ready(None)));
        // One that goes away makes room; the one that uses the device still does.
        drop(waiting.pop());
        let mut next = pin!(turns.of_client());
        assert!(poll(next.as_mut()).is_pending());
        drop(used);
        assert!(poll(waiting[0].as_mut()).is_ready());
    }

    #[test]
    fn renewal_comes_before_clients_that_waited_longer() {
        let turns = Turns::new();
        let used = ready(turns.of_client());
        let mut second = pin!(turns.of_client());
        assert!(poll(second.as_mut()).is_pending());
        let mut renewal = pin!(turns.of_runtime());
        assert!(poll(renewal.as_mut()).is_pending());
        drop(used);
        assert!(poll(second.as_mut()).is_pending());
        let Poll::Ready(Some(renewed)) = poll(renewal.as_mut()) else {
            panic!("renewal waits behind a second client");
        };
        drop(renewed);
        assert!(poll(second.as_mut()).is_ready());
    }
}
