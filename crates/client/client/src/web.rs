//! Plain HTTPS to somebody who is not a runtime: a customer's identity provider.
//!
//! Nothing of ours is sent there but what a sign-in needs; the other end is known by its certificate
//! alone. One connection for each request, bounded in time and size.

use std::sync::Arc;

use bytes::Bytes;
use chancery_claim::HttpsUrl;
use chancery_hybrid_kx::web_client_config;
use http_body_util::Full;
use hyper::Method;
use hyper::header;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::channel::Channel;
use crate::channel::handshake_error;
use crate::error::{ClientError, Step};
use crate::http::{Response, http1_builder};
use crate::limits::{HANDSHAKE_TIME_MAX, WEB_RESPONSE_SIZE_MAX, WEB_TIME_MAX};

/// The port that a `Host` header leaves out.
const HTTPS_PORT: u16 = 443;

/// Makes HTTPS requests under given roots. It appraises nobody.
#[derive(Clone, Debug)]
pub struct WebClient {
    config: Arc<ClientConfig>,
}

impl WebClient {
    /// A client that believes certificates below `roots` (DER), or below the public authorities if
    /// there are none.
    ///
    /// # Errors
    ///
    /// [`ClientError::RootsInvalid`].
    pub fn new(roots: &[Vec<u8>]) -> Result<Self, ClientError> {
        let config = web_client_config(roots).map_err(ClientError::RootsInvalid)?;
        Ok(Self { config })
    }

    /// Fetches a JSON document.
    ///
    /// # Errors
    ///
    /// What kept the answer from being had. An answer of any status is no error; redirects are not
    /// followed.
    pub async fn get(&self, url: &HttpsUrl) -> Result<Response, ClientError> {
        self.exchange(Method::GET, url, None).await
    }

    /// Sends a form (`application/x-www-form-urlencoded`), for a JSON answer.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    pub async fn post_form(&self, url: &HttpsUrl, form: String) -> Result<Response, ClientError> {
        self.exchange(Method::POST, url, Some(form)).await
    }

    async fn exchange(
        &self,
        method: Method,
        url: &HttpsUrl,
        form: Option<String>,
    ) -> Result<Response, ClientError> {
        let request = request(method, url, form)?;
        let name = ServerName::try_from(url.host().to_owned())
            .map_err(|_no_name| ClientError::RequestInvalid)?;
        let stream = Channel::dial(&url.authority()).await?;
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let stream = timeout(HANDSHAKE_TIME_MAX, connector.connect(name, stream))
            .await
            .map_err(|_elapsed| ClientError::TimedOut {
                step: Step::Handshake,
            })?
            .map_err(handshake_error)?;
        let (mut sender, connection) = http1_builder()
            .handshake(TokioIo::new(stream))
            .await
            .map_err(ClientError::Http)?;
        let exchange = async {
            let response = sender
                .send_request(request)
                .await
                .map_err(ClientError::Http)?;
            Response::collect(response, WEB_RESPONSE_SIZE_MAX).await
        };
        let driven = async {
            tokio::pin!(exchange);
            tokio::select! {
                answer = &mut exchange => answer,
                ended = connection => match ended {
                    // The connection ended first: what it brought may still be complete.
                    Ok(()) => exchange.await,
                    Err(error) => Err(ClientError::Http(error)),
                },
            }
        };
        timeout(WEB_TIME_MAX, driven)
            .await
            .map_err(|_elapsed| ClientError::TimedOut {
                step: Step::Request,
            })?
    }
}

fn request(
    method: Method,
    url: &HttpsUrl,
    form: Option<String>,
) -> Result<hyper::Request<Full<Bytes>>, ClientError> {
    let host = if url.port() == HTTPS_PORT {
        url.host().to_owned()
    } else {
        url.authority()
    };
    let mut request = hyper::Request::builder()
        .method(method)
        .uri(url.target())
        .header(header::HOST, host)
        .header(header::ACCEPT, "application/json")
        .header(header::CONNECTION, "close");
    let body = match form {
        Some(form) => {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
            Bytes::from(form)
        }
        None => Bytes::new(),
    };
    request
        .body(Full::new(body))
        .map_err(|_invalid_part| ClientError::RequestInvalid)
}

#[cfg(test)]
mod tests;
