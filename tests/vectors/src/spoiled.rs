//! Cases that differ from a genuine one in what their name says.

use chancery_evidence::{Certificate, ProductLine, Report, VekIdentity};
use chancery_verify::{Amd, Evidence, Examination, ReleasePolicy, TcbFloors, examine};
use serde_json::Value;

use crate::{fixture, read, read_json};

/// One case of `negative/cases.json`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Spoiled {
    /// Its name.
    pub id: String,
    /// What is wrong, in the words of the file.
    pub about: String,
    /// True for the controls, in which nothing is wrong.
    pub accepted: bool,
    /// The checks that failed in the reference that the cases were made with, by its own names.
    pub reference: Vec<String>,
    /// The evidence.
    pub evidence: Evidence,
    /// The policy of the genuine report.
    pub policy: ReleasePolicy,
    /// The floors of the genuine report.
    pub floors: TcbFloors,
    /// The report data of the genuine report.
    pub report_data: [u8; 64],
    /// When it is appraised, milliseconds since the Unix epoch.
    pub now_ms: u64,
}

/// All cases, in the order of the file.
///
/// # Panics
/// If the file or one that it names is missing or malformed.
#[must_use]
pub fn spoiled_cases() -> Vec<Spoiled> {
    let cases = read_json("negative/cases.json");
    let cases = cases.as_array().unwrap_or_else(|| panic!("no list"));
    cases.iter().map(load).collect()
}

impl Spoiled {
    /// The checklist.
    #[must_use]
    pub fn examine(&self) -> Examination {
        examine(
            &Amd,
            &self.evidence,
            &self.policy,
            &self.floors,
            Some(&self.report_data),
            self.now_ms,
        )
    }
}

fn text<'a>(case: &'a Value, name: &str) -> &'a str {
    case[name].as_str().unwrap_or_else(|| panic!("{name}"))
}

fn load(case: &Value) -> Spoiled {
    let original = read(text(case, "report"));
    let report = Report::parse(&original).unwrap_or_else(|error| panic!("{error}"));
    let fields = report.fields();
    let vek = read(text(case, "vek"));
    let line = line(&vek).unwrap_or_else(|| panic!("{}", text(case, "id")));
    let identity = Certificate::parse(&vek).and_then(|leaf| leaf.vek(line));
    let identity = identity.map_or(VekIdentity::Chip(fields.chip_id), |vek| vek.identity);
    let reference = case["checks_that_fail"].as_array();
    Spoiled {
        id: text(case, "id").to_owned(),
        about: text(case, "why").to_owned(),
        accepted: text(case, "expect") == "accept",
        reference: reference
            .into_iter()
            .flatten()
            .filter_map(|check| check.as_str().map(str::to_owned))
            .collect(),
        evidence: Evidence {
            report: patched(case, original.clone()),
            vcek: vek,
            ask: read(text(case, "intermediate")),
            ark: read(text(case, "root")),
            crl: Vec::new(),
        },
        policy: fixture::policy(fields, line, &identity),
        floors: fixture::floors(fields, line),
        report_data: fields.report_data,
        now_ms: time_ms(text(case, "time")),
    }
}

/// The line that the leaf's issuer is named for.
fn line(vek: &[u8]) -> Option<ProductLine> {
    let leaf = Certificate::parse(vek).ok()?;
    let word = leaf.issuer().common_name().rsplit('-').next()?;
    ProductLine::from_word(&word.to_lowercase())
}

/// The times that the file uses.
fn time_ms(time: &str) -> u64 {
    match time {
        "2024-01-01T00:00:00Z" => 1_704_067_200_000,
        "2025-06-01T00:00:00Z" => 1_748_736_000_000,
        "2026-03-01T00:00:00Z" => 1_772_323_200_000,
        "2026-11-22T00:00:00Z" => 1_795_305_600_000,
        other => panic!("unknown time {other}"),
    }
}

fn patched(case: &Value, mut report: Vec<u8>) -> Vec<u8> {
    for patch in case["patch"].as_array().into_iter().flatten() {
        let offset = text(patch, "offset").trim_start_matches("0x");
        let offset = usize::from_str_radix(offset, 16).unwrap_or_else(|error| panic!("{error}"));
        let bytes = |name: &str| {
            let digits = patch[name].as_str().unwrap_or_default();
            hex::decode(digits).unwrap_or_else(|error| panic!("{name}: {error}"))
        };
        let places = report.iter_mut().skip(offset);
        for (place, byte) in places.zip(bytes("set")) {
            *place = byte;
        }
        let places = report.iter_mut().skip(offset);
        for (place, byte) in places.zip(bytes("xor")) {
            *place ^= byte;
        }
    }
    if let Some(length) = case["truncate_to"].as_u64() {
        report.truncate(usize::try_from(length).unwrap_or(usize::MAX));
    }
    let more = case["append"].as_str().unwrap_or_default();
    report.extend(hex::decode(more).unwrap_or_else(|error| panic!("append: {error}")));
    report
}
