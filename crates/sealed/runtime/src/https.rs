//! One GET over TLS, on a stream that the host has connected.
//!
//! The host may refuse, delay or cut the connection and nothing else: TLS is checked here, at the time that witnesses vouch for.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::Builder;
use hyper::header::{ACCEPT, CONNECTION, HOST, HeaderValue, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::time_provider::TimeProvider;
use rustls_pki_types::{ServerName, UnixTime};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use crate::clock::{Clock, TrustedTime};
use crate::transport::BoxStream;

/// Most bytes of a response's head.
const HEAD_SIZE_MAX: usize = 64 * 1024;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum HttpsError {
    /// TLS failed: another certificate than the server's, or no time to judge it by.
    Tls(rustls::Error),
    /// The connection failed, or what came over it is no HTTP.
    Link(io::Error),
    /// An answer that sends the asker elsewhere; it is not followed.
    Redirect,
    /// An answer with another status than 200.
    Status(StatusCode),
    /// An answer that is larger than the asker allows.
    TooLarge,
}

impl From<io::Error> for HttpsError {
    fn from(error: io::Error) -> Self {
        let inner = error.get_ref();
        match inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(tls) => Self::Tls(tls.clone()),
            None => Self::Link(error),
        }
    }
}

impl From<hyper::Error> for HttpsError {
    fn from(error: hyper::Error) -> Self {
        Self::Link(io::Error::other(error))
    }
}

/// What is asked of a server.
#[derive(Debug)]
pub(crate) struct Get<'a> {
    /// The name that its certificate must have.
    pub(crate) server_name: &'a str,
    /// The `Host` header: that name, with a port if it is not 443.
    pub(crate) host: &'a str,
    /// Path and query.
    pub(crate) target: &'a str,
    /// The `Accept` header.
    pub(crate) accept: &'static str,
    /// Most bytes of the answer's body.
    pub(crate) size_max: usize,
}

impl Get<'_> {
    /// Asks over `stream`, of which nothing is left afterwards. How long it may take is the caller's matter.
    ///
    /// # Errors
    /// [`HttpsError`].
    pub(crate) async fn over(
        &self,
        stream: BoxStream,
        tls: &Arc<ClientConfig>,
    ) -> Result<Bytes, HttpsError> {
        let name = ServerName::try_from(self.server_name.to_owned()).map_err(io::Error::other)?;
        let stream = TlsConnector::from(Arc::clone(tls))
            .connect(name, stream)
            .await?;
        let (mut sender, driver) = Builder::new()
            .max_buf_size(HEAD_SIZE_MAX)
            .handshake(TokioIo::new(stream))
            .await?;
        // Dropped with this future, and with it the connection.
        let mut drivers = JoinSet::new();
        drivers.spawn(driver);
        let request = Request::get(self.target)
            .header(HOST, self.host)
            .header(ACCEPT, HeaderValue::from_static(self.accept))
            .header(USER_AGENT, HeaderValue::from_static("chancery"))
            .header(CONNECTION, HeaderValue::from_static("close"))
            .body(Empty::<Bytes>::new())
            .map_err(io::Error::other)?;
        body_of(sender.send_request(request).await?, self.size_max).await
    }
}

async fn body_of(response: Response<Incoming>, size_max: usize) -> Result<Bytes, HttpsError> {
    let status = response.status();
    if status.is_redirection() {
        return Err(HttpsError::Redirect);
    }
    if status != StatusCode::OK {
        return Err(HttpsError::Status(status));
    }
    match Limited::new(response.into_body(), size_max).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(HttpsError::TooLarge),
        Err(error) => Err(HttpsError::Link(io::Error::other(error))),
    }
}

/// The trusted time for rustls. Before the first quorum there is none, and no certificate is believed.
#[derive(Debug)]
pub(crate) struct WitnessedTime {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) time: Arc<TrustedTime>,
}

impl TimeProvider for WitnessedTime {
    fn current_time(&self) -> Option<UnixTime> {
        if self.time.floor_ms() == 0 {
            return None;
        }
        let now = Duration::from_millis(self.time.now_ms(self.clock.as_ref()));
        Some(UnixTime::since_unix_epoch(now))
    }
}
