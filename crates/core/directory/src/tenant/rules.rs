//! The rules of trust-log section 3.2 as tables: for each entry type its subjects, who may log it,
//! what it commits to, and where it leads.

use crate::entry::{EntryType, SubjectKind, SubjectState};

/// On whose authority an entry was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ActorClass {
    /// The tenant's admins, by the tenant's own handle.
    Admin,
    /// A live delegation.
    Delegation,
    /// An open break-glass window.
    BreakGlass,
    /// The runtime instance that genesis or the last boot named.
    Instance,
    /// The subject itself.
    Itself,
}

/// Whether an entry type commits to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyRule {
    Required,
    Optional,
    Forbidden,
}

/// What `object_commit` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ObjectRule {
    Validity,
    Required,
    Optional,
}

/// The row of an entry type.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) subjects: &'static [SubjectKind],
    pub(super) actors: &'static [ActorClass],
    pub(super) key: KeyRule,
    pub(super) object: ObjectRule,
    /// Whether the batch of such an entry may change name leaves.
    pub(super) moves_names: bool,
    /// Whether it may be logged while the tenant is frozen.
    pub(super) while_frozen: bool,
}

const TENANT: &[SubjectKind] = &[SubjectKind::Tenant];
const USER: &[SubjectKind] = &[SubjectKind::User];
const GROUP: &[SubjectKind] = &[SubjectKind::Group];
const USER_OR_GROUP: &[SubjectKind] = &[SubjectKind::User, SubjectKind::Group];
const DELEGATION: &[SubjectKind] = &[SubjectKind::Delegation];
const TOKEN: &[SubjectKind] = &[SubjectKind::Token];
const BREAK_GLASS: &[SubjectKind] = &[SubjectKind::BreakGlass];
const APPROVAL: &[SubjectKind] = &[SubjectKind::Approval];

const ADMIN: &[ActorClass] = &[ActorClass::Admin];
const INSTANCE: &[ActorClass] = &[ActorClass::Instance];
const ADMIN_OR_INSTANCE: &[ActorClass] = &[ActorClass::Admin, ActorClass::Instance];
/// What a member does with the own keys; the admins confirm by their signature or in a window.
const ITSELF_OR_ADMIN: &[ActorClass] = &[
    ActorClass::Itself,
    ActorClass::Admin,
    ActorClass::BreakGlass,
];
const DELEGATION_ALONE: &[ActorClass] = &[ActorClass::Delegation];
/// Acts that give something need a delegation that is live at that index, or an open window.
const DELEGATED: &[ActorClass] = &[ActorClass::Delegation, ActorClass::BreakGlass];
/// Acts that only take away are also open to the admins at once.
const DELEGATED_OR_ADMIN: &[ActorClass] = &[
    ActorClass::Delegation,
    ActorClass::BreakGlass,
    ActorClass::Admin,
];
const ALL_BUT_ITSELF: &[ActorClass] = &[
    ActorClass::Delegation,
    ActorClass::BreakGlass,
    ActorClass::Admin,
    ActorClass::Instance,
];
const ALL_BUT_ADMIN: &[ActorClass] = &[
    ActorClass::Delegation,
    ActorClass::BreakGlass,
    ActorClass::Instance,
    ActorClass::Itself,
];

const fn row(subjects: &'static [SubjectKind], actors: &'static [ActorClass]) -> Rule {
    Rule {
        subjects,
        actors,
        key: KeyRule::Forbidden,
        object: ObjectRule::Optional,
        moves_names: false,
        while_frozen: false,
    }
}

impl Rule {
    const fn key(mut self, key: KeyRule) -> Self {
        self.key = key;
        self
    }

    const fn object(mut self, object: ObjectRule) -> Self {
        self.object = object;
        self
    }

    const fn moves_names(mut self) -> Self {
        self.moves_names = true;
        self
    }

    const fn while_frozen(mut self) -> Self {
        self.while_frozen = true;
        self
    }
}

