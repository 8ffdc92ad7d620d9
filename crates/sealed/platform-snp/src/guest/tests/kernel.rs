//! A kernel that is played: configfs-tsm and the guest device over one communication key, as `report.c` and `sev-guest.c` have it.
//!
//! The secure processor behind it replays a recorded report with the certificate table that came with it. What it signs is what was
//! recorded, so an unchanged answer needs the recorded report data; [`Kernel::signing`] puts the asked data in, and the signature is
//! wrong then, which nothing in this crate looks at.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chancery_platform::{DerivedKeyRequest, PlatformError, REPORT_DATA_SIZE};
use chancery_sealing::Key;

use crate::device::GuestDevice;
use crate::tsm::Configfs;

pub(crate) const ENXIO: i32 = 6;
pub(crate) const EIO: i32 = 5;
pub(crate) const EAGAIN: i32 = 11;
pub(crate) const EBUSY: i32 = 16;
pub(crate) const EINVAL: i32 = 22;
pub(crate) const ENOTTY: i32 = 25;
pub(crate) const ETIMEDOUT: i32 = 110;

/// Bytes that the driver sets aside for certificates (`SEV_FW_BLOB_MAX_SIZE`).
const TABLE_SIZE_MAX: usize = 0x4000;

/// What the next request meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The host fails it with this error number, and the driver wipes its key.
    Host(i32),
    /// The driver fails it before it reaches the host; the key stays.
    Driver(i32),
    /// The report has one byte less.
    Short,
    /// The report is over other data.
    OtherData,
    /// The report is far too long.
    Huge,
    /// Another process writes to the entry once more.
    Raced,
    /// Another process removes the entry.
    Removed,
}

#[derive(Debug, Default)]
struct Entry {
    write_generation: u64,
    read_generation: u64,
    inblob: Vec<u8>,
    blobs: Option<(Vec<u8>, Vec<u8>)>,
}

#[derive(Debug)]
struct State {
    report: Vec<u8>,
    table: Vec<u8>,
    signs_anything: bool,
    provider: &'static str,
    has_provider: bool,
    privlevel_floor: u32,
    has_auxblob: bool,
    wiped: bool,
    fates: Vec<Fate>,
    entries: BTreeMap<String, Entry>,
    /// Requests that reached the secure processor or the host.
    requests: u32,
    /// Calls of either interface.
    calls: u32,
}

/// Both interfaces of one guest.
#[derive(Clone, Debug)]
pub(crate) struct Kernel(Arc<Mutex<State>>);

impl Kernel {
    /// A kernel whose processor replays `report`, with the host's `table`.
    pub(crate) fn replaying(report: &[u8], table: &[u8]) -> Self {
        Self(Arc::new(Mutex::new(State {
            report: report.to_vec(),
            table: table.to_vec(),
            signs_anything: false,
            provider: "sev_guest",
            has_provider: true,
            privlevel_floor: 0,
            has_auxblob: true,
            wiped: false,
            fates: Vec::new(),
            entries: BTreeMap::new(),
            requests: 0,
            calls: 0,
        })))
    }

