//! Reports and certificates of the test PKI, each breaking exactly one rule.

use chancery_evidence::CpuId;
use chancery_evidence::MitigationVectors;
use chancery_evidence::PlatformInfo;
use chancery_evidence::ReportVersion;
use chancery_evidence::SignerInfo;
use chancery_evidence::Tcb;
use chancery_evidence::VekKind;

use super::pki::NOW_MS;
use super::pki::TestAnchor;
use super::pki::evidence;
use super::pki::fields;
use super::pki::floors;
use super::pki::policy;
use super::pki::sign;
use super::pki::tcb;
use super::*;
use crate::amd_chain::amd_chain;
use crate::anchor::Amd;
use crate::policy::IdBlockRule;

const GENOA: ProductLine = ProductLine::Genoa;
const TURIN: ProductLine = ProductLine::Turin;

fn run(line: ProductLine, fields: &ReportFields, policy: &ReleasePolicy) -> Vec<&'static str> {
    let evidence = evidence(line, sign(&fields.encode_signed()));
    let (anchor, floors) = (TestAnchor::load(), floors(line));
    match appraise(&anchor, &evidence, policy, &floors, &[0x11; 64], NOW_MS) {
        Ok(_) => Vec::new(),
        Err(refusal) => failed_names(&refusal),
    }
}

#[test]
fn the_unspoiled_report_of_each_line_meets_the_strict_policy_with_nothing_waived() {
    for line in [GENOA, TURIN] {
        let evidence = evidence(line, sign(&fields(line).encode_signed()));
        let verdict = appraise(
            &TestAnchor::load(),
            &evidence,
            &policy(line),
            &floors(line),
            &[0x11; 64],
            NOW_MS,
        )
        .unwrap();
        let skipped: Vec<&str> = verdict
            .rows()
            .iter()
            .filter(|row| row.outcome == Outcome::NotChecked)
            .map(|row| row.check.name())
            .collect();
        assert_eq!(skipped, ["id_block", "guest_svn", "family_id", "image_id"]);
        assert_eq!(verdict.rows().len(), CheckId::ALL.len());
        assert_eq!(verdict.mode().shown(), "EMULATED");
    }
}

#[test]
fn evidence_of_one_anchor_never_satisfies_another() {
    let test = evidence(GENOA, sign(&fields(GENOA).encode_signed()));
    let refusal = appraise(
        &Amd,
        &test,
        &policy(GENOA),
        &floors(GENOA),
        &[0x11; 64],
        NOW_MS,
    )
    .unwrap_err();
    assert_eq!(failed_names(&refusal), ["root_pinned"]);

    // Genuine evidence of AMD under another anchor.
    let amd = amd_chain(GENOA, VekKind::Vcek);
    let genuine = Evidence {
        report: read("reports/genoa-v5-vcek-01-oak/report.bin"),
        vcek: read("reports/genoa-v5-vcek-01-oak/vek.der"),
        ask: amd.intermediate.to_vec(),
        ark: amd.root.to_vec(),
        crl: Vec::new(),
    };
    let (anchor, policy, floors) = (TestAnchor::load(), policy(GENOA), floors(GENOA));
    let refusal = appraise(&anchor, &genuine, &policy, &floors, &[0; 64], NOW_MS).unwrap_err();
    assert_eq!(failed_names(&refusal), ["root_pinned"]);
}

