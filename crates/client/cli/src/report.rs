//! `report show`: what an attestation report says. Nothing is verified, and the output says so.

mod decode;
mod fields;
#[cfg(test)]
mod tests;

use chancery_evidence::ProductLine;
use chancery_json::{Object, Value};

use crate::args::report::{Line, ReportCommand, ReportShowArgs};
use crate::error::CliError;
use crate::output::Outcome;

pub(crate) use self::decode::{ReportFault, parse_report, read_report};
pub(crate) use self::fields::{json, line_of};

/// The first line, whatever the report says.
const NOTHING_VERIFIED: &str = "Decoded only: nothing here is verified. Anybody can write these bytes; `appraise` checks them.";

/// Runs `report …`.
pub(crate) fn run(command: &ReportCommand) -> Result<Outcome, CliError> {
    match command {
        ReportCommand::Show(args) => show(args),
    }
}

fn show(args: &ReportShowArgs) -> Result<Outcome, CliError> {
    let bytes = read_report(&args.file)?;
    let report = parse_report(&bytes).map_err(|fault| CliError::DocumentInvalid {
        path: args.file.clone(),
        reason: format!("{}: {}", fault.check, fault.got),
    })?;
    let line = match (line_of(report.fields()), args.line) {
        (Some(_), Some(_)) => {
            return Err(CliError::ValueInvalid {
                option: "--line",
                allowed: "left out, because this report names its processor",
            });
        }
        (named, given) => named.or_else(|| given.map(product_line)),
    };
    let text = format!("{NOTHING_VERIFIED}\n\n{}", fields::text(&report, line));
    let json = json(&report, line).iter().fold(
        Object::with_capacity(32).with("verified", false),
        |json, (name, value)| json.with(name, Value::clone(value)),
    );
    Ok(Outcome::done(text, json))
}

const fn product_line(line: Line) -> ProductLine {
    match line {
        Line::Milan => ProductLine::Milan,
        Line::Genoa => ProductLine::Genoa,
        Line::Turin => ProductLine::Turin,
    }
}
