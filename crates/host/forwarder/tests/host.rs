//! The real process with a runtime played by the test.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use chancery_wire::*;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// A read that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Attempts to see a change that nothing announces.
const ATTEMPTS_MAX: usize = 20_000;

/// A folder as the supervisor lays it out, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ch-{}-{test}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        let folder = Self(path);
        folder.write("configuration.json", b"{\"version\":1}");
        folder.write("release-policy.json", b"signed");
        folder.write("tcb-floors.json", b"signed floors");
        folder.configure(&json!({}));
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    fn configure(&self, egress: &Value) {
        self.configure_listening("127.0.0.1:0", egress);
    }

    fn configure_listening(&self, listen: &str, egress: &Value) {
        self.configure_fully(listen, egress, &json!({}));
    }

    fn configure_issuers(&self, issuers: &Value) {
        self.configure_fully("127.0.0.1:0", &json!({}), issuers);
    }

    fn configure_fully(&self, listen: &str, egress: &Value, issuers: &Value) {
        let config = json!({
            "version": 1, "listen": listen, "status_listen": "127.0.0.1:0",
            "runtime_ingress": "ingress.sock", "host_socket": "host.sock",
            "store": "store.sqlite3", "egress": egress, "issuers": issuers,
            "blobs": {"configuration": "configuration.json", "release_policy": "release-policy.json",
                      "tcb_floors": "tcb-floors.json"},
            "published_deployment": "deployment.json", "connections_max": 64,
        });
        self.write("host.json", config.to_string().as_bytes());
    }

    fn listen_as_runtime(&self) -> UnixListener {
        UnixListener::bind(self.path("ingress.sock")).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chancery-host"));
    command.args(["--config", "host.json"]).current_dir(folder);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A running host, killed at the end.
struct Host {
    child: Child,
    folder: PathBuf,
    ready: Value,
}

impl Host {
    fn start(folder: &Folder) -> Self {
        Self::run(folder, &mut command(&folder.0))
    }

    fn run(folder: &Folder, command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let ready: Value = serde_json::from_str(&line).expect("the host is ready");
        assert_eq!(ready["ready"], true);
        assert_eq!(ready["pid"], child.id());
        Self {
            child,
            folder: folder.0.clone(),
            ready,
        }
    }

    fn connect(&self) -> TcpStream {
        let client = TcpStream::connect(self.ready["listen"].as_str().unwrap()).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client
    }

    fn open(&self, open: &StreamOpen) -> Stream {
        let socket = UnixStream::connect(self.folder.join("host.sock")).unwrap();
        let mut stream = Stream::new(socket);
        stream.send(open);
        stream
    }

    fn egress(&self, name: &str) -> (EgressReply, Stream) {
        let name = EgressName::new(name).unwrap();
        let mut stream = self.open(&StreamOpen::Egress { name });
        (stream.receive(), stream)
    }

    fn issuer(&self, authority: &str) -> (EgressReply, Stream) {
        let authority = Authority::new(authority).unwrap();
        let mut stream = self.open(&StreamOpen::Issuer { authority });
        (stream.receive(), stream)
    }

    /// Status and body of a request to the status port.
    fn request(&self, method: &str, path: &str) -> (u16, String) {
        let metrics = self.ready["metrics"].as_str().unwrap();
        let address = metrics
            .strip_prefix("http://")
            .unwrap()
            .strip_suffix("/metrics")
            .unwrap();
        let mut connection = TcpStream::connect(address).unwrap();
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        connection.write_all(head.as_bytes()).unwrap();
        let mut text = String::new();
        connection.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        if path == "/metrics" && method == "GET" {
            assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0"));
        }
        (
            head.split(' ').nth(1).unwrap().parse().unwrap(),
            body.to_owned(),
        )
    }

    /// Asks until the status port answers this.
    fn await_health(&self, status: u16, code: &str) {
        let mut last = (0, String::new());
        for _ in 0..ATTEMPTS_MAX {
            last = self.request("GET", "/healthz");
            if last.0 == status && last.1.lines().next() == Some(code) {
                return;
            }
        }
        panic!("health is {last:?}, not {status} {code}");
    }

    fn metric(&self, sample: &str) -> f64 {
        let (_, text) = self.request("GET", "/metrics");
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {sample} in {text}"))
            .parse()
            .unwrap()
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits for the end; returns its status and the log.
    fn wait(mut self) -> (ExitStatus, String) {
        let mut log = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut log)
            .unwrap();
        (self.child.wait().unwrap(), log)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
    }
}

/// A stream with frames on it.
struct Stream {
    socket: UnixStream,
    decoder: Decoder,
}

impl Stream {
    fn new(socket: UnixStream) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            socket,
            decoder: Decoder::new(),
        }
    }

    fn send<T: Message>(&mut self, message: &T) {
        self.socket.write_all(&encode(message).unwrap()).unwrap();
    }

    fn try_receive<T: Message>(&mut self) -> Option<T> {
        let mut buffer = [0; 4096];
        loop {
            if let Some(message) = self.decoder.pull().unwrap() {
                return Some(message);
            }
            match self.socket.read(&mut buffer) {
                Ok(0) => return None,
                Ok(count) => self.decoder.push(&buffer[..count]).unwrap(),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                // Whoever stops and continues this process must not fail its tests.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn receive<T: Message>(&mut self) -> T {
        self.try_receive().expect("the host answers")
    }

    /// The socket, once all frames are taken.
    fn into_raw(self) -> UnixStream {
        assert_eq!(self.decoder.buffered(), 0);
        self.socket
    }

    fn store(&mut self, id: u64, operation: StoreOperation) -> Result<StoreAnswer, StoreFault> {
        self.send(&StoreRequest { id, operation });
        let reply: StoreReply = self.receive();
        assert_eq!(reply.id, id);
        reply.result
    }
}

fn accept(runtime: &UnixListener) -> UnixStream {
    let mut stream = Stream::new(runtime.accept().unwrap().0);
    // Byte by byte, so that nothing after the frame is taken.
    let mut decoder = Decoder::with_limit(OPEN_SIZE_MAX);
    loop {
        let mut byte = [0];
        stream.socket.read_exact(&mut byte).unwrap();
        decoder.push(&byte).unwrap();
        if let Some(open) = decoder.pull::<IngressOpen>().unwrap() {
            assert_eq!(
                open,
                IngressOpen {
                    listener: Listener::Public
                }
            );
            return stream.into_raw();
        }
    }
}

fn read_all(mut from: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    bytes
}

fn read_some(mut from: impl Read, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    from.read_exact(&mut bytes).unwrap();
    bytes
}

fn append(stream: u8, sequences: std::ops::Range<u64>) -> StoreOperation {
    let record = |sequence| NewRecord {
        stream: StreamId([stream; 16]),
        sequence,
        body: RecordBody(vec![stream; 100]),
    };
    StoreOperation::Append {
        fence: 0,
        records: sequences.map(record).collect(),
    }
}

fn read(stream: u8) -> StoreOperation {
    StoreOperation::Read {
        stream: StreamId([stream; 16]),
        from: 0,
        bytes_max: u32::MAX,
    }
}

#[test]
fn carries_bytes_both_ways_and_passes_a_half_close_on() {
    let folder = Folder::new("bytes");
    let runtime = folder.listen_as_runtime();
    let host = Host::start(&folder);

    let mut client = host.connect();
    client.write_all(b"hello").unwrap();
    let mut inside = accept(&runtime);
    assert_eq!(read_some(&inside, 5), b"hello");
    client.write_all(b" there").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&inside), b" there", "the client's half is closed");
    inside.write_all(b"answer").unwrap();
    assert_eq!(read_some(&client, 6), b"answer");
    inside.write_all(b" and end").unwrap();
    drop(inside);
    assert_eq!(read_all(&client), b" and end");

    let mut client = host.connect();
    let mut inside = accept(&runtime);
    inside.write_all(b"goodbye").unwrap();
    inside.shutdown(Shutdown::Write).unwrap();
    assert_eq!(
        read_all(&client),
        b"goodbye",
        "the runtime's half is closed"
    );
    client.write_all(b"farewell").unwrap();
    drop(client);
    assert_eq!(read_all(&inside), b"farewell");

    assert!((host.metric("chancery_host_received_bytes_total") - 19.0).abs() < 0.5);
    assert!((host.metric("chancery_host_sent_bytes_total") - 21.0).abs() < 0.5);
    assert!((host.metric("chancery_host_connections_accepted_total") - 2.0).abs() < 0.5);
}

