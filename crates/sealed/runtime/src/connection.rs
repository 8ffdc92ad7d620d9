//! One inbound stream: the host's opening frame, TLS, HTTP/1.1.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use chancery_wire::{Decoder, IngressOpen, OPEN_SIZE_MAX};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ProtocolVersion;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::http;
use crate::service::Service;
use crate::transport::BoxStream;

/// How long a peer may take for the opening frame and the TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may be idle, or a request's head incomplete. Identity providers keep
/// connections for about a minute.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// Largest head of a request in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// A TLS stream whose session the request handlers can ask for exporter values while hyper reads and
/// writes it. The lock is held for single polls only.
#[derive(Debug)]
struct SharedTls(Arc<Mutex<TlsStream<Prefixed>>>);

/// What a request handler may know of its connection.
#[derive(Clone, Debug)]
pub struct Channel {
    tls: Arc<Mutex<TlsStream<Prefixed>>>,
    /// Whether the connection is TLS 1.3; nothing but SCIM is served on TLS 1.2.
    pub is_tls13: bool,
    /// The host name that the client asked for, if it named one.
    pub server_name: Option<String>,
    /// The application protocol that was agreed, if any.
    pub alpn: Option<String>,
    /// SHA-256 of the SubjectPublicKeyInfo of the certificate that was presented.
    pub leaf_spki_sha256: [u8; 32],
}

impl Channel {
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
    metrics.connections_open.add(1);
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
    metrics.connections_open.take(1);
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
    let prefixed = Prefixed {
        prefix: decoder.into_rest(),
        taken: 0,
        inner: stream,
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
    let channel = Channel {
        tls: Arc::clone(&tls),
        is_tls13,
        server_name,
        alpn,
        leaf_spki_sha256: served.spki_sha256,
    };
    Ok((SharedTls(tls), channel))
}

impl SharedTls {
    fn poll<T>(
        &self,
        act: impl FnOnce(Pin<&mut TlsStream<Prefixed>>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        act(Pin::new(
            &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner),
        ))
    }
}

impl AsyncRead for SharedTls {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll(|tls| tls.poll_read(cx, buffer))
    }
}

impl AsyncWrite for SharedTls {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll(|tls| tls.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(|tls| tls.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(|tls| tls.poll_shutdown(cx))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll(|tls| tls.poll_write_vectored(cx, bytes))
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
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Prefixed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
