//! The frame around every message.
//!
//! ```text
//! frame = u32 big-endian length | body of that many bytes
//! body  = u8 purpose length | purpose, ASCII | u8 version | postcard value
//! ```

use alloc::vec::Vec;
use core::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Largest length that a frame may claim, in bytes, its own four length bytes not counted.
pub const FRAME_SIZE_MAX: u32 = 16 * 1024 * 1024;

/// Size of the length before each body, in bytes.
pub const LENGTH_SIZE: usize = 4;

/// Most bytes that one [`Decoder::push`] may add: a reader's buffer. With frames drained between
/// pushes, a decoder therefore never holds more than one frame and this.
pub const PUSH_SIZE_MAX: usize = 256 * 1024;

/// Longest purpose string, in bytes.
const PURPOSE_SIZE_MAX: usize = 255;

/// A value that travels in a frame of its own purpose and version.
///
/// The purpose names exactly one message type in the whole system: a frame that was made for one
/// place is refused everywhere else.
pub trait Message: Serialize + DeserializeOwned {
    /// Purpose string, ASCII, at most 255 bytes, unique to this type.
    const PURPOSE: &'static str;
    /// Version of the encoding; any change of the type's postcard shape raises it.
    const VERSION: u8;
}

/// Why a frame was not written or not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WireError {
    /// The frame claims, or would need, more bytes than this stream allows.
    Oversized {
        /// Bytes claimed or needed.
        size: usize,
        /// Bytes allowed.
        size_max: usize,
    },
    /// More bytes were pushed than the decoder may hold: the caller did not drain its frames.
    Backlog,
    /// The body ends inside its purpose, version or value.
    Truncated,
    /// The frame was made for something else.
    WrongPurpose {
        /// The purpose that was expected here.
        expected: &'static str,
    },
    /// The frame has the right purpose and a version that this build does not speak.
    WrongVersion {
        /// The version that was expected.
        expected: u8,
        /// The version found.
        found: u8,
    },
    /// The value does not decode, or breaks a limit of its type.
    Malformed,
    /// Bytes are left after the value.
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// The value could not be encoded; a defect of the sender's type.
    Unencodable,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Oversized { size, size_max } => {
                write!(f, "frame of {size} bytes, of at most {size_max}")
            }
            Self::Backlog => f.write_str("more bytes pushed than the decoder may hold"),
            Self::Truncated => f.write_str("frame ends too early"),
            Self::WrongPurpose { expected } => {
                write!(f, "frame of another purpose than {expected}")
            }
            Self::WrongVersion { expected, found } => {
                write!(f, "frame version {found}, expected {expected}")
            }
            Self::Malformed => f.write_str("frame value does not decode"),
            Self::TrailingBytes { count } => write!(f, "{count} bytes after the frame value"),
            Self::Unencodable => f.write_str("value cannot be encoded"),
        }
    }
}

impl core::error::Error for WireError {}

/// Encodes a message with its length, purpose and version.
///
/// # Errors
///
/// [`WireError::Oversized`] if the frame would be larger than [`FRAME_SIZE_MAX`].
pub fn encode<T: Message>(message: &T) -> Result<Vec<u8>, WireError> {
    let purpose = T::PURPOSE.as_bytes();
    let purpose_length = u8::try_from(purpose.len())
        .ok()
        .ok_or(WireError::Unencodable)?;
    let mut frame = Vec::with_capacity(128);
    frame.extend_from_slice(&[0; LENGTH_SIZE]);
    frame.push(purpose_length);
    frame.extend_from_slice(purpose);
    frame.push(T::VERSION);
    let mut frame = postcard::to_extend(message, frame)
        .ok()
        .ok_or(WireError::Unencodable)?;

    let size = frame.len().saturating_sub(LENGTH_SIZE);
    let length = u32::try_from(size)
        .ok()
        .filter(|length| *length <= FRAME_SIZE_MAX);
    let length = length.ok_or_else(|| WireError::Oversized {
        size,
        size_max: size_of_limit(FRAME_SIZE_MAX),
    })?;
    let prefix = frame
        .first_chunk_mut::<LENGTH_SIZE>()
        .ok_or(WireError::Unencodable)?;
    *prefix = length.to_be_bytes();
    Ok(frame)
}