#[test]
fn each_spoiled_certificate_and_list_fails_exactly_the_check_it_is_about() {
    let cases: serde_json::Value = serde_json::from_slice(&read("test-pki/cases.json")).unwrap();
    let cases = cases.as_array().unwrap();
    assert!(cases.len() >= 72, "{}", cases.len());
    let report = sign(&fields(GENOA).encode_signed());
    for case in cases {
        let mut anchor = TestAnchor::load();
        let id = case["id"].as_str().unwrap();
        let mut evidence = evidence(GENOA, report.clone());
        let spoiled = read(&format!("test-pki/{}", case["file"].as_str().unwrap()));
        match case["part"].as_str().unwrap() {
            "ark" => evidence.ark = spoiled,
            "pinned-ark" => {
                anchor = TestAnchor::pinning(&spoiled);
                evidence.ark = spoiled;
            }
            "ask" => evidence.ask = spoiled,
            "vcek" => evidence.vcek = spoiled,
            "crl" => evidence.crl = spoiled,
            other => panic!("{other}"),
        }
        let refusal = appraise(
            &anchor,
            &evidence,
            &policy(GENOA),
            &floors(GENOA),
            &[0x11; 64],
            NOW_MS,
        )
        .expect_err(id);
        assert_eq!(
            failed_names(&refusal),
            [case["fails"].as_str().unwrap()],
            "{id}"
        );
    }
}

#[test]
fn refuses_every_byte_flip_and_truncation_of_a_revocation_list() {
    let anchor = TestAnchor::load();
    let evidence = evidence(GENOA, sign(&fields(GENOA).encode_signed()));
    let refused = |crl: Vec<u8>| {
        let evidence = Evidence {
            crl,
            ..evidence.clone()
        };
        let result = appraise(
            &anchor,
            &evidence,
            &policy(GENOA),
            &floors(GENOA),
            &[0x11; 64],
            NOW_MS,
        );
        assert_eq!(result.unwrap_err().stage(), Stage::Chain);
    };
    for index in 0..evidence.crl.len() {
        let mut crl = evidence.crl.clone();
        crl[index] ^= 0x04;
        refused(crl);
        refused(evidence.crl[..index].to_vec());
    }
}

#[test]
fn a_leaf_is_never_looked_up_by_its_serial_number() {
    let mut evidence = evidence(GENOA, sign(&fields(GENOA).encode_signed()));
    evidence.crl = read("test-pki/good-crl-revokes-leaf-serial.der");
    assert!(
        appraise(
            &TestAnchor::load(),
            &evidence,
            &policy(GENOA),
            &floors(GENOA),
            &[0x11; 64],
            NOW_MS
        )
        .is_ok()
    );
}

type Change = fn(&mut ReportFields);

/// What is changed in a signed Turin report, and the checks that fail under the strict policy.
const SPOILED_FIELDS: &[(Change, &[&str])] = &[
    (|f| f.report_data[63] ^= 1, &["report_data"]),
    (|f| f.measurement[47] ^= 1, &["measurement"]),
    (|f| f.host_data[0] ^= 1, &["host_data"]),
    (|f| f.vmpl = 1, &["vmpl"]),
    (|f| f.vmpl = 3, &["vmpl"]),
    (|f| f.vmpl = 4, &["report_vmpl"]),
    (|f| f.vmpl = u32::MAX, &["report_host_requested"]),
    (|f| f.chip_id = [0; 64], &["chip_id"]),
    (|f| f.chip_id[0] ^= 1, &["chip_id"]),
    (|f| f.chip_id[8] = 1, &["chip_id"]),
    (|f| f.chip_id[63] = 1, &["chip_id"]),
    (
        |f| f.signer_info = SignerInfo::from_bits(0b10),
        &["signer_kind"],
    ),
    (
        |f| f.signer_info = SignerInfo::from_bits(1 << 2),
        &["signer_kind"],
    ),
    (
        |f| f.signer_info = SignerInfo::from_bits(7 << 2),
        &["signer_kind"],
    ),
    (
        |f| f.signer_info = SignerInfo::from_bits(2 << 2),
        &["report_signer_info"],
    ),
    (|f| f.report_id_ma = [0; 32], &["migration_agent"]),
    (|f| f.report_id_ma[31] = 0xfe, &["migration_agent"]),
    (|f| f.current_firmware.build += 1, &["firmware_committed"]),
    (
        |f| f.committed_firmware.build += 1,
        &["tcb_order", "firmware_committed"],
    ),
    (
        |f| f.committed_firmware.minor -= 1,
        &["firmware_floor", "firmware_committed"],
    ),
    (
        |f| {
            let vectors = MitigationVectors {
                launch: 0x1f,
                current: 0x3f,
            };
            f.version = ReportVersion::V5(CPUID, vectors);
        },
        &["mitigation_launch"],
    ),
    (
        |f| {
            // Larger as a number, but a required bit is missing.
            let vectors = MitigationVectors {
                launch: 0x3f,
                current: 0xfe,
            };
            f.version = ReportVersion::V5(CPUID, vectors);
        },
        &["mitigation_current"],
    ),
    (
        |f| f.version = ReportVersion::V4(CPUID),
        &["mitigation_launch", "mitigation_current"],
    ),
    (
        |f| f.version = ReportVersion::V3(CPUID),
        &["mitigation_launch", "mitigation_current"],
    ),
    (
        |f| f.version = ReportVersion::V2,
        &[
            "report_version_min",
            "mitigation_launch",
            "mitigation_current",
        ],
    ),
    (
        |f| {
            let genoa = CpuId {
                family: 0x19,
                model: 0xa0,
                stepping: 2,
            };
            f.version = ReportVersion::V5(
                genoa,
                MitigationVectors {
                    launch: 63,
                    current: 63,
                },
            );
        },
        &["report_tcb_reserved"],
    ),
];

