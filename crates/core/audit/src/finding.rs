//! What an audit found, one variant per check, each with its sentence.

mod sentence;

use alloc::string::String;

use chancery_authority::{ActName, Scope};
use chancery_directory::{DecodeError, EntryType, Handle, StepError};

/// One thing that does not add up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a place and a fault is all there is"
)]
pub struct Finding {
    /// The leaf that it is about, if it is about one.
    pub index: Option<u64>,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong. Names of users stand in it, because it is for the tenant's own auditor.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    // the log
    /// The leaf is no entry and no state root.
    LeafMalformed(DecodeError),
    /// The leaf may not stand here. Nothing after it was checked.
    LogBroken(StepError),
    /// The log has another size than the witnessed head.
    SizeMismatch {
        /// Leaves of the witnessed head.
        witnessed: u64,
        /// Leaves that were given.
        given: u64,
    },
    /// The log's tree has another root than the witnessed head.
    RootMismatch,
    /// The witnessed head is of another tenant.
    HeadForeign,
    /// An act runs over the end of its batch, or over the end of the log.
    ActCut,
    // private parts
    /// Nothing shows what this entry rests on.
    ExhibitMissing,
    /// A private part belongs to no entry.
    ExhibitUnexpected,
    /// A private part is withheld, and no subject of its entries was erased.
    WithheldWithoutErasure,
    /// The private details are malformed.
    DetailsMalformed(DecodeError),
    /// The private details are not what the entry commits to.
    DetailsMismatch,
    /// The entry's authorisation is not what the details say.
    AuthorizationMismatch,
    /// The document is not the one that was committed to: it was changed.
    DocumentMismatch,
    /// The document that the entry must have is not there.
    DocumentMissing,
    /// The document cannot be read.
    DocumentMalformed,
    /// The evidence is not the one that was committed to.
    EvidenceMismatch,
    /// The act has evidence that its origin has no use for.
    EvidenceUnexpected,
    /// The entry's object is not the document.
    ObjectMismatch,
    /// The act shows more or fewer key records than its entries set keys.
    RecordsCount,
    // authority
    /// Who acted and what the act says that it rests on do not go together.
    OriginMismatch,
    /// The genesis is not this tenant's, or not signed by its admins.
    GenesisInvalid,
    /// The change of admins is not signed by those in force.
    AdminChangeInvalid,
    /// The delegation is not signed by the admins in force, or beyond the genesis.
    DelegationInvalid,
    /// The delegation has a serial that is not above those before.
    DelegationSerial,
    /// The validity in the log is not the one that was signed.
    ValidityMismatch,
    /// The act names another delegation than its actor.
    OtherDelegation,
    /// The delegation ended when the admins who had signed it changed.
    DelegationEnded,
    /// The act is outside its delegation.
    OutsideDelegation(Breach),
    /// The act names a credential that was never issued.
    CredentialUnknown,
    /// The act names a credential that had expired.
    CredentialExpired,
    /// The act names a credential that had been revoked.
    CredentialRevoked,
    /// The act needs a scope that its credential does not have.
    CredentialScope(Scope),
    /// A credential was issued beyond what its delegation allows.
    CredentialTerms,
    /// The act rests on an approval or a window that is not there.
    ApprovalUnknown,
    /// The act rests on an approval that another act has used.
    ApprovalSpent,
    /// What was approved is not what had waited, or not what was done.
    ApprovalOther,
    /// The signed act does not bear what was done.
    SignedAct(ActFault),
    /// An identifier outside the tenant's domains.
    OutsideDomains,
    /// The runtime let a key of the identity provider count before its time.
    IssuerKeyHastened,
    /// Admins alone may take members away, not add them.
    AdminsAdded,
    /// A user was erased before the retention ended.
    ErasedTooEarly,
    /// A break-glass window is past its end and not closed.
    WindowLeftOpen,
    // users and keys
    /// A user that no act inside a delegation and no signature of the admins made.
    GhostUser {
        /// The user's handle.
        user: Handle,
    },
    /// The key record is malformed or not what the entry commits to.
    KeyMismatch,
    /// The key record is of another tenant, subject, version or source.
    KeyForeign,
    /// The VRF key is not what the entry commits to.
    VrfMismatch,
    /// A key of a user that the user's evidence does not bind: it was swapped.
    SwappedKey {
        /// The user's handle.
        user: Handle,
        /// Why the evidence does not bind it.
        why: KeyFault,
    },
    /// The runtime replaced a user's key and says that nobody asked for it.
    KeyReplacedUnasked {
        /// The user's handle.
        user: Handle,
    },
    /// A device was added by a claim that the account's key did not sign, or that is for another device.
    DeviceUnbound,
    /// The device list names a device by another fingerprint than its key has.
    DeviceMismatch,
    // names
    /// A name leaf is not a binding of a subject of this act.
    NameMismatch,
    /// The name, or its label, belongs to somebody else.
    NameTaken,
    /// The label is not the one that this name had before.
    LabelMoved,
    /// The user has no name, or another one than the document says.
    NameMissing,
    // groups
    /// The members that the log commits to are not those that the acts make: a membership without entry.
    MembersMismatch {
        /// The group's handle.
        group: Handle,
    },
    /// Members changed in a group without an entry.
    DeltaWithoutEntry {
        /// The group's handle.
        group: Handle,
    },
    /// Somebody joined who is no active user, or was a member; or somebody left who was none.
    DeltaImpossible {
        /// The group's handle.
        group: Handle,
    },
    /// Members left a group, and it kept its key.
    EpochMissing {
        /// The group's handle.
        group: Handle,
    },
    /// A user who was suspended or deleted stayed a member.
    MembershipKept {
        /// The user's handle.
        user: Handle,
    },
    // comparison
    /// The identity provider does not know this user: a ghost.
    NotInRoster {
        /// The userName.
        user_name: String,
    },
    /// The service shows a user who is not in the log: a ghost.
    ShownUserWithoutEntry {
        /// The user's handle, as shown.
        user: Handle,
    },
    /// The service shows another state of a user than the log.
    ShownState {
        /// The user's handle.
        user: Handle,
    },
    /// The service shows another name of a user than the log.
    ShownName {
        /// The user's handle.
        user: Handle,
    },
    /// The service shows another key of a user or group than the log.
    ShownKey {
        /// The handle.
        subject: Handle,
    },
    /// The service does not show a user that the log has.
    UserNotShown {
        /// The user's handle.
        user: Handle,
    },
    /// The service shows a group that is not in the log.
    ShownGroupWithoutEntry {
        /// The group's handle, as shown.
        group: Handle,
    },
    /// The service does not show a group that the log has.
    GroupNotShown {
        /// The group's handle.
        group: Handle,
    },
    /// The service shows another epoch of a group than the log.
    ShownEpoch {
        /// The group's handle.
        group: Handle,
    },
    /// The service shows a member that no entry made one.
    ShownMemberWithoutEntry {
        /// The group's handle.
        group: Handle,
        /// The member's handle, as shown.
        member: Handle,
    },
    /// The service does not show a member that the log has.
    MemberNotShown {
        /// The group's handle.
        group: Handle,
        /// The member's handle.
        member: Handle,
    },
}

