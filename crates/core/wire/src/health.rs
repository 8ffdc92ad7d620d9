//! What the runtime says of its own state. Closed lists: nothing here can carry free text.

use core::fmt;

use serde::{Deserialize, Serialize};

/// The runtime's state, as `/healthz` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::exhaustive_enums,
    reason = "both ends match every state; the version guards it"
)]
pub enum Health {
    /// Started, not yet through its own checks.
    Starting,
    /// The boot entry, or a batch, waits for the witness quorum.
    WaitingForWitnesses,
    /// Serving requests.
    Serving,
    /// Refuses to serve, for good, until an operator acts.
    Refused(RefusalCode),
    /// Said by the host alone: no runtime is connected, or it has been silent.
    Unreachable,
    /// Certificates or a revocation list for the secure processor's report are missing.
    WaitingForCollateral,
}

impl Health {
    /// Stable name, `snake_case`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::WaitingForWitnesses => "waiting_for_witnesses",
            Self::Serving => "serving",
            Self::Refused(refusal) => refusal.code(),
            Self::Unreachable => "unreachable",
            Self::WaitingForCollateral => "waiting_for_collateral",
        }
    }

    /// One plain sentence for an operator.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Starting => "The runtime is starting.",
            Self::WaitingForWitnesses => {
                "The runtime waits until enough witnesses have cosigned its log."
            }
            Self::Serving => "The runtime is serving.",
            Self::Refused(refusal) => refusal.sentence(),
            Self::Unreachable => "The host has no connection from the runtime.",
            Self::WaitingForCollateral => {
                "The runtime has no certificate or revocation list for its processor's report: its \
                 journal says which, and why AMD's service did not help."
            }
        }
    }

    /// Whether requests are answered.
    #[must_use]
    pub const fn is_serving(self) -> bool {
        matches!(self, Self::Serving)
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Why the runtime refuses to serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::exhaustive_enums,
    reason = "both ends match every state; the version guards it"
)]
pub enum RefusalCode {
    /// A sealed record does not open: its bytes were changed, or it belongs elsewhere.
    RecordAuthenticationFailed,
    /// A record opens but does not follow the record before it.
    RecordChainBroken,
    /// The store lacks records that the log or another stream commits to.
    StoreIncomplete,
    /// Witnesses have cosigned a larger log than the store holds.
    RolledBack,
    /// The deployment root was sealed for another image, chip or configuration.
    RootSealedForAnotherImage,
    /// The configuration is not the one that was measured.
    ConfigurationDigestMismatch,
    /// The configuration was measured but cannot be used.
    ConfigurationInvalid,
    /// The release policy is unsigned, expired, older than one seen before, or unreadable.
    ReleasePolicyInvalid,
    /// Witnesses have cosigned another log of the same size.
    WitnessesDiverged,
    /// The secure processor gave an error or an answer that does not verify.
    SecureProcessorFailed,
    /// The entropy source failed.
    EntropyFailed,
    /// The runtime found its own state inconsistent, or made a record that the store cannot take.
    EngineFault,
    /// The firmware floors are unsigned, older than the release policy demands, or unreadable.
    TcbFloorsInvalid,
}

impl RefusalCode {
    /// Every code, in the order of their encoding.
    pub const ALL: [Self; 13] = [
        Self::RecordAuthenticationFailed,
        Self::RecordChainBroken,
        Self::StoreIncomplete,
        Self::RolledBack,
        Self::RootSealedForAnotherImage,
        Self::ConfigurationDigestMismatch,
        Self::ConfigurationInvalid,
        Self::ReleasePolicyInvalid,
        Self::WitnessesDiverged,
        Self::SecureProcessorFailed,
        Self::EntropyFailed,
        Self::EngineFault,
        Self::TcbFloorsInvalid,
    ];

    /// Stable name, `snake_case`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::RecordAuthenticationFailed => "record_authentication_failed",
            Self::RecordChainBroken => "record_chain_broken",
            Self::StoreIncomplete => "store_incomplete",
            Self::RolledBack => "rolled_back",
            Self::RootSealedForAnotherImage => "root_sealed_for_another_image",
            Self::ConfigurationDigestMismatch => "configuration_digest_mismatch",
            Self::ConfigurationInvalid => "configuration_invalid",
            Self::ReleasePolicyInvalid => "release_policy_invalid",
            Self::WitnessesDiverged => "witnesses_diverged",
            Self::SecureProcessorFailed => "secure_processor_failed",
            Self::EntropyFailed => "entropy_failed",
            Self::EngineFault => "engine_fault",
            Self::TcbFloorsInvalid => "tcb_floors_invalid",
        }
    }

    /// One plain sentence for an operator.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::RecordAuthenticationFailed => {
                "A record in the store does not authenticate: its bytes were changed or misplaced."
            }
            Self::RecordChainBroken => {
                "A record in the store does not follow its predecessor: records were removed, \
                 reordered or mixed from two copies."
            }
            Self::StoreIncomplete => "The store lacks records that the log commits to.",
            Self::RolledBack => {
                "The store is older than the log that the witnesses have cosigned: put back the \
                 newest copy."
            }
            Self::RootSealedForAnotherImage => {
                "The deployment root was sealed for another image, chip or configuration."
            }
            Self::ConfigurationDigestMismatch => {
                "The configuration file is not the one that was measured at launch."
            }
            Self::ConfigurationInvalid => "The measured configuration cannot be used.",
            Self::ReleasePolicyInvalid => {
                "The release policy is not signed as required, has expired, went backwards or \
                 cannot be read."
            }
            Self::WitnessesDiverged => {
                "Witnesses have cosigned a different log of this origin: two copies of the \
                 service have run."
            }
            Self::SecureProcessorFailed => {
                "The secure processor gave an error or an answer that does not verify."
            }
            Self::EntropyFailed => "The entropy source failed, so no key may be made.",
            Self::EngineFault => {
                "The runtime found its own state inconsistent and stopped: restart it and report this."
            }
            Self::TcbFloorsInvalid => {
                "The firmware floors are not signed as required, are older than the release policy \
                 demands or cannot be read."
            }
        }
    }
}

impl fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
