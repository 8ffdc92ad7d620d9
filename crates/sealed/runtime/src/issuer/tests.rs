//! The fetcher against servers of the test, with the host played by the transport.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use chancery_claim::Error as ClaimError;
use chancery_wire::{Decoder, EgressReply, StreamOpen};
use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::certificates::TlsKeys;
use crate::transport::{BoxStream, IoFuture, Listener};

const ISSUER: &str = "https://id.example/realm";
const ORIGIN: &str = "id.example:443";
const KEYS: &str = "keys.example:8443";
const NOW_MS: u64 = 1_800_000_000_000;
const SECOND_US: u64 = 1_000_000;
const KEY_SET: &str =
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// A clock that the test sets.
#[derive(Debug)]
struct Hand(AtomicU64);

impl Clock for Hand {
    fn wall_ms(&self) -> u64 {
        NOW_MS + self.monotonic_us() / 1000
    }
    fn monotonic_us(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

fn shared(hand: &Arc<Hand>) -> Arc<dyn Clock> {
    Arc::<Hand>::clone(hand)
}

/// What stands behind one authority.
#[derive(Debug, Clone)]
struct Server {
    tls: Arc<ServerConfig>,
    /// Path and whole response, or silence.
    pages: BTreeMap<String, Option<Vec<u8>>>,
}

/// A host that leads to the servers of the test.
#[derive(Debug, Default)]
struct World {
    servers: Mutex<BTreeMap<String, Server>>,
    connections: AtomicUsize,
    requests: Mutex<Vec<String>>,
}

#[derive(Debug, Clone)]
struct Host(Arc<World>);

impl Transport for Host {
    fn connect(&self) -> IoFuture<'_, BoxStream> {
        let world = Arc::clone(&self.0);
        Box::pin(async move {
            let (ours, theirs) = tokio::io::duplex(64 * 1024);
            tokio::spawn(async move { world.serve(Box::new(theirs)).await });
            let stream: BoxStream = Box::new(ours);
            Ok(stream)
        })
    }

    fn listen(&self) -> io::Result<Box<dyn Listener>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl World {
    /// Plays host, network and server. Errors end the connection, as they would in each of them.
    async fn serve(&self, mut stream: BoxStream) -> Option<()> {
        let mut decoder = Decoder::new();
        let open: StreamOpen = link::receive(&mut stream, &mut decoder).await.ok()?;
        let StreamOpen::Issuer { authority } = open else {
            return None;
        };
        self.connections.fetch_add(1, Ordering::AcqRel);
        let server = self
            .servers
            .lock()
            .unwrap()
            .get(authority.as_str())
            .cloned();
        let Some(server) = server else {
            let reply = EgressReply::UnknownName;
            return link::send(&mut stream, &reply).await.ok();
        };
        link::send(&mut stream, &EgressReply::Connected)
            .await
            .ok()?;
        let mut tls = TlsAcceptor::from(server.tls).accept(stream).await.ok()?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(tls.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).unwrap();
        let path = head.split(' ').nth(1).unwrap().to_owned();
        self.requests.lock().unwrap().push(head);
        let absent = Some(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec());
        match server.pages.get(&path).cloned().unwrap_or(absent) {
            Some(response) => tls.write_all(&response).await.ok()?,
            None => std::future::pending().await,
        }
        tls.shutdown().await.ok()
    }
}

/// Issuer, its servers and the one that asks.
struct Stage {
    world: Arc<World>,
    clock: Arc<Hand>,
    time: Arc<TrustedTime>,
    issuers: Issuers,
    roots: Vec<Vec<u8>>,
    keys: TlsKeys,
}

fn ok(body: &str) -> Option<Vec<u8>> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    Some([head.as_bytes(), body.as_bytes()].concat())
}

fn configuration(issuer: &str, jwks: &str) -> String {
    format!(
        r#"{{"issuer":"{issuer}","authorization_endpoint":"https://id.example/a","token_endpoint":"https://id.example/t","jwks_uri":"{jwks}"}}"#
    )
}

impl Stage {
    fn new() -> Self {
        let world = Arc::new(World::default());
        let clock = Arc::new(Hand(AtomicU64::new(SECOND_US)));
        let time = Arc::new(TrustedTime::default());
        time.raise_floor(NOW_MS, clock.as_ref());
        let issuers = Issuers::new(
            Arc::new(Host(Arc::clone(&world))),
            shared(&clock),
            Arc::clone(&time),
        );
        let keys = TlsKeys::generate("id.example", NOW_MS).unwrap();
        let stage = Self {
            world,
            clock,
            time,
            issuers,
            roots: vec![keys.authority_certificate.clone()],
            keys,
        };
        stage.stand_up(ORIGIN, "id.example");
        stage.stand_up(KEYS, "keys.example");
        let jwks = format!("https://{KEYS}/jwks");
        stage.put_configuration(&configuration(ISSUER, &jwks));
        stage.put(KEYS, "/jwks", ok(KEY_SET));
        stage
    }

