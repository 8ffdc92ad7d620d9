//! Each altered field, proof and observation is refused by its own check.

use chancery_directory::EpochKind;
use chancery_verify::Evidence;

use super::world::evidence;
use super::*;
use crate::binding::report_data_session;
use crate::exchange::SessionProof;
use crate::statement::Role;

fn refused(change: fn(&mut World)) -> Vec<&'static str> {
    let mut world = World::new();
    change(&mut world);
    failed(&world.appraise().unwrap_err())
}

#[test]
fn each_field_of_a_node_statement_that_lies_is_refused_by_its_check() {
    type Change = fn(&mut World);
    let cases: [(Change, &str); 19] = [
        (|w| w.node.mode = Mode::Amd, "node_statement"),
        (
            |w| w.spoil_node = |n| n.deployment_id[0] ^= 1,
            "node_deployment",
        ),
        (|w| w.node.log_origin.push('x'), "node_log"),
        (|w| w.node.log_key_id[0] ^= 1, "node_log"),
        (|w| w.node.release_id.push('x'), "node_release"),
        (|w| w.spoil_node = |n| n.policy_version += 1, "node_policy"),
        (
            |w| w.spoil_node = |n| n.policy_sha256[0] ^= 1,
            "node_policy",
        ),
        (|w| w.node.epoch_key[0] ^= 1, "session_signature"),
        (|w| w.node.certificates.clear(), "node_certificate"),
        (
            |w| w.node.certificates[0].host_name.push('x'),
            "node_certificate",
        ),
        (
            |w| w.node.certificates[0].spki_sha256[0] ^= 1,
            "node_certificate",
        ),
        (|w| w.node.config_digest[0] ^= 1, "node_configuration"),
        (|w| w.spoil_node = |n| n.boot_index = 0, "boot_entry"),
        (|w| w.spoil_node = |n| n.boot_nonce[0] ^= 1, "boot_entry"),
        (|w| w.spoil_node = |n| n.beacon.size += 1, "beacon_quorum"),
        (
            |w| w.spoil_node = |n| n.beacon.root[0] ^= 1,
            "beacon_quorum",
        ),
        (|w| w.node.beacon.time_ms += 1000, "beacon_time"),
        (|w| w.node.not_after_ms = NOW_MS - 1, "node_not_after"),
        (
            |w| w.node.not_after_ms = NOW_MS + 3_600_000,
            "node_lifetime",
        ),
    ];
    for (index, (change, check)) in cases.into_iter().enumerate() {
        assert_eq!(refused(change), [check], "case {index}");
    }
}

#[test]
fn each_field_of_a_session_statement_that_lies_is_refused_by_its_check() {
    type Change = fn(&mut SessionStatement);
    let cases: [(Change, &str); 10] = [
        (|s| s.mode = Mode::Amd, "session_statement"),
        (|s| s.role = Role::PeerClient, "session_role"),
        (|s| s.node_sha256[0] ^= 1, "session_node"),
        (|s| s.nonce[0] ^= 1, "session_nonce"),
        (|s| s.exporter[31] ^= 1, "session_exporter"),
        (|s| s.leaf_spki_sha256[0] ^= 1, "session_leaf"),
        (|s| s.server_name.push('x'), "session_server_name"),
        (|s| s.alpn.push('x'), "session_alpn"),
        (|s| s.checkpoint.size += 1, "session_checkpoint"),
        (|s| s.checkpoint.root[0] ^= 1, "session_checkpoint"),
    ];
    for (index, (change, check)) in cases.into_iter().enumerate() {
        for mode in [ProofMode::Epoch, ProofMode::Hardware] {
            let mut world = World::new();
            world.proof_mode = mode;
            world.spoil_session = change;
            assert_eq!(
                failed(&world.appraise().unwrap_err()),
                [check],
                "case {index}"
            );
        }
    }
}

/// Replay (another nonce), relay and a stolen leaf key (another exporter), a terminator (another leaf), a misdirected
/// connection (another name).
#[test]
fn genuine_statements_for_another_connection_are_refused() {
    type Change = fn(&mut Channel);
    let cases: [(Change, &str); 5] = [
        (|c| c.nonce = [1; 32], "session_nonce"),
        (|c| c.exporter = [1; 32], "session_exporter"),
        (|c| c.leaf_spki_sha256 = [1; 32], "session_leaf"),
        (
            |c| c.server_name = "other.example".to_string(),
            "session_server_name",
        ),
        (|c| c.alpn = "h2".to_string(), "session_alpn"),
    ];
    for (change, check) in cases {
        let mut world = World::new();
        world.spoil_observed = change;
        assert_eq!(failed(&world.appraise().unwrap_err()), [check]);
    }
}

