//! A TLS server that answers as its script says and records every byte that a client sends it.

use std::sync::{Arc, Mutex};

use chancery_hybrid_kx::server_config;
use chancery_session::{AttestRequest, EXPORTER_LABEL, SessionStatement};
use chancery_tlog::tile::TileCoordinate;
use rcgen::{CertifiedKey, PublicKeyData as _};
use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::world::World;

/// How a server answers the attestation request.
#[derive(Clone)]
pub(super) enum Script {
    /// Honestly.
    Honest,
    /// With genuine signatures over a changed session statement.
    Lie(fn(&mut SessionStatement)),
    /// With a genuine proof by the epoch key, whatever was asked for.
    Downgrade,
    /// With the very bytes of an earlier answer.
    Replay(Vec<u8>),
    /// With what another, genuine server answers to the same request (a relay).
    Relay(String, Arc<rustls::ClientConfig>),
    /// With this status and body.
    Fixed(u16, &'static str),
    /// Not at all: it closes.
    Close,
}

/// A running server.
pub(super) struct Server {
    pub(super) address: String,
    pub(super) roots_pem: String,
    pub(super) world: Arc<Mutex<World>>,
    /// Of each connection, the plaintext that it received.
    received: Arc<Mutex<Vec<Vec<u8>>>>,
    /// The newest answer to an attestation request.
    pub(super) answered: Arc<Mutex<Vec<u8>>>,
    pub(super) identity: Identity,
    task: JoinHandle<()>,
}

/// A certificate with its key; whoever has it can play this server.
#[derive(Clone)]
pub(super) struct Identity {
    config: Arc<ServerConfig>,
    roots_pem: String,
    spki_sha256: [u8; 32],
}

impl Identity {
    pub(super) fn new() -> Self {
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let spki_sha256 = Sha256::digest(signing_key.subject_public_key_info()).into();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let config = server_config(vec![cert.der().clone()], key).unwrap();
        Self {
            config,
            roots_pem: cert.pem(),
            spki_sha256,
        }
    }
}

impl Server {
    pub(super) async fn start(script: Script) -> Self {
        Self::start_as(Identity::new(), script).await
    }

