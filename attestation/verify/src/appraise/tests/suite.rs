//! A generated suite of reports, each signed under the test PKI, each breaking exactly one rule, each refused by exactly that rule.
//!
//! The report is one that meets the strict policy with nothing waived; one place of it is changed *before* it is signed, so that nothing
//! but the rule about that place can refuse it. What can only break together with another rule (a committed level below the
//! floor is below the reported one too) is in the tests beside this one.

use std::collections::BTreeSet;

use chancery_evidence::CpuId;
use chancery_evidence::MitigationVectors;
use chancery_evidence::ReportVersion;
use chancery_evidence::SIGNED_SIZE;

use super::pki::NOW_MS;
use super::pki::TestAnchor;
use super::pki::evidence;
use super::pki::fields;
use super::pki::floors;
use super::pki::policy;
use super::pki::sign;
use super::pki::tcb;
use super::*;

const GENOA: ProductLine = ProductLine::Genoa;
const TURIN: ProductLine = ProductLine::Turin;

/// One case: where the report differs, the whole of it, and the check that it is about.
struct Case {
    what: String,
    line: ProductLine,
    report: Vec<u8>,
    check: &'static str,
}

/// A report whose signed bytes differ by `change`.
fn signed(
    line: ProductLine,
    what: String,
    check: &'static str,
    change: impl FnOnce(&mut [u8; SIGNED_SIZE]),
) -> Case {
    let mut bytes = fields(line).encode_signed();
    change(&mut bytes);
    Case {
        what,
        line,
        report: sign(&bytes),
        check,
    }
}

/// Each bit of a range of signed bytes, one case for each byte; the bit wanders.
fn bytes(
    cases: &mut Vec<Case>,
    line: ProductLine,
    range: core::ops::Range<usize>,
    check: &'static str,
) {
    for byte in range {
        let what = format!("{line} byte {byte:#x}");
        cases.push(signed(line, what, check, |bytes| {
            bytes[byte] ^= 1 << (byte % 8);
        }));
    }
}

fn bits(
    cases: &mut Vec<Case>,
    line: ProductLine,
    offset: usize,
    bits: core::ops::Range<usize>,
    check: &'static str,
) {
    for bit in bits {
        let what = format!("{line} byte {offset:#x} bit {bit}");
        cases.push(signed(line, what, check, |bytes| {
            bytes[offset + bit / 8] ^= 1 << (bit % 8);
        }));
    }
}

/// Outside the signed bytes: a good report, then a change.
fn unsigned(cases: &mut Vec<Case>, range: core::ops::Range<usize>, check: &'static str) {
    let good = sign(&fields(TURIN).encode_signed());
    for byte in range {
        let mut report = good.clone();
        report[byte] ^= 1 << (byte % 8);
        cases.push(Case {
            what: format!("byte {byte:#x}"),
            line: TURIN,
            report,
            check,
        });
    }
}

fn changed(
    cases: &mut Vec<Case>,
    line: ProductLine,
    what: &str,
    check: &'static str,
    change: impl FnOnce(&mut ReportFields),
) {
    let mut fields = fields(line);
    change(&mut fields);
    cases.push(Case {
        what: format!("{line} {what}"),
        line,
        report: sign(&fields.encode_signed()),
        check,
    });
}

/// Offsets of AMD publication 56860, ATTESTATION_REPORT.
fn all_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    of_each_line(&mut cases, GENOA);
    of_each_line(&mut cases, TURIN);
    for version in [0_u32, 1, 6, 7, 0x0100, u32::MAX] {
        let what = format!("version {version:#x}");
        cases.push(signed(TURIN, what, "report_version", |bytes| {
            bytes[..4].copy_from_slice(&version.to_le_bytes());
        }));
    }
    for algorithm in [0_u32, 2, 3, 0x0101] {
        let what = format!("signature algorithm {algorithm:#x}");
        cases.push(signed(TURIN, what, "report_signature_algorithm", |bytes| {
            bytes[0x34..0x38].copy_from_slice(&algorithm.to_le_bytes());
        }));
    }
    // Turin's chip id is 8 bytes and zeros.
    bytes(&mut cases, TURIN, 0x1a0..0x1e0, "chip_id");
    bytes(&mut cases, GENOA, 0x1a0..0x1e0, "chip_id");
    unsigned(&mut cases, 0x2a0 + 48..0x2a0 + 72, "report_signature_range");
    unsigned(&mut cases, 0x2e8 + 48..0x2e8 + 72, "report_signature_range");
    unsigned(&mut cases, 0x330..0x4a0, "report_reserved");
    unsigned(&mut cases, 0x2a0..0x2a0 + 40, "report_signature");
    unsigned(&mut cases, 0x2e8..0x2e8 + 40, "report_signature");
    levels(&mut cases);
    processors(&mut cases);
    cases
}

