//! The appraisal, in five stages. The first four stop at the first failure, the last lists every violation.

mod bind;
mod chain;
mod parse;
mod policy;
mod rows;
#[cfg(test)]
mod tests;

use ring::signature::ECDSA_P384_SHA384_FIXED;
use ring::signature::UnparsedPublicKey;

use crate::anchor::Anchor;
use crate::appraise::chain::Leaf;
use crate::appraise::rows::Failed;
use crate::appraise::rows::Rows;
use crate::check::CheckId;
use crate::check::Stage;
use crate::evidence::Evidence;
use crate::floors::TcbFloors;
use crate::policy::Release;
use crate::policy::ReleasePolicy;
use crate::verdict::Examination;
use crate::verdict::Refusal;
use crate::verdict::Verdict;
use chancery_evidence::Report;

/// What the caller adds to the evidence.
pub(crate) struct Inputs<'a> {
    pub(crate) policy: &'a ReleasePolicy,
    pub(crate) floors: &'a TcbFloors,
    pub(crate) expected_report_data: Option<&'a [u8; 64]>,
    pub(crate) now_ms: u64,
}

/// Checks evidence completely.
///
/// 1. *parse*: the report obeys its format.
/// 2. *chain*: exactly leaf, intermediate and a root of the anchor; names, extensions, dates, signatures; the root's
///    revocation list is signed, current and does not name the intermediate.
/// 3. *bind*: the leaf speaks for this chip, firmware and processor.
/// 4. *signature*: over the received bytes 0 to 0x29F.
/// 5. *policy*: every rule of the release policy, the firmware floors and the expected report data.
///
/// `now_ms` is the verifier's time, milliseconds since the Unix epoch.
///
/// # Errors
/// The checks that failed, with all that were made before.
pub fn appraise<A: Anchor>(
    anchor: &A,
    evidence: &Evidence,
    policy: &ReleasePolicy,
    floors: &TcbFloors,
    expected_report_data: &[u8; 64],
    now_ms: u64,
) -> Result<Verdict<A>, Refusal> {
    let inputs = Inputs {
        policy,
        floors,
        expected_report_data: Some(expected_report_data),
        now_ms,
    };
    let mut rows = Rows::default();
    match stages(anchor, evidence, &inputs, &mut rows) {
        Ok((report, leaf, release)) => Ok(Verdict::new(
            rows.into_rows(),
            report.fields().clone(),
            leaf.line,
            leaf.extensions.identity,
            release,
        )),
        Err(Failed(stage)) => Err(Refusal::new(stage, A::MODE, rows.into_rows())),
    }
}

/// The same checks for a person who looks at evidence from a file. Without `expected_report_data` that check is not made: the
/// evidence may then be somebody else's, or old. Whatever the outcome, no [`Verdict`] comes of it, so that no session can rest on it.
pub fn examine<A: Anchor>(
    anchor: &A,
    evidence: &Evidence,
    policy: &ReleasePolicy,
    floors: &TcbFloors,
    expected_report_data: Option<&[u8; 64]>,
    now_ms: u64,
) -> Examination {
    let inputs = Inputs {
        policy,
        floors,
        expected_report_data,
        now_ms,
    };
    let mut rows = Rows::default();
    let outcome = stages(anchor, evidence, &inputs, &mut rows);
    let refused_in = outcome.err().map(|Failed(stage)| stage);
    Examination::new(A::MODE, refused_in, rows.into_rows())
}

fn stages<'a, A: Anchor>(
    anchor: &A,
    evidence: &'a Evidence,
    inputs: &Inputs<'_>,
    rows: &mut Rows,
) -> Result<(Report, Leaf<'a>, Release), Failed> {
    let report = parse::run(&evidence.report, rows)?;
    let leaf = chain::run(anchor, evidence, inputs, rows)?;
    bind::run(&report, &leaf, rows)?;
    check_signature(&report, &leaf, rows)?;
    let release = policy::run(&report, &leaf, inputs, rows)?;
    Ok((report, leaf, release))
}

fn check_signature(report: &Report, leaf: &Leaf<'_>, rows: &mut Rows) -> Result<(), Failed> {
    let key = UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, leaf.key);
    let valid = key.verify(report.signed(), report.signature()).is_ok();
    let got = if valid { "valid" } else { "invalid" };
    rows.require(
        CheckId::ReportSignature,
        "valid over bytes 0 to 0x29f",
        got,
        valid,
    )
}

/// Ends a stage that lists every violation.
fn end_of_policy(rows: &Rows) -> Result<(), Failed> {
    if rows.any_failed() {
        Err(Failed(Stage::Policy))
    } else {
        Ok(())
    }
}
