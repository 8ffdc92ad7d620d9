use std::collections::BTreeSet;
use std::vec::Vec;

use super::rules::{KeyRule, ObjectRule, rule};
use super::*;
use crate::entry::{StateRoot, TenantLeaf};
use crate::prefix::Lookup;
use crate::record::DIR_STATE_SIZE;
use crate::record::chain_next;
use crate::testing::{Seeded, shown, unhex, vector, vector_hex};

mod legal;

const TENANT: Handle = Handle([0x41; 32]);
const INSTANCE: Handle = Handle([0x42; 32]);
const DELEGATION: Handle = Handle([0x43; 32]);
const WINDOW: Handle = Handle([0x44; 32]);
const TIME: u64 = 1_000;

fn validity(not_after_ms: u64) -> Digest {
    Validity {
        not_before_ms: 0,
        not_after_ms,
    }
    .to_object_commit()
}

/// A draft with the commitments that its type asks for.
fn act(kind: EntryType, actor: Handle, subject: Handle) -> Draft {
    let row = rule(kind);
    let mut draft = Draft::new(kind, actor, subject, TIME);
    draft.authz_hash = Digest([0xaa; 32]);
    if row.key == KeyRule::Required {
        draft.key_commit = Digest([0xbb; 32]);
    }
    match row.object {
        ObjectRule::Validity => draft.object_commit = validity(9_000),
        ObjectRule::Required => draft.object_commit = Digest([0xcc; 32]),
        ObjectRule::Optional => {}
    }
    draft
}

/// A log with genesis, a live delegation and an open break-glass window.
fn started() -> LogState {
    let mut log = LogState::new();
    log.append(&act(EntryType::Genesis, INSTANCE, TENANT))
        .unwrap();
    log.append(&act(EntryType::DelegationGranted, TENANT, DELEGATION))
        .unwrap();
    log.append(&act(EntryType::BreakGlassOpened, TENANT, WINDOW))
        .unwrap();
    log
}

fn with_user(user: Handle) -> LogState {
    let mut log = started();
    log.append(&act(EntryType::UserProvisioned, DELEGATION, user))
        .unwrap();
    log
}

const USER: Handle = Handle([0x51; 32]);
const GROUP: Handle = Handle([0x52; 32]);

/// Everything about a state that a caller can see, to show that a refusal changed nothing.
fn fingerprint(log: &mut LogState) -> (u64, u64, u32, Digest, Vec<NameChange>, Vec<Handle>) {
    (
        log.next_index(),
        log.time_ms(),
        log.batch_entries(),
        log.dir_root(),
        log.name_changes(),
        log.delegations()
            .map(|(handle, _)| *handle)
            .chain([log.instance()])
            .collect(),
    )
}

fn refuses(log: &mut LogState, entry: &Entry, expected: StepError) {
    let before = fingerprint(log);
    assert_eq!(log.step(entry), Err(expected));
    assert_eq!(fingerprint(log), before, "a refusal changed the state");
}

#[test]
fn replays_the_log_of_the_second_implementation() {
    let mut log = LogState::new();
    let label = [0x45; 32];
    let leaves = vector("log");
    for (index, leaf) in leaves.as_array().unwrap().iter().enumerate() {
        match TenantLeaf::decode(&unhex(leaf.as_str().unwrap())).unwrap() {
            TenantLeaf::Entry(entry) => log.step(&entry).unwrap(),
            TenantLeaf::StateRoot(root) => {
                let value = (index == 3).then_some(Digest([0x46; 32]));
                // The third batch moves no name.
                if index < 6 {
                    let changes = [NameChange { label, value }];
                    let wrong = log.clone().check_state_root(&root);
                    assert_eq!(
                        wrong,
                        Err(StepError::DirUpdateMismatch),
                        "without the name changes"
                    );
                    log.apply_name_changes(&changes).unwrap();
                }
                log.check_state_root(&root).unwrap();
            }
        }
    }
    let user = log.subject(&Handle([0x44; 32])).unwrap().encode();
    assert_eq!(user.len(), DIR_STATE_SIZE);
    assert_eq!(user.to_vec(), vector_hex("log_user_state"));
    assert_eq!(
        (log.next_index(), log.batch(), log.time_floor_ms()),
        (13, 3, 500)
    );
}

#[test]
fn refuses_a_log_that_does_not_begin_with_genesis() {
    let mut log = LogState::new();
    let mut entry = log
        .draft(&act(EntryType::Genesis, INSTANCE, TENANT))
        .unwrap();
    entry.kind = EntryType::FaultNoted;
    refuses(&mut log, &entry, StepError::GenesisMissing);
}

