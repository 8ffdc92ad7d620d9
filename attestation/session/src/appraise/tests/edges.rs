//! Hashes against their description, bounds, and what a refusal shows.

use std::vec::Vec;

use chancery_directory::EpochLeaf;

use super::world::note;
use super::world::tree;
use super::*;
use crate::binding::epoch_signature_message;
use crate::binding::exporter_context;
use crate::binding::report_data_node;
use crate::binding::report_data_session;
use crate::limits;

/// `u8 length || purpose || u32 length || statement`, written out.
fn framed(purpose: &str, statement: &[u8]) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(purpose.len()).unwrap()];
    bytes.extend(purpose.as_bytes());
    bytes.extend(u32::try_from(statement.len()).unwrap().to_be_bytes());
    bytes.extend(statement);
    bytes
}

#[test]
fn statements_are_bound_as_the_specification_says() {
    let world = World::new();
    let (node, session) = (&world.node, &world.session);
    let node_bytes = node.encode().unwrap();
    let session_bytes = session.encode().unwrap();
    let sha512 = |bytes: Vec<u8>| -> [u8; 64] { sha2::Sha512::digest(bytes).into() };
    let expected = framed("chancery-TEST/report-data/node/v1", &node_bytes);
    assert_eq!(report_data_node::<TestAnchor>(node), Ok(sha512(expected)));
    let expected = framed("chancery-TEST/report-data/session/v1", &session_bytes);
    assert_eq!(
        report_data_session::<TestAnchor>(session),
        Ok(sha512(expected))
    );
    let expected = framed("chancery/epoch-signature/session/v1", &session_bytes);
    assert_eq!(epoch_signature_message(session), Ok(expected));
}

#[test]
fn the_exporter_depends_on_nonce_and_node_statement() {
    let expected: [u8; 32] = Sha256::digest([[1; 32], [2; 32]].concat()).into();
    assert_eq!(exporter_context(&[1; 32], &[2; 32]), expected);
    assert_ne!(exporter_context(&[2; 32], &[1; 32]), expected);
}

#[test]
fn nothing_may_be_older_than_the_specification_says() {
    assert_eq!(limits::NODE_STATEMENT_LIFETIME_MS_MAX, 3_600_000);
    assert_eq!(limits::NODE_STATEMENT_RENEW_MS, 1_800_000);
    assert_eq!(CHECKPOINT_AGE_MS_MAX, 900_000);
    assert_eq!(limits::CLOCK_SKEW_MS_MAX, 300_000);
}

#[test]
fn a_refusal_shows_its_rows_and_no_exporter() {
    let mut world = World::new();
    world.spoil_session = |session| session.exporter = [0xcc; 32];
    let refusal = world.appraise().unwrap_err();
    assert_eq!(refusal.to_string(), "session refused: session_exporter");
    let rows = refusal.rows();
    let row = |check| rows.iter().find(|row| row.check == check).unwrap();
    let exporter = row(SessionCheck::SessionExporter);
    assert_eq!(exporter.expected, "this connection's");
    assert_eq!(exporter.got, "(not shown)");
    let nonce = row(SessionCheck::SessionNonce);
    assert_eq!(nonce.expected, hex::encode([0xaa; 32]));
    assert_eq!(nonce.got, nonce.expected);
}

/// The root log when it held the genesis alone.
fn genesis_tree() -> chancery_tlog::MerkleTree {
    let (_, response, _) = World::new().build();
    tree(&[EpochLeaf::decode(&response.genesis.leaf).unwrap()])
}

#[test]
fn a_beacon_from_before_the_boot_is_none() {
    let mut world = World::new();
    world.spoil_node = |node| {
        node.beacon.size = 1;
        node.beacon.root = genesis_tree().root().0;
    };
    world.spoil_response =
        |response| response.beacon = note(&genesis_tree(), NOW_MS / 1000 - 300, 3);
    let refusal = world.appraise().unwrap_err();
    assert_eq!(failed(&refusal), ["beacon_quorum"]);
}

#[test]
fn a_node_statement_ends_when_the_witnesses_time_reaches_its_end() {
    let mut world = World::new();
    let witnessed_ms = NOW_MS + 60_000;
    world.checkpoint_time_s = witnessed_ms / 1000;
    world.node.not_after_ms = witnessed_ms + 1;
    assert!(world.appraise().is_ok());
    world.node.not_after_ms = witnessed_ms;
    let refusal = world.appraise().unwrap_err();
    assert_eq!(failed(&refusal), ["node_not_after"]);
}

#[test]
fn a_refusal_shows_the_heads_that_differ() {
    let mut world = World::new();
    world.spoil_session = |session| session.checkpoint.size += 1;
    let refusal = world.appraise().unwrap_err();
    assert_eq!(failed(&refusal), ["session_checkpoint"]);
    let row = refusal.failed().next().unwrap();
    let root = row.got.strip_prefix("size 4, root ").unwrap();
    assert_eq!(root.len(), 64);
    assert_eq!(row.expected, std::format!("size 3, root {root}"));
}
