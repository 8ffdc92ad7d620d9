//! Why a witness does not start or cannot answer.

use std::fmt;
use std::io;

/// A fault of the witness's environment; refusals of requests are
/// [`chancery_tlog::witness::Refusal`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A file or socket operation failed; the text says which.
    Io(&'static str, io::Error),
    /// Another process uses the state folder.
    Locked,
    /// The seed file is not 32 bytes, or others may read it.
    Seed,
    /// The system gave no randomness.
    Entropy,
    /// The witness's own name is not a key name.
    Name(chancery_tlog::Error),
    /// The logs file is not valid JSON of the expected shape.
    LogsFormat(chancery_json::Error),
    /// The logs file has another version than 1.
    LogsVersion,
    /// The logs file is larger than its limit.
    LogsTooLarge,
    /// A key in the logs file is invalid.
    LogKey(chancery_tlog::Error),
    /// The logs file names an origin twice, or changes the key of a known one.
    LogConflict,
    /// Both slots of a head file are damaged, or it is not a head file.
    HeadDamaged,
    /// One slot of a head file is damaged and the other whole: a write was cut off. Told, not fatal.
    HeadTorn,
    /// The stored head does not verify with the log's key.
    HeadInvalid(chancery_tlog::Error),
    /// An earlier write of this log's head failed; what the disk holds is in doubt until restart.
    HeadInDoubt,
    /// The checkpoint does not fit a slot.
    HeadTooLarge,
    /// The clock gives no usable time.
    Clock(chancery_tlog::Error),
    /// A task of the witness did not finish.
    Task,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(what, error) => write!(f, "{what}: {error}"),
            Self::Locked => f.write_str("another process uses the state folder"),
            Self::Seed => f.write_str("seed file must be 32 bytes and readable by its owner only"),
            Self::Entropy => f.write_str("no randomness from the system"),
            Self::Name(error) => write!(f, "witness name: {error}"),
            Self::LogsFormat(error) => write!(f, "logs file: {}", error.describe()),
            Self::LogsVersion => f.write_str("logs file: version must be 1"),
            Self::LogsTooLarge => f.write_str("logs file: too large"),
            Self::LogKey(error) => write!(f, "logs file: {error}"),
            Self::LogConflict => f.write_str("logs file: an origin has two keys or two entries"),
            Self::HeadDamaged => f.write_str("head file damaged; make a new witness"),
            Self::HeadTorn => {
                f.write_str("a write of a head was cut off; the head before it stands")
            }
            Self::HeadInvalid(error) => write!(f, "stored head: {error}"),
            Self::HeadInDoubt => f.write_str("an earlier write failed; restart the witness"),
            Self::HeadTooLarge => f.write_str("checkpoint too large to store"),
            Self::Clock(error) => write!(f, "clock: {error}"),
            Self::Task => f.write_str("a task did not finish"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(_, error) => Some(error),
            Self::LogsFormat(error) => Some(error),
            Self::Name(error)
            | Self::LogKey(error)
            | Self::HeadInvalid(error)
            | Self::Clock(error) => Some(error),
            Self::Locked
            | Self::Seed
            | Self::Entropy
            | Self::LogsVersion
            | Self::LogsTooLarge
            | Self::LogConflict
            | Self::HeadDamaged
            | Self::HeadTorn
            | Self::HeadInDoubt
            | Self::HeadTooLarge
            | Self::Task => None,
        }
    }
}
