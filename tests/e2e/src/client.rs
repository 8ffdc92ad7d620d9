//! HTTP/1.1 over TLS as an identity provider speaks it: one request at a time, byte for byte.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, StreamOwned, version,
};
use serde_json::Value;

use crate::wait::SHORT;

/// Longest answer that is read, in bytes.
const ANSWER_SIZE_MAX: u64 = 64 * 1024 * 1024;

/// The one version of TLS that a client offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// TLS 1.2.
    V12,
    /// TLS 1.3.
    V13,
}

/// An answer, complete in memory.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(each, _)| each == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {}", self.text()))
    }

    /// Status and body, for a message.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{} {}", self.status, String::from_utf8_lossy(&self.body))
    }

    /// The same answer, if it has this status.
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// Sees that this is an error in SCIM's form (RFC 7644 section 3.12) and gives its `detail`.
    pub fn scim_error(self, status: u16, scim_type: Option<&str>) -> String {
        let answer = self.expect(status);
        let json = answer.json();
        let text = |name: &str| json.get(name).and_then(Value::as_str);
        let schema = "urn:ietf:params:scim:api:messages:2.0:Error";
        assert_eq!(json.get("schemas"), Some(&serde_json::json!([schema])));
        assert_eq!(text("status"), Some(status.to_string().as_str()));
        assert_eq!(text("scimType"), scim_type, "{}", answer.text());
        let media_type = answer.header("content-type").unwrap_or_default();
        assert!(
            media_type.starts_with("application/scim+json"),
            "{media_type}"
        );
        text("detail").unwrap_or_default().to_owned()
    }
}

type Stream = BufReader<StreamOwned<ClientConnection, TcpStream>>;

/// A client with one connection, opened when it is needed.
pub struct Client {
    address: SocketAddr,
    config: Arc<ClientConfig>,
    tls: Tls,
    prefix: String,
    token: Option<String>,
    stream: Option<Stream>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("address", &self.address)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client that trusts the certificates in `roots_pem` and speaks one version of TLS.
    #[must_use]
    pub fn new(address: SocketAddr, roots_pem: &[u8], tls: Tls) -> Self {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(roots_pem) {
            roots.add(certificate.unwrap()).unwrap();
        }
        let version = match tls {
            Tls::V12 => &version::TLS12,
            Tls::V13 => &version::TLS13,
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            address,
            config: Arc::new(config),
            tls,
            prefix: String::new(),
            token: None,
            stream: None,
        }
    }

    /// Puts a prefix before every path.
    #[must_use]
    pub fn with_prefix(self, prefix: &str) -> Self {
        let prefix = prefix.to_owned();
        Self { prefix, ..self }
    }

    /// Sends a bearer token with every request.
    #[must_use]
    pub fn with_token(self, token: &str) -> Self {
        let token = Some(token.to_owned());
        Self { token, ..self }
    }

    /// Sends no bearer token.
    #[must_use]
    pub fn without_token(self) -> Self {
        Self {
            token: None,
            ..self
        }
    }

    /// Connects to another address under the same names.
    #[must_use]
    pub fn at(self, address: SocketAddr) -> Self {
        Self { address, ..self }
    }

    /// Agrees on HTTP/1.1 in the handshake, as clients that appraise do (RFC 7301).
    #[must_use]
    pub fn with_alpn(self) -> Self {
        let mut config = ClientConfig::clone(&self.config);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let config = Arc::new(config);
        Self { config, ..self }
    }

    /// The same client, with a connection of its own.
    #[must_use]
    pub fn again(&self) -> Self {
        Self {
            address: self.address,
            config: Arc::clone(&self.config),
            tls: self.tls,
            prefix: self.prefix.clone(),
            token: self.token.clone(),
            stream: None,
        }
    }

