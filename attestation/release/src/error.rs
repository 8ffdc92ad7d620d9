//! What is wrong with a release statement.

use core::fmt;

use alloc::format;
use alloc::string::{String, ToString as _};

/// Why a release statement is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The JSON, with its place.
    Json(chancery_json::Error),
    /// A value breaks its rule.
    Value {
        /// Where, as a JSON pointer (RFC 6901).
        pointer: String,
        /// What would be right there.
        right: &'static str,
    },
    /// It names no launch digest.
    NoSubject,
    /// Two subjects have one shape.
    ShapeTwice {
        /// The name of the second.
        name: String,
    },
    /// The envelope, a signature or the threshold.
    Envelope(chancery_dsse::Error),
    /// Its serial is not above that of the statement before.
    SerialNotAbove {
        /// Its serial.
        serial: u64,
        /// The serial of the statement before.
        previous: u64,
    },
}

impl Error {
    /// A value that breaks its rule.
    pub(crate) fn value(pointer: &str, right: &'static str) -> Self {
        Self::Value {
            pointer: pointer.to_string(),
            right,
        }
    }

    /// The error with its place in the document, for whoever wrote the document.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Json(error) => error.describe(),
            Self::Value { pointer, right } => {
                format!("{self} at {pointer}; right would be {right}")
            }
            Self::ShapeTwice { name } => format!("{self}: {name}"),
            Self::NoSubject | Self::Envelope(_) | Self::SerialNotAbove { .. } => self.to_string(),
        }
    }
}

impl fmt::Display for Error {
    /// Names the rule alone; [`Error::describe`] adds the place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => error.fmt(f),
            Self::Value { .. } => f.write_str("a value breaks its rule"),
            Self::NoSubject => f.write_str("it names no launch digest"),
            Self::ShapeTwice { .. } => f.write_str("two subjects have one shape"),
            Self::Envelope(error) => error.fmt(f),
            Self::SerialNotAbove { serial, previous } => {
                write!(f, "serial {serial} is not above {previous}, the one before")
            }
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Json(error) => Some(error),
            Self::Envelope(error) => Some(error),
            Self::Value { .. }
            | Self::NoSubject
            | Self::ShapeTwice { .. }
            | Self::SerialNotAbove { .. } => None,
        }
    }
}

impl From<chancery_json::Error> for Error {
    fn from(error: chancery_json::Error) -> Self {
        Self::Json(error)
    }
}

impl From<chancery_dsse::Error> for Error {
    fn from(error: chancery_dsse::Error) -> Self {
        Self::Envelope(error)
    }
}
