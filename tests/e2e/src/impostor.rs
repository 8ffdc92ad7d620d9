//! A server in the runtime's name that reads what it is sent: what a host can do that has got a
//! certificate, or the runtime's own leaf key.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::crypto::ring::{default_provider, kx_group};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{HandshakeKind, ServerConfig, ServerConnection, StreamOwned, version};

use crate::client::{Answer, Client};
use crate::hello::ClientHello;
use crate::service::Service;
use crate::unsealed::leaf_key;
use crate::wait::SHORT;

/// A certificate with its key.
#[derive(Debug)]
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// A new one for `localhost`, with the certificate of its authority in PEM.
    #[must_use]
    pub fn invented() -> (Self, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        let leaf_key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let leaf = leaf.signed_by(&leaf_key, &issuer).unwrap();
        let identity = Self {
            chain: vec![leaf.der().clone()],
            key: PrivateKeyDer::try_from(leaf_key.serialize_der()).unwrap(),
        };
        (identity, authority)
    }

    /// The very one of a running runtime: its chain from the wire, and its leaf key, unsealed as the
    /// emulated processor's owner can. The hardware gives it to nobody.
    #[must_use]
    pub fn stolen(service: &Service) -> Self {
        Self {
            chain: service.client().certificates(),
            key: leaf_key(service.data()),
        }
    }

    fn config(&self, terms: Terms) -> Arc<ServerConfig> {
        let mut provider = default_provider();
        if terms == Terms::OldGroup {
            provider.kx_groups = vec![kx_group::SECP384R1];
        }
        let versions = match terms {
            Terms::OldVersion => [&version::TLS12],
            _ => [&version::TLS13],
        };
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&versions)
            .unwrap()
            .with_no_client_auth()
            // It also sees that key and certificate belong together.
            .with_single_cert(self.chain.clone(), self.key.clone_key())
            .unwrap();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        if terms == Terms::Resumption {
            config.max_early_data_size = 16 * 1024;
        } else {
            config.send_tls13_tickets = 0;
        }
        Arc::new(config)
    }
}

/// What a server has of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terms {
    /// TLS 1.3, as the runtime, without its hybrid group.
    Modern,
    /// TLS 1.2 alone.
    OldVersion,
    /// TLS 1.3 with secp384r1 alone.
    OldGroup,
    /// TLS 1.3 that gives tickets and takes early data.
    Resumption,
}

/// A request as it was sent.
#[derive(Clone, Debug)]
pub struct Request {
    /// The request line and the header fields, with the empty line.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// Takes a whole request off the front of what was read.
    fn take(buffer: &mut Vec<u8>) -> Option<Self> {
        let end = buffer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let head = String::from_utf8_lossy(buffer.get(..end)?).into_owned();
        let lower = head.to_ascii_lowercase();
        let length = lower
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .map_or(0, |text| text.trim().parse().unwrap());
        let body = buffer.get(end..end + length)?.to_vec();
        buffer.drain(..end + length);
        Some(Self { head, body })
    }

    /// The request line.
    #[must_use]
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// What a genuine service answers to it.
    pub fn relay(&self, client: &mut Client) -> Option<Answer> {
        let bytes = [self.head.as_bytes(), &self.body].concat();
        client.exchange(false, &bytes).ok()
    }
}

/// What an impostor heard on one connection.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// What came over TCP, as encrypted.
    pub wire: Vec<u8>,
    /// Everything that it could read, early data included.
    pub plaintext: Vec<u8>,
    /// The requests in it.
    pub requests: Vec<Request>,
    /// How the handshake went; none if it failed.
    pub handshake: Option<HandshakeKind>,
}

impl Heard {
    /// The client's first message.
    #[must_use]
    pub fn hello(&self) -> ClientHello {
        ClientHello::parse(&self.wire).unwrap()
    }
}

type Conduct = dyn Fn(&mut Client, &Request) -> Option<Answer> + Send + Sync;