/// How an act is outside its delegation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Breach {
    /// The delegation lacks the scope.
    Scope(Scope),
    /// The delegation lacks the domain of an identifier.
    Domain,
    /// The delegation asks for userNames with a domain.
    UserNameWithoutDomain,
    /// The delegation was not in force.
    Time,
    /// The account is protected from automation.
    ProtectedAccount,
    /// The group is protected from automation.
    ProtectedGroup,
    /// The delegation does not include the group.
    UnmanagedGroup,
    /// The group is sensitive, and no admin approved.
    SensitiveGroup,
    /// The account or the group is not in the pilot.
    Pilot,
    /// The delegation only plans, and no admin approved the plan.
    OnlyPlans,
}

/// Why a signed act does not bear what was done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ActFault {
    /// There is no signed act, or it cannot be read.
    Malformed,
    /// It is not signed by the threshold of the admins in force.
    Admins,
    /// It is not signed by a device of the member.
    Device,
    /// It is for another deployment or tenant.
    Foreign,
    /// It is for something else than was done.
    OtherAct {
        /// What was signed.
        act: ActName,
        /// What was done.
        kind: EntryType,
    },
    /// It had expired, or was not valid yet.
    Stale,
    /// Its sequence number was used before, by another act.
    Replayed,
    /// The request is not the one that was signed.
    OtherRequest,
    /// The request names somebody else.
    OtherSubject,
}

/// Why evidence does not bind a key to a user.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyFault {
    /// There is none.
    NoEvidence,
    /// The tenant has no identity provider.
    NoProvider,
    /// The claim's evidence does not hold.
    Claim(chancery_claim::Error),
    /// The issuer's key was not in the log, or did not count yet.
    IssuerKey,
    /// The ID token is of another person.
    OtherPerson,
    /// The claim is of another account than the ones before.
    OtherClaim,
    /// The key is not the one in the evidence.
    OtherKey,
    /// The old or the new key did not sign the succession.
    Succession,
}
