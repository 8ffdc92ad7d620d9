//! What an attempt to connect came to, and in which stage.

use chancery_client::{Checklist, ClientError, HeadsError};
use chancery_session::SessionCheck;
use chancery_verify::{CheckId, Stage};

use crate::error::CliError;

/// The connector's check that there is a TCP connection.
const TCP_CONNECTION: &str = "tcp_connection";

/// The connector's check that there is an answer in the form of the protocol.
const ATTEST_RESPONSE: &str = "attest_response";

/// The stage of each check that is not one of the evidence's. Form and TLS come first; what ties statements, connection,
/// log and deployment together binds; versions and ages are policy.
const SESSION_STAGES: [(&str, Stage); 42] = [
    (TCP_CONNECTION, Stage::Parse),
    (ATTEST_RESPONSE, Stage::Parse),
    ("session_proof_mode", Stage::Bind),
    (SessionCheck::DeploymentMode.name(), Stage::Parse),
    (SessionCheck::TlsVersion.name(), Stage::Parse),
    (SessionCheck::TlsFullHandshake.name(), Stage::Parse),
    (SessionCheck::TlsLeaf.name(), Stage::Parse),
    (SessionCheck::TlsGroup.name(), Stage::Parse),
    (SessionCheck::NodeStatement.name(), Stage::Parse),
    (SessionCheck::SessionStatement.name(), Stage::Parse),
    (SessionCheck::NodeDeployment.name(), Stage::Bind),
    (SessionCheck::NodeLog.name(), Stage::Bind),
    (SessionCheck::PolicySigned.name(), Stage::Signature),
    (SessionCheck::FloorsSigned.name(), Stage::Signature),
    (SessionCheck::NodeRelease.name(), Stage::Bind),
    (SessionCheck::NodeConfiguration.name(), Stage::Bind),
    (SessionCheck::SessionSignature.name(), Stage::Signature),
    (SessionCheck::SessionSameLaunch.name(), Stage::Bind),
    (SessionCheck::SessionNode.name(), Stage::Bind),
    (SessionCheck::SessionRole.name(), Stage::Bind),
    (SessionCheck::SessionNonce.name(), Stage::Bind),
    (SessionCheck::SessionExporter.name(), Stage::Bind),
    (SessionCheck::SessionLeaf.name(), Stage::Bind),
    (SessionCheck::SessionServerName.name(), Stage::Bind),
    (SessionCheck::SessionAlpn.name(), Stage::Bind),
    (SessionCheck::NodeCertificate.name(), Stage::Bind),
    (SessionCheck::CheckpointQuorum.name(), Stage::Signature),
    (SessionCheck::SessionCheckpoint.name(), Stage::Bind),
    (SessionCheck::GenesisEntry.name(), Stage::Bind),
    (SessionCheck::BootEntry.name(), Stage::Bind),
    (SessionCheck::NodeEntry.name(), Stage::Bind),
    (SessionCheck::CheckpointExtends.name(), Stage::Bind),
    (SessionCheck::PolicyVersion.name(), Stage::Policy),
    (SessionCheck::FloorsForward.name(), Stage::Policy),
    (SessionCheck::NodePolicy.name(), Stage::Bind),
    (SessionCheck::PolicyLogged.name(), Stage::Bind),
    (SessionCheck::BeaconQuorum.name(), Stage::Signature),
    (SessionCheck::BeaconTime.name(), Stage::Policy),
    (SessionCheck::BeaconAge.name(), Stage::Policy),
    (SessionCheck::CheckpointAge.name(), Stage::Policy),
    (SessionCheck::NodeNotAfter.name(), Stage::Policy),
    (SessionCheck::NodeLifetime.name(), Stage::Policy),
];

/// What an attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// There is a connection, and no check failed.
    Accepted,
    /// What the service answered failed a check of this stage.
    Refused(Stage),
    /// There was no answer that could be judged: the network, a busy service, or a file of this machine.
    Impossible,
}

