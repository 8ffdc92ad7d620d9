//! The guest side against a kernel that is played, and against files in a folder.

use std::fs;

use super::*;

mod kernel;

use kernel::{
    EAGAIN, EBUSY, EINVAL, EIO, ENOTTY, ENXIO, ETIMEDOUT, Fate, Kernel, KernelConfigfs,
    KernelDevice,
};

const REPORT: &[u8] = include_bytes!("../../vectors/genoa-v3-vcek-01-tsm/report.bin");
const AUXBLOB: &[u8] = include_bytes!("../../vectors/genoa-v3-vcek-01-tsm/auxblob.bin");
const VCEK: &[u8] = include_bytes!("../../vectors/genoa-v3-vcek-01-tsm/vek.der");

const DATA: [u8; 64] = [0x5a; 64];

/// The name of this process's entry.
fn entry() -> String {
    format!("chancery-{}", std::process::id())
}

fn kernel() -> Kernel {
    Kernel::signing(REPORT, AUXBLOB)
}

fn guest(kernel: &Kernel) -> SnpGuest {
    SnpGuest::over(
        Some(Box::new(KernelConfigfs(kernel.clone()))),
        Box::new(KernelDevice(kernel.clone())),
    )
}

fn guest_without_configfs(kernel: &Kernel) -> SnpGuest {
    SnpGuest::over(None, Box::new(KernelDevice(kernel.clone())))
}

#[test]
fn reports_come_from_configfs_with_the_hosts_certificates() {
    let kernel = kernel();
    let guest = guest(&kernel);
    let report = guest.report(&DATA).unwrap();
    assert_eq!(report.len(), REPORT_SIZE);
    assert_eq!(report[0x50..0x90], DATA);
    assert_eq!(guest.certificates().unwrap().vcek.as_deref(), Some(VCEK));
    assert_eq!(kernel.requests(), 1, "one report gave both");
    assert_eq!(kernel.entries(), [""; 0], "entries are removed");
}

#[test]
fn a_recorded_report_passes_unchanged() {
    let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../attestation/vectors");
    let mut replayed = 0;
    for folder in fs::read_dir(format!("{vectors}/reports")).unwrap() {
        let folder = folder.unwrap().path();
        let recorded = fs::read(folder.join("report.bin")).unwrap();
        let table = fs::read(folder.join("auxblob.bin")).unwrap_or_default();
        let kernel = Kernel::replaying(&recorded, &table);
        let guest = guest(&kernel);
        let data = recorded[0x50..0x90].try_into().unwrap();
        assert_eq!(guest.report(&data).unwrap(), recorded, "{folder:?}");
        let certificates = guest.certificates().unwrap();
        assert_eq!(certificates.vcek.is_some(), !table.is_empty());
        assert_eq!(guest.report(&DATA), Err(PlatformError::Malformed));
        replayed += 1;
    }
    assert!(replayed >= 27, "{replayed}");
}

#[test]
fn certificates_can_be_asked_first() {
    let kernel = kernel();
    let guest = guest(&kernel);
    assert_eq!(guest.certificates().unwrap().vcek.as_deref(), Some(VCEK));
    assert_eq!(kernel.requests(), 1);
}

#[test]
fn a_kernel_without_auxblob_or_a_host_without_certificates_gives_an_empty_table() {
    for kernel in [kernel().without_auxblob(), kernel().with_table(b"")] {
        let guest = guest(&kernel);
        assert_eq!(guest.certificates(), Ok(CertificateTable::default()));
    }
}

#[test]
fn without_configfs_reports_come_from_the_device() {
    let missing = tempfile::tempdir().unwrap().path().join("tsm");
    assert!(Directory::find(missing).is_none());
    let kernel = kernel();
    let guest = guest_without_configfs(&kernel);
    assert_eq!(guest.report(&DATA).unwrap()[0x50..0x90], DATA);
    assert_eq!(guest.certificates(), Ok(CertificateTable::default()));
    assert_eq!(kernel.requests(), 1);
}

#[test]
fn a_configfs_that_is_of_no_use_is_passed_over_for_the_device() {
    let large = [AUXBLOB, &[0; 0x4000]].concat();
    for kernel in [
        kernel().without_provider(),
        kernel().with_table(&large),
        kernel().meets(&[Fate::Driver(EIO)]),
        kernel().meets(&[Fate::Driver(ENXIO)]),
    ] {
        let guest = guest(&kernel);
        assert_eq!(guest.report(&DATA).unwrap()[0x50..0x90], DATA);
        assert_eq!(kernel.entries(), [""; 0]);
        let asked = kernel.requests();
        assert_eq!(guest.certificates(), Ok(CertificateTable::default()));
        assert_eq!(kernel.requests(), asked, "nothing is asked for them");
    }
}

#[test]
fn certificates_of_an_earlier_report_are_not_shown_beside_a_later_one() {
    let kernel = kernel();
    let guest = guest(&kernel);
    guest.report(&DATA).unwrap();
    assert!(guest.certificates().unwrap().vcek.is_some());
    let _kernel = kernel.clone().with_table(b"");
    guest.report(&DATA).unwrap();
    assert_eq!(guest.certificates(), Ok(CertificateTable::default()));
}

#[test]
fn a_request_that_somebody_disturbed_is_made_anew_but_not_for_ever() {
    for fate in [Fate::Raced, Fate::Removed] {
        let twice = kernel().meets(&[fate, fate]);
        assert!(guest(&twice).report(&DATA).is_ok());
        let always = kernel().meets(&[fate; 9]);
        let guest = guest(&always);
        assert_eq!(guest.report(&DATA), Err(PlatformError::Interfered));
        assert!((3..=6).contains(&always.requests()), "three tries");
        assert_eq!(always.entries(), [""; 0]);
    }
}

