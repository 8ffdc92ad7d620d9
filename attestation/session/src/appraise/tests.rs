#![expect(
    clippy::arithmetic_side_effects,
    reason = "the tests' own small numbers"
)]

mod edges;
mod hostile;
mod world;

use std::string::ToString;
use std::vec;

use chancery_verify::Amd;
use chancery_verify::CheckId;

use self::world::NOW_MS;
use self::world::TestAnchor;
use self::world::World;
use super::*;
use crate::exchange::ProofMode;
use crate::limits::CHECKPOINT_AGE_MS_MAX;

fn failed(refusal: &SessionRefusal) -> Vec<&'static str> {
    refusal.failed().map(|row| row.check.name()).collect()
}

#[test]
fn accepts_an_honest_session_in_both_modes() {
    for mode in [ProofMode::Epoch, ProofMode::Hardware] {
        let mut world = World::new();
        world.proof_mode = mode;
        let (session, head) = world.appraise().unwrap_or_else(|refusal| {
            panic!("{:?}", refusal.failed().collect::<Vec<_>>());
        });
        assert_eq!(session.mode(), Mode::Emulated);
        assert_eq!(session.proof_mode(), mode);
        assert_eq!(session.verdict().release().id, "test");
        assert_eq!(session.not_after_ms(), world.node.not_after_ms);
        let served = session.checkpoint();
        let expected = RememberedHead {
            size: served.size(),
            root: served.root().0,
            policy_version: 1,
            floors_version: 1,
        };
        assert_eq!(head, expected);
    }
}

#[test]
fn rows_stand_in_step_order_and_say_what_was_not_checked() {
    let (session, _) = World::new().appraise().unwrap();
    let steps: Vec<u8> = session.rows().iter().map(|row| row.check.step()).collect();
    assert!(steps.is_sorted(), "{steps:?}");
    assert_eq!(session.rows()[0].check, SessionCheck::DeploymentMode);
    assert_eq!(session.rows()[0].got, "EMULATED");
    let skipped: Vec<&str> = session
        .rows()
        .iter()
        .filter(|row| row.outcome == Outcome::NotChecked)
        .map(|row| row.check.name())
        .collect();
    assert_eq!(
        skipped,
        [
            "id_block",
            "guest_svn",
            "family_id",
            "image_id",
            "checkpoint_extends",
            "policy_version",
            "floors_forward"
        ]
    );
    let appraised =
        |row: &SessionRow| matches!(row.check, SessionCheck::Evidence(CheckId::ReportSignature));
    assert!(session.rows().iter().any(appraised));
}

#[test]
fn a_client_of_amd_refuses_an_emulated_deployment_and_its_evidence() {
    let mut world = World::new();
    let (deployment, response, observed) = world.build();
    let result = appraise_session(&deployment, &Amd, &response, &observed, None, NOW_MS);
    assert_eq!(failed(&result.unwrap_err()), ["deployment_mode"]);

    // The same with a deployment file that claims hardware: the statements do not.
    world.mode = Mode::Amd;
    let (deployment, response, observed) = world.build();
    let result = appraise_session(&deployment, &Amd, &response, &observed, None, NOW_MS);
    assert_eq!(failed(&result.unwrap_err()), ["node_statement"]);

    // The same with relabelled statements: the root is not AMD's.
    world.node.mode = Mode::Amd;
    world.session.mode = Mode::Amd;
    let (deployment, response, observed) = world.build();
    let result = appraise_session(&deployment, &Amd, &response, &observed, None, NOW_MS);
    assert_eq!(failed(&result.unwrap_err()), ["root_pinned"]);
}

#[test]
fn an_emulated_client_refuses_a_deployment_that_claims_hardware() {
    let mut world = World::new();
    world.mode = Mode::Amd;
    assert_eq!(failed(&world.appraise().unwrap_err()), ["deployment_mode"]);
}

#[test]
fn a_tls_row_that_failed_or_is_missing_refuses_the_session() {
    let mut world = World::new();
    let honest = world.tls_rows.clone();
    for index in 0..honest.len() {
        let name = honest[index].check.name();
        world.tls_rows = honest.clone();
        world.tls_rows[index].outcome = Outcome::Failed;
        assert_eq!(failed(&world.appraise().unwrap_err()), [name]);
        world.tls_rows[index].outcome = Outcome::NotChecked;
        assert_eq!(failed(&world.appraise().unwrap_err()), [name]);
        world.tls_rows.remove(index);
        assert_eq!(failed(&world.appraise().unwrap_err()), [name]);
    }
    let group = SessionRow::new(SessionCheck::TlsGroup, "a", "b", Outcome::Failed);
    world.tls_rows = [honest, vec![group]].concat();
    assert_eq!(failed(&world.appraise().unwrap_err()), ["tls_group"]);
}

#[test]
fn a_name_without_server_name_indication_still_needs_the_node_s_key() {
    let mut world = World::new();
    world.session.server_name = crate::ABSENT.to_string();
    world.observed_server_name = crate::ABSENT.to_string();
    assert!(world.appraise().is_ok());
    world.node.certificates[0].spki_sha256 = [0; 32];
    assert_eq!(failed(&world.appraise().unwrap_err()), ["node_certificate"]);
}

