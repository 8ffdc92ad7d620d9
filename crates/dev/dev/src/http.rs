//! HTTP/1.1 as an identity provider speaks it, and the probe of the host's own port.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chancery_client::Endpoint;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::error::DevError;
use crate::files;

/// Largest body of an answer, in bytes: a group with a hundred thousand members.
const BODY_SIZE_MAX: usize = 64 * 1024 * 1024;
/// Longest wait for TCP and TLS.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(20);
/// Longest wait for an answer; the runtime says 503 long before.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);
/// Largest answer of the host's own port, in bytes.
const PROBE_SIZE_MAX: u64 = 64 * 1024;
/// Longest wait for the host's own port.
const PROBE_TIME_MAX: Duration = Duration::from_secs(5);

const SCIM_JSON: HeaderValue = HeaderValue::from_static("application/scim+json");

/// A SCIM service with a credential.
pub(crate) struct Target {
    host: String,
    port: u16,
    host_header: HeaderValue,
    authorization: HeaderValue,
    path: String,
    /// None for a server of others that is compared with ours over loopback.
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// An answer, complete in memory.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// The HTTP status.
    pub(crate) status: u16,
    /// Seconds after which to try again, if it says so.
    pub(crate) retry_after_s: Option<u64>,
    /// The body.
    pub(crate) body: Bytes,
}

impl Target {
    /// `scim_base` is `https://host[:port]/path`; `ca_file` is what is trusted, PEM.
    pub(crate) fn new(scim_base: &str, token: &str, ca_file: &Path) -> Result<Arc<Self>, DevError> {
        let bad = |allowed| DevError::Value {
            option: "the SCIM base",
            allowed,
        };
        let uri: Uri = scim_base
            .parse()
            .map_err(|_invalid| bad("an https address"))?;
        let authority = uri.authority().ok_or_else(|| bad("an https address"))?;
        let endpoint = Endpoint::parse(&format!("https://{authority}"))?;
        let host = endpoint.host().to_owned();
        let server_name =
            ServerName::try_from(host.clone()).map_err(|_invalid| bad("an https address"))?;
        let pem = String::from_utf8_lossy(&files::read(ca_file)?).into_owned();
        let config = chancery_hybrid_kx::attested_client_config(&pem).map_err(|error| {
            DevError::Document {
                path: ca_file.to_owned(),
                reason: error.to_string(),
            }
        })?;
        Ok(Arc::new(Self {
            host_header: header(authority.as_str())?,
            port: endpoint.port(),
            host,
            authorization: authorization(token)?,
            path: uri.path().trim_end_matches('/').to_owned(),
            tls: Some((TlsConnector::from(config), server_name)),
        }))
    }

    /// A server of others on this machine, `http://127.0.0.1:port/path`: nothing is sent there that
    /// would have to be kept secret.
    pub(crate) fn plain(scim_base: &str, token: &str) -> Result<Arc<Self>, DevError> {
        let bad = || DevError::Value {
            option: "--peer",
            allowed: "NAME=http://127.0.0.1:PORT/PATH",
        };
        let uri: Uri = scim_base.parse().map_err(|_invalid| bad())?;
        let authority = uri.authority().ok_or_else(bad)?;
        let address: SocketAddr = authority.as_str().parse().map_err(|_invalid| bad())?;
        if uri.scheme_str() != Some("http") || !address.ip().is_loopback() {
            return Err(bad());
        }
        Ok(Arc::new(Self {
            host_header: header(authority.as_str())?,
            port: address.port(),
            host: address.ip().to_string(),
            authorization: authorization(token)?,
            path: uri.path().trim_end_matches('/').to_owned(),
            tls: None,
        }))
    }

    /// Opens a connection.
    pub(crate) async fn connect(self: &Arc<Self>) -> Result<Connection, DevError> {
        let connecting = async {
            let tcp = TcpStream::connect((self.host.as_str(), self.port)).await?;
            tcp.set_nodelay(true)?;
            let stream: Box<dyn Stream> = match &self.tls {
                Some((tls, server_name)) => Box::new(tls.connect(server_name.clone(), tcp).await?),
                None => Box::new(tcp),
            };
            Ok::<_, std::io::Error>(stream)
        };
        let stream = match timeout(CONNECT_TIME_MAX, connecting).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(DevError::Load(format!("cannot connect: {error}"))),
            Err(_elapsed) => return Err(DevError::Load("cannot connect in time".to_owned())),
        };
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(|error| broken(&error))?;
        let driver = tokio::spawn(async move {
            // How it ended is told to whoever waits for an answer.
            drop(connection.await);
        });
        Ok(Connection {
            target: Arc::clone(self),
            sender,
            driver,
        })
    }
}

/// What HTTP is spoken over.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

fn header(text: &str) -> Result<HeaderValue, DevError> {
    HeaderValue::try_from(text).map_err(|_invalid| DevError::Value {
        option: "the SCIM token",
        allowed: "visible ASCII",
    })
}

fn authorization(token: &str) -> Result<HeaderValue, DevError> {
    let mut authorization = header(&format!("Bearer {token}"))?;
    authorization.set_sensitive(true);
    Ok(authorization)
}

fn broken(error: &hyper::Error) -> DevError {
    DevError::Load(format!("the connection broke: {error}"))
}

