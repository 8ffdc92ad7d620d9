//! Files of the state folder: put in place whole, read whole.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::error::EmulationError;
use crate::random::random;

/// Names the file of an error.
pub(crate) fn file_error(path: &Path) -> impl Fn(io::Error) -> EmulationError + use<> {
    let path: PathBuf = path.to_owned();
    move |source| EmulationError::File {
        path: path.clone(),
        source,
    }
}

/// Makes the folder, for its owner alone.
pub(crate) fn make_folder(folder: &Path) -> Result<(), EmulationError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(file_error(folder))
}

/// Puts a whole file in place at once, unless one is there already.
pub(crate) fn write_new(folder: &Path, path: &Path, bytes: &[u8]) -> Result<(), EmulationError> {
    let staging = stage(folder, path, bytes)?;
    let linked = match fs::hard_link(&staging, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    };
    let removed = fs::remove_file(&staging);
    linked.and(removed).map_err(file_error(path))
}

/// Puts a whole file in place of the one that is there: a reader sees the old one or the new one.
pub(crate) fn replace(folder: &Path, path: &Path, bytes: &[u8]) -> Result<(), EmulationError> {
    let staging = stage(folder, path, bytes)?;
    fs::rename(&staging, path)
        .inspect_err(|_| fs::remove_file(&staging).unwrap_or_default())
        .map_err(file_error(path))
}

/// A finished file under a name that nobody else has.
fn stage(folder: &Path, path: &Path, bytes: &[u8]) -> Result<PathBuf, EmulationError> {
    let staging = folder.join(format!(".{}.tmp", hex::encode(random::<8>()?)));
    let write = || -> io::Result<()> {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&staging)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write()
        .inspect_err(|_| fs::remove_file(&staging).unwrap_or_default())
        .map_err(file_error(path))?;
    Ok(staging)
}

/// Holds a file that is never replaced, for as long as the result lives: one writer of the folder at a time.
pub(crate) fn lock(path: &Path) -> Result<File, EmulationError> {
    let file = File::open(path).map_err(file_error(path))?;
    file.lock().map_err(file_error(path))?;
    Ok(file)
}
