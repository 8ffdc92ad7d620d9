//! The guest side against a kernel that is played here: a configfs tree on disk with the kernel's semantics, and a device.

use std::cell::Cell;
use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use super::*;

const REPORT: &[u8] = include_bytes!("../../vectors/genoa-v3-vcek-01-tsm/report.bin");
const AUXBLOB: &[u8] = include_bytes!("../../vectors/genoa-v3-vcek-01-tsm/auxblob.bin");
const VCEK: &[u8] = include_bytes!("../../vectors/genoa-v3-vcek-01-tsm/vek.der");

/// What the played kernel does wrong.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// Another writer interferes with this many requests.
    Races(u32),
    /// Reading `outblob` fails with this error number.
    Outblob(i32),
    /// The report has one byte less.
    ShortReport,
    /// The report is over other data.
    OtherReportData,
    OtherProvider,
    NoAuxblob,
    PrivlevelFloor,
    HugeOutblob,
}

/// A configfs directory on disk: real files, with the kernel's side effects played around [`Directory`].
struct PlayedConfigfs {
    root: TempDir,
    directory: Directory,
    fault: Cell<Fault>,
    requests: Arc<AtomicU32>,
}

impl PlayedConfigfs {
    fn new(fault: Fault) -> (Self, Arc<AtomicU32>) {
        let root = tempfile::tempdir().unwrap();
        let requests = Arc::new(AtomicU32::new(0));
        let played = Self {
            directory: Directory::find(root.path().to_owned()).unwrap(),
            root,
            fault: Cell::new(fault),
            requests: Arc::clone(&requests),
        };
        (played, requests)
    }

    fn put(&self, name: &str, attribute: &str, value: &[u8]) {
        fs::write(self.root.path().join(name).join(attribute), value).unwrap();
    }

    fn count(&self, name: &str) {
        let path = self.root.path().join(name).join("generation");
        let count: u64 = fs::read_to_string(&path).unwrap().trim().parse().unwrap();
        fs::write(&path, format!("{}\n", count + 1)).unwrap();
    }
}

impl Configfs for PlayedConfigfs {
    fn make_entry(&self, name: &str) -> io::Result<()> {
        self.directory.make_entry(name)?;
        self.requests.fetch_add(1, Ordering::SeqCst);
        let provider = if self.fault.get() == Fault::OtherProvider {
            &b"tdx_guest\n"[..]
        } else {
            b"sev_guest\n"
        };
        self.put(name, "provider", provider);
        self.put(name, "generation", b"0\n");
        for attribute in ["inblob", "privlevel"] {
            self.put(name, attribute, b"");
        }
        if self.fault.get() != Fault::NoAuxblob {
            self.put(name, "auxblob", AUXBLOB);
        }
        Ok(())
    }

    fn remove_entry(&self, name: &str) -> io::Result<()> {
        // configfs removes the attributes with the directory; a real directory does not.
        for attribute in fs::read_dir(self.root.path().join(name))? {
            fs::remove_file(attribute?.path())?;
        }
        self.directory.remove_entry(name)
    }

    fn write(&self, name: &str, attribute: &str, value: &[u8]) -> io::Result<()> {
        if attribute == "privlevel" && self.fault.get() == Fault::PrivlevelFloor {
            return Err(io::Error::from_raw_os_error(22));
        }
        self.directory.write(name, attribute, value)?;
        self.count(name);
        if attribute == "inblob" {
            let mut report = REPORT.to_vec();
            report[0x50..0x90].copy_from_slice(value);
            match self.fault.get() {
                Fault::ShortReport => drop(report.pop()),
                Fault::OtherReportData => report[0x50] ^= 1,
                Fault::HugeOutblob => report.resize(5000, 0),
                _ => {}
            }
            self.put(name, "outblob", &report);
        }
        Ok(())
    }

    fn read(&self, name: &str, attribute: &str, size_max: usize) -> io::Result<Vec<u8>> {
        if attribute == "outblob" {
            match self.fault.get() {
                Fault::Outblob(number) => return Err(io::Error::from_raw_os_error(number)),
                Fault::Races(left) if left > 0 => {
                    self.fault.set(Fault::Races(left - 1));
                    self.count(name);
                }
                _ => {}
            }
        }
        self.directory.read(name, attribute, size_max)
    }
}

/// A device that answers from a list of errors, then well.
struct PlayedDevice {
    errors: Vec<PlatformError>,
    requests: Arc<AtomicU32>,
}

impl PlayedDevice {
    fn boxed(errors: &[PlatformError]) -> (Box<dyn GuestDevice>, Arc<AtomicU32>) {
        let requests = Arc::new(AtomicU32::new(0));
        let device = Self {
            errors: errors.iter().rev().copied().collect(),
            requests: Arc::clone(&requests),
        };
        (Box::new(device), requests)
    }

    fn next(&mut self) -> Result<(), PlatformError> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        self.errors.pop().map_or(Ok(()), Err)
    }
}

impl GuestDevice for PlayedDevice {
    fn report(&mut self, report_data: &[u8; REPORT_DATA_SIZE]) -> Result<Vec<u8>, PlatformError> {
        self.next()?;
        let mut report = REPORT.to_vec();
        report[0x50..0x90].copy_from_slice(report_data);
        Ok(report)
    }

    fn derived_key(&mut self, request: &DerivedKeyRequest) -> Result<Key, PlatformError> {
        self.next()?;
        Ok(Key::from_bytes([request.guest_svn.to_le_bytes()[0]; 32]))
    }
}

