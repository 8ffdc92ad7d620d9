use alloc::format;
use alloc::string::String;
use core::fmt;

use chancery_dsse::KeyId;

/// Why something signed, or a credential, was not made or not believed.
///
/// `Display` holds no text that a peer chose; [`Error::describe`] adds the place in the document, for
/// its author.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Peer: the envelope, its type, its signatures or their number.
    Envelope(chancery_dsse::Error),
    /// Peer: the payload is not the JSON object that it should be; the pointer names the member.
    Json(chancery_json::Error),
    /// Peer: a member has the right type and a value that it may not have.
    Field {
        /// Where, as a JSON pointer. Only names from this crate's formats and list positions.
        pointer: String,
        /// What is wrong with the value.
        fault: FieldFault,
    },
    /// Peer: the signed bytes are not the one encoding of what they say.
    NotCanonical,
    /// Peer: signed for another deployment.
    ForeignDeployment,
    /// Peer: signed for another tenant.
    ForeignTenant,
    /// Peer: the act is not the one that the request asks for.
    OtherAct,
    /// Peer: the time until which it may be used has passed.
    Expired {
        /// That time, in milliseconds since the Unix epoch.
        expires_ms: u64,
    },
    /// Peer: it would be usable for longer than is allowed.
    ExpiresTooLate {
        /// The latest time that would be allowed, in milliseconds since the Unix epoch.
        expires_ms_max: u64,
    },
    /// Peer: signed for another TLS connection.
    OtherConnection,
    /// Peer: signed for another request body.
    OtherBody,
    /// Peer: this key signed this sequence number, or a later one, before.
    Replayed {
        /// The key.
        key: KeyId,
        /// The newest sequence number that was accepted from it.
        last_sequence: u64,
    },
    /// Peer: the text is no bearer token of ours.
    TokenForm,
    /// Environment: the source of randomness failed.
    Entropy(chancery_sealing::EntropyError),
}

/// What is wrong with the value of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldFault {
    /// The version is not one that this program knows.
    UnknownVersion,
    /// Not canonical padded base64 of the expected length.
    Base64,
    /// Not lower-case hexadecimal digits of the expected number.
    Hex,
    /// A number outside its limits.
    OutOfRange,
    /// A word that is none of the words that may stand here.
    UnknownWord,
    /// A text that is empty, too long or has control characters.
    TextForm,
    /// A domain that is not written as lower-case A-labels.
    DomainForm,
    /// A slug outside `[a-z0-9-]{3,40}`.
    SlugForm,
    /// An issuer that is no `https` URL without query and fragment.
    IssuerForm,
    /// The same entry twice in a list.
    Duplicate,
    /// An empty list where at least one entry is needed.
    Empty,
    /// More entries than the limit.
    TooMany,
    /// A key that is not valid.
    Key,
    /// An entry that the genesis does not allow.
    BeyondGenesis,
    /// An end that is not after its beginning.
    EndBeforeBeginning,
}

impl Error {
    pub(crate) fn field(pointer: impl Into<String>, fault: FieldFault) -> Self {
        Self::Field {
            pointer: pointer.into(),
            fault,
        }
    }

    /// The same fault in a document that stands at `place` of another one.
    pub(crate) fn below(self, place: &str) -> Self {
        match self {
            Self::Json(error) => Self::Json(chancery_json::Error::new(
                error.kind(),
                format!("{place}{}", error.pointer()),
            )),
            Self::Field { pointer, fault } => Self::Field {
                pointer: format!("{place}{pointer}"),
                fault,
            },
            other => other,
        }
    }

    /// Fault and place in one sentence, for the author of the document.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Json(error) | Self::Envelope(chancery_dsse::Error::Json(error)) => {
                error.describe()
            }
            Self::Field { pointer, fault } => format!("{fault} at {pointer}"),
            Self::Envelope(_)
            | Self::NotCanonical
            | Self::ForeignDeployment
            | Self::ForeignTenant
            | Self::OtherAct
            | Self::Expired { .. }
            | Self::ExpiresTooLate { .. }
            | Self::OtherConnection
            | Self::OtherBody
            | Self::Replayed { .. }
            | Self::TokenForm
            | Self::Entropy(_) => format!("{self}"),
        }
    }
}

impl fmt::Display for FieldFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::UnknownVersion => "unknown version",
            Self::Base64 => "not canonical base64 of the expected length",
            Self::Hex => "not lower-case hexadecimal digits of the expected number",
            Self::OutOfRange => "number outside its limits",
            Self::UnknownWord => "none of the words that may stand here",
            Self::TextForm => "text empty, too long or with control characters",
            Self::DomainForm => "not a domain in lower-case A-labels",
            Self::SlugForm => "not a slug of 3 to 40 characters a-z, 0-9 and -",
            Self::IssuerForm => "not an https URL without query and fragment",
            Self::Duplicate => "entry twice in a list",
            Self::Empty => "empty list",
            Self::TooMany => "too many entries",
            Self::Key => "invalid key",
            Self::BeyondGenesis => "not allowed by the genesis",
            Self::EndBeforeBeginning => "the end is not after the beginning",
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Envelope(error) => error.fmt(formatter),
            Self::Json(error) => error.fmt(formatter),
            Self::Field { fault, .. } => fault.fmt(formatter),
            Self::NotCanonical => {
                formatter.write_str("the signed bytes are not the canonical encoding")
            }
            Self::ForeignDeployment => formatter.write_str("signed for another deployment"),
            Self::ForeignTenant => formatter.write_str("signed for another tenant"),
            Self::OtherAct => formatter.write_str("signed for another act"),
            Self::Expired { expires_ms } => write!(formatter, "expired at {expires_ms} ms"),
            Self::ExpiresTooLate { expires_ms_max } => {
                write!(formatter, "may expire at {expires_ms_max} ms at the latest")
            }
            Self::OtherConnection => formatter.write_str("signed for another connection"),
            Self::OtherBody => formatter.write_str("signed for another request body"),
            Self::Replayed { key, last_sequence } => write!(
                formatter,
                "key {key} has already used sequence number {last_sequence}"
            ),
            Self::TokenForm => formatter.write_str("not a bearer token of this service"),
            Self::Entropy(error) => error.fmt(formatter),
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Envelope(error) => Some(error),
            Self::Json(error) => Some(error),
            Self::Entropy(error) => Some(error),
            Self::Field { .. }
            | Self::NotCanonical
            | Self::ForeignDeployment
            | Self::ForeignTenant
            | Self::OtherAct
            | Self::Expired { .. }
            | Self::ExpiresTooLate { .. }
            | Self::OtherConnection
            | Self::OtherBody
            | Self::Replayed { .. }
            | Self::TokenForm => None,
        }
    }
}

impl From<chancery_dsse::Error> for Error {
    fn from(error: chancery_dsse::Error) -> Self {
        Self::Envelope(error)
    }
}

impl From<chancery_json::Error> for Error {
    fn from(error: chancery_json::Error) -> Self {
        Self::Json(error)
    }
}

impl From<chancery_sealing::EntropyError> for Error {
    fn from(error: chancery_sealing::EntropyError) -> Self {
        Self::Entropy(error)
    }
}