#[test]
fn refuses_a_second_genesis() {
    let mut log = started();
    let mut entry = log
        .draft(&act(EntryType::UserProvisioned, DELEGATION, USER))
        .unwrap();
    entry.kind = EntryType::Genesis;
    let from = Some(SubjectState::Active);
    refuses(
        &mut log,
        &entry,
        StepError::IllegalTransition {
            kind: EntryType::Genesis,
            from,
        },
    );
}

#[test]
fn refuses_a_gap_in_each_counter_by_name() {
    let mut log = with_user(USER);
    let good = log
        .draft(&act(EntryType::Suspended, DELEGATION, USER))
        .unwrap();
    assert_eq!((good.index, good.prev_subject, good.subject_seq), (4, 3, 2));
    for found in [3, 5] {
        let refusal = StepError::IndexMismatch { expected: 4, found };
        refuses(
            &mut log,
            &Entry {
                index: found,
                ..good
            },
            refusal,
        );
    }
    for found in [2, 4, NO_PREVIOUS] {
        let refusal = StepError::PreviousMismatch { expected: 3, found };
        refuses(
            &mut log,
            &Entry {
                prev_subject: found,
                ..good
            },
            refusal,
        );
    }
    for found in [0, 1, 3] {
        let refusal = StepError::SequenceMismatch { expected: 2, found };
        refuses(
            &mut log,
            &Entry {
                subject_seq: found,
                ..good
            },
            refusal,
        );
    }
    log.step(&good).unwrap();
}

#[test]
fn refuses_time_that_decreases_below_entry_or_floor() {
    let mut log = with_user(USER);
    let entry = log
        .draft(&act(EntryType::Suspended, DELEGATION, USER))
        .unwrap();
    refuses(
        &mut log,
        &Entry {
            time_ms: TIME - 1,
            ..entry
        },
        StepError::TimeDecreased,
    );
    log.seal_state_root(TIME, 5_000).unwrap();
    let entry = log
        .draft(&act(EntryType::Suspended, DELEGATION, USER))
        .unwrap();
    assert_eq!(
        entry.time_ms, 5_000,
        "a lagging clock is raised to the floor"
    );
    refuses(
        &mut log,
        &Entry {
            time_ms: 4_999,
            ..entry
        },
        StepError::TimeDecreased,
    );
    log.step(&entry).unwrap();
}

#[test]
fn refuses_zero_handles_and_handles_in_use() {
    let mut log = started();
    let good = log
        .draft(&act(EntryType::UserProvisioned, DELEGATION, USER))
        .unwrap();
    refuses(
        &mut log,
        &Entry {
            actor: Handle::ZERO,
            ..good
        },
        StepError::ActorZero,
    );
    refuses(
        &mut log,
        &Entry {
            subject: Handle::ZERO,
            ..good
        },
        StepError::SubjectZero,
    );
    refuses(
        &mut log,
        &Entry {
            subject: INSTANCE,
            ..good
        },
        StepError::HandleInUse,
    );
    let boot = log
        .draft(&act(EntryType::Boot, Handle([9; 32]), TENANT))
        .unwrap();
    for taken in [TENANT, DELEGATION, WINDOW] {
        refuses(
            &mut log,
            &Entry {
                actor: taken,
                ..boot
            },
            StepError::HandleInUse,
        );
    }
    let mut empty = LogState::new();
    let genesis = empty
        .draft(&act(EntryType::Genesis, INSTANCE, TENANT))
        .unwrap();
    refuses(
        &mut empty,
        &Entry {
            actor: TENANT,
            ..genesis
        },
        StepError::HandleInUse,
    );
}

#[test]
fn refuses_an_actor_that_nobody_knows() {
    let mut log = started();
    let good = log
        .draft(&act(EntryType::UserProvisioned, DELEGATION, USER))
        .unwrap();
    refuses(
        &mut log,
        &Entry {
            actor: Handle([9; 32]),
            ..good
        },
        StepError::ActorUnknown,
    );
    refuses(
        &mut log,
        &Entry {
            actor: USER,
            ..good
        },
        StepError::ActorUnknown,
    );
    let kind = EntryType::UserProvisioned;
    for actor in [TENANT, INSTANCE] {
        refuses(
            &mut log,
            &Entry { actor, ..good },
            StepError::ActorNotAllowed { kind },
        );
    }
}

