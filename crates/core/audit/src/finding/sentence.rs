//! The sentence of each finding.

use core::fmt;

use chancery_directory::Handle;

use super::{ActFault, Breach, Fault, Finding, KeyFault};

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            Some(index) => write!(f, "entry {index}: {}", self.fault),
            None => write!(f, "{}", self.fault),
        }
    }
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
            Self::ApprovalOther => "what was approved is not what had waited, or not what was done",
            Self::DeviceUnbound => "a device was added that the account's key did not ask for",
            Self::OutsideDomains => "an identifier is outside the tenant's domains",
            Self::IssuerKeyHastened => "a key of the identity provider counts before its time",
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
            Self::IssuerKey => "the issuer's key was not in the log or did not count yet",
            Self::OtherPerson => "the token is another person's",
            Self::OtherClaim => "the claim is of another account",
            Self::OtherKey => "the evidence is for another key",
            Self::Succession => "the succession is not signed by both keys",
        })
    }
}
