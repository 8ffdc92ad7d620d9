//! What the ledger is asked to do, and what it answers.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use chancery_authority::{ActName, TenantId};
use chancery_directory::EpochKind;
use chancery_dsse::Envelope;
use chancery_scim::{EntityTags, PatchRequest};
use chancery_sealing::Key;

use crate::claim::NewClaim;
use crate::custody::GroupEpoch;
use crate::governance::BurstKind;
use crate::id::ResourceId;
use crate::journal::StreamBytes;
use crate::prepare::{NewGroup, NewUser};
use crate::proof::{InnerProof, ProofWanted};
use crate::resource::{Credential, Group, User};
use crate::secret::Secret;

/// An act and who waits for its outcome.
#[derive(Debug)]
pub struct Submission<R> {
    /// What is to be done.
    pub act: Act,
    /// The way back.
    pub reply: R,
}

/// What is to be done.
#[derive(Debug)]
pub enum Act {
    /// The runtime adds a leaf of its own to the root log.
    Leaf {
        /// Its kind.
        kind: EpochKind,
        /// Its detail.
        detail: Vec<u8>,
    },
    /// A new tenant is admitted.
    Admit(Box<Admit>),
    /// Something within a tenant.
    Tenant {
        /// The tenant.
        tenant: TenantId,
        /// On whose authority.
        authority: Authority,
        /// What.
        act: Box<TenantAct>,
    },
}

/// The signed papers of a new tenant.
#[derive(Debug)]
pub struct Admit {
    /// The operator's admission.
    pub admission: Envelope,
    /// The tenant's genesis, signed by its admins.
    pub genesis: Envelope,
    /// Fresh randomness for this act alone.
    pub fresh: Key,
}

/// On whose authority an act within a tenant is asked for.
#[derive(Debug)]
pub enum Authority {
    /// A SCIM credential, already found by its digest; checked again at commit.
    Credential {
        /// Handle of the credential.
        handle: [u8; 32],
    },
    /// The runtime itself, which has checked what there was to check.
    Runtime,
    /// Admins, auditors or a member's device, by a signed act.
    Signed {
        /// The signed act.
        envelope: Box<Envelope>,
        /// TLS exporter value of the connection that it came by.
        exporter: [u8; 32],
        /// The request's body, which the act signs.
        body: Vec<u8>,
    },
}

/// What is asked for within a tenant.
#[derive(Debug)]
pub enum TenantAct {
    /// Provision a user.
    CreateUser(NewUser),
    /// Replace a user's attributes (PUT).
    ReplaceUser(Update<Vec<u8>>),
    /// Change a user's attributes (PATCH).
    PatchUser(Update<PatchRequest>),
    /// Delete a user for the identity provider.
    DeleteUser(Update<()>),
    /// Create a group.
    CreateGroup(NewGroup),
    /// Replace a group (PUT).
    ReplaceGroup(Update<Vec<u8>>),
    /// Change a group (PATCH).
    PatchGroup(Update<PatchRequest>),
    /// Delete a group.
    DeleteGroup(Update<()>),
    /// A reader found users while a plan is open: they are known to the identity provider.
    Matched {
        /// The users.
        ids: Vec<ResourceId>,
        /// Fresh randomness for this act alone.
        fresh: Key,
    },
    /// Something that an admin signed; the body says what.
    Signed {
        /// The act's name.
        name: ActName,
        /// Fresh randomness for this act alone.
        fresh: Key,
        /// The claim that the act may confirm.
        claim: Option<Box<NewClaim>>,
    },
    /// A member claims an account by an ID token that was checked.
    Claim(Box<NewClaim>),
    /// A claim was refused.
    NoteRefusedClaim {
        /// Why, in a word.
        reason: &'static str,
        /// The claim id as it was sent.
        claim: ResourceId,
        /// Fresh randomness for this act alone.
        fresh: Key,
    },
    /// The tenant's OpenID provider publishes these keys now.
    IssuerKeys {
        /// Thumbprint and canonical JWK of each.
        published: Vec<([u8; 32], Vec<u8>)>,
        /// Fresh randomness for this act alone.
        fresh: Key,
    },
}

/// A change of one resource.
#[derive(Debug)]
pub struct Update<T> {
    /// Which resource.
    pub id: ResourceId,
    /// Versions that the client will change, if it named any.
    pub if_match: Option<EntityTags>,
    /// How.
    pub change: T,
    /// Fresh randomness for this act alone.
    pub fresh: Key,
}

