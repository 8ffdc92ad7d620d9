//! What an appraisal ends in.

use core::fmt;
use core::marker::PhantomData;

use alloc::vec::Vec;

use chancery_evidence::ProductLine;
use chancery_evidence::ReportFields;
use chancery_evidence::VekIdentity;

use crate::anchor::Anchor;
use crate::anchor::Mode;
use crate::check::CheckId;
use crate::check::CheckRow;
use crate::check::Outcome;
use crate::check::Stage;
use crate::policy::Release;

/// Evidence that passed every check under the anchor `A`. Only [`crate::appraise`] makes one.
///
/// ```compile_fail
/// use chancery_evidence::{ProductLine, ReportFields, VekIdentity};
/// use chancery_verify::{Amd, CheckRow, Release, Verdict};
/// fn forge(
///     rows: Vec<CheckRow>,
///     fields: ReportFields,
///     line: ProductLine,
///     identity: VekIdentity,
///     release: Release,
/// ) -> Verdict<Amd> {
///     Verdict { rows, fields, line, identity, release, anchor: core::marker::PhantomData }
/// }
/// ```
///
/// The same by the only way in compiles:
///
/// ```
/// use chancery_evidence::{ProductLine, ReportFields, VekIdentity};
/// use chancery_verify::{Amd, CheckRow, Release, Verdict};
/// use chancery_verify::{Evidence, Refusal, ReleasePolicy, TcbFloors, appraise};
/// fn check(
///     evidence: &Evidence,
///     policy: &ReleasePolicy,
///     floors: &TcbFloors,
///     now_ms: u64,
/// ) -> Result<Verdict<Amd>, Refusal> {
///     appraise(&Amd, evidence, policy, floors, &[0; 64], now_ms)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Verdict<A> {
    rows: Vec<CheckRow>,
    fields: ReportFields,
    line: ProductLine,
    identity: VekIdentity,
    release: Release,
    anchor: PhantomData<fn() -> A>,
}

impl<A: Anchor> Verdict<A> {
    /// Made by `appraise` alone, when no row failed.
    pub(crate) const fn new(
        rows: Vec<CheckRow>,
        fields: ReportFields,
        line: ProductLine,
        identity: VekIdentity,
        release: Release,
    ) -> Self {
        Self {
            rows,
            fields,
            line,
            identity,
            release,
            anchor: PhantomData,
        }
    }

    /// Hardware or emulated.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        A::MODE
    }

    /// Every check, in order.
    #[must_use]
    pub fn rows(&self) -> &[CheckRow] {
        &self.rows
    }

    /// What the report says; all of it is proven.
    #[must_use]
    pub const fn fields(&self) -> &ReportFields {
        &self.fields
    }

    /// The product line.
    #[must_use]
    pub const fn line(&self) -> ProductLine {
        self.line
    }

    /// The chip, from the certificate.
    #[must_use]
    pub const fn identity(&self) -> &VekIdentity {
        &self.identity
    }

    /// The release that runs.
    #[must_use]
    pub const fn release(&self) -> &Release {
        &self.release
    }
}

/// Evidence that failed: the stage, and every row up to and with those that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    stage: Stage,
    mode: Mode,
    rows: Vec<CheckRow>,
}

impl Refusal {
    pub(crate) const fn new(stage: Stage, mode: Mode, rows: Vec<CheckRow>) -> Self {
        Self { stage, mode, rows }
    }

    /// Where it failed.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        self.stage
    }

    /// The anchor's mode.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// The checks that were made, in order.
    #[must_use]
    pub fn rows(&self) -> &[CheckRow] {
        &self.rows
    }

    /// The rows that failed: one, or in the policy stage one and more.
    pub fn failed(&self) -> impl Iterator<Item = &CheckRow> {
        self.rows
            .iter()
            .filter(|row| row.outcome == Outcome::Failed)
    }

    /// True when this check failed.
    #[must_use]
    pub fn has_failed(&self, check: CheckId) -> bool {
        self.failed().any(|row| row.check == check)
    }
}

impl fmt::Display for Refusal {
    /// Names stage and checks only, because values come from the peer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "evidence refused in stage {}:", self.stage.word())?;
        for row in self.failed() {
            write!(f, " {}", row.check.name())?;
        }
        Ok(())
    }
}

impl core::error::Error for Refusal {}

/// What became of evidence from a file. It names the checks, and is no proof to anything that goes on from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examination {
    mode: Mode,
    refused_in: Option<Stage>,
    rows: Vec<CheckRow>,
}

impl Examination {
    pub(crate) const fn new(mode: Mode, refused_in: Option<Stage>, rows: Vec<CheckRow>) -> Self {
        Self {
            mode,
            refused_in,
            rows,
        }
    }

    /// The anchor's mode.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// True when no check that was made failed.
    #[must_use]
    pub const fn is_accepted(&self) -> bool {
        self.refused_in.is_none()
    }

    /// The stage that refused it, if one did.
    #[must_use]
    pub const fn refused_in(&self) -> Option<Stage> {
        self.refused_in
    }

    /// The checks that were made, in order, and those that were left out.
    #[must_use]
    pub fn rows(&self) -> &[CheckRow] {
        &self.rows
    }
}