fn guest(fault: Fault) -> (SnpGuest, Arc<AtomicU32>) {
    let (configfs, requests) = PlayedConfigfs::new(fault);
    let (device, _) = PlayedDevice::boxed(&[]);
    (SnpGuest::over(Some(Box::new(configfs)), device), requests)
}

const DATA: [u8; 64] = [0x5a; 64];

#[test]
fn reports_come_from_configfs_with_the_hosts_certificates() {
    let (configfs, requests) = PlayedConfigfs::new(Fault::None);
    let root = configfs.root.path().to_owned();
    let (device, device_requests) = PlayedDevice::boxed(&[]);
    let guest = SnpGuest::over(Some(Box::new(configfs)), device);
    let report = guest.report(&DATA).unwrap();
    assert_eq!(report.len(), REPORT_SIZE);
    assert_eq!(report[0x50..0x90], DATA);
    assert_eq!(guest.certificates().unwrap().vcek.as_deref(), Some(VCEK));
    assert_eq!(requests.load(Ordering::SeqCst), 1);
    assert_eq!(device_requests.load(Ordering::SeqCst), 0);
    assert_eq!(
        fs::read_dir(root).unwrap().count(),
        0,
        "entries are removed"
    );
}

#[test]
fn certificates_can_be_asked_first() {
    let (guest, requests) = guest(Fault::None);
    assert_eq!(guest.certificates().unwrap().vcek.as_deref(), Some(VCEK));
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

#[test]
fn a_kernel_without_auxblob_gives_an_empty_table() {
    let (guest, _) = guest(Fault::NoAuxblob);
    assert_eq!(guest.certificates(), Ok(CertificateTable::default()));
}

#[test]
fn without_configfs_reports_come_from_the_device() {
    let missing = tempfile::tempdir().unwrap().path().join("tsm");
    assert!(Directory::find(missing).is_none());
    let (device, requests) = PlayedDevice::boxed(&[]);
    let guest = SnpGuest::over(None, device);
    assert_eq!(guest.report(&DATA).unwrap()[0x50..0x90], DATA);
    assert_eq!(guest.certificates(), Ok(CertificateTable::default()));
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

#[test]
fn a_request_that_somebody_disturbed_is_made_anew_but_not_for_ever() {
    let (twice, requests) = guest(Fault::Races(2));
    assert!(twice.report(&DATA).is_ok());
    assert_eq!(requests.load(Ordering::SeqCst), 3);
    let (always, _) = guest(Fault::Races(u32::MAX));
    assert_eq!(always.report(&DATA), Err(PlatformError::Interfered));
}

#[test]
fn a_leftover_entry_is_passed_over() {
    let (configfs, _) = PlayedConfigfs::new(Fault::None);
    fs::create_dir(configfs.root.path().join("chancery-0")).unwrap();
    let (device, _) = PlayedDevice::boxed(&[]);
    let guest = SnpGuest::over(Some(Box::new(configfs)), device);
    assert!(guest.report(&DATA).is_ok());
}

#[test]
fn a_wiped_communication_key_is_final() {
    let (guest, requests) = guest(Fault::Outblob(25));
    assert_eq!(guest.report(&DATA), Err(PlatformError::Lost));
    assert_eq!(guest.report(&DATA), Err(PlatformError::Lost));
    assert_eq!(guest.certificates(), Err(PlatformError::Lost));
    assert_eq!(
        guest.derived_key(&DerivedKeyRequest::sealing(0, 0)).err(),
        Some(PlatformError::Lost)
    );
    assert_eq!(
        requests.load(Ordering::SeqCst),
        1,
        "nothing is asked after it"
    );
}

#[test]
fn a_device_that_lost_its_key_is_not_asked_again() {
    let (device, requests) = PlayedDevice::boxed(&[PlatformError::Refused, PlatformError::Lost]);
    let guest = SnpGuest::over(None, device);
    let request = DerivedKeyRequest::sealing(9, 0);
    let ask = || guest.derived_key(&request).err();
    assert_eq!(ask(), Some(PlatformError::Refused));
    assert_eq!(ask(), Some(PlatformError::Lost));
    assert_eq!(ask(), Some(PlatformError::Lost));
    assert_eq!(guest.report(&DATA), Err(PlatformError::Lost));
    assert_eq!(requests.load(Ordering::SeqCst), 2);
}

#[test]
fn passing_failures_are_told_apart_and_do_not_stick() {
    for (fault, expected) in [
        (Fault::Outblob(11), PlatformError::Busy),
        (Fault::Outblob(16), PlatformError::Busy),
        (Fault::Outblob(5), PlatformError::System),
        (Fault::PrivlevelFloor, PlatformError::Refused),
        (Fault::ShortReport, PlatformError::Malformed),
        (Fault::OtherReportData, PlatformError::Malformed),
        (Fault::HugeOutblob, PlatformError::Malformed),
    ] {
        let (guest, requests) = guest(fault);
        assert_eq!(guest.report(&DATA), Err(expected));
        assert_eq!(guest.report(&DATA), Err(expected));
        assert_eq!(requests.load(Ordering::SeqCst), 2, "asked again");
    }
}

#[test]
fn another_technology_behind_the_interface_is_no_snp_guest() {
    let (guest, _) = guest(Fault::OtherProvider);
    assert_eq!(guest.report(&DATA), Err(PlatformError::Absent));
}

#[test]
fn keys_come_from_the_device() {
    let (guest, requests) = guest(Fault::None);
    let key = guest
        .derived_key(&DerivedKeyRequest::sealing(9, 0))
        .unwrap();
    assert_eq!(key.expose(), &[9; 32]);
    assert_eq!(requests.load(Ordering::SeqCst), 0);
}
