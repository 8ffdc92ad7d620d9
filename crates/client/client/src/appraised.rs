//! Between appraisal and use: the one value that turns a channel into something that can be spoken on.
//!
//! An [`Appraised`] holds the channel *and* the session that its appraisal ended in. Both usable
//! connections, [`crate::AttestedConnection`] and [`crate::AttestedStream`], are made from one and from
//! nothing else, so that neither exists for a peer that was not appraised (invariant I3).

use core::fmt;
use std::sync::Arc;

use chancery_session::{AttestedSession, ProofNeeded};
use chancery_tlog::tile::TileCoordinate;
use chancery_verify::Anchor;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::channel::Channel;
use crate::checklist::Checklist;
use crate::error::ClientError;
use crate::http::{Request, Response};

/// Where the root log's tiles are served (C2SP tlog-tiles below this prefix).
const LOG_PATH: &str = "/log/";

/// A channel whose peer passed every check but the proof that its log extends the remembered one. It can be asked for the log's
/// public tiles, and for nothing else.
pub(crate) struct Unproved<A> {
    channel: Channel,
    needed: ProofNeeded<A>,
}

impl<A: Anchor> Unproved<A> {
    /// Only an appraisal says what is needed.
    pub(crate) fn new(channel: Channel, needed: ProofNeeded<A>) -> Self {
        Self { channel, needed }
    }

    /// Leaves of the log that the peer named.
    pub(crate) fn served_size(&self) -> u64 {
        self.needed.served_size()
    }

    /// Fetches one tile and leaves the channel as it was.
    pub(crate) async fn fetch_tile(
        self,
        tile: TileCoordinate,
    ) -> Result<(Self, Response), ClientError> {
        let Self { channel, needed } = self;
        let request = Request::get(&format!("{LOG_PATH}{tile}"));
        let (channel, response) = channel.fetch(request).await?;
        Ok((Self { channel, needed }, response))
    }

    /// The channel, for the appraisal that has the proof.
    pub(crate) fn into_channel(self) -> Channel {
        self.channel
    }
}

/// A channel whose peer was appraised on this very channel.
pub(crate) struct Appraised<A> {
    channel: Channel,
    session: AttestedSession<A>,
}

impl<A: Anchor> Appraised<A> {
    /// The session is the proof; it cannot be made but by an appraisal.
    pub(crate) fn new(channel: Channel, session: AttestedSession<A>) -> Self {
        Self { channel, session }
    }

    /// The TLS exporter of the channel (RFC 8446, section 7.5).
    pub(crate) fn exporter(&self, label: &[u8], context: &[u8]) -> Result<[u8; 32], ClientError> {
        self.channel.exporter(label, context)
    }

    /// The stream, its `Host` header and what was appraised, now that somebody is going to use it.
    pub(crate) fn into_use(
        self,
        checklist: Checklist,
        clock: fn() -> u64,
    ) -> (TlsStream<TcpStream>, String, Appraisal<A>) {
        let Self { channel, session } = self;
        let (stream, host_header) = channel.into_stream();
        let appraised_ms = clock();
        let life_ms = session.not_after_ms().saturating_sub(appraised_ms);
        let appraisal = Appraisal(Arc::new(Inner {
            // Long connections are appraised again at half of the evidence's life.
            renew_ms: appraised_ms.saturating_add(life_ms / 2),
            session,
            checklist,
        }));
        (stream, host_header, appraisal)
    }
}

/// What was appraised on one connection, and until when it counts. Cheap to clone.
///
/// hyper's pooled client puts one into the extensions of every response that came over an
/// [`crate::AttestedStream`], so that an application can show on what grounds it believed the answer:
///
/// ```
/// use chancery_client::Appraisal;
/// use chancery_verify::Amd;
/// fn release_of<B>(response: &hyper::Response<B>) -> Option<&str> {
///     let appraisal = response.extensions().get::<Appraisal<Amd>>()?;
///     Some(&appraisal.session().node().release_id)
/// }
/// ```
pub struct Appraisal<A>(Arc<Inner<A>>);

struct Inner<A> {
    session: AttestedSession<A>,
    checklist: Checklist,
    renew_ms: u64,
}

impl<A> Appraisal<A> {
    /// The appraised session: node, verdict, policy and witnessed head.
    #[must_use]
    pub fn session(&self) -> &AttestedSession<A> {
        &self.0.session
    }

    /// Every check that the connection passed, and what was not checked.
    #[must_use]
    pub fn checklist(&self) -> &Checklist {
        &self.0.checklist
    }

    /// From this time on the connection begins no request: half of the evidence's life is over.
    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn renew_ms(&self) -> u64 {
        self.0.renew_ms
    }
}

// Not derived: a handle can be cloned whatever the anchor is.
impl<A> Clone for Appraisal<A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<A> fmt::Debug for Appraisal<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Appraisal")
            .field("checks", &self.0.checklist.rows().len())
            .field("renew_ms", &self.0.renew_ms)
            .finish_non_exhaustive()
    }
}
