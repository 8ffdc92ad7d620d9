//! hyper's pooled client over the attested connector.

use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Uri;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tower_service::Service as _;

use super::*;
use crate::{Appraisal, AttestedConnector};

const HALF_MS: u64 = NOW_MS + 15 * 60_000;
const END_MS: u64 = NOW_MS + 30 * 60_000;
const HELLO: &str = "https://localhost:8443/v1/hello";
const HELLO_LINE: &str = "GET /v1/hello";

type Pool = Client<AttestedConnector<TestAnchor>, Full<Bytes>>;

fn attested(server: &Server, connector: Connector<TestAnchor>) -> AttestedConnector<TestAnchor> {
    AttestedConnector::with(connector, deployment(server), Some(server.address.clone()))
}

fn pool(server: &Server, connector: Connector<TestAnchor>) -> Pool {
    Client::builder(TokioExecutor::new()).build(attested(server, connector))
}

async fn hello(pool: &Pool) -> Result<Bytes, Error> {
    let response = pool.get(Uri::from_static(HELLO)).await?;
    Ok(response.into_body().collect().await.unwrap().to_bytes())
}

#[tokio::test]
async fn appraises_once_for_a_connection_that_the_pool_keeps() {
    let server = Server::start(Script::Honest).await;
    let pool = pool(&server, connector().with_mode(ProofMode::Hardware));
    for _ in 0..3 {
        let response = pool.get(Uri::from_static(HELLO)).await.unwrap();
        let appraisal: &Appraisal<TestAnchor> = response.extensions().get().unwrap();
        let session = appraisal.session();
        assert_eq!(session.proof_mode(), ProofMode::Hardware);
        assert_eq!(
            session.verdict().fields().host_data,
            session.node().config_digest
        );
        assert_eq!(appraisal.checklist().failed().count(), 0);
        assert!(appraisal.checklist().rows().len() > 50);
        assert_eq!(appraisal.checklist().not_checked(), NEVER_CHECKED);
        assert_eq!(appraisal.renew_ms(), HALF_MS);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "{\"hello\":true}");
    }
    let kept = [ATTEST_LINE, HELLO_LINE, HELLO_LINE, HELLO_LINE];
    assert_eq!(server.request_lines(), [kept]);
}

#[tokio::test]
async fn appraises_again_for_every_connection_of_the_pool() {
    let server = Server::start(Script::Honest).await;
    let mut builder = Client::builder(TokioExecutor::new());
    let pool: Pool = builder
        .pool_max_idle_per_host(0)
        .build(attested(&server, connector()));
    for _ in 0..3 {
        hello(&pool).await.unwrap();
    }
    assert_eq!(server.request_lines(), [[ATTEST_LINE, HELLO_LINE]; 3]);
}

#[tokio::test]
async fn the_pool_gets_no_connection_to_a_server_that_is_refused() {
    let lie = |session: &mut chancery_session::SessionStatement| session.exporter[0] ^= 1;
    for (script, expected) in [
        (Script::Lie(lie), "session_exporter"),
        (Script::Downgrade, "proof mode"),
        (Script::Fixed(503, "{}"), "status"),
        (Script::Fixed(200, "{}"), "malformed"),
        (Script::Close, "closed"),
    ] {
        let server = Server::start(script).await;
        let pool = pool(&server, connector().with_mode(ProofMode::Hardware));
        let error = hello(&pool).await.unwrap_err();
        assert!(error.is_connect(), "{error:?}");
        let refused = match ClientError::within(&error).unwrap() {
            ClientError::Appraisal(refusal) => refusal.failed().next().unwrap().check.name(),
            ClientError::ProofModeDiffers { .. } => "proof mode",
            ClientError::AttestRefused { status: 503 } => "status",
            ClientError::AttestMalformed(_) => "malformed",
            ClientError::Closed | ClientError::Http(_) => "closed",
            other => panic!("{other:?}"),
        };
        assert_eq!(refused, expected);
        assert_nothing_but_the_attest_request(&server);
    }
}

