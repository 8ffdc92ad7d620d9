//! The page of verdicts.

use std::fmt::Write as _;

use chancery_evidence::{Certificate, ProductLine, Report};
use chancery_verify::{Examination, Outcome, ReleasePolicy, TcbFloors};

use crate::genuine::{Genuine, genuine_ids};
use crate::spoiled::spoiled_cases;
use crate::{read, read_json};

const HEAD: &str = "# Attestation vectors and their verdicts

Printed by `cargo run -p chancery-vectors`; a test holds this page to what it prints. Origins: `attestation/vectors/README.md`. Checks by name:
`docs/spec/attestation.md` section 9.

## Genuine reports

*Fixture policy*: exactly this report's measurement, configuration, chip and firmware, with the `dangerous_` members that it needs. *Strict policy*: the same measurement,
configuration and chip, but no `dangerous_` member, the shipped firmware floors, SMT forbidden, report version 3 or later. Nothing here has a current revocation
list, so the strict policy refuses all of them in the chain; the last column is what it says when that alone is waived.

";

/// The whole page.
///
/// # Panics
/// If a vector is missing or malformed.
#[must_use]
pub fn table() -> String {
    let mut page = HEAD.to_owned();
    genuine(&mut page);
    spoiled(&mut page);
    certificates(&mut page);
    parse_only(&mut page);
    page
}

fn line(page: &mut String, cells: &[&str]) {
    for cell in cells {
        // Writing to a text does not fail.
        write!(page, "| {cell} ").unwrap_or_default();
    }
    page.push_str("|\n");
}

/// Verdict, stage and failed checks.
fn outcome(examination: &Examination) -> (&'static str, &'static str, String) {
    let failed: Vec<&str> = examination
        .rows()
        .iter()
        .filter(|row| row.outcome == Outcome::Failed)
        .map(|row| row.check.name())
        .collect();
    match examination.refused_in() {
        None => ("accepted", "", String::new()),
        Some(stage) => ("refused", stage.word(), failed.join(", ")),
    }
}

/// What the strict policy adds to the lists of the fixture.
fn strict(genuine: &Genuine, waive_revocation: bool) -> Examination {
    let fixture = &genuine.policy;
    let policy = ReleasePolicy {
        releases: fixture.releases.clone(),
        host_data: fixture.host_data.clone(),
        chip_ids: fixture.chip_ids.clone(),
        products: vec![ProductLine::Genoa, ProductLine::Turin],
        dangerous_allow_unchecked_revocation: waive_revocation,
        ..ReleasePolicy::baseline(1, 0, u64::MAX)
    };
    let floors = match TcbFloors::shipped() {
        Ok(floors) => floors,
        Err(error) => panic!("{}", error.describe()),
    };
    let strict = Genuine {
        policy,
        floors,
        ..genuine.clone()
    };
    strict.examine()
}

fn genuine(page: &mut String) {
    line(
        page,
        &[
            "vector",
            "line",
            "version",
            "fixture policy",
            "strict policy, but for the list",
        ],
    );
    line(page, &["---", "---", "---", "---", "---"]);
    for id in genuine_ids() {
        let genuine = Genuine::load(&id);
        let (verdict, _, failed) = outcome(&genuine.examine());
        let fixture = if failed.is_empty() {
            verdict.to_owned()
        } else {
            format!("{verdict}: {failed}")
        };
        let (verdict, _, failed) = outcome(&strict(&genuine, true));
        let strict = if failed.is_empty() {
            verdict.to_owned()
        } else {
            format!("{verdict}: {failed}")
        };
        let version = genuine.fields().version.number().to_string();
        line(
            page,
            &[&id, genuine.line.name(), &version, &fixture, &strict],
        );
    }
}

fn spoiled(page: &mut String) {
    page.push_str("\n## Spoiled siblings\n\nUnder the fixture policy of the genuine report that each was made from.\n\n");
    line(
        page,
        &["vector", "what is wrong", "verdict", "stage", "check"],
    );
    line(page, &["---", "---", "---", "---", "---"]);
    for case in spoiled_cases() {
        let (verdict, stage, failed) = outcome(&case.examine());
        line(page, &[&case.id, &case.about, verdict, stage, &failed]);
    }
}

/// Leaves without a report, and leaves that no AMD key signed.
fn certificates(page: &mut String) {
    page.push_str("\n## Certificates without a report\n\nOnly the parser is asked: whether a leaf is of an AMD line and which chip and firmware it names.\n\n");
    line(page, &["vector", "line", "hardware id", "firmware"]);
    line(page, &["---", "---", "---", "---"]);
    let index = read_json("certs-only/index.json");
    for entry in index.as_array().into_iter().flatten() {
        let file = entry["file"].as_str().unwrap_or_default();
        let issuer = entry["issuer_cn"].as_str().unwrap_or_default();
        let word = issuer.trim_start_matches("SEV-").to_lowercase();
        let product = ProductLine::from_word(&word).unwrap_or_else(|| panic!("{issuer}"));
        let bytes = read(file);
        let leaf = Certificate::parse(&bytes).and_then(|leaf| leaf.vek(product));
        let leaf = leaf.unwrap_or_else(|error| panic!("{file}: {error}"));
        let id = entry["ext_hwid_hex"].as_str().unwrap_or_default();
        let id = id.get(..16).unwrap_or(id);
        line(page, &[file, product.name(), id, &leaf.tcb.to_string()]);
    }
}

fn parse_only(page: &mut String) {
    page.push_str("\n## Reports without a certificate\n\nTheir leaf is not public, so that the signature cannot be checked: parsed, never accepted.\n\n");
    line(page, &["vector", "version", "measurement begins", "parsed"]);
    line(page, &["---", "---", "---", "---"]);
    let index = read_json("reports-no-vek/index.json");
    for entry in index.as_array().into_iter().flatten() {
        let file = entry["file"].as_str().unwrap_or_default();
        let (version, measurement, parsed) = match Report::parse(&read(file)) {
            Ok(report) => (
                report.fields().version.number().to_string(),
                hex::encode(report.fields().measurement),
                "yes".to_owned(),
            ),
            Err(error) => (String::new(), String::new(), format!("refused: {error}")),
        };
        let start = measurement.get(..16).unwrap_or_default();
        line(page, &[file, &version, start, &parsed]);
    }
}
