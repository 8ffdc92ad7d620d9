//! The whole transition table, written a second time as a list of what is legal; everything else
//! must be refused.

use super::*;

/// One legal act: by whom, on whom, and where it leads.
pub(super) struct Case {
    pub(super) kind: EntryType,
    pub(super) actor: Handle,
    pub(super) subject: Handle,
    pub(super) to: SubjectState,
}

const fn id(byte: u8) -> Handle {
    Handle([byte; 32])
}

const U_PROVISIONED: Handle = id(0x61);
const U_CONFIRMED: Handle = id(0x62);
const U_SUSPENDED_P: Handle = id(0x63);
const U_SUSPENDED_C: Handle = id(0x64);
const U_DELETED: Handle = id(0x65);
const G_ACTIVE: Handle = id(0x66);
const G_DELETED: Handle = id(0x67);
const D_ACTIVE: Handle = id(0x68);
const D_REVOKED: Handle = id(0x69);
const T_ACTIVE: Handle = id(0x6a);
const T_REVOKED: Handle = id(0x6b);
const B_OPEN: Handle = id(0x6c);
const B_CLOSED: Handle = id(0x6d);
const APPROVAL: Handle = id(0x6e);
const FRESH: Handle = id(0x6f);
const NEW_INSTANCE: Handle = id(0x70);
const HELD: Handle = id(0x71);

const SUBJECTS: &[Handle] = &[
    TENANT,
    U_PROVISIONED,
    U_CONFIRMED,
    U_SUSPENDED_P,
    U_SUSPENDED_C,
    U_DELETED,
    G_ACTIVE,
    G_DELETED,
    D_ACTIVE,
    D_REVOKED,
    T_ACTIVE,
    T_REVOKED,
    B_OPEN,
    B_CLOSED,
    APPROVAL,
    HELD,
    FRESH,
];

const ACTORS: &[Handle] = &[
    TENANT,
    INSTANCE,
    DELEGATION,
    WINDOW,
    NEW_INSTANCE,
    U_PROVISIONED,
    U_CONFIRMED,
    U_SUSPENDED_P,
    U_SUSPENDED_C,
    U_DELETED,
    G_ACTIVE,
    D_REVOKED,
    T_ACTIVE,
    B_CLOSED,
    APPROVAL,
];

/// A log that has a subject of each kind in each state.
pub(super) fn world() -> LogState {
    use EntryType as T;
    let mut log = started();
    let steps = [
        (T::UserProvisioned, DELEGATION, U_PROVISIONED),
        (T::UserProvisioned, DELEGATION, U_CONFIRMED),
        (T::KeyConfirmed, U_CONFIRMED, U_CONFIRMED),
        (T::UserProvisioned, DELEGATION, U_SUSPENDED_P),
        (T::Suspended, DELEGATION, U_SUSPENDED_P),
        (T::UserProvisioned, DELEGATION, U_SUSPENDED_C),
        (T::KeyConfirmed, U_SUSPENDED_C, U_SUSPENDED_C),
        (T::Suspended, DELEGATION, U_SUSPENDED_C),
        (T::UserProvisioned, DELEGATION, U_DELETED),
        (T::Deleted, DELEGATION, U_DELETED),
        (T::GroupCreated, DELEGATION, G_ACTIVE),
        (T::GroupCreated, DELEGATION, G_DELETED),
        (T::GroupDeleted, DELEGATION, G_DELETED),
        (T::DelegationGranted, TENANT, D_ACTIVE),
        (T::DelegationGranted, TENANT, D_REVOKED),
        (T::DelegationRevoked, TENANT, D_REVOKED),
        (T::TokenIssued, DELEGATION, T_ACTIVE),
        (T::TokenIssued, DELEGATION, T_REVOKED),
        (T::TokenRevoked, DELEGATION, T_REVOKED),
        (T::BreakGlassOpened, TENANT, B_OPEN),
        (T::BreakGlassOpened, TENANT, B_CLOSED),
        (T::BreakGlassClosed, TENANT, B_CLOSED),
        (T::ApprovalGiven, TENANT, APPROVAL),
        (T::ActHeld, DELEGATION, HELD),
    ];
    for (kind, actor, subject) in steps {
        log.append(&act(kind, actor, subject)).unwrap();
    }
    log
}

