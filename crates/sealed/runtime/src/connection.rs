//! One inbound stream: the host's opening frame, TLS, HTTP/1.1.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use chancery_wire::{Decoder, IngressOpen, OPEN_SIZE_MAX};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ProtocolVersion;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::sync::Semaphore;
use tokio::time::Sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::framing::Framing;
use crate::http;
use crate::metrics::Metrics;
use crate::service::Service;
use crate::transport::BoxStream;

/// How long a peer may take for the opening frame and the TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may be idle, or a request's head incomplete. Identity providers keep
/// connections for about a minute.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// Largest head of a request in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Most connections that are served at a time. The host has a bound of its own, which is not believed.
const CONNECTIONS_MAX: usize = 4096;
/// How long an answer may wait for a client that reads less than [`READ_BYTES_MIN`] of it.
const READ_PERIOD: Duration = Duration::from_secs(60);
/// Bytes that a client with an answer outstanding must take in every [`READ_PERIOD`].
const READ_BYTES_MIN: u64 = 32 * 1024;

/// Room for connections; the process serves one deployment.
static ROOM: Semaphore = Semaphore::const_new(CONNECTIONS_MAX);

/// A TLS stream whose session the request handlers can ask for exporter values while hyper reads and
/// writes it. The lock is held for single polls only.
#[derive(Debug)]
struct SharedTls {
    tls: Arc<Mutex<TlsStream<Prefixed>>>,
    framing: Framing,
    is_ambiguous: Arc<AtomicBool>,
    outstanding: Outstanding,
}

/// Ends a connection whose client does not read its answer: the answer holds memory until then.
#[derive(Debug)]
struct Outstanding {
    period: Duration,
    since: Option<(Pin<Box<Sleep>>, u64)>,
}

impl Outstanding {
    const fn new(period: Duration) -> Self {
        Self {
            period,
            since: None,
        }
    }

    /// Everything is out.
    fn is_out(&mut self) {
        self.since = None;
    }

    /// Something waits to be written; `sent` bytes are out so far.
    fn waits(&mut self, cx: &mut Context<'_>, sent: u64) -> io::Result<()> {
        loop {
            let period = self.period;
            let (sleep, start) = self
                .since
                .get_or_insert_with(|| (Box::pin(tokio::time::sleep(period)), sent));
            if sleep.as_mut().poll(cx).is_pending() {
                return Ok(());
            }
            if sent.saturating_sub(*start) < READ_BYTES_MIN {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.since = None;
        }
    }
}

/// What a request handler may know of its connection.
#[derive(Clone, Debug)]
pub struct Channel {
    tls: Arc<Mutex<TlsStream<Prefixed>>>,
    is_ambiguous: Arc<AtomicBool>,
    /// Whether the connection is TLS 1.3; nothing but SCIM and its access tokens is served on TLS 1.2.
    pub is_tls13: bool,
    /// The host name that the client asked for, if it named one.
    pub server_name: Option<String>,
    /// The application protocol that was agreed, if any.
    pub alpn: Option<String>,
    /// SHA-256 of the SubjectPublicKeyInfo of the certificate that was presented.
    pub leaf_spki_sha256: [u8; 32],
}

impl Channel {
    /// Whether a request on this connection was framed in two ways (I28).
    #[must_use]
    pub fn is_ambiguous(&self) -> bool {
        self.is_ambiguous.load(Ordering::Acquire)
    }

    /// The TLS exporter (RFC 8446 section 7.5) of this connection, 32 bytes.
    ///
    /// # Errors
    /// If the session cannot give it, which a completed handshake rules out.
    pub fn export(&self, label: &[u8], context: &[u8]) -> Result<[u8; 32], rustls::Error> {
        let tls = self.tls.lock().unwrap_or_else(PoisonError::into_inner);
        tls.get_ref()
            .1
            .export_keying_material([0; 32], label, Some(context))
    }
}

/// Serves one stream from the host until it ends. Errors of a peer end its own connection only.
pub async fn serve(stream: BoxStream, service: Arc<Service>) {
    let metrics = Arc::clone(&service.metrics);
    metrics.connections_accepted.add(1);
    let Ok(_room) = ROOM.try_acquire() else {
        return;
    };
    let _open = metrics.connections_open.raise();
    let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, accept(stream, &service)).await;
    match handshake {
        Ok(Ok((tls, channel))) => {
            metrics.tls_handshakes_completed.add(1);
            let handler = service_fn(move |request| {
                let (service, channel) = (Arc::clone(&service), channel.clone());
                async move {
                    Ok::<_, std::convert::Infallible>(http::answer(service, channel, request).await)
                }
            });
            // A broken connection is the peer's affair; there is nobody to tell.
            let _ended = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .max_buf_size(HEAD_BYTES_MAX)
                .serve_connection(TokioIo::new(tls), handler)
                .await;
        }
        Ok(Err(_)) | Err(_) => metrics.tls_handshakes_failed.add(1),
    }
}

