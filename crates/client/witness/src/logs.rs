//! The logs file: which logs the witness follows, and their keys.

use std::collections::BTreeMap;
use std::fs::File;
use std::fs::Metadata;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::path::PathBuf;

use chancery_json::Fields;
use chancery_json::Limits;
use chancery_tlog::KeyKind;
use chancery_tlog::VerifierKey;

use crate::Error;

/// Largest logs file: some thousand logs.
const LOGS_BYTES_MAX: u64 = 1024 * 1024;

/// Origins with their keys.
pub(crate) type LogKeys = BTreeMap<String, VerifierKey>;

/// The file as last read.
#[derive(Debug)]
pub(crate) struct LogsFile {
    path: PathBuf,
    /// What distinguished the file when it was last read, well or badly; none before.
    seen: Option<Stamp>,
}

/// Changes when the file is replaced or written, as far as the file system tells.
type Stamp = (u64, u64, i64, i64);

impl LogsFile {
    pub(crate) const fn new(path: PathBuf) -> Self {
        Self { path, seen: None }
    }

    /// Reads the file if it is another one than last time.
    ///
    /// A bad file is reported once, and again when it changes.
    pub(crate) fn read_if_changed(&mut self) -> Result<Option<LogKeys>, Error> {
        let now = stamp(&std::fs::metadata(&self.path).map_err(|e| Error::Io("logs file", e))?);
        if self.seen == Some(now) {
            return Ok(None);
        }
        let (keys, stamp) = read(&self.path);
        self.seen = stamp.or(self.seen);
        keys.map(Some)
    }

    /// Makes the next call read the file again.
    pub(crate) const fn forget(&mut self) {
        self.seen = None;
    }
}

fn stamp(metadata: &Metadata) -> Stamp {
    (
        metadata.ino(),
        metadata.len(),
        metadata.mtime(),
        metadata.mtime_nsec(),
    )
}

/// Reads the file; the stamp is taken from the open file before its contents.
fn read(path: &Path) -> (Result<LogKeys, Error>, Option<Stamp>) {
    let opened = File::open(path).and_then(|file| file.metadata().map(|m| (file, stamp(&m))));
    let (file, stamp) = match opened {
        Ok(opened) => opened,
        Err(error) => return (Err(Error::Io("logs file", error)), None),
    };
    let mut bytes = Vec::new();
    let read = file
        .take(LOGS_BYTES_MAX.saturating_add(1))
        .read_to_end(&mut bytes);
    let keys = match read {
        Err(error) => Err(Error::Io("logs file", error)),
        Ok(length) if u64::try_from(length).is_ok_and(|l| l <= LOGS_BYTES_MAX) => parse(&bytes),
        Ok(_) => Err(Error::LogsTooLarge),
    };
    (keys, Some(stamp))
}

/// Reads the contents of a logs file.
pub(crate) fn parse(bytes: &[u8]) -> Result<LogKeys, Error> {
    let mut document = Fields::parse(bytes, &Limits::DOCUMENT).map_err(Error::LogsFormat)?;
    if document.take_u64("version").map_err(Error::LogsFormat)? != 1 {
        return Err(Error::LogsVersion);
    }
    let mut keys = LogKeys::new();
    for element in document.take_array("logs").map_err(Error::LogsFormat)? {
        let mut log = element.into_fields().map_err(Error::LogsFormat)?;
        let origin = log.take_str("origin").map_err(Error::LogsFormat)?;
        let key = log.take_str("vkey").map_err(Error::LogsFormat)?;
        log.finish().map_err(Error::LogsFormat)?;
        let key = VerifierKey::parse(&key).map_err(Error::LogKey)?;
        if key.kind() != KeyKind::Ed25519 {
            return Err(Error::LogKey(chancery_tlog::Error::KeyType));
        }
        if keys.insert(origin, key).is_some() {
            return Err(Error::LogConflict);
        }
    }
    document.finish().map_err(Error::LogsFormat)?;
    Ok(keys)
}
