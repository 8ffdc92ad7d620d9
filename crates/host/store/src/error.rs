//! What can go wrong: at opening, for one request, or for good.

use std::fmt;
use std::io;
use std::path::PathBuf;

use chancery_wire::StoreFault;

/// The store cannot be opened, or can no longer be used. Its process must end.
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process has this store open.
    Held {
        /// The lock file that the other process holds.
        lock: PathBuf,
    },
    /// The lock file, or the folder, cannot be opened, locked or flushed.
    Lock {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file belongs to another program, or to another version of this one.
    Format {
        /// The file's application id.
        application_id: i64,
        /// The file's format version.
        version: i64,
    },
    /// The file holds a number that this program never writes.
    Damaged,
    /// `SQLite` failed: input or output, a damaged file, or a failed flush.
    Database(rusqlite::Error),
    /// The store failed before and was not reopened.
    Failed,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held { lock } => {
                write!(
                    f,
                    "another process has this store open (it holds {})",
                    lock.display()
                )
            }
            Self::Lock { path, .. } => write!(f, "cannot lock the store with {}", path.display()),
            Self::Format {
                application_id,
                version,
            } => write!(
                f,
                "not a store of this version (application id {application_id}, format {version})"
            ),
            Self::Damaged => f.write_str("the store holds a value out of range"),
            Self::Database(_) => f.write_str("the store's database failed"),
            Self::Failed => f.write_str("the store failed earlier"),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Lock { source, .. } => Some(source),
            Self::Database(source) => Some(source),
            Self::Held { .. } | Self::Format { .. } | Self::Damaged | Self::Failed => None,
        }
    }
}

/// Why one request had no effect, or an unknown one.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure {
    /// Nothing was written, and the store goes on.
    Fault(StoreFault),
    /// What was written is unknown; the process must end without an answer, and whoever asked finds
    /// out by reading after the restart (I22).
    Fatal(StoreError),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => fault.fmt(f),
            Self::Fatal(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Fault(fault) => Some(fault),
            Self::Fatal(error) => Some(error),
        }
    }
}

impl From<StoreFault> for Failure {
    fn from(fault: StoreFault) -> Self {
        Self::Fault(fault)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Fatal(error)
    }
}

impl From<rusqlite::Error> for Failure {
    /// No room and a lock held by another tool leave nothing written and may pass; all else is fatal.
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Fault(StoreFault::Full),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::Fault(StoreFault::Unavailable)
            }
            Some(ErrorCode::TooBig) => Self::Fault(StoreFault::TooLarge),
            _ => Self::Fatal(StoreError::Database(error)),
        }
    }
}