#[test]
fn what_is_remembered_only_moves_forward() {
    let mut world = World::new();
    let (_, first) = world.appraise().unwrap();

    // The same head again.
    world.remembered = Some(Remembered {
        head: first,
        consistency: None,
    });
    let (_, again) = world.appraise().unwrap();
    assert_eq!(again, first);

    // A longer log with a proof moves it, without one there is no session.
    world.extra_leaves = 3;
    let SessionOutcome::ProofNeeded(needed) = world.outcome().unwrap() else {
        panic!("a session without a proof");
    };
    assert_eq!(needed.served_size(), first.size + 3);
    let unproved = |row: &&SessionRow| row.check == SessionCheck::CheckpointExtends;
    let row = needed.rows().iter().find(unproved).unwrap();
    assert_eq!(row.outcome, Outcome::NotChecked);
    let proof = world.consistency(first.size);
    world.remembered = Some(Remembered {
        head: first,
        consistency: Some(proof.clone()),
    });
    let (_, moved) = world.appraise().unwrap();
    assert_eq!(moved.size, first.size + 3);

    // A proof that does not fit.
    let spoiled = proof.iter().map(|_| Hash([0; 32])).collect();
    world.remembered = Some(Remembered {
        head: first,
        consistency: Some(spoiled),
    });
    assert_eq!(
        failed(&world.appraise().unwrap_err()),
        ["checkpoint_extends"]
    );
}

#[test]
fn what_is_shorter_forked_or_older_than_remembered_is_refused() {
    let mut world = World::new();
    let (_, first) = world.appraise().unwrap();
    let moved = RememberedHead {
        size: first.size + 3,
        ..first
    };

    // A shorter log, and another log of the same size, whatever proof comes with them.
    world.remembered = Some(Remembered {
        head: moved,
        consistency: None,
    });
    world.extra_leaves = 0;
    assert_eq!(
        failed(&world.appraise().unwrap_err()),
        ["checkpoint_extends"]
    );
    let forked = RememberedHead {
        root: [0; 32],
        ..first
    };
    world.remembered = Some(Remembered {
        head: forked,
        consistency: Some(vec![]),
    });
    assert_eq!(
        failed(&world.appraise().unwrap_err()),
        ["checkpoint_extends"]
    );

    // An older policy, and older floors.
    let newer_policy = RememberedHead {
        policy_version: 2,
        ..first
    };
    let newer_floors = RememberedHead {
        floors_version: 2,
        ..first
    };
    for (head, check) in [
        (newer_policy, "policy_version"),
        (newer_floors, "floors_forward"),
    ] {
        world.remembered = Some(Remembered {
            head,
            consistency: None,
        });
        assert_eq!(failed(&world.appraise().unwrap_err()), [check]);
    }
}

#[test]
fn freshness_is_bounded_by_the_own_clock_and_by_the_witnesses() {
    let at = |change: &dyn Fn(&mut World)| {
        let mut world = World::new();
        change(&mut world);
        world
            .appraise()
            .map(|_| ())
            .map_err(|refusal| failed(&refusal))
    };
    let minute = 60_000;
    let s = |ms: u64| ms / 1000;
    assert_eq!(
        at(&|w| w.checkpoint_time_s = s(NOW_MS - CHECKPOINT_AGE_MS_MAX)),
        Ok(())
    );
    assert_eq!(
        at(&|w| w.checkpoint_time_s = s(NOW_MS - CHECKPOINT_AGE_MS_MAX) - 1),
        Err(vec!["checkpoint_age"])
    );
    assert_eq!(
        at(&|w| w.checkpoint_time_s = s(NOW_MS + 5 * minute)),
        Ok(())
    );
    assert_eq!(
        at(&|w| w.checkpoint_time_s = s(NOW_MS + 5 * minute) + 1),
        Err(vec!["checkpoint_age"])
    );
    assert_eq!(
        at(&|w| w.node.not_after_ms = NOW_MS),
        Err(vec!["node_not_after"])
    );
    assert_eq!(at(&|w| w.node.not_after_ms = NOW_MS + 1), Ok(()));
    assert_eq!(
        at(&|w| {
            w.checkpoint_time_s = s(NOW_MS + 4 * minute);
            w.node.not_after_ms = NOW_MS + 3 * minute;
        }),
        Err(vec!["node_not_after"])
    );
    let end = |w: &World| w.node.beacon.time_ms + 60 * minute;
    assert_eq!(at(&|w| w.node.not_after_ms = end(w)), Ok(()));
    assert_eq!(
        at(&|w| w.node.not_after_ms = end(w) + 1),
        Err(vec!["node_lifetime"])
    );
    assert_eq!(
        at(&|w| {
            w.beacon_time_s = s(NOW_MS - 61 * minute);
            w.node.beacon.time_ms = NOW_MS - 61 * minute;
        }),
        Err(vec!["beacon_age"])
    );
    assert_eq!(
        at(&|w| w.node.beacon.time_ms += 1),
        Err(vec!["beacon_time"])
    );
    assert_eq!(at(&|w| w.node.beacon.time_ms -= 1), Ok(()));
}

#[test]
fn the_types_of_two_anchors_differ() {
    fn only_test(_: &AttestedSession<TestAnchor>) {}
    let (session, _) = World::new().appraise().unwrap();
    only_test(&session);
    assert_eq!(session.verdict().mode().shown(), "EMULATED");
}
