//! `verify`: appraise a runtime and print every check.

use chancery_client::{Checklist, ClientError, ProofMode, Row};
use chancery_json::{Object, Value};
use chancery_verify::{Mode, Outcome as CheckOutcome};

use crate::AnchorSource;
use crate::args::VerifyArgs;
use crate::context::{Context, Environment};
use crate::error::CliError;
use crate::output::{Outcome, printable};

/// The first line of every report about an emulated deployment, whatever the verdict.
pub(crate) const EMULATED: &str =
    "EMULATED: no hardware vouches for this deployment. It protects nothing.";

/// Longest value that is shown in full to a person; JSON always has all of it.
const VALUE_CHARACTERS_MAX: usize = 100;

/// Runs `verify`.
pub(crate) async fn run<S: AnchorSource>(
    args: &VerifyArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    let context = Context::load(&args.context, environment)?;
    let mode = if args.hardware {
        ProofMode::Hardware
    } else {
        ProofMode::Epoch
    };
    let mut connector = context.connector(source)?.with_mode(mode);
    if let Some(url) = &args.url {
        connector = connector.at(url)?;
    }
    let attempt = connector
        .attempt(&context.deployment, context.address())
        .await;
    let base = args
        .url
        .as_deref()
        .unwrap_or_else(|| context.deployment.base());
    let error = attempt.result.err();
    Ok(report(
        base,
        context.deployment.mode(),
        &attempt.checklist,
        error.as_ref(),
    ))
}

/// The report for a person and for a program. It holds only if the attempt succeeded and no check failed.
fn report(base: &str, mode: Mode, checklist: &Checklist, error: Option<&ClientError>) -> Outcome {
    let failed = checklist.failed().count();
    let holds = error.is_none() && failed == 0;
    let mut lines = Vec::new();
    if mode == Mode::Emulated {
        lines.push(EMULATED.to_owned());
    }
    lines.push(format!("Verifying {}", printable(base)));
    lines.push(String::new());
    lines.extend(table(checklist.rows()));
    let not_checked = not_checked(checklist);
    if !not_checked.is_empty() {
        lines.push(String::new());
        lines.push("Not checked:".to_owned());
        lines.extend(not_checked.iter().map(|what| format!("  - {what}")));
    }
    lines.push(String::new());
    lines.push(verdict_text(holds, checklist, failed, error));
    Outcome {
        text: lines.join("\n"),
        json: report_json(holds, mode, checklist, error),
        holds,
    }
}

fn verdict_text(
    holds: bool,
    checklist: &Checklist,
    failed: usize,
    error: Option<&ClientError>,
) -> String {
    let of = |outcome| {
        let rows = checklist.rows().iter();
        rows.filter(|row| row.outcome == outcome).count()
    };
    let count = of(CheckOutcome::Passed).saturating_add(failed);
    if holds {
        return format!("ACCEPTED: all {count} checks that were made passed.");
    }
    let reason = error.map_or_else(String::new, |error| format!(" ({error})"));
    format!(
        "REFUSED: {failed} of {count} checks failed{reason}. Nothing of yours was sent; do not use \
         this service."
    )
}

fn not_checked(checklist: &Checklist) -> Vec<String> {
    let waived = checklist
        .rows()
        .iter()
        .filter(|row| row.outcome == CheckOutcome::NotChecked);
    waived
        .map(|row| format!("{}: {}", words(row.check), printable(&row.expected)))
        .chain(
            checklist
                .not_checked()
                .iter()
                .map(|what| (*what).to_owned()),
        )
        .collect()
}

/// A check that passed takes one line; one that failed also says what was required.
pub(crate) fn table(rows: &[Row]) -> Vec<String> {
    let width = rows
        .iter()
        .map(|row| row.check.chars().count())
        .max()
        .unwrap_or(0);
    let mut lines = Vec::new();
    for row in rows {
        let (mark, got) = match row.outcome {
            CheckOutcome::Passed => ('✓', shortened(&row.got)),
            CheckOutcome::Failed => ('✗', shortened(&row.got)),
            CheckOutcome::NotChecked => ('-', "not checked".to_owned()),
        };
        let check = words(row.check);
        if row.outcome == CheckOutcome::Failed {
            lines.push(format!("  {mark} {check:width$}  FAILED"));
            lines.push(format!("      required  {}", printable(&row.expected)));
            lines.push(format!("      found     {}", printable(&row.got)));
        } else {
            lines.push(
                format!("  {mark} {check:width$}  {got}")
                    .trim_end()
                    .to_owned(),
            );
        }
    }
    lines
}

fn words(check: &str) -> String {
    check.replace('_', " ")
}

