//! The connector that hyper's pooled client takes.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::sync::Arc;

use chancery_session::Deployment;
use chancery_verify::Anchor;
use hyper::Uri;
use tower_service::Service;

use crate::connector::Connector;
use crate::error::ClientError;
use crate::stream::AttestedStream;

/// Opens appraised connections to one pinned deployment, for `hyper_util`'s pooled client.
///
/// Each connection is TCP, a full TLS 1.3 handshake, the attestation exchange and the appraisal, in this
/// order; only then does the pool get a stream ([`AttestedStream`]). A URI of another origin than the
/// deployment's, plain `http` included, is refused before anything is opened.
///
/// ```no_run
/// use bytes::Bytes;
/// use chancery_client::{AttestedConnector, Deployment};
/// use chancery_verify::Amd;
/// use http_body_util::Full;
/// use hyper_util::client::legacy::Client;
/// use hyper_util::rt::TokioExecutor;
///
/// fn client(deployment: Deployment) -> Client<AttestedConnector<Amd>, Full<Bytes>> {
///     Client::builder(TokioExecutor::new()).build(AttestedConnector::new(Amd, deployment))
/// }
/// ```
pub struct AttestedConnector<A>(Arc<Target<A>>);

struct Target<A> {
    connector: Connector<A>,
    deployment: Deployment,
    address: Option<String>,
}

impl<A: Anchor> AttestedConnector<A> {
    /// A connector to `deployment` under one anchor that remembers nothing and is content with the
    /// epoch key's signature.
    #[must_use]
    pub fn new(anchor: A, deployment: Deployment) -> Self {
        Self::with(Connector::new(anchor), deployment, None)
    }

    /// The same with everything that a [`Connector`] can be told: remembered heads, the proof mode,
    /// another base address. `address` (`host:port`) is dialled instead of the base address if it is
    /// given; names and certificates are checked all the same.
    #[must_use]
    pub fn with(connector: Connector<A>, deployment: Deployment, address: Option<String>) -> Self {
        Self(Arc::new(Target {
            connector,
            deployment,
            address,
        }))
    }
}

impl<A: Anchor> Target<A> {
    async fn open(&self, uri: &Uri) -> Result<AttestedStream<A>, ClientError> {
        if !self.connector.endpoint(&self.deployment)?.is_origin_of(uri) {
            return Err(ClientError::OtherOrigin);
        }
        let address = self.address.as_deref();
        self.connector.stream(&self.deployment, address).await
    }
}

impl<A: Anchor + Send + Sync + 'static> Service<Uri> for AttestedConnector<A> {
    type Response = AttestedStream<A>;
    type Error = ClientError;
    type Future = Pin<Box<dyn Future<Output = Result<AttestedStream<A>, ClientError>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let target = Arc::clone(&self.0);
        Box::pin(async move { target.open(&uri).await })
    }
}

// Not derived: a connector can be cloned whatever the anchor is.
impl<A> Clone for AttestedConnector<A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<A> fmt::Debug for AttestedConnector<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttestedConnector")
            .field("base", &self.0.deployment.base())
            .finish_non_exhaustive()
    }
}
