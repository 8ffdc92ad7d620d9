use super::*;
use chancery_hybrid_kx::{attested_client_config, server_config};
use rcgen::{CertifiedKey, PublicKeyData as _};
use rustls_pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream as ServerStream;

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

/// What a scripted server does after its handshake.
#[derive(Clone)]
enum Script {
    /// Sends these bytes as soon as a request body ended, then keeps the connection open.
    Answer(Vec<u8>),
    /// Sends these bytes and closes.
    AnswerAndClose(Vec<u8>),
}

/// What the server saw: the plaintext that it received, and its own exporter value.
struct Seen {
    received: Vec<u8>,
    exporter: Option<[u8; 32]>,
}

struct Server {
    address: String,
    roots_pem: String,
    spki_sha256: [u8; 32],
    task: JoinHandle<Seen>,
}

async fn server(script: Script) -> Server {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let spki_sha256 = Sha256::digest(signing_key.subject_public_key_info()).into();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = server_config(vec![cert.der().clone()], key).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        match TlsAcceptor::from(config).accept(stream).await {
            Ok(stream) => play(stream, script).await,
            Err(_) => Seen {
                received: Vec::new(),
                exporter: None,
            },
        }
    });
    Server {
        address,
        roots_pem: cert.pem(),
        spki_sha256,
        task,
    }
}

async fn play(mut stream: ServerStream<TcpStream>, script: Script) -> Seen {
    let exporter = stream
        .get_ref()
        .1
        .export_keying_material([0; 32], b"EXPORTER-test", Some(b"c"));
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    while !received.ends_with(b"{\"nonce\":0}") {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(count) => received.extend_from_slice(&buffer[..count]),
        }
    }
    match script {
        Script::Answer(bytes) => {
            // The client may have gone after the first part of a large answer.
            drop(stream.write_all(&bytes).await);
            drop(stream.flush().await);
        }
        Script::AnswerAndClose(bytes) => {
            drop(stream.write_all(&bytes).await);
            drop(stream.shutdown().await);
        }
    }
    // Everything that the client sends until it hangs up.
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        received.extend_from_slice(&buffer[..count]);
    }
    Seen {
        received,
        exporter: exporter.ok(),
    }
}

fn endpoint() -> Endpoint {
    Endpoint::parse("https://localhost").unwrap()
}

async fn open(server: &Server) -> Result<Channel, ClientError> {
    let config = attested_client_config(&server.roots_pem).unwrap();
    let stream = Channel::dial(&server.address).await?;
    Channel::handshake(stream, config, &endpoint()).await
}

fn attest_request() -> Request {
    Request::post_json("/attest", b"{\"nonce\":0}".to_vec())
}

/// The bytes of [`attest_request`] on the wire, and not one more.
const ATTEST_BYTES: &str = "POST /attest HTTP/1.1\r\nhost: localhost\r\n\
    accept: application/json, application/problem+json\r\ncontent-type: application/json\r\n\
    content-length: 11\r\n\r\n{\"nonce\":0}";

async fn attest_against(script: Script) -> (Result<Response, ClientError>, String) {
    let server = server(script).await;
    let channel = open(&server).await.unwrap();
    let result = channel.attest(attest_request()).await;
    let result = result.map(|(channel, response)| {
        drop(channel);
        response
    });
    let received = server.task.await.unwrap().received;
    (result, String::from_utf8(received).unwrap())
}

#[tokio::test]
async fn gives_the_connection_back_after_exactly_one_exchange() {
    let server = server(Script::Answer(RESPONSE.to_vec())).await;
    let channel = open(&server).await.unwrap();
    assert_eq!(channel.leaf_spki_sha256(), server.spki_sha256);
    assert_eq!(channel.group(), Some(NamedGroup::X25519MLKEM768));
    let (channel, response) = channel.attest(attest_request()).await.unwrap();
    assert_eq!(
        (response.status(), response.body()),
        (200, b"{}".as_slice())
    );
    let exporter = channel.exporter(b"EXPORTER-test", b"c").unwrap();
    assert_ne!(exporter, channel.exporter(b"EXPORTER-test", b"d").unwrap());
    drop(channel);
    let seen = server.task.await.unwrap();
    assert_eq!(seen.exporter, Some(exporter));
    assert_eq!(String::from_utf8(seen.received).unwrap(), ATTEST_BYTES);
}