#[test]
fn refuses_a_delegation_that_is_not_live_at_that_index() {
    let mut log = started();
    let good = log
        .draft(&act(EntryType::UserProvisioned, DELEGATION, USER))
        .unwrap();
    // The open window would stop everything once overdue.
    log.append(&act(EntryType::BreakGlassClosed, TENANT, WINDOW))
        .unwrap();
    let good = Entry {
        index: good.index + 1,
        ..good
    };
    log.clone()
        .step(&Entry {
            time_ms: 8_999,
            ..good
        })
        .unwrap();
    refuses(
        &mut log,
        &Entry {
            time_ms: 9_000,
            ..good
        },
        StepError::DelegationNotLive,
    );

    let mut later = act(EntryType::DelegationGranted, TENANT, Handle([8; 32]));
    later.object_commit = Validity {
        not_before_ms: 2_000,
        not_after_ms: 9_000,
    }
    .to_object_commit();
    log.append(&later).unwrap();
    let early = Entry {
        index: good.index + 1,
        actor: Handle([8; 32]),
        ..good
    };
    refuses(
        &mut log,
        &Entry {
            time_ms: 1_999,
            ..early
        },
        StepError::DelegationNotLive,
    );
    log.clone()
        .step(&Entry {
            time_ms: 2_000,
            ..early
        })
        .unwrap();

    log.append(&act(EntryType::DelegationRevoked, TENANT, DELEGATION))
        .unwrap();
    let good = Entry {
        index: good.index + 2,
        ..good
    };
    refuses(&mut log, &good, StepError::DelegationNotLive);
    assert!(!log.is_delegation_live(&DELEGATION, TIME));
}

#[test]
fn refuses_everything_but_closing_after_a_break_glass_window_expired() {
    let mut log = with_user(USER);
    let mut late = act(EntryType::Suspended, DELEGATION, USER);
    late.now_ms = 9_000;
    let mut delegation = act(EntryType::DelegationGranted, TENANT, Handle([8; 32]));
    delegation.object_commit = validity(90_000);
    log.append(&delegation).unwrap();
    late.actor = Handle([8; 32]);
    let entry = log.draft(&late).unwrap();
    refuses(&mut log, &entry, StepError::BreakGlassOverdue);
    assert_eq!(log.overdue_break_glass(8_999), None);
    assert_eq!(log.overdue_break_glass(9_000), Some(WINDOW));
    let mut close = act(EntryType::BreakGlassClosed, INSTANCE, WINDOW);
    close.now_ms = 9_000;
    close.authz_hash = Digest::ZERO;
    log.append(&close).unwrap();
    log.append(&late).unwrap();
    let kind = EntryType::BreakGlassClosed;
    let again = log.append(&close).unwrap_err();
    assert_eq!(
        again,
        StepError::IllegalTransition {
            kind,
            from: Some(SubjectState::Closed)
        }
    );
}

#[test]
fn refuses_acts_of_a_closed_or_expired_window() {
    let mut log = started();
    log.append(&act(EntryType::UserProvisioned, WINDOW, USER))
        .unwrap();
    log.append(&act(EntryType::BreakGlassClosed, TENANT, WINDOW))
        .unwrap();
    let error = log
        .append(&act(EntryType::Suspended, WINDOW, USER))
        .unwrap_err();
    assert_eq!(error, StepError::BreakGlassNotOpen);
}

#[test]
fn refuses_nearly_everything_while_the_tenant_is_frozen() {
    let mut log = with_user(USER);
    log.append(&act(EntryType::TenantFrozen, TENANT, TENANT))
        .unwrap();
    for kind in [
        EntryType::Suspended,
        EntryType::ProfileChanged,
        EntryType::KeyRotated,
    ] {
        let entry = log.draft(&act(kind, DELEGATION, USER)).unwrap();
        refuses(&mut log, &entry, StepError::TenantFrozen);
    }
    let mut rekey = log.draft(&act(EntryType::Boot, INSTANCE, TENANT)).unwrap();
    rekey.kind = EntryType::Rekey;
    refuses(&mut log, &rekey, StepError::TenantFrozen);
    log.append(&act(EntryType::Boot, Handle([9; 32]), TENANT))
        .unwrap();
    assert_eq!(log.instance(), Handle([9; 32]));
    log.append(&act(EntryType::FaultNoted, Handle([9; 32]), TENANT))
        .unwrap();
    log.append(&act(EntryType::RecoveryPerformed, TENANT, TENANT))
        .unwrap();
    log.append(&act(EntryType::Suspended, DELEGATION, USER))
        .unwrap();
}

#[test]
fn boot_ends_the_authority_of_the_instance_before() {
    let mut log = started();
    log.append(&act(EntryType::Boot, Handle([9; 32]), TENANT))
        .unwrap();
    let error = log
        .append(&act(EntryType::FaultNoted, INSTANCE, TENANT))
        .unwrap_err();
    assert_eq!(error, StepError::ActorUnknown);
}

