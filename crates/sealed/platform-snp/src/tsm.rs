//! configfs-tsm: Linux `Documentation/ABI/testing/configfs-tsm-report`.
//!
//! A directory made under `report/` is one request: `inblob` takes the report data, `privlevel` the VMPL, reading `outblob` fetches
//! the report and `auxblob` the host's certificates. `generation` counts the writes, which shows whether somebody else wrote in between.
//!
//! What the kernel does, read from `drivers/virt/coco/guest/report.c` and `drivers/virt/coco/sev-guest/sev-guest.c`, and relied on here:
//!
//! - `inblob` is taken over when it is closed, where an error is lost; a write that did not count shows in `generation`.
//! - The report is made when `outblob` is first read after a write, and kept: reading `auxblob` makes no other one.
//! - The driver repeats a request that the host throttles for a minute. When that or the host fails a request in any other
//!   way, it wipes its communication key (VMPCK), and from then on everything is answered with ENOTTY.
//! - One failure leaves the key alone and is told by the same EIO: a certificate table above 16 KiB. The device, which takes no
//!   certificates, still answers then; if the key is gone it says so.

use std::fs;
use std::io;
use std::io::Read as _;
use std::path::PathBuf;

use chancery_platform::{PlatformError, REPORT_DATA_SIZE};

use crate::certificate_table::TABLE_SIZE_MAX;

/// Where the kernel shows the interface.
pub(crate) const REPORT_ROOT: &str = "/sys/kernel/config/tsm/report";

/// `provider` of an SNP guest.
const PROVIDER: &str = "sev_guest";

/// The privilege level that reports are asked for.
const VMPL: &str = "0";

/// Writes that one request makes: `privlevel` and `inblob`.
const WRITES: u64 = 2;

/// How often a request is made anew after somebody interfered.
const TRIES: u32 = 3;

/// Most bytes of an attribute that holds a number or a name.
const TEXT_SIZE_MAX: usize = 64;

/// Most bytes of `outblob`: a report has 1184.
const OUTBLOB_SIZE_MAX: usize = 4096;

/// ENOTTY: the driver has wiped its communication key (VMPCK), or is gone.
const ENOTTY: i32 = 25;
/// EAGAIN and EBUSY: the host limits the rate, or the entry was written too often without being read.
const EAGAIN: i32 = 11;
const EBUSY: i32 = 16;

/// The operations on one configfs directory, so that tests can play the kernel.
pub(crate) trait Configfs: Send {
    /// Makes the directory of a request.
    fn make_entry(&self, name: &str) -> io::Result<()>;
    /// Removes it.
    fn remove_entry(&self, name: &str) -> io::Result<()>;
    /// Writes a whole attribute.
    fn write(&self, name: &str, attribute: &str, value: &[u8]) -> io::Result<()>;
    /// Reads a whole attribute of at most `size_max` bytes.
    fn read(&self, name: &str, attribute: &str, size_max: usize) -> io::Result<Vec<u8>>;
}

/// The kernel's directory.
#[derive(Debug)]
pub(crate) struct Directory {
    root: PathBuf,
}

impl Directory {
    /// The directory at `root`, if it is there.
    pub(crate) fn find(root: PathBuf) -> Option<Self> {
        root.is_dir().then_some(Self { root })
    }
}

impl Configfs for Directory {
    fn make_entry(&self, name: &str) -> io::Result<()> {
        fs::create_dir(self.root.join(name))
    }

    fn remove_entry(&self, name: &str) -> io::Result<()> {
        fs::remove_dir(self.root.join(name))
    }

    fn write(&self, name: &str, attribute: &str, value: &[u8]) -> io::Result<()> {
        fs::write(self.root.join(name).join(attribute), value)
    }

    fn read(&self, name: &str, attribute: &str, size_max: usize) -> io::Result<Vec<u8>> {
        let limit = u64::try_from(size_max).unwrap_or(u64::MAX);
        let mut bytes = Vec::new();
        fs::File::open(self.root.join(name).join(attribute))?
            .take(limit.saturating_add(1))
            .read_to_end(&mut bytes)?;
        if bytes.len() > size_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes)
    }
}

