//! The appraisal in words and as JSON.

use std::collections::BTreeSet;

use chancery_client::Row;
use chancery_json::{Object, Value};
use chancery_verify::{CheckId, Mode, Outcome as CheckOutcome, Stage};

use crate::output::{Outcome, printable};
use crate::time::{dated, utc};
use crate::verify::{EMULATED, rows_json};

/// Longest value in the table, in characters; what failed is shown in full.
const VALUE_CHARACTERS_MAX: usize = 48;

/// Longest value beside the reason for which it was not checked, in characters.
const FOUND_CHARACTERS_MAX: usize = 96;

const STAGES: [Stage; 5] = [
    Stage::Parse,
    Stage::Chain,
    Stage::Bind,
    Stage::Signature,
    Stage::Policy,
];

/// Something that was left out, and why.
pub(super) struct Note {
    /// The check's name.
    pub(super) check: &'static str,
    /// Why it was not made.
    pub(super) reason: String,
}

/// What came of it.
pub(super) struct Appraisal {
    /// Of the anchor.
    pub(super) mode: Mode,
    /// The stage that refused, if one did.
    pub(super) refused_in: Option<Stage>,
    /// Whether the checks were made; without a file that they need they are not.
    pub(super) is_appraised: bool,
    /// The checks that were made or waived.
    pub(super) rows: Vec<(CheckId, Row)>,
    /// What else was not checked.
    pub(super) notes: Vec<Note>,
    /// What the report says, if it is one.
    pub(super) claims: Object,
}

impl Appraisal {
    /// For a person and for a program. `at_ms` is the time for which it was made.
    pub(super) fn outcome(mut self, at_ms: u64) -> Outcome {
        for note in &self.notes {
            let named = self
                .rows
                .iter_mut()
                .filter(|(_, row)| row.check == note.check);
            for (_, row) in named {
                row.outcome = CheckOutcome::NotChecked;
            }
        }
        Outcome {
            text: self.text(at_ms),
            json: self.json(),
            holds: self.refused_in.is_none(),
        }
    }

    fn count(&self, outcome: CheckOutcome) -> usize {
        let rows = self.rows.iter();
        rows.filter(|(_, row)| row.outcome == outcome).count()
    }