    /// As [`Kernel::replaying`], over whatever data is asked.
    pub(crate) fn signing(report: &[u8], table: &[u8]) -> Self {
        let kernel = Self::replaying(report, table);
        kernel.state().signs_anything = true;
        kernel
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn meets(self, fates: &[Fate]) -> Self {
        self.state().fates = fates.iter().rev().copied().collect();
        self
    }

    pub(crate) fn with_provider(self, provider: &'static str) -> Self {
        self.state().provider = provider;
        self
    }

    pub(crate) fn without_provider(self) -> Self {
        self.state().has_provider = false;
        self
    }

    pub(crate) fn without_auxblob(self) -> Self {
        self.state().has_auxblob = false;
        self
    }

    pub(crate) fn with_privlevel_floor(self, floor: u32) -> Self {
        self.state().privlevel_floor = floor;
        self
    }

    pub(crate) fn with_table(self, table: &[u8]) -> Self {
        self.state().table = table.to_vec();
        self
    }

    /// An entry as a killed process leaves it.
    pub(crate) fn with_leftover(self, name: &str) -> Self {
        self.state()
            .entries
            .insert(name.to_owned(), Entry::default());
        self
    }

    pub(crate) fn requests(&self) -> u32 {
        self.state().requests
    }

    pub(crate) fn calls(&self) -> u32 {
        self.state().calls
    }

    pub(crate) fn entries(&self) -> Vec<String> {
        self.state().entries.keys().cloned().collect()
    }
}

fn errno(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

impl State {
    /// `snp_send_guest_request`: one message to the secure processor.
    fn send(&mut self, data: &[u8], with_table: bool) -> io::Result<Vec<u8>> {
        if self.wiped {
            return Err(errno(ENOTTY));
        }
        let fate = self.fates.pop();
        if let Some(Fate::Driver(number)) = fate {
            return Err(errno(number));
        }
        self.requests += 1;
        if let Some(Fate::Host(number)) = fate {
            self.wiped = true;
            return Err(errno(number));
        }
        // The driver repeats the message without certificates, so that its counter stays right, and then says EIO.
        if with_table && self.table.len() > TABLE_SIZE_MAX {
            return Err(errno(EIO));
        }
        let mut report = self.report.clone();
        if self.signs_anything {
            report[0x50..0x90].copy_from_slice(data);
        }
        match fate {
            Some(Fate::Short) => drop(report.pop()),
            Some(Fate::OtherData) => report[0x50] ^= 1,
            Some(Fate::Huge) => report.resize(5000, 0),
            Some(fate @ (Fate::Raced | Fate::Removed)) => self.fates.push(fate),
            _ => {}
        }
        Ok(report)
    }

    fn entry(&mut self, name: &str) -> io::Result<&mut Entry> {
        self.calls += 1;
        self.entries
            .get_mut(name)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// `tsm_report_read`: makes the report if what is kept is older than the last write.
    fn blobs(&mut self, name: &str) -> io::Result<(Vec<u8>, Vec<u8>)> {
        let entry = self.entry(name)?;
        if entry.inblob.is_empty() {
            return Err(errno(EINVAL));
        }
        if let Some(blobs) = &entry.blobs
            && entry.read_generation == entry.write_generation
        {
            return Ok(blobs.clone());
        }
        let data = entry.inblob.clone();
        if data.len() != REPORT_DATA_SIZE {
            return Err(errno(EINVAL));
        }
        let report = self.send(&data, true)?;
        let table = self.table.clone();
        let raced = self
            .fates
            .pop_if(|fate| matches!(fate, Fate::Raced | Fate::Removed));
        let entry = self.entry(name)?;
        entry.read_generation = entry.write_generation;
        let blobs = entry.blobs.insert((report, table)).clone();
        match raced {
            Some(Fate::Raced) => entry.write_generation += 1,
            Some(Fate::Removed) => drop(self.entries.remove(name)),
            _ => {}
        }
        Ok(blobs)
    }
}

/// `/sys/kernel/config/tsm/report`.
#[derive(Debug)]
pub(crate) struct KernelConfigfs(pub(crate) Kernel);

impl Configfs for KernelConfigfs {
    fn make_entry(&self, name: &str) -> io::Result<()> {
        let mut state = self.0.state();
        state.calls += 1;
        if state.entries.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if !state.has_provider {
            return Err(errno(ENXIO));
        }
        state.entries.insert(name.to_owned(), Entry::default());
        Ok(())
    }

    fn remove_entry(&self, name: &str) -> io::Result<()> {
        let mut state = self.0.state();
        state.entry(name)?;
        state.entries.remove(name);
        Ok(())
    }

    fn write(&self, name: &str, attribute: &str, value: &[u8]) -> io::Result<()> {
        let mut state = self.0.state();
        let floor = state.privlevel_floor;
        let entry = state.entry(name)?;
        match attribute {
            "privlevel" => {
                let level: Option<u32> = std::str::from_utf8(value)
                    .ok()
                    .and_then(|text| text.parse().ok());
                if !level.is_some_and(|level| (floor..=3).contains(&level)) {
                    return Err(errno(EINVAL));
                }
            }
            "inblob" => entry.inblob = value.to_vec(),
            _ => return Err(io::ErrorKind::PermissionDenied.into()),
        }
        entry.write_generation += 1;
        Ok(())
    }

    fn read(&self, name: &str, attribute: &str, size_max: usize) -> io::Result<Vec<u8>> {
        let mut state = self.0.state();
        let bytes = match attribute {
            "provider" => {
                state.entry(name)?;
                format!("{}\n", state.provider).into_bytes()
            }
            "generation" => format!("{}\n", state.entry(name)?.write_generation).into_bytes(),
            "outblob" => state.blobs(name)?.0,
            "auxblob" if state.has_auxblob => state.blobs(name)?.1,
            _ => return Err(io::ErrorKind::NotFound.into()),
        };
        if bytes.len() > size_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes)
    }
}

/// `/dev/sev-guest`.
#[derive(Debug)]
pub(crate) struct KernelDevice(pub(crate) Kernel);

impl GuestDevice for KernelDevice {
    fn report(&mut self, report_data: &[u8; REPORT_DATA_SIZE]) -> Result<Vec<u8>, PlatformError> {
        let mut state = self.0.state();
        state.calls += 1;
        state.send(report_data, false).map_err(|error| seen(&error))
    }

    fn derived_key(&mut self, request: &DerivedKeyRequest) -> Result<Key, PlatformError> {
        let mut state = self.0.state();
        state.calls += 1;
        let data = [0; REPORT_DATA_SIZE];
        state.send(&data, false).map_err(|error| seen(&error))?;
        Ok(Key::from_bytes([request.guest_svn.to_le_bytes()[0]; 32]))
    }
}

/// The device's errors as `device::fault` reports them.
fn seen(error: &io::Error) -> PlatformError {
    match error.raw_os_error() {
        Some(ENOTTY) => PlatformError::Lost,
        Some(EINVAL) => PlatformError::Refused,
        Some(EAGAIN | ETIMEDOUT) => PlatformError::Busy,
        _ => PlatformError::System,
    }
}