#[test]
fn refuses_commitments_that_a_type_must_or_must_not_have() {
    for &kind in EntryType::ALL {
        let legal::Case { actor, subject, .. } =
            *legal::CASES.iter().find(|case| case.kind == kind).unwrap();
        let mut log = if kind == EntryType::Genesis {
            LogState::new()
        } else {
            legal::world()
        };
        let good = log.draft(&act(kind, actor, subject)).unwrap();
        log.clone().step(&good).unwrap();
        let row = rule(kind);
        match row.key {
            KeyRule::Required => {
                let bad = Entry {
                    key_commit: Digest::ZERO,
                    ..good
                };
                refuses(&mut log, &bad, StepError::KeyCommitMissing);
            }
            KeyRule::Forbidden => {
                let bad = Entry {
                    key_commit: Digest([1; 32]),
                    ..good
                };
                refuses(&mut log, &bad, StepError::KeyCommitForbidden);
            }
            KeyRule::Optional => {
                log.clone()
                    .step(&Entry {
                        key_commit: Digest([1; 32]),
                        ..good
                    })
                    .unwrap();
            }
        }
        match row.object {
            ObjectRule::Required => {
                let bad = Entry {
                    object_commit: Digest::ZERO,
                    ..good
                };
                refuses(&mut log, &bad, StepError::ObjectCommitMissing);
            }
            ObjectRule::Validity => {
                let bad = Entry {
                    object_commit: Digest([1; 32]),
                    ..good
                };
                refuses(&mut log, &bad, StepError::ValidityInvalid);
                let bad = Entry {
                    object_commit: validity(TIME),
                    ..good
                };
                refuses(&mut log, &bad, StepError::AlreadyExpired);
            }
            ObjectRule::Optional => {}
        }
        let unsigned = Entry {
            authz_hash: Digest::ZERO,
            ..good
        };
        if actor == INSTANCE {
            log.clone().step(&unsigned).unwrap();
        } else {
            refuses(&mut log, &unsigned, StepError::EvidenceMissing);
        }
    }
}

#[test]
fn claim_and_rotation_count_key_versions() {
    let mut log = with_user(USER);
    assert_eq!(log.subject(&USER).unwrap().key_version, 1);
    let mut claim = act(EntryType::KeyConfirmed, USER, USER);
    claim.key_commit = Digest([0xdd; 32]);
    log.append(&claim).unwrap();
    let state = *log.subject(&USER).unwrap();
    assert_eq!(
        (state.key_version, state.key_commit),
        (2, Digest([0xdd; 32]))
    );
    assert_eq!(state.state, SubjectState::Confirmed);
    // A second claim fails the state machine.
    let kind = EntryType::KeyConfirmed;
    let from = Some(SubjectState::Confirmed);
    assert_eq!(
        log.append(&claim).unwrap_err(),
        StepError::IllegalTransition { kind, from }
    );
    // The service makes a new pending keyset: back to provisioned.
    log.append(&act(EntryType::KeyRotated, DELEGATION, USER))
        .unwrap();
    let state = log.subject(&USER).unwrap();
    assert_eq!(
        (state.key_version, state.state),
        (3, SubjectState::Provisioned)
    );
}

#[test]
fn reactivation_returns_to_the_state_before() {
    let mut log = with_user(USER);
    log.append(&act(EntryType::Suspended, DELEGATION, USER))
        .unwrap();
    log.append(&act(EntryType::Reactivated, DELEGATION, USER))
        .unwrap();
    assert_eq!(log.subject(&USER).unwrap().state, SubjectState::Provisioned);
    log.append(&act(EntryType::KeyConfirmed, USER, USER))
        .unwrap();
    log.append(&act(EntryType::Suspended, DELEGATION, USER))
        .unwrap();
    let entry = log
        .draft(&act(EntryType::Reactivated, DELEGATION, USER))
        .unwrap();
    let refusal = StepError::NewStateMismatch {
        expected: SubjectState::Confirmed,
        found: SubjectState::Provisioned,
    };
    refuses(
        &mut log,
        &Entry {
            new_state: SubjectState::Provisioned,
            ..entry
        },
        refusal,
    );
    log.step(&entry).unwrap();
    assert_eq!(log.subject(&USER).unwrap().state, SubjectState::Confirmed);
}

#[test]
fn suspended_and_deleted_users_cannot_use_their_keys() {
    let mut log = with_user(USER);
    log.append(&act(EntryType::KeyConfirmed, USER, USER))
        .unwrap();
    log.append(&act(EntryType::Suspended, DELEGATION, USER))
        .unwrap();
    for kind in [EntryType::KeyConfirmed, EntryType::KeyRotated] {
        let from = Some(SubjectState::SuspendedConfirmed);
        let error = log.append(&act(kind, USER, USER)).unwrap_err();
        assert_eq!(error, StepError::IllegalTransition { kind, from });
    }
    log.append(&act(EntryType::Deleted, DELEGATION, USER))
        .unwrap();
    for kind in [
        EntryType::KeyRotated,
        EntryType::Reactivated,
        EntryType::ProfileChanged,
    ] {
        let from = Some(SubjectState::Deleted);
        let error = log.append(&act(kind, DELEGATION, USER)).unwrap_err();
        assert_eq!(error, StepError::IllegalTransition { kind, from });
    }
}

