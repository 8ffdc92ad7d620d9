//! The member's home: one folder with the keys of one account on one device.
//!
//! `device.key` and `account.key` are key files; `member.json` says whose they are; `devices.json`
//! the devices whose keys it knows itself; `groups/` has group keys, `retired/` account keys that were
//! replaced and may still open older secrets. A folder has one user at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64ct::{Base64, Encoding as _};
use chancery_authority::KeyFile;
use chancery_claim::ClaimId;
use chancery_json::{Element, Fields, Limits, Object, Value};
use chancery_keyset::{Fingerprint, Keyset, KeysetSeed, PublicKeyset};
use chancery_sealing::Entropy;

use super::error::MemberError;
use crate::error::CliError;
use crate::files::{Existing, Privacy, make_private_folder, read_document, read_secret, write};

const ACCOUNT_FILE: &str = "account.key";
const NEXT_ACCOUNT_FILE: &str = "account.next.key";
const DEVICE_FILE: &str = "device.key";
const MEMBER_FILE: &str = "member.json";
const DEVICES_FILE: &str = "devices.json";
const LOCK_FILE: &str = "lock";
const GROUPS_FOLDER: &str = "groups";
const RETIRED_FOLDER: &str = "retired";

/// The only version of the files that are no keys.
const FILE_VERSION: u64 = 1;

/// Permission bits that open a folder to others.
const OTHERS_MASK: u32 = 0o077;

/// The member's folder, held by this command alone.
#[derive(Debug)]
pub(crate) struct Home {
    folder: PathBuf,
    _lock: File,
}

/// Whose keys a home holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Membership {
    /// The deployment's id.
    pub(crate) deployment: [u8; 32],
    /// The tenant's id.
    pub(crate) tenant: [u8; 16],
    /// SHA-256 of the genesis that was pinned when the home was made.
    pub(crate) genesis: [u8; 32],
    /// The member: the id of the SCIM user.
    pub(crate) member: ClaimId,
    /// The account's handle in the log, once the log proved it.
    pub(crate) handle: Option<[u8; 32]>,
}

/// A device that this one let in, or that was introduced to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownDevice {
    /// How the member calls it.
    pub(crate) name: String,
    /// Its public keyset.
    pub(crate) keyset: PublicKeyset,
}