#[test]
fn another_deployment_log_or_release_key_is_refused() {
    assert_eq!(
        refused(|w| w.spoil_deployment = |d| d.deployment_id[0] ^= 1),
        ["node_deployment"]
    );
    // A log that was begun under another configuration.
    assert_eq!(
        refused(|w| {
            w.spoil_node = |n| n.config_digest[0] ^= 1;
            w.genesis.config_digest.0[1] ^= 1;
        }),
        ["node_configuration"]
    );
    assert_eq!(
        refused(|w| w.genesis.config_digest.0[1] ^= 1),
        ["genesis_entry"]
    );
    // A twin deployment: the same image, configuration and log key, but another genesis.
    assert_eq!(
        refused(|w| {
            w.spoil_node = |n| n.deployment_id = [9; 32];
            w.spoil_deployment = |d| d.deployment_id = [9; 32];
        }),
        ["genesis_entry"]
    );
    assert_eq!(
        refused(|w| w.spoil_deployment = |d| d.log_origin.push('x')),
        ["node_log"]
    );
    assert_eq!(
        refused(|w| {
            w.spoil_deployment = |d| {
                let other = chancery_dsse::SigningKey::from_seed([9; 32]);
                d.release_keys = vec![other.public_key().to_bytes()];
            };
        }),
        ["policy_signed"]
    );
    // Floors that the release keys did not sign.
    assert_eq!(
        refused(|w| w.spoil_response = |r| r.tcb_floors = r.release_policy.clone()),
        ["floors_signed"]
    );
}

#[test]
fn a_checkpoint_without_a_quorum_is_refused() {
    assert_eq!(
        refused(|w| w.witnesses_cosigning = 2),
        ["checkpoint_quorum"]
    );
    assert_eq!(
        refused(|w| w.spoil_response = |r| r.checkpoint.clear()),
        ["checkpoint_quorum"]
    );
    assert_eq!(
        refused(|w| w.spoil_response = |r| r.beacon.clear()),
        ["beacon_quorum"]
    );
    // A genuine note of the same log, but not the one that the beacon names.
    assert_eq!(
        refused(|w| w.spoil_response = |r| r.beacon = r.checkpoint.clone()),
        ["beacon_quorum"]
    );
    assert_eq!(
        refused(|w| w.spoil_response = |r| r.checkpoint = r.beacon.clone()),
        ["session_checkpoint"]
    );
}

#[test]
fn each_logged_entry_is_included_of_its_kind_and_content() {
    type Change = fn(&mut AttestResponse);
    let cases: [(Change, &str); 10] = [
        (|r| r.genesis.leaf[60] ^= 1, "genesis_entry"),
        (|r| r.genesis = r.boot.clone(), "genesis_entry"),
        (|r| r.genesis.proof.clear(), "genesis_entry"),
        (|r| r.boot.leaf[60] ^= 1, "boot_entry"),
        (|r| r.boot = r.node.clone(), "boot_entry"),
        (|r| r.boot.index = 2, "boot_entry"),
        (|r| r.boot.proof.push(Hash([0; 32])), "boot_entry"),
        (|r| r.node.leaf[60] ^= 1, "node_entry"),
        (|r| r.node = r.boot.clone(), "node_entry"),
        (|r| r.node.index = 3, "node_entry"),
    ];
    for (index, (change, check)) in cases.into_iter().enumerate() {
        let mut world = World::new();
        world.spoil_response = change;
        assert_eq!(
            failed(&world.appraise().unwrap_err()),
            [check],
            "case {index}"
        );
    }
    type Leaves = fn(&mut [chancery_directory::EpochLeaf]);
    let cases: [(Leaves, &str); 9] = [
        (|l| l[0].kind = EpochKind::Epoch, "genesis_entry"),
        (|l| l[0].detail.push(0), "genesis_entry"),
        (|l| l[1].kind = EpochKind::Epoch, "boot_entry"),
        (|l| l[1].epoch = 7, "boot_entry"),
        (|l| l[2].detail[0] ^= 1, "node_entry"),
        (|l| l[2].kind = EpochKind::Certificate, "node_entry"),
        // Entries of two instances, of two policies, and of a policy that is not the one served.
        (|l| l[1].instance_key.0[0] ^= 1, "node_entry"),
        (|l| l[2].policy_hash.0[0] ^= 1, "node_entry"),
        (
            |l| {
                l[1].policy_hash.0[0] ^= 1;
                l[2].policy_hash.0[0] ^= 1;
            },
            "policy_logged",
        ),
    ];
    for (index, (change, check)) in cases.into_iter().enumerate() {
        let mut world = World::new();
        world.spoil_leaves = change;
        assert_eq!(
            failed(&world.appraise().unwrap_err()),
            [check],
            "case {index}"
        );
    }
}

