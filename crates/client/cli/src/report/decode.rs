//! A report from whatever a person has it in.

use std::path::Path;

use base64ct::{Base64, Encoding as _};
use chancery_evidence::{REPORT_SIZE, Report};
use chancery_verify::{Amd, CrlNumbers, Evidence, Outcome, ReleasePolicy, TcbFloors, examine};

use crate::error::CliError;
use crate::files::read_document;

/// Reads a report that is raw, in hexadecimal or base64, or part of encoded evidence. What is none of these is given
/// back as it is, so that the parser says what is wrong with it.
pub(crate) fn read_report(path: &Path) -> Result<Vec<u8>, CliError> {
    Ok(report_bytes(read_document(path)?))
}

fn report_bytes(bytes: Vec<u8>) -> Vec<u8> {
    if bytes.len() == REPORT_SIZE {
        return bytes;
    }
    if let Ok(evidence) = Evidence::decode(&bytes) {
        return evidence.report;
    }
    let Ok(text) = str::from_utf8(&bytes) else {
        return bytes;
    };
    let text: String = text.split_whitespace().collect();
    let decoded = hex::decode(&text).ok();
    decoded
        .or_else(|| Base64::decode_vec(&text).ok())
        .filter(|decoded| !decoded.is_empty())
        .unwrap_or(bytes)
}

/// A rule of the report's format that is broken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ReportFault {
    /// The check's stable name.
    pub(crate) check: &'static str,
    /// What is wrong.
    pub(crate) got: String,
}

/// Parses a report; a fault is told as the check of the appraisal that it fails.
pub(crate) fn parse_report(bytes: &[u8]) -> Result<Report, ReportFault> {
    Report::parse(bytes).map_err(|error| {
        // The appraisal knows each rule by its name. It stops at the report, so that nothing else of it is needed.
        let evidence = Evidence {
            report: bytes.to_vec(),
            ..Evidence::default()
        };
        let floors = TcbFloors {
            version: 0,
            issued_ms: 0,
            expires_ms: 1,
            crl_numbers_min: CrlNumbers::ANY,
            rules: Vec::new(),
        };
        let policy = ReleasePolicy::baseline(1, 0, 1);
        let examination = examine(&Amd, &evidence, &policy, &floors, None, 0);
        let mut rows = examination.rows().iter();
        let failed = rows.find(|row| row.outcome == Outcome::Failed);
        ReportFault {
            check: failed.map_or("report", |row| row.check.name()),
            got: error.to_string(),
        }
    })
}
