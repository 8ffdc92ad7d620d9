//! Steps 4 and 7: release policy and evidence.

use alloc::format;
use alloc::string::ToString;

use chancery_verify::Anchor;
use chancery_verify::Evidence;
use chancery_verify::Verdict;
use chancery_verify::VerifiedFloors;
use chancery_verify::VerifiedPolicy;
use chancery_verify::appraise;
use chancery_verify::open_release_policy;
use chancery_verify::open_tcb_floors;

use super::Walk;
use super::recorder::Recorder;
use super::recorder::Stop;
use crate::binding::report_data_node;
use crate::rows::SessionCheck;
use crate::rows::SessionRow;

/// What the release keys signed: the rules of every appraisal of this session.
pub(crate) struct Rules {
    pub(crate) policy: VerifiedPolicy,
    pub(crate) floors: VerifiedFloors,
}

/// Step 4: the pinned deployment and log, the signed rules, and the complete appraisal of the node's evidence.
pub(crate) fn check_node<A: Anchor>(
    walk: &Walk<'_>,
    anchor: &A,
    recorder: &mut Recorder,
) -> Result<(Rules, Verdict<A>), Stop> {
    let (deployment, node) = (walk.deployment, &walk.node);
    let expected = hex::encode(deployment.deployment_id());
    let got = hex::encode(node.deployment_id);
    let same = node.deployment_id == deployment.deployment_id();
    recorder.require(SessionCheck::NodeDeployment, expected, got, same)?;

    let show = |origin: &str, key: [u8; 32]| format!("{origin} with key {}", hex::encode(key));
    let expected = show(deployment.log_origin(), deployment.log_key_id());
    let got = show(&node.log_origin, node.log_key_id);
    let same =
        node.log_origin == deployment.log_origin() && node.log_key_id == deployment.log_key_id();
    recorder.require(SessionCheck::NodeLog, expected, got, same)?;

    let rules = open_rules(walk, recorder)?;
    let report_data = recorder.decoded(SessionCheck::NodeStatement, report_data_node::<A>(node))?;
    let verdict = appraised(
        walk,
        anchor,
        (&walk.response.node_evidence, &report_data),
        &rules,
        recorder,
    )?;

    let release = &verdict.release().id;
    let same = *release == node.release_id;
    recorder.require(
        SessionCheck::NodeRelease,
        release.as_str(),
        node.release_id.as_str(),
        same,
    )?;
    let host_data = &verdict.fields().host_data;
    let same = node.config_digest == *host_data;
    let got = hex::encode(node.config_digest);
    recorder.require(
        SessionCheck::NodeConfiguration,
        hex::encode(host_data),
        got,
        same,
    )?;
    Ok((rules, verdict))
}

/// Opens the release policy and the firmware floors.
fn open_rules(walk: &Walk<'_>, recorder: &mut Recorder) -> Result<Rules, Stop> {
    let (response, deployment) = (walk.response, walk.deployment);
    let (keys, threshold) = (deployment.release_keys(), deployment.release_threshold());
    let expected = format!("{threshold} of {} release keys", keys.len());
    let signatures = |count: usize| format!("{count} signatures");

    let opened = open_release_policy(&response.release_policy, keys, threshold);
    let policy = recorder.decoded(SessionCheck::PolicySigned, opened)?;
    let got = signatures(policy.signers());
    recorder.require(SessionCheck::PolicySigned, expected.as_str(), got, true)?;

    let opened = open_tcb_floors(&response.tcb_floors, keys, threshold);
    let floors = recorder.decoded(SessionCheck::FloorsSigned, opened)?;
    let got = signatures(floors.signers());
    recorder.require(SessionCheck::FloorsSigned, expected, got, true)?;
    Ok(Rules { policy, floors })
}

/// Appraises evidence of the node and writes its rows.
fn appraised<A: Anchor>(
    walk: &Walk<'_>,
    anchor: &A,
    (evidence, report_data): (&Evidence, &[u8; 64]),
    rules: &Rules,
    recorder: &mut Recorder,
) -> Result<Verdict<A>, Stop> {
    let result = appraise(
        anchor,
        evidence,
        rules.policy.policy(),
        rules.floors.floors(),
        report_data,
        walk.now_ms,
    );
    let rows = match &result {
        Ok(verdict) => verdict.rows(),
        Err(refusal) => refusal.rows(),
    };
    for row in rows {
        recorder.push(SessionRow::evidence(row, SessionCheck::Evidence(row.check)));
    }
    result.map_err(|_refusal| Stop)
}

/// Step 7: versions only grow, and the attested policy is this one.
pub(crate) fn check_versions(
    walk: &Walk<'_>,
    rules: &Rules,
    logged_sha256: &[u8; 32],
    recorder: &mut Recorder,
) -> Result<(), Stop> {
    let policy = &rules.policy;
    let version = policy.policy().version;
    let known = walk.remembered.map(|known| known.head);
    let remembered = known.map(|head| head.policy_version);
    require_forward(SessionCheck::PolicyVersion, version, remembered, recorder)?;
    let remembered = known.map(|head| head.floors_version);
    let floors = rules.floors.floors().version;
    require_forward(SessionCheck::FloorsForward, floors, remembered, recorder)?;

    let show = |version: u64, digest: &[u8; 32]| format!("{version}, {}", hex::encode(digest));
    let expected = show(version, policy.sha256());
    let got = show(walk.node.policy_version, &walk.node.policy_sha256);
    let same = walk.node.policy_version == version && walk.node.policy_sha256 == *policy.sha256();
    recorder.require(SessionCheck::NodePolicy, expected, got, same)?;
    let (expected, got) = (hex::encode(policy.sha256()), hex::encode(logged_sha256));
    let same = logged_sha256 == policy.sha256();
    recorder.require(SessionCheck::PolicyLogged, expected, got, same)
}

fn require_forward(
    check: SessionCheck,
    version: u64,
    remembered: Option<u64>,
    recorder: &mut Recorder,
) -> Result<(), Stop> {
    let got = version.to_string();
    match remembered {
        None => {
            recorder.skip(check, "none remembered", got);
            Ok(())
        }
        Some(known) => {
            let expected = format!("at least {known}");
            recorder.require(check, expected, got, version >= known)
        }
    }
}
