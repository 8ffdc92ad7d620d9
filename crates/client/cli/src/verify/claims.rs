//! What a service said of itself. After an accepted appraisal all of it is proven; after a refusal none of it is.

use chancery_dsse::Envelope;
use chancery_json::{Object, Value};
use chancery_session::{AttestResponse, NodeStatement, SessionStatement};
use chancery_verify::{ReleasePolicy, TcbFloors};

use crate::report::{json, line_of, parse_report};

/// The members of each part that has the form of its kind, those of the report last.
pub(super) fn claims(answer: &AttestResponse) -> Object {
    let mut claims = Object::with_capacity(40);
    if let Ok(node) = NodeStatement::decode(&answer.node_statement) {
        claims = claims
            .with("mode", node.mode.word())
            .with("deployment_id", hex::encode(node.deployment_id))
            .with("release_id", node.release_id)
            .with("policy_version", node.policy_version);
    }
    let payload = |document: &[u8]| {
        let envelope = Envelope::parse(document).ok()?;
        Some(envelope.unverified_payload().to_vec())
    };
    let floors = payload(&answer.tcb_floors).and_then(|text| TcbFloors::from_json(&text).ok());
    if let Some(floors) = floors {
        claims = claims.with("floors_version", floors.version);
    }
    if let Ok(session) = SessionStatement::decode(&answer.session_statement) {
        claims = claims.with("checkpoint_size", session.checkpoint.size);
    }
    let Ok(report) = parse_report(&answer.node_evidence.report) else {
        return claims;
    };
    let policy = payload(&answer.release_policy);
    let policy = policy.and_then(|text| ReleasePolicy::from_json(&text).ok());
    let measurement = report.fields().measurement;
    let releases = policy.iter().flat_map(|policy| &policy.releases);
    let mut same = releases.filter(|release| release.measurement == measurement);
    if let Some(release) = same.next() {
        claims = claims.with("release_version", release.version.as_str());
    }
    json(&report, line_of(report.fields()))
        .iter()
        .fold(claims, |claims, (name, value)| {
            claims.with(name, Value::clone(value))
        })
}