impl Home {
    /// Opens the folder, making it if there is none, and takes it for this command.
    pub(crate) fn open(folder: &Path) -> Result<Self, CliError> {
        make_private_folder(folder)?;
        let failed = |source| CliError::FileRead {
            path: folder.to_owned(),
            source,
        };
        let mode = fs::metadata(folder).map_err(failed)?.permissions().mode();
        if mode & OTHERS_MASK != 0 {
            return Err(MemberError::HomeExposed {
                path: folder.to_owned(),
            }
            .into());
        }
        let lock_path = folder.join(LOCK_FILE);
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&lock_path)
            .map_err(|source| write_error(&lock_path, source))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                folder: folder.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(MemberError::HomeBusy {
                path: folder.to_owned(),
            }
            .into()),
            Err(TryLockError::Error(source)) => Err(write_error(&lock_path, source)),
        }
    }

    /// Opens a home that must hold a device's keys.
    pub(crate) fn open_existing(folder: &Path) -> Result<Self, CliError> {
        if folder.join(DEVICE_FILE).exists() {
            Self::open(folder)
        } else {
            Err(empty(folder))
        }
    }

    /// Whether a folder holds a device's keys.
    pub(crate) fn exists(folder: &Path) -> bool {
        folder.join(DEVICE_FILE).exists() && folder.join(MEMBER_FILE).exists()
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The device's keyset, which must be there.
    pub(crate) fn device(&self) -> Result<Keyset, CliError> {
        self.keyset(DEVICE_FILE)?.ok_or_else(|| empty(&self.folder))
    }

    /// The account's keyset, which must be there.
    pub(crate) fn account(&self) -> Result<Keyset, CliError> {
        self.keyset(ACCOUNT_FILE)?
            .ok_or_else(|| empty(&self.folder))
    }

    /// The device's keyset, made and written down if there is none.
    pub(crate) fn device_or_new(&self, entropy: &mut dyn Entropy) -> Result<Keyset, CliError> {
        self.keyset_or_new(DEVICE_FILE, entropy)
    }

    /// The account's keyset, made and written down if there is none.
    pub(crate) fn account_or_new(&self, entropy: &mut dyn Entropy) -> Result<Keyset, CliError> {
        self.keyset_or_new(ACCOUNT_FILE, entropy)
    }

    /// Takes the account's keyset from a key file that was made elsewhere.
    pub(crate) fn take_account(&self, path: &Path) -> Result<(), CliError> {
        let keyset = read_keyset(path)?;
        match self.keyset(ACCOUNT_FILE)? {
            None => self.store_keyset(&self.folder.join(ACCOUNT_FILE), &keyset, Existing::Keep),
            Some(kept) if kept.public() == keyset.public() => Ok(()),
            Some(_) => Err(MemberError::HomeOfAnother {
                path: self.folder.clone(),
            }
            .into()),
        }
    }

    /// The keyset that is to replace the account's, made and written down if there is none.
    pub(crate) fn next_account_or_new(
        &self,
        entropy: &mut dyn Entropy,
    ) -> Result<Keyset, CliError> {
        self.keyset_or_new(NEXT_ACCOUNT_FILE, entropy)
    }

    /// The keyset that is to replace the account's, if one was made before.
    pub(crate) fn next_account(&self) -> Result<Option<Keyset>, CliError> {
        self.keyset(NEXT_ACCOUNT_FILE)
    }

    /// Whether there is an account keyset.
    pub(crate) fn has_account(&self) -> bool {
        self.folder.join(ACCOUNT_FILE).exists()
    }

    /// Puts `account` in the place of the account's keyset; the one before goes to the retired ones.
    ///
    /// Each step leaves a home that a second run brings to the same end.
    pub(crate) fn replace_account(&self, account: &Keyset) -> Result<(), CliError> {
        if let Some(old) = self.keyset(ACCOUNT_FILE)? {
            if old.public() == account.public() {
                return self.remove(NEXT_ACCOUNT_FILE);
            }
            let retired = self.folder.join(RETIRED_FOLDER);
            make_private_folder(&retired)?;
            let name = format!("{}.key", old.public().fingerprint());
            self.store_keyset(&retired.join(name), &old, Existing::Replace)?;
        }
        let path = self.folder.join(ACCOUNT_FILE);
        self.store_keyset(&path, account, Existing::Replace)?;
        self.remove(NEXT_ACCOUNT_FILE)
    }

    /// Writes a group's key below the home and says where.
    pub(crate) fn store_group_key(
        &self,
        group: &[u8; 32],
        epoch: u64,
        key: &Keyset,
    ) -> Result<PathBuf, CliError> {
        let folder = self.folder.join(GROUPS_FOLDER);
        make_private_folder(&folder)?;
        let path = folder.join(format!("{}-{epoch}.key", hex::encode(group)));
        self.store_keyset(&path, key, Existing::Replace)?;
        Ok(path)
    }

    /// Writes a keyset's private half to `path`.
    pub(crate) fn store_keyset(
        &self,
        path: &Path,
        keyset: &Keyset,
        existing: Existing,
    ) -> Result<(), CliError> {
        let seed = KeysetSeed::from_bytes(*keyset.seed().expose());
        let text = KeyFile::Keyset(seed).to_json();
        write(path, &text, Privacy::Private, existing)?;
        durable(path)
    }

    /// Whose keys these are, if the home says so already.
    pub(crate) fn membership(&self) -> Result<Option<Membership>, CliError> {
        let path = self.folder.join(MEMBER_FILE);
        if !path.exists() {
            return Ok(None);
        }
        let membership = Membership::parse(&read_document(&path)?);
        membership.map(Some).ok_or_else(|| broken(&path))
    }

    /// Whose keys these are, which must be known.
    pub(crate) fn member(&self) -> Result<Membership, CliError> {
        self.membership()?.ok_or_else(|| empty(&self.folder))
    }

    /// Writes down whose keys these are.
    pub(crate) fn store_membership(&self, membership: &Membership) -> Result<(), CliError> {
        let path = self.folder.join(MEMBER_FILE);
        write(
            &path,
            &membership.to_json(),
            Privacy::Private,
            Existing::Replace,
        )?;
        durable(&path)
    }

    /// The devices whose keys this home knows itself.
    pub(crate) fn known_devices(&self) -> Result<Vec<KnownDevice>, CliError> {
        let path = self.folder.join(DEVICES_FILE);
        if !path.exists() {
            return Ok(Vec::new());
        }
        parse_devices(&read_document(&path)?).ok_or_else(|| broken(&path))
    }

    /// Writes down a device that is to be let in, or was introduced.
    pub(crate) fn remember_device(&self, device: KnownDevice) -> Result<(), CliError> {
        let mut devices = self.known_devices()?;
        let known = device.keyset.fingerprint();
        devices.retain(|other| other.keyset.fingerprint() != known);
        devices.push(device);
        self.store_devices(&devices)
    }

    /// Forgets a device that was taken out.
    pub(crate) fn forget_device(&self, device: &Fingerprint) -> Result<(), CliError> {
        let mut devices = self.known_devices()?;
        devices.retain(|other| other.keyset.fingerprint() != *device);
        self.store_devices(&devices)
    }

    fn store_devices(&self, devices: &[KnownDevice]) -> Result<(), CliError> {
        let mut text = Object::new()
            .with("version", FILE_VERSION)
            .with("devices", devices_json(devices))
            .to_bytes();
        text.push(b'\n');
        let path = self.folder.join(DEVICES_FILE);
        write(&path, &text, Privacy::Private, Existing::Replace)?;
        durable(&path)
    }

    fn keyset(&self, name: &str) -> Result<Option<Keyset>, CliError> {
        let path = self.folder.join(name);
        if path.symlink_metadata().is_err() {
            return Ok(None);
        }
        read_keyset(&path).map(Some)
    }

    fn keyset_or_new(&self, name: &str, entropy: &mut dyn Entropy) -> Result<Keyset, CliError> {
        if let Some(keyset) = self.keyset(name)? {
            return Ok(keyset);
        }
        let keyset = Keyset::generate(entropy).map_err(MemberError::Keyset)?;
        self.store_keyset(&self.folder.join(name), &keyset, Existing::Keep)?;
        Ok(keyset)
    }

    fn remove(&self, name: &str) -> Result<(), CliError> {
        let path = self.folder.join(name);
        match fs::remove_file(&path) {
            Ok(()) => durable(&path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(write_error(&path, source)),
        }
    }
}

impl Membership {
    fn to_json(&self) -> Vec<u8> {
        let handle = self
            .handle
            .map_or(Value::Null, |handle| Value::from(hex::encode(handle)));
        let mut text = Object::new()
            .with("version", FILE_VERSION)
            .with("deployment", hex::encode(self.deployment))
            .with("tenant", hex::encode(self.tenant))
            .with("genesis", hex::encode(self.genesis))
            .with("member", self.member.to_string())
            .with("handle", handle)
            .to_bytes();
        text.push(b'\n');
        text
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let mut fields = Fields::parse(text, &Limits::DOCUMENT).ok()?;
        let version = fields.take_u64("version").ok()?;
        let membership = Self {
            deployment: digits(&fields.take_str("deployment").ok()?)?,
            tenant: digits(&fields.take_str("tenant").ok()?)?,
            genesis: digits(&fields.take_str("genesis").ok()?)?,
            member: ClaimId::parse(&fields.take_str("member").ok()?).ok()?,
            handle: match fields.take("handle").ok()?.into_value() {
                Value::Null => None,
                value => Some(digits(value.as_str()?)?),
            },
        };
        fields.finish().ok()?;
        (version == FILE_VERSION).then_some(membership)
    }
}

fn parse_devices(text: &[u8]) -> Option<Vec<KnownDevice>> {
    let mut fields = Fields::parse(text, &Limits::DOCUMENT).ok()?;
    let version = fields.take_u64("version").ok()?;
    let devices = read_devices(fields.take_array("devices").ok()?)?;
    fields.finish().ok()?;
    (version == FILE_VERSION).then_some(devices)
}

fn read_keyset(path: &Path) -> Result<Keyset, CliError> {
    let text = read_secret(path)?;
    let keyset = KeyFile::from_json(&text)
        .ok()
        .and_then(KeyFile::into_keyset);
    keyset.ok_or_else(|| broken(path))
}

/// A list of devices, as the home and the papers between devices write it.
pub(crate) fn devices_json(devices: &[KnownDevice]) -> Vec<Value> {
    let devices = devices.iter();
    devices
        .map(|device| {
            Object::new()
                .with("name", device.name.as_str())
                .with("keyset", Base64::encode_string(&device.keyset.encode()))
                .into()
        })
        .collect()
}

/// Reads such a list.
pub(crate) fn read_devices(list: Vec<Element>) -> Option<Vec<KnownDevice>> {
    list.into_iter()
        .map(|element| {
            let mut device = element.into_fields().ok()?;
            let name = device.take_str("name").ok()?;
            let keyset = Base64::decode_vec(&device.take_str("keyset").ok()?).ok()?;
            let keyset = PublicKeyset::decode(&keyset).ok()?;
            device.finish().ok()?;
            Some(KnownDevice { name, keyset })
        })
        .collect()
}

/// Bytes from lower-case hexadecimal digits, exactly.
pub(crate) fn digits<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    (hex::encode(bytes) == text).then_some(bytes)
}

/// Makes the name of a written file durable, not only its bytes.
fn durable(path: &Path) -> Result<(), CliError> {
    let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    else {
        return Ok(());
    };
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|source| write_error(path, source))
}

fn empty(folder: &Path) -> CliError {
    MemberError::HomeEmpty {
        path: folder.to_owned(),
    }
    .into()
}

fn broken(path: &Path) -> CliError {
    MemberError::HomeBroken {
        path: path.to_owned(),
    }
    .into()
}

fn write_error(path: &Path, source: io::Error) -> CliError {
    CliError::FileWrite {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests;
