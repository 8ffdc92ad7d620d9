//! Remembered heads: what this client has seen of a deployment, on disk, only ever forward.
//!
//! The store is a cache of the client's own verified past, not a trust anchor: whoever deletes it
//! makes the client forget (which every report then says), and whoever edits it makes the client
//! refuse. The file is replaced atomically under a lock that spans the whole appraisal, so that two
//! commands at once cannot move it backwards between them.

use core::error::Error as StdError;
use core::fmt;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use chancery_json::{Fields, Limits, Object};
use chancery_session::RememberedHead;

/// The version of the file that is written. Version 1, which is still read, had no tenants.
const FILE_VERSION: u64 = 3;

/// Largest file in bytes; [`TENANTS_MAX`] tenants take less.
const FILE_SIZE_MAX: u64 = 1024 * 1024;

/// Most tenants whose heads are remembered: a person belongs to a few, an auditor to some.
const TENANTS_MAX: usize = 4096;

/// What a client has seen of one tenant's log: the head that a verified proof named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "whoever remembers a head must name every member"
)]
pub struct RememberedTenant {
    /// How many heads the tenant has had, this one included.
    pub version: u64,
    /// Leaves of its log.
    pub size: u64,
    /// Chain over all its heads.
    pub chain: [u8; 32],
}

impl RememberedTenant {
    /// Whether `next` may follow: later and larger, or the very same.
    fn allows(&self, next: &Self) -> bool {
        next == self || (next.version > self.version && next.size > self.size)
    }
}

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
    /// A tenant's new head does not lie ahead, or is another one of the same version.
    TenantNotForward {
        /// What is remembered.
        remembered: RememberedTenant,
        /// What was offered.
        offered: RememberedTenant,
    },
    /// A tenant's head cannot be remembered before the deployment's.
    HeadFirst,
    /// More tenants than are remembered in one file.
    TooManyTenants,
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
                "the log went backwards or was rewritten: remembered size {} under policy {} and \
                 floors {}, offered size {} under policy {} and floors {}",
                remembered.size,
                remembered.policy_version,
                remembered.floors_version,
                offered.size,
                offered.policy_version,
                offered.floors_version
            ),
            Self::TenantNotForward {
                remembered,
                offered,
            } => write!(
                f,
                "the tenant's log went backwards or was rewritten: remembered head {} of size {}, \
                 offered head {} of size {}",
                remembered.version, remembered.size, offered.version, offered.size
            ),
            Self::HeadFirst => f.write_str("nothing is remembered of the deployment yet"),
            Self::TooManyTenants => {
                write!(f, "no more than {TENANTS_MAX} tenants are remembered")
            }
        }
    }
}

