//! What `verify` reported.

use serde_json::Value;

use crate::programs::Finished;

/// The checks of a report that ended in one way: `passed`, `failed` or `not_checked`.
#[must_use]
pub fn checks(report: &Value, outcome: &str) -> Vec<String> {
    let checks = report.get("checks").and_then(Value::as_array).unwrap();
    let text = |check: &Value, member: &str| {
        let value = check.get(member).and_then(Value::as_str);
        value.unwrap().to_owned()
    };
    checks
        .iter()
        .filter(|check| text(check, "outcome") == outcome)
        .map(|check| text(check, "check"))
        .collect()
}

/// Sees that the command refused, and that it says so and exits otherwise than by 0; which checks failed.
///
/// # Panics
/// If it accepted, or named no check.
#[must_use]
pub fn refused(finished: &Finished) -> Vec<String> {
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let report = finished.json();
    assert_eq!(report.get("verdict"), Some(&Value::from("refused")));
    let violations = report.get("violations").and_then(Value::as_array);
    let failed = checks(&report, "failed");
    assert_eq!(violations.unwrap().len(), failed.len());
    assert!(!failed.is_empty(), "no check is named: {report}");
    // A refusal without a stage is one of a service that gave no answer, and says why.
    let stage = report.get("stage").unwrap();
    assert!(
        stage.is_string() || report.get("error").is_some(),
        "{report}"
    );
    failed
}