#[test]
fn carries_much_in_both_directions_at_once() {
    const SIZE: usize = 4 * 1024 * 1024;
    let folder = Folder::new("much");
    let runtime = folder.listen_as_runtime();
    let host = Host::start(&folder);
    let client = host.connect();
    let inside = accept(&runtime);
    let bytes = |seed: usize| -> Vec<u8> {
        (0..SIZE)
            .map(|at| (at * 31 / 7 + seed).to_le_bytes()[0])
            .collect()
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            (&client).write_all(&bytes(1)).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
        });
        scope.spawn(|| {
            (&inside).write_all(&bytes(2)).unwrap();
            inside.shutdown(Shutdown::Write).unwrap();
        });
        let at_client = scope.spawn(|| read_all(&client));
        assert!(read_all(&inside) == bytes(1));
        assert!(at_client.join().unwrap() == bytes(2));
    });
}

#[test]
fn a_connection_waits_for_a_runtime_that_is_starting() {
    let folder = Folder::new("waits");
    let host = Host::start(&folder);
    let mut client = host.connect();
    client.write_all(b"early").unwrap();
    while host.metric("chancery_host_connections_open") < 0.5 {}
    let runtime = folder.listen_as_runtime();
    let inside = accept(&runtime);
    assert_eq!(read_some(&inside, 5), b"early");
}

