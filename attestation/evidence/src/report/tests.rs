#![expect(
    clippy::arithmetic_side_effects,
    reason = "offsets of the test's own constants"
)]

use super::*;

use std::format;
use std::fs;
use std::path::PathBuf;
use std::string::ToString;
use std::vec::Vec;

use serde_json::Value;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../vectors");

fn folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = fs::read_dir(format!("{VECTORS}/reports"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.sort();
    assert_eq!(folders.len(), 27);
    folders
}

fn genoa() -> Vec<u8> {
    fs::read(format!("{VECTORS}/reports/genoa-v5-vcek-01-oak/report.bin")).unwrap()
}

fn set(offset: usize, bytes: &[u8]) -> Result<Report, ReportError> {
    let mut report = genoa();
    report[offset..offset + bytes.len()].copy_from_slice(bytes);
    Report::parse(&report)
}

#[test]
fn every_genuine_report_parses_and_encodes_to_its_own_bytes() {
    for folder in folders() {
        let bytes = fs::read(folder.join("report.bin")).unwrap();
        let report = Report::parse(&bytes).unwrap();
        let encoded = encode_report(&report.fields().encode_signed(), report.signature());
        assert_eq!(encoded[..], bytes[..], "{}", folder.display());
        assert_eq!(report.signed()[..], bytes[..SIGNED_SIZE]);
    }
}

#[test]
fn every_field_has_the_value_that_independent_tools_read() {
    for folder in folders() {
        let report = Report::parse(&fs::read(folder.join("report.bin")).unwrap()).unwrap();
        let expected: Value =
            serde_json::from_slice(&fs::read(folder.join("expected.json")).unwrap()).unwrap();
        compare(
            report.fields(),
            &expected["report"],
            folder.to_str().unwrap(),
        );
    }
}

fn compare(fields: &ReportFields, expected: &Value, id: &str) {
    let text = |name: &str| expected[name].as_str().unwrap_or_default().to_string();
    let raw = |name: &str| expected[name]["raw"].as_str().unwrap().to_string();
    let tcb = |name: &str| expected[name]["raw_hex"].as_str().unwrap().to_string();
    let number = |name: &str| expected[name].as_u64().unwrap().to_string();
    let pairs = [
        (fields.version.number().to_string(), number("version")),
        (fields.guest_svn.to_string(), number("guest_svn")),
        (fields.vmpl.to_string(), number("vmpl")),
        (format!("{:#x}", fields.policy.bits()), raw("policy")),
        (
            format!("{:#x}", fields.platform_info.bits()),
            raw("platform_info"),
        ),
        (
            format!("{:#x}", fields.signer_info.bits()),
            raw("signer_info"),
        ),
        (hex::encode(fields.family_id), text("family_id")),
        (hex::encode(fields.image_id), text("image_id")),
        (hex::encode(fields.report_data), text("report_data")),
        (hex::encode(fields.measurement), text("measurement")),
        (hex::encode(fields.host_data), text("host_data")),
        (hex::encode(fields.id_key_digest), text("id_key_digest")),
        (
            hex::encode(fields.author_key_digest),
            text("author_key_digest"),
        ),
        (hex::encode(fields.report_id), text("report_id")),
        (hex::encode(fields.report_id_ma), text("report_id_ma")),
        (hex::encode(fields.chip_id), text("chip_id")),
        (hex::encode(fields.current_tcb.bytes()), tcb("current_tcb")),
        (
            hex::encode(fields.reported_tcb.bytes()),
            tcb("reported_tcb"),
        ),
        (
            hex::encode(fields.committed_tcb.bytes()),
            tcb("committed_tcb"),
        ),
        (hex::encode(fields.launch_tcb.bytes()), tcb("launch_tcb")),
        (
            fields.current_firmware.to_string(),
            text("current_firmware"),
        ),
        (
            fields.committed_firmware.to_string(),
            text("committed_firmware"),
        ),
    ];
    for (got, expected) in pairs {
        assert_eq!(got, expected, "{id}");
    }
    if let Some(cpuid) = fields.version.cpuid() {
        assert_eq!(expected["cpuid"]["family"], cpuid.family, "{id}");
        assert_eq!(expected["cpuid"]["model"], cpuid.model, "{id}");
        assert_eq!(expected["cpuid"]["stepping"], cpuid.stepping, "{id}");
    }
    if let Some(vectors) = fields.version.mitigation() {
        assert_eq!(
            format!("{:#x}", vectors.launch),
            text("launch_mit_vector"),
            "{id}"
        );
        assert_eq!(
            format!("{:#x}", vectors.current),
            text("current_mit_vector"),
            "{id}"
        );
    }
}

#[test]
fn reports_without_a_leaf_certificate_parse_too() {
    for name in [
        "azure-v2-kinvolk",
        "genoa-v2-oak",
        "genoa-v2-vmpl0-routex",
        "milan-v2-lit",
        "milan-v3-svsm-doc",
    ] {
        let bytes = fs::read(format!("{VECTORS}/reports-no-vek/{name}.bin")).unwrap();
        let report = Report::parse(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let encoded = encode_report(&report.fields().encode_signed(), report.signature());
        assert_eq!(encoded[..], bytes[..], "{name}");
    }
}

#[test]
fn refuses_every_truncation_and_extensions() {
    let report = genoa();
    for length in 0..REPORT_SIZE {
        let result = Report::parse(&report[..length]);
        assert_eq!(result, Err(ReportError::Length { got: length }));
    }
    for extra in [1, 2, 1184] {
        let mut longer = report.clone();
        longer.resize(REPORT_SIZE + extra, 0);
        assert_eq!(
            Report::parse(&longer),
            Err(ReportError::Length {
                got: REPORT_SIZE + extra
            })
        );
    }
}

#[test]
fn refuses_every_bit_of_every_reserved_range() {
    // Ranges of a version 5 report; the CPUID bytes and mitigation vectors are in use.
    let ranges = [
        0x4c..0x50,
        0x18b..0x1a0,
        0x1eb..0x1ec,
        0x1ef..0x1f0,
        0x208..0x2a0,
        0x330..0x4a0,
    ];
    for range in ranges {
        let start = range.start;
        for offset in range {
            for bit in 0..8 {
                let result = set(offset, &[1 << bit]);
                assert_eq!(
                    result,
                    Err(ReportError::Reserved { offset: start }),
                    "{offset:#x}"
                );
            }
        }
    }
}

#[test]
fn refuses_version_5_fields_in_older_versions() {
    let mut report = genoa();
    for version in [3, 4] {
        report[0] = version;
        assert_eq!(
            Report::parse(&report),
            Err(ReportError::Reserved { offset: 0x1f8 })
        );
    }
    report[0x1f8..0x208].fill(0);
    assert!(Report::parse(&report).is_ok());
    report[0] = 2;
    assert_eq!(
        Report::parse(&report),
        Err(ReportError::Reserved { offset: 0x188 })
    );
    report[0x188..0x18b].fill(0);
    assert!(Report::parse(&report).is_ok());
}

#[test]
fn refuses_unknown_versions() {
    for version in [0_u32, 1, 6, 7, 0x0500_0000, u32::MAX] {
        assert_eq!(
            set(0, &version.to_le_bytes()),
            Err(ReportError::Version { got: version })
        );
    }
}

#[test]
fn refuses_reserved_policy_bits() {
    let policy = 0x30000_u64;
    for bit in 26..64 {
        let got = policy | 1 << bit;
        assert_eq!(
            set(8, &got.to_le_bytes()),
            Err(ReportError::PolicyReserved { got })
        );
    }
    let got = 0x10000_u64;
    assert_eq!(
        set(8, &got.to_le_bytes()),
        Err(ReportError::PolicyReserved { got })
    );
}

#[test]
fn refuses_host_requested_reports_and_unknown_privilege_levels() {
    assert_eq!(set(0x30, &[0xff; 4]), Err(ReportError::HostRequested));
    for got in [4_u32, 255, 0xffff_fffe] {
        assert_eq!(
            set(0x30, &got.to_le_bytes()),
            Err(ReportError::Vmpl { got })
        );
    }
    for vmpl in 0_u32..4 {
        assert_eq!(set(0x30, &vmpl.to_le_bytes()).unwrap().fields().vmpl, vmpl);
    }
}

#[test]
fn refuses_other_signature_algorithms() {
    for got in [0_u32, 2, 0x100] {
        assert_eq!(
            set(0x34, &got.to_le_bytes()),
            Err(ReportError::SignatureAlgorithm { got })
        );
    }
}

#[test]
fn refuses_undefined_signers() {
    for key in 2..7_u32 {
        let got = key << 2;
        assert_eq!(
            set(0x48, &got.to_le_bytes()),
            Err(ReportError::SignerInfo { got })
        );
    }
    for bit in 5..32 {
        let got = 1 << bit;
        assert_eq!(
            set(0x48, &u32::to_le_bytes(got)),
            Err(ReportError::SignerInfo { got })
        );
    }
}

#[test]
fn refuses_unknown_processors() {
    for (family, model) in [
        (0x19, 0x20),
        (0x1a, 0x50),
        (0x1a, 0x90),
        (0x17, 0x01),
        (0, 0),
    ] {
        let got = CpuId {
            family,
            model,
            stepping: 0,
        };
        assert_eq!(
            set(0x188, &[family, model, 0]),
            Err(ReportError::CpuId { got })
        );
    }
}

#[test]
fn refuses_reserved_bytes_of_each_tcb() {
    for offset in [0x38, 0x180, 0x1e0, 0x1f0] {
        for byte in 2..6 {
            let result = set(offset + byte, &[1]);
            assert_eq!(
                result,
                Err(ReportError::TcbReserved { offset }),
                "{offset:#x}+{byte}"
            );
        }
    }
}

#[test]
fn refuses_signature_scalars_out_of_range() {
    let mut order = P384_ORDER;
    order.reverse();
    for offset in [0x2a0, 0x2e8] {
        assert_eq!(set(offset, &[0; 48]), Err(ReportError::SignatureRange));
        assert_eq!(set(offset, &order), Err(ReportError::SignatureRange));
        for padding in 48..72 {
            assert_eq!(
                set(offset + padding, &[1]),
                Err(ReportError::SignatureRange)
            );
        }
        let mut below = order;
        below[0] -= 1;
        assert!(set(offset, &below).is_ok());
    }
}

#[test]
fn a_version_has_what_its_layout_holds() {
    let report = set(0x200, &[0x0b]).unwrap();
    let vectors = report.fields().version.mitigation();
    assert_eq!(vectors.map(|vectors| vectors.launch), Some(0x01));
    assert_eq!(vectors.map(|vectors| vectors.current), Some(0x0b));
    let cpuid = report.fields().version.cpuid().unwrap();
    for (version, number) in [
        (ReportVersion::V2, 2),
        (ReportVersion::V3(cpuid), 3),
        (ReportVersion::V4(cpuid), 4),
    ] {
        assert_eq!(version.number(), number);
        assert_eq!(version.mitigation(), None);
        assert_eq!(version.cpuid().is_some(), number > 2);
    }
}

#[test]
fn each_error_says_another_thing_with_its_value() {
    let cpuid = CpuId {
        family: 0x17,
        model: 0x31,
        stepping: 0,
    };
    let cases = [
        (ReportError::Length { got: 3 }, "3"),
        (ReportError::Version { got: 9 }, "9"),
        (ReportError::PolicyReserved { got: 0x77 }, "0x77"),
        (ReportError::HostRequested, "host"),
        (ReportError::Vmpl { got: 4 }, "4"),
        (ReportError::SignatureAlgorithm { got: 2 }, "2"),
        (ReportError::SignerInfo { got: 0x40 }, "0x40"),
        (ReportError::Reserved { offset: 0x4c }, "0x4c"),
        (ReportError::CpuId { got: cpuid }, "0x17/0x31"),
        (ReportError::TcbReserved { offset: 0x38 }, "0x38"),
        (ReportError::SignatureRange, "range"),
    ];
    let texts: Vec<_> = cases.iter().map(|(error, _)| error.to_string()).collect();
    for (index, (text, (_, value))) in texts.iter().zip(&cases).enumerate() {
        assert!(text.contains(value), "{text}");
        assert!(!texts[..index].contains(text), "{text}");
    }
}
