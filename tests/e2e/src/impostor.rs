//! A server with a certificate of its own that reads what it is sent, and may relay it to a genuine
//! runtime: what a host can do that has got a certificate.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned, version};

use crate::client::{Client, Tls};
use crate::service::Service;
use crate::wait::SHORT;

/// An impostor under the name `localhost`. It lasts until the process ends.
#[derive(Debug)]
pub struct Impostor {
    address: SocketAddr,
    authority_pem: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Impostor {
    /// An impostor that relays each request to a runtime, of which it knows the certificate.
    #[must_use]
    pub fn before(service: &Service) -> Self {
        let ready = service.ready();
        let roots = std::fs::read(ready.text("ca_file")).unwrap();
        let (config, authority_pem) = identity();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&requests);
        let target = ready.address();
        thread::spawn(move || {
            for tcp in listener.incoming().flatten() {
                let mut client = Client::new(target, &roots, Tls::V13);
                let (config, heard) = (Arc::clone(&config), Arc::clone(&heard));
                thread::spawn(move || serve(tcp, config, &mut client, &heard));
            }
        });
        Self {
            address,
            authority_pem,
            requests,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate of its authority.
    #[must_use]
    pub fn authority_pem(&self) -> &str {
        &self.authority_pem
    }

    /// The request lines that it was sent in clear.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn identity() -> (Arc<ServerConfig>, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let leaf_key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&leaf_key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::try_from(leaf_key.serialize_der()).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    (Arc::new(config), authority)
}

/// Reads requests and gives the genuine runtime's answers, until either end has had enough.
fn serve(
    tcp: TcpStream,
    config: Arc<ServerConfig>,
    client: &mut Client,
    heard: &Mutex<Vec<String>>,
) -> Option<()> {
    tcp.set_read_timeout(Some(SHORT)).ok()?;
    let session = ServerConnection::new(config).ok()?;
    let mut stream = BufReader::new(StreamOwned::new(session, tcp));
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        heard.lock().unwrap().push(head.lines().next()?.to_owned());
        let lower = head.to_ascii_lowercase();
        let mut lengths = lower
            .lines()
            .filter_map(|line| line.strip_prefix("content-length:"));
        let length = lengths
            .next()
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(0);
        let mut body = Vec::new();
        (&mut stream).take(length).read_to_end(&mut body).ok()?;
        let request = [head.as_bytes(), &body].concat();
        let answer = client.exchange(false, &request).ok()?;
        let mut bytes = format!("HTTP/1.1 {} Relayed\r\n", answer.status);
        for (name, value) in &answer.headers {
            bytes.push_str(&format!("{name}: {value}\r\n"));
        }
        bytes.push_str("\r\n");
        let all = [bytes.as_bytes(), &answer.body].concat();
        stream.get_mut().write_all(&all).ok()?;
        stream.get_mut().flush().ok()?;
    }
}