#[test]
fn erased_subjects_leave_the_directory_and_never_return() {
    let mut log = with_user(USER);
    let before = log.clone().dir_root();
    log.append(&act(EntryType::Deleted, DELEGATION, USER))
        .unwrap();
    log.append(&act(EntryType::Erased, INSTANCE, USER)).unwrap();
    assert!(log.subject(&USER).is_none() && log.is_erased(&USER));
    let root = log.dir_root();
    assert_ne!(root, before);
    let proof = log.prove_subject(&USER);
    assert_eq!(proof.verify(&root, &handle_key(&USER)), Ok(Lookup::Absent));
    let mut entry = log
        .draft(&act(EntryType::UserProvisioned, DELEGATION, USER))
        .unwrap();
    refuses(&mut log, &entry, StepError::SubjectErased);
    entry = log
        .draft(&act(
            EntryType::UserProvisioned,
            DELEGATION,
            Handle([7; 32]),
        ))
        .unwrap();
    refuses(
        &mut log,
        &Entry {
            actor: USER,
            ..entry
        },
        StepError::SubjectErased,
    );
    log.step(&entry).unwrap();
}

#[test]
fn group_leaf_commits_to_members_and_epoch_key() {
    let mut log = started();
    log.append(&act(EntryType::GroupCreated, DELEGATION, GROUP))
        .unwrap();
    let state = |log: &LogState| *log.subject(&GROUP).unwrap();
    assert_eq!(
        state(&log).key_commit,
        group_commit(&Digest::ZERO, &Digest::ZERO)
    );
    let mut members = act(EntryType::GroupMemberChanged, DELEGATION, GROUP);
    members.object_commit = Digest([1; 32]);
    log.append(&members).unwrap();
    assert_eq!(
        state(&log).key_commit,
        group_commit(&Digest([1; 32]), &Digest::ZERO)
    );
    assert_eq!(state(&log).key_version, 0);
    let mut epoch = act(EntryType::GroupEpochStarted, INSTANCE, GROUP);
    epoch.key_commit = Digest([2; 32]);
    log.append(&epoch).unwrap();
    assert_eq!(
        state(&log).key_commit,
        group_commit(&Digest([1; 32]), &Digest([2; 32]))
    );
    assert_eq!(state(&log).key_version, 1);
    // A new name of the group is not a new member set.
    let mut name = act(EntryType::NameChanged, DELEGATION, GROUP);
    name.object_commit = Digest([3; 32]);
    log.append(&name).unwrap();
    assert_eq!(
        state(&log).key_commit,
        group_commit(&Digest([1; 32]), &Digest([2; 32]))
    );
}

#[test]
fn chain_commits_to_every_entry_of_the_subject() {
    let mut log = started();
    let mut chain = Digest::ZERO;
    let provisioned = log
        .append(&act(EntryType::UserProvisioned, DELEGATION, USER))
        .unwrap();
    chain = chain_next(&chain, &provisioned.leaf_hash());
    log.append(&act(
        EntryType::UserProvisioned,
        DELEGATION,
        Handle([7; 32]),
    ))
    .unwrap();
    let suspended = log
        .append(&act(EntryType::Suspended, DELEGATION, USER))
        .unwrap();
    chain = chain_next(&chain, &suspended.leaf_hash());
    let state = log.subject(&USER).unwrap();
    assert_eq!(
        (state.chain, state.first, state.last, state.seq),
        (chain, 3, 5, 2)
    );
}

#[test]
fn refuses_too_many_delegations_and_windows() {
    let mut log = LogState::new();
    log.append(&act(EntryType::Genesis, INSTANCE, TENANT))
        .unwrap();
    let mut seeded = Seeded(9);
    for _ in 0..LIVE_DELEGATIONS_MAX {
        let handle = Handle(seeded.bytes32());
        log.append(&act(EntryType::DelegationGranted, TENANT, handle))
            .unwrap();
    }
    let one_more = act(EntryType::DelegationGranted, TENANT, DELEGATION);
    assert_eq!(
        log.append(&one_more).unwrap_err(),
        StepError::TooManyDelegations
    );
    for _ in 0..OPEN_BREAK_GLASS_MAX {
        let handle = Handle(seeded.bytes32());
        log.append(&act(EntryType::BreakGlassOpened, TENANT, handle))
            .unwrap();
    }
    let one_more = act(EntryType::BreakGlassOpened, TENANT, WINDOW);
    assert_eq!(
        log.append(&one_more).unwrap_err(),
        StepError::TooManyBreakGlass
    );
}