/// What an act led to.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A leaf was added to the root log.
    Leaf {
        /// Its index.
        index: u64,
    },
    /// A tenant was admitted.
    Admitted {
        /// Its id.
        tenant: TenantId,
        /// Index of its genesis in its log.
        index: u64,
    },
    /// A user as it is now.
    User {
        /// The user.
        user: Arc<User>,
        /// Index of the act's last entry in the tenant's log; none if nothing changed.
        index: Option<u64>,
    },
    /// A group as it is now.
    Group {
        /// The group.
        group: Arc<Group>,
        /// Index of the act's last entry in the tenant's log; none if nothing changed.
        index: Option<u64>,
    },
    /// The resource is gone.
    Gone {
        /// Index of the act's last entry in the tenant's log.
        index: u64,
    },
    /// A credential was issued.
    Credential {
        /// Its record.
        credential: Arc<Credential>,
        /// Its token or client secret, to be delivered once; none if it is known by keys.
        secret: Option<Secret>,
        /// The credential that it takes over from, if any.
        replaces: Option<Arc<Credential>>,
        /// Index of the entry.
        index: u64,
    },
    /// Something that admins signed was done.
    Done {
        /// What it was about: SHA-256 of a paper's payload or of a key, or a handle in the log.
        subject: [u8; 32],
        /// Index of the act's last entry.
        index: u64,
    },
    /// Credentials of the tenant, as the head knows them.
    Credentials(Vec<ListedCredential>),
    /// What a signed request reads, as the attested API shows it.
    Document(Box<chancery_json::Object>),
    /// A claim was confirmed, or had been by the same keys.
    Confirmed {
        /// The user as it is now.
        user: Arc<User>,
        /// Index of the entry that confirmed it, or of the act's last one.
        index: u64,
    },
    /// A refused claim, or that a reader found somebody, was noted, or need not be.
    Noted,
    /// A group's key is to be wrapped for a member. It leaves only with a quorum of its own.
    GroupKey(Box<GroupKey>),
    /// A proof that is made when the batch is closed.
    Wanted(Box<ProofWanted>),
    /// A proof that lacks its outer part.
    Proof(Box<InnerProof>),
    /// A proof under the cosigned checkpoint of its batch, and what is said beside it.
    Proved(Box<chancery_json::Object>),
    /// Private parts of the log may be read from the store.
    Audit(AuditPage),
}

/// A credential and its use.
#[derive(Clone, Debug)]
pub struct ListedCredential {
    /// Its record.
    pub credential: Arc<Credential>,
    /// When a change was last made with it, as far as that was noted, in milliseconds since the Unix epoch.
    pub last_used_ms: Option<u64>,
}

/// A group's key for one member.
#[derive(Clone, Debug)]
pub struct GroupKey {
    /// Handle of the group in the log.
    pub group: [u8; 32],
    /// SCIM `id` of the group.
    pub id: ResourceId,
    /// The group's canonical document.
    pub document: Box<[u8]>,
    /// The epoch.
    pub epoch: Arc<GroupEpoch>,
    /// The member's encoded public keyset.
    pub recipient: Box<[u8]>,
}

/// From where on an auditor reads the private parts of a log.
#[derive(Clone, Copy, Debug)]
pub struct AuditPage {
    /// Number of the first record.
    pub record: u64,
    /// The tenant's stream.
    pub stream: StreamBytes,
    /// How many records it has.
    pub length: u64,
}

/// Why an act was refused. The shell maps each to one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The credential is unknown, expired or revoked. Nothing more is said.
    Unauthorized,
    /// The credential does not have the scope.
    CredentialScope {
        /// Name of the scope.
        scope: &'static str,
    },
    /// The tenant has no delegation that was not revoked.
    NoDelegation,
    /// No delegation covers the act; the newest one says why.
    Delegation(chancery_authority::Refusal),
    /// The group or account is out of automation's reach.
    Protected {
        /// Why, for the identity provider.
        reason: &'static str,
    },
    /// The act is more than the delegation's limit lets through within its window.
    Burst {
        /// What there is too much of.
        kind: BurstKind,
        /// The limit that was signed.
        limit: u64,
        /// The window, in seconds.
        window_s: u64,
        /// After how many seconds it fits into the window; none if it is more than the whole limit.
        retry_after_s: Option<u64>,
    },
    /// The act is kept until an admin signs it.
    Held {
        /// Its identifier.
        id: [u8; 32],
    },
    /// Things are no longer, or not yet, as the act needs them.
    Stale {
        /// What is otherwise.
        what: &'static str,
    },
    /// A member of a signed act's body has a value that it cannot have.
    Value {
        /// The member.
        member: &'static str,
        /// What it can have.
        allowed: &'static str,
    },
    /// The SCIM engine refuses the request.
    Scim(chancery_scim::Error),
    /// A member of a group is no user of the tenant.
    UnknownMember {
        /// The value as sent.
        value: String,
    },
    /// A member of a group is a group itself.
    GroupMember {
        /// The value as sent.
        value: String,
    },
    /// The act is larger than one record may be.
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// The most there may be.
        limit: usize,
    },
    /// The operator's admission is for another slug than the genesis has.
    OtherSlug,
    /// A signed paper is not believed.
    Paper(chancery_authority::Error),
    /// The body of a signed act is not of the act's form.
    Body(chancery_json::Error),
    /// What a signed act names does not exist.
    NotFound,
    /// The slug, the genesis or the admission is used already.
    Taken {
        /// What is taken.
        what: &'static str,
    },
    /// The delegation does not allow such a credential.
    CredentialTerms,
    /// The claim is refused; why is nobody's business (I12).
    ClaimRefused,
    /// The identity provider signs with a key that does not count yet.
    IssuerKey,
    /// A member of a signed body is not of its form.
    Malformed {
        /// Which.
        member: &'static str,
    },
    /// A plan is open and must be applied or dropped first.
    PlanOpen,
    /// A signed plan is being carried out; automation waits until it is done.
    PlanUnderway,
    /// There is no plan.
    NoPlan,
    /// The plan is another one than the one that was signed.
    OtherPlan,
    /// The public keyset is malformed.
    Keyset,
    /// One of several members is refused, and with it all of them.
    Member {
        /// Which, from 0.
        index: usize,
        /// Why.
        cause: Box<Self>,
    },
    /// Nothing in this version carries out the act.
    Unsupported,
    /// The runtime's own log refused an entry, or randomness failed: our fault.
    Internal,
}