#[tokio::test]
async fn opens_nothing_for_another_origin_and_nothing_in_clear() {
    let server = Server::start(Script::Honest).await;
    let pool = pool(&server, connector());
    for uri in [
        "http://localhost:8443/v1/hello",
        "https://localhost/v1/hello",
        "https://localhost:8444/v1/hello",
        "https://other.example:8443/v1/hello",
    ] {
        let error = pool.get(Uri::from_static(uri)).await.unwrap_err();
        let refused = ClientError::within(&error);
        assert!(
            matches!(refused, Some(ClientError::OtherOrigin)),
            "{uri}: {error:?}"
        );
    }
    assert_eq!(server.request_lines(), Vec::<Vec<String>>::new());
}

#[tokio::test]
async fn the_pool_proves_that_the_log_grew_before_it_gets_the_connection() {
    let (server, heads) = (Server::start(Script::Honest).await, Heads::new());
    let remembering = || connector().remembering(heads.store(&server));
    hello(&pool(&server, remembering())).await.unwrap();
    assert_eq!(heads.size(&server), Some(3));
    server.world.lock().unwrap().extra_leaves = 300;
    hello(&pool(&server, remembering())).await.unwrap();
    assert_eq!(heads.size(&server), Some(303));
    let lines = server.request_lines();
    let [_, grown] = lines.as_slice() else {
        panic!("{lines:?}");
    };
    let (tiles, hello_line) = (&grown[1..grown.len() - 1], grown.last().unwrap());
    assert!(tiles.len() > 1 && tiles.iter().all(|line| line.starts_with("GET /log/tile/")));
    assert_eq!(
        (grown[0].as_str(), hello_line.as_str()),
        (ATTEST_LINE, HELLO_LINE)
    );

    server.world.lock().unwrap().forked = true;
    let error = hello(&pool(&server, remembering())).await.unwrap_err();
    assert!(
        matches!(ClientError::within(&error), Some(ClientError::Appraisal(_))),
        "{error:?}"
    );
    let lines = server.request_lines();
    assert!(
        !lines.last().unwrap().contains(&HELLO_LINE.to_owned()),
        "{lines:?}"
    );
    assert_eq!(heads.size(&server), Some(303));
}

#[tokio::test]
async fn at_half_the_life_no_request_begins_and_the_pool_appraises_again() {
    static TIME_MS: AtomicU64 = AtomicU64::new(NOW_MS);
    fn time() -> u64 {
        TIME_MS.load(Ordering::Relaxed)
    }
    let server = Server::start(Script::Honest).await;
    let pool = pool(&server, connector().with_clock(time));
    TIME_MS.store(NOW_MS, Ordering::Relaxed);
    hello(&pool).await.unwrap();
    TIME_MS.store(HALF_MS, Ordering::Relaxed);
    let error = hello(&pool).await.unwrap_err();
    let refused = ClientError::within(&error);
    assert!(
        matches!(refused, Some(ClientError::AppraisalExpired)),
        "{error:?}"
    );
    // The evidence of this world is of one moment; what counts is that a new connection was appraised.
    TIME_MS.store(NOW_MS, Ordering::Relaxed);
    hello(&pool).await.unwrap();
    assert_eq!(server.request_lines(), [[ATTEST_LINE, HELLO_LINE]; 2]);
}

