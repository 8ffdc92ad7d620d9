//! The files that the host hands to the runtime, and the one that it writes for it.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use chancery_wire::{BLOB_SIZE_MAX, BlobName, BlobReply};

use crate::config::Blobs;
use crate::event::Event;

/// Reads the file of a blob; absent if it is not configured, unreadable or too large.
pub(crate) fn read_blob(blobs: &Blobs, name: BlobName) -> BlobReply {
    let path = match name {
        BlobName::Configuration => Some(&blobs.configuration),
        BlobName::ReleasePolicy => Some(&blobs.release_policy),
        BlobName::TcbFloors => Some(&blobs.tcb_floors),
        BlobName::Collateral => blobs.collateral.as_ref(),
    };
    let Some(path) = path else {
        return BlobReply::Absent;
    };
    match read_bounded(path) {
        Ok(bytes) => BlobReply::Found(bytes),
        Err(error) => {
            Event::BlobUnreadable(error.kind()).log();
            BlobReply::Absent
        }
    }
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let limit = u64::try_from(BLOB_SIZE_MAX)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let mut bytes = Vec::new();
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    if bytes.len() > BLOB_SIZE_MAX {
        return Err(ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

/// Replaces a file as a whole: readers see the old bytes or the new ones.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)
}

/// Size of the store's file and its write-ahead log.
pub(crate) fn store_size(path: &Path) -> u64 {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let size = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    size(path).saturating_add(size(Path::new(&log)))
}