#[test]
fn an_entry_that_a_killed_process_left_is_replaced() {
    let other = "chancery-1-of-another-process";
    let kernel = kernel().with_leftover(&entry()).with_leftover(other);
    assert!(guest(&kernel).report(&DATA).is_ok());
    assert_eq!(kernel.entries(), [other], "another's is left alone");
}

#[test]
fn a_wiped_communication_key_is_final() {
    // However the host fails a request, the driver wipes its key, and the device says so at once.
    for number in [EIO, ETIMEDOUT, ENOTTY] {
        let kernel = kernel().meets(&[Fate::Host(number)]);
        let guest = guest(&kernel);
        assert_eq!(guest.report(&DATA), Err(PlatformError::Lost));
        let calls = kernel.calls();
        assert_eq!(guest.report(&DATA), Err(PlatformError::Lost));
        assert_eq!(guest.certificates(), Err(PlatformError::Lost));
        let key = guest.derived_key(&DerivedKeyRequest::sealing(0, 0));
        assert_eq!(key.err(), Some(PlatformError::Lost));
        assert_eq!(kernel.calls(), calls, "nothing is asked after it");
        assert_eq!(kernel.requests(), 1);
    }
}

#[test]
fn a_device_that_lost_its_key_is_not_asked_again() {
    let kernel = kernel().meets(&[Fate::Driver(EINVAL), Fate::Host(ETIMEDOUT)]);
    let guest = guest_without_configfs(&kernel);
    let request = DerivedKeyRequest::sealing(9, 0);
    let ask = || guest.derived_key(&request).err();
    assert_eq!(ask(), Some(PlatformError::Refused));
    assert_eq!(ask(), Some(PlatformError::Busy));
    assert_eq!(ask(), Some(PlatformError::Lost));
    let calls = kernel.calls();
    assert_eq!(ask(), Some(PlatformError::Lost));
    assert_eq!(guest.report(&DATA), Err(PlatformError::Lost));
    assert_eq!(kernel.calls(), calls);
}

#[test]
fn passing_failures_are_told_apart_and_do_not_stick() {
    for (fate, expected) in [
        (Fate::Driver(EAGAIN), PlatformError::Busy),
        (Fate::Driver(EBUSY), PlatformError::Busy),
        (Fate::Driver(EINVAL), PlatformError::Refused),
        (Fate::Short, PlatformError::Malformed),
        (Fate::OtherData, PlatformError::Malformed),
        (Fate::Huge, PlatformError::Malformed),
    ] {
        let kernel = kernel().meets(&[fate, fate]);
        let guest = guest(&kernel);
        assert_eq!(guest.report(&DATA), Err(expected), "{fate:?}");
        assert_eq!(guest.report(&DATA), Err(expected), "{fate:?}");
        assert!(guest.report(&DATA).is_ok(), "{fate:?}");
        assert_eq!(kernel.entries(), [""; 0]);
    }
}

#[test]
fn a_guest_below_an_svsm_is_refused() {
    let kernel = kernel().with_privlevel_floor(2);
    assert_eq!(guest(&kernel).report(&DATA), Err(PlatformError::Refused));
    assert_eq!(kernel.requests(), 0);
}

#[test]
fn another_technology_behind_the_interface_is_no_snp_guest() {
    let kernel = kernel().with_provider("tdx_guest");
    assert_eq!(guest(&kernel).report(&DATA), Err(PlatformError::Absent));
}

#[test]
fn keys_come_from_the_device() {
    let kernel = kernel();
    let key = guest(&kernel)
        .derived_key(&DerivedKeyRequest::sealing(9, 0))
        .unwrap();
    assert_eq!(key.expose(), &[9; 32]);
    assert_eq!(kernel.calls(), 1);
}

#[test]
fn a_directory_reads_and_writes_whole_files_within_bounds() {
    let root = tempfile::tempdir().unwrap();
    let directory = Directory::find(root.path().to_owned()).unwrap();
    directory.make_entry("a").unwrap();
    let again = directory.make_entry("a").unwrap_err();
    assert_eq!(again.kind(), std::io::ErrorKind::AlreadyExists);
    directory.write("a", "inblob", &DATA).unwrap();
    assert_eq!(fs::read(root.path().join("a/inblob")).unwrap(), DATA);
    assert_eq!(directory.read("a", "inblob", 64).unwrap(), DATA);
    let large = directory.read("a", "inblob", 63).unwrap_err();
    assert_eq!(large.kind(), std::io::ErrorKind::FileTooLarge);
    let absent = directory.read("a", "outblob", 64).unwrap_err();
    assert_eq!(absent.kind(), std::io::ErrorKind::NotFound);
    fs::remove_file(root.path().join("a/inblob")).unwrap();
    directory.remove_entry("a").unwrap();
    assert!(directory.remove_entry("a").is_err());
}

#[test]
fn a_folder_with_the_attributes_of_an_entry_is_asked_as_the_kernel_is() {
    // Plain files do not count writes, which is what a race looks like.
    let root = tempfile::tempdir().unwrap();
    let directory = Directory::find(root.path().to_owned()).unwrap();
    let kernel = kernel();
    let guest = SnpGuest::over(Some(Box::new(directory)), Box::new(KernelDevice(kernel)));
    assert_eq!(
        guest.report(&DATA),
        Err(PlatformError::Interfered),
        "an entry without attributes"
    );
    assert!(!root.path().join(entry()).exists(), "it was removed again");
}
