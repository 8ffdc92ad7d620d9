//! Files that `up` reads and writes.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::error::DevError;

/// Largest file that is read whole, in bytes: signed documents and configurations are far smaller.
const FILE_SIZE_MAX: u64 = 4 * 1024 * 1024;

/// Only the owner may read or write.
pub(crate) const PRIVATE: u32 = 0o600;
/// Everybody may read what is public.
pub(crate) const PUBLIC: u32 = 0o644;
/// Only the owner may enter.
const PRIVATE_FOLDER: u32 = 0o700;

/// Reads a whole file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, DevError> {
    let fault = |source| DevError::FileRead {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(fault)?;
    let limit = FILE_SIZE_MAX.saturating_add(1);
    file.take(limit).read_to_end(&mut bytes).map_err(fault)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > FILE_SIZE_MAX {
        return Err(fault(io::ErrorKind::FileTooLarge.into()));
    }
    Ok(bytes)
}

/// Reads a whole file, or nothing if there is none.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, DevError> {
    match read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(DevError::FileRead { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Replaces a file as a whole: readers see the old bytes or the new ones.
pub(crate) fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), DevError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let written = remove_quietly(&new)
        .and_then(|()| {
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(mode)
                .open(&new)
        })
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&new, path));
    written.map_err(|source| DevError::FileWrite {
        path: path.to_owned(),
        source,
    })
}

/// Writes a file unless it has these bytes already; tells whether it wrote.
pub(crate) fn write_if_changed(path: &Path, bytes: &[u8], mode: u32) -> Result<bool, DevError> {
    if read_if_there(path)?.as_deref() == Some(bytes) {
        return Ok(false);
    }
    write(path, bytes, mode)?;
    Ok(true)
}

/// Removes a file, if it is there.
pub(crate) fn remove(path: &Path) -> Result<(), DevError> {
    remove_quietly(path).map_err(|source| DevError::FileWrite {
        path: path.to_owned(),
        source,
    })
}

fn remove_quietly(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes a folder that its owner alone can enter, and those above it.
pub(crate) fn make_folder(path: &Path) -> Result<(), DevError> {
    DirBuilder::new()
        .recursive(true)
        .mode(PRIVATE_FOLDER)
        .create(path)
        .map_err(|source| DevError::FileWrite {
            path: path.to_owned(),
            source,
        })
}

/// Opens a child's log for appending. One that has grown over `size_max` bytes is put aside first,
/// in the place of the one that was put aside before.
pub(crate) fn open_log(path: &Path, size_max: u64) -> io::Result<File> {
    if fs::metadata(path).is_ok_and(|metadata| metadata.len() > size_max) {
        fs::rename(path, path.with_extension("log.old"))?;
    }
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(PRIVATE)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn replaces_a_file_as_a_whole_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ready.json");
        assert!(read_if_there(&path).unwrap().is_none());
        fs::write(folder.path().join("ready.json.new"), b"left by a crash").unwrap();
        assert!(write_if_changed(&path, b"1", PRIVATE).unwrap());
        assert!(!write_if_changed(&path, b"1", PRIVATE).unwrap());
        assert!(write_if_changed(&path, b"22", PRIVATE).unwrap());
        assert_eq!(read(&path).unwrap(), b"22");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, PRIVATE);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert!(matches!(read(&path), Err(DevError::FileRead { .. })));
    }

    #[test]
    fn a_log_that_has_grown_is_put_aside_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("host.log");
        for round in 0..3 {
            let mut log = open_log(&path, 4).unwrap();
            writeln!(log, "round {round}").unwrap();
        }
        assert_eq!(read(&path).unwrap(), b"round 2\n");
        assert_eq!(
            read(&folder.path().join("host.log.old")).unwrap(),
            b"round 1\n"
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
