//! The appraised byte stream that hyper's pooled client speaks HTTP on.

use core::fmt;
use core::future::Future as _;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io::{self, IoSlice};

use chancery_verify::Anchor;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tokio_rustls::client::TlsStream;

use crate::appraised::{Appraisal, Appraised};
use crate::checklist::Checklist;
use crate::error::ClientError;
use crate::limits::REST_TIME;

/// A TLS 1.3 connection to an appraised runtime of one deployment, as a stream of bytes for an HTTP/1.1
/// client.
///
/// Only [`crate::AttestedConnector`] makes one, after the appraisal; the attestation exchange was the
/// first on it, and nothing of it is left to read.
///
/// It ends by itself. From half of the evidence's life on ([`Appraisal::renew_ms`]) no request begins on
/// it: the first write is refused before a byte has left, and a stream that rests is closed, so that a
/// pool opens, and thereby appraises, another one. An answer that is awaited may still arrive until the
/// evidence ends. What is refused before a byte of a request has left is
/// [`ClientError::AppraisalExpired`]; everything later is [`ClientError::EvidenceEnded`].
///
/// ```compile_fail
/// use chancery_client::AttestedStream;
/// use chancery_verify::Amd;
/// fn copy(other: AttestedStream<Amd>) -> AttestedStream<Amd> {
///     AttestedStream { ..other }
/// }
/// ```
///
/// The only way in compiles:
///
/// ```
/// use chancery_client::{AttestedConnector, AttestedStream, ClientError};
/// use chancery_verify::Amd;
/// use tower_service::Service as _;
/// async fn connect(
///     connector: &mut AttestedConnector<Amd>,
/// ) -> Result<AttestedStream<Amd>, ClientError> {
///     connector.call(hyper::Uri::from_static("https://scim.vendor.example")).await
/// }
/// ```
pub struct AttestedStream<A> {
    stream: TokioIo<TlsStream<TcpStream>>,
    appraisal: Appraisal<A>,
    clock: fn() -> u64,
    flow: Flow,
    /// Looks at the clock while nothing arrives. The clock is not the timer's: a machine that slept has
    /// stopped the one and not the other.
    tick: Pin<Box<Sleep>>,
}

/// Which way bytes went last, and how long ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Flow {
    turn: Turn,
    /// Ticks since, of which the first came at any time.
    ticks: u8,
}

/// Whose bytes went last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Nobody's: no request has begun on this stream.
    Unused,
    /// This side's: an answer is awaited.
    Asked,
    /// The peer's. Whether its answer is complete is HTTP's to know.
    Answered,
}

impl Flow {
    const UNUSED: Self = Self::of(Turn::Unused);
    const ASKED: Self = Self::of(Turn::Asked);
    const ANSWERED: Self = Self::of(Turn::Answered);

    const fn of(turn: Turn) -> Self {
        Self { turn, ticks: 0 }
    }

    fn ticked(self) -> Self {
        let ticks = self.ticks.saturating_add(1);
        Self { ticks, ..self }
    }

    /// Nothing is asked, and nothing has come for a whole tick: the last answer is complete, or has stalled.
    fn rests(self) -> bool {
        self.turn != Turn::Asked && self.ticks >= 2
    }

    fn read(self) -> Self {
        // Bytes that nobody asked for answer nothing.
        match self.turn {
            Turn::Unused => Self::UNUSED,
            Turn::Asked | Turn::Answered => Self::ANSWERED,
        }
    }

    /// The refusal of a read. The answer of a request that has left may be cut off by it.
    fn refused_read(self) -> io::Error {
        io::Error::other(match self.turn {
            Turn::Unused => ClientError::AppraisalExpired,
            Turn::Asked | Turn::Answered => ClientError::EvidenceEnded,
        })
    }

