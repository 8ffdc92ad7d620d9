//! `verify`: appraise a runtime and print every check.

mod claims;
mod judgement;
#[cfg(test)]
mod tests;

use chancery_client::{Checklist, Endpoint, ProofMode, Row};
use chancery_json::{Object, Value};
use chancery_verify::{Mode, Outcome as CheckOutcome};

use self::claims::claims;
use self::judgement::{Judgement, every_check};

use crate::AnchorSource;
use crate::args::VerifyArgs;
use crate::context::{Context, Environment};
use crate::error::CliError;
use crate::output::{Outcome, printable};
use crate::time::dated;

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
    if let Some(url) = &args.url {
        Endpoint::parse(url).map_err(|_not_a_base| CliError::ValueInvalid {
            option: "URL",
            allowed: "https://host or https://host:port, without a path",
        })?;
    }
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
    let error = attempt.result.err().map(CliError::from);
    Ok(report(
        base,
        context.deployment.mode(),
        &attempt.checklist,
        error.as_ref(),
    ))
}

/// The report for a person and for a program. It holds only if the attempt succeeded and no check failed.
fn report(base: &str, mode: Mode, checklist: &Checklist, error: Option<&CliError>) -> Outcome {
    let judgement = Judgement::of(checklist, error);
    let mut lines = Vec::new();
    if mode == Mode::Emulated {
        lines.push(EMULATED.to_owned());
    }
    lines.push(format!("Verifying {}", printable(base)));
    lines.push(String::new());
    lines.extend(table(checklist.rows()));
    let not_checked = waived(checklist).chain(limits(checklist).map(str::to_owned));
    let not_checked: Vec<String> = not_checked.map(|what| format!("  - {what}")).collect();
    if !not_checked.is_empty() {
        lines.push(String::new());
        lines.push("Not checked:".to_owned());
        lines.extend(not_checked);
    }
    lines.push(String::new());
    lines.push(verdict_text(judgement, checklist, error));
    Outcome {
        text: lines.join("\n"),
        json: report_json(judgement, mode, checklist, error),
        holds: judgement == Judgement::Accepted,
    }
}

fn verdict_text(judgement: Judgement, checklist: &Checklist, error: Option<&CliError>) -> String {
    let failed = checklist.failed().count();
    let passed = checklist
        .rows()
        .iter()
        .filter(|row| row.outcome == CheckOutcome::Passed)
        .count();
    let count = passed.saturating_add(failed);
    match judgement {
        Judgement::Accepted => format!("ACCEPTED: all {count} checks that were made passed."),
        Judgement::Refused(_) => {
            let reason = error.map_or_else(String::new, |error| format!(" ({})", told(error)));
            format!(
                "REFUSED: {failed} of {count} checks failed{reason}. Nothing of yours was sent; do not use \
                 this service."
            )
        }
        Judgement::Impossible => {
            let reason = error.map_or_else(String::new, told);
            let advice = error.and_then(CliError::advice);
            format!(
                "COULD NOT BE JUDGED: {reason}. This says nothing about the service. Nothing of yours was \
                 sent.\n  what to do: {}",
                advice.unwrap_or("try again later")
            )
        }
    }
}

/// An error with its causes, on one safe line.
fn told(error: &CliError) -> String {
    let causes = error.causes().into_iter();
    let parts: Vec<String> = core::iter::once(error.to_string()).chain(causes).collect();
    printable(&parts.join(": "))
}

/// The checks that the policy waived, with its reason.
fn waived(checklist: &Checklist) -> impl Iterator<Item = String> {
    let rows = checklist.rows().iter();
    rows.filter(|row| row.outcome == CheckOutcome::NotChecked)
        .map(|row| format!("{}: {}", words(row.check), dated(&row.expected)))
}

/// What no connection can check, in words.
fn limits(checklist: &Checklist) -> impl Iterator<Item = &'static str> {
    checklist.not_checked().iter().copied()
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
            lines.push(format!("      required  {}", dated(&row.expected)));
            lines.push(format!("      found     {}", dated(&row.got)));
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
    let value = dated(value);
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

/// The members of the verdict, then those that are more than it asks for.
fn report_json(
    judgement: Judgement,
    mode: Mode,
    checklist: &Checklist,
    error: Option<&CliError>,
) -> Object {
    let (checks, violations) = rows_json(checklist.rows());
    let was_made = |name: &str| {
        let mut rows = checklist.rows().iter();
        rows.any(|row| row.check == name && row.outcome != CheckOutcome::NotChecked)
    };
    let not_checked: Vec<Value> = every_check()
        .filter(|name| !was_made(name))
        .map(Value::from)
        .collect();
    let limits: Vec<Value> = limits(checklist).map(Value::from).collect();
    let verdict = match judgement {
        Judgement::Accepted => "accepted",
        Judgement::Refused(_) | Judgement::Impossible => "refused",
    };
    let json = Object::with_capacity(9)
        .with("verdict", verdict)
        .with(
            "stage",
            judgement
                .stage()
                .map_or(Value::Null, |stage| stage.word().into()),
        )
        .with("violations", violations)
        .with("not_checked", not_checked)
        .with(
            "claims",
            checklist.claimed().map(claims).unwrap_or_default(),
        )
        .with("mode", mode.word())
        .with("checks", checks)
        .with("limits", limits);
    match error {
        Some(error) => json.with("error", told(error)),
        None => json,
    }
}