    /// A server behind `authority` whose certificate names `host`.
    fn stand_up(&self, authority: &str, host: &str) {
        let names = [String::from(host)];
        let served = self.keys.issue("id.example", &names, NOW_MS).unwrap();
        let PrivateKeyDer::Pkcs8(key) = served.key else {
            panic!("keys are PKCS#8")
        };
        let tls = chancery_hybrid_kx::server_config(served.chain, PrivateKeyDer::Pkcs8(key));
        let server = Server {
            tls: tls.unwrap(),
            pages: BTreeMap::new(),
        };
        self.world
            .servers
            .lock()
            .unwrap()
            .insert(authority.to_owned(), server);
    }

    fn put(&self, authority: &str, path: &str, page: Option<Vec<u8>>) {
        let mut servers = self.world.servers.lock().unwrap();
        let server = servers.get_mut(authority).unwrap();
        server.pages.insert(path.to_owned(), page);
    }

    fn put_configuration(&self, text: &str) {
        self.put(ORIGIN, "/realm/.well-known/openid-configuration", ok(text));
    }

    fn put_raw(&self, response: &str) {
        self.put(KEYS, "/jwks", Some(response.as_bytes().to_vec()));
    }

    async fn ask(&self, freshness: Freshness) -> Result<Arc<Published>, IssuerError> {
        self.issuers.published(ISSUER, &self.roots, freshness).await
    }

    async fn error(&self) -> IssuerError {
        self.ask(Freshness::Fresh).await.unwrap_err()
    }

    fn connections(&self) -> usize {
        self.world.connections.load(Ordering::Acquire)
    }