macro_rules! cases {
    ($($kind:ident by $($actor:ident)+ : $($subject:ident => $to:ident),+ ;)*) => {
        cases!(@flat [] $([$kind [$($actor)+] [$($subject => $to),+]])*);
    };
    (@flat [$($done:tt)*]) => {
        pub(super) const CASES: &[Case] = &[$($done)*];
    };
    (@flat [$($done:tt)*] [$kind:ident [] $edges:tt] $($rest:tt)*) => {
        cases!(@flat [$($done)*] $($rest)*);
    };
    (@flat [$($done:tt)*] [$kind:ident [$actor:ident $($actors:ident)*]
        [$($subject:ident => $to:ident),+]] $($rest:tt)*) => {
        cases!(@flat [$($done)* $(Case {
            kind: EntryType::$kind,
            actor: $actor,
            subject: $subject,
            to: SubjectState::$to,
        },)+] [$kind [$($actors)*] [$($subject => $to),+]] $($rest)*);
    };
}

cases! {
    Genesis by INSTANCE: TENANT => Active;
    DelegationGranted by TENANT: FRESH => Active;
    DelegationRevoked by TENANT: D_ACTIVE => Revoked;
    TokenIssued by DELEGATION WINDOW: FRESH => Active;
    TokenRevoked by DELEGATION WINDOW TENANT INSTANCE: T_ACTIVE => Revoked;
    UserProvisioned by DELEGATION WINDOW: FRESH => Provisioned;
    KeyConfirmed by U_PROVISIONED TENANT WINDOW: U_PROVISIONED => Confirmed;
    KeyRotated by U_CONFIRMED: U_CONFIRMED => Confirmed;
    KeyRotated by DELEGATION WINDOW INSTANCE:
        U_PROVISIONED => Provisioned, U_CONFIRMED => Provisioned,
        U_SUSPENDED_P => SuspendedProvisioned, U_SUSPENDED_C => SuspendedProvisioned;
    KeyDestroyed by DELEGATION WINDOW INSTANCE:
        U_PROVISIONED => Provisioned, U_CONFIRMED => Confirmed,
        U_SUSPENDED_P => SuspendedProvisioned, U_SUSPENDED_C => SuspendedConfirmed,
        U_DELETED => Deleted, G_ACTIVE => Active, G_DELETED => Deleted;
    KeyDestroyed by U_PROVISIONED: U_PROVISIONED => Provisioned;
    KeyDestroyed by U_CONFIRMED: U_CONFIRMED => Confirmed;
    ProfileChanged by DELEGATION WINDOW:
        U_PROVISIONED => Provisioned, U_CONFIRMED => Confirmed,
        U_SUSPENDED_P => SuspendedProvisioned, U_SUSPENDED_C => SuspendedConfirmed,
        G_ACTIVE => Active;
    NameChanged by DELEGATION WINDOW:
        U_PROVISIONED => Provisioned, U_CONFIRMED => Confirmed,
        U_SUSPENDED_P => SuspendedProvisioned, U_SUSPENDED_C => SuspendedConfirmed,
        G_ACTIVE => Active;
    Suspended by DELEGATION WINDOW TENANT:
        U_PROVISIONED => SuspendedProvisioned, U_CONFIRMED => SuspendedConfirmed;
    Reactivated by DELEGATION WINDOW:
        U_SUSPENDED_P => Provisioned, U_SUSPENDED_C => Confirmed;
    Deleted by DELEGATION WINDOW TENANT:
        U_PROVISIONED => Deleted, U_CONFIRMED => Deleted,
        U_SUSPENDED_P => Deleted, U_SUSPENDED_C => Deleted;
    Erased by DELEGATION WINDOW TENANT INSTANCE:
        U_SUSPENDED_P => Erased, U_SUSPENDED_C => Erased, U_DELETED => Erased, G_DELETED => Erased;
    GroupCreated by DELEGATION WINDOW: FRESH => Active;
    GroupMemberChanged by DELEGATION WINDOW TENANT: G_ACTIVE => Active;
    GroupEpochStarted by DELEGATION WINDOW TENANT INSTANCE: G_ACTIVE => Active;
    GroupDeleted by DELEGATION WINDOW TENANT: G_ACTIVE => Deleted;
    DeviceChanged by U_CONFIRMED TENANT WINDOW: U_CONFIRMED => Confirmed;
    ApprovalGiven by TENANT: FRESH => Recorded, APPROVAL => Recorded, HELD => Recorded;
    BreakGlassOpened by TENANT: FRESH => Open;
    BreakGlassClosed by TENANT INSTANCE: B_OPEN => Closed;
    RecoveryPerformed by TENANT: TENANT => Active;
    TenantFrozen by TENANT: TENANT => Frozen;
    IntentRecorded by DELEGATION: TENANT => Active;
    ActHeld by DELEGATION: FRESH => Recorded;
    EnclaveUpgrade by INSTANCE: TENANT => Active;
    Boot by INSTANCE NEW_INSTANCE: TENANT => Active;
    PolicyChanged by TENANT INSTANCE: TENANT => Active;
    Rekey by TENANT INSTANCE: TENANT => Active;
    FaultNoted by INSTANCE: TENANT => Active;
}

