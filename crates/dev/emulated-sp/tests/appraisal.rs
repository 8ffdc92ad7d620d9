//! Emulated evidence before the real verifier: accepted under its own anchor alone.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::{Arc, OnceLock};

use chancery_emulated_sp::{
    CertificateForm, Chip, Clock, EmulatedAnchor, EmulatedProduct, Guest, Machine, PlatformLevel,
    PlatformSource, PlatformState, TrailerEncoding,
};
use chancery_evidence::{GuestPolicy, TcbComponents};
use chancery_platform::SecureProcessor as _;
use chancery_verify::{
    Amd, Anchor, CheckId, CrlNumbers, Evidence, Floor, FloorRule, Mode, Processors, Refusal,
    Release, ReleasePolicy, Stage, TcbFloors, appraise,
};

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

fn launch_at(product: EmulatedProduct, level: PlatformLevel, guest: Guest) -> Machine {
    let clock: Clock = Arc::new(|| NOW_MS);
    Machine::launch(chip(product), level, guest, clock).unwrap()
}

fn launch(product: EmulatedProduct) -> Machine {
    launch_at(product, product.level(), guest())
}

fn evidence(machine: &Machine) -> Evidence {
    let certificates = machine.certificates().unwrap();
    Evidence {
        report: machine.report(&DATA).unwrap(),
        vcek: certificates.vcek.unwrap(),
        ask: certificates.ask.unwrap(),
        ark: certificates.ark.unwrap(),
        crl: certificates.crl.unwrap(),
    }
}

/// The strictest policy there is, for exactly this guest on exactly this chip.
fn policy(product: EmulatedProduct) -> ReleasePolicy {
    let mut policy = ReleasePolicy::baseline(1, NOW_MS - 1000, NOW_MS + 1000);
    policy.releases.push(Release {
        id: "test".to_owned(),
        version: "1".to_owned(),
        measurement: *guest().measurement.as_bytes(),
    });
    policy.host_data.push(guest().host_data);
    policy.chip_ids.push(chip(product).chip_id());
    policy.products.push(product.line());
    policy.report_version_min = 5;
    policy.check().unwrap();
    policy
}

/// The floors that exactly this processor meets.
fn floors(product: EmulatedProduct) -> TcbFloors {
    let level = product.level();
    TcbFloors {
        version: 1,
        issued_ms: NOW_MS - 1,
        expires_ms: NOW_MS + 1,
        crl_numbers_min: CrlNumbers::ANY,
        rules: vec![FloorRule {
            name: "test".to_owned(),
            line: product.line(),
            processors: Processors::only(product.cpuid()),
            floor: Floor {
                tcb: level.tcb,
                firmware: level.firmware,
                mitigation_required: level.mitigation_vector,
            },
            sources: Vec::new(),
        }],
    }
}

fn judge(product: EmulatedProduct, evidence: &Evidence) -> Result<Mode, Refusal> {
    let anchor = EmulatedAnchor::new(chip(product).roots());
    let (policy, floors) = (policy(product), floors(product));
    appraise(&anchor, evidence, &policy, &floors, &DATA, NOW_MS).map(|verdict| verdict.mode())
}

#[test]
fn accepts_both_products_under_the_strictest_policy() {
    for product in [EmulatedProduct::Genoa, EmulatedProduct::Turin] {
        for trailer in [TrailerEncoding::Explicit, TrailerEncoding::Omitted] {
            let machine = launch(product).with_leaf_trailer(trailer);
            assert_eq!(judge(product, &evidence(&machine)), Ok(Mode::Emulated));
        }
    }
}

#[test]
fn the_amd_anchor_refuses_emulated_evidence_at_the_chain() {
    let product = EmulatedProduct::Genoa;
    let evidence = evidence(&launch(product));
    let refusal = appraise(
        &Amd,
        &evidence,
        &policy(product),
        &floors(product),
        &DATA,
        NOW_MS,
    )
    .unwrap_err();
    assert_eq!(refusal.stage(), Stage::Chain);
    assert!(refusal.has_failed(CheckId::RootPinned));
}

