use core::fmt;

use crate::key::KeyId;

/// Why an envelope was not made, not read or not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Peer: the envelope has more bytes than [`crate::ENVELOPE_SIZE_MAX`].
    EnvelopeTooLarge,
    /// Peer or caller: the payload has more bytes than [`crate::PAYLOAD_SIZE_MAX`].
    PayloadTooLarge,
    /// Peer: the envelope is not the JSON object that this crate describes.
    Json(chancery_json::Error),
    /// Peer: `payload` is not canonical padded base64.
    PayloadBase64,
    /// Peer: a `sig` is not canonical padded base64 of 64 bytes.
    SignatureEncoding {
        /// Position in `signatures`, from 0.
        index: usize,
    },
    /// Peer: a `keyid` is not 64 lower-case hexadecimal digits.
    KeyIdEncoding {
        /// Position in `signatures`, from 0.
        index: usize,
    },
    /// Peer or caller: more signatures than [`crate::SIGNATURES_MAX`].
    TooManySignatures,
    /// Peer: no signature at all.
    NoSignature,
    /// Peer or caller: two signatures of one key.
    DuplicateSigner {
        /// The key that signed twice.
        key: KeyId,
    },
    /// Peer or caller: the payload type is empty, too long or has a character outside `[a-z0-9./+-]`.
    PayloadTypeForm,
    /// Peer: the envelope holds another kind of object.
    WrongPayloadType,
    /// Peer: a signature names a known key and does not verify under it.
    BadSignature {
        /// The key that the signature names.
        key: KeyId,
    },
    /// Peer: too few distinct known keys signed.
    BelowThreshold {
        /// Distinct known keys whose signatures verified.
        valid: usize,
        /// How many were required.
        threshold: usize,
    },
    /// Caller: a threshold of zero would believe anything.
    ThresholdZero,
    /// Caller: the threshold exceeds the number of distinct keys.
    ThresholdOutOfReach,
    /// Peer or caller: 32 bytes that are not the canonical encoding of a point, or one of small order.
    WeakKey,
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EnvelopeTooLarge => formatter.write_str("the envelope is too large"),
            Self::PayloadTooLarge => formatter.write_str("the payload is too large"),
            Self::Json(error) => write!(formatter, "the envelope is malformed: {error}"),
            Self::PayloadBase64 => formatter.write_str("the payload is not canonical base64"),
            Self::SignatureEncoding { index } => {
                write!(formatter, "signature {index} is not base64 of 64 bytes")
            }
            Self::KeyIdEncoding { index } => {
                write!(formatter, "the key id of signature {index} is malformed")
            }
            Self::TooManySignatures => formatter.write_str("the envelope has too many signatures"),
            Self::NoSignature => formatter.write_str("the envelope has no signature"),
            Self::DuplicateSigner { key } => write!(formatter, "key {key} signed twice"),
            Self::PayloadTypeForm => formatter.write_str("the payload type is malformed"),
            Self::WrongPayloadType => {
                formatter.write_str("the envelope holds another payload type")
            }
            Self::BadSignature { key } => {
                write!(formatter, "the signature of key {key} does not verify")
            }
            Self::BelowThreshold { valid, threshold } => write!(
                formatter,
                "{valid} of the known keys signed, {threshold} are required"
            ),
            Self::ThresholdZero => formatter.write_str("the threshold is zero"),
            Self::ThresholdOutOfReach => {
                formatter.write_str("the threshold exceeds the number of keys")
            }
            Self::WeakKey => formatter.write_str("the public key is not a valid strong key"),
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        if let Self::Json(error) = self {
            Some(error)
        } else {
            None
        }
    }
}

impl From<chancery_json::Error> for Error {
    fn from(error: chancery_json::Error) -> Self {
        Self::Json(error)
    }
}
