//! The rows as they are written.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::check::CheckId;
use crate::check::CheckRow;
use crate::check::Outcome;
use crate::check::Stage;

/// A stage ended in failure; the rows say why.
pub(crate) struct Failed(pub(crate) Stage);

/// The checklist so far.
#[derive(Default)]
pub(crate) struct Rows(Vec<CheckRow>);

impl Rows {
    /// Writes a row and stops the stage if the check failed.
    pub(crate) fn require(
        &mut self,
        check: CheckId,
        expected: impl Into<String>,
        got: impl Into<String>,
        passed: bool,
    ) -> Result<(), Failed> {
        self.note(check, expected, got, passed);
        if passed {
            Ok(())
        } else {
            Err(Failed(check.stage()))
        }
    }

    /// Writes a row and goes on.
    pub(crate) fn note(
        &mut self,
        check: CheckId,
        expected: impl Into<String>,
        got: impl Into<String>,
        passed: bool,
    ) {
        let outcome = if passed {
            Outcome::Passed
        } else {
            Outcome::Failed
        };
        self.0
            .push(CheckRow::new(check, expected.into(), got.into(), outcome));
    }

    /// Writes a row for a check that the policy does not ask for.
    pub(crate) fn skip(
        &mut self,
        check: CheckId,
        expected: impl Into<String>,
        got: impl Into<String>,
    ) {
        self.0.push(CheckRow::new(
            check,
            expected.into(),
            got.into(),
            Outcome::NotChecked,
        ));
    }

    /// Writes a row that passes only because of a member of the policy: it then stands there as not checked, with the
    /// member's name, so that nobody takes the waiver for the rule.
    pub(crate) fn waivable(
        &mut self,
        check: CheckId,
        expected: impl Into<String>,
        got: impl Into<String>,
        passed: bool,
        waived_by: Option<&str>,
    ) {
        match waived_by {
            Some(member) if passed => {
                let got = format!("{}; waived by {member}", got.into());
                self.skip(check, expected, got);
            }
            Some(_) | None => self.note(check, expected, got, passed),
        }
    }

    pub(crate) fn any_failed(&self) -> bool {
        self.0.iter().any(|row| row.outcome == Outcome::Failed)
    }

    pub(crate) fn into_rows(self) -> Vec<CheckRow> {
        self.0
    }
}