#[test]
fn expired_delegations_make_room() {
    let mut log = LogState::new();
    log.append(&act(EntryType::Genesis, INSTANCE, TENANT))
        .unwrap();
    let mut seeded = Seeded(10);
    for _ in 0..LIVE_DELEGATIONS_MAX {
        let handle = Handle(seeded.bytes32());
        log.append(&act(EntryType::DelegationGranted, TENANT, handle))
            .unwrap();
    }
    let mut later = act(EntryType::DelegationGranted, TENANT, DELEGATION);
    later.now_ms = 9_000;
    later.object_commit = validity(10_000);
    log.append(&later).unwrap();
    assert_eq!(log.delegations().count(), 1);
}

#[test]
fn refuses_to_count_past_the_end() {
    let suspend = act(EntryType::Suspended, DELEGATION, USER);
    let mut full_batch = with_user(USER);
    full_batch.batch_entries = u32::MAX;
    let entry = full_batch.draft(&suspend).unwrap();
    refuses(&mut full_batch, &entry, StepError::CounterExhausted);
    let mut full_log = with_user(USER);
    full_log.next_index = NO_PREVIOUS - 1;
    let entry = full_log.draft(&suspend).unwrap();
    refuses(&mut full_log, &entry, StepError::CounterExhausted);
    let mut old_subject = with_user(USER);
    let slot = old_subject.directory.tag(&handle_key(&USER)).unwrap();
    old_subject.subjects.at_mut(slot).seq = u32::MAX;
    assert_eq!(
        old_subject.append(&suspend),
        Err(StepError::CounterExhausted)
    );
    let mut many_keys = with_user(USER);
    many_keys.subjects.at_mut(slot).key_version = u32::MAX;
    let entry = many_keys
        .draft(&act(EntryType::KeyConfirmed, USER, USER))
        .unwrap();
    refuses(&mut many_keys, &entry, StepError::CounterExhausted);
}

#[test]
fn refuses_each_malformed_field_of_a_state_root_by_name() {
    let mut log = with_user(USER);
    log.name_bind([1; 32], Digest([2; 32])).unwrap();
    let good = log.clone().seal_state_root(TIME, 900).unwrap();
    let cases = [
        (
            StateRoot { index: 5, ..good },
            StepError::IndexMismatch {
                expected: 4,
                found: 5,
            },
        ),
        (
            StateRoot {
                time_ms: TIME - 1,
                ..good
            },
            StepError::TimeDecreased,
        ),
        (
            StateRoot { batch: 1, ..good },
            StepError::BatchMismatch {
                expected: 0,
                found: 1,
            },
        ),
        (
            StateRoot { entries: 5, ..good },
            StepError::EntriesMismatch {
                expected: 4,
                found: 5,
            },
        ),
        (
            StateRoot {
                time_floor_ms: TIME + 1,
                ..good
            },
            StepError::FloorAfterTime,
        ),
        (
            StateRoot {
                dir_root: Digest([1; 32]),
                ..good
            },
            StepError::DirRootMismatch,
        ),
        (
            StateRoot {
                dir_update: Digest([1; 32]),
                ..good
            },
            StepError::DirUpdateMismatch,
        ),
    ];
    for (bad, expected) in cases {
        let before = fingerprint(&mut log);
        assert_eq!(log.check_state_root(&bad), Err(expected));
        assert_eq!(fingerprint(&mut log), before);
    }
    log.check_state_root(&good).unwrap();
    assert_eq!(log.seal_state_root(TIME, 900), Err(StepError::EmptyBatch));
    log.append(&act(EntryType::Suspended, DELEGATION, USER))
        .unwrap();
    let next = log.clone().seal_state_root(TIME, 0).unwrap();
    assert_eq!((next.batch, next.entries, next.time_floor_ms), (1, 1, 900));
    let bad = StateRoot {
        time_floor_ms: 899,
        ..next
    };
    assert_eq!(log.check_state_root(&bad), Err(StepError::FloorDecreased));
}

#[test]
fn journal_replay_without_directory_checks_the_rest_and_ends_at_the_same_root() {
    let mut log = with_user(USER);
    let mut replay = log.clone();
    let root = log.seal_state_root(TIME, 0).unwrap();
    let bad = StateRoot { entries: 9, ..root };
    let refusal = StepError::EntriesMismatch {
        expected: 4,
        found: 9,
    };
    assert_eq!(
        replay.dangerous_check_state_root_without_directory(&bad),
        Err(refusal)
    );
    let other = StateRoot {
        dir_root: Digest([1; 32]),
        ..root
    };
    assert_eq!(
        replay.clone().check_state_root(&other),
        Err(StepError::DirRootMismatch)
    );
    replay
        .dangerous_check_state_root_without_directory(&other)
        .unwrap();
    assert_ne!(
        replay.dir_root(),
        other.dir_root,
        "the comparison at the end tells"
    );
    assert_eq!(replay.dir_root(), root.dir_root);
    assert_eq!(
        (replay.next_index(), replay.batch()),
        (log.next_index(), log.batch())
    );
}