    /// Every check that was neither passed nor failed: waived, not asked for, or never reached.
    fn not_checked(&self) -> Vec<&'static str> {
        let made: BTreeSet<&str> = self
            .rows
            .iter()
            .filter(|(_, row)| row.outcome != CheckOutcome::NotChecked)
            .map(|(_, row)| row.check)
            .collect();
        let all = CheckId::ALL.iter().map(|check| check.name());
        let others = self.notes.iter().map(|note| note.check);
        let mut names: Vec<&'static str> = Vec::new();
        for name in all.chain(others) {
            if !made.contains(name) && !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    fn json(&self) -> Object {
        let rows: Vec<Row> = self.rows.iter().map(|(_, row)| row.clone()).collect();
        let (_, violations) = rows_json(&rows);
        let not_checked: Vec<Value> = self.not_checked().into_iter().map(Value::from).collect();
        let verdict = if self.refused_in.is_none() {
            "accepted"
        } else {
            "refused"
        };
        let stage = self.refused_in.unwrap_or(Stage::Policy).word();
        let json = match self.mode {
            Mode::Amd => Object::with_capacity(5),
            Mode::Emulated => Object::with_capacity(6).with("mode", self.mode.word()),
        };
        json.with("verdict", verdict)
            .with("stage", stage)
            .with("violations", violations)
            .with("not_checked", not_checked)
            .with("claims", self.claims.clone())
    }

    fn text(&self, at_ms: u64) -> String {
        let mut parts = Vec::new();
        if self.mode == Mode::Emulated {
            parts.push(EMULATED.to_owned());
        }
        parts.push(self.verdict_text(at_ms));
        parts.push(self.table());
        let left_out = self.left_out();
        if !left_out.is_empty() {
            parts.push(format!("Not checked:\n{}", left_out.join("\n")));
        }
        parts.join("\n\n")
    }

    fn verdict_text(&self, at_ms: u64) -> String {
        let (passed, failed) = (
            self.count(CheckOutcome::Passed),
            self.count(CheckOutcome::Failed),
        );
        let at = utc(at_ms);
        match self.refused_in {
            None => format!("ACCEPTED at {at}: all {passed} checks that were made passed."),
            Some(stage) => format!(
                "REFUSED at {at}, in stage {}: {failed} of {} checks failed.",
                stage.word(),
                passed.saturating_add(failed)
            ),
        }
    }

    /// One line for each check that was made: what was found, and what was required.
    fn table(&self) -> String {
        let made = || {
            let rows = self.rows.iter();
            rows.filter(|(_, row)| row.outcome != CheckOutcome::NotChecked)
        };
        let width = |cell: fn(&Row) -> String| {
            let passed = made().filter(|(_, row)| row.outcome == CheckOutcome::Passed);
            let widths = passed.map(|(_, row)| cell(row).chars().count());
            widths.max().unwrap_or(0)
        };
        let name = |row: &Row| row.check.replace('_', " ");
        let names = made()
            .map(|(_, row)| name(row).chars().count())
            .max()
            .unwrap_or(0);
        let found = width(|row| shortened(&row.got, VALUE_CHARACTERS_MAX)).max("found".len());
        let mut lines = vec![format!(
            "    {:names$}  {:found$}  required",
            "check", "found"
        )];
        for stage in STAGES {
            let mut rows = made()
                .filter(|(check, _)| check.stage() == stage)
                .peekable();
            if rows.peek().is_some() {
                lines.push(stage.word().to_owned());
            }
            for (_, row) in rows {
                let check = name(row);
                if row.outcome == CheckOutcome::Failed {
                    lines.push(format!("  ✗ {check:names$}  FAILED"));
                    lines.push(format!("      required  {}", dated(&row.expected)));
                    lines.push(format!("      found     {}", dated(&row.got)));
                } else {
                    let (got, expected) = (
                        shortened(&row.got, VALUE_CHARACTERS_MAX),
                        shortened(&row.expected, VALUE_CHARACTERS_MAX),
                    );
                    lines.push(format!("  ✓ {check:names$}  {got:found$}  {expected}"));
                }
            }
        }
        lines.join("\n")
    }

    /// What was not checked: what was left out with its reason, then what was never reached.
    fn left_out(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut told = BTreeSet::new();
        let notes = self
            .notes
            .iter()
            .map(|note| (note.check, note.reason.clone()));
        let waived = self
            .rows
            .iter()
            .filter(|(_, row)| row.outcome == CheckOutcome::NotChecked)
            .map(|(_, row)| {
                let expected = dated(&row.expected);
                let got = shortened(&row.got, FOUND_CHARACTERS_MAX);
                (row.check, format!("{expected}; found {got}"))
            });
        for (check, reason) in notes.chain(waived) {
            if told.insert(check) {
                let name = check.replace('_', " ");
                lines.push(format!("  - {name}: {}", printable(&reason)));
            }
        }
        if !self.is_appraised {
            lines.push("  - every other check: none was made without these files".to_owned());
            return lines;
        }
        let after = |stage: &&Stage| self.refused_in.is_some_and(|refused| **stage > refused);
        let stages: Vec<&str> = STAGES
            .iter()
            .filter(after)
            .map(|stage| stage.word())
            .collect();
        if !stages.is_empty() {
            lines.push(format!("  - the stages after it: {}", stages.join(", ")));
        }
        lines
    }
}

fn shortened(value: &str, characters_max: usize) -> String {
    let value = dated(value);
    if value.chars().count() <= characters_max {
        return value;
    }
    let kept = characters_max.saturating_sub(1);
    let mut short: String = value.chars().take(kept).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_cut() {
        assert_eq!(shortened(&"x".repeat(48), 48), "x".repeat(48));
        let cut = format!("{}…", "x".repeat(47));
        assert_eq!(shortened(&"x".repeat(49), 48), cut);
    }
}