/// A connection that is kept alive.
pub(crate) struct Connection {
    target: Arc<Target>,
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl Connection {
    /// Sends a request to a path below the SCIM base and reads the whole answer.
    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Reply, DevError> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.target.path))
            .header(HOST, &self.target.host_header)
            .header(AUTHORIZATION, &self.target.authorization)
            .header(ACCEPT, SCIM_JSON)
            .header(CONTENT_TYPE, SCIM_JSON)
            .body(Full::new(body))
            .map_err(|error| DevError::Load(format!("a request cannot be made: {error}")))?;
        let exchange = async {
            self.sender.ready().await.map_err(|error| broken(&error))?;
            let response = self
                .sender
                .send_request(request)
                .await
                .map_err(|error| broken(&error))?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, BODY_SIZE_MAX)
                .collect()
                .await
                .map_err(|error| DevError::Load(format!("the connection broke: {error}")))?;
            let retry_after = head.headers.get(RETRY_AFTER);
            Ok(Reply {
                status: head.status.as_u16(),
                retry_after_s: retry_after
                    .and_then(|value| value.to_str().ok())
                    .and_then(|value| value.parse().ok()),
                body: body.to_bytes(),
            })
        };
        match timeout(ANSWER_TIME_MAX, exchange).await {
            Ok(result) => result,
            Err(_elapsed) => Err(DevError::Load("there was no answer in time".to_owned())),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// The state of the runtime as the host's own port tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Health {
    /// Stable name.
    pub(crate) code: String,
    /// One plain sentence.
    pub(crate) sentence: String,
}

/// Asks the host's own port for the runtime's state; none if it does not answer in time.
pub(crate) async fn health(address: SocketAddr) -> Option<Health> {
    parse_health(&probe(address, "/healthz").await?)
}

/// Asks the host's own port for its numbers; none if it does not answer in time.
pub(crate) async fn metrics(address: SocketAddr) -> Option<String> {
    String::from_utf8(probe(address, "/metrics").await?).ok()
}

/// The value of one sample, such as `chancery_batches_total`, in the text of the metrics.
pub(crate) fn sample(metrics: &str, name: &str) -> Option<f64> {
    let mut lines = metrics.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    value.trim().parse().ok()
}

async fn probe(address: SocketAddr, path: &str) -> Option<Vec<u8>> {
    let asking = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        stream
            .take(PROBE_SIZE_MAX)
            .read_to_end(&mut answer)
            .await
            .ok()?;
        Some(answer)
    };
    timeout(PROBE_TIME_MAX, asking).await.ok().flatten()
}

fn parse_health(answer: &[u8]) -> Option<Health> {
    let text = std::str::from_utf8(answer).ok()?;
    let (_, body) = text.split_once("\r\n\r\n")?;
    let mut lines = body.lines();
    Some(Health {
        code: lines.next()?.to_owned(),
        sentence: lines.next()?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_code_and_sentence_of_the_hosts_answer() {
        let answer = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 9\r\n\r\nstarting\nThe runtime is starting.\n";
        let health = parse_health(answer).unwrap();
        assert_eq!(health.code, "starting");
        assert_eq!(health.sentence, "The runtime is starting.");
        assert_eq!(parse_health(b"HTTP/1.1 200 OK\r\n\r\n"), None);
        assert_eq!(parse_health(b"HTTP/1.1 200 OK\r\n\r\nserving\n"), None);
        assert_eq!(parse_health(b""), None);
    }

    #[test]
    fn finds_a_sample_by_its_whole_name() {
        let text =
            "HTTP/1.1 200 OK\r\n\r\n# TYPE a counter\na_total 3\na_b_total 4\nc{d=\"e\"} 1.5\n";
        assert_eq!(sample(text, "a_total"), Some(3.0));
        assert_eq!(sample(text, "a_b_total"), Some(4.0));
        assert_eq!(sample(text, "c{d=\"e\"}"), Some(1.5));
        assert_eq!(sample(text, "a"), None);
    }

    #[test]
    fn speaks_without_tls_to_nobody_beyond_this_machine() {
        for base in [
            "http://192.0.2.1:80/v2",
            "http://localhost:80/v2",
            "https://127.0.0.1:80/v2",
            "http://127.0.0.1/v2",
            "",
        ] {
            assert!(Target::plain(base, "t").is_err(), "{base}");
        }
        let target = Target::plain("http://127.0.0.1:80/v2/", "t").unwrap();
        assert_eq!((target.path.as_str(), target.port), ("/v2", 80));
        assert!(target.tls.is_none());
    }

    #[test]
    fn refuses_a_base_that_is_no_https_address() {
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        for base in ["", "http://localhost/t", "/t/demo", "https://"] {
            assert!(Target::new(base, "t", &ca).is_err(), "{base}");
        }
        let unreadable = Target::new("https://localhost:1/t/demo/scim/v2", "t", &ca);
        assert!(matches!(unreadable, Err(DevError::FileRead { .. })));
        std::fs::write(&ca, "no certificate").unwrap();
        let empty = Target::new("https://localhost:1/t/demo/scim/v2", "t", &ca);
        assert!(matches!(empty, Err(DevError::Document { .. })));
    }
}