fn of_each_line(cases: &mut Vec<Case>, line: ProductLine) {
    bytes(cases, line, 0x50..0x90, "report_data");
    bytes(cases, line, 0x90..0xc0, "measurement");
    bytes(cases, line, 0xc0..0xe0, "host_data");
    bytes(cases, line, 0x160..0x180, "migration_agent");
    for reserved in [
        0x4c..0x50,
        0x18b..0x1a0,
        0x1eb..0x1ec,
        0x1ef..0x1f0,
        0x208..0x2a0,
    ] {
        bytes(cases, line, reserved, "report_reserved");
    }
    // The digest of an author key that is not enabled.
    bytes(cases, line, 0x110..0x140, "author_key_consistent");
    // POLICY: the bit that must be one, and those that must be zero.
    bits(cases, line, 0x8, 17..18, "report_policy_reserved");
    bits(cases, line, 0x8, 26..64, "report_policy_reserved");
    for bit in [16, 18, 19, 21] {
        bits(cases, line, 0x8, bit..bit + 1, "guest_policy_forbidden");
    }
    bits(cases, line, 0x8, 23..24, "rapl_consistent");
    bits(cases, line, 0x8, 24..25, "ciphertext_hiding_consistent");
    // PLATFORM_INFO.
    bits(cases, line, 0x40, 0..1, "smt_consistent");
    bits(cases, line, 0x40, 2..3, "platform_required");
    bits(cases, line, 0x40, 5..6, "platform_required");
    bits(cases, line, 0x40, 7..8, "platform_forbidden");
    bits(cases, line, 0x40, 8..64, "platform_known");
    // SIGNER_INFO: the reserved bits, a masked key, and the other signers.
    bits(cases, line, 0x48, 5..32, "report_signer_info");
    bits(cases, line, 0x48, 1..2, "signer_kind");
    for (signer, check) in [
        (1, "signer_kind"),
        (2, "report_signer_info"),
        (3, "report_signer_info"),
        (4, "report_signer_info"),
        (5, "report_signer_info"),
        (6, "report_signer_info"),
        (7, "signer_kind"),
    ] {
        let what = format!("{line} signing key {signer}");
        cases.push(signed(line, what, check, |bytes| bytes[0x48] = signer << 2));
    }
    for (vmpl, check) in [
        (1_u32, "vmpl"),
        (2, "vmpl"),
        (3, "vmpl"),
        (4, "report_vmpl"),
        (0xff, "report_vmpl"),
        (u32::MAX - 1, "report_vmpl"),
        (u32::MAX, "report_host_requested"),
    ] {
        changed(cases, line, &format!("vmpl {vmpl:#x}"), check, |fields| {
            fields.vmpl = vmpl;
        });
    }
}

/// Levels, versions and mitigations.
fn levels(cases: &mut Vec<Case>) {
    for (line, reserved) in [(GENOA, 2..6), (TURIN, 4..7)] {
        for tcb in [0x38, 0x180, 0x1e0, 0x1f0] {
            let reserved = tcb + reserved.start..tcb + reserved.end;
            bytes(cases, line, reserved, "report_tcb_reserved");
        }
    }
    for line in [GENOA, TURIN] {
        levels_of(cases, line);
        mitigations(cases, line);
    }
}

