//! The encrypted but unappraised connection: steps 2 and 3 of a client.
//!
//! [`Channel`] makes the attestation exchange, and gives the connection back for the exporter. All
//! else that it can do is called by `appraised.rs` alone, which holds an appraised session with it
//! (invariant I3).

use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use chancery_session::ATTEST_RESPONSE_SIZE_MAX;
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::HandshakeKind;
use rustls::NamedGroup;
use rustls::ProtocolVersion;
use rustls::server::ParsedCertificate;
use sha2::Digest as _;
use sha2::Sha256;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::endpoint::Endpoint;
use crate::error::ClientError;
use crate::error::Step;
use crate::http::Request;
use crate::http::Response;
use crate::http::http1_builder;
use crate::limits::ATTEST_TIME_MAX;
use crate::limits::CONNECT_TIME_MAX;
use crate::limits::HANDSHAKE_TIME_MAX;
use crate::limits::RESPONSE_SIZE_MAX;
use crate::limits::RESPONSE_TIME_MAX;

/// An encrypted connection to *somebody* who holds a certificate of the pinned roots.
pub(crate) struct Channel {
    stream: TlsStream<TcpStream>,
    leaf_spki_sha256: [u8; 32],
    endpoint: Endpoint,
}

impl Channel {
    /// Opens TCP to `address` (`host:port`).
    pub(crate) async fn dial(address: &str) -> Result<TcpStream, ClientError> {
        let stream = timeout(CONNECT_TIME_MAX, TcpStream::connect(address))
            .await
            .map_err(|_elapsed| ClientError::TimedOut {
                step: Step::Connect,
            })?
            .map_err(ClientError::Connect)?;
        // Requests are small and wait for their answer; batching them only adds latency.
        stream.set_nodelay(true).map_err(ClientError::Connect)?;
        Ok(stream)
    }

    /// Makes the full TLS 1.3 handshake and reads the leaf's key.
    pub(crate) async fn handshake(
        stream: TcpStream,
        config: Arc<ClientConfig>,
        endpoint: &Endpoint,
    ) -> Result<Self, ClientError> {
        let name = endpoint.server_name().clone();
        let stream = timeout(
            HANDSHAKE_TIME_MAX,
            TlsConnector::from(config).connect(name, stream),
        )
        .await
        .map_err(|_elapsed| ClientError::TimedOut {
            step: Step::Handshake,
        })?
        .map_err(handshake_error)?;
        let (_, tls) = stream.get_ref();
        // The configuration allows nothing else; a change of it must not pass unseen.
        if tls.protocol_version() != Some(ProtocolVersion::TLSv1_3)
            || !matches!(
                tls.handshake_kind(),
                Some(HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest)
            )
        {
            return Err(ClientError::HandshakeNotFull);
        }
        let leaf = tls
            .peer_certificates()
            .and_then(|chain| chain.first())
            .ok_or(ClientError::LeafUnreadable)?;
        let leaf = ParsedCertificate::try_from(leaf)
            .map_err(|_unparsed: rustls::Error| ClientError::LeafUnreadable)?;
        let leaf_spki_sha256 = Sha256::digest(leaf.subject_public_key_info()).into();
        Ok(Self {
            stream,
            leaf_spki_sha256,
            endpoint: endpoint.clone(),
        })
    }

    /// SHA-256 of the leaf's DER `SubjectPublicKeyInfo`.
    pub(crate) fn leaf_spki_sha256(&self) -> [u8; 32] {
        self.leaf_spki_sha256
    }

    /// The host whose name the leaf carries.
    pub(crate) fn host(&self) -> &str {
        self.endpoint.host()
    }

    /// The name that TLS sent, if it sent one.
    pub(crate) fn server_name(&self) -> Option<&str> {
        self.endpoint.sent_server_name()
    }

    /// The application protocol that was agreed.
    pub(crate) fn alpn(&self) -> Option<&[u8]> {
        let (_, tls) = self.stream.get_ref();
        tls.alpn_protocol()
    }

    /// The key-exchange group, for the report to a person.
    pub(crate) fn group(&self) -> Option<NamedGroup> {
        let (_, tls) = self.stream.get_ref();
        tls.negotiated_key_exchange_group()
            .map(|group| group.name())
    }