    /// The refusal to write `bytes`. A peer may answer before it has the whole request, so that bytes
    /// after an answer are the rest of a body unless they look like the beginning of a request.
    fn refused_write(self, bytes: &[u8]) -> io::Error {
        io::Error::other(match self.turn {
            Turn::Unused => ClientError::AppraisalExpired,
            Turn::Answered if begins_request(bytes) => ClientError::AppraisalExpired,
            Turn::Asked | Turn::Answered => ClientError::EvidenceEnded,
        })
    }
}

/// Whether `bytes` begin with a whole request line of HTTP/1.1 (RFC 9112, section 3).
fn begins_request(bytes: &[u8]) -> bool {
    let line = bytes.split(|byte| *byte == b'\r').next();
    line.is_some_and(|line| {
        line.len() < bytes.len()
            && line.first().is_some_and(u8::is_ascii_alphabetic)
            && line.ends_with(b" HTTP/1.1")
    })
}

impl<A: Anchor> AttestedStream<A> {
    pub(crate) fn open(appraised: Appraised<A>, checklist: Checklist, clock: fn() -> u64) -> Self {
        let (stream, _host_header, appraisal) = appraised.into_use(checklist, clock);
        Self {
            stream: TokioIo::new(stream),
            appraisal,
            clock,
            flow: Flow::UNUSED,
            tick: Box::pin(sleep(REST_TIME)),
        }
    }

    /// What was appraised.
    #[must_use]
    pub fn appraisal(&self) -> &Appraisal<A> {
        &self.appraisal
    }

    /// Bytes that belong to a request that has begun may follow; another request may not begin.
    fn check_write(&self, bytes: &[u8]) -> io::Result<()> {
        let now_ms = (self.clock)();
        let begins_late = now_ms >= self.appraisal.renew_ms() && self.flow.turn != Turn::Asked;
        if self.is_ended(now_ms) || begins_late {
            return Err(self.flow.refused_write(bytes));
        }
        Ok(())
    }

    fn check_read(&self) -> io::Result<()> {
        let now_ms = (self.clock)();
        let rests_late = now_ms >= self.appraisal.renew_ms() && self.flow.rests();
        if self.is_ended(now_ms) || rests_late {
            return Err(self.flow.refused_read());
        }
        Ok(())
    }

    fn is_ended(&self, now_ms: u64) -> bool {
        now_ms >= self.appraisal.session().not_after_ms()
    }

    fn wrote(&mut self, result: &io::Result<usize>) {
        if matches!(result, Ok(1..)) {
            self.flow = Flow::ASKED;
        }
    }
}

impl<A: Anchor> Read for AttestedStream<A> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.check_read()?;
        if let Poll::Ready(result) = Pin::new(&mut this.stream).poll_read(context, buffer) {
            this.flow = this.flow.read();
            return Poll::Ready(result);
        }
        loop {
            ready!(this.tick.as_mut().poll(context));
            this.tick.set(sleep(REST_TIME));
            this.flow = this.flow.ticked();
            this.check_read()?;
        }
    }
}

impl<A: Anchor> Write for AttestedStream<A> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.check_write(bytes)?;
        let result = ready!(Pin::new(&mut this.stream).poll_write(context, bytes));
        this.wrote(&result);
        Poll::Ready(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let first = parts.iter().find(|part| !part.is_empty());
        this.check_write(first.map_or(&[], |part| part))?;
        let result = ready!(Pin::new(&mut this.stream).poll_write_vectored(context, parts));
        this.wrote(&result);
        Poll::Ready(result)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

impl<A: Anchor + Send + Sync + 'static> Connection for AttestedStream<A> {
    /// HTTP/1.1 without a proxy, with the [`Appraisal`] for the extensions of every response.
    fn connected(&self) -> Connected {
        Connected::new().extra(self.appraisal.clone())
    }
}

impl<A> fmt::Debug for AttestedStream<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttestedStream")
            .field("appraisal", &self.appraisal)
            .finish_non_exhaustive()
    }
}
