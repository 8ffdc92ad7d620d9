use std::sync::OnceLock;

use chancery_evidence::{Report, SigningKey};
use p384::ecdsa::signature::Verifier as _;

use super::*;
use crate::product::EmulatedProduct;

const NOW_MS: u64 = 1_790_000_000_000;
const DATA: [u8; 64] = [0x5a; 64];

fn chip(product: EmulatedProduct) -> Arc<Chip> {
    static GENOA: OnceLock<Arc<Chip>> = OnceLock::new();
    static TURIN: OnceLock<Arc<Chip>> = OnceLock::new();
    let slot = match product {
        EmulatedProduct::Genoa => &GENOA,
        EmulatedProduct::Turin => &TURIN,
    };
    let made = slot.get_or_init(|| Arc::new(Chip::generate(product, NOW_MS).unwrap()));
    Arc::clone(made)
}

fn guest() -> Guest {
    Guest::measure(b"a program", b"its configuration").unwrap()
}

fn launch(product: EmulatedProduct, guest: Guest) -> Machine {
    let clock: Clock = Arc::new(|| NOW_MS);
    Machine::launch(chip(product), product.level(), guest, clock).unwrap()
}

fn machine(guest: Guest) -> Machine {
    launch(EmulatedProduct::Genoa, guest)
}

#[test]
fn reports_are_exact_and_signed_by_the_chip_key() {
    for product in [EmulatedProduct::Genoa, EmulatedProduct::Turin] {
        let machine = launch(product, guest());
        let bytes = machine.report(&DATA).unwrap();
        let report = Report::parse(&bytes).unwrap();
        let fields = report.fields();
        assert_eq!(fields.report_data, DATA);
        assert_eq!(&fields.measurement, guest().measurement.as_bytes());
        assert_eq!(fields.host_data, guest().host_data);
        assert_eq!(fields.chip_id, chip(product).chip_id());
        assert_eq!(fields.version.number(), 5);
        assert_eq!(fields.version.cpuid(), Some(product.cpuid()));
        assert_eq!(fields.signer_info.signing_key(), Some(SigningKey::Vcek));
        assert_eq!(fields.report_id_ma, [0xff; 32]);
        let tcb = fields.reported_tcb.components(product.line());
        assert_eq!(tcb, Some(product.level().tcb));
        let signature = Signature::from_slice(report.signature()).unwrap();
        let key = chip(product).vcek(product.level().tcb).unwrap();
        let key = key.verifying_key();
        assert!(key.verify(report.signed(), &signature).is_ok());
        let mut other = *report.signed();
        other[0x50] ^= 1;
        assert!(key.verify(&other, &signature).is_err());
    }
}

#[test]
fn a_launch_keeps_its_report_id_and_the_next_has_another() {
    let id = |machine: &Machine| {
        let report = machine.report(&DATA).unwrap();
        Report::parse(&report).unwrap().fields().report_id
    };
    let first = machine(guest());
    assert_eq!(id(&first), id(&first));
    assert_ne!(id(&first), id(&machine(guest())));
}

#[test]
fn refuses_a_policy_that_the_platform_cannot_give() {
    let forbidden = Guest {
        policy: GuestPolicy::from_bits(POLICY | GuestPolicy::RAPL_DIS),
        ..guest()
    };
    let product = EmulatedProduct::Genoa;
    let clock: Clock = Arc::new(|| NOW_MS);
    assert!(matches!(
        Machine::launch(chip(product), product.level(), forbidden, clock),
        Err(EmulationError::PolicyRefused)
    ));
}

fn sealing(guest_svn: u32) -> DerivedKeyRequest {
    let tcb = EmulatedProduct::Genoa
        .level()
        .tcb
        .encode(EmulatedProduct::Genoa.line());
    DerivedKeyRequest::sealing(guest_svn, u64::from_le_bytes(tcb.bytes()))
}

fn key(machine: &Machine, request: &DerivedKeyRequest) -> [u8; 32] {
    *machine.derived_key(request).unwrap().expose()
}

#[test]
fn the_sealing_key_is_the_same_after_a_restart_of_the_same_guest_alone() {
    let base = key(&machine(guest()), &sealing(0));
    assert_eq!(base, key(&machine(guest()), &sealing(0)));
    let other_image = Guest::measure(b"another program", b"its configuration").unwrap();
    assert_ne!(base, key(&machine(other_image), &sealing(0)));
    let debug = Guest {
        policy: GuestPolicy::from_bits(POLICY | GuestPolicy::DEBUG),
        ..guest()
    };
    assert_ne!(base, key(&machine(debug), &sealing(0)));
    let other_configuration = Guest::measure(b"a program", b"other").unwrap();
    assert_eq!(base, key(&machine(other_configuration), &sealing(0)));
    let newer = Guest {
        identity: GuestIdentity {
            guest_svn: 1,
            ..GuestIdentity::NONE
        },
        ..guest()
    };
    let newer = machine(newer);
    assert_eq!(
        base,
        key(&newer, &sealing(0)),
        "a later guest reads the old state"
    );
    assert_ne!(base, key(&newer, &sealing(1)));
}