/// A report and the host's certificate table beside it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) report: Vec<u8>,
    pub(crate) certificates: Vec<u8>,
}

/// Asks for a report; makes the request anew when somebody interfered.
///
/// # Errors
/// [`PlatformError::System`] if this interface is of no use while the device may be, else what holds for both.
pub(crate) fn request(
    configfs: &dyn Configfs,
    report_data: &[u8; REPORT_DATA_SIZE],
) -> Result<Answer, PlatformError> {
    let name = format!("chancery-{}", std::process::id());
    let mut outcome = Err(PlatformError::Interfered);
    for _attempt in 0..TRIES {
        outcome = request_once(configfs, &name, report_data);
        if !matches!(outcome, Err(PlatformError::Interfered)) {
            break;
        }
    }
    outcome
}

fn request_once(
    configfs: &dyn Configfs,
    name: &str,
    report_data: &[u8; REPORT_DATA_SIZE],
) -> Result<Answer, PlatformError> {
    match make_entry(configfs, name) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(PlatformError::Interfered);
        }
        // Such as ENXIO: no driver stands behind the interface.
        Err(_unusable) => return Err(PlatformError::System),
    }
    let answer = ask(configfs, name, report_data);
    // A directory that stays costs a few bytes of kernel memory until the next request; the answer is good all the same.
    drop(configfs.remove_entry(name));
    answer
}

/// Makes the directory of a request, in place of one that a killed process with this number left.
fn make_entry(configfs: &dyn Configfs, name: &str) -> io::Result<()> {
    match configfs.make_entry(name) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            configfs.remove_entry(name)?;
            configfs.make_entry(name)
        }
        other => other,
    }
}

fn ask(
    configfs: &dyn Configfs,
    name: &str,
    report_data: &[u8; REPORT_DATA_SIZE],
) -> Result<Answer, PlatformError> {
    let text = |attribute: &str| -> Result<String, PlatformError> {
        let bytes = configfs
            .read(name, attribute, TEXT_SIZE_MAX)
            .map_err(|error| fault(&error))?;
        let text = String::from_utf8(bytes)
            .ok()
            .ok_or(PlatformError::Malformed)?;
        Ok(text.trim_end().to_owned())
    };
    let generation = || -> Result<u64, PlatformError> {
        text("generation")?
            .parse()
            .ok()
            .ok_or(PlatformError::Malformed)
    };
    let write = |attribute: &str, value: &[u8]| {
        configfs
            .write(name, attribute, value)
            .map_err(|error| fault(&error))
    };
    if text("provider")? != PROVIDER {
        return Err(PlatformError::Absent);
    }
    let before = generation()?;
    write("privlevel", VMPL.as_bytes())?;
    write("inblob", report_data)?;
    let report = configfs
        .read(name, "outblob", OUTBLOB_SIZE_MAX)
        .map_err(|error| fault(&error))?;
    let certificates = match configfs.read(name, "auxblob", TABLE_SIZE_MAX) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        other => other.map_err(|error| fault(&error))?,
    };
    if generation()? != before.wrapping_add(WRITES) {
        return Err(PlatformError::Interfered);
    }
    Ok(Answer {
        report,
        certificates,
    })
}

/// What an error of the kernel means for an entry that was just made.
fn fault(error: &io::Error) -> PlatformError {
    match (error.raw_os_error(), error.kind()) {
        (Some(ENOTTY), _) => PlatformError::Lost,
        (Some(EAGAIN | EBUSY), _) => PlatformError::Busy,
        (_, io::ErrorKind::FileTooLarge) => PlatformError::Malformed,
        // `privlevel` below `privlevel_floor`: the guest runs under an SVSM and has no VMPL 0. Or the firmware's INVALID_PARAM.
        (_, io::ErrorKind::InvalidInput) => PlatformError::Refused,
        // The entry is gone: another process removed it.
        (_, io::ErrorKind::NotFound) => PlatformError::Interfered,
        _ => PlatformError::System,
    }
}
