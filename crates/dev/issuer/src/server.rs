//! Sockets: HTTP/1.1, with or without TLS, bounded in size, time and number of connections.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// Most connections at once; more wait in the listen queue. A browser takes six.
const CONNECTIONS_MAX: usize = 128;
/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may take for the head of a request, idle time included.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long open requests may take at the end.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);
/// Pause after a failed accept: the system is out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Largest head of a request in bytes, and most header lines: browsers send a kilobyte or two.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const HEADERS_MAX: usize = 64;

/// What answers requests.
pub(crate) trait Answer: Clone + Send + Sync + 'static {
    /// Answers one.
    fn answer(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<Full<Bytes>>> + Send;
}

/// Serves until `stopped` changes or its sender is gone, then finishes open requests within a few seconds.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    service: impl Answer,
    mut stopped: watch::Receiver<()>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    let stopping = stopped.clone();
    loop {
        while connections.try_join_next().is_some() {}
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await.ok()?;
            Some((place, listener.accept().await))
        };
        let next = tokio::select! {
            _stop = stopped.changed() => break,
            next = next => next,
        };
        let Some((place, accepted)) = next else { break };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (tls, service, stopping) = (tls.clone(), service.clone(), stopping.clone());
        connections.spawn(async move {
            // Answers are one small write each; without this the system may hold them back, no more.
            stream.set_nodelay(true).unwrap_or_default();
            match tls {
                None => exchange(stream, service, stopping).await,
                Some(tls) => {
                    if let Ok(Ok(stream)) = timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
                        exchange(stream, service, stopping).await;
                    }
                }
            }
            drop(place);
        });
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if timeout(STOP_TIMEOUT, drained).await.is_err() {
        connections.shutdown().await;
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    service: impl Answer,
    mut stopped: watch::Receiver<()>,
) {
    let answer = service_fn(move |request| {
        let service = service.clone();
        async move { Ok::<_, Infallible>(service.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), answer);
    let mut connection = std::pin::pin!(connection);
    // How a connection ends is the client's affair.
    tokio::select! {
        _ended = connection.as_mut() => return,
        _stop = stopped.changed() => connection.as_mut().graceful_shutdown(),
    }
    drop(connection.await);
}
