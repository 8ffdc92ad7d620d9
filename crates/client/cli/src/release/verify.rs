//! `release verify`: whether a signed release document may be believed.

use std::path::Path;

use chancery_client::{Row, now_ms};
use chancery_dsse::{Envelope, PublicKey};
use chancery_json::{Object, Value};
use chancery_release::ReleaseStatement;
use chancery_verify::{Outcome as CheckOutcome, ReleasePolicy};

use super::document::{Document, is_envelope, load};
use super::measure::read_firmware;
use crate::admins::read_public_key;
use crate::args::release::{DocumentKind, ReleaseVerifyArgs};
use crate::context::read_deployment;
use crate::error::CliError;
use crate::files::read_document;
use crate::output::{Outcome, printable};
use crate::time::utc;
use crate::verify::{rows_json, table};

/// Whose signatures count.
struct Signers {
    keys: Vec<PublicKey>,
    threshold: usize,
}

/// The checks so far.
#[derive(Default)]
struct Checks {
    rows: Vec<Row>,
    not_checked: Vec<String>,
}

impl Checks {
    fn add(&mut self, check: &'static str, expected: String, got: String, passed: bool) {
        let outcome = if passed {
            CheckOutcome::Passed
        } else {
            CheckOutcome::Failed
        };
        self.rows.push(Row {
            check,
            expected,
            got,
            outcome,
        });
    }

    fn holds(&self) -> bool {
        self.rows
            .iter()
            .all(|row| row.outcome != CheckOutcome::Failed)
    }
}

/// Runs `release verify`.
pub(super) fn run(args: &ReleaseVerifyArgs) -> Result<Outcome, CliError> {
    let signers = signers(args)?;
    let at_ms = args.at.unwrap_or_else(now_ms);
    let text = read_document(&args.document)?;
    let mut checks = Checks::default();
    let document = open(&text, &signers, &mut checks);
    if let Some(document) = &document {
        check_window(document, at_ms, &mut checks);
        check_previous(document, args.previous.as_deref(), &mut checks)?;
        match document {
            Document::Release(statement) => {
                check_policy(
                    statement,
                    args.policy.as_deref(),
                    &signers,
                    at_ms,
                    &mut checks,
                )?;
                check_digests(statement, args.ovmf.as_deref(), &mut checks)?;
            }
            Document::Policy(_) | Document::Floors(_) => refuse_statement_options(args)?,
        }
    }
    Ok(told(&args.document, at_ms, document.as_ref(), &checks))
}

fn signers(args: &ReleaseVerifyArgs) -> Result<Signers, CliError> {
    if let Some(path) = &args.deployment {
        let deployment = read_deployment(path)?;
        return Ok(Signers {
            keys: deployment.release_keys().to_vec(),
            threshold: deployment.release_threshold(),
        });
    }
    let keys = args
        .release_keys
        .iter()
        .map(|path| read_public_key(path))
        .collect::<Result<Vec<_>, _>>()?;
    let threshold = args.threshold.unwrap_or(keys.len());
    if !(1..=keys.len()).contains(&threshold) {
        return Err(CliError::ValueInvalid {
            option: "--threshold",
            allowed: "from 1 to the number of keys that are given",
        });
    }
    Ok(Signers { keys, threshold })
}

/// Checks envelope, signatures and form; the document, if it has the form of its kind.
fn open(text: &[u8], signers: &Signers, checks: &mut Checks) -> Option<Document> {
    let wanted = "a signed envelope".to_owned();
    let envelope = match Envelope::parse(text) {
        Ok(envelope) => envelope,
        Err(error) => {
            checks.add("envelope", wanted, error.to_string(), false);
            return None;
        }
    };
    let payload_type = envelope.unverified_payload_type();
    let Some(kind) = DocumentKind::of_payload_type(payload_type) else {
        checks.add("envelope", wanted, payload_type.to_owned(), false);
        return None;
    };
    checks.add("envelope", wanted, payload_type.to_owned(), true);
    check_signatures("signatures", &envelope, kind, signers, checks);
    let form = format!("a {} by its rules", kind.word());
    match Document::parse(kind, envelope.unverified_payload()) {
        Ok(document) => {
            checks.add("form", form, "well formed".to_owned(), true);
            Some(document)
        }
        Err(reason) => {
            checks.add("form", form, reason, false);
            None
        }
    }
}

fn check_signatures(
    check: &'static str,
    envelope: &Envelope,
    kind: DocumentKind,
    signers: &Signers,
    checks: &mut Checks,
) {
    let Signers { keys, threshold } = signers;
    let expected = format!("{threshold} of {} release keys", keys.len());
    match envelope.verify(kind.payload_type(), keys, *threshold) {
        Ok(verified) => {
            let ids: Vec<String> = verified.signers().iter().map(|id| id.to_hex()).collect();
            let got = format!("{}: {}", ids.len(), ids.join(", "));
            checks.add(check, expected, got, true);
        }
        Err(error) => checks.add(check, expected, error.to_string(), false),
    }
}

fn check_window(document: &Document, at_ms: u64, checks: &mut Checks) {
    let (issued_ms, expires_ms) = (document.issued_ms(), document.expires_ms());
    let expected = format!("{} to before {}", utc(issued_ms), utc(expires_ms));
    let in_force = (issued_ms..expires_ms).contains(&at_ms);
    checks.add("in_force", expected, utc(at_ms), in_force);
}

/// The number has grown. The earlier document's signatures were checked when it was accepted.
fn check_previous(
    document: &Document,
    previous: Option<&Path>,
    checks: &mut Checks,
) -> Result<(), CliError> {
    let Some(path) = previous else {
        let what = "number: without --previous an older document would be taken, too";
        checks.not_checked.push(what.to_owned());
        return Ok(());
    };
    let before = load(path, Some(document.kind()))?.document.number();
    let number = document.number();
    checks.add(
        "number",
        format!("above {before}"),
        number.to_string(),
        number > before,
    );
    Ok(())
}

