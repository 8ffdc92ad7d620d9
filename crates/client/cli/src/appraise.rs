//! `appraise`: evidence from files, held against a release policy. The rules are those of `chancery-verify`; what comes of
//! them here is words, which no connection can rest on.

mod collateral;
mod shown;
#[cfg(test)]
mod tests;

use std::path::Path;

use chancery_client::Row;
use chancery_dsse::Envelope;
use chancery_json::Object;
use chancery_verify::{
    Anchor as _, CheckId, Evidence, Mode, Outcome as CheckOutcome, RELEASE_POLICY_TYPE,
    ReleasePolicy, Stage, TCB_FLOORS_TYPE, TcbFloors, examine,
};

use self::collateral::{Chain, chain, der};
use self::shown::{Appraisal, Note};
use crate::AnchorSource;
use crate::args::report::AppraiseArgs;
use crate::error::CliError;
use crate::files::read_document;
use crate::output::Outcome;
use crate::pem;
use crate::release::is_envelope;
use crate::report::{ReportFault, json, line_of, parse_report, read_report};

/// Something that the checks need and that is not there, or is not what it should be.
pub(crate) struct Missing {
    check: CheckId,
    expected: String,
    got: String,
}

impl Missing {
    /// A file that cannot be read.
    fn file(check: CheckId, expected: &str, error: &CliError) -> Self {
        let causes = error.causes();
        let cause = causes.first().map(|cause| format!(": {cause}"));
        Self {
            check,
            expected: expected.to_owned(),
            got: format!("{error}{}", cause.unwrap_or_default()),
        }
    }

    /// A report that breaks a rule of its format.
    fn fault(fault: ReportFault) -> Self {
        let mut named = CheckId::ALL
            .iter()
            .filter(|check| check.name() == fault.check);
        Self {
            check: named.next().copied().unwrap_or(CheckId::ReportReserved),
            expected: "by the ABI".to_owned(),
            got: fault.got,
        }
    }
}

/// What the checks need.
struct Inputs {
    evidence: Evidence,
    policy: ReleasePolicy,
    floors: TcbFloors,
    notes: Vec<Note>,
}

/// Runs `appraise`.
pub(crate) fn run<S: AnchorSource>(args: &AppraiseArgs, source: &S) -> Result<Outcome, CliError> {
    let mode = S::Anchor::MODE;
    // The emulated root is pinned beside the deployment file, or else beside the certificates; AMD's are built in.
    let anchor_file = args.deployment.as_deref().or(args.ca.as_deref());
    let anchor = source.anchor(anchor_file.unwrap_or_else(|| Path::new("")));
    let mut missing = Vec::new();
    // Each file is read once, because a pipe gives its bytes once.
    let report = taken(
        read_report(&args.report),
        CheckId::ReportLength,
        "a report of 1184 bytes",
        &mut missing,
    );
    let inputs = inputs(args, mode, report.as_deref(), &mut missing);
    let anchor = anchor.map_err(|reason| {
        missing.push(Missing {
            check: CheckId::RootPinned,
            expected: "the pinned root (--deployment, or else beside --ca)".to_owned(),
            got: reason,
        });
    });
    let appraisal = match (inputs, anchor) {
        (Some(inputs), Ok(anchor)) => {
            let Inputs {
                evidence,
                policy,
                floors,
                notes,
            } = inputs;
            let report_data = args.report_data.as_ref();
            let examination = examine(&anchor, &evidence, &policy, &floors, report_data, args.at);
            Appraisal {
                mode,
                refused_in: examination.refused_in(),
                is_appraised: true,
                rows: examination
                    .rows()
                    .iter()
                    .map(|row| (row.check, as_row(row)))
                    .collect(),
                notes,
                claims: claims(&evidence.report),
            }
        }
        (None, _) | (_, Err(())) => refused(mode, missing, report.as_deref()),
    };
    Ok(appraisal.outcome(args.at))
}

fn as_row(row: &chancery_verify::CheckRow) -> Row {
    Row {
        check: row.check.name(),
        expected: row.expected.clone(),
        got: row.got.clone(),
        outcome: row.outcome,
    }
}

/// A refusal without any appraisal, because something is missing. A report that is there and is none is told first, as an
/// appraisal would.
fn refused(mode: Mode, mut missing: Vec<Missing>, report: Option<&[u8]>) -> Appraisal {
    let claims = match report.map(parse_report) {
        Some(Ok(report)) => json(&report, line_of(report.fields())),
        Some(Err(fault)) => {
            missing.insert(0, Missing::fault(fault));
            Object::new()
        }
        // That it cannot be read is told already.
        None => Object::new(),
    };
    let first = missing.iter().map(|missing| missing.check.stage()).min();
    let rows = missing.into_iter().map(|missing| {
        let row = Row {
            check: missing.check.name(),
            expected: missing.expected,
            got: missing.got,
            outcome: CheckOutcome::Failed,
        };
        (missing.check, row)
    });
    Appraisal {
        mode,
        refused_in: Some(first.unwrap_or(Stage::Parse)),
        is_appraised: false,
        rows: rows.collect(),
        notes: Vec::new(),
        claims,
    }
}

/// What the report says, if it is one.
fn claims(bytes: &[u8]) -> Object {
    parse_report(bytes).map_or_else(
        |_fault| Object::new(),
        |report| json(&report, line_of(report.fields())),
    )
}

