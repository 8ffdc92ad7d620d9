//! Files that the command reads and writes: bounded reads, private and atomic writes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _,
    PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use chancery_authority::KeyFile;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::error::CliError;

/// Largest document that the command reads, in bytes: signed envelopes are far smaller.
pub(crate) const DOCUMENT_SIZE_MAX: u64 = 2 * 1024 * 1024;

/// Largest table of people, in bytes: 100,000 of them with their keys are about 180 MB.
const TABLE_SIZE_MAX: u64 = 512 * 1024 * 1024;

/// Largest kernel or initial filesystem, in bytes: both are loaded below 4 GiB.
const BOOT_FILE_SIZE_MAX: u64 = 4 * 1024 * 1024 * 1024;

/// So many bytes are hashed at once.
const HASH_BLOCK_SIZE: usize = 64 * 1024;

/// Largest key file, in bytes.
const KEY_FILE_SIZE_MAX: u64 = 4096;

/// Only the owner may read or write.
const PRIVATE_MODE: u32 = 0o600;

/// Everybody may read what is public.
const PUBLIC_MODE: u32 = 0o644;

/// Only the owner may list the folder of keys.
const PRIVATE_FOLDER_MODE: u32 = 0o700;

/// Permission bits that give somebody else a secret.
const OTHERS_MASK: u32 = 0o077;

/// Who may read a written file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Privacy {
    /// Mode 0600.
    Private,
    /// Mode 0644.
    Public,
}

/// Whether an existing file is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    /// It is left alone and the command fails.
    Keep,
    /// `--force`: a regular file that holds no key is replaced; anything else is left alone and the command fails.
    Force,
    /// A file that this program keeps for itself is replaced, whatever it holds.
    Replace,
}

impl Existing {
    /// From the `--force` flag.
    pub(crate) fn from_force(force: bool) -> Self {
        if force { Self::Force } else { Self::Keep }
    }
}

/// Where a shell puts the other end of `<(command)` and `<<<text`.
const DESCRIPTOR_FOLDERS: [&str; 2] = ["/dev/fd", "/proc/self/fd"];

/// Opens a file to read. A folder is refused here, before anything is said about its permissions. A named pipe is
/// refused because nobody may ever write to it; pipes that a shell hands over are not named.
fn open(path: &Path) -> Result<File, CliError> {
    let refused = |source| Err(read_error(path, source));
    let kind = match fs::metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(source) => return refused(source),
    };
    if kind.is_dir() {
        return refused(io::ErrorKind::IsADirectory.into());
    }
    let handed_over = path == Path::new("/dev/stdin")
        || DESCRIPTOR_FOLDERS
            .iter()
            .any(|folder| path.starts_with(folder));
    if kind.is_fifo() && !handed_over {
        return refused(io::Error::other("it is a named pipe"));
    }
    File::open(path).or_else(refused)
}

/// Reads a document of at most [`DOCUMENT_SIZE_MAX`] bytes.
pub(crate) fn read_document(path: &Path) -> Result<Vec<u8>, CliError> {
    let file = open(path)?;
    read_bounded(file, path, DOCUMENT_SIZE_MAX)
}

/// Reads a table of people.
pub(crate) fn read_table(path: &Path) -> Result<Vec<u8>, CliError> {
    let file = open(path)?;
    read_bounded(file, path, TABLE_SIZE_MAX)
}

/// Reads a file of at most `size_max` bytes.
pub(crate) fn read_part(path: &Path, size_max: u64) -> Result<Vec<u8>, CliError> {
    let file = open(path)?;
    read_bounded(file, path, size_max)
}

