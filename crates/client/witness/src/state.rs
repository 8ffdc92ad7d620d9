//! The state folder: its lock, the witness's seed, and one head file per log.

use std::fs::DirBuilder;
use std::fs::File;
use std::fs::OpenOptions;
use std::fs::TryLockError;
use std::io;
use std::io::Read as _;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::fs::FileExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;

use chancery_tlog::CosignerKey;
use chancery_tlog::SignedNote;
use chancery_tlog::VerifierKey;
use chancery_tlog::witness::WitnessedHead;
use sha2::Digest as _;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::Error;
use crate::service::report;

/// Bytes of the seed file.
const SEED_BYTES: usize = 32;

/// Bytes of a slot: one page, so that a write seldom tears.
const SLOT_BYTES: usize = 4096;
/// Bytes of the digest at the end of a slot.
const DIGEST_BYTES: usize = 32;
/// First bytes of a slot.
const MAGIC: &[u8; 8] = b"CHWITNS1";
/// Magic, sequence and length.
const HEADER_BYTES: usize = 20;
/// Largest note in a slot: a checkpoint with its log's signature has under a kilobyte.
const HEAD_NOTE_BYTES_MAX: usize = SLOT_BYTES - HEADER_BYTES - DIGEST_BYTES;

/// A locked state folder. The lock ends with the value or the process.
#[derive(Debug)]
pub(crate) struct StateFolder {
    path: PathBuf,
    _lock: File,
}

