//! What was checked on the way to a connection, in order, for a person to read.

use std::sync::Arc;

use chancery_session::AttestResponse;
use chancery_verify::Outcome;

/// One check: what was required, what was found, how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The stable name of the check.
    pub check: &'static str,
    /// What was required.
    pub expected: String,
    /// What was found.
    pub got: String,
    /// How it ended.
    pub outcome: Outcome,
}

/// Every check of one attempt to connect, up to and with the one that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checklist {
    rows: Vec<Row>,
    not_checked: Vec<&'static str>,
    claimed: Option<Arc<AttestResponse>>,
}

impl Checklist {
    /// A checklist of rows that are known already, to be shown. It proves nothing.
    #[must_use]
    pub fn new(rows: Vec<Row>, not_checked: Vec<&'static str>) -> Self {
        Self {
            rows,
            not_checked,
            claimed: None,
        }
    }

    /// The checks in the order in which they were made.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// What this attempt did not check at all, in words.
    #[must_use]
    pub fn not_checked(&self) -> &[&'static str] {
        &self.not_checked
    }

    /// What the server answered, if it answered in the form of the protocol. Of an attempt that was refused nothing in
    /// it may be believed.
    #[must_use]
    pub fn claimed(&self) -> Option<&AttestResponse> {
        self.claimed.as_deref()
    }

    /// The checks that failed.
    pub fn failed(&self) -> impl Iterator<Item = &Row> {
        self.rows
            .iter()
            .filter(|row| row.outcome == Outcome::Failed)
    }

    pub(crate) fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    pub(crate) fn claim(&mut self, answer: AttestResponse) {
        self.claimed = Some(Arc::new(answer));
    }

    pub(crate) fn leave_out(&mut self, what: &'static str) {
        self.not_checked.push(what);
    }

    pub(crate) fn passed(&mut self, check: &'static str, expected: &str, got: String) {
        let expected = expected.to_owned();
        self.push(Row {
            check,
            expected,
            got,
            outcome: Outcome::Passed,
        });
    }

    pub(crate) fn failed_with(&mut self, check: &'static str, expected: &str, got: String) {
        let expected = expected.to_owned();
        self.push(Row {
            check,
            expected,
            got,
            outcome: Outcome::Failed,
        });
    }
}