/// An impostor under the name `localhost`. It lasts until the process ends.
#[derive(Debug)]
pub struct Impostor {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Arc<Mutex<Heard>>>>>,
}

impl Impostor {
    /// An impostor that answers each request as `conduct` does, which has a connection of its own to
    /// `service`, of which it knows the certificate. Without an answer it closes.
    #[must_use]
    pub fn new(
        service: &Service,
        identity: &Identity,
        terms: Terms,
        conduct: impl Fn(&mut Client, &Request) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        // It gives away nothing by which its own connection could be told from the client's.
        let genuine = service.anonymous().with_alpn();
        let config = identity.config(terms);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&heard);
        let conduct: Arc<Conduct> = Arc::new(conduct);
        thread::spawn(move || {
            for tcp in listener.incoming().flatten() {
                let heard = Arc::new(Mutex::new(Heard::default()));
                all.lock().unwrap().push(Arc::clone(&heard));
                let (config, conduct) = (Arc::clone(&config), Arc::clone(&conduct));
                let mut client = genuine.again();
                thread::spawn(move || serve(tcp, config, &mut client, &*conduct, &heard));
            }
        });
        Self { address, heard }
    }

    /// An impostor that relays each request to a runtime and its answer back.
    #[must_use]
    pub fn relaying(service: &Service, identity: &Identity) -> Self {
        Self::new(service, identity, Terms::Modern, |client, request| {
            request.relay(client)
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it heard so far, connection by connection.
    #[must_use]
    pub fn heard(&self) -> Vec<Heard> {
        let heard = self.heard.lock().unwrap();
        heard
            .iter()
            .map(|one| one.lock().unwrap().clone())
            .collect()
    }
}

/// TCP that is written down as it is read.
struct Overheard<'a> {
    tcp: TcpStream,
    heard: &'a Mutex<Heard>,
}

impl Read for Overheard<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.tcp.read(buffer)?;
        let bytes = buffer.get(..size).unwrap();
        self.heard.lock().unwrap().wire.extend_from_slice(bytes);
        Ok(size)
    }
}

impl Write for Overheard<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tcp.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

/// Reads requests and answers them, until either end has had enough.
fn serve(
    tcp: TcpStream,
    config: Arc<ServerConfig>,
    client: &mut Client,
    conduct: &Conduct,
    heard: &Mutex<Heard>,
) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    tcp.set_read_timeout(Some(SHORT))?;
    let mut tcp = Overheard { tcp, heard };
    let mut tls = ServerConnection::new(config).map_err(io::Error::other)?;
    while tls.is_handshaking() {
        tls.complete_io(&mut tcp)?;
        if let Some(mut early) = tls.early_data() {
            early.read_to_end(&mut heard.lock().unwrap().plaintext)?;
        }
    }
    heard.lock().unwrap().handshake = tls.handshake_kind();
    let mut stream = StreamOwned::new(tls, tcp);
    let mut buffer = Vec::new();
    let mut chunk = vec![0; 16 * 1024];
    loop {
        let size = stream.read(&mut chunk)?;
        let bytes = chunk.get(..size).unwrap();
        if bytes.is_empty() {
            return Ok(());
        }
        heard.lock().unwrap().plaintext.extend_from_slice(bytes);
        buffer.extend_from_slice(bytes);
        while let Some(request) = Request::take(&mut buffer) {
            heard.lock().unwrap().requests.push(request.clone());
            let Some(answer) = conduct(client, &request) else {
                return Ok(());
            };
            stream.write_all(&framed(&answer))?;
            stream.flush()?;
        }
    }
}

/// An answer as bytes, with the length that its body has now.
fn framed(answer: &Answer) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} Relayed\r\n", answer.status);
    for (name, value) in &answer.headers {
        if name != "content-length" {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", answer.body.len()));
    [head.as_bytes(), &answer.body].concat()
}