    fn pass(&self, duration_us: u64) {
        self.clock.0.fetch_add(duration_us, Ordering::AcqRel);
    }
}

#[tokio::test]
async fn fetches_configuration_and_keys_from_where_they_stand() {
    let stage = Stage::new();
    let published = stage.ask(Freshness::Fresh).await.unwrap();
    assert_eq!(published.keys.keys().len(), 1);
    assert_eq!(published.fetched_ms, NOW_MS + 1000);
    assert_eq!(published.configuration.jwks().authority(), KEYS);
    let requests = stage.world.requests.lock().unwrap();
    assert_eq!(requests.len(), 2);
    let first = "GET /realm/.well-known/openid-configuration HTTP/1.1\r\n";
    assert!(requests[0].starts_with(first), "{}", requests[0]);
    assert!(requests[0].contains("\r\nhost: id.example\r\n"));
    assert!(requests[1].starts_with("GET /jwks HTTP/1.1\r\n"));
    assert!(requests[1].contains("\r\nhost: keys.example:8443\r\n"));
    assert!(requests[1].contains("\r\naccept: application/json\r\n"));
}

#[tokio::test]
async fn a_server_with_another_certificate_is_not_believed() {
    let other_name = Stage::new();
    other_name.stand_up(ORIGIN, "keys.example");
    let other_root = Stage::new();
    let stranger = TlsKeys::generate("id.example", NOW_MS).unwrap();
    let stranger = [stranger.authority_certificate];
    let no_web_root = Stage::new();
    for (error, case) in [
        (other_name.error().await, "another host's certificate"),
        (
            other_root
                .issuers
                .published(ISSUER, &stranger, Freshness::Fresh)
                .await
                .unwrap_err(),
            "another authority",
        ),
        (
            no_web_root
                .issuers
                .published(ISSUER, &[], Freshness::Fresh)
                .await
                .unwrap_err(),
            "an authority that the web does not know",
        ),
    ] {
        assert!(
            matches!(
                error,
                IssuerError::Tls(rustls::Error::InvalidCertificate(_))
            ),
            "{case}: {error:?}"
        );
    }
    // Nothing was asked of a server that was not believed.
    assert!(other_name.world.requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn certificates_are_judged_by_the_witnessed_time() {
    let stage = Stage::new();
    // The leaf ends after 90 days. The host's clock says nothing of that; the witnesses do.
    let later_ms = NOW_MS + 91 * 24 * 3600 * 1000;
    stage.time.raise_floor(later_ms, stage.clock.as_ref());
    let error = stage.error().await;
    let is_expired = matches!(
        error,
        IssuerError::Tls(rustls::Error::InvalidCertificate(
            rustls::CertificateError::ExpiredContext { .. }
        ))
    );
    assert!(is_expired, "{error:?}");

    let timeless = Issuers::new(
        Arc::new(Host(Arc::clone(&stage.world))),
        shared(&stage.clock),
        Arc::new(TrustedTime::default()),
    );
    let error = timeless
        .published(ISSUER, &stage.roots, Freshness::Fresh)
        .await;
    let error = error.unwrap_err();
    let has_no_time = matches!(
        error,
        IssuerError::Tls(rustls::Error::FailedToGetCurrentTime)
    );
    assert!(has_no_time, "{error:?}");
}

#[tokio::test]
async fn roots_that_are_none_are_refused() {
    let stage = Stage::new();
    let nonsense = [vec![0; 8]];
    let refused = stage.issuers.published(ISSUER, &nonsense, Freshness::Fresh);
    let error = refused.await.unwrap_err();
    assert!(matches!(
        error,
        IssuerError::Roots(ConfigError::RootInvalid)
    ));
    assert_eq!(stage.connections(), 0);
}

#[tokio::test]
async fn an_issuer_that_the_host_does_not_allow_is_told_apart() {
    let stage = Stage::new();
    stage.world.servers.lock().unwrap().remove(KEYS);
    assert!(matches!(stage.error().await, IssuerError::NotAllowed));
}

#[tokio::test]
async fn redirects_and_errors_are_not_followed_or_read() {
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "307 Temporary Redirect",
        "304 Not Modified",
    ] {
        let stage = Stage::new();
        let target = format!("https://{KEYS}/other");
        stage.put(KEYS, "/other", ok(KEY_SET));
        stage.put_raw(&format!(
            "HTTP/1.1 {status}\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n"
        ));
        assert!(
            matches!(stage.error().await, IssuerError::Redirect),
            "{status}"
        );
        assert_eq!(stage.connections(), 2);
    }
    for status in [
        "500 Internal Server Error",
        "404 Not Found",
        "206 Partial Content",
        "203 Other",
    ] {
        let stage = Stage::new();
        let length = KEY_SET.len();
        stage.put_raw(&format!(
            "HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{KEY_SET}"
        ));
        assert!(
            matches!(stage.error().await, IssuerError::Status(_)),
            "{status}"
        );
    }
}

#[tokio::test]
async fn what_is_no_http_is_a_failed_connection() {
    for response in [
        "hello\r\n\r\n",
        "",
        "HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{}",
    ] {
        let stage = Stage::new();
        stage.put_raw(response);
        let error = stage.error().await;
        assert!(
            matches!(error, IssuerError::Link(_)),
            "{response}: {error:?}"
        );
    }
}

#[tokio::test]
async fn bodies_are_bounded() {
    let padded =
        |text: &str, length: usize| ok(&format!("{text}{}", " ".repeat(length - text.len())));
    let stage = Stage::new();
    stage.put(KEYS, "/jwks", padded(KEY_SET, JWK_SET_SIZE_MAX));
    assert!(stage.ask(Freshness::Fresh).await.is_ok());
    let stage = Stage::new();
    stage.put(KEYS, "/jwks", padded(KEY_SET, JWK_SET_SIZE_MAX + 1));
    assert!(matches!(stage.error().await, IssuerError::TooLarge));
    // Also where no length is announced.
    let stage = Stage::new();
    let endless = format!(
        "HTTP/1.1 200 OK\r\n\r\n{}",
        " ".repeat(JWK_SET_SIZE_MAX + 1)
    );
    stage.put_raw(&endless);
    assert!(matches!(stage.error().await, IssuerError::TooLarge));
    let stage = Stage::new();
    let large = padded("{}", CONFIGURATION_SIZE_MAX + 1);
    stage.put(ORIGIN, "/realm/.well-known/openid-configuration", large);
    assert!(matches!(stage.error().await, IssuerError::TooLarge));
}

#[tokio::test]
async fn documents_that_are_not_acceptable_are_refused() {
    let jwks = format!("https://{KEYS}/jwks");
    let refused = async |configuration: &str| {
        let stage = Stage::new();
        stage.put_configuration(configuration);
        let IssuerError::Document(error) = stage.error().await else {
            panic!("{configuration}")
        };
        (error, stage.connections())
    };
    let other = refused(&configuration("https://id.example/other", &jwks)).await;
    assert_eq!(other, (ClaimError::OtherIssuer, 1));
    let plain = refused(&configuration(ISSUER, "http://keys.example:8443/jwks")).await;
    assert_eq!(plain, (ClaimError::UrlForm, 1));
    assert!(matches!(refused("<html>").await.0, ClaimError::Json(_)));

    let stage = Stage::new();
    stage.put(KEYS, "/jwks", ok(r#"{"keys":[{"kty":"oct","k":"AA"}]}"#));
    let private = stage.error().await;
    assert!(matches!(
        private,
        IssuerError::Document(ClaimError::PrivateMember)
    ));

    let stage = Stage::new();
    let plain = stage
        .issuers
        .published("http://id.example", &stage.roots, Freshness::Fresh);
    let error = plain.await.unwrap_err();
    assert!(matches!(error, IssuerError::Document(ClaimError::UrlForm)));
    assert_eq!(stage.connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_silent_issuer_is_given_up_after_five_seconds() {
    let stage = Stage::new();
    stage.put(KEYS, "/jwks", None);
    let start = tokio::time::Instant::now();
    assert!(matches!(stage.error().await, IssuerError::TimedOut));
    let waited = start.elapsed();
    assert!(
        waited >= REQUEST_TIMEOUT && waited < 2 * REQUEST_TIMEOUT,
        "{waited:?}"
    );
}

#[tokio::test]
async fn an_answer_is_used_for_ten_minutes_and_then_asked_for_again() {
    let stage = Stage::new();
    let first = stage.ask(Freshness::Fresh).await.unwrap();
    stage.put(KEYS, "/jwks", ok(r#"{"keys":[]}"#));
    stage.pass(FRESH_US);
    assert_eq!(stage.ask(Freshness::Fresh).await.unwrap(), first);
    assert_eq!(stage.connections(), 2);
    stage.pass(1);
    let second = stage.ask(Freshness::Fresh).await.unwrap();
    assert!(second.keys.keys().is_empty());
    assert_eq!(second.fetched_ms, NOW_MS + 1000 + FRESH_US / 1000);
    assert_eq!(stage.connections(), 4);
}

#[tokio::test]
async fn the_newest_answer_is_asked_for_once_a_minute_at_most() {
    let stage = Stage::new();
    let first = stage.ask(Freshness::Newest).await.unwrap();
    stage.put(KEYS, "/jwks", ok(r#"{"keys":[]}"#));
    stage.pass(REFRESH_PAUSE_US - 1);
    assert_eq!(stage.ask(Freshness::Newest).await.unwrap(), first);
    assert_eq!(stage.connections(), 2);
    stage.pass(1);
    let second = stage.ask(Freshness::Newest).await.unwrap();
    assert!(second.keys.keys().is_empty());
    assert_eq!(stage.connections(), 4);
    assert_eq!(stage.ask(Freshness::Newest).await.unwrap(), second);
    assert_eq!(stage.ask(Freshness::Fresh).await.unwrap(), second);
    assert_eq!(stage.connections(), 4);
}

#[tokio::test]
async fn a_failure_keeps_a_fresh_answer_and_hides_no_stale_one() {
    let stage = Stage::new();
    let first = stage.ask(Freshness::Fresh).await.unwrap();
    stage.put_raw("HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n");
    stage.pass(REFRESH_PAUSE_US);
    let failed = stage.ask(Freshness::Newest).await;
    assert!(matches!(failed, Err(IssuerError::Status(_))));
    assert_eq!(stage.ask(Freshness::Newest).await.unwrap(), first);
    assert_eq!(stage.ask(Freshness::Fresh).await.unwrap(), first);
    stage.pass(FRESH_US);
    assert!(matches!(stage.error().await, IssuerError::Status(_)));
}

#[tokio::test]
async fn an_issuer_that_failed_is_left_alone_for_a_moment() {
    let stage = Stage::new();
    stage.put_raw("HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n");
    assert!(matches!(stage.error().await, IssuerError::Status(_)));
    stage.put(KEYS, "/jwks", ok(KEY_SET));
    stage.pass(FAILURE_PAUSE_US - 1);
    for freshness in [Freshness::Fresh, Freshness::Newest] {
        let waiting = stage.ask(freshness).await;
        assert!(matches!(waiting, Err(IssuerError::Waiting)));
    }
    assert_eq!(stage.connections(), 2);
    stage.pass(1);
    assert!(stage.ask(Freshness::Fresh).await.is_ok());
}

#[tokio::test]
async fn many_who_ask_at_once_are_answered_by_one_fetch() {
    let stage = Stage::new();
    let (one, two, three) = tokio::join!(
        stage.ask(Freshness::Fresh),
        stage.ask(Freshness::Newest),
        stage.ask(Freshness::Fresh)
    );
    assert_eq!(one.unwrap(), two.unwrap());
    assert!(three.is_ok());
    assert_eq!(stage.connections(), 2);
}

#[tokio::test]
async fn tenants_with_other_roots_share_no_answer() {
    let stage = Stage::new();
    assert!(stage.ask(Freshness::Fresh).await.is_ok());
    let stranger = TlsKeys::generate("id.example", NOW_MS).unwrap();
    let stranger = [stranger.authority_certificate];
    let other = stage.issuers.published(ISSUER, &stranger, Freshness::Fresh);
    assert!(matches!(other.await, Err(IssuerError::Tls(_))));
    let both = [stage.roots[0].clone(), stranger[0].clone()];
    let both = stage.issuers.published(ISSUER, &both, Freshness::Fresh);
    assert!(both.await.is_ok());
    assert_eq!(stage.connections(), 5);
    assert_ne!(hash_of(&[vec![1], vec![2]]), hash_of(&[vec![1, 2]]));
}

#[tokio::test]
async fn the_issuer_that_was_asked_longest_ago_is_forgotten_first() {
    let stage = Stage::new();
    assert!(stage.ask(Freshness::Fresh).await.is_ok());
    stage.pass(SECOND_US);
    for number in 1..ISSUERS_MAX {
        let other = format!("https://other-{number}.example");
        let place = stage.issuers.place(&other, &[]);
        place.answer.lock().await.asked_us = Some(stage.clock.monotonic_us());
    }
    assert!(stage.ask(Freshness::Fresh).await.is_ok());
    assert_eq!(stage.connections(), 2);
    drop(stage.issuers.place("https://one-more.example", &[]));
    assert_eq!(stage.issuers.known.lock().unwrap().len(), ISSUERS_MAX);
    assert!(stage.ask(Freshness::Fresh).await.is_ok());
    assert_eq!(stage.connections(), 4);
}

#[test]
fn refusals_are_sentences_without_a_word_of_the_issuers() {
    let errors = [
        IssuerError::Document(ClaimError::OtherIssuer),
        IssuerError::Roots(ConfigError::NoRoot),
        IssuerError::Tls(rustls::Error::FailedToGetCurrentTime),
        IssuerError::NotAllowed,
        IssuerError::Link(io::ErrorKind::ConnectionRefused.into()),
        IssuerError::Redirect,
        IssuerError::Status(StatusCode::NOT_FOUND),
        IssuerError::TooLarge,
        IssuerError::TimedOut,
        IssuerError::Waiting,
    ];
    let with_source = errors
        .iter()
        .filter(|error| std::error::Error::source(*error).is_some());
    assert_eq!(with_source.count(), 4);
    let texts: std::collections::BTreeSet<String> =
        errors.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), errors.len());
}
