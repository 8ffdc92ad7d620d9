//! Remembered heads: what this client has seen of a deployment, on disk, only ever forward.
//!
//! The store is a cache of the client's own verified past, not a trust anchor: whoever deletes it
//! makes the client forget (which every report then says), and whoever edits it makes the client
//! refuse. The file is replaced atomically under a lock that spans the whole appraisal, so that two
//! commands at once cannot move it backwards between them.

use core::error::Error as StdError;
use core::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use chancery_json::{Fields, Limits, Object};
use chancery_session::RememberedHead;

/// The only version of the file.
const FILE_VERSION: u64 = 1;

/// Largest file in bytes; what this module writes is below 300.
const FILE_SIZE_MAX: u64 = 4096;

/// Why remembered heads cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum HeadsError {
    /// The file, its folder or its lock cannot be opened, read or written.
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file is not what this module writes.
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// The file belongs to another deployment.
    OtherDeployment {
        /// The file.
        path: PathBuf,
    },
    /// The new heads do not lie ahead: a smaller tree, another root of the same size, or an older
    /// release policy.
    NotForward {
        /// What is remembered.
        remembered: RememberedHead,
        /// What was offered.
        offered: RememberedHead,
    },
}

impl fmt::Display for HeadsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, .. } => write!(f, "cannot use {}", path.display()),
            Self::Malformed { path } => {
                write!(f, "{} does not hold remembered heads", path.display())
            }
            Self::OtherDeployment { path } => {
                write!(f, "{} belongs to another deployment", path.display())
            }
            Self::NotForward {
                remembered,
                offered,
            } => write!(
                f,
                "the log went backwards or was rewritten: remembered size {} under policy {}, \
                 offered size {} under policy {}",
                remembered.size, remembered.policy_version, offered.size, offered.policy_version
            ),
        }
    }
}

impl StdError for HeadsError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Malformed { .. } | Self::OtherDeployment { .. } | Self::NotForward { .. } => None,
        }
    }
}

/// Where the heads of one deployment are remembered.
#[derive(Clone, Debug)]
pub struct HeadStore {
    path: PathBuf,
    deployment_id: [u8; 32],
}

impl HeadStore {
    /// A store in `path` (usually `…/chancery/<deployment>/heads.json`) for one deployment.
    /// Nothing is opened yet.
    #[must_use]
    pub fn new(path: &Path, deployment_id: [u8; 32]) -> Self {
        Self {
            path: path.to_owned(),
            deployment_id,
        }
    }

    /// Takes the store's lock, waiting for any other command that holds it, and reads the heads.
    ///
    /// # Errors
    ///
    /// [`HeadsError::Io`], [`HeadsError::Malformed`] or [`HeadsError::OtherDeployment`]. A missing
    /// file is no error: nothing is remembered.
    pub fn lock(&self) -> Result<LockedHeads, HeadsError> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder).map_err(|source| io_error(folder, source))?;
        }
        // The lock is a file beside, because the heads file itself is replaced on every write.
        let lock_path = with_suffix(&self.path, ".lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(|source| io_error(&lock_path, source))?;
        lock.lock().map_err(|source| io_error(&lock_path, source))?;
        let remembered = self.read()?;
        Ok(LockedHeads {
            store: self.clone(),
            remembered,
            _lock: lock,
        })
    }

    fn read(&self) -> Result<Option<RememberedHead>, HeadsError> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(io_error(&self.path, source)),
        };
        let mut text = Vec::new();
        file.take(FILE_SIZE_MAX)
            .read_to_end(&mut text)
            .map_err(|source| io_error(&self.path, source))?;
        let (deployment_id, head) = parse(&text).ok_or_else(|| HeadsError::Malformed {
            path: self.path.clone(),
        })?;
        if deployment_id != self.deployment_id {
            return Err(HeadsError::OtherDeployment {
                path: self.path.clone(),
            });
        }
        Ok(Some(head))
    }

    /// Writes beside the file, makes the bytes durable, then replaces the file and makes the
    /// replacement durable.
    fn write(&self, head: &RememberedHead) -> Result<(), HeadsError> {
        let new_path = with_suffix(&self.path, ".new");
        let result = (|| {
            let mut file = File::create(&new_path)?;
            file.write_all(&to_json(&self.deployment_id, head))?;
            file.sync_all()?;
            fs::rename(&new_path, &self.path)?;
            match self.path.parent() {
                Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
                _ => Ok(()),
            }
        })();
        result.map_err(|source| io_error(&self.path, source))
    }
}

/// Remembered heads under their lock, which is released on drop.
#[derive(Debug)]
pub struct LockedHeads {
    store: HeadStore,
    remembered: Option<RememberedHead>,
    _lock: File,
}

impl LockedHeads {
    /// What is remembered; `None` the first time.
    #[must_use]
    pub fn remembered(&self) -> Option<&RememberedHead> {
        self.remembered.as_ref()
    }

    /// Remembers `offered`, which the caller has verified to extend what is remembered.
    ///
    /// # Errors
    ///
    /// [`HeadsError::NotForward`], the file then being untouched; [`HeadsError::Io`] if it cannot be
    /// written.
    pub fn advance(&mut self, offered: RememberedHead) -> Result<(), HeadsError> {
        if let Some(remembered) = self.remembered {
            let forward = offered.size >= remembered.size
                && (offered.size > remembered.size || offered.root == remembered.root)
                && offered.policy_version >= remembered.policy_version;
            if !forward {
                return Err(HeadsError::NotForward {
                    remembered,
                    offered,
                });
            }
            if offered == remembered {
                return Ok(());
            }
        }
        self.store.write(&offered)?;
        self.remembered = Some(offered);
        Ok(())
    }
}