#[test]
fn another_emulated_root_is_refused_at_the_chain() {
    let other = Chip::generate(EmulatedProduct::Genoa, NOW_MS).unwrap();
    let anchor = EmulatedAnchor::new(other.roots());
    let evidence = evidence(&launch(EmulatedProduct::Genoa));
    let policy = policy(EmulatedProduct::Genoa);
    let refusal = appraise(
        &anchor,
        &evidence,
        &policy,
        &floors(EmulatedProduct::Genoa),
        &DATA,
        NOW_MS,
    )
    .unwrap_err();
    assert!(refusal.has_failed(CheckId::RootPinned));
}

#[test]
fn emulated_names_differ_from_amds() {
    assert_ne!(EmulatedAnchor::REPORT_DATA_NODE, Amd::REPORT_DATA_NODE);
    assert_ne!(
        EmulatedAnchor::REPORT_DATA_SESSION,
        Amd::REPORT_DATA_SESSION
    );
    assert_ne!(EmulatedAnchor::COMMON_NAME_INFIX, Amd::COMMON_NAME_INFIX);
    assert_ne!(EmulatedAnchor::MODE, Amd::MODE);
}

#[test]
fn a_certificate_of_another_level_does_not_fit_the_report() {
    let product = EmulatedProduct::Genoa;
    let level = product.level();
    let lower = PlatformLevel {
        tcb: TcbComponents {
            snp: level.tcb.snp - 1,
            ..level.tcb
        },
        ..level
    };
    let mixed = Evidence {
        vcek: evidence(&launch_at(product, lower, guest())).vcek,
        ..evidence(&launch(product))
    };
    let refusal = judge(product, &mixed).unwrap_err();
    assert!(refusal.has_failed(CheckId::ReportedTcb));
}

#[test]
fn another_program_configuration_or_policy_is_refused_by_its_own_check() {
    let product = EmulatedProduct::Genoa;
    let judge_guest = |guest| {
        judge(
            product,
            &evidence(&launch_at(product, product.level(), guest)),
        )
    };
    let failed = |guest, check: CheckId| {
        let refusal = judge_guest(guest).unwrap_err();
        let failed: Vec<CheckId> = refusal.failed().map(|row| row.check).collect();
        assert_eq!(failed, [check]);
    };
    let program = Guest::measure(b"another", b"its configuration").unwrap();
    failed(program, CheckId::Measurement);
    let configuration = Guest::measure(b"a program", b"another").unwrap();
    failed(configuration, CheckId::HostData);
    let debug = Guest {
        policy: GuestPolicy::from_bits(GuestPolicy::RESERVED_ONE | GuestPolicy::DEBUG),
        ..guest()
    };
    failed(debug, CheckId::GuestPolicyForbidden);
}

/// A Genoa platform at its product's level, after an operator's changes.
fn after(change: impl FnOnce(&mut PlatformState)) -> PlatformState {
    let product = EmulatedProduct::Genoa;
    let mut state = PlatformState::new(product, product.level(), NOW_MS);
    change(&mut state);
    state
}

/// The checks that evidence of a guest on this platform fails under the strictest policy.
fn failed_on(state: PlatformState) -> Vec<CheckId> {
    let product = EmulatedProduct::Genoa;
    let source = PlatformSource::Fixed(Box::new(state));
    let machine = Machine::launch_on(chip(product), source, guest(), Arc::new(|| NOW_MS)).unwrap();
    match judge(product, &evidence(&machine)) {
        Ok(mode) => {
            assert_eq!(mode, Mode::Emulated);
            Vec::new()
        }
        Err(refusal) => refusal.failed().map(|row| row.check).collect(),
    }
}

