//! Steps 4 and 7: release policy and evidence.

use alloc::format;
use alloc::string::ToString;

use chancery_verify::Anchor;
use chancery_verify::Evidence;
use chancery_verify::Verdict;
use chancery_verify::VerifiedPolicy;
use chancery_verify::appraise;
use chancery_verify::open_release_policy;

use super::Walk;
use super::recorder::Recorder;
use super::recorder::Stop;
use crate::binding::report_data_node;
use crate::rows::SessionCheck;
use crate::rows::SessionRow;

/// Step 4: the pinned deployment and log, the signed policy, and the complete appraisal of the node's evidence.
pub(crate) fn check_node<A: Anchor>(
    walk: &Walk<'_>,
    anchor: &A,
    recorder: &mut Recorder,
) -> Result<(VerifiedPolicy, Verdict<A>), Stop> {
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

    let threshold = deployment.release_threshold();
    let opened = open_release_policy(
        &walk.response.release_policy,
        deployment.release_keys(),
        threshold,
    );
    let policy = recorder.decoded(SessionCheck::PolicySigned, opened)?;
    let expected = format!(
        "{threshold} of {} release keys",
        deployment.release_keys().len()
    );
    let got = format!("{} signatures", policy.signers());
    recorder.require(SessionCheck::PolicySigned, expected, got, true)?;

    let report_data = recorder.decoded(SessionCheck::NodeStatement, report_data_node::<A>(node))?;
    let verdict = appraised(
        walk,
        anchor,
        (&walk.response.node_evidence, &report_data),
        &policy,
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
    Ok((policy, verdict))
}

/// Appraises evidence of the node and writes its rows.
fn appraised<A: Anchor>(
    walk: &Walk<'_>,
    anchor: &A,
    (evidence, report_data): (&Evidence, &[u8; 64]),
    policy: &VerifiedPolicy,
    recorder: &mut Recorder,
) -> Result<Verdict<A>, Stop> {
    let result = appraise(anchor, evidence, policy.policy(), report_data, walk.now_ms);
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
    policy: &VerifiedPolicy,
    recorder: &mut Recorder,
) -> Result<(), Stop> {
    let version = policy.policy().version;
    match walk.remembered {
        None => recorder.skip(
            SessionCheck::PolicyVersion,
            "none remembered",
            version.to_string(),
        ),
        Some(known) => {
            let known = known.head.policy_version;
            let expected = format!("at least {known}");
            let forward = version >= known;
            recorder.require(
                SessionCheck::PolicyVersion,
                expected,
                version.to_string(),
                forward,
            )?;
        }
    }
    let show = |version: u64, digest: &[u8; 32]| format!("{version}, {}", hex::encode(digest));
    let expected = show(version, policy.sha256());
    let got = show(walk.node.policy_version, &walk.node.policy_sha256);
    let same = walk.node.policy_version == version && walk.node.policy_sha256 == *policy.sha256();
    recorder.require(SessionCheck::NodePolicy, expected, got, same)?;
    let expected = "the policy's own entry in the log";
    recorder.skip(SessionCheck::PolicyLogged, expected, "no proof is served");
    Ok(())
}
