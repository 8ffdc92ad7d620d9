//! The framing of statements: fixed-size fields as they are, everything else with its length, big-endian.

use core::fmt;

use alloc::string::String;
use alloc::vec::Vec;

/// What is wrong with a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StatementError {
    /// Another purpose string than that of the statement's kind.
    Purpose,
    /// It ends inside a field.
    Truncated,
    /// Bytes follow the last field.
    Trailing,
    /// A field or list is longer than its bound.
    TooLong,
    /// A text is empty or not visible ASCII.
    Text,
    /// A code that is not defined.
    Code,
}

impl fmt::Display for StatementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Purpose => "it has another purpose",
            Self::Truncated => "it ends inside a field",
            Self::Trailing => "bytes follow the last field",
            Self::TooLong => "a field is longer than its bound",
            Self::Text => "a text is empty or not visible ascii",
            Self::Code => "a code is not defined",
        })
    }
}

impl core::error::Error for StatementError {}

/// Appends fields.
#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn fixed(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.fixed(&value.to_be_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.fixed(&value.to_be_bytes());
    }

    /// A u8 length and visible ASCII.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), StatementError> {
        check_text(text.as_bytes())?;
        self.count(text.len(), usize::from(u8::MAX))?;
        self.fixed(text.as_bytes());
        Ok(())
    }

    /// A u8 count of what follows.
    pub(crate) fn count(&mut self, count: usize, max: usize) -> Result<(), StatementError> {
        if count > max {
            return Err(StatementError::TooLong);
        }
        self.u8(u8::try_from(count).map_err(|_range| StatementError::TooLong)?);
        Ok(())
    }

    /// A u16 length and bytes.
    pub(crate) fn bytes16(&mut self, bytes: &[u8], max: usize) -> Result<(), StatementError> {
        if bytes.len() > max {
            return Err(StatementError::TooLong);
        }
        self.u16(u16::try_from(bytes.len()).map_err(|_range| StatementError::TooLong)?);
        self.fixed(bytes);
        Ok(())
    }

    pub(crate) fn finish(self, max: usize) -> Result<Vec<u8>, StatementError> {
        if self.0.len() > max {
            Err(StatementError::TooLong)
        } else {
            Ok(self.0)
        }
    }
}

fn check_text(bytes: &[u8]) -> Result<(), StatementError> {
    let visible = bytes.iter().all(u8::is_ascii_graphic);
    if bytes.is_empty() || !visible {
        Err(StatementError::Text)
    } else {
        Ok(())
    }
}

/// Reads fields.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8], max: usize) -> Result<Self, StatementError> {
        if bytes.len() > max {
            return Err(StatementError::TooLong);
        }
        Ok(Self { rest: bytes })
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], StatementError> {
        let (field, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(StatementError::Truncated)?;
        self.rest = rest;
        Ok(field)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], StatementError> {
        let (field, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(StatementError::Truncated)?;
        self.rest = rest;
        Ok(*field)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, StatementError> {
        let [value] = self.array()?;
        Ok(value)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, StatementError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, StatementError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    pub(crate) fn text(&mut self) -> Result<String, StatementError> {
        let length = usize::from(self.u8()?);
        let bytes = self.take(length)?;
        check_text(bytes)?;
        Ok(bytes.iter().copied().map(char::from).collect())
    }

    pub(crate) fn count(&mut self, max: usize) -> Result<usize, StatementError> {
        let count = usize::from(self.u8()?);
        if count > max {
            Err(StatementError::TooLong)
        } else {
            Ok(count)
        }
    }

    pub(crate) fn bytes16(&mut self, max: usize) -> Result<Vec<u8>, StatementError> {
        let length = usize::from(self.u16()?);
        if length > max {
            return Err(StatementError::TooLong);
        }
        Ok(self.take(length)?.to_vec())
    }

    pub(crate) const fn finish(self) -> Result<(), StatementError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(StatementError::Trailing)
        }
    }
}