fn levels_of(cases: &mut Vec<Case>, line: ProductLine) {
    let level = tcb(line);
    let lower = |part: &str| {
        let mut lower = level;
        match part {
            "bootloader" => lower.bootloader -= 1,
            "snp" => lower.snp -= 1,
            _ => lower.microcode -= 1,
        }
        lower.encode(line)
    };
    for part in ["bootloader", "snp", "microcode"] {
        changed(
            cases,
            line,
            &format!("launch {part}"),
            "tcb_launch_floor",
            |fields| {
                fields.launch_tcb = lower(part);
            },
        );
        changed(
            cases,
            line,
            &format!("reported {part}"),
            "reported_tcb",
            |fields| {
                fields.reported_tcb = lower(part);
            },
        );
    }
    changed(cases, line, "launch above current", "tcb_order", |fields| {
        let mut higher = level;
        higher.snp += 1;
        fields.launch_tcb = higher.encode(line);
    });
    changed(
        cases,
        line,
        "current firmware later",
        "firmware_committed",
        |fields| {
            fields.current_firmware.build += 1;
        },
    );
    changed(
        cases,
        line,
        "both firmwares earlier",
        "firmware_floor",
        |fields| {
            fields.current_firmware.build -= 1;
            fields.committed_firmware.build -= 1;
        },
    );
}

fn mitigations(cases: &mut Vec<Case>, line: ProductLine) {
    for bit in 0..6 {
        let cpu = fields(line).version.cpuid().unwrap();
        let without = 0x3f & !(1_u64 << bit);
        let launch = MitigationVectors {
            launch: without,
            current: u64::MAX,
        };
        let current = MitigationVectors {
            launch: u64::MAX,
            current: without,
        };
        let what = format!("mitigation {bit}");
        changed(cases, line, &what, "mitigation_launch", |fields| {
            fields.version = ReportVersion::V5(cpu, launch);
        });
        changed(cases, line, &what, "mitigation_current", |fields| {
            fields.version = ReportVersion::V5(cpu, current);
        });
    }
}

/// Processors of no line, of another line, and of this line without a floor.
fn processors(cases: &mut Vec<Case>) {
    let vectors = MitigationVectors {
        launch: 0x3f,
        current: 0x3f,
    };
    for (line, family, model, stepping, check) in [
        (GENOA, 0x17, 0x31, 0, "report_processor"),
        (GENOA, 0x19, 0x21, 0, "report_processor"),
        (GENOA, 0x19, 0x61, 2, "report_processor"),
        (GENOA, 0x1a, 0x50, 0, "report_processor"),
        (GENOA, 0, 0, 0, "report_processor"),
        (GENOA, 0x19, 0x01, 1, "processor_line"),
        (GENOA, 0x19, 0xa0, 2, "floors_processor"),
        (GENOA, 0x19, 0x11, 2, "floors_processor"),
        (GENOA, 0x19, 0x10, 1, "floors_processor"),
        (TURIN, 0x1a, 0x11, 0, "floors_processor"),
        (TURIN, 0x1a, 0x02, 0, "floors_processor"),
        (TURIN, 0x1a, 0x20, 0, "report_processor"),
    ] {
        let cpu = CpuId {
            family,
            model,
            stepping,
        };
        changed(cases, line, &format!("{cpu:?}"), check, |fields| {
            fields.version = ReportVersion::V5(cpu, vectors);
        });
    }
}

#[test]
fn each_generated_report_is_refused_by_exactly_the_rule_that_it_breaks() {
    let anchor = TestAnchor::load();
    let cases = all_cases();
    assert_eq!(cases.len(), 1816);
    let mut checks = BTreeSet::new();
    for case in &cases {
        let (policy, floors) = (policy(case.line), floors(case.line));
        let evidence = evidence(case.line, case.report.clone());
        let result = appraise(&anchor, &evidence, &policy, &floors, &[0x11; 64], NOW_MS);
        let refusal = result.expect_err(&case.what);
        assert_eq!(failed_names(&refusal), [case.check], "{}", case.what);
        checks.insert(case.check);
    }
    // Every rule that a report can break alone.
    assert_eq!(checks.len(), 35, "{checks:?}");
    // Nothing of it is refused for being a generated report: those that break no rule pass.
    for line in [GENOA, TURIN] {
        let good = evidence(line, sign(&fields(line).encode_signed()));
        assert!(
            appraise(
                &anchor,
                &good,
                &policy(line),
                &floors(line),
                &[0x11; 64],
                NOW_MS
            )
            .is_ok()
        );
    }
}