#[test]
fn opens_only_named_destinations_and_learns_new_addresses_on_a_signal() {
    let folder = Folder::new("egress");
    let (first, second) = (listen(), listen());
    let closed = address(&listen());
    folder.configure(&json!({"witness-1": address(&first), "closed": closed}));
    let host = Host::start(&folder);

    assert_eq!(host.egress("witness-2").0, EgressReply::UnknownName);
    assert_eq!(host.egress("closed").0, EgressReply::Refused);

    let mut early = encode(&StreamOpen::Egress {
        name: EgressName::new("witness-1").unwrap(),
    })
    .unwrap();
    early.extend_from_slice(b"hello");
    let socket = UnixStream::connect(folder.path("host.sock")).unwrap();
    let mut stream = Stream::new(socket);
    stream.socket.write_all(&early).unwrap();
    let mut outside = first.accept().unwrap().0;
    assert_eq!(stream.receive::<EgressReply>(), EgressReply::Connected);
    assert_eq!(read_some(&outside, 5), b"hello");
    let mut inside = stream.into_raw();
    inside.write_all(b" more").unwrap();
    inside.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&outside), b" more");
    outside.write_all(b"cosigned").unwrap();
    drop(outside);
    assert_eq!(read_all(&inside), b"cosigned");

    folder.configure(&json!({"witness-1": address(&second), "witness-2": address(&first)}));
    host.signal(Signal::HUP);
    let reached = (0..ATTEMPTS_MAX).find(|_| host.egress("witness-2").0 == EgressReply::Connected);
    assert!(reached.is_some(), "the new name is never known");
    assert_eq!(host.egress("witness-1").0, EgressReply::Connected);
    second.accept().unwrap();
    assert_eq!(host.egress("closed").0, EgressReply::UnknownName);

    folder.write("host.json", b"{");
    host.signal(Signal::HUP);
    host.signal(Signal::TERM);
    let (status, log) = host.wait();
    assert_eq!(status.code(), Some(0));
    assert!(log.contains("event=egress_reloaded"), "{log}");
    assert!(log.contains("event=egress_name_unknown"), "{log}");
}

#[test]
fn connects_to_the_issuers_that_the_configuration_allows() {
    let folder = Folder::new("issuers");
    let issuer = listen();
    folder.configure_issuers(&json!({"127.0.0.1:443": address(&issuer)}));
    let host = Host::start(&folder);

    for refused in ["127.0.0.1:444", "127.0.0.2:443", &address(&issuer)] {
        assert_eq!(
            host.issuer(refused).0,
            EgressReply::UnknownName,
            "{refused}"
        );
    }
    let (reply, stream) = host.issuer("127.0.0.1:443");
    assert_eq!(reply, EgressReply::Connected);
    let mut inside = stream.into_raw();
    let outside = issuer.accept().unwrap().0;
    inside.write_all(b"hello").unwrap();
    assert_eq!(read_some(&outside, 5), b"hello");

    // Where any issuer is allowed, this machine's own addresses still are nobody's.
    folder.configure_issuers(&json!("any"));
    host.signal(Signal::HUP);
    let is_forgotten = |_| host.issuer("127.0.0.1:443").0 == EgressReply::UnknownName;
    assert!((0..ATTEMPTS_MAX).any(is_forgotten));
    assert_eq!(host.issuer(&address(&issuer)).0, EgressReply::UnknownName);
}

fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

fn address(listener: &TcpListener) -> String {
    listener.local_addr().unwrap().to_string()
}

#[test]
fn hands_out_its_files_as_they_are() {
    let folder = Folder::new("blobs");
    let host = Host::start(&folder);
    let mut stream = host.open(&StreamOpen::Blobs);
    let mut ask = |name| {
        stream.send(&BlobRequest { name });
        stream.receive::<BlobReply>()
    };
    let configuration = BlobReply::Found(b"{\"version\":1}".to_vec());
    assert_eq!(ask(BlobName::Configuration), configuration);
    assert_eq!(
        ask(BlobName::ReleasePolicy),
        BlobReply::Found(b"signed".to_vec())
    );
    assert_eq!(
        ask(BlobName::TcbFloors),
        BlobReply::Found(b"signed floors".to_vec())
    );
    assert_eq!(ask(BlobName::Collateral), BlobReply::Absent);
    folder.write("release-policy.json", b"signed again");
    assert_eq!(
        ask(BlobName::ReleasePolicy),
        BlobReply::Found(b"signed again".to_vec())
    );
    folder.write("release-policy.json", &vec![0; BLOB_SIZE_MAX + 1]);
    assert_eq!(ask(BlobName::ReleasePolicy), BlobReply::Absent);
    std::fs::remove_file(folder.path("configuration.json")).unwrap();
    assert_eq!(ask(BlobName::Configuration), BlobReply::Absent);
}

#[test]
fn keeps_records_over_a_restart_and_answers_a_pipeline_in_order() {
    let folder = Folder::new("store");
    let host = Host::start(&folder);
    let mut store = host.open(&StreamOpen::Store);
    let count = 200;
    for id in 0..count {
        store.send(&StoreRequest {
            id,
            operation: append(1, id..id + 1),
        });
    }
    for id in 0..count {
        let reply: StoreReply = store.receive();
        assert_eq!(
            reply,
            StoreReply {
                id,
                result: Ok(StoreAnswer::Appended)
            }
        );
    }
    let conflict = StoreFault::Conflict {
        stream: StreamId([1; 16]),
        length: 200,
    };
    assert_eq!(store.store(900, append(1, 7..8)), Err(conflict));
    assert_eq!(
        store.store(901, StoreOperation::Fence { epoch: 0 }),
        Ok(StoreAnswer::Fenced)
    );
    assert!(host.metric("chancery_host_store_append_seconds_count") > 199.0);
    assert!(host.metric("chancery_host_store_faults_total{fault=\"conflict\"}") > 0.5);
    host.signal(Signal::TERM);
    let (status, log) = host.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!folder.path("host.sock").exists());
    assert!(
        !folder.path("store.sqlite3-wal").exists(),
        "the store was closed"
    );

    let host = Host::start(&folder);
    let mut store = host.open(&StreamOpen::Store);
    let Ok(StoreAnswer::Records(records)) = store.store(1, read(1)) else {
        panic!("no records")
    };
    assert_eq!(records, vec![RecordBody(vec![1; 100]); 200]);
    let heads = vec![StreamHead {
        stream: StreamId([1; 16]),
        length: 200,
    }];
    assert_eq!(
        store.store(2, StoreOperation::Streams),
        Ok(StoreAnswer::Streams(heads))
    );
}

#[test]
fn what_was_acknowledged_survives_kill_9_and_the_stale_socket_is_replaced() {
    let folder = Folder::new("kill");
    let mut host = Host::start(&folder);
    let mut store = host.open(&StreamOpen::Store);
    assert_eq!(store.store(1, append(3, 0..50)), Ok(StoreAnswer::Appended));
    host.child.kill().unwrap();
    host.child.wait().unwrap();
    assert!(folder.path("host.sock").exists());
    let host = Host::start(&folder);
    let mut store = host.open(&StreamOpen::Store);
    let Ok(StoreAnswer::Records(records)) = store.store(1, read(3)) else {
        panic!("no records")
    };
    assert_eq!(records.len(), 50);
}

