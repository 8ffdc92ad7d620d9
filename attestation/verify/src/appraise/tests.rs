#![expect(
    clippy::arithmetic_side_effects,
    reason = "offsets of the tests' own constants"
)]

mod generated;
mod genuine;
mod pki;
mod spoiled;

use std::format;
use std::fs;
use std::string::String;
use std::vec::Vec;

use chancery_evidence::Certificate;
use chancery_evidence::CpuId;
use chancery_evidence::FirmwareVersion;
use chancery_evidence::GuestPolicy;
use chancery_evidence::ProductLine;
use chancery_evidence::Report;
use chancery_evidence::ReportFields;
use chancery_evidence::TcbComponents;
use chancery_evidence::VekIdentity;

use super::*;
use crate::anchor::Amd;
use crate::check::Outcome;
use crate::floors::Floor;
use crate::floors::FloorRule;
use crate::floors::Processors;
use crate::policy::BitRule;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../vectors");

fn read(path: &str) -> Vec<u8> {
    fs::read(format!("{VECTORS}/{path}")).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A policy under which exactly this report is in order, by `dangerous_` fields where it needs them.
fn fixture(fields: &ReportFields, line: ProductLine, identity: &VekIdentity) -> ReleasePolicy {
    let mut policy = ReleasePolicy::baseline(1, 0, u64::MAX);
    policy.releases = [Release {
        id: String::from("fixture"),
        version: String::from("1"),
        measurement: fields.measurement,
    }]
    .into();
    policy.host_data = [fields.host_data].into();
    match identity {
        VekIdentity::Chip(chip) => policy.chip_ids = [*chip].into(),
        VekIdentity::Provider(provider) => {
            policy.dangerous_allow_vlek_of = [provider.clone()].into();
            policy.dangerous_allow_any_chip = true;
        }
    }
    policy.products = [line].into();
    policy.guest_policy.forbidden &= !GuestPolicy::SMT;
    policy.platform_info = BitRule {
        required: 0,
        forbidden: 0,
    };
    policy.report_version_min = 2;
    policy.dangerous_vmpl_max = fields.vmpl;
    policy.dangerous_allow_milan = true;
    policy.dangerous_allow_provisional_firmware = true;
    policy.dangerous_allow_unchecked_revocation = true;
    policy.dangerous_allow_unchecked_aliases = true;
    if fields.policy.has(GuestPolicy::DEBUG) {
        policy.dangerous_guest_policy_allowed = GuestPolicy::DEBUG;
        policy.guest_policy.forbidden &= !GuestPolicy::DEBUG;
    }
    policy
}

/// Floors at the level of exactly this report, for its processor; without one, for the line.
fn fixture_floors(fields: &ReportFields, line: ProductLine) -> TcbFloors {
    let zero = TcbComponents {
        fmc: 0,
        bootloader: 0,
        tee: 0,
        snp: 0,
        microcode: 0,
    };
    let floor = Floor {
        tcb: fields.reported_tcb.components(line).unwrap_or(zero),
        firmware: FirmwareVersion {
            major: 1,
            minor: 0,
            build: 0,
        },
        mitigation_required: fields
            .version
            .mitigation()
            .map_or(0, |vectors| vectors.current),
    };
    let cpu = fields.version.cpuid().unwrap_or(CpuId {
        family: 0x19,
        model: 0x01,
        stepping: 1,
    });
    TcbFloors {
        version: 1,
        issued_ms: 0,
        rules: [FloorRule {
            name: String::from("fixture"),
            line: cpu.line().unwrap(),
            processors: Processors::only(cpu),
            floor,
            sources: Vec::new(),
        }]
        .into(),
    }
}

fn failed_names(refusal: &Refusal) -> Vec<&'static str> {
    refusal.failed().map(|row| row.check.name()).collect()
}

/// Files of one genuine report, a time at which its leaf is valid, and its fixture policy.
struct Genuine {
    evidence: Evidence,
    policy: ReleasePolicy,
    floors: TcbFloors,
    report_data: [u8; 64],
    now_ms: u64,
}

impl Genuine {
    fn load(id: &str) -> Self {
        let expected: serde_json::Value =
            serde_json::from_slice(&read(&format!("reports/{id}/expected.json"))).unwrap();
        let word = expected["product_line"].as_str().unwrap().to_lowercase();
        let line = ProductLine::from_word(&word).unwrap();
        let intermediate = if expected["vek"]["kind"] == "VLEK" {
            "asvk"
        } else {
            "ask"
        };
        let evidence = Evidence {
            report: read(&format!("reports/{id}/report.bin")),
            vcek: read(&format!("reports/{id}/vek.der")),
            ask: read(&format!("roots/{word}/{intermediate}.der")),
            ark: read(&format!("roots/{word}/ark.der")),
            crl: Vec::new(),
        };
        let report = Report::parse(&evidence.report).unwrap();
        let leaf = Certificate::parse(&evidence.vcek).unwrap();
        let policy = fixture(report.fields(), line, &leaf.vek(line).unwrap().identity);
        let now_ms = leaf.not_before_ms() + 1000;
        Self {
            report_data: report.fields().report_data,
            floors: fixture_floors(report.fields(), line),
            evidence,
            policy,
            now_ms,
        }
    }

    fn appraise(&self) -> Result<Verdict<Amd>, Refusal> {
        appraise(
            &Amd,
            &self.evidence,
            &self.policy,
            &self.floors,
            &self.report_data,
            self.now_ms,
        )
    }
}
