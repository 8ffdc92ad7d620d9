//! Request bodies: how large, how long on their way, and how much of all of them together is held.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::{Body, Bytes};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Largest body of a request in bytes.
pub(crate) const BODY_BYTES_MAX: usize = 1024 * 1024;
/// How long a request's body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the body of a request that is refused anyway is listened to.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of one permit of a [`Budget`].
const PERMIT_BYTES: usize = 1024;

/// Bodies of callers whose credential was checked: 192 MiB together.
static CREDENTIALED: Semaphore = Semaphore::const_new(192 * 1024);
/// Bodies of anybody else: 64 MiB together, so that they take nothing from the former.
static ANYBODY: Semaphore = Semaphore::const_new(64 * 1024);

/// What one body may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// Largest body in bytes.
    pub(crate) bytes_max: usize,
    /// Most bytes that are listened to. A sender whose connection is closed while it still writes
    /// never sees the answer.
    heard_max: usize,
    budget: &'static Semaphore,
}

impl Terms {
    /// For a caller whose credential was checked.
    pub(crate) const CREDENTIALED: Self = Self {
        bytes_max: BODY_BYTES_MAX,
        heard_max: 16 * BODY_BYTES_MAX,
        budget: &CREDENTIALED,
    };

    /// For anybody, up to `bytes_max`.
    pub(crate) const fn anybody(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            heard_max: BODY_BYTES_MAX * 2,
            budget: &ANYBODY,
        }
    }
}

/// A body, and the room that it takes among all bodies until it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// The bytes.
    pub(crate) bytes: Bytes,
    room: Option<SemaphorePermit<'static>>,
}

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is larger than its terms allow.
    TooLong,
    /// All bodies together take too much.
    Busy,
    /// It did not arrive whole, or not in time.
    Broken,
}

/// Reads a body.
///
/// # Errors
/// [`Fault`].
pub(crate) async fn take<B>(body: B, terms: &Terms) -> Result<Taken, Fault>
where
    B: Body<Data = Bytes> + Unpin,
{
    tokio::time::timeout(BODY_TIMEOUT, whole(body, terms))
        .await
        .unwrap_or(Err(Fault::Broken))
}

async fn whole<B>(mut body: B, terms: &Terms) -> Result<Taken, Fault>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut bytes = Vec::new();
    let mut taken = Taken::default();
    let mut fault = None;
    let mut heard = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_broken| Fault::Broken)?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        heard = heard.saturating_add(data.len());
        if heard > terms.heard_max {
            break;
        }
        if fault.is_none() {
            fault = if heard > terms.bytes_max {
                Some(Fault::TooLong)
            } else if taken.hold(heard, terms.budget) {
                None
            } else {
                Some(Fault::Busy)
            };
        }
        if fault.is_some() {
            bytes = Vec::new();
            taken.room = None;
        } else {
            bytes.extend_from_slice(data);
        }
    }
    match fault {
        Some(fault) => Err(fault),
        // The only other way out of the loop: more at once than anybody listens to.
        None if heard > terms.bytes_max => Err(Fault::TooLong),
        None => {
            taken.bytes = Bytes::from(bytes);
            Ok(taken)
        }
    }
}

impl Taken {
    /// Takes room for `size` bytes in all.
    fn hold(&mut self, size: usize, budget: &'static Semaphore) -> bool {
        let held = self.room.as_ref().map_or(0, SemaphorePermit::num_permits);
        let more = size.div_ceil(PERMIT_BYTES).saturating_sub(held);
        let Ok(more) = u32::try_from(more) else {
            return false;
        };
        let Ok(permit) = budget.try_acquire_many(more) else {
            return false;
        };
        match &mut self.room {
            Some(room) => room.merge(permit),
            None => self.room = Some(permit),
        }
        true
    }
}

/// Listens to the body of a request that is refused anyway, for a while.
pub(crate) async fn discard<B>(mut body: B)
where
    B: Body<Data = Bytes> + Unpin,
{
    let rest = async {
        let mut heard = 0_usize;
        while let Some(Ok(frame)) = body.frame().await {
            heard = heard.saturating_add(frame.data_ref().map_or(0, Bytes::len));
            if heard > BODY_BYTES_MAX {
                break;
            }
        }
    };
    let _over = tokio::time::timeout(DISCARD_TIMEOUT, rest).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::collections::VecDeque;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use hyper::body::Frame;

    struct Pieces(VecDeque<Result<usize, ()>>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = ();
        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, ()>>> {
            let piece = self.0.pop_front();
            Poll::Ready(
                piece.map(|piece| piece.map(|size| Frame::data(Bytes::from(vec![b'x'; size])))),
            )
        }
    }

    fn terms(bytes_max: usize, permits: usize) -> Terms {
        Terms {
            bytes_max,
            heard_max: 2 * bytes_max,
            budget: Box::leak(Box::new(Semaphore::new(permits))),
        }
    }

    fn read(pieces: &[Result<usize, ()>], terms: &Terms) -> Result<Taken, Fault> {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(whole(Pieces(pieces.iter().copied().collect()), terms))
    }

    #[test]
    fn refuses_a_body_over_its_limit_however_it_is_cut() {
        let terms = terms(4000, 100);
        for pieces in [
            &[Ok(4001)][..],
            &[Ok(4000), Ok(1)],
            &[Ok(9000)],
            &[Ok(3999), Ok(9000)],
        ] {
            assert_eq!(read(pieces, &terms).unwrap_err(), Fault::TooLong);
        }
        assert_eq!(terms.budget.available_permits(), 100);
        assert_eq!(read(&[Ok(4000)], &terms).unwrap().bytes.len(), 4000);
        assert_eq!(read(&[], &terms).unwrap().bytes.len(), 0);
        assert_eq!(read(&[Ok(1), Err(())], &terms).unwrap_err(), Fault::Broken);
    }

    #[test]
    fn refuses_a_body_while_all_bodies_together_take_too_much() {
        let terms = terms(4096, 6);
        let first = read(&[Ok(1000), Ok(1000), Ok(2000)], &terms).unwrap();
        assert_eq!(terms.budget.available_permits(), 2);
        assert_eq!(read(&[Ok(2048), Ok(1)], &terms).unwrap_err(), Fault::Busy);
        assert_eq!(terms.budget.available_permits(), 2);
        drop(first);
        assert!(read(&[Ok(2048), Ok(1)], &terms).is_ok());
        assert_eq!(terms.budget.available_permits(), 6);
    }
}
