mod pooled;
mod server;
mod world;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use chancery_hybrid_kx::attested_client_config;
use chancery_verify::{Amd, Mode};

use self::server::{Identity, Script, Server};
use self::world::{NOW_MS, TestAnchor, clock};
use super::*;
use crate::connection::ACT_EXPORTER_LABEL;

const ATTEST_LINE: &str = "POST /.well-known/chancery/v1/attest";

fn connector() -> Connector<TestAnchor> {
    Connector::new(TestAnchor::load()).with_clock(clock)
}

fn deployment(server: &Server) -> Deployment {
    let world = server.world.lock().unwrap();
    world.deployment("https://localhost:8443", &server.roots_pem)
}

async fn attempt(server: &Server, connector: &Connector<TestAnchor>) -> Attempt<TestAnchor> {
    connector
        .attempt(&deployment(server), Some(&server.address))
        .await
}

fn failed(attempt: &Attempt<TestAnchor>) -> Vec<&'static str> {
    attempt.checklist.failed().map(|row| row.check).collect()
}

/// The bytes that a client may send before appraisal: one request with exactly this head, and a body
/// of a nonce and a mode.
fn assert_nothing_but_the_attest_request(server: &Server) {
    let bytes = server.newest_bytes();
    let (head, body) = bytes.split_once("\r\n\r\n").unwrap();
    let expected = format!(
        "{ATTEST_LINE} HTTP/1.1\r\nhost: localhost:8443\r\n\
         accept: application/json, application/problem+json\r\ncontent-type: application/json\r\n\
         content-length: {}",
        body.len()
    );
    assert_eq!(head, expected);
    assert!(AttestRequest::from_json(body.as_bytes()).is_ok());
}

/// A heads file of one test, removed on drop.
struct Heads(PathBuf);

impl Heads {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("chancery-connector-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn store(&self, server: &Server) -> HeadStore {
        HeadStore::new(
            &self.0.join("heads.json"),
            deployment(server).deployment_id(),
        )
    }

    fn size(&self, server: &Server) -> Option<u64> {
        self.store(server)
            .lock()
            .unwrap()
            .remembered()
            .map(|head| head.size)
    }
}

