use std::sync::OnceLock;

use chancery_evidence::{Certificate, Crl, GuestPolicy, PublicKey, Report, SigningKey};
use p384::ecdsa::signature::Verifier as _;

use super::*;
use crate::certificate_table::CertificateForm;
use crate::chip::STATE_FILE;
use crate::crl::RENEWAL_MS;
use crate::id_block::GuestIdentity;
use crate::platform::PlatformFolder;
use crate::product::EmulatedProduct;

const NOW_MS: u64 = 1_790_000_000_000;
const POLICY: u64 = GuestPolicy::RESERVED_ONE;
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
        let bytes = SecureProcessor::report(&machine, &DATA).unwrap();
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
        let report = SecureProcessor::report(machine, &DATA).unwrap();
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
    *SecureProcessor::derived_key(machine, request)
        .unwrap()
        .expose()
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
    let refused =
        |request: DerivedKeyRequest| SecureProcessor::derived_key(&machine, &request).err();
    assert_eq!(refused(sealing(1)), Some(PlatformError::Refused));
    let level = EmulatedProduct::Genoa.level().tcb;
    for later in [
        TcbComponents {
            snp: level.snp + 1,
            ..level
        },
        TcbComponents {
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
    let bytes = SecureProcessor::report(&named, &DATA).unwrap();
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
    now_ms.fetch_add(RENEWAL_MS, Ordering::SeqCst);
    let second = machine.certificates().unwrap();
    assert_ne!(second.crl, first.crl);
    assert_eq!(second.ark, first.ark);
}

/// A platform in a folder of its own.
struct Place {
    folder: tempfile::TempDir,
    platform: PlatformFolder,
}

impl Place {
    fn new(product: EmulatedProduct, level: PlatformLevel) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(STATE_FILE), b"").unwrap();
        let platform = PlatformFolder::open(folder.path(), product, Some(level), NOW_MS).unwrap();
        Self { folder, platform }
    }

    fn launch(&self, guest: Guest) -> Machine {
        let source = PlatformSource::Folder(self.platform.clone());
        let product = self.platform.read().unwrap().product();
        Machine::launch_on(chip(product), source, guest, Arc::new(|| NOW_MS)).unwrap()
    }

    fn change(&self, change: impl FnOnce(&mut PlatformState)) {
        let changed = self.platform.change(|state| {
            change(state);
            Ok(())
        });
        changed.unwrap();
    }
}

fn named(word: &str) -> PlatformLevel {
    PlatformLevel::from_word(word).unwrap().1
}

fn fields(machine: &Machine) -> ReportFields {
    let bytes = SecureProcessor::report(machine, &DATA).unwrap();
    let report = Report::parse(&bytes).unwrap();
    // Whatever is reported: the certificate at hand is of the key that signed.
    let certificates = machine.certificates().unwrap();
    let vcek = certificates.vcek.unwrap();
    let vcek = Certificate::parse(&vcek).unwrap();
    let line = machine.chip.product().line();
    let tcb = vcek.vek(line).unwrap().tcb;
    assert_eq!(report.fields().reported_tcb, tcb.encode(line));
    let PublicKey::P384(point) = vcek.key() else {
        panic!("not a P-384 key");
    };
    let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(point).unwrap();
    let signature = Signature::from_slice(report.signature()).unwrap();
    assert!(key.verify(report.signed(), &signature).is_ok());
    report.fields().clone()
}

#[test]
fn an_update_reaches_a_running_guest_and_the_launch_stays_what_it_was() {
    let old = named("genoa-1.55.40");
    let new = named("genoa-1.55.49");
    let place = Place::new(EmulatedProduct::Genoa, old);
    let machine = place.launch(guest());
    let encode = |level: PlatformLevel| level.tcb.encode(EmulatedProduct::Genoa.line());
    let before = fields(&machine);
    assert_eq!(before.version.number(), 3);

    place.change(|state| state.update(new).unwrap());
    let provisional = fields(&machine);
    let expected = ReportFields {
        version: ReportVersion::V5(
            EmulatedProduct::Genoa.cpuid(),
            MitigationVectors {
                launch: old.mitigation_vector,
                current: new.mitigation_vector,
            },
        ),
        current_tcb: encode(new),
        current_firmware: new.firmware,
        platform_info: new.platform_info,
        ..before.clone()
    };
    assert_eq!(provisional, expected);

    place.change(PlatformState::commit);
    let committed = ReportFields {
        committed_tcb: encode(new),
        committed_firmware: new.firmware,
        reported_tcb: encode(new),
        ..expected
    };
    assert_eq!(fields(&machine), committed);
    assert_eq!(committed.launch_tcb, encode(old));

    place.change(|state| state.set_reported(old.tcb).unwrap());
    let lowered = ReportFields {
        reported_tcb: encode(old),
        ..committed
    };
    assert_eq!(fields(&machine), lowered);
    let relaunched = fields(&place.launch(guest()));
    assert_eq!(relaunched.launch_tcb, encode(new));
    assert_ne!(relaunched.report_id, lowered.report_id);
}

