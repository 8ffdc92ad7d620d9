//! A connection that exists only after a full appraisal, and speaks only to what was appraised.

use core::fmt;

use bytes::Bytes;
use chancery_session::AttestedSession;
use chancery_verify::Anchor;
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::appraised::{Appraisal, Appraised};
use crate::checklist::Checklist;
use crate::error::{ClientError, Step};
use crate::http::{Request, Response, http1_builder};
use crate::limits::{RESPONSE_SIZE_MAX, RESPONSE_TIME_MAX};

/// TLS exporter label of the value that admins and members sign into their acts, with an empty
/// context: it names the connection for as long as it lives, whatever is attested on it again.
pub const ACT_EXPORTER_LABEL: &[u8] = b"EXPORTER-chancery-act-v1";

/// An HTTP/1.1 connection to an appraised runtime of one deployment.
///
/// Only [`crate::Connector`] makes one. It is pinned to its TLS connection: when that ends, so does
/// this value, and connecting again appraises again (I3).
///
/// ```compile_fail
/// use chancery_client::AttestedConnection;
/// use chancery_verify::Amd;
/// fn copy(other: AttestedConnection<Amd>) -> AttestedConnection<Amd> {
///     AttestedConnection { ..other }
/// }
/// ```
///
/// The only way in compiles:
///
/// ```
/// use chancery_client::{AttestedConnection, ClientError, Connector};
/// use chancery_client::Deployment;
/// use chancery_verify::Amd;
/// async fn connect(deployment: &Deployment) -> Result<AttestedConnection<Amd>, ClientError> {
///     Connector::new(Amd).connect(deployment, None).await
/// }
/// ```
pub struct AttestedConnection<A> {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
    host_header: String,
    act_exporter: [u8; 32],
    clock: fn() -> u64,
    appraisal: Appraisal<A>,
}

impl<A: Anchor> AttestedConnection<A> {
    /// Hands an appraised channel to HTTP.
    pub(crate) async fn open(
        appraised: Appraised<A>,
        checklist: Checklist,
        clock: fn() -> u64,
    ) -> Result<Self, ClientError> {
        let act_exporter = appraised.exporter(ACT_EXPORTER_LABEL, b"")?;
        let (stream, host_header, appraisal) = appraised.into_use(checklist, clock);
        let (sender, connection) = http1_builder()
            .handshake(TokioIo::new(stream))
            .await
            .map_err(ClientError::Http)?;
        let driver = tokio::spawn(async move {
            // How it ended is told to whoever waits for an answer.
            drop(connection.await);
        });
        Ok(Self {
            sender,
            driver,
            host_header,
            act_exporter,
            clock,
            appraisal,
        })
    }

    #[cfg(test)]
    pub(crate) fn set_clock(&mut self, clock: fn() -> u64) {
        self.clock = clock;
    }

    /// Sends a request and reads its whole response.
    ///
    /// # Errors
    ///
    /// [`ClientError::AppraisalExpired`] once half of the evidence's life has passed since it was
    /// appraised: connect again. [`ClientError::RequestInvalid`], [`ClientError::RequestTooLarge`],
    /// [`ClientError::ResponseTooLarge`], [`ClientError::TimedOut`], [`ClientError::Closed`] or
    /// [`ClientError::Http`]; whether the request took effect is not known after the last four.
    pub async fn request(&mut self, request: Request) -> Result<Response, ClientError> {
        if (self.clock)() >= self.appraisal.renew_ms() {
            return Err(ClientError::AppraisalExpired);
        }
        let request = request.into_hyper(&self.host_header)?;
        let exchange = async {
            self.sender.ready().await.map_err(request_error)?;
            let response = self
                .sender
                .send_request(request)
                .await
                .map_err(request_error)?;
            Response::collect(response, RESPONSE_SIZE_MAX).await
        };
        timeout(RESPONSE_TIME_MAX, exchange)
            .await
            .map_err(|_elapsed| ClientError::TimedOut {
                step: Step::Request,
            })?
    }

    /// The value that signed acts carry, so that they are good on this connection alone.
    #[must_use]
    pub fn exporter(&self) -> &[u8; 32] {
        &self.act_exporter
    }

    /// What was appraised.
    #[must_use]
    pub fn session(&self) -> &AttestedSession<A> {
        self.appraisal.session()
    }

    /// Every check that this connection passed.
    #[must_use]
    pub fn checklist(&self) -> &Checklist {
        self.appraisal.checklist()
    }
}

impl<A> fmt::Debug for AttestedConnection<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttestedConnection")
            .field("host", &self.host_header)
            .field("appraisal", &self.appraisal)
            .finish_non_exhaustive()
    }
}

impl<A> Drop for AttestedConnection<A> {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

fn request_error(error: hyper::Error) -> ClientError {
    if error.is_closed() || error.is_canceled() || error.is_incomplete_message() {
        ClientError::Closed
    } else {
        ClientError::Http(error)
    }
}