impl StdError for HeadsError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Malformed { .. }
            | Self::OtherDeployment { .. }
            | Self::NotForward { .. }
            | Self::TenantNotForward { .. }
            | Self::HeadFirst
            | Self::TooManyTenants => None,
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
        let (remembered, tenants) = match self.read()? {
            Some(memory) => (Some(memory.head), memory.tenants),
            None => (None, BTreeMap::new()),
        };
        Ok(LockedHeads {
            store: self.clone(),
            remembered,
            tenants,
            _lock: lock,
        })
    }

    fn read(&self) -> Result<Option<Memory>, HeadsError> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(io_error(&self.path, source)),
        };
        let mut text = Vec::new();
        file.take(FILE_SIZE_MAX)
            .read_to_end(&mut text)
            .map_err(|source| io_error(&self.path, source))?;
        let (deployment_id, memory) = parse(&text).ok_or_else(|| HeadsError::Malformed {
            path: self.path.clone(),
        })?;
        if deployment_id != self.deployment_id {
            return Err(HeadsError::OtherDeployment {
                path: self.path.clone(),
            });
        }
        Ok(Some(memory))
    }

    /// Writes beside the file, makes the bytes durable, then replaces the file and makes the
    /// replacement durable.
    fn write(&self, head: &RememberedHead, tenants: &Tenants) -> Result<(), HeadsError> {
        let new_path = with_suffix(&self.path, ".new");
        let result = (|| {
            let mut file = File::create(&new_path)?;
            file.write_all(&to_json(&self.deployment_id, head, tenants))?;
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
    tenants: Tenants,
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
                && offered.policy_version >= remembered.policy_version
                && offered.floors_version >= remembered.floors_version;
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
        self.store.write(&offered, &self.tenants)?;
        self.remembered = Some(offered);
        Ok(())
    }

    /// What is remembered of a tenant's log; `None` the first time.
    #[must_use]
    pub fn tenant(&self, tenant: &[u8; 16]) -> Option<&RememberedTenant> {
        self.tenants.get(tenant)
    }

    /// Remembers a tenant's head, which the caller has verified under a head of the deployment.
    ///
    /// # Errors
    ///
    /// [`HeadsError::TenantNotForward`], [`HeadsError::HeadFirst`] or [`HeadsError::TooManyTenants`],
    /// the file then being untouched; [`HeadsError::Io`] if it cannot be written.
    pub fn advance_tenant(
        &mut self,
        tenant: [u8; 16],
        offered: RememberedTenant,
    ) -> Result<(), HeadsError> {
        let head = self.remembered.ok_or(HeadsError::HeadFirst)?;
        match self.tenants.get(&tenant) {
            Some(&remembered) if !remembered.allows(&offered) => {
                return Err(HeadsError::TenantNotForward {
                    remembered,
                    offered,
                });
            }
            Some(&remembered) if remembered == offered => return Ok(()),
            None if self.tenants.len() >= TENANTS_MAX => return Err(HeadsError::TooManyTenants),
            _ => {}
        }
        let mut tenants = self.tenants.clone();
        tenants.insert(tenant, offered);
        self.store.write(&head, &tenants)?;
        self.tenants = tenants;
        Ok(())
    }
}

type Tenants = BTreeMap<[u8; 16], RememberedTenant>;

/// Everything that the file holds besides whose it is.
struct Memory {
    head: RememberedHead,
    tenants: Tenants,
}

fn to_json(deployment_id: &[u8; 32], head: &RememberedHead, tenants: &Tenants) -> Vec<u8> {
    let tenants = tenants.iter().fold(Object::new(), |all, (tenant, seen)| {
        let seen = Object::with_capacity(3)
            .with("version", seen.version)
            .with("size", seen.size)
            .with("chain", hex::encode(seen.chain));
        all.with(&hex::encode(tenant), seen)
    });
    let mut json = Object::with_capacity(7)
        .with("version", FILE_VERSION)
        .with("deployment_id", hex::encode(deployment_id))
        .with("size", head.size)
        .with("root", hex::encode(head.root))
        .with("policy_version", head.policy_version)
        .with("floors_version", head.floors_version)
        .with("tenants", tenants)
        .to_bytes();
    json.push(b'\n');
    json
}

fn parse(text: &[u8]) -> Option<([u8; 32], Memory)> {
    let mut fields = Fields::parse(text, &Limits::DOCUMENT).ok()?;
    let version = fields.take_u64("version").ok()?;
    let deployment_id = digits(&fields.take_str("deployment_id").ok()?)?;
    let head = RememberedHead {
        size: fields.take_u64("size").ok()?,
        root: digits(&fields.take_str("root").ok()?)?,
        policy_version: fields.take_u64("policy_version").ok()?,
        floors_version: match version {
            // Written before there were floors to remember.
            1 | 2 => 0,
            _ => fields.take_u64("floors_version").ok()?,
        },
    };
    let tenants = match version {
        1 => Tenants::new(),
        2 | FILE_VERSION => parse_tenants(fields.take_object("tenants").ok()?)?,
        _ => return None,
    };
    fields.finish().ok()?;
    Some((deployment_id, Memory { head, tenants }))
}

fn parse_tenants(fields: Fields) -> Option<Tenants> {
    fields
        .take_rest()
        .into_iter()
        .map(|(tenant, element)| {
            let mut fields = element.into_fields().ok()?;
            let seen = RememberedTenant {
                version: fields.take_u64("version").ok()?,
                size: fields.take_u64("size").ok()?,
                chain: digits(&fields.take_str("chain").ok()?)?,
            };
            fields.finish().ok()?;
            Some((digits(&tenant)?, seen))
        })
        .collect()
}

fn digits<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    // One value has one spelling.
    (hex::encode(bytes) == text).then_some(bytes)
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
            floors_version: 5,
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
            RememberedHead {
                floors_version: 4,
                ..heads(8, 2, 2)
            },
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

    fn seen(version: u64, size: u64, chain: u8) -> RememberedTenant {
        RememberedTenant {
            version,
            size,
            chain: [chain; 32],
        }
    }

    #[test]
    fn remembers_each_tenants_newest_head_beside_the_deployments() {
        let folder = Folder::new();
        let store = folder.store();
        let advance = |tenant: u8, offered| {
            let mut heads = folder.store().lock().unwrap();
            heads.advance_tenant([tenant; 16], offered)
        };
        assert!(matches!(
            advance(1, seen(1, 2, 1)),
            Err(HeadsError::HeadFirst)
        ));
        store.lock().unwrap().advance(heads(1, 1, 1)).unwrap();
        for next in [seen(1, 2, 1), seen(1, 2, 1), seen(3, 9, 3)] {
            advance(1, next).unwrap();
            assert_eq!(store.lock().unwrap().tenant(&[1; 16]), Some(&next));
        }
        advance(2, seen(1, 1, 7)).unwrap();
        store.lock().unwrap().advance(heads(2, 2, 1)).unwrap();
        let locked = store.lock().unwrap();
        assert_eq!(locked.remembered(), Some(&heads(2, 2, 1)));
        assert_eq!(locked.tenant(&[1; 16]), Some(&seen(3, 9, 3)));
        assert_eq!(locked.tenant(&[2; 16]), Some(&seen(1, 1, 7)));
        assert_eq!(locked.tenant(&[3; 16]), None);
    }

    #[test]
    fn refuses_a_tenants_head_that_does_not_lie_ahead() {
        let folder = Folder::new();
        let mut locked = folder.store().lock().unwrap();
        locked.advance(heads(1, 1, 1)).unwrap();
        locked.advance_tenant([1; 16], seen(3, 9, 3)).unwrap();
        for backwards in [
            seen(2, 9, 3),
            seen(2, 8, 2),
            seen(3, 9, 4),
            seen(3, 10, 3),
            seen(4, 9, 4),
            seen(4, 8, 4),
        ] {
            let refused = locked.advance_tenant([1; 16], backwards);
            assert!(
                matches!(refused, Err(HeadsError::TenantNotForward { .. })),
                "{backwards:?}"
            );
        }
        drop(locked);
        let locked = folder.store().lock().unwrap();
        assert_eq!(locked.tenant(&[1; 16]), Some(&seen(3, 9, 3)));
    }

    #[test]
    fn remembers_a_bounded_number_of_tenants() {
        let folder = Folder::new();
        let mut locked = folder.store().lock().unwrap();
        locked.advance(heads(1, 1, 1)).unwrap();
        for number in 0..u64::try_from(TENANTS_MAX).unwrap() {
            let mut tenant = [0; 16];
            tenant[..8].copy_from_slice(&number.to_be_bytes());
            locked.tenants.insert(tenant, seen(u64::MAX, u64::MAX, 1));
        }
        let refused = locked.advance_tenant([1; 16], seen(1, 1, 1));
        assert!(matches!(refused, Err(HeadsError::TooManyTenants)));
        // As many as are allowed are also read back.
        locked.advance(heads(2, 2, 1)).unwrap();
        drop(locked);
        let locked = folder.store().lock().unwrap();
        assert_eq!(locked.tenants.len(), TENANTS_MAX);
    }

    #[test]
    fn reads_files_from_before_tenants_and_floors_were_remembered() {
        let folder = Folder::new();
        let store = folder.store();
        store.lock().unwrap().advance(heads(1, 1, 1)).unwrap();
        let text = fs::read_to_string(&store.path).unwrap();
        let second = text
            .replace("\"version\":3", "\"version\":2")
            .replace(",\"floors_version\":5", "");
        let first = second
            .replace("\"version\":2", "\"version\":1")
            .replace(",\"tenants\":{}", "");
        assert!(text.len() > second.len() && second.len() > first.len());
        for older in [first, second] {
            fs::write(&store.path, older).unwrap();
            let read = RememberedHead {
                floors_version: 0,
                ..heads(1, 1, 1)
            };
            assert_eq!(store.lock().unwrap().remembered(), Some(&read));
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
            good.replace("\"version\":3,", ""),
            good.replace("\"version\":3,", "\"version\":4,"),
            good.replace("\"version\":3,", "\"version\":2,"),
            good.replace("\"version\":3,", "\"version\":1,"),
            good.replace("\"version\":3,", "\"version\":3,\"other\":1,"),
            good.replace(",\"floors_version\":5", ""),
            good.replace("\"tenants\":{}", "\"tenants\":{\"00\":{}}"),
            good.replace("\"tenants\":{}", "\"tenants\":[]"),
            good.replace(",\"tenants\":{}", ""),
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
        fs::write(with_suffix(&store.path, ".new"), b"{\"version\":2,\"dep").unwrap();
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