/// The SHA-256 of a file of at most [`BOOT_FILE_SIZE_MAX`] bytes, which is never held in memory as a whole.
pub(crate) fn sha256_of(path: &Path) -> Result<[u8; 32], CliError> {
    let too_large = || CliError::FileTooLarge {
        path: path.to_owned(),
        size_max: BOOT_FILE_SIZE_MAX,
    };
    let file = open(path)?;
    let metadata = file.metadata().map_err(|source| read_error(path, source))?;
    // Hashing so much takes a while; what is not a regular file has no size beforehand.
    if metadata.len() > BOOT_FILE_SIZE_MAX {
        return Err(too_large());
    }
    let mut rest = file.take(BOOT_FILE_SIZE_MAX.saturating_add(1));
    let mut hash = Sha256::new();
    let mut block = vec![0; HASH_BLOCK_SIZE];
    loop {
        let count = rest
            .read(&mut block)
            .map_err(|source| read_error(path, source))?;
        if count == 0 {
            break;
        }
        hash.update(block.get(..count).unwrap_or_default());
    }
    if rest.limit() == 0 {
        return Err(too_large());
    }
    Ok(hash.finalize().into())
}

/// Reads a key file, refusing one that somebody else can read.
pub(crate) fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, CliError> {
    let file = open(path)?;
    let mode = file
        .metadata()
        .map_err(|source| read_error(path, source))?
        .permissions()
        .mode();
    if mode & OTHERS_MASK != 0 {
        return Err(CliError::KeyExposed {
            path: path.to_owned(),
        });
    }
    read_bounded(file, path, KEY_FILE_SIZE_MAX).map(Zeroizing::new)
}

fn read_bounded(file: File, path: &Path, size_max: u64) -> Result<Vec<u8>, CliError> {
    let capacity = usize::try_from(size_max.min(KEY_FILE_SIZE_MAX)).unwrap_or_default();
    let mut bytes = Vec::with_capacity(capacity);
    file.take(size_max.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|source| read_error(path, source))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > size_max {
        return Err(CliError::FileTooLarge {
            path: path.to_owned(),
            size_max,
        });
    }
    Ok(bytes)
}

/// Refuses to write over a file that the command reads, under whatever name.
pub(crate) fn refuse_inputs<'a>(
    out: &Path,
    inputs: impl IntoIterator<Item = &'a Path>,
) -> Result<(), CliError> {
    let identity = |path: &Path| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.dev(), metadata.ino()))
    };
    let Some(written) = identity(out) else {
        return Ok(());
    };
    if inputs
        .into_iter()
        .any(|path| identity(path) == Some(written))
    {
        return Err(CliError::OutputProtected {
            path: out.to_owned(),
            reason: "the command reads it",
        });
    }
    Ok(())
}

/// Refuses to replace what `--force` was not meant for.
pub(crate) fn check_replaceable(path: &Path) -> Result<(), CliError> {
    let protected = |reason| {
        Err(CliError::OutputProtected {
            path: path.to_owned(),
            reason,
        })
    };
    let Ok(metadata) = path.symlink_metadata() else {
        return Ok(());
    };
    if !metadata.is_file() {
        return protected("it is not a regular file");
    }
    if metadata.len() > KEY_FILE_SIZE_MAX {
        return Ok(());
    }
    let bytes = read_part(path, KEY_FILE_SIZE_MAX).map(Zeroizing::new)?;
    match KeyFile::from_json(&bytes) {
        Ok(_key) => protected("it holds a private key"),
        Err(_no_key) => Ok(()),
    }
}

/// Writes a whole file: beside it first, durable, then put in place. An existing file is never
/// replaced unless `existing` says so.
pub(crate) fn write(
    path: &Path,
    bytes: &[u8],
    privacy: Privacy,
    existing: Existing,
) -> Result<(), CliError> {
    if existing == Existing::Keep && path.symlink_metadata().is_ok() {
        return Err(CliError::FileExists {
            path: path.to_owned(),
        });
    }
    if existing == Existing::Force {
        check_replaceable(path)?;
    }
    let beside = beside(path);
    let result = write_beside(path, &beside, bytes, privacy, existing);
    if result.is_err() {
        // What is left of an unfinished write is of no use; the first error is the one to tell.
        drop(fs::remove_file(&beside));
    }
    result.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => CliError::FileExists {
            path: path.to_owned(),
        },
        _ => CliError::FileWrite {
            path: path.to_owned(),
            source,
        },
    })
}