/// The row of `kind`. Genesis and boot name their actor themselves, which the caller checks.
pub(super) const fn rule(kind: EntryType) -> Rule {
    use EntryType as T;
    match kind {
        T::Genesis => row(TENANT, INSTANCE).key(KeyRule::Required),
        T::DelegationGranted => row(DELEGATION, ADMIN).object(ObjectRule::Validity),
        T::DelegationRevoked => row(DELEGATION, ADMIN),
        T::TokenIssued => row(TOKEN, DELEGATED).object(ObjectRule::Validity),
        T::TokenRevoked => row(TOKEN, ALL_BUT_ITSELF),
        T::UserProvisioned => row(USER, DELEGATED).key(KeyRule::Required).moves_names(),
        T::KeyConfirmed => row(USER, ITSELF_OR_ADMIN).key(KeyRule::Required),
        T::KeyRotated => row(USER, ALL_BUT_ADMIN).key(KeyRule::Required),
        T::KeyDestroyed => row(USER_OR_GROUP, ALL_BUT_ADMIN),
        T::ProfileChanged => row(USER_OR_GROUP, DELEGATED),
        T::NameChanged => row(USER_OR_GROUP, DELEGATED).moves_names(),
        T::Suspended => row(USER, DELEGATED_OR_ADMIN).moves_names(),
        T::Reactivated => row(USER, DELEGATED).moves_names(),
        T::Deleted => row(USER, DELEGATED_OR_ADMIN).moves_names(),
        T::Erased => row(USER_OR_GROUP, ALL_BUT_ITSELF).moves_names(),
        T::GroupCreated => row(GROUP, DELEGATED).key(KeyRule::Optional).moves_names(),
        T::GroupMemberChanged => row(GROUP, DELEGATED_OR_ADMIN).object(ObjectRule::Required),
        T::GroupEpochStarted => row(GROUP, ALL_BUT_ITSELF).key(KeyRule::Required),
        T::GroupDeleted => row(GROUP, DELEGATED_OR_ADMIN).moves_names(),
        T::DeviceChanged => row(USER, ITSELF_OR_ADMIN).object(ObjectRule::Required),
        T::ApprovalGiven => row(APPROVAL, ADMIN).object(ObjectRule::Required),
        T::BreakGlassOpened => row(BREAK_GLASS, ADMIN).object(ObjectRule::Validity),
        T::BreakGlassClosed => row(BREAK_GLASS, ADMIN_OR_INSTANCE).while_frozen(),
        T::RecoveryPerformed => row(TENANT, ADMIN).while_frozen(),
        T::TenantFrozen => row(TENANT, ADMIN),
        T::IntentRecorded => row(TENANT, DELEGATION_ALONE).object(ObjectRule::Required),
        T::ActHeld => row(APPROVAL, DELEGATION_ALONE).object(ObjectRule::Required),
        T::EnclaveUpgrade => row(TENANT, INSTANCE)
            .object(ObjectRule::Required)
            .while_frozen(),
        T::Boot => row(TENANT, INSTANCE).while_frozen(),
        T::PolicyChanged => row(TENANT, ADMIN_OR_INSTANCE).object(ObjectRule::Required),
        T::Rekey => row(TENANT, ADMIN_OR_INSTANCE)
            .key(KeyRule::Required)
            .moves_names(),
        T::FaultNoted => row(TENANT, INSTANCE).while_frozen(),
    }
}

/// Where `kind` leads from `from` (`None`: no such subject), or `None` if it is illegal there.
pub(super) fn next_state(
    kind: EntryType,
    from: Option<SubjectState>,
    actor: ActorClass,
) -> Option<SubjectState> {
    use EntryType as T;
    let Some(from) = from else {
        return first_state(kind);
    };
    match kind {
        T::Genesis
        | T::DelegationGranted
        | T::TokenIssued
        | T::UserProvisioned
        | T::GroupCreated
        | T::ActHeld
        | T::BreakGlassOpened => None,
        // A held act has its handle already when it is approved.
        T::ApprovalGiven => kept(from, &[SubjectState::Recorded]),
        T::DelegationRevoked | T::TokenRevoked => {
            moved(from, &[(SubjectState::Active, SubjectState::Revoked)])
        }
        T::BreakGlassClosed => moved(from, &[(SubjectState::Open, SubjectState::Closed)]),
        T::GroupDeleted => moved(from, &[(SubjectState::Active, SubjectState::Deleted)]),
        T::GroupMemberChanged
        | T::GroupEpochStarted
        | T::IntentRecorded
        | T::PolicyChanged
        | T::Rekey => kept(from, &[SubjectState::Active]),
        T::DeviceChanged => kept(from, &[SubjectState::Confirmed]),
        T::TenantFrozen => moved(from, &[(SubjectState::Active, SubjectState::Frozen)]),
        T::RecoveryPerformed => moved(
            from,
            &[
                (SubjectState::Active, SubjectState::Active),
                (SubjectState::Frozen, SubjectState::Active),
            ],
        ),
        T::EnclaveUpgrade | T::Boot | T::FaultNoted => {
            kept(from, &[SubjectState::Active, SubjectState::Frozen])
        }
        T::KeyConfirmed
        | T::KeyRotated
        | T::KeyDestroyed
        | T::ProfileChanged
        | T::NameChanged
        | T::Suspended
        | T::Reactivated
        | T::Deleted
        | T::Erased => next_subject_state(kind, from, actor),
    }
}