/// A level above that of the strictest policy.
fn newer() -> PlatformLevel {
    let level = EmulatedProduct::Genoa.level();
    PlatformLevel {
        tcb: TcbComponents {
            snp: level.tcb.snp + 1,
            ..level.tcb
        },
        ..level
    }
}

#[test]
fn provisional_firmware_is_refused_until_it_is_committed() {
    let provisional = after(|platform| platform.update(newer()).unwrap());
    assert_eq!(failed_on(provisional.clone()), [CheckId::FirmwareCommitted]);
    let mut committed = provisional;
    committed.commit();
    assert_eq!(failed_on(committed), []);
}

#[test]
fn a_host_that_reports_less_than_the_floor_is_refused_and_less_than_it_has_is_not() {
    let level = EmulatedProduct::Genoa.level();
    let below = TcbComponents {
        microcode: level.tcb.microcode - 1,
        ..level.tcb
    };
    let lowered = after(|platform| platform.set_reported(below).unwrap());
    assert_eq!(failed_on(lowered), [CheckId::TcbReportedFloor]);
    let at_the_floor = after(|platform| {
        platform.update(newer()).unwrap();
        platform.commit();
        platform.set_reported(level.tcb).unwrap();
    });
    assert_eq!(failed_on(at_the_floor), []);
}

#[test]
fn a_revoked_intermediate_is_refused_by_its_own_check() {
    let revoked = after(|platform| platform.revoke_intermediate(NOW_MS));
    assert_eq!(failed_on(revoked), [CheckId::IntermediateRevoked]);
}

#[test]
fn certificates_are_accepted_in_each_form_and_encoding() {
    for form in [CertificateForm::Der, CertificateForm::Pem] {
        for trailer in [TrailerEncoding::Explicit, TrailerEncoding::Omitted] {
            let written = after(|platform| {
                platform.set_certificate_form(form);
                platform.set_leaf_trailer(trailer);
            });
            assert_eq!(failed_on(written), []);
        }
    }
}

#[test]
fn a_report_of_version_3_is_accepted_by_floors_of_its_level_alone() {
    let product = EmulatedProduct::Genoa;
    let (_, level) = PlatformLevel::from_word("genoa-1.55.40").unwrap();
    let evidence = evidence(&launch_at(product, level, guest()));
    let refusal = judge(product, &evidence).unwrap_err();
    assert_eq!(refusal.stage(), Stage::Policy);
    assert!(refusal.has_failed(CheckId::ReportVersionMin));
    assert!(refusal.has_failed(CheckId::TcbCurrentFloor));

    let anchor = EmulatedAnchor::new(chip(product).roots());
    let (mut policy, mut floors) = (policy(product), floors(product));
    policy.report_version_min = 3;
    for rule in &mut floors.rules {
        rule.floor = Floor {
            tcb: level.tcb,
            firmware: level.firmware,
            mitigation_required: 0,
        };
    }
    let verdict = appraise(&anchor, &evidence, &policy, &floors, &DATA, NOW_MS).unwrap();
    assert_eq!(verdict.mode(), Mode::Emulated);
}

#[test]
fn genuine_evidence_is_refused_under_an_emulated_anchor_at_the_chain() {
    let read = |name: &str| {
        let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../attestation/vectors/");
        std::fs::read(format!("{vectors}{name}")).unwrap()
    };
    let product = EmulatedProduct::Genoa;
    let genuine = Evidence {
        report: read("reports/genoa-v5-vcek-01-oak/report.bin"),
        vcek: read("reports/genoa-v5-vcek-01-oak/vek.der"),
        ask: read("roots/genoa/ask.der"),
        ark: read("roots/genoa/ark.der"),
        crl: evidence(&launch(product)).crl,
    };
    let refusal = judge(product, &genuine).unwrap_err();
    assert_eq!(refusal.stage(), Stage::Chain);
    assert!(refusal.has_failed(CheckId::RootPinned));
}