    /// The certificates that the service shows, its own first.
    ///
    /// # Panics
    /// If it cannot be reached.
    #[must_use]
    pub fn certificates(&self) -> Vec<CertificateDer<'static>> {
        let stream = self.connect().unwrap();
        let shown = stream.get_ref().conn.peer_certificates().unwrap();
        shown.iter().map(|each| each.clone().into_owned()).collect()
    }

    fn connect(&self) -> io::Result<Stream> {
        let mut tcp = TcpStream::connect_timeout(&self.address, SHORT)?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(SHORT))?;
        tcp.set_write_timeout(Some(SHORT))?;
        let name = ServerName::try_from("localhost").unwrap();
        let mut tls =
            ClientConnection::new(Arc::clone(&self.config), name).map_err(io::Error::other)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut tcp)?;
        }
        let expected = match self.tls {
            Tls::V12 => ProtocolVersion::TLSv1_2,
            Tls::V13 => ProtocolVersion::TLSv1_3,
        };
        assert_eq!(tls.protocol_version(), Some(expected));
        Ok(BufReader::new(StreamOwned::new(tls, tcp)))
    }

    /// Sends one request and reads its answer. After an error the connection is given up, and whether the
    /// request took effect is not known.
    ///
    /// # Errors
    /// If the service cannot be reached or the connection breaks.
    pub fn try_request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        let mut head = format!(
            "{method} {}{path} HTTP/1.1\r\nhost: localhost:{}\r\n",
            self.prefix,
            self.address.port()
        );
        if let Some(token) = &self.token {
            head.push_str(&format!("authorization: Bearer {token}\r\n"));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            if !headers.iter().any(|(name, _)| *name == "content-type") {
                head.push_str("content-type: application/scim+json\r\n");
            }
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        self.exchange(method == "HEAD", &[head.as_bytes(), body].concat())
    }

    /// Sends bytes and reads one answer.
    ///
    /// # Errors
    /// As [`Self::try_request`].
    pub fn exchange(&mut self, is_head: bool, bytes: &[u8]) -> io::Result<Answer> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.connect()?,
        };
        let written = stream.get_mut().write_all(bytes);
        let written = written.and_then(|()| stream.get_mut().flush());
        // A service that refuses a body answers before it has read all of it.
        let (answer, closes) = match read_answer(&mut stream, is_head) {
            Ok(answer) => answer,
            Err(error) => return Err(written.err().unwrap_or(error)),
        };
        if !closes && written.is_ok() {
            self.stream = Some(stream);
        }
        Ok(answer)
    }

    /// Sends one request; a connection that breaks fails the test.
    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        self.try_request(method, path, headers, body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// GET.
    pub fn get(&mut self, path: &str) -> Answer {
        self.request("GET", path, &[], b"")
    }

    /// POST of a JSON document.
    pub fn post(&mut self, path: &str, body: &Value) -> Answer {
        self.request("POST", path, &[], body.to_string().as_bytes())
    }

    /// PUT of a JSON document.
    pub fn put(&mut self, path: &str, body: &Value) -> Answer {
        self.request("PUT", path, &[], body.to_string().as_bytes())
    }

    /// PATCH with a JSON document.
    pub fn patch(&mut self, path: &str, body: &Value) -> Answer {
        self.request("PATCH", path, &[], body.to_string().as_bytes())
    }

    /// DELETE.
    pub fn delete(&mut self, path: &str) -> Answer {
        self.request("DELETE", path, &[], b"")
    }

    /// The resources that a filter finds.
    pub fn find(&mut self, kind: &str, filter: &str) -> Vec<Value> {
        let list = self.get(&format!("/{kind}?filter={}", encoded(filter)));
        let list = list.expect(200).json();
        let found = list.get("Resources").and_then(Value::as_array).unwrap();
        assert_eq!(
            list.get("totalResults").and_then(Value::as_u64),
            Some(u64::try_from(found.len()).unwrap())
        );
        found.clone()
    }
}

/// Percent-encoding of everything that is not unreserved (RFC 3986 section 2.3).
pub(crate) fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

/// Reads one answer; the flag says that the connection ends with it.
fn read_answer(stream: &mut impl BufRead, is_head: bool) -> io::Result<(Answer, bool)> {
    let malformed = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let status_line = read_line(stream)?;
    let status = status_line
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| malformed(&status_line))?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(stream)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| malformed(&line))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut answer = Answer {
        status,
        headers,
        body: Vec::new(),
    };
    let closes = answer.header("connection") == Some("close");
    if is_head || status == 204 || status == 304 {
        return Ok((answer, closes));
    }
    let length = answer.header("content-length").map(str::parse::<u64>);
    let length = length.ok_or_else(|| malformed("no content-length"))?;
    let length = length.map_err(|_number| malformed("content-length"))?;
    if length > ANSWER_SIZE_MAX {
        return Err(malformed("too long"));
    }
    let size = stream.take(length).read_to_end(&mut answer.body)?;
    if u64::try_from(size).ok() == Some(length) {
        Ok((answer, closes))
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

fn read_line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    stream.take(64 * 1024).read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

/// Status and body of a plain request to a port of this machine.
///
/// # Panics
/// If there is no answer.
#[must_use]
pub fn plain(address: SocketAddr, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect_timeout(&address, SHORT).unwrap();
    stream.set_read_timeout(Some(SHORT)).unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let (answer, _) = read_answer(&mut BufReader::new(stream), false).unwrap();
    (answer.status, String::from_utf8(answer.body).unwrap())
}