fn shortened(value: &str) -> String {
    let value = printable(value);
    if value.chars().count() <= VALUE_CHARACTERS_MAX {
        return value;
    }
    let mut short: String = value.chars().take(VALUE_CHARACTERS_MAX).collect();
    short.push('…');
    short
}

/// All checks, and those that failed, for a program.
pub(crate) fn rows_json(rows: &[Row]) -> (Vec<Value>, Vec<Value>) {
    let json = |row: &Row| {
        Object::with_capacity(4)
            .with("check", row.check)
            .with("expected", row.expected.as_str())
            .with("got", row.got.as_str())
    };
    let checks = rows
        .iter()
        .map(|row| json(row).with("outcome", row.outcome.word()).into());
    let failed = rows
        .iter()
        .filter(|row| row.outcome == CheckOutcome::Failed);
    (
        checks.collect(),
        failed.map(|row| json(row).into()).collect(),
    )
}

fn report_json(
    holds: bool,
    mode: Mode,
    checklist: &Checklist,
    error: Option<&ClientError>,
) -> Object {
    let (checks, violations) = rows_json(checklist.rows());
    let not_checked: Vec<Value> = not_checked(checklist)
        .into_iter()
        .map(Value::from)
        .collect();
    let json = Object::new()
        .with("verdict", if holds { "accepted" } else { "refused" })
        .with("mode", mode.word())
        .with("checks", checks)
        .with("violations", violations)
        .with("not_checked", not_checked);
    match error {
        Some(error) => json.with("error", error.to_string()),
        None => json,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(check: &'static str, outcome: CheckOutcome) -> Row {
        let (expected, got) = ("the pinned one".to_owned(), "another\u{1b}[2J".to_owned());
        Row {
            check,
            expected,
            got,
            outcome,
        }
    }

    fn json(outcome: &Outcome) -> String {
        String::from_utf8(outcome.json.to_bytes()).unwrap()
    }

    #[test]
    fn accepts_only_when_every_check_passed_and_there_is_a_connection() {
        let rows = vec![row("report_length", CheckOutcome::Passed)];
        let checklist = Checklist::new(rows, vec!["the operator's custody of the chip"]);
        let accepted = report("https://localhost", Mode::Amd, &checklist, None);
        assert!(accepted.holds);
        assert!(accepted.text.starts_with("Verifying https://localhost\n"));
        assert!(accepted.text.contains("✓ report length"));
        assert!(
            accepted
                .text
                .contains("Not checked:\n  - the operator's custody of the chip")
        );
        assert!(
            accepted
                .text
                .ends_with("ACCEPTED: all 1 checks that were made passed.")
        );
        assert!(json(&accepted).starts_with(r#"{"verdict":"accepted","mode":"amd","checks":[{"#));

        let without = report(
            "https://localhost",
            Mode::Amd,
            &checklist,
            Some(&ClientError::Closed),
        );
        assert!(!without.holds);
        assert!(json(&without).contains(r#""error":"the server closed the connection early""#));
    }

    #[test]
    fn says_what_failed_with_what_was_required_and_found_on_a_safe_line() {
        let rows = vec![
            row("tls_leaf", CheckOutcome::Passed),
            row("session_nonce", CheckOutcome::Failed),
        ];
        let refused = report(
            "https://localhost",
            Mode::Amd,
            &Checklist::new(rows, Vec::new()),
            None,
        );
        assert!(!refused.holds);
        assert!(
            refused
                .text
                .contains("✗ session nonce  FAILED\n      required  the pinned one")
        );
        assert!(refused.text.contains("found     another\\u{1b}[2J"));
        assert!(refused.text.contains("REFUSED: 1 of 2 checks failed."));
        assert!(json(&refused).contains(r#""violations":[{"check":"session_nonce","#));
    }

    #[test]
    fn says_emulated_in_its_first_line_whatever_the_verdict() {
        let checklist = Checklist::default();
        for error in [None, Some(&ClientError::Closed)] {
            let outcome = report("https://localhost", Mode::Emulated, &checklist, error);
            assert!(outcome.text.lines().next().unwrap().starts_with("EMULATED"));
            assert!(json(&outcome).contains(r#""mode":"emulated""#));
        }
        let amd = report("https://localhost", Mode::Amd, &checklist, None);
        assert!(!amd.text.contains("EMULATED"));
    }

    #[test]
    fn a_check_that_the_policy_waived_is_listed_as_not_checked() {
        let rows = vec![row("id_block", CheckOutcome::NotChecked)];
        let outcome = report(
            "https://localhost",
            Mode::Amd,
            &Checklist::new(rows, Vec::new()),
            None,
        );
        assert!(
            outcome
                .text
                .contains("Not checked:\n  - id block: the pinned one")
        );
    }
}
