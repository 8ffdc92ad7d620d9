//! TLS presentation language, big-endian: the one reader and writer of every structure.
//!
//! Each decoder consumes its input to the last byte, and every accepted input re-encodes to itself.

use alloc::vec::Vec;
use core::fmt;

/// Why bytes are not the structure they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The input ends inside a field.
    Truncated,
    /// Bytes follow the last field.
    TrailingBytes,
    /// The version byte is not 1.
    UnknownVersion(u8),
    /// The type, kind, state or source byte has no meaning here.
    UnknownCode {
        /// The field.
        field: &'static str,
        /// The byte that was found.
        code: u8,
    },
    /// The flags are not zero.
    FlagsSet(u16),
    /// A variable field is shorter or longer than its bounds.
    LengthOutOfRange {
        /// The field.
        field: &'static str,
        /// The length that was found, in bytes or elements.
        length: usize,
    },
    /// A text field has a byte outside visible ASCII.
    NotVisibleAscii {
        /// The field.
        field: &'static str,
    },
    /// The purpose string is another structure's.
    WrongPurpose,
    /// Padding or an unused field is not zero, or a value has two encodings.
    NotCanonical {
        /// The field.
        field: &'static str,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("input ends inside a field"),
            Self::TrailingBytes => f.write_str("bytes follow the last field"),
            Self::UnknownVersion(version) => write!(f, "version {version} is not known"),
            Self::UnknownCode { field, code } => write!(f, "{field} {code:#04x} is not known"),
            Self::FlagsSet(flags) => write!(f, "flags {flags:#06x} are not zero"),
            Self::LengthOutOfRange { field, length } => {
                write!(f, "{field} has a length of {length}, which is out of range")
            }
            Self::NotVisibleAscii { field } => write!(f, "{field} is not visible ascii"),
            Self::WrongPurpose => f.write_str("purpose string is another structure's"),
            Self::NotCanonical { field } => write!(f, "{field} is not canonical"),
        }
    }
}

impl core::error::Error for DecodeError {}

/// Reads fields off the front of a byte string.
#[derive(Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn slice(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (head, rest) = self
            .0
            .split_at_checked(length)
            .ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, rest) = self
            .0
            .split_first_chunk::<N>()
            .ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// The version byte, which must be 1.
    pub(crate) fn version(&mut self) -> Result<(), DecodeError> {
        match self.u8()? {
            1 => Ok(()),
            other => Err(DecodeError::UnknownVersion(other)),
        }
    }

    /// The flags, which must be zero.
    pub(crate) fn flags(&mut self) -> Result<(), DecodeError> {
        match self.u16()? {
            0 => Ok(()),
            other => Err(DecodeError::FlagsSet(other)),
        }
    }

    /// `opaque field<min..max>` with a two-byte length.
    pub(crate) fn bytes16(
        &mut self,
        field: &'static str,
        bounds: (usize, usize),
    ) -> Result<&'a [u8], DecodeError> {
        let length = usize::from(self.u16()?);
        within(field, length, bounds)?;
        self.slice(length)
    }

    /// `opaque field<min..max>` with a one-byte length.
    pub(crate) fn bytes8(
        &mut self,
        field: &'static str,
        bounds: (usize, usize),
    ) -> Result<&'a [u8], DecodeError> {
        let length = usize::from(self.u8()?);
        within(field, length, bounds)?;
        self.slice(length)
    }

    /// `opaque field<min..max>` with a four-byte length.
    pub(crate) fn bytes32(
        &mut self,
        field: &'static str,
        bounds: (usize, usize),
    ) -> Result<&'a [u8], DecodeError> {
        let length = self.count(field, bounds)?;
        self.slice(length)
    }

    /// A four-byte number of elements, or of bytes.
    pub(crate) fn count(
        &mut self,
        field: &'static str,
        bounds: (usize, usize),
    ) -> Result<usize, DecodeError> {
        let length = usize::try_from(self.u32()?).unwrap_or(usize::MAX);
        within(field, length, bounds)?;
        Ok(length)
    }

    /// Whether every byte was read.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Refuses leftovers; the last call of every decoder.
    pub(crate) const fn finish(&self) -> Result<(), DecodeError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::TrailingBytes)
        }
    }
}

/// Holds a length to its bounds, both inclusive.
pub(crate) const fn within(
    field: &'static str,
    length: usize,
    (min, max): (usize, usize),
) -> Result<(), DecodeError> {
    if length < min || length > max {
        return Err(DecodeError::LengthOutOfRange { field, length });
    }
    Ok(())
}

/// Appends a two-byte length and the bytes.
pub(crate) fn put_bytes16(
    out: &mut Vec<u8>,
    field: &'static str,
    bytes: &[u8],
    bounds: (usize, usize),
) -> Result<(), DecodeError> {
    let length = bytes.len();
    within(field, length, bounds)?;
    let framed = u16::try_from(length)
        .map_err(|_too_long| DecodeError::LengthOutOfRange { field, length })?;
    out.extend_from_slice(&framed.to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

/// Appends a one-byte length and the bytes.
pub(crate) fn put_bytes8(
    out: &mut Vec<u8>,
    field: &'static str,
    bytes: &[u8],
    bounds: (usize, usize),
) -> Result<(), DecodeError> {
    let length = bytes.len();
    within(field, length, bounds)?;
    let framed = u8::try_from(length)
        .map_err(|_too_long| DecodeError::LengthOutOfRange { field, length })?;
    out.push(framed);
    out.extend_from_slice(bytes);
    Ok(())
}

/// Appends a four-byte length and the bytes.
pub(crate) fn put_bytes32(
    out: &mut Vec<u8>,
    field: &'static str,
    bytes: &[u8],
    bounds: (usize, usize),
) -> Result<(), DecodeError> {
    put_count(out, field, bytes.len(), bounds)?;
    out.extend_from_slice(bytes);
    Ok(())
}

/// Appends a four-byte number of elements, or of bytes.
pub(crate) fn put_count(
    out: &mut Vec<u8>,
    field: &'static str,
    length: usize,
    bounds: (usize, usize),
) -> Result<(), DecodeError> {
    within(field, length, bounds)?;
    let framed = u32::try_from(length)
        .map_err(|_too_long| DecodeError::LengthOutOfRange { field, length })?;
    out.extend_from_slice(&framed.to_be_bytes());
    Ok(())
}
