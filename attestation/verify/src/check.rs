//! The checks by name, and the rows in which a person reads them.

use alloc::string::String;

/// The five stages. The first four stop at the first failure; policy lists every violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the documented stages; a match must be total"
)]
pub enum Stage {
    /// The report's own format.
    Parse,
    /// Certificates and revocation.
    Chain,
    /// The report and the leaf certificate are about the same chip and firmware.
    Bind,
    /// The report's signature.
    Signature,
    /// The release policy.
    Policy,
}

impl Stage {
    /// The word in outputs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Parse => "parse",
            Self::Chain => "chain",
            Self::Bind => "bind",
            Self::Signature => "signature",
            Self::Policy => "policy",
        }
    }
}

macro_rules! checks {
    ($($(#[$doc:meta])* $variant:ident = $name:literal in $stage:ident,)*) => {
        /// Every check of an appraisal.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum CheckId {
            $($(#[$doc])* $variant,)*
        }

        impl CheckId {
            /// All checks, in their order.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The stable name in outputs.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The stage that makes this check.
            #[must_use]
            pub const fn stage(self) -> Stage {
                match self { $(Self::$variant => Stage::$stage,)* }
            }
        }
    };
}

checks! {
    /// The report is 1184 bytes long.
    ReportLength = "report_length" in Parse,
    /// Its version is known.
    ReportVersion = "report_version" in Parse,
    /// Reserved bits of the guest policy.
    ReportPolicyReserved = "report_policy_reserved" in Parse,
    /// The guest, not the host, asked for it.
    ReportHostRequested = "report_host_requested" in Parse,
    /// The privilege level exists.
    ReportVmpl = "report_vmpl" in Parse,
    /// ECDSA P-384 with SHA-384.
    ReportSignatureAlgorithm = "report_signature_algorithm" in Parse,
    /// The signer is defined, reserved bits are zero.
    ReportSignerInfo = "report_signer_info" in Parse,
    /// Reserved ranges are zero.
    ReportReserved = "report_reserved" in Parse,
    /// The processor is of a known line.
    ReportProcessor = "report_processor" in Parse,
    /// Reserved bytes of each TCB are zero.
    ReportTcbReserved = "report_tcb_reserved" in Parse,
    /// The signature's scalars are in range.
    ReportSignatureRange = "report_signature_range" in Parse,

    /// The root certificate is well formed.
    RootEncoding = "root_encoding" in Chain,
    /// It is one of the anchor's roots.
    RootPinned = "root_pinned" in Chain,
    /// Its names and extensions are those of a root of its line.
    RootProfile = "root_profile" in Chain,
    /// It is valid now.
    RootValidity = "root_validity" in Chain,
    /// It signed itself.
    RootSignature = "root_signature" in Chain,
    /// The intermediate certificate is well formed.
    IntermediateEncoding = "intermediate_encoding" in Chain,
    /// Its names and extensions are those of an intermediate of the root's line.
    IntermediateProfile = "intermediate_profile" in Chain,
    /// It is valid now.
    IntermediateValidity = "intermediate_validity" in Chain,
    /// The root signed it.
    IntermediateSignature = "intermediate_signature" in Chain,
    /// The leaf certificate is well formed.
    LeafEncoding = "leaf_encoding" in Chain,
    /// Its names fit the intermediate, its key is of P-384.
    LeafProfile = "leaf_profile" in Chain,
    /// It is valid now.
    LeafValidity = "leaf_validity" in Chain,
    /// The intermediate signed it.
    LeafSignature = "leaf_signature" in Chain,
    /// AMD's extensions, each exactly once and of this line and kind.
    LeafExtensions = "leaf_extensions" in Chain,
    /// There is a revocation list.
    RevocationPresent = "revocation_present" in Chain,
    /// It is well formed.
    RevocationEncoding = "revocation_encoding" in Chain,
    /// The root issued it.
    RevocationIssuer = "revocation_issuer" in Chain,
    /// The root signed it.
    RevocationSignature = "revocation_signature" in Chain,
    /// It is current.
    RevocationFreshness = "revocation_freshness" in Chain,
    /// Its number is not below the one that the firmware floors demand.
    RevocationNumber = "revocation_number" in Chain,
    /// It does not name the intermediate.
    IntermediateRevoked = "intermediate_revoked" in Chain,

    /// `SIGNING_KEY` names the leaf's kind.
    SignerKind = "signer_kind" in Bind,
    /// `CHIP_ID` is that of the leaf.
    ChipId = "chip_id" in Bind,
    /// `REPORTED_TCB` is that of the leaf.
    ReportedTcb = "reported_tcb" in Bind,
    /// The processor is of the leaf's line.
    ProcessorLine = "processor_line" in Bind,

    /// The leaf's key signed the received bytes.
    ReportSignature = "report_signature" in Signature,

    /// The policy obeys its own rules.
    PolicyWellFormed = "policy_well_formed" in Policy,
    /// The policy is in force now.
    PolicyWindow = "policy_window" in Policy,
    /// The report's version is high enough.
    ReportVersionMin = "report_version_min" in Policy,
    /// The product line is allowed.
    Product = "product" in Policy,
    /// The signer is a VCEK.
    Signer = "signer" in Policy,
    /// The chip is listed.
    Chip = "chip" in Policy,
    /// The measurement is that of a listed release.
    Measurement = "measurement" in Policy,
    /// `REPORT_DATA` is what the caller expects.
    ReportData = "report_data" in Policy,
    /// `HOST_DATA` is a listed configuration digest.
    HostData = "host_data" in Policy,
    /// The privilege level.
    Vmpl = "vmpl" in Policy,
    /// Required bits of the guest policy.
    GuestPolicyRequired = "guest_policy_required" in Policy,
    /// Forbidden bits of the guest policy.
    GuestPolicyForbidden = "guest_policy_forbidden" in Policy,
    /// The guest's firmware ABI minimum.
    GuestPolicyAbi = "guest_policy_abi" in Policy,
    /// No SMT in the guest policy means none on the platform.
    SmtConsistent = "smt_consistent" in Policy,
    /// RAPL disabled by the guest policy means disabled on the platform.
    RaplConsistent = "rapl_consistent" in Policy,
    /// Ciphertext hiding demanded means on.
    CiphertextHidingConsistent = "ciphertext_hiding_consistent" in Policy,
    /// An author key that is not enabled has no digest.
    AuthorKeyConsistent = "author_key_consistent" in Policy,
    /// No unknown bit of the platform info.
    PlatformKnown = "platform_known" in Policy,
    /// Required bits of the platform info.
    PlatformRequired = "platform_required" in Policy,
    /// Forbidden bits of the platform info.
    PlatformForbidden = "platform_forbidden" in Policy,
    /// The firmware floors obey their own rules.
    FloorsWellFormed = "floors_well_formed" in Policy,
    /// They are not older than the policy demands.
    FloorsVersion = "floors_version" in Policy,
    /// They have not expired.
    FloorsExpiry = "floors_expiry" in Policy,
    /// There is a floor for this processor.
    FloorsProcessor = "floors_processor" in Policy,
    /// `REPORTED_TCB` is not below the floor.
    TcbReportedFloor = "tcb_reported_floor" in Policy,
    /// `COMMITTED_TCB` is not below the floor.
    TcbCommittedFloor = "tcb_committed_floor" in Policy,
    /// `CURRENT_TCB` is not below the floor.
    TcbCurrentFloor = "tcb_current_floor" in Policy,
    /// `LAUNCH_TCB` is not below the floor.
    TcbLaunchFloor = "tcb_launch_floor" in Policy,
    /// Reported <= committed <= current, and launch <= current; the same for committed and current firmware.
    TcbOrder = "tcb_order" in Policy,
    /// The running firmware is committed, so that it cannot go back.
    FirmwareCommitted = "firmware_committed" in Policy,
    /// The firmware version is not below the floor.
    FirmwareFloor = "firmware_floor" in Policy,
    /// Required mitigations were verified at launch.
    MitigationLaunch = "mitigation_launch" in Policy,
    /// Required mitigations are verified now.
    MitigationCurrent = "mitigation_current" in Policy,
    /// The ID block is of a pinned key.
    IdBlock = "id_block" in Policy,
    /// `GUEST_SVN` is not below the floor.
    GuestSvn = "guest_svn" in Policy,
    /// `FAMILY_ID` is the pinned one.
    FamilyId = "family_id" in Policy,
    /// `IMAGE_ID` is the pinned one.
    ImageId = "image_id" in Policy,
    /// No migration agent.
    MigrationAgent = "migration_agent" in Policy,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a fourth outcome must break every match"
)]
pub enum Outcome {
    /// It passed.
    Passed,
    /// It failed.
    Failed,
    /// It was not made, because the policy waives it by a field whose name says so, or does not ask for it.
    NotChecked,
}

impl Outcome {
    /// The word in outputs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotChecked => "not_checked",
        }
    }
}

/// One line of the checklist.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckRow {
    /// Which check.
    pub check: CheckId,
    /// What was required.
    pub expected: String,
    /// What the evidence says.
    pub got: String,
    /// How it ended.
    pub outcome: Outcome,
}

impl CheckRow {
    pub(crate) const fn new(
        check: CheckId,
        expected: String,
        got: String,
        outcome: Outcome,
    ) -> Self {
        Self {
            check,
            expected,
            got,
            outcome,
        }
    }
}
