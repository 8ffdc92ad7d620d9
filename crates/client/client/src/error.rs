//! Why there is no usable connection, grouped by who is at fault.

use core::error::Error as StdError;
use core::fmt;
use std::io;

use chancery_hybrid_kx::ConfigError;
use chancery_session::{ExchangeError, ProofMode, SessionRefusal};
use chancery_verify::Mode;

use crate::heads::HeadsError;

/// A step of connecting that waits for the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// TCP.
    Connect,
    /// The TLS handshake.
    Handshake,
    /// The attestation exchange.
    Attest,
    /// A request after appraisal.
    Request,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "the tcp connection",
            Self::Handshake => "the tls handshake",
            Self::Attest => "the attestation response",
            Self::Request => "the response",
        })
    }
}

/// Why connecting or a request failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientError {
    // The caller's fault.
    /// The deployment's base address is not `https://host[:port]`.
    BaseInvalid,
    /// The deployment's pinned TLS roots are unusable.
    RootsInvalid(ConfigError),
    /// The deployment is of a mode that this program never accepts.
    ModeRefused {
        /// The mode that the deployment file names.
        pinned: Mode,
        /// The only mode that this program accepts.
        accepted: Mode,
    },
    /// A request whose path is not a plain absolute path.
    RequestInvalid,
    /// A request body over [`crate::limits::REQUEST_SIZE_MAX`].
    RequestTooLarge,
    /// A request for another origin than the pinned deployment's: another host or port, or no `https`.
    OtherOrigin,
    /// The connection's appraisal is no longer fresh, and nothing of this request has left: connect again
    /// and send it there.
    AppraisalExpired,
    /// The evidence ended, or the answer stalled after half of its life, when bytes of a request had left.
    /// Whether the request took effect is not known; look before repeating a write.
    EvidenceEnded,

    // The environment's fault.
    /// TCP could not connect.
    Connect(io::Error),
    /// Nothing came within the step's time limit.
    TimedOut {
        /// What was waited for.
        step: Step,
    },
    /// The TLS handshake was cut by the network.
    HandshakeBroken(io::Error),
    /// The connection was closed before the answer was complete.
    Closed,
    /// HTTP failed below the application.
    Http(hyper::Error),
    /// The operating system's random source failed.
    Entropy,
    /// The remembered heads cannot be read, written or moved forward.
    Heads(HeadsError),

    // The peer's fault.
    /// TLS refused the other end: wrong certificate, name, version, or a broken handshake.
    Tls(rustls::Error),
    /// The handshake was not a full TLS 1.3 handshake.
    HandshakeNotFull,
    /// The leaf certificate's key cannot be read.
    LeafUnreadable,
    /// The server sent bytes that nobody asked for before appraisal.
    UnsolicitedBytes,
    /// The attestation request was answered with another status than 200.
    AttestRefused {
        /// The HTTP status.
        status: u16,
    },
    /// A response body over its limit.
    ResponseTooLarge {
        /// The limit in bytes.
        size_max: usize,
    },
    /// The attestation response is not what the protocol prescribes.
    AttestMalformed(ExchangeError),
    /// The session was proved in another way than was asked for.
    ProofModeDiffers {
        /// The proof that was asked for.
        asked: ProofMode,
        /// The proof that came.
        got: ProofMode,
    },
    /// The evidence was refused.
    Appraisal(SessionRefusal),
    /// The log does not prove that it extends what this client remembers.
    LogNotExtended,
}

impl ClientError {
    /// Finds the error of this crate in what hyper's pooled client made of it.
    ///
    /// What [`crate::AttestedConnector`] refused is the source of hyper's error, and what
    /// [`crate::AttestedStream`] refused lies within an [`io::Error`] among its sources.
    ///
    /// ```
    /// use std::io;
    /// use chancery_client::ClientError;
    /// let error = io::Error::other(ClientError::AppraisalExpired);
    /// assert!(matches!(ClientError::within(&error), Some(ClientError::AppraisalExpired)));
    /// assert!(ClientError::within(&io::Error::other("else")).is_none());
    /// ```
    #[must_use]
    pub fn within<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            // An `io::Error` names the source of what it wraps, not what it wraps.
            next = match error
                .downcast_ref::<io::Error>()
                .and_then(io::Error::get_ref)
            {
                Some(wrapped) => Some(wrapped),
                None => error.source(),
            };
        }
        None
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BaseInvalid => f.write_str("the base address is not https://host[:port]"),
            Self::RootsInvalid(_) => f.write_str("the pinned tls roots are unusable"),
            Self::ModeRefused { pinned, accepted } => write!(
                f,
                "the deployment is {}, and this program accepts {} alone",
                pinned.shown(),
                accepted.shown()
            ),
            Self::RequestInvalid => f.write_str("the request path is not a plain absolute path"),
            Self::RequestTooLarge => f.write_str("the request body is over its limit"),
            Self::OtherOrigin => {
                f.write_str("the request is for another origin than the deployment")
            }
            Self::AppraisalExpired => f.write_str("the connection's appraisal has expired"),
            Self::EvidenceEnded => {
                f.write_str("the evidence ended during a request, whose outcome is not known")
            }
            Self::Connect(_) => f.write_str("the server cannot be reached"),
            Self::TimedOut { step } => write!(f, "waited too long for {step}"),
            Self::HandshakeBroken(_) => f.write_str("the tls handshake was cut off"),
            Self::Closed => f.write_str("the server closed the connection early"),
            Self::Http(_) => f.write_str("http failed on this connection"),
            Self::Entropy => f.write_str("the random source failed"),
            Self::Heads(_) => f.write_str("the remembered heads cannot be used"),
            Self::Tls(_) => f.write_str("tls refused the server"),
            Self::HandshakeNotFull => f.write_str("not a full tls 1.3 handshake"),
            Self::LeafUnreadable => f.write_str("the server's certificate cannot be read"),
            Self::UnsolicitedBytes => f.write_str("the server sent bytes before appraisal"),
            Self::AttestRefused { status } => {
                write!(f, "the server refused to attest with status {status}")
            }
            Self::ResponseTooLarge { size_max } => {
                write!(f, "the response is larger than {size_max} bytes")
            }
            Self::AttestMalformed(_) => f.write_str("the attestation response is malformed"),
            Self::ProofModeDiffers { asked, got } => write!(
                f,
                "the session was proved by {} where {} was asked for",
                got.word(),
                asked.word()
            ),
            Self::LogNotExtended => {
                f.write_str("the log does not prove that it extends what was seen before")
            }
            Self::Appraisal(_) => f.write_str("the server's evidence was refused"),
        }
    }
}

impl StdError for ClientError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::RootsInvalid(source) => Some(source),
            Self::Connect(source) | Self::HandshakeBroken(source) => Some(source),
            Self::Http(source) => Some(source),
            Self::Heads(source) => Some(source),
            Self::Tls(source) => Some(source),
            Self::AttestMalformed(source) => Some(source),
            Self::Appraisal(source) => Some(source),
            Self::BaseInvalid
            | Self::ModeRefused { .. }
            | Self::LogNotExtended
            | Self::ProofModeDiffers { .. }
            | Self::RequestInvalid
            | Self::RequestTooLarge
            | Self::OtherOrigin
            | Self::AppraisalExpired
            | Self::EvidenceEnded
            | Self::TimedOut { .. }
            | Self::Closed
            | Self::Entropy
            | Self::HandshakeNotFull
            | Self::LeafUnreadable
            | Self::UnsolicitedBytes
            | Self::AttestRefused { .. }
            | Self::ResponseTooLarge { .. } => None,
        }
    }
}