#[test]
fn a_failed_store_ends_the_process_without_an_answer() {
    let folder = Folder::new("fatal");
    let host = Host::start(&folder);
    let mut store = host.open(&StreamOpen::Store);
    assert_eq!(store.store(1, append(1, 0..1)), Ok(StoreAnswer::Appended));
    let insert = "INSERT INTO record (stream, sequence, body) VALUES (1, 1, x'00')";
    let file = rusqlite::Connection::open(folder.path("store.sqlite3")).unwrap();
    file.execute_batch(insert).unwrap();
    drop(file);
    store.send(&StoreRequest {
        id: 2,
        operation: append(1, 1..2),
    });
    store.send(&StoreRequest {
        id: 3,
        operation: StoreOperation::Streams,
    });
    assert_eq!(store.try_receive::<StoreReply>(), None);
    let (status, log) = host.wait();
    assert_eq!(status.code(), Some(3));
    assert!(
        log.contains("event=store_failed") && log.contains("the store failed"),
        "{log}"
    );
}

#[test]
fn telemetry_becomes_health_metrics_and_the_published_document() {
    let folder = Folder::new("telemetry");
    let host = Host::start(&folder);
    host.await_health(503, "unreachable");

    let counters = Counters {
        users: 17,
        cpu_us: 2_500_000,
        ..Counters::default()
    };
    let mut telemetry = Telemetry {
        health: Health::WaitingForWitnesses,
        counters,
        deployment: None,
        collateral: None,
    };
    let mut stream = host.open(&StreamOpen::Telemetry);
    stream.send(&telemetry);
    host.await_health(503, "waiting_for_witnesses");
    assert!(!folder.path("deployment.json").exists());

    telemetry.health = Health::Serving;
    telemetry.deployment = Some(b"{\"public\":true}".to_vec());
    stream.send(&telemetry);
    host.await_health(200, "serving");
    assert!((host.metric("chancery_users") - 17.0).abs() < 0.5);
    assert!((host.metric("chancery_runtime_cpu_seconds_total") - 2.5).abs() < 0.01);
    assert!(host.metric("chancery_host_resident_bytes") > 100_000.0);
    assert!(host.metric("chancery_health{chancery_health=\"serving\"}") > 0.5);

    let mut newer = host.open(&StreamOpen::Telemetry);
    telemetry.health = Health::Refused(RefusalCode::RolledBack);
    newer.send(&telemetry);
    host.await_health(503, "rolled_back");
    let document = std::fs::read(folder.path("deployment.json")).unwrap();
    assert_eq!(document, b"{\"public\":true}");
    drop(stream);
    host.await_health(503, "rolled_back");
    drop(newer);
    host.await_health(503, "unreachable");
    assert!(
        (host.metric("chancery_users") - 17.0).abs() < 0.5,
        "the last numbers stay"
    );
}

#[test]
fn keeps_the_runtimes_collateral_where_the_configuration_says_and_hands_it_out_again() {
    let folder = Folder::new("collateral");
    folder.configure(&json!({}));
    let mut config: Value =
        serde_json::from_slice(&std::fs::read(folder.path("host.json")).unwrap()).unwrap();
    let telemetry = Telemetry {
        health: Health::Serving,
        counters: Counters::default(),
        deployment: None,
        collateral: Some(b"gathered".to_vec()),
    };
    {
        let host = Host::start(&folder);
        let mut stream = host.open(&StreamOpen::Telemetry);
        stream.send(&telemetry);
        host.await_health(200, "serving");
        assert!(!folder.path("collateral.pem").exists(), "not configured");
    }
    config["blobs"]["collateral"] = json!("collateral.pem");
    folder.write("host.json", config.to_string().as_bytes());
    folder.write("collateral.pem", b"put there by an operator");
    let host = Host::start(&folder);
    let mut blobs = host.open(&StreamOpen::Blobs);
    let mut ask = || {
        let name = BlobName::Collateral;
        blobs.send(&BlobRequest { name });
        blobs.receive::<BlobReply>()
    };
    assert_eq!(
        ask(),
        BlobReply::Found(b"put there by an operator".to_vec())
    );
    let mut stream = host.open(&StreamOpen::Telemetry);
    stream.send(&telemetry);
    host.await_health(200, "serving");
    assert_eq!(ask(), BlobReply::Found(b"gathered".to_vec()));
}