fn check_policy(
    statement: &ReleaseStatement,
    policy: Option<&Path>,
    signers: &Signers,
    at_ms: u64,
    checks: &mut Checks,
) -> Result<(), CliError> {
    let Some(path) = policy else {
        let what = "listed: without --policy nothing says that clients accept this release";
        checks.not_checked.push(what.to_owned());
        return Ok(());
    };
    let text = read_document(path)?;
    let mut payload = text;
    if is_envelope(&payload) {
        let envelope = Envelope::parse(&payload)?;
        let kind = DocumentKind::ReleasePolicy;
        check_signatures("policy_signatures", &envelope, kind, signers, checks);
        payload = envelope.unverified_payload().to_vec();
    } else {
        let what = "policy signatures: the policy is not signed";
        checks.not_checked.push(what.to_owned());
    }
    let form = "a release policy by its rules".to_owned();
    let policy = match ReleasePolicy::from_json(&payload) {
        Ok(policy) => policy,
        Err(error) => {
            checks.add("policy_form", form, error.describe(), false);
            return Ok(());
        }
    };
    checks.add("policy_form", form, "well formed".to_owned(), true);
    let in_force = (policy.issued_ms..policy.expires_ms).contains(&at_ms);
    let window = format!(
        "{} to before {}",
        utc(policy.issued_ms),
        utc(policy.expires_ms)
    );
    checks.add("policy_in_force", window, utc(at_ms), in_force);
    check_listed(statement, &policy, checks);
    Ok(())
}

/// Each digest stands in the policy, as this release.
fn check_listed(statement: &ReleaseStatement, policy: &ReleasePolicy, checks: &mut Checks) {
    for subject in &statement.subjects {
        let same = |release: &&chancery_verify::Release| {
            release.measurement == *subject.launch_digest.as_bytes()
        };
        let listed: Vec<&chancery_verify::Release> = policy.releases.iter().filter(same).collect();
        let fits = listed
            .iter()
            .any(|release| release.id == statement.id && release.version == statement.version);
        let got = match listed.first() {
            Some(release) if !fits => format!("listed as {} {}", release.id, release.version),
            Some(_) => "listed".to_owned(),
            None => "not listed".to_owned(),
        };
        checks.add(
            "listed",
            format!(
                "{} as {} {}",
                subject.shape, statement.id, statement.version
            ),
            format!("{got}: {}", subject.launch_digest),
            fits,
        );
    }
}

/// Each digest comes out again from the firmware and the stated inputs.
fn check_digests(
    statement: &ReleaseStatement,
    ovmf: Option<&Path>,
    checks: &mut Checks,
) -> Result<(), CliError> {
    let Some(path) = ovmf else {
        let what = "digests: without --ovmf they are not computed again from the inputs";
        checks.not_checked.push(what.to_owned());
        return Ok(());
    };
    let (firmware, sha256) = read_firmware(path, None)?;
    let stated = statement.inputs.firmware_sha256;
    checks.add(
        "firmware",
        hex::encode(stated),
        hex::encode(sha256),
        stated == sha256,
    );
    for subject in &statement.subjects {
        let measured = subject.measured(&firmware, &statement.inputs);
        let fits = measured == Ok(subject.launch_digest);
        let got = measured.map_or_else(|error| error.to_string(), |digest| digest.to_string());
        let expected = format!("{} {}", subject.shape, subject.launch_digest);
        checks.add("digest", expected, got, fits);
    }
    Ok(())
}

/// Options that would silently check nothing.
fn refuse_statement_options(args: &ReleaseVerifyArgs) -> Result<(), CliError> {
    let given = [("--policy", &args.policy), ("--ovmf", &args.ovmf)];
    match given.iter().find(|(_, path)| path.is_some()) {
        Some((option, _)) => Err(CliError::ValueInvalid {
            option,
            allowed: "given with a release statement alone",
        }),
        None => Ok(()),
    }
}

fn told(path: &Path, at_ms: u64, document: Option<&Document>, checks: &Checks) -> Outcome {
    let holds = checks.holds();
    let failed = checks
        .rows
        .iter()
        .filter(|row| row.outcome == CheckOutcome::Failed);
    let name = printable(&path.display().to_string());
    let mut parts = vec![if holds {
        let count = checks.rows.len();
        format!("ACCEPTED: {name}: all {count} checks that were made passed.")
    } else {
        let (count, of) = (failed.count(), checks.rows.len());
        format!("REFUSED: {name}: {count} of {of} checks failed. Do not rely on it.")
    }];
    parts.push(table(&checks.rows).join("\n"));
    if !checks.not_checked.is_empty() {
        let lines = checks.not_checked.iter().map(|what| format!("  - {what}"));
        let lines: Vec<String> = lines.collect();
        parts.push(format!("Not checked:\n{}", lines.join("\n")));
    }
    parts.extend(document.map(Document::text));
    let (all, violations) = rows_json(&checks.rows);
    let not_checked: Vec<Value> = checks
        .not_checked
        .iter()
        .map(|what| what.as_str().into())
        .collect();
    let json = Object::with_capacity(7)
        .with("verdict", if holds { "accepted" } else { "refused" })
        .with("at", utc(at_ms))
        .with(
            "kind",
            document.map_or(Value::Null, |document| document.kind().word().into()),
        )
        .with("checks", all)
        .with("violations", violations)
        .with("not_checked", not_checked)
        .with(
            "document",
            document.map_or(Value::Null, |document| document.json().into()),
        );
    Outcome {
        text: parts.join("\n\n"),
        json,
        holds,
    }
}