impl StateFolder {
    /// Makes the folder if it is absent, and locks it.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|e| Error::Io("state folder", e))?;
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join("lock"))
            .map_err(|e| Error::Io("lock file", e))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path: path.to_path_buf(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(Error::Locked),
            Err(TryLockError::Error(e)) => Err(Error::Io("lock file", e)),
        }
    }

    /// Reads the seed, or makes one at the first start.
    pub(crate) fn cosigner(&self, name: &str) -> Result<CosignerKey, Error> {
        let path = self.path.join("seed");
        let seed = match File::open(&path) {
            Ok(file) => read_seed(&file)?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => self.make_seed(&path)?,
            Err(e) => return Err(Error::Io("seed file", e)),
        };
        CosignerKey::from_seed(name, &seed).map_err(Error::Name)
    }

    fn make_seed(&self, path: &Path) -> Result<Zeroizing<[u8; SEED_BYTES]>, Error> {
        // Heads without a seed are the rest of a folder that has lost its key. A new key is a new
        // witness, which must not answer for the old one's heads.
        if self.has_heads().map_err(|e| Error::Io("state folder", e))? {
            return Err(Error::Seed);
        }
        let mut seed = Zeroizing::new([0; SEED_BYTES]);
        if getrandom::fill(seed.as_mut_slice()).is_err() {
            return Err(Error::Entropy);
        }
        let write = || {
            let new = self.path.join("seed.new");
            let mut options = OpenOptions::new();
            let mut file = options
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&new)?;
            file.write_all(seed.as_slice())?;
            file.sync_all()?;
            std::fs::rename(&new, path)?;
            self.sync()
        };
        write().map_err(|e| Error::Io("seed file", e))?;
        Ok(seed)
    }

    fn has_heads(&self) -> io::Result<bool> {
        for entry in std::fs::read_dir(&self.path)? {
            if entry?.path().extension().is_some_and(|e| e == "head") {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Makes names of the folder durable.
    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    /// Opens or makes the head file of a log and reads what it holds.
    pub(crate) fn head(&self, origin: &str, key: &VerifierKey) -> Result<HeadFile, Error> {
        let digest: [u8; 32] = Sha256::digest(origin.as_bytes()).into();
        let name = digest
            .iter()
            .fold(String::new(), |name, byte| format!("{name}{byte:02x}"));
        let path = self.path.join(format!("{name}.head"));
        if !path.try_exists().map_err(|e| Error::Io("head file", e))? {
            self.make_head(&path)
                .map_err(|e| Error::Io("head file", e))?;
        }
        let open = OpenOptions::new().read(true).write(true).open(&path);
        let file = open.map_err(|e| Error::Io("head file", e))?;
        HeadFile::read(file, origin, key)
    }

    /// Makes a head file of its full length, so that later writes change no metadata and
    /// `fdatasync` waits for one page alone.
    fn make_head(&self, path: &Path) -> io::Result<()> {
        let new = path.with_extension("new");
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(&[0; SLOT_BYTES])?;
        file.write_all(&[0; SLOT_BYTES])?;
        file.sync_all()?;
        std::fs::rename(&new, path)?;
        self.sync()
    }
}

/// Reads a seed and refuses one that others could have read.
fn read_seed(file: &File) -> Result<Zeroizing<[u8; SEED_BYTES]>, Error> {
    let metadata = file.metadata().map_err(|e| Error::Io("seed file", e))?;
    let exact = u64::try_from(SEED_BYTES).is_ok_and(|length| metadata.len() == length);
    if metadata.permissions().mode() & 0o077 != 0 || !exact {
        return Err(Error::Seed);
    }
    let mut seed = Zeroizing::new([0; SEED_BYTES]);
    let mut reader = file;
    reader
        .read_exact(seed.as_mut_slice())
        .map_err(|e| Error::Io("seed file", e))?;
    Ok(seed)
}

/// The newest head of one log on disk.
#[derive(Debug)]
pub(crate) struct HeadFile {
    file: File,
    /// Sequence of the newest slot; zero if there is none.
    sequence: u64,
    head: Option<WitnessedHead>,
    in_doubt: bool,
}

/// What a slot holds.
enum Slot {
    Empty,
    Damaged,
    Written(u64, Vec<u8>),
}

impl HeadFile {
    fn read(file: File, origin: &str, key: &VerifierKey) -> Result<Self, Error> {
        let mut bytes = [0; 2 * SLOT_BYTES];
        let exact = u64::try_from(bytes.len()).ok();
        let length = file
            .metadata()
            .map_err(|e| Error::Io("head file", e))?
            .len();
        if exact != Some(length) {
            return Err(Error::HeadDamaged);
        }
        file.read_exact_at(&mut bytes, 0)
            .map_err(|e| Error::Io("head file", e))?;
        let (first, second) = bytes.split_at(SLOT_BYTES);
        // A damaged slot beside a whole one is a write that was cut off before anybody was told.
        let slots = (parse_slot(first), parse_slot(second));
        if matches!(slots, (Slot::Damaged, _) | (_, Slot::Damaged)) {
            report(&Error::HeadTorn);
        }
        let newest = match slots {
            (Slot::Damaged, Slot::Damaged) => return Err(Error::HeadDamaged),
            (Slot::Written(a, note), Slot::Written(b, _)) if a > b => Some((a, note)),
            (Slot::Written(..), Slot::Written(b, note)) => Some((b, note)),
            (Slot::Written(a, note), _) | (_, Slot::Written(a, note)) => Some((a, note)),
            (Slot::Empty | Slot::Damaged, Slot::Empty | Slot::Damaged) => None,
        };
        let Some((sequence, note)) = newest else {
            return Ok(Self {
                file,
                sequence: 0,
                head: None,
                in_doubt: false,
            });
        };
        let head = WitnessedHead::restore(&note, origin, key).map_err(Error::HeadInvalid)?;
        Ok(Self {
            file,
            sequence,
            head: Some(head),
            in_doubt: false,
        })
    }

    /// The newest head; none if the log was never cosigned.
    ///
    /// # Errors
    /// [`Error::HeadInDoubt`] after a failed write.
    pub(crate) const fn newest(&self) -> Result<Option<&WitnessedHead>, Error> {
        if self.in_doubt {
            Err(Error::HeadInDoubt)
        } else {
            Ok(self.head.as_ref())
        }
    }

    /// Whether a note fits a slot.
    pub(crate) fn fits(note: &SignedNote) -> bool {
        note.encode().len() <= HEAD_NOTE_BYTES_MAX
    }

    /// Makes a head durable, then remembers it.
    pub(crate) fn commit(
        &mut self,
        pending: chancery_tlog::witness::Pending,
    ) -> Result<&WitnessedHead, Error> {
        if self.in_doubt {
            return Err(Error::HeadInDoubt);
        }
        let sequence = self.sequence.saturating_add(1);
        let slot = encode_slot(sequence, pending.note())?;
        let offset = if sequence.is_multiple_of(2) {
            0
        } else {
            SLOT_BYTES
        };
        let offset = u64::try_from(offset).unwrap_or(0);
        let written = self
            .file
            .write_all_at(&slot, offset)
            .and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            self.in_doubt = true;
            return Err(Error::Io("head file", error));
        }
        self.sequence = sequence;
        Ok(self.head.insert(pending.written()))
    }
}

fn encode_slot(sequence: u64, note: &SignedNote) -> Result<Vec<u8>, Error> {
    let note = note.encode();
    let Ok(length) = u32::try_from(note.len()) else {
        return Err(Error::HeadTooLarge);
    };
    if note.len() > HEAD_NOTE_BYTES_MAX {
        return Err(Error::HeadTooLarge);
    }
    let mut slot = Vec::with_capacity(SLOT_BYTES);
    slot.extend_from_slice(MAGIC);
    slot.extend_from_slice(&sequence.to_be_bytes());
    slot.extend_from_slice(&length.to_be_bytes());
    slot.extend_from_slice(note.as_bytes());
    slot.resize(SLOT_BYTES - DIGEST_BYTES, 0);
    let digest: [u8; DIGEST_BYTES] = Sha256::digest(&slot).into();
    slot.extend_from_slice(&digest);
    Ok(slot)
}

fn parse_slot(slot: &[u8]) -> Slot {
    if slot.iter().all(|byte| *byte == 0) {
        return Slot::Empty;
    }
    let parsed = || {
        let (body, digest) = slot.split_last_chunk::<DIGEST_BYTES>()?;
        let found: [u8; DIGEST_BYTES] = Sha256::digest(body).into();
        let rest = body.strip_prefix(MAGIC)?;
        let (sequence, rest) = rest.split_first_chunk::<8>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let note = rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        (found == *digest).then(|| Slot::Written(u64::from_be_bytes(*sequence), note.to_vec()))
    };
    parsed().unwrap_or(Slot::Damaged)
}

#[cfg(test)]
mod tests;
