//! The rows as they are written.

use core::fmt::Display;

use alloc::string::String;
use alloc::string::ToString;
use alloc::vec::Vec;

use chancery_verify::Outcome;

use crate::rows::SessionCheck;
use crate::rows::SessionRow;

/// A check failed; the rows say which.
pub(crate) struct Stop;

/// The checklist so far.
#[derive(Default)]
pub(crate) struct Recorder(Vec<SessionRow>);

impl Recorder {
    pub(crate) fn push(&mut self, row: SessionRow) {
        self.0.push(row);
    }

    /// Writes a row and stops the walk if the check failed.
    pub(crate) fn require(
        &mut self,
        check: SessionCheck,
        expected: impl Into<String>,
        got: impl Into<String>,
        passed: bool,
    ) -> Result<(), Stop> {
        let outcome = if passed {
            Outcome::Passed
        } else {
            Outcome::Failed
        };
        self.push(SessionRow::new(check, expected, got, outcome));
        if passed { Ok(()) } else { Err(Stop) }
    }

    /// Writes a row for a check that was not made.
    pub(crate) fn skip(
        &mut self,
        check: SessionCheck,
        expected: impl Into<String>,
        got: impl Into<String>,
    ) {
        self.push(SessionRow::new(check, expected, got, Outcome::NotChecked));
    }

    /// Takes a result; an error becomes a failed row, a success no row.
    pub(crate) fn decoded<T, E: Display>(
        &mut self,
        check: SessionCheck,
        result: Result<T, E>,
    ) -> Result<T, Stop> {
        match result {
            Ok(value) => Ok(value),
            Err(error) => {
                self.push(SessionRow::new(
                    check,
                    "well formed",
                    error.to_string(),
                    Outcome::Failed,
                ));
                Err(Stop)
            }
        }
    }

    pub(crate) fn into_rows(self) -> Vec<SessionRow> {
        self.0
    }
}
