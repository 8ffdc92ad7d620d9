//! One `up` for one data folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

use crate::error::DevError;
use crate::files::PRIVATE;
use crate::up::layout::Layout;

/// Longest text in the lock file: a process id.
const PID_SIZE_MAX: u64 = 20;

/// The data folder, held for as long as this value lives. The kernel lets go of it when the process
/// ends, however that happens.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    /// Whether the last process that held it did not end cleanly: children of it may still be ending.
    pub(crate) was_left: bool,
}

impl Lock {
    /// Takes the lock, or says who has it.
    pub(crate) fn take(layout: &Layout) -> Result<Self, DevError> {
        let path = layout.lock();
        let fault = |source| DevError::FileWrite {
            path: path.clone(),
            source,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(PRIVATE)
            .open(&path)
            .map_err(fault)?;
        let locked = file.try_lock();
        let mut text = String::new();
        let read = (&file).take(PID_SIZE_MAX).read_to_string(&mut text);
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(DevError::Locked {
                    folder: layout.root().to_owned(),
                    pid: text.trim().parse().ok(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(fault(source)),
        }
        let was_left = read.is_err() || !text.is_empty();
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(fault)?;
        Ok(Self { file, was_left })
    }

    /// Lets go of it after a clean end.
    pub(crate) fn release(self) {
        // If this fails, the next process is only more patient than it need be.
        drop(self.file.set_len(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_process_is_told_who_holds_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::make(folder.path()).unwrap();
        let first = Lock::take(&layout).unwrap();
        assert!(!first.was_left);
        let Err(DevError::Locked { pid, .. }) = Lock::take(&layout) else {
            panic!("not refused");
        };
        assert_eq!(pid, Some(std::process::id()));
        drop(first);
        let second = Lock::take(&layout).unwrap();
        assert!(second.was_left, "the first did not end cleanly");
        second.release();
        assert!(!Lock::take(&layout).unwrap().was_left);
    }
}
