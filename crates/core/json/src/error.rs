//! What was wrong with a text, and where.

use alloc::format;
use alloc::string::String;
use core::fmt;

/// A refusal: its kind, the JSON pointer (RFC 6901) of the place, and, for faults that the
/// tokenizer saw, line and column.
///
/// `Display` names the kind alone, because the pointer holds member names that a peer may have
/// chosen; [`Error::describe`] adds the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    pointer: String,
    line: usize,
    column: usize,
}

/// The kinds of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The text is longer than the limit, in bytes.
    TooLarge {
        /// The limit.
        bytes_max: usize,
    },
    /// Arrays and objects are nested more deeply than the limit.
    TooDeep {
        /// The limit.
        depth_max: usize,
    },
    /// The text holds more values than the limit.
    TooManyValues {
        /// The limit.
        values_max: usize,
    },
    /// The text is not UTF-8.
    InvalidUtf8,
    /// The text breaks the grammar, which includes bad escapes and lone surrogates.
    Syntax,
    /// The text ends inside a value.
    Truncated,
    /// Something follows the value.
    TrailingData,
    /// An object holds one name twice.
    DuplicateMember,
    /// A member that the document may not hold.
    UnknownMember,
    /// A member that the document must hold.
    MissingMember,
    /// A value of another type than expected.
    WrongType {
        /// The type that would be right.
        expected: Expected,
    },
}

/// The type that a reader asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// A string.
    String,
    /// An integer from 0 to 2^64-1.
    Unsigned,
    /// `true` or `false`.
    Bool,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Error {
    /// A refusal at `pointer`.
    #[must_use]
    pub const fn new(kind: ErrorKind, pointer: String) -> Self {
        Self {
            kind,
            pointer,
            line: 0,
            column: 0,
        }
    }

    pub(crate) const fn at(mut self, line: usize, column: usize) -> Self {
        self.line = line;
        self.column = column;
        self
    }

    /// What was wrong.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Where, as a JSON pointer; empty for the whole document.
    #[must_use]
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// Kind and place in one sentence, for the author of the text. A control character of a member's name is not repeated: it
    /// could be meant for the terminal.
    #[must_use]
    pub fn describe(&self) -> String {
        let shown = |letter: char| match letter {
            letter if letter.is_control() => char::REPLACEMENT_CHARACTER,
            letter => letter,
        };
        let place = if self.pointer.is_empty() {
            String::from("the top level")
        } else {
            self.pointer.chars().map(shown).collect()
        };
        if self.line == 0 {
            format!("{} at {place}", self.kind)
        } else {
            format!(
                "{} at {place}, line {} column {}",
                self.kind, self.line, self.column
            )
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { bytes_max } => write!(f, "text longer than {bytes_max} bytes"),
            Self::TooDeep { depth_max } => write!(f, "nesting deeper than {depth_max}"),
            Self::TooManyValues { values_max } => write!(f, "more than {values_max} values"),
            Self::InvalidUtf8 => f.write_str("invalid UTF-8"),
            Self::Syntax => f.write_str("invalid JSON"),
            Self::Truncated => f.write_str("unexpected end of JSON"),
            Self::TrailingData => f.write_str("data after the JSON value"),
            Self::DuplicateMember => f.write_str("duplicate member"),
            Self::UnknownMember => f.write_str("unknown member"),
            Self::MissingMember => f.write_str("missing member"),
            Self::WrongType { expected } => write!(f, "value is not {expected}"),
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::String => "a string",
            Self::Unsigned => "an unsigned integer",
            Self::Bool => "true or false",
            Self::Array => "an array",
            Self::Object => "an object",
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl core::error::Error for Error {}