fn write_beside(
    path: &Path,
    beside: &Path,
    bytes: &[u8],
    privacy: Privacy,
    existing: Existing,
) -> io::Result<()> {
    let mode = match privacy {
        Privacy::Private => PRIVATE_MODE,
        Privacy::Public => PUBLIC_MODE,
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    match existing {
        // A hard link fails if the name was taken meanwhile; a rename would replace it.
        Existing::Keep => {
            fs::hard_link(beside, path)?;
            fs::remove_file(beside)
        }
        Existing::Force | Existing::Replace => fs::rename(beside, path),
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    PathBuf::from(name)
}

/// Makes a folder for keys and what belongs to them, readable by its owner alone.
pub(crate) fn make_private_folder(path: &Path) -> Result<(), CliError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(PRIVATE_FOLDER_MODE)
        .create(path)
        .map_err(|source| CliError::FileWrite {
            path: path.to_owned(),
            source,
        })
}

fn read_error(path: &Path, source: io::Error) -> CliError {
    CliError::FileRead {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    static FOLDERS: AtomicU32 = AtomicU32::new(0);

    /// A folder of one test, removed on drop.
    pub(crate) struct Folder(PathBuf);

    impl Folder {
        pub(crate) fn new() -> Self {
            let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
            let name = format!("chancery-cli-{}-{number}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir(&path).unwrap();
            Self(path)
        }

        pub(crate) fn path(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn writes_secrets_for_their_owner_alone_and_leaves_nothing_beside() {
        let folder = Folder::new();
        let path = folder.path("key");
        write(&path, b"secret", Privacy::Private, Existing::Keep).unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(read_secret(&path).unwrap().as_slice(), b"secret");
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
    }

    #[test]
    fn never_replaces_a_file_without_force() {
        let folder = Folder::new();
        let path = folder.path("key");
        write(&path, b"first", Privacy::Private, Existing::Keep).unwrap();
        let refused = write(&path, b"second", Privacy::Private, Existing::Keep);
        assert!(matches!(refused, Err(CliError::FileExists { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"first");
        write(&path, b"second", Privacy::Private, Existing::Force).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
    }

    fn assert_protected(path: &Path, expected: &str) {
        let refused = write(path, b"new", Privacy::Public, Existing::Force);
        match refused {
            Err(CliError::OutputProtected { reason, .. }) => assert_eq!(reason, expected),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn force_replaces_no_key_no_device_no_link_and_no_folder() {
        let folder = Folder::new();
        let path = folder.path("own.key");
        crate::keys::create_signing_key(&path).unwrap();
        let key = fs::read(&path).unwrap();
        assert_protected(&path, "it holds a private key");
        assert_eq!(fs::read(&path).unwrap(), key);
        let recovery = folder.path("recovery.key");
        crate::keys::create_recovery_key(&recovery).unwrap();
        assert_protected(&recovery, "it holds a private key");
        let link = folder.path("link");
        std::os::unix::fs::symlink("/dev/full", &link).unwrap();
        for path in [link.as_path(), Path::new("/dev/full"), &folder.0] {
            assert_protected(path, "it is not a regular file");
        }
        assert!(link.is_symlink());
        let large = folder.path("large");
        fs::write(&large, vec![b' '; 5000]).unwrap();
        write(&large, b"new", Privacy::Public, Existing::Force).unwrap();
        assert_eq!(fs::read(&large).unwrap(), b"new");
    }

    #[test]
    fn an_input_is_recognised_under_another_name() {
        let folder = Folder::new();
        let (input, alias, other) = (
            folder.path("in"),
            folder.path("alias"),
            folder.path("other"),
        );
        fs::write(&input, b"1").unwrap();
        fs::write(&other, b"1").unwrap();
        fs::hard_link(&input, &alias).unwrap();
        let inputs = [folder.path("absent"), input.clone()];
        let inputs = || inputs.iter().map(PathBuf::as_path);
        for path in [&input, &alias] {
            assert!(matches!(
                refuse_inputs(path, inputs()),
                Err(CliError::OutputProtected { .. })
            ));
        }
        refuse_inputs(&other, inputs()).unwrap();
        refuse_inputs(&folder.path("absent"), inputs()).unwrap();
    }

    #[test]
    fn a_named_pipe_and_a_folder_are_refused_at_once_and_a_handed_over_pipe_is_read() {
        let folder = Folder::new();
        let pipe = folder.path("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let told = |path: &Path| match read_document(path) {
            Err(CliError::FileRead { source, .. }) => source.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(told(&pipe), "it is a named pipe");
        assert_eq!(told(&folder.0), "is a directory");
        assert!(matches!(
            read_secret(&folder.0),
            Err(CliError::FileRead { .. })
        ));
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"handed over").unwrap();
        drop(writer);
        let number = std::os::fd::AsRawFd::as_raw_fd(&reader);
        for folder in DESCRIPTOR_FOLDERS {
            let path = Path::new(folder).join(number.to_string());
            let bytes = read_document(&path).unwrap();
            // The second name finds the same pipe, which is empty by then.
            let expected: &[u8] = if folder == "/dev/fd" {
                b"handed over"
            } else {
                b""
            };
            assert_eq!(bytes, expected);
        }
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "that nothing is hashed shows in the time alone"
    )]
    fn a_boot_file_over_the_limit_is_refused_before_it_is_hashed() {
        let folder = Folder::new();
        let path = folder.path("kernel");
        File::create(&path)
            .unwrap()
            .set_len(BOOT_FILE_SIZE_MAX + 1)
            .unwrap();
        let begun = std::time::Instant::now();
        assert!(matches!(
            sha256_of(&path),
            Err(CliError::FileTooLarge { .. })
        ));
        assert!(begun.elapsed() < std::time::Duration::from_secs(1));
    }

    #[test]
    fn never_writes_through_a_dangling_link() {
        let folder = Folder::new();
        let path = folder.path("key");
        std::os::unix::fs::symlink(folder.path("elsewhere"), &path).unwrap();
        let refused = write(&path, b"secret", Privacy::Private, Existing::Keep);
        assert!(matches!(refused, Err(CliError::FileExists { .. })));
        assert!(!folder.path("elsewhere").exists());
    }

    #[test]
    fn refuses_a_key_that_others_can_read() {
        let folder = Folder::new();
        let path = folder.path("key");
        write(&path, b"secret", Privacy::Public, Existing::Keep).unwrap();
        assert!(matches!(
            read_secret(&path),
            Err(CliError::KeyExposed { .. })
        ));
    }

    #[test]
    fn hashes_a_file_block_by_block() {
        let folder = Folder::new();
        let path = folder.path("kernel");
        for size in [0, 1, HASH_BLOCK_SIZE, 3 * HASH_BLOCK_SIZE + 7] {
            let bytes: Vec<u8> = (0..size).map(|place| place.to_le_bytes()[1]).collect();
            fs::write(&path, &bytes).unwrap();
            let expected: [u8; 32] = Sha256::digest(&bytes).into();
            assert_eq!(sha256_of(&path).unwrap(), expected, "{size}");
        }
        assert!(matches!(
            sha256_of(&folder.path("absent")),
            Err(CliError::FileRead { .. })
        ));
    }

    #[test]
    fn refuses_files_over_the_limit() {
        let folder = Folder::new();
        let path = folder.path("document");
        let size = usize::try_from(DOCUMENT_SIZE_MAX).unwrap();
        fs::write(&path, vec![b' '; size]).unwrap();
        assert_eq!(read_document(&path).unwrap().len(), size);
        fs::write(&path, vec![b' '; size + 1]).unwrap();
        assert!(matches!(
            read_document(&path),
            Err(CliError::FileTooLarge { .. })
        ));
    }
}