async fn accept(mut stream: BoxStream, service: &Service) -> io::Result<(SharedTls, Channel)> {
    let mut decoder = Decoder::with_limit(OPEN_SIZE_MAX);
    let mut chunk = [0_u8; 512];
    loop {
        if decoder
            .pull::<IngressOpen>()
            .map_err(io::Error::other)?
            .is_some()
        {
            break;
        }
        let count = stream.read(&mut chunk).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        decoder
            .push(chunk.get(..count).unwrap_or_default())
            .map_err(io::Error::other)?;
    }
    let prefix = decoder.into_rest();
    let metrics = Arc::clone(&service.metrics);
    metrics.bytes_received.add(size(prefix.len()));
    let prefixed = Prefixed {
        prefix,
        taken: 0,
        inner: stream,
        sent: 0,
        metrics,
    };
    let served = service.served_certificate();
    let tls = TlsAcceptor::from(served.config).accept(prefixed).await?;
    let session = tls.get_ref().1;
    let is_tls13 = session.protocol_version() == Some(ProtocolVersion::TLSv1_3);
    let server_name = session.server_name().map(String::from);
    let alpn = session
        .alpn_protocol()
        .and_then(|protocol| std::str::from_utf8(protocol).ok())
        .map(String::from);
    let tls = Arc::new(Mutex::new(tls));
    let is_ambiguous = Arc::new(AtomicBool::new(false));
    let channel = Channel {
        tls: Arc::clone(&tls),
        is_ambiguous: Arc::clone(&is_ambiguous),
        is_tls13,
        server_name,
        alpn,
        leaf_spki_sha256: served.spki_sha256,
    };
    let shared = SharedTls {
        tls,
        framing: Framing::new(),
        is_ambiguous,
        outstanding: Outstanding::new(READ_PERIOD),
    };
    Ok((shared, channel))
}

fn size(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

impl SharedTls {
    fn poll<T>(
        &self,
        act: impl FnOnce(Pin<&mut TlsStream<Prefixed>>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        act(Pin::new(
            &mut *self.tls.lock().unwrap_or_else(PoisonError::into_inner),
        ))
    }

    /// The same for what writes, which a client must not hold up forever.
    fn poll_out<T>(
        &mut self,
        cx: &mut Context<'_>,
        act: impl FnOnce(Pin<&mut TlsStream<Prefixed>>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let (polled, sent) = {
            let mut tls = self.tls.lock().unwrap_or_else(PoisonError::into_inner);
            let polled = act(Pin::new(&mut *tls), cx);
            (polled, tls.get_ref().0.sent)
        };
        if polled.is_pending() {
            self.outstanding.waits(cx, sent)?;
        }
        polled
    }
}

impl AsyncRead for SharedTls {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = self.poll(|tls| tls.poll_read(cx, buffer));
        let new = buffer.filled().get(before..).unwrap_or_default();
        self.framing.pass(new);
        if self.framing.is_ambiguous() {
            self.is_ambiguous.store(true, Ordering::Release);
        }
        polled
    }
}

impl AsyncWrite for SharedTls {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_out(cx, |tls, cx| tls.poll_write(cx, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = self.poll_out(cx, TlsStream::poll_flush);
        if polled.is_ready() {
            self.outstanding.is_out();
        }
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_out(cx, TlsStream::poll_shutdown)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_out(cx, |tls, cx| tls.poll_write_vectored(cx, bytes))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

/// A stream with bytes that were already read from it in front.
struct Prefixed {
    prefix: Vec<u8>,
    taken: usize,
    inner: BoxStream,
    /// Bytes that the stream has taken so far.
    sent: u64,
    metrics: Arc<Metrics>,
}

impl std::fmt::Debug for Prefixed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Prefixed").finish_non_exhaustive()
    }
}

impl AsyncRead for Prefixed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let taken = self.taken;
        if let Some(rest) = self.prefix.get(taken..)
            && !rest.is_empty()
        {
            let count = rest.len().min(buffer.remaining());
            buffer.put_slice(rest.get(..count).unwrap_or_default());
            self.taken = taken.saturating_add(count);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buffer);
        let count = buffer.filled().len().saturating_sub(before);
        self.metrics.bytes_received.add(size(count));
        polled
    }
}

impl AsyncWrite for Prefixed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, bytes);
        if let Poll::Ready(Ok(count)) = polled {
            let count = size(count);
            self.sent = self.sent.saturating_add(count);
            self.metrics.bytes_sent.add(count);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets answers wait for 50 ms at a time; `sent` says what is out at each look.
    fn wait(sent: impl Fn(u32) -> u64, looks: u32) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut outstanding = Outstanding::new(Duration::from_millis(50));
            for look in 0..looks {
                std::future::poll_fn(|cx| Poll::Ready(outstanding.waits(cx, sent(look)))).await?;
                tokio::time::sleep(Duration::from_millis(60)).await;
            }
            Ok(())
        })
    }

    #[test]
    fn a_client_that_reads_too_little_of_its_answer_is_dropped() {
        assert!(wait(|_| 0, 2).is_err());
        assert!(wait(|look| u64::from(look) * (READ_BYTES_MIN - 1), 2).is_err());
        assert!(wait(|look| u64::from(look) * READ_BYTES_MIN, 4).is_ok());
    }
}