#[expect(
    clippy::too_many_lines,
    reason = "a flat table: one sentence per refusal"
)]
impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unauthorized => formatter.write_str("the credential is not valid"),
            Self::CredentialScope { scope } => {
                write!(
                    formatter,
                    "the credential does not include the scope {scope}"
                )
            }
            // No credential exists before the first delegation.
            Self::NoDelegation => {
                formatter.write_str("the delegation is revoked, and no other is in force")
            }
            Self::Delegation(refusal) => refusal.fmt(formatter),
            Self::Protected { reason } => formatter.write_str(reason),
            Self::Burst {
                kind,
                limit,
                retry_after_s: None,
                ..
            } => write!(
                formatter,
                "one request asks for more than the delegation's whole limit of {limit} {}: split it, or have \
                 an admin approve that many",
                kind.words()
            ),
            Self::Burst {
                kind,
                limit,
                window_s,
                ..
            } => write!(
                formatter,
                "the delegation's limit of {limit} {} within {window_s} seconds is used up: try again later, or \
                 have an admin approve more",
                kind.words()
            ),
            Self::Held { id } => write!(
                formatter,
                "changes of this group wait for an admin's signature; held as {}",
                short_id(id)
            ),
            Self::Stale { what } => formatter.write_str(what),
            Self::Value { member, allowed } => write!(formatter, "{member} must be {allowed}"),
            Self::Scim(error) => write!(formatter, "{}", error.to_scim().detail),
            Self::UnknownMember { .. } => formatter.write_str("a member is no user of this tenant"),
            Self::GroupMember { .. } => formatter.write_str("a group is no member of a group"),
            Self::TooLarge { what, limit } => {
                write!(
                    formatter,
                    "too many {what}: at most {limit}; send several smaller requests"
                )
            }
            Self::OtherSlug => formatter.write_str("the admission is for another slug"),
            Self::Paper(error) => error.fmt(formatter),
            Self::Body(error) => error.fmt(formatter),
            Self::NotFound => formatter.write_str("there is no such thing in this tenant"),
            Self::Taken { what } => write!(formatter, "{what} is already in use"),
            Self::CredentialTerms => {
                formatter.write_str("the delegation does not allow a credential of these terms")
            }
            Self::ClaimRefused => formatter.write_str("the claim is refused"),
            Self::IssuerKey => formatter.write_str(
                "the identity provider signs with a key that does not count yet: an admin can sign for it with `chancery idp trust`, or it counts by itself a day after it was first seen",
            ),
            Self::Malformed { member } => write!(formatter, "{member} is not of its form"),
            Self::PlanOpen => formatter.write_str("a plan is open: apply or drop the plan first"),
            Self::PlanUnderway => formatter
                .write_str("a signed plan is being carried out; try again in a few seconds"),
            Self::NoPlan => formatter.write_str("there is no plan"),
            Self::OtherPlan => {
                formatter.write_str("the plan is not the one that was signed; look at it again")
            }
            Self::Keyset => formatter.write_str("the public keyset is malformed"),
            Self::Member { index, cause } => write!(formatter, "member {index}: {cause}"),
            Self::Unsupported => formatter.write_str("this version does not carry out that act"),
            Self::Internal => formatter.write_str("the runtime could not carry out the act"),
        }
    }
}

/// The first 16 digits of an identifier in hexadecimal.
fn short_id(id: &[u8; 32]) -> String {
    let (short, _) = id.split_at(8);
    hex::encode(short)
}

impl core::error::Error for Refusal {}

impl From<chancery_scim::Error> for Refusal {
    fn from(error: chancery_scim::Error) -> Self {
        Self::Scim(error)
    }
}

impl From<chancery_authority::Error> for Refusal {
    fn from(error: chancery_authority::Error) -> Self {
        Self::Paper(error)
    }
}

impl From<chancery_json::Error> for Refusal {
    fn from(error: chancery_json::Error) -> Self {
        Self::Body(error)
    }
}