impl Judgement {
    /// From the checks that were made, and why there is no connection.
    pub(super) fn of(checklist: &Checklist, error: Option<&CliError>) -> Self {
        // A connection that breaks fails the check that it broke in, which tells nothing of the service.
        let of_network = [
            TCP_CONNECTION,
            ATTEST_RESPONSE,
            SessionCheck::TlsFullHandshake.name(),
        ];
        let is_without_answer = error.is_some_and(is_without_answer);
        let mut failed = checklist.failed().map(|row| row.check);
        let judged = failed.find(|check| !(is_without_answer && of_network.contains(check)));
        match (judged, error) {
            (Some(check), _) => Self::Refused(stage_of(check)),
            (None, Some(_)) if is_without_answer => Self::Impossible,
            // The heads would go backwards: the log is not the one that was remembered.
            (None, Some(_)) => Self::Refused(Stage::Bind),
            (None, None) => Self::Accepted,
        }
    }

    /// The stage that refused, or the last one after all of them passed; none if nothing could be judged.
    pub(super) const fn stage(self) -> Option<Stage> {
        match self {
            Self::Accepted => Some(Stage::Policy),
            Self::Refused(stage) => Some(stage),
            Self::Impossible => None,
        }
    }
}

/// True if the cause lies with the network, with a service that does not answer now, or with this machine.
fn is_without_answer(error: &CliError) -> bool {
    let CliError::Client(error) = error else {
        return true;
    };
    match &**error {
        ClientError::Heads(error) => !matches!(
            error,
            HeadsError::NotForward { .. } | HeadsError::TenantNotForward { .. }
        ),
        ClientError::BaseInvalid
        | ClientError::RootsInvalid(_)
        | ClientError::Connect(_)
        | ClientError::TimedOut { .. }
        | ClientError::HandshakeBroken(_)
        | ClientError::Closed
        | ClientError::Http(_)
        | ClientError::Entropy
        | ClientError::AttestRefused { .. } => true,
        _ => false,
    }
}

/// The stage of a check by its name.
fn stage_of(check: &str) -> Stage {
    let of_session = SESSION_STAGES.iter().find(|(name, _)| *name == check);
    let of_evidence = CheckId::ALL.iter().find(|id| id.name() == check);
    of_session
        .map(|(_, stage)| *stage)
        .or_else(|| of_evidence.map(|id| id.stage()))
        .unwrap_or(Stage::Parse)
}

/// The name of every check of a session, each once.
pub(super) fn every_check() -> impl Iterator<Item = &'static str> {
    let of_session = SESSION_STAGES.iter().map(|(name, _)| *name);
    let of_evidence = CheckId::ALL.iter().map(|id| id.name());
    of_session.chain(of_evidence)
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::collections::BTreeSet;

    #[test]
    fn every_check_has_its_name_once_and_its_stage() {
        // The enumeration of the session's checks has no list; its source is one.
        let source = include_str!("../../../../../attestation/session/src/rows.rs");
        let named = source.lines().filter_map(|line| {
            let (variant, rest) = line.trim().split_once(" = \"")?;
            let is_variant = variant.chars().all(char::is_alphanumeric);
            rest.split_once("\" at ").filter(|_| is_variant)
        });
        let named: BTreeSet<&str> = named.map(|(name, _step)| name).collect();
        assert!(named.len() > 30, "{named:?}");
        let known: BTreeSet<&str> = SESSION_STAGES.iter().map(|(name, _)| *name).collect();
        let own = BTreeSet::from([TCP_CONNECTION, ATTEST_RESPONSE, "session_proof_mode"]);
        assert_eq!(known, named.union(&own).copied().collect());
        let all: Vec<&str> = every_check().collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    }

    #[test]
    fn stages_are_those_of_the_issue() {
        for (check, stage) in [
            ("tls_leaf", Stage::Parse),
            ("node_statement", Stage::Parse),
            ("policy_signed", Stage::Signature),
            ("session_signature", Stage::Signature),
            ("checkpoint_quorum", Stage::Signature),
            ("beacon_quorum", Stage::Signature),
            ("session_nonce", Stage::Bind),
            ("node_deployment", Stage::Bind),
            ("checkpoint_extends", Stage::Bind),
            ("policy_version", Stage::Policy),
            ("beacon_age", Stage::Policy),
            ("report_length", Stage::Parse),
            ("root_pinned", Stage::Chain),
            ("measurement", Stage::Policy),
        ] {
            assert_eq!(stage_of(check), stage, "{check}");
        }
    }
}