#[test]
fn refuses_name_changes_in_a_batch_that_moves_no_names() {
    let mut log = with_user(USER);
    log.seal_state_root(TIME, 0).unwrap();
    log.append(&act(EntryType::ProfileChanged, DELEGATION, USER))
        .unwrap();
    log.name_bind([1; 32], Digest([2; 32])).unwrap();
    assert_eq!(
        log.seal_state_root(TIME, 0),
        Err(StepError::NameChangeWithoutEntry)
    );
    log.append(&act(EntryType::NameChanged, DELEGATION, USER))
        .unwrap();
    log.seal_state_root(TIME, 0).unwrap();
}

#[test]
fn names_are_bound_once_and_released_once() {
    let mut log = with_user(USER);
    let label = [1; 32];
    assert_eq!(log.name_release(label), Err(StepError::NameUnbound));
    assert_eq!(
        log.name_bind(label, Digest::ZERO),
        Err(StepError::NameValueZero)
    );
    log.name_bind(label, Digest([2; 32])).unwrap();
    assert_eq!(
        log.name_bind(label, Digest([3; 32])),
        Err(StepError::NameTaken)
    );
    assert_eq!(log.name(&label), Some(Digest([2; 32])));
    assert_eq!(log.name_release(label), Ok(Digest([2; 32])));
    assert_eq!(log.name(&label), None);
    let subject = handle_key(&USER);
    assert_eq!(
        log.name_bind(subject, Digest([2; 32])),
        Err(StepError::LabelIsSubject)
    );
    assert_eq!(log.name_release(subject), Err(StepError::LabelIsSubject));
    let change = NameChange {
        label: subject,
        value: None,
    };
    assert_eq!(
        log.apply_name_changes(&[change]),
        Err(StepError::LabelIsSubject)
    );
}

#[test]
fn refuses_a_subject_whose_place_in_the_directory_a_name_took() {
    let mut log = started();
    log.name_bind(handle_key(&USER), Digest([2; 32])).unwrap();
    let entry = log
        .draft(&act(EntryType::UserProvisioned, DELEGATION, USER))
        .unwrap();
    refuses(&mut log, &entry, StepError::HandleInUse);
}

#[test]
fn name_changes_are_net_over_the_batch() {
    let mut log = with_user(USER);
    log.name_bind([1; 32], Digest([2; 32])).unwrap();
    log.name_bind([3; 32], Digest([4; 32])).unwrap();
    log.name_release([3; 32]).unwrap();
    let expected = [NameChange {
        label: [1; 32],
        value: Some(Digest([2; 32])),
    }];
    assert_eq!(log.name_changes(), expected);
    log.seal_state_root(TIME, 0).unwrap();
    assert!(log.name_changes().is_empty());
    log.append(&act(EntryType::Suspended, DELEGATION, USER))
        .unwrap();
    log.name_release([1; 32]).unwrap();
    assert_eq!(
        log.name_changes(),
        [NameChange {
            label: [1; 32],
            value: None
        }]
    );
}

#[test]
fn refuses_lists_of_name_changes_that_are_not_canonical() {
    let mut log = with_user(USER);
    let bind = |byte: u8| NameChange {
        label: [byte; 32],
        value: Some(Digest([2; 32])),
    };
    let refusal = Err(StepError::NameListNotCanonical);
    assert_eq!(log.apply_name_changes(&[bind(2), bind(1)]), refusal);
    assert_eq!(log.apply_name_changes(&[bind(1), bind(1)]), refusal);
    let nothing = NameChange {
        label: [1; 32],
        value: None,
    };
    assert_eq!(log.apply_name_changes(&[nothing]), refusal);
    let zero = NameChange {
        label: [1; 32],
        value: Some(Digest::ZERO),
    };
    assert_eq!(
        log.apply_name_changes(&[zero]),
        Err(StepError::NameValueZero)
    );
    assert!(
        log.name_changes().is_empty(),
        "a refused list left something behind"
    );
    log.apply_name_changes(&[bind(1), bind(2)]).unwrap();
    assert_eq!(log.name_changes(), [bind(1), bind(2)]);
}

#[test]
fn lists_of_name_changes_have_one_encoding() {
    let changes = [
        NameChange {
            label: [1; 32],
            value: Some(Digest([2; 32])),
        },
        NameChange {
            label: [3; 32],
            value: None,
        },
    ];
    let bytes = NameChange::encode_list(&changes);
    crate::testing::check_strict(&bytes, NameChange::decode_list, |list| {
        NameChange::encode_list(list)
    });
    let swapped = NameChange::encode_list(&[changes[1], changes[0]]);
    let refusal = crate::DecodeError::NotCanonical {
        field: "name changes",
    };
    assert_eq!(NameChange::decode_list(&swapped), Err(refusal));
    let huge = u32::MAX.to_be_bytes();
    assert!(NameChange::decode_list(&huge).is_err());
}