#[test]
fn the_status_port_has_nothing_else() {
    let folder = Folder::new("status");
    let host = Host::start(&folder);
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/metrics/"),
        ("GET", "/healthz/x"),
        ("GET", "/host.json"),
        ("POST", "/metrics"),
        ("DELETE", "/healthz"),
    ] {
        assert_eq!(
            host.request(method, path),
            (404, String::new()),
            "{method} {path}"
        );
    }
}

#[test]
fn closes_streams_that_break_the_protocol() {
    let folder = Folder::new("protocol");
    let host = Host::start(&folder);
    let refused = |bytes: &[u8]| {
        let mut stream = Stream::new(UnixStream::connect(folder.path("host.sock")).unwrap());
        stream.socket.write_all(bytes).unwrap();
        assert_eq!(stream.try_receive::<StoreReply>(), None);
    };
    refused(
        &encode(&BlobRequest {
            name: BlobName::Configuration,
        })
        .unwrap(),
    );
    refused(&(OPEN_SIZE_MAX + 1).to_be_bytes());
    refused(&[0; 64]);
    let mut wrong = encode(&StreamOpen::Store).unwrap();
    wrong.extend(
        encode(&BlobRequest {
            name: BlobName::Configuration,
        })
        .unwrap(),
    );
    refused(&wrong);
    let counted = |_: &usize| host.metric("chancery_host_streams_refused_total") > 3.5;
    assert!(
        (0..ATTEMPTS_MAX).find(counted).is_some(),
        "not all refusals are counted"
    );
    let mut store = host.open(&StreamOpen::Store);
    assert_eq!(
        store.store(1, StoreOperation::Streams),
        Ok(StoreAnswer::Streams(Vec::new()))
    );
}

fn refusal(folder: &Folder) -> (Option<i32>, String) {
    let output = command(&folder.0).output().unwrap();
    assert!(output.stdout.is_empty());
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn says_which_address_is_in_use() {
    let folder = Folder::new("in-use");
    let holder = listen();
    folder.configure_listening(&address(&holder), &json!({}));
    let (code, text) = refusal(&folder);
    assert_eq!(code, Some(2));
    let expected = format!(
        "address in use: another process listens on {}",
        address(&holder)
    );
    assert!(text.contains(&expected), "{text}");
}

#[test]
fn a_second_host_in_one_folder_says_so_and_leaves_the_first_alone() {
    let folder = Folder::new("second");
    let host = Host::start(&folder);
    let (code, text) = refusal(&folder);
    assert_eq!(code, Some(2));
    assert!(
        text.contains("another process has this store open"),
        "{text}"
    );
    let mut store = host.open(&StreamOpen::Store);
    assert_eq!(store.store(1, append(1, 0..1)), Ok(StoreAnswer::Appended));
}

#[test]
fn refuses_a_configuration_or_command_line_that_it_does_not_know() {
    let folder = Folder::new("config");
    folder.write("host.json", b"{\"version\":1}");
    let (code, text) = refusal(&folder);
    assert_eq!(code, Some(2));
    assert!(
        text.contains("configuration: malformed: missing field"),
        "{text}"
    );
    std::fs::remove_file(folder.path("host.json")).unwrap();
    assert!(refusal(&folder).1.contains("cannot read host.json"));

    let mut unknown = Command::new(env!("CARGO_BIN_EXE_chancery-host"));
    let output = unknown
        .args(["--configuration", "host.json"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("usage: chancery-host")
    );
}

#[test]
fn ends_with_its_standard_input_only_if_it_is_watched() {
    let folder = Folder::new("stdin");
    let mut host = Host::run(&folder, command(&folder.0).stdin(Stdio::piped()));
    drop(host.child.stdin.take());
    assert_eq!(host.request("GET", "/healthz").0, 503);
    host.signal(Signal::TERM);
    assert_eq!(host.wait().0.code(), Some(0));

    let watching = &mut command(&folder.0);
    let mut host = Host::run(&folder, watching.arg("--watch-stdin").stdin(Stdio::piped()));
    assert_eq!(host.request("GET", "/healthz").0, 503);
    drop(host.child.stdin.take());
    let (status, log) = host.wait();
    assert_eq!(status.code(), Some(0), "{log}");
}
