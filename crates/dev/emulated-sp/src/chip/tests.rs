use std::sync::OnceLock;

use chancery_evidence::{Certificate, Crl, KeyUsage, ProductLine, VekIdentity};

use super::*;
use crate::crl::RENEWAL_MS;

const NOW_MS: u64 = 1_790_000_000_000;

/// Two RSA-4096 keys take seconds: the tests of this file share one chip.
fn genoa() -> &'static Chip {
    static CHIP: OnceLock<Chip> = OnceLock::new();
    CHIP.get_or_init(|| Chip::generate(EmulatedProduct::Genoa, NOW_MS).unwrap())
}

fn level() -> TcbComponents {
    EmulatedProduct::Genoa.level().tcb
}

#[test]
fn certificates_have_exactly_the_shapes_of_amds() {
    let chip = genoa();
    let ark = Certificate::parse(chip.roots().ark()).unwrap();
    assert_eq!(ark.subject().common_name(), "ARK-Emulated-Genoa");
    assert_eq!(ark.issuer(), ark.subject());
    assert_eq!(ark.serial(), [2, 0, 0]);
    let (constraints, usage) = ark.authority().unwrap();
    assert_eq!(constraints.path_length, None);
    assert_eq!(usage, KeyUsage::CertificatesAndCrls);
    let ask = Certificate::parse(chip.roots().ask()).unwrap();
    assert_eq!(ask.subject().common_name(), "SEV-Emulated-Genoa");
    assert_eq!(ask.issuer(), ark.subject());
    let (constraints, usage) = ask.authority().unwrap();
    assert_eq!(constraints.path_length, Some(0));
    assert_eq!(usage, KeyUsage::Certificates);
}

#[test]
fn a_leaf_names_its_chip_and_level_with_either_trailer() {
    let chip = genoa();
    for trailer in [TrailerEncoding::Explicit, TrailerEncoding::Omitted] {
        let der = chip.vcek_certificate(level(), NOW_MS, trailer).unwrap();
        let vcek = Certificate::parse(&der).unwrap();
        assert_eq!(vcek.subject().common_name(), "SEV-VCEK");
        assert_eq!(vcek.serial(), [0]);
        assert!(vcek.not_before_ms() < NOW_MS && NOW_MS < vcek.not_after_ms());
        let vek = vcek.vek(ProductLine::Genoa).unwrap();
        assert_eq!(vek.tcb, level());
        assert_eq!(vek.identity, VekIdentity::Chip(chip.chip_id()));
        assert!(vcek.vek(ProductLine::Turin).is_err());
    }
}

#[test]
fn levels_above_127_are_encoded_as_positive_integers() {
    let tcb = TcbComponents {
        microcode: 0xdb,
        ..level()
    };
    let der = genoa()
        .vcek_certificate(tcb, NOW_MS, TrailerEncoding::Omitted)
        .unwrap();
    let vek = Certificate::parse(&der).unwrap().vek(ProductLine::Genoa);
    assert_eq!(vek.unwrap().tcb, tcb);
}

#[test]
fn each_level_has_its_own_key_and_the_same_level_the_same() {
    let chip = genoa();
    let key = |tcb| chip.vcek(tcb).unwrap().to_bytes();
    assert_eq!(key(level()), key(level()));
    for other in [
        TcbComponents { fmc: 1, ..level() },
        TcbComponents {
            bootloader: 9,
            ..level()
        },
        TcbComponents { tee: 1, ..level() },
        TcbComponents { snp: 28, ..level() },
        TcbComponents {
            microcode: 87,
            ..level()
        },
    ] {
        assert_ne!(key(other), key(level()), "{other}");
    }
}

#[test]
fn the_revocation_list_is_current_and_revokes_nothing() {
    let chip = genoa();
    let schedule = CrlSchedule::new(NOW_MS);
    let list_at = |now_ms| {
        chip.revocation_list(&schedule, schedule.newest(now_ms))
            .unwrap()
    };
    let der = list_at(NOW_MS);
    let list = Crl::parse(&der).unwrap();
    assert!(list.this_update_ms() < NOW_MS && NOW_MS < list.next_update_ms());
    let ark = Certificate::parse(chip.roots().ark()).unwrap();
    let ask = Certificate::parse(chip.roots().ask()).unwrap();
    assert_eq!(list.issuer(), ark.subject());
    assert!(!list.revokes(ask.serial()));
    let next = list_at(NOW_MS + RENEWAL_MS);
    let next = Crl::parse(&next).unwrap();
    assert!(next.number() > list.number(), "both have three bytes");
    assert_eq!(next.this_update_ms(), list.this_update_ms() + RENEWAL_MS);
}

#[test]
fn a_revocation_list_names_the_intermediate_once_it_is_revoked() {
    let chip = genoa();
    let mut schedule = CrlSchedule::new(NOW_MS);
    schedule.revoke(pki::ask_serial(ProductLine::Genoa), NOW_MS + 1000);
    let der = chip
        .revocation_list(&schedule, schedule.newest(NOW_MS + 1000))
        .unwrap();
    let list = Crl::parse(&der).unwrap();
    let ask = Certificate::parse(chip.roots().ask()).unwrap();
    assert!(list.revokes(ask.serial()));
    assert!(!list.revokes(Certificate::parse(chip.roots().ark()).unwrap().serial()));
}

#[test]
fn a_state_folder_keeps_its_chip() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("sp");
    let first = Chip::open(&state, None, NOW_MS).unwrap();
    let again = Chip::open(&state, Some(EmulatedProduct::Genoa), NOW_MS + 1).unwrap();
    assert_eq!(first.roots(), again.roots());
    assert_eq!(first.chip_id(), again.chip_id());
    assert_eq!(
        first.vcek(level()).unwrap().to_bytes(),
        again.vcek(level()).unwrap().to_bytes()
    );
    let roots = EmulatedRoots::read(&state.join(ROOTS_FILE)).unwrap();
    assert_eq!(&roots, first.roots());
    assert!(matches!(
        Chip::open(&state, Some(EmulatedProduct::Turin), NOW_MS),
        Err(EmulationError::OtherProduct)
    ));
    let names = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut left: Vec<String> = fs::read_dir(&state).unwrap().map(names).collect();
    left.sort();
    assert_eq!(left, [ROOTS_FILE, STATE_FILE], "no staging file is left");

    let path = state.join(STATE_FILE);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"ask\"", "\"asvk\"")).unwrap();
    assert!(matches!(
        Chip::open(&state, None, NOW_MS),
        Err(EmulationError::State { .. })
    ));
}
