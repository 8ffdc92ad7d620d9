//! A host with a file and an egress, and a server behind it that plays AMD's service under a root of the test.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize};

use chancery_testkit::Seeded;
use chancery_wire::{BlobReply, BlobRequest, Decoder, EgressReply, StreamOpen};
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;

use super::super::*;
use super::vectors::{MILAN_NOW_MS, is_accepted_by_clients};
use crate::certificates::TlsKeys;
use crate::metrics::Metrics;
use crate::transport::{BoxStream, IoFuture, Listener};

pub(super) const SECOND_US: u64 = 1_000_000;
pub(super) const HOUR_US: u64 = 3600 * SECOND_US;
pub(super) const EGRESS: &str = "amd-kds";

/// A clock that the test sets.
#[derive(Debug)]
pub(super) struct Hand(AtomicU64);

impl Clock for Hand {
    fn wall_ms(&self) -> u64 {
        MILAN_NOW_MS + self.monotonic_us() / 1000
    }
    fn monotonic_us(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// What the service answers.
#[derive(Clone, Debug)]
pub(super) enum Page {
    /// A whole response.
    Response(Vec<u8>),
    /// Nothing, for ever.
    Silence,
    /// One byte of a response now and then, for ever.
    Drip,
    /// A head that never ends, as fast as it is taken.
    Flood,
}

/// The answer of a server that has what was asked for.
pub(super) fn ok(body: &[u8]) -> Page {
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
    Page::Response([head.as_bytes(), body].concat())
}

/// An answer without a body.
pub(super) fn status(line: &str) -> Page {
    Page::Response(format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\n\r\n").into_bytes())
}

#[derive(Debug)]
struct Host {
    tls: Mutex<Arc<ServerConfig>>,
    egress: Mutex<EgressReply>,
    file: Mutex<Option<Vec<u8>>>,
    pages: Mutex<BTreeMap<String, Page>>,
    targets: Mutex<Vec<String>>,
    connections: AtomicUsize,
}

#[derive(Debug, Clone)]
struct Link(Arc<Host>);

impl Transport for Link {
    fn connect(&self) -> IoFuture<'_, BoxStream> {
        let host = Arc::clone(&self.0);
        Box::pin(async move {
            let (ours, theirs) = tokio::io::duplex(64 * 1024);
            tokio::spawn(async move { host.serve(Box::new(theirs)).await });
            let stream: BoxStream = Box::new(ours);
            Ok(stream)
        })
    }

    fn listen(&self) -> io::Result<Box<dyn Listener>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Host {
    /// Plays host, network and service. Errors end the connection, as they would in each of them.
    async fn serve(&self, mut stream: BoxStream) -> Option<()> {
        let mut decoder = Decoder::new();
        match link::receive(&mut stream, &mut decoder).await.ok()? {
            StreamOpen::Blobs => {
                let BlobRequest { name } = link::receive(&mut stream, &mut decoder).await.ok()?;
                assert_eq!(name, BlobName::Collateral);
                let file = self.file.lock().unwrap().clone();
                let reply = file.map_or(BlobReply::Absent, BlobReply::Found);
                link::send(&mut stream, &reply).await.ok()
            }
            StreamOpen::Egress { name } => {
                assert_eq!(name.as_str(), EGRESS);
                self.connections.fetch_add(1, Ordering::AcqRel);
                let reply = *self.egress.lock().unwrap();
                link::send(&mut stream, &reply).await.ok()?;
                self.answer(stream).await
            }
            other => panic!("{other:?}"),
        }
    }

    async fn answer(&self, stream: BoxStream) -> Option<()> {
        let tls = Arc::clone(&self.tls.lock().unwrap());
        let mut tls = TlsAcceptor::from(tls).accept(stream).await.ok()?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(tls.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.contains("\r\nhost: kdsintf.amd.com\r\n"), "{head}");
        let target = head.split(' ').nth(1).unwrap().to_owned();
        let page = self.pages.lock().unwrap().get(&target).cloned();
        self.targets.lock().unwrap().push(target);
        match page.unwrap_or_else(|| status("404 Not Found")) {
            Page::Response(response) => tls.write_all(&response).await.ok()?,
            Page::Silence => std::future::pending().await,
            Page::Drip => loop {
                tls.write_all(b"H").await.ok()?;
                tls.flush().await.ok()?;
                tokio::time::sleep(Duration::from_secs(1)).await;
            },
            Page::Flood => {
                tls.write_all(b"HTTP/1.1 200 OK\r\na: ").await.ok()?;
                loop {
                    tls.write_all(&[b'x'; 4096]).await.ok()?;
                }
            }
        }
        tls.shutdown().await.ok()
    }
}

/// A host, a service, and a runtime that gathers.
pub(super) struct World {
    host: Arc<Host>,
    clock: Arc<Hand>,
    time: Arc<TrustedTime>,
    keys: TlsKeys,
    pub(super) status: Arc<Status>,
    pub(super) collateral: Collateral,
}

impl World {
    /// A runtime under AMD's rules that may ask the service.
    pub(super) fn new() -> Self {
        Self::with_rules(Rules::of::<chancery_verify::Amd>(true, CrlNumbers::ANY))
    }

    pub(super) fn with_rules(rules: Rules) -> Self {
        let keys = TlsKeys::generate("kds.example", MILAN_NOW_MS).unwrap();
        let host = Arc::new(Host {
            tls: Mutex::new(server(&keys, KDS_HOST)),
            egress: Mutex::new(EgressReply::Connected),
            file: Mutex::default(),
            pages: Mutex::default(),
            targets: Mutex::default(),
            connections: AtomicUsize::new(0),
        });
        let clock = Arc::new(Hand(AtomicU64::new(SECOND_US)));
        let time = Arc::new(TrustedTime::default());
        time.raise_floor(MILAN_NOW_MS, clock.as_ref());
        let status = Arc::new(Status::new(Arc::new(Metrics::default())));
        let parts = parts(&host, &clock, &time, &status, &keys);
        let collateral = Collateral::with_rules(rules, parts).unwrap();
        Self {
            host,
            clock,
            time,
            keys,
            status,
            collateral,
        }
    }

    /// Another start of the runtime over the same host, which kept what it was given.
    pub(super) fn restart(&mut self) {
        if let Some(kept) = self.status.kept_collateral() {
            self.put_file(&kept);
        }
        self.status = Arc::new(Status::new(Arc::new(Metrics::default())));
        let parts = parts(
            &self.host,
            &self.clock,
            &self.time,
            &self.status,
            &self.keys,
        );
        let rules = Rules::of::<chancery_verify::Amd>(true, CrlNumbers::ANY);
        self.collateral = Collateral::with_rules(rules, parts).unwrap();
    }

    /// A configuration without the service.
    pub(super) fn without_service(&mut self) {
        self.collateral.kds = None;
    }

    pub(super) fn put_file(&self, bytes: &[u8]) {
        *self.host.file.lock().unwrap() = Some(bytes.to_vec());
    }

    pub(super) fn put(&self, target: &str, page: Page) {
        self.host
            .pages
            .lock()
            .unwrap()
            .insert(target.to_owned(), page);
    }

    /// Has the host answer the egress like this.
    pub(super) fn set_egress(&self, reply: EgressReply) {
        *self.host.egress.lock().unwrap() = reply;
    }

    /// A server with a certificate for another name, or of another authority.
    pub(super) fn set_server(&self, name: &str, is_known: bool) {
        let stranger = TlsKeys::generate("kds.example", MILAN_NOW_MS).unwrap();
        let keys = if is_known { &self.keys } else { &stranger };
        *self.host.tls.lock().unwrap() = server(keys, name);
    }

    /// What was asked since the last call.
    pub(super) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.host.targets.lock().unwrap())
    }

    pub(super) fn connections(&self) -> usize {
        self.host.connections.load(Ordering::Acquire)
    }

    pub(super) fn pass(&self, duration_us: u64) {
        self.clock.0.fetch_add(duration_us, Ordering::AcqRel);
    }

    /// Gathers for a report; whatever comes of it is something that clients take.
    pub(super) async fn gather(
        &self,
        report: Vec<u8>,
        table: &CertificateTable,
        now_ms: u64,
    ) -> Result<Evidence, CollateralError> {
        let all = Sources::HostAndService;
        let outcome = self.collateral.gather(report, table, all, now_ms).await;
        if let Ok(evidence) = &outcome {
            assert!(is_accepted_by_clients(evidence, now_ms));
        }
        outcome
    }
}

fn server(keys: &TlsKeys, name: &str) -> Arc<ServerConfig> {
    let issued = keys
        .issue("kds.example", &[name.to_owned()], MILAN_NOW_MS)
        .unwrap();
    chancery_hybrid_kx::server_config(issued.chain, issued.key).unwrap()
}

fn parts(
    host: &Arc<Host>,
    clock: &Arc<Hand>,
    time: &Arc<TrustedTime>,
    status: &Arc<Status>,
    keys: &TlsKeys,
) -> CollateralParts {
    CollateralParts {
        transport: Arc::new(Link(Arc::clone(host))),
        clock: Arc::<Hand>::clone(clock),
        time: Arc::clone(time),
        status: Arc::clone(status),
        kds_egress: Some(EgressName::new(EGRESS).unwrap()),
        kds_roots: vec![keys.authority_certificate.clone()],
        entropy: Box::new(Seeded::new(5)),
        is_list_needed: true,
        list_numbers_min: CrlNumbers::ANY,
    }
}