impl Drop for Heads {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

#[tokio::test]
async fn speaks_after_a_full_appraisal_in_both_modes() {
    for mode in [ProofMode::Epoch, ProofMode::Hardware] {
        let server = Server::start(Script::Honest).await;
        let attempt = attempt(&server, &connector().with_mode(mode)).await;
        assert_eq!(failed(&attempt), Vec::<&str>::new());
        assert_nothing_but_the_attest_request(&server);
        let mut connection = attempt.result.unwrap();
        assert_eq!(connection.session().mode(), Mode::Emulated);
        assert_eq!(connection.session().proof_mode(), mode);
        let response = connection.request(Request::get("/v1/hello")).await.unwrap();
        assert_eq!(response.body(), b"{\"hello\":true}");
        assert_eq!(server.request_lines(), [[ATTEST_LINE, "GET /v1/hello"]]);
    }
}

#[tokio::test]
async fn refuses_a_weaker_proof_than_it_asked_for() {
    let server = Server::start(Script::Downgrade).await;
    let attempt = attempt(&server, &connector().with_mode(ProofMode::Hardware)).await;
    assert_eq!(failed(&attempt), ["session_proof_mode"]);
    assert_nothing_but_the_attest_request(&server);
    assert!(matches!(
        attempt.result,
        Err(ClientError::ProofModeDiffers { .. })
    ));
}

#[tokio::test]
async fn tells_every_check_in_order_and_what_was_not_checked() {
    let server = Server::start(Script::Honest).await;
    let attempt = attempt(&server, &connector()).await;
    let connection = attempt.result.unwrap();
    assert_eq!(connection.checklist(), &attempt.checklist);
    let names: Vec<&str> = attempt
        .checklist
        .rows()
        .iter()
        .map(|row| row.check)
        .collect();
    let first = [
        "deployment_mode",
        "tcp_connection",
        "tls_version",
        "tls_full_handshake",
        "tls_leaf",
        "tls_group",
        "attest_response",
        "session_proof_mode",
        "node_statement",
    ];
    assert_eq!(names[..9], first);
    for check in [
        "session_nonce",
        "session_exporter",
        "session_leaf",
        "measurement",
        "node_entry",
    ] {
        assert_eq!(
            names.iter().filter(|name| **name == check).count(),
            1,
            "{check}"
        );
    }
    let hybrid = attempt
        .checklist
        .rows()
        .iter()
        .find(|row| row.check == "tls_group")
        .unwrap();
    assert!(hybrid.got.starts_with("X25519MLKEM768"));
    assert_eq!(attempt.checklist.not_checked().len(), NEVER_CHECKED.len());
}

#[tokio::test]
async fn sends_no_application_byte_to_a_server_whose_statement_lies() {
    type Lie = fn(&mut chancery_session::SessionStatement);
    let lies: [(Lie, &str); 6] = [
        (|session| session.nonce[0] ^= 1, "session_nonce"),
        (|session| session.exporter[0] ^= 1, "session_exporter"),
        (|session| session.leaf_spki_sha256[0] ^= 1, "session_leaf"),
        (
            |session| session.server_name = "other.example".to_owned(),
            "session_server_name",
        ),
        (|session| session.alpn = "h2".to_owned(), "session_alpn"),
        (|session| session.node_sha256[0] ^= 1, "session_node"),
    ];
    for (lie, check) in lies {
        for mode in [ProofMode::Epoch, ProofMode::Hardware] {
            let server = Server::start(Script::Lie(lie)).await;
            let attempt = attempt(&server, &connector().with_mode(mode)).await;
            assert_eq!(failed(&attempt), [check]);
            assert!(matches!(attempt.result, Err(ClientError::Appraisal(_))));
            assert_nothing_but_the_attest_request(&server);
        }
    }
}

#[tokio::test]
async fn refuses_the_replayed_answer_of_another_connection() {
    let honest = Server::start(Script::Honest).await;
    assert!(attempt(&honest, &connector()).await.result.is_ok());
    let recorded = honest.answered.lock().unwrap().clone();
    let identity = honest.identity.clone();
    let replaying = Server::start_as(identity, Script::Replay(recorded)).await;
    let attempt = attempt(&replaying, &connector()).await;
    assert_eq!(failed(&attempt), ["session_nonce"]);
    assert_nothing_but_the_attest_request(&replaying);
}

/// The host has stolen the leaf key and passes the client's request on to the genuine runtime: the
/// nonce and the leaf are right, but the genuine runtime's connection is another one.
#[tokio::test]
async fn refuses_a_relay_that_holds_the_stolen_leaf_key() {
    let genuine = Server::start(Script::Honest).await;
    let config = attested_client_config(&genuine.roots_pem).unwrap();
    let script = Script::Relay(genuine.address.clone(), config);
    let relay = Server::start_as(genuine.identity.clone(), script).await;
    let attempt = attempt(&relay, &connector()).await;
    assert_eq!(failed(&attempt), ["session_exporter"]);
    assert_nothing_but_the_attest_request(&relay);
}

/// As above, with a certificate of the pinned roots but another key.
#[tokio::test]
async fn refuses_a_relay_with_another_leaf_key_of_the_pinned_roots() {
    let genuine = Server::start(Script::Honest).await;
    let config = attested_client_config(&genuine.roots_pem).unwrap();
    let script = Script::Relay(genuine.address.clone(), config);
    let relay = Server::start_as(Identity::new(), script).await;
    let attempt = attempt(&relay, &connector()).await;
    // Both differ; the exporter is compared first.
    assert_eq!(failed(&attempt), ["session_exporter"]);
    assert_nothing_but_the_attest_request(&relay);
}

#[tokio::test]
async fn sends_nothing_at_all_to_a_server_with_a_certificate_of_another_root() {
    let server = Server::start(Script::Honest).await;
    let other = Identity::new();
    let world = server.world.lock().unwrap().clone();
    let other_roots = Server::start_as(other, Script::Honest)
        .await
        .roots_pem
        .clone();
    let deployment = world.deployment("https://localhost:8443", &other_roots);
    let attempt = connector()
        .attempt(&deployment, Some(&server.address))
        .await;
    assert_eq!(failed(&attempt), ["tls_leaf"]);
    assert!(matches!(attempt.result, Err(ClientError::Tls(_))));
    assert_eq!(server.newest_bytes(), "");
}

#[tokio::test]
async fn refuses_answers_that_are_no_attestation() {
    for (script, check) in [
        (Script::Fixed(200, "{}"), Some("attest_response")),
        (Script::Fixed(200, "no json"), Some("attest_response")),
        (Script::Fixed(503, "{}"), Some("attest_response")),
        (Script::Fixed(204, ""), Some("attest_response")),
        (Script::Close, Some("attest_response")),
    ] {
        let server = Server::start(script).await;
        let attempt = attempt(&server, &connector()).await;
        assert_eq!(failed(&attempt), Vec::from_iter(check));
        assert!(attempt.result.is_err());
        assert_nothing_but_the_attest_request(&server);
    }
}

#[tokio::test]
async fn a_shipped_client_does_not_even_connect_to_an_emulated_deployment() {
    let server = Server::start(Script::Honest).await;
    let attempt = Connector::new(Amd)
        .attempt(&deployment(&server), Some(&server.address))
        .await;
    assert!(matches!(
        attempt.result,
        Err(ClientError::ModeRefused {
            pinned: Mode::Emulated,
            accepted: Mode::Amd
        })
    ));
    assert_eq!(attempt.checklist.failed().count(), 1);
    assert!(server.request_lines().is_empty());
}

#[tokio::test]
async fn appraises_again_for_every_connection() {
    let server = Server::start(Script::Honest).await;
    let connector = connector();
    let first = attempt(&server, &connector).await.result.unwrap();
    let first_answer = server.answered.lock().unwrap().clone();
    let second = attempt(&server, &connector).await.result.unwrap();
    assert_ne!(*server.answered.lock().unwrap(), first_answer);
    assert_ne!(first.exporter(), second.exporter());
    assert_eq!(server.request_lines(), [[ATTEST_LINE], [ATTEST_LINE]]);
}

#[tokio::test]
async fn stops_speaking_at_half_the_life_of_the_evidence() {
    fn half() -> u64 {
        NOW_MS + 15 * 60_000
    }
    let server = Server::start(Script::Honest).await;
    let mut connection = attempt(&server, &connector()).await.result.unwrap();
    connection.set_clock(half);
    let refused = connection.request(Request::get("/v1/hello")).await;
    assert!(matches!(refused, Err(ClientError::AppraisalExpired)));
    assert_eq!(server.request_lines(), [[ATTEST_LINE]]);
    connection.set_clock(|| half() - 1);
    assert!(connection.request(Request::get("/v1/hello")).await.is_ok());
}

#[tokio::test]
async fn says_closed_when_the_server_is_gone() {
    let server = Server::start(Script::Close).await;
    let attempt = attempt(&server, &connector()).await;
    assert!(matches!(
        attempt.result,
        Err(ClientError::Closed | ClientError::Http(_))
    ));
}

#[tokio::test]
async fn remembers_the_head_and_accepts_a_log_that_grew() {
    let (server, heads) = (Server::start(Script::Honest).await, Heads::new());
    let connector = connector().remembering(heads.store(&server));
    assert!(attempt(&server, &connector).await.result.is_ok());
    assert_eq!(heads.size(&server), Some(3));

    assert!(attempt(&server, &connector).await.result.is_ok());
    assert_eq!(heads.size(&server), Some(3));

    server.world.lock().unwrap().extra_leaves = 300;
    let grown = attempt(&server, &connector).await;
    assert_eq!(failed(&grown), Vec::<&str>::new());
    let extends = grown
        .checklist
        .rows()
        .iter()
        .find(|row| row.check == "checkpoint_extends");
    assert_eq!(extends.unwrap().outcome, Outcome::Passed);
    assert!(grown.result.is_ok());
    assert_eq!(heads.size(&server), Some(303));
    let lines = server.request_lines();
    let newest = lines.last().unwrap();
    assert_eq!(newest[0], ATTEST_LINE);
    assert!(
        newest[1..]
            .iter()
            .all(|line| line.starts_with("GET /log/tile/")),
        "{newest:?}"
    );
}

#[tokio::test]
async fn refuses_a_log_that_shrank_or_forked_and_keeps_what_it_remembers() {
    let (server, heads) = (Server::start(Script::Honest).await, Heads::new());
    let connector = connector().remembering(heads.store(&server));
    server.world.lock().unwrap().extra_leaves = 10;
    assert!(attempt(&server, &connector).await.result.is_ok());
    for (extra_leaves, forked) in [(9, false), (10, true), (20, true), (0, false)] {
        {
            let mut world = server.world.lock().unwrap();
            (world.extra_leaves, world.forked) = (extra_leaves, forked);
        }
        let attempt = attempt(&server, &connector).await;
        assert_eq!(
            failed(&attempt),
            ["checkpoint_extends"],
            "{extra_leaves} {forked}"
        );
        assert!(attempt.result.is_err());
        assert_eq!(heads.size(&server), Some(13));
        let lines = server.request_lines();
        let tiles = &lines.last().unwrap()[1..];
        assert!(
            tiles.iter().all(|line| line.starts_with("GET /log/tile/")),
            "{tiles:?}"
        );
    }
}

#[tokio::test]
async fn two_connections_at_once_take_turns_with_the_heads_file() {
    let (server, heads) = (Server::start(Script::Honest).await, Heads::new());
    let connector = connector().remembering(heads.store(&server));
    let (one, two) = tokio::join!(attempt(&server, &connector), attempt(&server, &connector));
    assert!(one.result.is_ok() && two.result.is_ok());
    assert_eq!(heads.size(&server), Some(3));
}

#[test]
fn the_label_of_acts_is_not_that_of_the_attestation() {
    assert_ne!(ACT_EXPORTER_LABEL, EXPORTER_LABEL.as_bytes());
}
