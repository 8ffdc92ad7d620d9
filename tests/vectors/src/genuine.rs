//! Reports of real hardware.

use std::fs;

use chancery_evidence::{Certificate, ProductLine, Report, ReportFields, VekKind};
use chancery_verify::{
    Amd, Evidence, Examination, Refusal, ReleasePolicy, TcbFloors, Verdict, amd_chain, appraise,
    examine,
};

use crate::{FOLDER, fixture, read, read_json};

/// One report with its certificates, the rules under which it is in order, and a time at which its leaf is valid.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Genuine {
    /// The product line.
    pub line: ProductLine,
    /// The report and its certificates; no revocation list.
    pub evidence: Evidence,
    /// The policy.
    pub policy: ReleasePolicy,
    /// The firmware floors.
    pub floors: TcbFloors,
    /// The report data that is expected: the report's own.
    pub report_data: [u8; 64],
    /// One second into the leaf's life, milliseconds since the Unix epoch.
    pub now_ms: u64,
}

/// The names of all genuine reports, sorted.
///
/// # Panics
/// If the folder cannot be listed.
#[must_use]
pub fn genuine_ids() -> Vec<String> {
    let folder = format!("{FOLDER}/reports");
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut ids: Vec<String> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    ids.sort();
    ids
}

impl Genuine {
    /// The report of that name with the leaf that came with it.
    ///
    /// # Panics
    /// If a file is missing or does not parse.
    #[must_use]
    pub fn load(id: &str) -> Self {
        Self::with_leaf(id, "vek.der")
    }

    /// The report of that name with another file of its folder as the leaf: AMD issues a certificate anew for the same key.
    ///
    /// # Panics
    /// As [`Self::load`].
    #[must_use]
    pub fn with_leaf(id: &str, file: &str) -> Self {
        let expected = read_json(&format!("reports/{id}/expected.json"));
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let word = text(&expected["product_line"]).to_lowercase();
        let line = ProductLine::from_word(&word).unwrap_or_else(|| panic!("{id}: {word}"));
        let kind = match text(&expected["vek"]["kind"]).as_str() {
            "VLEK" => VekKind::Vlek,
            _ => VekKind::Vcek,
        };
        let chain = amd_chain(line, kind);
        let evidence = Evidence {
            report: read(&format!("reports/{id}/report.bin")),
            vcek: read(&format!("reports/{id}/{file}")),
            ask: chain.intermediate.to_vec(),
            ark: chain.root.to_vec(),
            crl: Vec::new(),
        };
        let fields = fields(&evidence.report);
        let leaf = Certificate::parse(&evidence.vcek);
        let leaf = leaf.unwrap_or_else(|error| panic!("{id}: {error}"));
        let extensions = leaf.vek(line);
        let extensions = extensions.unwrap_or_else(|error| panic!("{id}: {error}"));
        let policy = fixture::policy(&fields, line, &extensions.identity);
        let floors = fixture::floors(&fields, line);
        let now_ms = leaf.not_before_ms().saturating_add(1000);
        Self {
            line,
            report_data: fields.report_data,
            evidence,
            policy,
            floors,
            now_ms,
        }
    }

    /// What the report says, unchecked.
    ///
    /// # Panics
    /// If it was spoiled so that it does not parse.
    #[must_use]
    pub fn fields(&self) -> ReportFields {
        fields(&self.evidence.report)
    }

    /// The complete appraisal.
    ///
    /// # Errors
    /// The checks that failed.
    pub fn appraise(&self) -> Result<Verdict<Amd>, Refusal> {
        appraise(
            &Amd,
            &self.evidence,
            &self.policy,
            &self.floors,
            &self.report_data,
            self.now_ms,
        )
    }

    /// The checklist alone.
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

fn fields(report: &[u8]) -> ReportFields {
    match Report::parse(report) {
        Ok(report) => report.fields().clone(),
        Err(error) => panic!("a report that does not parse: {error}"),
    }
}