/// The state in which a type creates its subject.
const fn first_state(kind: EntryType) -> Option<SubjectState> {
    use EntryType as T;
    match kind {
        T::Genesis | T::DelegationGranted | T::TokenIssued | T::GroupCreated => {
            Some(SubjectState::Active)
        }
        T::UserProvisioned => Some(SubjectState::Provisioned),
        T::ApprovalGiven | T::ActHeld => Some(SubjectState::Recorded),
        T::BreakGlassOpened => Some(SubjectState::Open),
        _ => None,
    }
}

/// The life of users, and what groups share with them.
fn next_subject_state(
    kind: EntryType,
    from: SubjectState,
    actor: ActorClass,
) -> Option<SubjectState> {
    use EntryType as T;
    use SubjectState as S;
    match (kind, actor) {
        (T::KeyConfirmed, _) => moved(from, &[(S::Provisioned, S::Confirmed)]),
        (T::KeyRotated, ActorClass::Itself) => kept(from, &[S::Confirmed]),
        // The service made a new pending keyset: a changed address needs a new claim (I14).
        (T::KeyRotated, _) => moved(
            from,
            &[
                (S::Provisioned, S::Provisioned),
                (S::Confirmed, S::Provisioned),
                (S::SuspendedProvisioned, S::SuspendedProvisioned),
                (S::SuspendedConfirmed, S::SuspendedProvisioned),
            ],
        ),
        (T::KeyDestroyed, ActorClass::Itself) => kept(from, &[S::Provisioned, S::Confirmed]),
        (T::KeyDestroyed, _) => kept(
            from,
            &[
                S::Provisioned,
                S::Confirmed,
                S::SuspendedProvisioned,
                S::SuspendedConfirmed,
                S::Active,
                S::Deleted,
            ],
        ),
        (T::ProfileChanged | T::NameChanged, _) => kept(
            from,
            &[
                S::Provisioned,
                S::Confirmed,
                S::SuspendedProvisioned,
                S::SuspendedConfirmed,
                S::Active,
            ],
        ),
        (T::Suspended, _) => moved(
            from,
            &[
                (S::Provisioned, S::SuspendedProvisioned),
                (S::Confirmed, S::SuspendedConfirmed),
            ],
        ),
        (T::Reactivated, _) => moved(
            from,
            &[
                (S::SuspendedProvisioned, S::Provisioned),
                (S::SuspendedConfirmed, S::Confirmed),
            ],
        ),
        (T::Deleted, _) => moved(
            from,
            &[
                (S::Provisioned, S::Deleted),
                (S::Confirmed, S::Deleted),
                (S::SuspendedProvisioned, S::Deleted),
                (S::SuspendedConfirmed, S::Deleted),
            ],
        ),
        (T::Erased, _) => moved(
            from,
            &[
                (S::SuspendedProvisioned, S::Erased),
                (S::SuspendedConfirmed, S::Erased),
                (S::Deleted, S::Erased),
            ],
        ),
        _ => None,
    }
}

fn moved(from: SubjectState, edges: &[(SubjectState, SubjectState)]) -> Option<SubjectState> {
    edges
        .iter()
        .find(|(start, _)| *start == from)
        .map(|(_, end)| *end)
}

fn kept(from: SubjectState, states: &[SubjectState]) -> Option<SubjectState> {
    states.contains(&from).then_some(from)
}