const CPUID: CpuId = CpuId {
    family: 0x1a,
    model: 0x02,
    stepping: 1,
};

#[test]
fn each_spoiled_field_fails_exactly_its_rule() {
    for (index, (change, expected)) in SPOILED_FIELDS.iter().enumerate() {
        let mut fields = fields(TURIN);
        change(&mut fields);
        assert_eq!(
            run(TURIN, &fields, &policy(TURIN)),
            *expected,
            "case {index}"
        );
    }
}

#[test]
fn each_bit_of_report_data_measurement_and_host_data_counts() {
    let policy = policy(GENOA);
    let mut count = 0;
    for byte in 0..144 {
        let mut fields = fields(GENOA);
        let (field, check): (&mut [u8], &str) = match byte {
            0..=63 => (&mut fields.report_data, "report_data"),
            64..=111 => (&mut fields.measurement, "measurement"),
            _ => (&mut fields.host_data, "host_data"),
        };
        let offset = match byte {
            0..=63 => byte,
            64..=111 => byte - 64,
            _ => byte - 112,
        };
        field[offset] ^= 1 << (byte % 8);
        assert_eq!(run(GENOA, &fields, &policy), [check], "byte {byte}");
        count += 1;
    }
    assert_eq!(count, 144);
}

/// Lowering one component of one TCB breaks its floor and, where the order of the four is broken, that too.
#[test]
fn each_component_below_the_floor_fails_its_own_tcb() {
    type Slot = fn(&mut ReportFields) -> &mut Tcb;
    let slots: [(Slot, &[&str]); 3] = [
        (
            |f| &mut f.committed_tcb,
            &["tcb_committed_floor", "tcb_order", "firmware_committed"],
        ),
        (
            |f| &mut f.current_tcb,
            &["tcb_current_floor", "tcb_order", "firmware_committed"],
        ),
        (|f| &mut f.launch_tcb, &["tcb_launch_floor"]),
    ];
    for (slot, expected) in slots {
        for lower in lowered(tcb(TURIN)) {
            let mut fields = fields(TURIN);
            *slot(&mut fields) = lower.encode(TURIN);
            assert_eq!(run(TURIN, &fields, &policy(TURIN)), expected);
        }
    }
    for lower in lowered(tcb(TURIN)) {
        let mut fields = fields(TURIN);
        fields.reported_tcb = lower.encode(TURIN);
        // The leaf certificate's level is not the reported one any more.
        assert_eq!(run(TURIN, &fields, &policy(TURIN)), ["reported_tcb"]);
    }
}

