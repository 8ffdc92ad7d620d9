//! The host's own port: `/healthz` and `/metrics`, nothing else.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::event::Event;
use crate::files::store_size;
use crate::server::Shared;
use crate::{metrics, process};

/// Connections at a time: scrapers and probes.
const CONNECTIONS_MAX: usize = 32;

/// How long one connection may last, idle or not.
const CONNECTION_LIFETIME_MAX: Duration = Duration::from_secs(60);

/// Largest request head, in bytes.
const HEAD_SIZE_MAX: usize = 16 * 1024;

/// Pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

/// Accepts for ever.
pub(crate) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((connection, _)) => {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    serve(connection, shared).await;
                    drop(place);
                });
            }
            Err(error) => {
                Event::AcceptFailed(error.kind()).log();
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(connection: TcpStream, shared: Arc<Shared>) {
    let answering = service_fn(move |request: Request<Incoming>| {
        let response = answer(&request, &shared);
        async move { Ok::<_, Infallible>(response) }
    });
    let serving = http1::Builder::new()
        .max_buf_size(HEAD_SIZE_MAX)
        .serve_connection(TokioIo::new(connection), answering);
    // A probe that breaks off or stays too long is no event.
    drop(timeout(CONNECTION_LIFETIME_MAX, serving).await);
}

fn answer<B>(request: &Request<B>, shared: &Shared) -> Response<Full<Bytes>> {
    if request.method() != Method::GET {
        return response(StatusCode::NOT_FOUND, PLAIN_TEXT, String::new());
    }
    match request.uri().path() {
        "/healthz" => {
            let health = shared.newest.borrow().health;
            let status = if health.is_serving() {
                StatusCode::OK
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            };
            let text = format!("{}\n{}\n", health.code(), health.sentence());
            response(status, PLAIN_TEXT, text)
        }
        "/metrics" => {
            let newest = *shared.newest.borrow();
            let (cpu_us, resident_bytes) = process::usage();
            shared.counters.cpu_us.set(cpu_us);
            shared.counters.resident_bytes.set(resident_bytes);
            shared
                .counters
                .store_file_bytes
                .set(store_size(&shared.config.store));
            let text = metrics::render(newest.health, &newest.counters, &shared.counters);
            response(StatusCode::OK, metrics::CONTENT_TYPE, text)
        }
        _ => response(StatusCode::NOT_FOUND, PLAIN_TEXT, String::new()),
    }
}

fn response(status: StatusCode, content_type: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
