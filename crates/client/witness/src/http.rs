//! The socket: HTTP/1.1, bounded in size, time and number of connections.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chancery_tlog::witness::ADD_CHECKPOINT_PATH;
use chancery_tlog::witness::REQUEST_BYTES_MAX;
use chancery_tlog::witness::Refusal;
use chancery_tlog::witness::SIZE_MEDIA_TYPE;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use http_body_util::LengthLimitError;
use http_body_util::Limited;
use hyper::Method;
use hyper::Request;
use hyper::Response;
use hyper::StatusCode;
use hyper::body::Body as _;
use hyper::body::Incoming;
use hyper::header;
use hyper::header::HeaderValue;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::Clock;
use crate::Error;
use crate::Options;
use crate::service::Answer;
use crate::service::Refused;
use crate::service::Service;
use crate::service::report;

/// Most connections at once; more wait in the listen queue. A log needs one or two.
const CONNECTIONS_MAX: usize = 256;

/// How long a connection may take for the head of a request, idle time included: longer than the
/// 60 s between heartbeats, so that a log keeps its connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(90);

/// How long a request's body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long open requests may take at the end.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// Pause after a failed accept: the system is out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Largest head of a request in bytes, and most header lines: ours have a handful.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const HEADERS_MAX: usize = 32;

/// A witness that listens.
#[derive(Debug)]
pub struct Witness {
    listener: TcpListener,
    service: Arc<Service>,
}

impl Witness {
    /// Opens the state and listens. The clock gives seconds since the Unix epoch.
    ///
    /// # Errors
    /// Any [`Error`]; nothing is served then.
    pub async fn bind(options: Options, now_s: Clock) -> Result<Self, Error> {
        let Options {
            state,
            name,
            listen,
            logs,
        } = options;
        let service = Arc::new(Service::open(&state, &name, logs, now_s)?);
        let listener = TcpListener::bind(listen)
            .await
            .map_err(|e| Error::Io("listen", e))?;
        Ok(Self { listener, service })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn address(&self) -> Result<SocketAddr, Error> {
        self.listener
            .local_addr()
            .map_err(|e| Error::Io("listen", e))
    }

    /// The cosignature key, as policies name it.
    #[must_use]
    pub fn vkey(&self) -> String {
        self.service.verifier().to_string()
    }

    /// Serves until `stop` is ready, then finishes open requests within a few seconds.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let (stopping, stopped) = watch::channel(());
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut connections = JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            while connections.try_join_next().is_some() {}
            let next = async {
                let place = Arc::clone(&places).acquire_owned().await.ok()?;
                Some((place, self.listener.accept().await))
            };
            let next = tokio::select! {
                () = &mut stop => break,
                next = next => next,
            };
            let Some((place, accepted)) = next else { break };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let (service, stopped) = (Arc::clone(&self.service), stopped.clone());
            connections.spawn(async move {
                serve_connection(stream, service, stopped).await;
                drop(place);
            });
        }
        drop(self.listener);
        drop(stopping);
        let drained = async { while connections.join_next().await.is_some() {} };
        if timeout(STOP_TIMEOUT, drained).await.is_err() {
            connections.shutdown().await;
        }
    }
}

async fn serve_connection(
    stream: TcpStream,
    service: Arc<Service>,
    mut stopped: watch::Receiver<()>,
) {
    // Answers are one small write each; waiting for more would only add delay.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let answer = service_fn(move |request| {
        let service = Arc::clone(&service);
        async move { Ok::<_, Infallible>(respond(service, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), answer);
    let mut connection = std::pin::pin!(connection);
    // How a connection ends is the client's affair: whatever was committed is committed.
    tokio::select! {
        _ended = connection.as_mut() => return,
        _closed = stopped.changed() => connection.as_mut().graceful_shutdown(),
    }
    drop(connection.await);
}

async fn respond(service: Arc<Service>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    if path == ADD_CHECKPOINT_PATH {
        if request.method() != Method::POST {
            return method_not_allowed("POST");
        }
        return add_checkpoint(service, request).await;
    }
    if is_monitoring_path(path) {
        if request.method() != Method::GET {
            return method_not_allowed("GET");
        }
        let answer = service.checkpoint(path).await;
        let mut response = answered(answer);
        let no_store = HeaderValue::from_static("no-store");
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, no_store);
        return response;
    }
    plain(StatusCode::NOT_FOUND, "no such path\n")
}

fn is_monitoring_path(path: &str) -> bool {
    let hash = path
        .strip_prefix('/')
        .and_then(|rest| rest.strip_suffix("/checkpoint"));
    hash.is_some_and(|hash| {
        hash.len() == 64 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

async fn add_checkpoint(
    service: Arc<Service>,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    // A body that announces too much is refused before it is waited for.
    let announced = request.body().size_hint().lower();
    if u64::try_from(REQUEST_BYTES_MAX).is_ok_and(|limit| announced > limit) {
        return plain(StatusCode::PAYLOAD_TOO_LARGE, "body too large\n");
    }
    let body = Limited::new(request.into_body(), REQUEST_BYTES_MAX).collect();
    let body = match timeout(BODY_TIMEOUT, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            return plain(StatusCode::PAYLOAD_TOO_LARGE, "body too large\n");
        }
        Ok(Err(_)) => return plain(StatusCode::BAD_REQUEST, "body cut off\n"),
        Err(_) => return plain(StatusCode::REQUEST_TIMEOUT, "body too slow\n"),
    };
    answered(service.add_checkpoint(&body).await)
}

fn answered(answer: Answer) -> Response<Full<Bytes>> {
    match answer {
        Ok(body) => plain(StatusCode::OK, body),
        Err(Refused::Request(refusal)) => refused(&refusal),
        Err(Refused::NoCheckpoint) => plain(StatusCode::NOT_FOUND, "no checkpoint\n"),
        Err(Refused::Fault(error)) => {
            report(&error);
            plain(StatusCode::INTERNAL_SERVER_ERROR, "witness fault\n")
        }
    }
}

fn refused(refusal: &Refusal) -> Response<Full<Bytes>> {
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = plain(status, refusal.body());
    if matches!(refusal, Refusal::Conflict { .. }) {
        let size = HeaderValue::from_static(SIZE_MEDIA_TYPE);
        response.headers_mut().insert(header::CONTENT_TYPE, size);
    }
    response
}

fn method_not_allowed(allowed: &'static str) -> Response<Full<Bytes>> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

fn plain(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, text);
    response
}