/// Whether an act is on the list; genesis is legal in an empty log only.
fn is_legal(kind: EntryType, actor: Handle, subject: Handle, to: SubjectState) -> bool {
    kind != EntryType::Genesis
        && CASES.iter().any(|case| {
            (case.kind, case.actor, case.subject, case.to) == (kind, actor, subject, to)
        })
}

#[test]
fn accepts_the_legal_transitions_and_refuses_every_other_by_name() {
    let mut log = world();
    let mut accepted = 0;
    let mut refused = 0;
    for &kind in EntryType::ALL {
        for &actor in ACTORS {
            for &subject in SUBJECTS {
                let current = log.subject(&subject).copied();
                let wanted = act(kind, actor, subject);
                for &to in SubjectState::ALL {
                    let entry = Entry {
                        kind,
                        index: log.next_index(),
                        time_ms: TIME,
                        actor,
                        subject,
                        prev_subject: current.map_or(NO_PREVIOUS, |state| state.last),
                        subject_seq: current.map_or(1, |state| state.seq + 1),
                        new_state: to,
                        key_commit: wanted.key_commit,
                        object_commit: wanted.object_commit,
                        body_commit: wanted.body_commit,
                        authz_hash: wanted.authz_hash,
                    };
                    if is_legal(kind, actor, subject, to) {
                        log.clone().step(&entry).unwrap();
                        assert_eq!(
                            log.draft(&wanted),
                            Ok(entry),
                            "the draft is the legal entry"
                        );
                        accepted += 1;
                        continue;
                    }
                    let error = log.step(&entry).unwrap_err();
                    assert!(names_the_rule(error), "{kind:?} {subject:?}: {error:?}");
                    refused += 1;
                }
            }
        }
    }
    let legal = CASES
        .iter()
        .filter(|case| case.kind != EntryType::Genesis)
        .count();
    assert_eq!(accepted, legal);
    assert_eq!(
        accepted + refused,
        EntryType::ALL.len() * ACTORS.len() * SUBJECTS.len() * SubjectState::ALL.len()
    );
    assert_eq!(
        fingerprint(&mut log),
        fingerprint(&mut world()),
        "a refusal changed the state"
    );
}

/// The refusals that an entry with right links and commitments may meet.
fn names_the_rule(error: StepError) -> bool {
    matches!(
        error,
        StepError::IllegalTransition { .. }
            | StepError::SubjectKindMismatch { .. }
            | StepError::NewStateMismatch { .. }
            | StepError::ActorNotAllowed { .. }
            | StepError::ActorUnknown
            | StepError::DelegationNotLive
            | StepError::BreakGlassNotOpen
            | StepError::HandleInUse
    )
}

#[test]
fn every_type_has_a_legal_case() {
    for &kind in EntryType::ALL {
        assert!(CASES.iter().any(|case| case.kind == kind), "{kind:?}");
    }
}
