//! The client's checklist, in the numbering of its twelve steps (`docs/spec/attestation.md`).

use alloc::string::String;

use chancery_verify::CheckId;
use chancery_verify::CheckRow;
use chancery_verify::Outcome;

macro_rules! checks {
    ($($(#[$doc:meta])* $variant:ident = $name:literal at $step:literal,)*) => {
        /// Every check of a session.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum SessionCheck {
            $($(#[$doc])* $variant,)*
            /// A check of the node's evidence, in step 4.
            Evidence(CheckId),
            /// A check of the session's own evidence (hardware mode), in step 5.
            SessionEvidence(CheckId),
        }

        impl SessionCheck {
            /// The stable name in outputs.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Evidence(check) | Self::SessionEvidence(check) => check.name(),
                }
            }

            /// The step that makes this check.
            #[must_use]
            pub const fn step(self) -> u8 {
                match self {
                    $(Self::$variant => $step,)*
                    Self::Evidence(_) => 4,
                    Self::SessionEvidence(_) => 5,
                }
            }
        }
    };
}

checks! {
    /// The pinned deployment is of this client's mode.
    DeploymentMode = "deployment_mode" at 1,
    /// TLS 1.3. Made by the caller.
    TlsVersion = "tls_version" at 2,
    /// A full handshake: no ticket, no early data. Made by the caller.
    TlsFullHandshake = "tls_full_handshake" at 2,
    /// The leaf is valid for the expected host name under the pinned roots. Made by the caller.
    TlsLeaf = "tls_leaf" at 2,
    /// The key-exchange group. Made by the caller.
    TlsGroup = "tls_group" at 2,
    /// The node statement is well formed and of this client's mode.
    NodeStatement = "node_statement" at 3,
    /// The session statement is well formed and of this client's mode.
    SessionStatement = "session_statement" at 3,
    /// The node statement names the pinned deployment.
    NodeDeployment = "node_deployment" at 4,
    /// The node statement names the pinned log and its key.
    NodeLog = "node_log" at 4,
    /// Enough release keys signed the policy.
    PolicySigned = "policy_signed" at 4,
    /// Enough release keys signed the firmware floors.
    FloorsSigned = "floors_signed" at 4,
    /// The release that runs is the one that the node statement names.
    NodeRelease = "node_release" at 4,
    /// The configuration that the node statement names is in `HOST_DATA`.
    NodeConfiguration = "node_configuration" at 4,
    /// The epoch key signed the session statement.
    SessionSignature = "session_signature" at 5,
    /// In hardware mode: the same launch on the same chip as the node's evidence.
    SessionSameLaunch = "session_same_launch" at 5,
    /// The session statement names the node statement.
    SessionNode = "session_node" at 5,
    /// The runtime speaks as this connection's server.
    SessionRole = "session_role" at 5,
    /// The session statement has this client's nonce.
    SessionNonce = "session_nonce" at 5,
    /// It has this connection's exporter.
    SessionExporter = "session_exporter" at 5,
    /// It has this connection's leaf key.
    SessionLeaf = "session_leaf" at 5,
    /// It has this connection's server name.
    SessionServerName = "session_server_name" at 5,
    /// It has this connection's application protocol.
    SessionAlpn = "session_alpn" at 5,
    /// The node statement lists the leaf key for this name.
    NodeCertificate = "node_certificate" at 5,
    /// The log signed the checkpoint, and a quorum of witnesses cosigned it.
    CheckpointQuorum = "checkpoint_quorum" at 6,
    /// The session statement names that checkpoint.
    SessionCheckpoint = "session_checkpoint" at 6,
    /// Leaf 0 is the genesis of the pinned deployment.
    GenesisEntry = "genesis_entry" at 6,
    /// The boot entry that the node statement names is logged.
    BootEntry = "boot_entry" at 6,
    /// The node statement is logged.
    NodeEntry = "node_entry" at 6,
    /// The checkpoint extends the remembered one.
    CheckpointExtends = "checkpoint_extends" at 6,
    /// The policy is not older than the remembered one.
    PolicyVersion = "policy_version" at 7,
    /// The firmware floors are not older than those remembered.
    FloorsForward = "floors_forward" at 7,
    /// The node statement names this policy.
    NodePolicy = "node_policy" at 7,
    /// The boot entry and the entry of the node statement name this policy.
    PolicyLogged = "policy_logged" at 7,
    /// A quorum of witnesses cosigned the beacon.
    BeaconQuorum = "beacon_quorum" at 8,
    /// The beacon's time is not later than its witnesses say.
    BeaconTime = "beacon_time" at 8,
    /// The beacon is young enough.
    BeaconAge = "beacon_age" at 8,
    /// The checkpoint is young enough by the witnesses' time.
    CheckpointAge = "checkpoint_age" at 8,
    /// The node statement has not ended, by the own clock and by the witnesses' time.
    NodeNotAfter = "node_not_after" at 8,
    /// The node statement ends soon enough after its beacon.
    NodeLifetime = "node_lifetime" at 8,
}

/// One line of the checklist.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionRow {
    /// Which check.
    pub check: SessionCheck,
    /// What was required.
    pub expected: String,
    /// What was found.
    pub got: String,
    /// How it ended.
    pub outcome: Outcome,
}

impl SessionRow {
    /// A row of a check that the caller made itself: the TLS rows of step 2.
    #[must_use]
    pub fn new(
        check: SessionCheck,
        expected: impl Into<String>,
        got: impl Into<String>,
        outcome: Outcome,
    ) -> Self {
        Self {
            check,
            expected: expected.into(),
            got: got.into(),
            outcome,
        }
    }

    pub(crate) fn evidence(row: &CheckRow, check: SessionCheck) -> Self {
        Self::new(check, row.expected.as_str(), row.got.as_str(), row.outcome)
    }
}