#[test]
fn keys_of_new_firmware_exist_once_it_is_committed_and_old_ones_stay() {
    let old = named("genoa-1.55.40");
    let new = named("genoa-1.55.49");
    let place = Place::new(EmulatedProduct::Genoa, old);
    let machine = place.launch(guest());
    let request = |level: PlatformLevel| {
        let tcb = level.tcb.encode(EmulatedProduct::Genoa.line());
        DerivedKeyRequest::sealing(0, u64::from_le_bytes(tcb.bytes()))
    };
    let refused = |request| SecureProcessor::derived_key(&machine, &request).err();
    let of_old = key(&machine, &request(old));
    assert_eq!(refused(request(new)), Some(PlatformError::Refused));
    place.change(|state| state.update(new).unwrap());
    assert_eq!(
        refused(request(new)),
        Some(PlatformError::Refused),
        "provisional"
    );
    place.change(PlatformState::commit);
    assert_ne!(key(&machine, &request(new)), of_old);
    assert_eq!(key(&machine, &request(old)), of_old);
    place.change(|state| state.set_reported(old.tcb).unwrap());
    assert_eq!(
        refused(request(new)),
        None,
        "what is reported does not matter"
    );
}

#[test]
fn a_broken_channel_is_lost_until_the_next_launch() {
    let place = Place::new(EmulatedProduct::Genoa, named("genoa-1.55.49"));
    let machine = place.launch(guest());
    assert!(SecureProcessor::report(&machine, &DATA).is_ok());
    place.change(PlatformState::fail_channels);
    let request = DerivedKeyRequest::sealing(0, 0);
    for _ in 0..2 {
        let report = SecureProcessor::report(&machine, &DATA);
        assert_eq!(report, Err(PlatformError::Lost));
        assert_eq!(machine.certificates(), Err(PlatformError::Lost));
        let key = SecureProcessor::derived_key(&machine, &request);
        assert_eq!(key.err(), Some(PlatformError::Lost));
    }
    let next = place.launch(guest());
    assert!(SecureProcessor::report(&next, &DATA).is_ok());
    let report = SecureProcessor::report(&machine, &DATA);
    assert_eq!(report, Err(PlatformError::Lost), "the old one stays lost");
}

#[test]
fn a_throttled_guest_is_put_off_and_served_later() {
    let place = Place::new(EmulatedProduct::Genoa, named("genoa-1.55.49"));
    let machine = place.launch(guest());
    place.change(|state| state.set_throttled(true));
    let report = SecureProcessor::report(&machine, &DATA);
    assert_eq!(report, Err(PlatformError::Busy));
    assert_eq!(machine.certificates(), Err(PlatformError::Busy));
    place.change(|state| state.set_throttled(false));
    assert!(SecureProcessor::report(&machine, &DATA).is_ok());
}

#[test]
fn a_platform_that_cannot_be_read_fails_requests_and_not_for_good() {
    let place = Place::new(EmulatedProduct::Genoa, named("genoa-1.55.49"));
    let machine = place.launch(guest());
    let path = place.folder.path().join("platform.json");
    let state = std::fs::read(&path).unwrap();
    std::fs::write(&path, b"{}").unwrap();
    let report = SecureProcessor::report(&machine, &DATA);
    assert_eq!(report, Err(PlatformError::System));
    std::fs::write(&path, state).unwrap();
    assert!(SecureProcessor::report(&machine, &DATA).is_ok());
}

#[test]
fn the_host_writes_its_table_in_either_form_and_a_revocation_at_once() {
    let place = Place::new(EmulatedProduct::Genoa, named("genoa-1.55.49"));
    let machine = place.launch(guest());
    let der = machine.certificates().unwrap();
    let crl = |table: &CertificateTable| {
        let bytes = table.crl.clone().unwrap();
        let list = Crl::parse(&bytes).unwrap();
        let ask = table.ask.clone().unwrap();
        let ask = Certificate::parse(&ask).unwrap();
        (list.number().to_vec(), list.revokes(ask.serial()))
    };
    place.change(|state| state.set_certificate_form(CertificateForm::Pem));
    let table = machine.certificate_table().unwrap();
    assert!(
        table
            .windows(22)
            .any(|window| window == b"-----BEGIN X509 CRL---")
    );
    assert_eq!(machine.certificates().unwrap(), der);
    place.change(|state| state.revoke_intermediate(NOW_MS));
    let after = machine.certificates().unwrap();
    assert_eq!(after.ask, der.ask);
    let ((before, was_revoked), (number, is_revoked)) = (crl(&der), crl(&after));
    assert!(number > before && !was_revoked && is_revoked);
}