#[tokio::test]
async fn a_resting_stream_ends_by_itself_at_half_the_life() {
    static TIME_MS: AtomicU64 = AtomicU64::new(NOW_MS);
    fn time() -> u64 {
        TIME_MS.load(Ordering::Relaxed)
    }
    let server = Server::start(Script::Honest).await;
    let mut service = attested(&server, connector().with_clock(time));
    let stream = service.call(Uri::from_static(HELLO)).await.unwrap();
    TIME_MS.store(HALF_MS, Ordering::Relaxed);
    // Nobody writes, and the server sends nothing: only the stream's own look at the clock ends this.
    let ended = TokioIo::new(stream).read(&mut [0; 1]).await.unwrap_err();
    let refused = ClientError::within(&ended);
    assert!(
        matches!(refused, Some(ClientError::AppraisalExpired)),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_request_that_began_in_time_is_finished_and_answered_until_the_evidence_ends() {
    static TIME_MS: AtomicU64 = AtomicU64::new(NOW_MS);
    fn time() -> u64 {
        TIME_MS.load(Ordering::Relaxed)
    }
    let server = Server::start(Script::Honest).await;
    let mut service = attested(&server, connector().with_clock(time));
    let open = service.call(Uri::from_static(HELLO)).await.unwrap();
    let mut stream = TokioIo::new(open);
    let head = b"GET /v1/hello HTTP/1.1\r\n";
    stream.write_all(head).await.unwrap();
    TIME_MS.store(END_MS - 1, Ordering::Relaxed);
    stream
        .write_all(b"host: localhost:8443\r\n\r\n")
        .await
        .unwrap();
    stream.flush().await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"{\"hello\":true}") {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
    }
    assert_expired(&stream.write_all(head).await.unwrap_err());
    assert_eq!(server.request_lines(), [[ATTEST_LINE, HELLO_LINE]]);
}

fn assert_expired(error: &std::io::Error) {
    let found = ClientError::within(error);
    assert!(
        matches!(found, Some(ClientError::AppraisalExpired)),
        "{error:?}"
    );
}

fn assert_ended(error: &(dyn std::error::Error + 'static)) {
    let found = ClientError::within(error);
    assert!(
        matches!(found, Some(ClientError::EvidenceEnded)),
        "{error:?}"
    );
}

#[tokio::test]
async fn evidence_that_ends_tells_whether_bytes_of_a_request_had_left() {
    static TIME_MS: AtomicU64 = AtomicU64::new(NOW_MS);
    fn time() -> u64 {
        TIME_MS.load(Ordering::Relaxed)
    }
    let server = Server::start(Script::Honest).await;
    let mut service = attested(&server, connector().with_clock(time));
    let head = b"GET /v1/hello HTTP/1.1\r\n";
    let rest = b"host: localhost:8443\r\n\r\n";

    // Nothing has left.
    let open = service.call(Uri::from_static(HELLO)).await.unwrap();
    let mut stream = TokioIo::new(open);
    TIME_MS.store(END_MS, Ordering::Relaxed);
    assert_expired(&stream.write_all(head).await.unwrap_err());
    assert_expired(&stream.write_all(rest).await.unwrap_err());
    assert_expired(&stream.read(&mut [0; 1]).await.unwrap_err());

    // Within a request.
    TIME_MS.store(NOW_MS, Ordering::Relaxed);
    let open = service.call(Uri::from_static(HELLO)).await.unwrap();
    let mut stream = TokioIo::new(open);
    stream.write_all(head).await.unwrap();
    TIME_MS.store(END_MS, Ordering::Relaxed);
    assert_ended(&stream.write_all(rest).await.unwrap_err());
    assert_ended(&stream.write_all(head).await.unwrap_err());
    assert_ended(&stream.read(&mut [0; 1]).await.unwrap_err());

    // Within an answer, from half of the life on: it stalls, or the rest of a body is to follow.
    TIME_MS.store(NOW_MS, Ordering::Relaxed);
    let open = service.call(Uri::from_static(HELLO)).await.unwrap();
    let mut stream = TokioIo::new(open);
    stream.write_all(head).await.unwrap();
    stream.write_all(rest).await.unwrap();
    stream.flush().await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"{\"hello\":true}") {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
    }
    TIME_MS.store(HALF_MS, Ordering::Relaxed);
    assert_ended(&stream.write_all(b"rest of a body").await.unwrap_err());
    assert_expired(&stream.write_all(head).await.unwrap_err());
    assert_ended(&stream.read(&mut [0; 1]).await.unwrap_err());
}

#[tokio::test]
async fn the_pool_says_that_the_outcome_of_a_request_without_answer_is_not_known() {
    static TIME_MS: AtomicU64 = AtomicU64::new(NOW_MS);
    fn time() -> u64 {
        TIME_MS.load(Ordering::Relaxed)
    }
    let server = Server::start(Script::Honest).await;
    let pool = pool(&server, connector().with_clock(time));
    let silence = Uri::from_static("https://localhost:8443/v1/silence");
    let asked = tokio::spawn(async move { pool.get(silence).await });
    while !server.newest_bytes().contains("GET /v1/silence") {
        tokio::time::sleep(core::time::Duration::from_millis(5)).await;
    }
    TIME_MS.store(END_MS, Ordering::Relaxed);
    assert_ended(&asked.await.unwrap().unwrap_err());
}
