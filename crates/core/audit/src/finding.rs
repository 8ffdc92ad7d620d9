//! What an audit found, one variant per check, each with its sentence.

use alloc::string::String;
use core::fmt;

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

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            Some(index) => write!(f, "entry {index}: {}", self.fault),
            None => write!(f, "{}", self.fault),
        }
    }
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
    /// The signed act does not bear what was done.
    SignedAct(ActFault),
    /// An identifier outside the tenant's domains.
    OutsideDomains,
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
    /// The issuer's key was not in the log.
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

/// The first digits of a handle, enough to find it.
struct Short<'a>(&'a Handle);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .0
            .iter()
            .take(6)
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeafMalformed(error) => write!(f, "the leaf is malformed: {error}"),
            Self::LogBroken(error) => {
                write!(f, "the log breaks here, nothing after was checked: {error}")
            }
            Self::SizeMismatch { witnessed, given } => write!(
                f,
                "the witnesses cosigned {witnessed} leaves, the service gave {given}"
            ),
            Self::DetailsMalformed(error) => {
                write!(f, "the private details are malformed: {error}")
            }
            Self::OutsideDelegation(breach) => {
                write!(f, "the act is outside its delegation: {breach}")
            }
            Self::CredentialScope(scope) => write!(f, "the credential does not include {scope}"),
            Self::SignedAct(fault) => write!(f, "the signed act does not bear this: {fault}"),
            Self::NotInRoster { user_name } => {
                write!(
                    f,
                    "ghost user: the identity provider does not know {user_name}"
                )
            }
            Self::SwappedKey { user, why } => {
                write!(
                    f,
                    "swapped key: user {} has a key that is not bound: {why}",
                    Short(user)
                )
            }
            other => other.with_subject(f),
        }
    }
}

impl Fault {
    /// The sentences that name a user or a group.
    fn with_subject(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (subject, sentence) = match self {
            Self::GhostUser { user } => (user, "ghost user: nobody who may do so made user"),
            Self::KeyReplacedUnasked { user } => {
                (user, "the runtime replaced, unasked, the key of user")
            }
            Self::MembersMismatch { group } => (
                group,
                "membership without entry: the members are not those of the acts, in group",
            ),
            Self::DeltaWithoutEntry { group } => (
                group,
                "membership without entry: members changed unlogged in group",
            ),
            Self::DeltaImpossible { group } => {
                (group, "somebody joined or left who could not, in group")
            }
            Self::EpochMissing { group } => {
                (group, "members left, and no new key was made for group")
            }
            Self::MembershipKept { user } => {
                (user, "still a member of a group after leaving: user")
            }
            Self::ShownUserWithoutEntry { user } => (
                user,
                "ghost user: the service shows, and the log does not have, user",
            ),
            Self::ShownState { user } => {
                (user, "the service shows another state than the log of user")
            }
            Self::ShownName { user } => {
                (user, "the service shows another name than the log of user")
            }
            Self::ShownKey { subject } => (
                subject,
                "swapped key: the service shows another key than the log of subject",
            ),
            Self::UserNotShown { user } => {
                (user, "the log has, and the service does not show, user")
            }
            Self::ShownGroupWithoutEntry { group } => {
                (group, "the service shows, and the log does not have, group")
            }
            Self::GroupNotShown { group } => {
                (group, "the log has, and the service does not show, group")
            }
            Self::ShownEpoch { group } => (
                group,
                "the service shows another epoch than the log of group",
            ),
            Self::ShownMemberWithoutEntry { group, member } => {
                let (group, member) = (Short(group), Short(member));
                return write!(
                    f,
                    "membership without entry: {member} is shown in group {group}"
                );
            }
            Self::MemberNotShown { group, member } => {
                let (group, member) = (Short(group), Short(member));
                return write!(
                    f,
                    "the log has, and the service does not show, {member} in group {group}"
                );
            }
            plain => return f.write_str(plain.plain()),
        };
        write!(f, "{sentence} {}", Short(subject))
    }