#[test]
fn evidence_that_fails_its_appraisal_refuses_the_session_with_its_rows() {
    assert_eq!(refused(|w| w.fields.vmpl = 1), ["vmpl"]);
    assert_eq!(refused(|w| w.policy.chip_ids[0][0] ^= 1), ["chip"]);
    assert_eq!(refused(|w| w.policy.expires_ms = NOW_MS), ["policy_window"]);
    assert_eq!(
        refused(|w| w.policy.floors_version_min = 2),
        ["floors_version"]
    );
    assert_eq!(
        refused(|w| w.floors.rules[0].floor.tcb.snp += 1),
        [
            "tcb_reported_floor",
            "tcb_committed_floor",
            "tcb_current_floor",
            "tcb_launch_floor"
        ]
    );
    // A revoked release: its measurement is not in the newest policy any more.
    assert_eq!(
        refused(|w| w.policy.releases[0].measurement[0] ^= 1),
        ["measurement"]
    );
    let flipped: fn(&mut AttestResponse) = |r| r.node_evidence.report[0x2a0] ^= 1;
    let mut world = World::new();
    world.spoil_response = flipped;
    assert_eq!(failed(&world.appraise().unwrap_err()), ["report_signature"]);
    world.spoil_response = |r| r.node_evidence.crl.clear();
    assert_eq!(
        failed(&world.appraise().unwrap_err()),
        ["revocation_present"]
    );
    world.spoil_response = |r| r.node_evidence = Evidence::default();
    assert_eq!(failed(&world.appraise().unwrap_err()), ["report_length"]);
}

/// The node statement is bound to the report: one changed byte that decodes is another statement.
#[test]
fn a_statement_that_was_changed_after_attestation_is_refused() {
    let mut world = World::new();
    world.spoil_response = |r| {
        let mut node = NodeStatement::decode(&r.node_statement).unwrap();
        node.hpke_key[0] ^= 1;
        r.node_statement = node.encode().unwrap();
    };
    assert_eq!(failed(&world.appraise().unwrap_err()), ["report_data"]);
    world.spoil_response = |r| r.session_statement[60] ^= 1;
    assert_eq!(
        failed(&world.appraise().unwrap_err()),
        ["session_signature"]
    );
    world.spoil_response = |r| r.session_statement.push(0);
    assert_eq!(
        failed(&world.appraise().unwrap_err()),
        ["session_statement"]
    );
    world.spoil_response = |r| r.node_statement.truncate(100);
    assert_eq!(failed(&world.appraise().unwrap_err()), ["node_statement"]);
}

#[test]
fn a_node_report_does_not_prove_a_session() {
    let mut world = World::new();
    world.spoil_response = |r| r.session_proof = SessionProof::Hardware(r.node_evidence.clone());
    assert_eq!(failed(&world.appraise().unwrap_err()), ["report_data"]);
}

#[test]
fn a_second_launch_of_the_same_image_does_not_prove_a_session_of_the_first() {
    let mut world = World::new();
    world.proof_mode = ProofMode::Hardware;
    world.spoil_response = |r| {
        let session = SessionStatement::decode(&r.session_statement).unwrap();
        let mut fields = World::new().fields;
        fields.report_data = report_data_session::<TestAnchor>(&session).unwrap();
        fields.report_id = [0x56; 32];
        r.session_proof = SessionProof::Hardware(evidence(&fields));
    };
    assert_eq!(
        failed(&world.appraise().unwrap_err()),
        ["session_same_launch"]
    );
}