    pub(super) async fn start_as(identity: Identity, script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let world = Arc::new(Mutex::new(World::new(identity.spki_sha256)));
        let received = Arc::new(Mutex::new(Vec::new()));
        let answered = Arc::new(Mutex::new(Vec::new()));
        let player = Player {
            script,
            world: world.clone(),
            received: received.clone(),
            answered: answered.clone(),
        };
        let acceptor = TlsAcceptor::from(identity.config.clone());
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let connection = player.begin();
                if let Ok(stream) = acceptor.accept(stream).await {
                    tokio::spawn(player.clone().play(stream, connection));
                }
            }
        });
        let roots_pem = identity.roots_pem.clone();
        Self {
            address,
            roots_pem,
            world,
            received,
            answered,
            identity,
            task,
        }
    }

    /// Method and path of each request of each connection, in order.
    pub(super) fn request_lines(&self) -> Vec<Vec<String>> {
        let received = self.received.lock().unwrap();
        received
            .iter()
            .map(|bytes| {
                let mut rest = bytes.clone();
                core::iter::from_fn(|| next_message(&mut rest))
                    .map(|(line, _)| line.trim_end_matches(" HTTP/1.1").to_owned())
                    .collect()
            })
            .collect()
    }

    /// Everything that was received on the newest connection.
    pub(super) fn newest_bytes(&self) -> String {
        let received = self.received.lock().unwrap();
        String::from_utf8(received.last().cloned().unwrap_or_default()).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Player {
    script: Script,
    world: Arc<Mutex<World>>,
    received: Arc<Mutex<Vec<Vec<u8>>>>,
    answered: Arc<Mutex<Vec<u8>>>,
}

impl Player {
    fn begin(&self) -> usize {
        let mut received = self.received.lock().unwrap();
        received.push(Vec::new());
        received.len() - 1
    }

    async fn play(self, mut stream: TlsStream<TcpStream>, connection: usize) {
        let mut buffer = Vec::new();
        loop {
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return,
                Ok(count) => {
                    self.received.lock().unwrap()[connection].extend_from_slice(&chunk[..count]);
                    buffer.extend_from_slice(&chunk[..count]);
                }
            }
            while let Some((line, body)) = next_message(&mut buffer) {
                let path = line.split(' ').nth(1).unwrap();
                let Some((status, answer)) = self.answer(&stream, path, &body).await else {
                    drop(stream.shutdown().await);
                    return;
                };
                let head = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n",
                    answer.len()
                );
                stream.write_all(head.as_bytes()).await.unwrap();
                stream.write_all(&answer).await.unwrap();
                stream.flush().await.unwrap();
            }
        }
    }

    async fn answer(
        &self,
        stream: &TlsStream<TcpStream>,
        path: &str,
        body: &[u8],
    ) -> Option<(u16, Vec<u8>)> {
        if let Some(tile) = path.strip_prefix("/log/") {
            let tile = TileCoordinate::parse(tile).unwrap();
            return match self.world.lock().unwrap().tree().tile(&tile) {
                Some(bytes) => Some((200, bytes)),
                None => Some((404, Vec::new())),
            };
        }
        if path == "/v1/silence" {
            return core::future::pending().await;
        }
        if path != "/.well-known/chancery/v1/attest" {
            return Some((200, b"{\"hello\":true}".to_vec()));
        }
        let request = AttestRequest::from_json(body).unwrap();
        let exporter = |context: &[u8]| {
            let (_, tls) = stream.get_ref();
            let label = EXPORTER_LABEL.as_bytes();
            tls.export_keying_material([0; 32], label, Some(context))
                .unwrap()
        };
        let answer = match &self.script {
            Script::Honest => self
                .world
                .lock()
                .unwrap()
                .answer(&request, exporter, |_| {}),
            Script::Downgrade => {
                let weaker = AttestRequest {
                    mode: chancery_session::ProofMode::Epoch,
                    ..request
                };
                self.world
                    .lock()
                    .unwrap()
                    .answer(&weaker, exporter, |_session| {})
            }
            Script::Lie(lie) => self.world.lock().unwrap().answer(&request, exporter, *lie),
            Script::Replay(bytes) => bytes.clone(),
            Script::Relay(address, config) => relay(address, config, body).await,
            Script::Fixed(status, body) => return Some((*status, body.as_bytes().to_vec())),
            Script::Close => return None,
        };
        self.answered.lock().unwrap().clone_from(&answer);
        Some((200, answer))
    }
}

/// Sends an attestation request of somebody else to a genuine server and gives its answer's body.
async fn relay(address: &str, config: &Arc<rustls::ClientConfig>, body: &[u8]) -> Vec<u8> {
    let stream = TcpStream::connect(address).await.unwrap();
    let name = "localhost".try_into().unwrap();
    let connector = tokio_rustls::TlsConnector::from(config.clone());
    let mut stream = connector.connect(name, stream).await.unwrap();
    let head = format!(
        "POST /.well-known/chancery/v1/attest HTTP/1.1\r\nhost: localhost\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    stream.flush().await.unwrap();
    let mut buffer = Vec::new();
    loop {
        if let Some((_, body)) = next_message(&mut buffer) {
            return body;
        }
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk).await.unwrap();
        assert_ne!(count, 0);
        buffer.extend_from_slice(&chunk[..count]);
    }
}

/// Takes one whole message off the buffer: its first line, and its body.
fn next_message(buffer: &mut Vec<u8>) -> Option<(String, Vec<u8>)> {
    let end = buffer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8(buffer[..end].to_vec()).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().unwrap());
    if buffer.len() < end + length {
        return None;
    }
    let line = head.lines().next().unwrap().to_owned();
    let body = buffer[end..end + length].to_vec();
    buffer.drain(..end + length);
    Some((line, body))
}