    /// The sentences of variants without fields.
    const fn plain(&self) -> &'static str {
        match self {
            Self::RootMismatch => "the log is not the one that the witnesses cosigned",
            Self::HeadForeign => "the witnessed head is another tenant's",
            Self::ActCut => "an act does not end with its batch",
            Self::ExhibitMissing => "nothing shows what this entry rests on",
            Self::ExhibitUnexpected => "a private part belongs to no entry here",
            Self::WithheldWithoutErasure => "a private part is withheld without an erasure",
            Self::DetailsMismatch => "the private details are not what the entry commits to",
            Self::AuthorizationMismatch => "the authorisation is not what the details say",
            Self::DocumentMismatch => "the document is not the one that was committed to",
            Self::DocumentMissing => "the document is missing",
            Self::DocumentMalformed => "the document cannot be read",
            Self::EvidenceMismatch => "the evidence is not the one that was committed to",
            Self::EvidenceUnexpected => "there is evidence that the act has no use for",
            Self::ObjectMismatch => "the object is not the document",
            Self::RecordsCount => "the key records are not as many as the keys that were set",
            Self::OriginMismatch => "the actor may not act on what the act says it rests on",
            Self::GenesisInvalid => "the genesis is not this tenant's or not signed by its admins",
            Self::AdminChangeInvalid => "the change of admins is not signed by those in force",
            Self::DelegationInvalid => "the delegation is not signed by the admins in force",
            Self::DelegationSerial => "the delegation's serial is not above those before",
            Self::ValidityMismatch => "the validity is not the one that was signed",
            Self::OtherDelegation => "the act names another delegation than its actor",
            Self::DelegationEnded => "the delegation had ended with the admins who signed it",
            Self::CredentialUnknown => "the credential was never issued",
            Self::CredentialExpired => "the credential had expired",
            Self::CredentialRevoked => "the credential had been revoked",
            Self::CredentialTerms => "the credential is beyond what its delegation allows",
            Self::ApprovalUnknown => "the approval that the act rests on is not there",
            Self::ApprovalSpent => "the approval that the act rests on was used before",
            Self::OutsideDomains => "an identifier is outside the tenant's domains",
            Self::AdminsAdded => "admins added members without a window",
            Self::ErasedTooEarly => "a user was erased before the retention ended",
            Self::WindowLeftOpen => "a break-glass window is past its end and not closed",
            Self::KeyMismatch => "the key record is not what the entry commits to",
            Self::KeyForeign => {
                "the key record is another tenant's, subject's, version's or source's"
            }
            Self::VrfMismatch => "the vrf key is not what the entry commits to",
            Self::DeviceMismatch => "a device's fingerprint is not that of its key",
            Self::NameMismatch => "a name leaf binds no subject of this act",
            Self::NameTaken => "the name belongs to somebody else",
            Self::LabelMoved => "the label is not the one that this name had before",
            Self::NameMissing => "the user has no name, or another than the document says",
            // The others have fields and sentences of their own.
            _ => "something does not add up",
        }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scope(scope) => return write!(f, "it does not include {scope}"),
            Self::Domain => "it does not include the domain",
            Self::UserNameWithoutDomain => "it wants userNames with a domain",
            Self::Time => "it was not in force",
            Self::ProtectedAccount => "the account is protected",
            Self::ProtectedGroup => "the group is protected",
            Self::UnmanagedGroup => "it does not include the group",
            Self::SensitiveGroup => "the group is sensitive and nobody approved",
            Self::Pilot => "the pilot does not include it",
            Self::OnlyPlans => "it only plans and nobody approved the plan",
        })
    }
}

impl fmt::Display for ActFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherAct { act, kind } => {
                return write!(f, "{act} was signed, {kind:?} was done");
            }
            Self::Malformed => "it is missing or cannot be read",
            Self::Admins => "it is not signed by the admins in force",
            Self::Device => "it is not signed by a device of the member",
            Self::Foreign => "it is for another deployment or tenant",
            Self::Stale => "it had expired or was not valid yet",
            Self::Replayed => "its sequence number was used before",
            Self::OtherRequest => "the request is another one",
            Self::OtherSubject => "it names somebody else",
        })
    }
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Claim(error) => return write!(f, "{error}"),
            Self::NoEvidence => "there is no evidence",
            Self::NoProvider => "the tenant has no identity provider",
            Self::IssuerKey => "the issuer's key was not in the log",
            Self::OtherPerson => "the token is another person's",
            Self::OtherClaim => "the claim is of another account",
            Self::OtherKey => "the evidence is for another key",
            Self::Succession => "the succession is not signed by both keys",
        })
    }
}