/// Decodes the body of one frame: everything after its length.
///
/// # Errors
///
/// Any other purpose or version, a value that does not decode or breaks a limit, and bytes left over
/// are refused.
pub fn decode_body<T: Message>(body: &[u8]) -> Result<T, WireError> {
    const {
        assert!(
            T::PURPOSE.len() <= PURPOSE_SIZE_MAX,
            "the purpose fits its length byte"
        );
    };
    let (purpose_length, rest) = body.split_first().ok_or(WireError::Truncated)?;
    let (purpose, rest) = rest
        .split_at_checked(usize::from(*purpose_length))
        .ok_or(WireError::Truncated)?;
    if purpose != T::PURPOSE.as_bytes() {
        return Err(WireError::WrongPurpose {
            expected: T::PURPOSE,
        });
    }
    let (version, value) = rest.split_first().ok_or(WireError::Truncated)?;
    if *version != T::VERSION {
        return Err(WireError::WrongVersion {
            expected: T::VERSION,
            found: *version,
        });
    }
    let (message, rest) = postcard::take_from_bytes::<T>(value).map_err(|error| {
        if error == postcard::Error::DeserializeUnexpectedEnd {
            WireError::Truncated
        } else {
            WireError::Malformed
        }
    })?;
    if !rest.is_empty() {
        return Err(WireError::TrailingBytes { count: rest.len() });
    }
    Ok(message)
}

/// Cuts a byte stream into frames.
///
/// Push what was read, then pull until there is nothing: memory stays below one frame plus
/// [`PUSH_SIZE_MAX`]. A length over the limit is refused as soon as its four bytes are seen, before
/// any of its body is kept. After an error the stream has no meaning and must be closed.
#[derive(Debug)]
pub struct Decoder {
    buffer: Vec<u8>,
    start: usize,
    size_max: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder for frames of at most [`FRAME_SIZE_MAX`].
    #[must_use]
    pub fn new() -> Self {
        Self::with_limit(FRAME_SIZE_MAX)
    }

    /// A decoder for frames of at most `size_max` bytes (never more than [`FRAME_SIZE_MAX`]).
    #[must_use]
    pub fn with_limit(size_max: u32) -> Self {
        Self {
            buffer: Vec::new(),
            start: 0,
            size_max: size_of_limit(size_max.min(FRAME_SIZE_MAX)),
        }
    }

    /// Adds bytes that were read.
    ///
    /// # Errors
    ///
    /// [`WireError::Backlog`] if frames were not pulled between pushes, and [`WireError::Oversized`]
    /// for a frame that claims more than the limit.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        let held_max = self
            .size_max
            .saturating_add(LENGTH_SIZE)
            .saturating_add(PUSH_SIZE_MAX);
        if self.buffered().saturating_add(bytes.len()) > held_max {
            return Err(WireError::Backlog);
        }
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
        self.claimed()?;
        Ok(())
    }

    /// Takes the next whole body (everything after the length), if it has arrived.
    ///
    /// # Errors
    ///
    /// [`WireError::Oversized`] for a frame that claims more than the limit.
    pub fn pull_body(&mut self) -> Result<Option<&[u8]>, WireError> {
        let Some(size) = self.claimed()? else {
            return Ok(None);
        };
        let body_start = self.start.saturating_add(LENGTH_SIZE);
        let body_end = body_start.saturating_add(size);
        let Some(body) = self.buffer.get(body_start..body_end) else {
            return Ok(None);
        };
        self.start = body_end;
        Ok(Some(body))
    }

    /// Takes and decodes the next message, if it has arrived whole.
    ///
    /// # Errors
    ///
    /// As [`Decoder::pull_body`] and [`decode_body`].
    pub fn pull<T: Message>(&mut self) -> Result<Option<T>, WireError> {
        self.pull_body()?.map(decode_body).transpose()
    }

    /// Bytes held that no pull has taken.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buffer.len().saturating_sub(self.start)
    }

    /// The bytes after the last pulled frame: the beginning of a raw stream that a frame opened.
    #[must_use]
    pub fn into_rest(mut self) -> Vec<u8> {
        self.buffer.drain(..self.start);
        self.buffer
    }

    /// The size that the next frame claims, once its length has arrived.
    fn claimed(&self) -> Result<Option<usize>, WireError> {
        let held = self.buffer.get(self.start..).unwrap_or_default();
        let Some(length) = held.first_chunk::<LENGTH_SIZE>() else {
            return Ok(None);
        };
        let size = size_of_limit(u32::from_be_bytes(*length));
        if size > self.size_max {
            return Err(WireError::Oversized {
                size,
                size_max: self.size_max,
            });
        }
        Ok(Some(size))
    }
}

/// A 32-bit size as `usize`; where `usize` is smaller, the limit that follows is smaller too.
fn size_of_limit(size: u32) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}