/// Reads every other file. None if one is missing or is no policy or no floors; then `missing` says which.
fn inputs(
    args: &AppraiseArgs,
    mode: Mode,
    report: Option<&[u8]>,
    missing: &mut Vec<Missing>,
) -> Option<Inputs> {
    let mut notes = Vec::new();
    let vek = taken(
        read_document(&args.vek),
        CheckId::LeafEncoding,
        "the certificate of the key that signed the report (--vek)",
        missing,
    );
    let vek = vek.map(|bytes| der(bytes, pem::CERTIFICATE));
    let chain = given_chain(args, mode, report, vek.as_deref(), missing);
    let crl = match &args.crl {
        Some(path) => given_crl(path, missing),
        None => Some(Vec::new()),
    };
    let policy = policy(&args.policy, missing, &mut notes);
    let floors = floors(args, missing, &mut notes);
    let Chain { intermediate, root } = chain?;
    let evidence = Evidence {
        report: report?.to_vec(),
        vcek: vek?,
        ask: intermediate,
        ark: root,
        crl: crl?,
    };
    Some(Inputs {
        evidence,
        policy: policy?,
        floors: floors?,
        notes,
    })
}

fn taken(
    read: Result<Vec<u8>, CliError>,
    check: CheckId,
    expected: &str,
    missing: &mut Vec<Missing>,
) -> Option<Vec<u8>> {
    read.map_err(|error| missing.push(Missing::file(check, expected, &error)))
        .ok()
}

/// A revocation list that was named. An empty one is no list, and must not pass for one that nobody named.
fn given_crl(path: &Path, missing: &mut Vec<Missing>) -> Option<Vec<u8>> {
    const WANTED: &str = "a revocation list (--crl)";
    let read = read_document(path);
    let crl = taken(read, CheckId::RevocationPresent, WANTED, missing)?;
    let crl = der(crl, pem::CRL);
    if crl.is_empty() {
        missing.push(Missing {
            check: CheckId::RevocationEncoding,
            expected: WANTED.to_owned(),
            got: format!("{} holds none", path.display()),
        });
        return None;
    }
    Some(crl)
}

/// The certificates above the leaf: those of the file, or AMD's own.
fn given_chain(
    args: &AppraiseArgs,
    mode: Mode,
    report: Option<&[u8]>,
    vek: Option<&[u8]>,
    missing: &mut Vec<Missing>,
) -> Option<Chain> {
    const WANTED: &str = "the intermediate and the root (--ca)";
    let Some(path) = &args.ca else {
        if mode == Mode::Amd {
            return Some(Chain::built_in(
                vek.unwrap_or_default(),
                report.unwrap_or_default(),
            ));
        }
        missing.push(Missing {
            check: CheckId::RootEncoding,
            expected: WANTED.to_owned(),
            got: "nothing; those of an emulated processor are not built in".to_owned(),
        });
        return None;
    };
    let bytes = taken(read_document(path), CheckId::RootEncoding, WANTED, missing)?;
    match chain(&bytes) {
        Ok(chain) => Some(chain),
        Err(found) => {
            missing.push(Missing {
                check: CheckId::RootEncoding,
                expected: WANTED.to_owned(),
                got: format!("{} holds {found}", path.display()),
            });
            None
        }
    }
}

/// The payload of a document that may be signed, or why it has none of this type. Its signatures are for
/// `release verify`.
fn unsigned(
    bytes: Vec<u8>,
    payload_type: &str,
    check: &'static str,
    notes: &mut Vec<Note>,
) -> Result<Vec<u8>, String> {
    if !is_envelope(&bytes) {
        return Ok(bytes);
    }
    let envelope = Envelope::parse(&bytes).map_err(|error| error.to_string())?;
    let found = envelope.unverified_payload_type();
    if found != payload_type {
        return Err(format!("an envelope of type {found}, not {payload_type}"));
    }
    notes.push(Note {
        check,
        reason: "it is signed; `release verify` checks by whom".to_owned(),
    });
    Ok(envelope.unverified_payload().to_vec())
}

fn policy(path: &Path, missing: &mut Vec<Missing>, notes: &mut Vec<Note>) -> Option<ReleasePolicy> {
    const WANTED: &str = "a release policy (--policy)";
    let check = CheckId::PolicyWellFormed;
    let bytes = taken(read_document(path), check, WANTED, missing)?;
    unsigned(bytes, RELEASE_POLICY_TYPE, "policy_signatures", notes)
        .and_then(|bytes| ReleasePolicy::from_json(&bytes).map_err(|error| error.describe()))
        .map_err(|got| {
            missing.push(Missing {
                check,
                expected: WANTED.to_owned(),
                got,
            });
        })
        .ok()
}

fn floors(
    args: &AppraiseArgs,
    missing: &mut Vec<Missing>,
    notes: &mut Vec<Note>,
) -> Option<TcbFloors> {
    const WANTED: &str = "firmware floors (--floors)";
    let check = CheckId::FloorsWellFormed;
    let floors = match &args.floors {
        Some(path) => {
            let bytes = taken(read_document(path), check, WANTED, missing)?;
            unsigned(bytes, TCB_FLOORS_TYPE, "floors_signatures", notes)
                .and_then(|bytes| TcbFloors::from_json(&bytes).map_err(|error| error.describe()))
        }
        None => TcbFloors::shipped().map_err(|error| error.describe()),
    };
    floors
        .map_err(|got| {
            missing.push(Missing {
                check,
                expected: WANTED.to_owned(),
                got,
            });
        })
        .ok()
}