fn lowered(tcb: TcbComponents) -> [TcbComponents; 5] {
    [
        TcbComponents {
            fmc: tcb.fmc - 1,
            ..tcb
        },
        TcbComponents {
            bootloader: tcb.bootloader - 1,
            ..tcb
        },
        TcbComponents {
            tee: tcb.tee - 1,
            ..tcb
        },
        TcbComponents {
            snp: tcb.snp - 1,
            ..tcb
        },
        TcbComponents {
            microcode: tcb.microcode - 1,
            ..tcb
        },
    ]
}

#[test]
fn a_launch_above_the_current_level_is_out_of_order() {
    let mut fields = fields(TURIN);
    let higher = TcbComponents {
        snp: tcb(TURIN).snp + 1,
        ..tcb(TURIN)
    };
    fields.launch_tcb = higher.encode(TURIN);
    assert_eq!(run(TURIN, &fields, &policy(TURIN)), ["tcb_order"]);
}

#[test]
fn every_platform_bit_has_a_rule() {
    let good = fields(GENOA).platform_info.bits();
    for bit in 0..64 {
        let mut fields = fields(GENOA);
        fields.platform_info = PlatformInfo::from_bits(good ^ 1 << bit);
        let expected: &[&str] = match bit {
            // SMT on although the guest forbids it.
            0 => &["smt_consistent"],
            1 | 3 | 4 | 6 => &[],
            2 | 5 => &["platform_required"],
            7 => &["platform_forbidden"],
            _ => &["platform_known"],
        };
        assert_eq!(run(GENOA, &fields, &policy(GENOA)), expected, "bit {bit}");
    }
}

#[test]
fn every_guest_policy_bit_has_a_rule() {
    let good = fields(GENOA).policy.bits();
    for bit in 0..64 {
        let mut fields = fields(GENOA);
        fields.policy = GuestPolicy::from_bits(good ^ 1 << bit);
        let expected: &[&str] = match bit {
            0..=15 | 20 | 22 | 25 => &[],
            16 | 18 | 19 | 21 => &["guest_policy_forbidden"],
            23 => &["rapl_consistent"],
            24 => &["ciphertext_hiding_consistent"],
            _ => &["report_policy_reserved"],
        };
        assert_eq!(run(GENOA, &fields, &policy(GENOA)), expected, "bit {bit}");
    }
}

#[test]
fn an_author_key_counts_only_when_it_is_enabled() {
    let mut policy = policy(GENOA);
    policy.id_block = IdBlockRule::Pinned {
        id_key_digests: Vec::new(),
        author_key_digests: [[0x66; 48]].into(),
        guest_svn_min: 3,
        family_id: None,
        image_id: None,
    };
    let mut fields = fields(GENOA);
    fields.author_key_digest = [0x66; 48];
    assert_eq!(
        run(GENOA, &fields, &policy),
        ["author_key_consistent", "id_block"]
    );
    fields.signer_info = SignerInfo::from_bits(SignerInfo::AUTHOR_KEY_EN);
    assert!(run(GENOA, &fields, &policy).is_empty());
    fields.guest_svn = 2;
    assert_eq!(run(GENOA, &fields, &policy), ["guest_svn"]);
}

#[test]
fn the_policy_stage_lists_every_violation() {
    let mut fields = fields(GENOA);
    fields.vmpl = 2;
    fields.measurement[0] ^= 1;
    fields.host_data[0] ^= 1;
    fields.policy = GuestPolicy::from_bits(fields.policy.bits() | GuestPolicy::DEBUG);
    let failed = run(GENOA, &fields, &policy(GENOA));
    assert_eq!(
        failed,
        ["measurement", "host_data", "vmpl", "guest_policy_forbidden"]
    );
}