#[tokio::test]
async fn sends_nothing_to_a_server_with_another_certificate() {
    let server = server(Script::Answer(RESPONSE.to_vec())).await;
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let config = attested_client_config(&other.cert.pem()).unwrap();
    let stream = Channel::dial(&server.address).await.unwrap();
    let refused = Channel::handshake(stream, config, &endpoint()).await;
    assert!(matches!(
        refused,
        Err(ClientError::Tls(rustls::Error::InvalidCertificate(_)))
    ));
    assert!(server.task.await.unwrap().received.is_empty());
}

#[tokio::test]
async fn sends_nothing_to_a_server_with_another_name() {
    let server = server(Script::Answer(RESPONSE.to_vec())).await;
    let config = attested_client_config(&server.roots_pem).unwrap();
    let stream = Channel::dial(&server.address).await.unwrap();
    let endpoint = Endpoint::parse("https://other.example").unwrap();
    let refused = Channel::handshake(stream, config, &endpoint).await;
    assert!(matches!(
        refused,
        Err(ClientError::Tls(rustls::Error::InvalidCertificate(_)))
    ));
    assert!(server.task.await.unwrap().received.is_empty());
}

#[tokio::test]
async fn refuses_a_server_that_closes_before_or_during_its_answer() {
    for length in [0, 5, RESPONSE.len() - 1] {
        let (result, received) =
            attest_against(Script::AnswerAndClose(RESPONSE[..length].to_vec())).await;
        assert!(
            matches!(result, Err(ClientError::Http(_) | ClientError::Closed)),
            "{length}: {result:?}"
        );
        assert_eq!(received, ATTEST_BYTES);
    }
}

#[tokio::test]
async fn refuses_a_server_that_ends_the_connection_with_its_answer() {
    let closing = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
    let (result, received) = attest_against(Script::AnswerAndClose(closing.to_vec())).await;
    assert!(matches!(result, Err(ClientError::Closed)), "{result:?}");
    assert_eq!(received, ATTEST_BYTES);
}

#[tokio::test]
async fn refuses_bytes_that_nobody_asked_for() {
    let (result, _) = attest_against(Script::Answer([RESPONSE, RESPONSE].concat())).await;
    // hyper notices them itself unless they arrive a moment later.
    assert!(
        matches!(
            result,
            Err(ClientError::UnsolicitedBytes | ClientError::Http(_))
        ),
        "{result:?}"
    );
}

#[tokio::test]
async fn refuses_an_answer_over_the_limit_whether_announced_or_not() {
    let size = ATTEST_RESPONSE_SIZE_MAX + 1;
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {size}\r\n\r\n");
    let announced = [head.as_bytes(), &vec![b' '; size]].concat();
    let head = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{size:x}\r\n");
    let chunked = [head.as_bytes(), &vec![b' '; size], b"\r\n0\r\n\r\n"].concat();
    for answer in [announced, chunked] {
        let (result, _) = attest_against(Script::Answer(answer)).await;
        assert!(
            matches!(
                result,
                Err(ClientError::ResponseTooLarge {
                    size_max: ATTEST_RESPONSE_SIZE_MAX
                })
            ),
            "{result:?}"
        );
    }
}

#[tokio::test]
async fn says_which_step_cannot_reach_the_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    assert!(matches!(
        Channel::dial(&address).await,
        Err(ClientError::Connect(_))
    ));
    // A listener that speaks no TLS.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let config = attested_client_config(
        &rcgen::generate_simple_self_signed(["localhost".to_owned()])
            .unwrap()
            .cert
            .pem(),
    )
    .unwrap();
    let stream = Channel::dial(&address).await.unwrap();
    let (accepted, _) = listener.accept().await.unwrap();
    drop(accepted);
    let refused = Channel::handshake(stream, config, &endpoint()).await;
    assert!(matches!(refused, Err(ClientError::HandshakeBroken(_))));
}