fn to_json(deployment_id: &[u8; 32], head: &RememberedHead) -> Vec<u8> {
    let mut json = Object::with_capacity(5)
        .with("version", FILE_VERSION)
        .with("deployment_id", hex::encode(deployment_id))
        .with("size", head.size)
        .with("root", hex::encode(head.root))
        .with("policy_version", head.policy_version)
        .to_bytes();
    json.push(b'\n');
    json
}

fn parse(text: &[u8]) -> Option<([u8; 32], RememberedHead)> {
    let mut fields = Fields::parse(text, &Limits::DOCUMENT).ok()?;
    let version = fields.take_u64("version").ok()?;
    let deployment_id = digest(&fields.take_str("deployment_id").ok()?)?;
    let head = RememberedHead {
        size: fields.take_u64("size").ok()?,
        root: digest(&fields.take_str("root").ok()?)?,
        policy_version: fields.take_u64("policy_version").ok()?,
    };
    fields.finish().ok()?;
    (version == FILE_VERSION).then_some((deployment_id, head))
}

fn digest(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    hex::decode_to_slice(text, &mut digest).ok()?;
    // One digest has one spelling.
    (hex::encode(digest) == text).then_some(digest)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn io_error(path: &Path, source: io::Error) -> HeadsError {
    HeadsError::Io {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    static FOLDERS: AtomicU32 = AtomicU32::new(0);

    /// A folder of this test alone, removed on drop.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
            let name = format!("chancery-heads-{}-{number}", std::process::id());
            Self(std::env::temp_dir().join(name))
        }

        fn store(&self) -> HeadStore {
            HeadStore::new(&self.0.join("state/heads.json"), [1; 32])
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn heads(size: u64, root: u8, policy_version: u64) -> RememberedHead {
        RememberedHead {
            size,
            root: [root; 32],
            policy_version,
        }
    }

    #[test]
    fn remembers_nothing_at_first_and_the_newest_afterwards() {
        let folder = Folder::new();
        assert_eq!(folder.store().lock().unwrap().remembered(), None);
        for next in [
            heads(1, 1, 1),
            heads(1, 1, 1),
            heads(1, 1, 2),
            heads(7, 2, 2),
        ] {
            folder.store().lock().unwrap().advance(next).unwrap();
            assert_eq!(folder.store().lock().unwrap().remembered(), Some(&next));
        }
    }

    #[test]
    fn refuses_a_smaller_tree_another_root_and_an_older_policy() {
        let folder = Folder::new();
        let remembered = heads(7, 2, 2);
        folder.store().lock().unwrap().advance(remembered).unwrap();
        for backwards in [
            heads(6, 2, 2),
            heads(7, 3, 2),
            heads(7, 2, 1),
            heads(8, 2, 1),
        ] {
            let refused = folder.store().lock().unwrap().advance(backwards);
            assert!(
                matches!(refused, Err(HeadsError::NotForward { .. })),
                "{backwards:?}"
            );
            assert_eq!(
                folder.store().lock().unwrap().remembered(),
                Some(&remembered)
            );
        }
    }

    #[test]
    fn refuses_a_file_of_another_deployment() {
        let folder = Folder::new();
        let store = folder.store();
        store.lock().unwrap().advance(heads(1, 1, 1)).unwrap();
        let refused = HeadStore::new(&store.path, [2; 32]).lock();
        assert!(matches!(refused, Err(HeadsError::OtherDeployment { .. })));
    }

    #[test]
    fn refuses_a_file_that_it_did_not_write() {
        let folder = Folder::new();
        let store = folder.store();
        store.lock().unwrap().advance(heads(1, 0xAB, 1)).unwrap();
        let good = fs::read_to_string(&store.path).unwrap();
        for bad in [
            String::new(),
            "{}".to_owned(),
            good.replace("\"version\":1,", ""),
            good.replace("\"version\":1,", "\"version\":2,"),
            good.replace("\"version\":1,", "\"version\":1,\"other\":1,"),
            good.replace("abab", "ABAB"),
            good.replace("abab", "ab"),
            good.replace("\"size\":1", "\"size\":-1"),
        ] {
            assert_ne!(bad, good);
            fs::write(&store.path, &bad).unwrap();
            assert!(
                matches!(store.lock(), Err(HeadsError::Malformed { .. })),
                "{bad}"
            );
        }
    }

    #[test]
    fn keeps_the_old_heads_when_a_write_was_cut_off() {
        let folder = Folder::new();
        let store = folder.store();
        store.lock().unwrap().advance(heads(1, 1, 1)).unwrap();
        fs::write(with_suffix(&store.path, ".new"), b"{\"version\":1,\"dep").unwrap();
        assert_eq!(store.lock().unwrap().remembered(), Some(&heads(1, 1, 1)));
        store.lock().unwrap().advance(heads(2, 2, 1)).unwrap();
        assert_eq!(store.lock().unwrap().remembered(), Some(&heads(2, 2, 1)));
    }

    #[test]
    fn is_held_by_one_command_at_a_time() {
        let folder = Folder::new();
        let store = folder.store();
        let held = store.lock().unwrap();
        let second = File::open(with_suffix(&store.path, ".lock")).unwrap();
        assert!(matches!(
            second.try_lock(),
            Err(fs::TryLockError::WouldBlock)
        ));
        drop(held);
        second.try_lock().unwrap();
    }
}
