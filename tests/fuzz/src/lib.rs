//! What the fuzz targets of the attestation parsers assert.
//!
//! Zone: tests.
//!
//! What it is: one function per target, from any bytes to whether they were accepted. It fails by an assertion if a property
//! does not hold: what is accepted obeys a second, naive reading of the rules; an accepted canonical encoding is the only one
//! of its value; a refusal says what was wrong; nothing but genuine evidence is accepted. `fuzz/` runs them under libFuzzer,
//! and this crate's test over the committed corpora and the attestation vectors.
//!
//! What it is not: a parser that anything ships.
//!
//! ```
//! use chancery_fuzz_targets::TARGETS;
//!
//! for target in TARGETS {
//!     assert!(!(target.run)(b"neither a report nor a certificate"));
//! }
//! ```

#![forbid(unsafe_code)]

mod appraise;
mod certificate;
mod crl;
mod der;
mod exchange;
mod fixture;
mod policy;
mod report;
mod signed;
mod signed_report;
mod statement;
mod time;

use std::error::Error;

pub use crate::appraise::appraise;
pub use crate::certificate::certificate;
pub use crate::crl::crl;
pub use crate::exchange::attest;
pub use crate::exchange::deployment;
pub use crate::fixture::CASES as APPRAISAL_CASES;
pub use crate::fixture::fixture_policy;
pub use crate::policy::policy;
pub use crate::report::report;
pub use crate::signed::ENVELOPE_PAYLOAD;
pub use crate::signed::ENVELOPE_TYPE;
pub use crate::signed::envelope;
pub use crate::signed::envelope_keys;
pub use crate::signed_report::signed_report;
pub use crate::signed_report::signed_report_seeds;
pub use crate::statement::statements;

/// A fuzz target: the name of its program and corpus, and its body.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Target {
    /// The name in `fuzz/fuzz_targets` and `fuzz/corpus`.
    pub name: &'static str,
    /// Any bytes in, and whether they were accepted; an assertion that fails is a finding.
    pub run: fn(&[u8]) -> bool,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    target("appraise", appraise),
    target("attest", attest),
    target("certificate", certificate),
    target("crl", crl),
    target("deployment", deployment),
    target("envelope", envelope),
    target("policy", policy),
    target("report", report),
    target("signed_report", signed_report),
    target("statements", statements),
];

const fn target(name: &'static str, run: fn(&[u8]) -> bool) -> Target {
    Target { name, run }
}

/// Whether it was accepted; `check` asserts what must hold then. A refusal says something, and nothing that a terminal would
/// obey.
fn accepted<T, E: Error>(parsed: Result<T, E>, check: impl FnOnce(T)) -> bool {
    match parsed {
        Ok(value) => {
            check(value);
            true
        }
        Err(error) => {
            let text = error.to_string();
            assert!(!text.is_empty(), "a refusal without a reason");
            let control = text.contains(char::is_control);
            assert!(!control, "a control character in {text:?}");
            false
        }
    }
}
