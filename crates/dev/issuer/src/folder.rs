//! The data folder's files.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Largest file, in bytes: the accounts of a large test tenant.
const FILE_SIZE_MAX: u64 = 1 << 20;
/// Only the owner may read or write.
const PRIVATE: u32 = 0o600;
/// Only the owner may enter.
const PRIVATE_FOLDER: u32 = 0o700;

/// Makes the folder and those above it.
pub(crate) fn make(path: &Path) -> Result<(), Error> {
    DirBuilder::new()
        .recursive(true)
        .mode(PRIVATE_FOLDER)
        .create(path)
        .map_err(|source| fault(path, source))
}

/// Reads a whole file, or nothing if there is none.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fault(path, error)),
    };
    let mut bytes = Vec::new();
    file.take(FILE_SIZE_MAX.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|source| fault(path, source))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > FILE_SIZE_MAX {
        return Err(fault(path, io::ErrorKind::FileTooLarge.into()));
    }
    Ok(Some(bytes))
}

/// Replaces a file as a whole, readable by its owner alone: a crash leaves the old bytes or the new ones.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(PRIVATE)
        .open(&new)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&new, path))
        .map_err(|source| fault(path, source))
}

/// Reads a file, or makes its bytes and writes them.
pub(crate) fn read_or_make(
    path: &Path,
    make: impl FnOnce() -> Result<Vec<u8>, Error>,
) -> Result<Vec<u8>, Error> {
    if let Some(bytes) = read_if_there(path)? {
        return Ok(bytes);
    }
    let bytes = make()?;
    write(path, &bytes)?;
    Ok(bytes)
}

/// A fault of a file's content.
pub(crate) fn document(path: &Path, reason: &str) -> Error {
    Error::Document {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}

fn fault(path: &Path, source: io::Error) -> Error {
    Error::File {
        path: path.to_owned(),
        source,
    }
}