#[test]
fn monitor_replays_a_seeded_log_to_the_same_roots() {
    let mut seeded = Seeded(11);
    let mut log = started();
    let mut monitor = LogState::new();
    // The monitor starts from the same first three entries.
    for draft in [
        act(EntryType::Genesis, INSTANCE, TENANT),
        act(EntryType::DelegationGranted, TENANT, DELEGATION),
        act(EntryType::BreakGlassOpened, TENANT, WINDOW),
    ] {
        monitor.append(&draft).unwrap();
    }
    let mut users: Vec<Handle> = Vec::new();
    let kinds = [
        EntryType::Suspended,
        EntryType::Reactivated,
        EntryType::NameChanged,
        EntryType::KeyRotated,
        EntryType::Deleted,
        EntryType::Erased,
    ];
    for batch in 0..60_u64 {
        let mut leaves = Vec::new();
        for _ in 0..1 + seeded.below(8) {
            let fresh = users.is_empty() || seeded.below(2) == 0;
            if fresh {
                let user = Handle(seeded.bytes32());
                leaves.push(log.append(&act(EntryType::UserProvisioned, DELEGATION, user)));
                log.name_bind(user.0, Digest(seeded.bytes32())).unwrap();
                users.push(user);
            } else {
                let at = usize::try_from(seeded.below(u64::try_from(users.len()).unwrap()));
                let user = users[at.unwrap()];
                let kind = kinds[usize::try_from(seeded.below(6)).unwrap()];
                leaves.push(log.append(&act(kind, DELEGATION, user)));
            }
        }
        let accepted: Vec<Entry> = leaves.into_iter().filter_map(Result::ok).collect();
        if accepted.is_empty() {
            continue;
        }
        let names = NameChange::encode_list(&log.name_changes());
        let root = log.seal_state_root(TIME + batch, 0).unwrap();
        for entry in &accepted {
            monitor
                .step(&Entry::decode(&entry.encode()).unwrap())
                .unwrap();
        }
        monitor
            .apply_name_changes(&NameChange::decode_list(&names).unwrap())
            .unwrap();
        monitor
            .check_state_root(&StateRoot::decode(&root.encode()).unwrap())
            .unwrap();
    }
    assert_eq!(log.subjects(), monitor.subjects());
    for state in log.subjects() {
        let root = log.dir_root();
        let proof = log.prove_subject(&state.handle);
        let key = handle_key(&state.handle);
        assert_eq!(
            proof.verify(&root, &key),
            Ok(Lookup::Present(state.value()))
        );
    }
}

#[test]
fn any_changed_byte_of_an_entry_is_refused_or_changes_the_root() {
    let mut log = with_user(USER);
    let good = log
        .draft(&act(EntryType::Suspended, DELEGATION, USER))
        .unwrap();
    let mut honest = log.clone();
    honest.step(&good).unwrap();
    let expected = honest.dir_root();
    for at in 0..crate::entry::ENTRY_SIZE {
        let mut bytes = good.encode();
        bytes[at] ^= 1;
        let Ok(changed) = Entry::decode(&bytes) else {
            continue;
        };
        let mut other = log.clone();
        if other.step(&changed).is_ok() {
            assert_ne!(other.dir_root(), expected, "byte {at}");
        }
    }
    log.step(&good).unwrap();
}

#[test]
fn a_subject_costs_less_than_300_bytes() {
    let mut log = started();
    let mut seeded = Seeded(12);
    let users = 5_000;
    for _ in 0..users {
        let user = Handle(seeded.bytes32());
        log.append(&act(EntryType::UserProvisioned, DELEGATION, user))
            .unwrap();
    }
    assert!(
        log.memory_bytes() < users * 300,
        "{} bytes",
        log.memory_bytes()
    );
}

#[test]
fn every_error_says_something_of_its_own() {
    let kind = EntryType::Boot;
    let errors = [
        StepError::IndexMismatch {
            expected: 1,
            found: 2,
        },
        StepError::TimeDecreased,
        StepError::GenesisMissing,
        StepError::IllegalTransition { kind, from: None },
        StepError::IllegalTransition {
            kind,
            from: Some(SubjectState::Active),
        },
        StepError::ActorNotAllowed { kind },
        StepError::DelegationNotLive,
        StepError::BreakGlassOverdue,
        StepError::DirRootMismatch,
    ];
    let texts: BTreeSet<_> = errors.iter().map(shown).collect();
    assert_eq!(texts.len(), errors.len());
}