#[test]
fn another_chip_derives_another_key() {
    let request = DerivedKeyRequest::sealing(0, 0);
    let genoa = key(&machine(guest()), &request);
    assert_ne!(
        genoa,
        key(&launch(EmulatedProduct::Turin, guest()), &request)
    );
}

#[test]
fn every_selected_field_changes_the_key_and_an_unselected_one_does_not() {
    let machine = machine(guest());
    let mut keys = Vec::new();
    for bits in 0..0x40 {
        let request = DerivedKeyRequest {
            guest_field_select: GuestFields::from_bits(bits).unwrap(),
            ..sealing(0)
        };
        keys.push(key(&machine, &request));
    }
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 0x40);
    let unselected = |tcb_version| DerivedKeyRequest {
        guest_field_select: GuestFields::MEASUREMENT,
        tcb_version,
        ..sealing(0)
    };
    assert_eq!(key(&machine, &unselected(0)), key(&machine, &unselected(1)));
}

#[test]
fn the_migration_root_key_belongs_to_one_launch() {
    let request = DerivedKeyRequest {
        root_key: RootKey::Vmrk,
        ..sealing(0)
    };
    assert_ne!(
        key(&machine(guest()), &request),
        key(&machine(guest()), &request)
    );
}

#[test]
fn refuses_keys_of_later_versions_than_the_guest_or_the_platform_has() {
    let machine = machine(guest());
    let refused = |request: DerivedKeyRequest| machine.derived_key(&request).err();
    assert_eq!(refused(sealing(1)), Some(PlatformError::Refused));
    let level = EmulatedProduct::Genoa.level().tcb;
    for later in [
        chancery_evidence::TcbComponents {
            snp: level.snp + 1,
            ..level
        },
        chancery_evidence::TcbComponents {
            microcode: level.microcode + 1,
            snp: 0,
            ..level
        },
    ] {
        let tcb = u64::from_le_bytes(later.encode(EmulatedProduct::Genoa.line()).bytes());
        let request = DerivedKeyRequest::sealing(0, tcb);
        assert_eq!(refused(request), Some(PlatformError::Refused));
    }
    let reserved_byte = DerivedKeyRequest::sealing(0, 0x0001_0000);
    assert_eq!(refused(reserved_byte), Some(PlatformError::Refused));
    let vmpl = DerivedKeyRequest {
        vmpl: 4,
        ..sealing(0)
    };
    assert_eq!(refused(vmpl), Some(PlatformError::Refused));
    let earlier = DerivedKeyRequest::sealing(0, 0);
    assert_ne!(key(&machine, &earlier), key(&machine, &sealing(0)));
}

#[test]
fn what_the_id_block_says_is_in_the_report_and_in_the_keys() {
    let named = Guest {
        identity: GuestIdentity {
            family_id: [1; 16],
            image_id: [2; 16],
            guest_svn: 3,
            id_key_digest: [4; 48],
            author_key_digest: Some([5; 48]),
        },
        ..guest()
    };
    let named = machine(named);
    let bytes = named.report(&DATA).unwrap();
    let report = Report::parse(&bytes).unwrap();
    let fields = report.fields();
    assert_eq!(fields.family_id, [1; 16]);
    assert_eq!(fields.image_id, [2; 16]);
    assert_eq!(fields.guest_svn, 3);
    assert_eq!(fields.id_key_digest, [4; 48]);
    assert_eq!(fields.author_key_digest, [5; 48]);
    assert!(fields.signer_info.has(SignerInfo::AUTHOR_KEY_EN));
    for field in [GuestFields::FAMILY_ID, GuestFields::IMAGE_ID] {
        let request = DerivedKeyRequest {
            guest_field_select: field,
            ..sealing(0)
        };
        assert_ne!(key(&named, &request), key(&machine(guest()), &request));
    }
}

#[test]
fn certificates_are_issued_once_a_day() {
    use std::sync::atomic::{AtomicU64, Ordering};
    let now_ms = Arc::new(AtomicU64::new(NOW_MS));
    let shown = Arc::clone(&now_ms);
    let clock: Clock = Arc::new(move || shown.load(Ordering::SeqCst));
    let product = EmulatedProduct::Genoa;
    let machine = Machine::launch(chip(product), product.level(), guest(), clock).unwrap();
    let first = machine.certificates().unwrap();
    assert_eq!(machine.certificates().unwrap(), first);
    now_ms.fetch_add(DAY_MS, Ordering::SeqCst);
    let second = machine.certificates().unwrap();
    assert_ne!(second.crl, first.crl);
    assert_eq!(second.ark, first.ark);
}