    /// The TLS exporter of this very connection (RFC 8446, section 7.5).
    pub(crate) fn exporter(&self, label: &[u8], context: &[u8]) -> Result<[u8; 32], ClientError> {
        let (_, tls) = self.stream.get_ref();
        tls.export_keying_material([0; 32], label, Some(context))
            .map_err(ClientError::Tls)
    }

    /// Sends the attestation request as the connection's first bytes and reads the response.
    pub(crate) async fn attest(self, request: Request) -> Result<(Self, Response), ClientError> {
        let bounds = (Step::Attest, ATTEST_TIME_MAX, ATTEST_RESPONSE_SIZE_MAX);
        self.exchange(request, bounds).await
    }

    /// Sends a request and reads its response. Only for a caller that holds an appraised session.
    pub(crate) async fn fetch(self, request: Request) -> Result<(Self, Response), ClientError> {
        let bounds = (Step::Request, RESPONSE_TIME_MAX, RESPONSE_SIZE_MAX);
        self.exchange(request, bounds).await
    }

    /// One request and its response.
    ///
    /// HTTP is driven by hand, so that the TLS stream comes back for the exporter and for its next
    /// user, and the server has sent exactly one response when it does.
    async fn exchange(
        self,
        request: Request,
        (step, time_max, size_max): (Step, Duration, usize),
    ) -> Result<(Self, Response), ClientError> {
        let Self {
            stream,
            leaf_spki_sha256,
            endpoint,
        } = self;
        let request = request.into_hyper(&endpoint.host_header())?;
        let exchange = exchange_once(TokioIo::new(stream), request, size_max);
        let (mut stream, response) = timeout(time_max, exchange)
            .await
            .map_err(|_elapsed| ClientError::TimedOut { step })??;
        // Nor may anything lie decrypted below HTTP, for whoever reads next.
        let (_, tls) = stream.get_mut();
        let left = tls.process_new_packets().map_err(ClientError::Tls)?;
        if left.plaintext_bytes_to_read() > 0 {
            return Err(ClientError::UnsolicitedBytes);
        }
        Ok((
            Self {
                stream,
                leaf_spki_sha256,
                endpoint,
            },
            response,
        ))
    }

    /// The stream and its `Host` header. Only for a caller that holds an appraised session.
    pub(crate) fn into_stream(self) -> (TlsStream<TcpStream>, String) {
        (self.stream, self.endpoint.host_header())
    }
}

async fn exchange_once(
    io: TokioIo<TlsStream<TcpStream>>,
    request: hyper::Request<Full<Bytes>>,
    size_max: usize,
) -> Result<(TlsStream<TcpStream>, Response), ClientError> {
    let (mut sender, mut connection) = http1_builder()
        .handshake(io)
        .await
        .map_err(ClientError::Http)?;
    let response = {
        let mut exchange = pin!(async {
            let response = sender
                .send_request(request)
                .await
                .map_err(ClientError::Http)?;
            Response::collect(response, size_max).await
        });
        let mut closed = false;
        poll_fn(|context| {
            // The connection first: the exchange makes progress only through it. Once it ended,
            // the exchange has all the bytes that it will ever get.
            if !closed && let Poll::Ready(ended) = connection.poll_without_shutdown(context) {
                closed = true;
                if let Err(error) = ended {
                    return Poll::Ready(Err(ClientError::Http(error)));
                }
            }
            match exchange.as_mut().poll(context) {
                Poll::Ready(Ok(_)) if closed => Poll::Ready(Err(ClientError::Closed)),
                Poll::Pending if closed => Poll::Ready(Err(ClientError::Closed)),
                other => other,
            }
        })
        .await?
    };
    drop(sender);
    let parts = connection.into_parts();
    if !parts.read_buf.is_empty() {
        return Err(ClientError::UnsolicitedBytes);
    }
    Ok((parts.io.into_inner(), response))
}

pub(crate) fn handshake_error(error: io::Error) -> ClientError {
    let tls = error
        .get_ref()
        .and_then(|source| source.downcast_ref::<rustls::Error>());
    match tls {
        Some(tls) => ClientError::Tls(tls.clone()),
        None => ClientError::HandshakeBroken(error),
    }
}

#[cfg(test)]
mod tests;
