use super::*;
use chancery_hybrid_kx::server_config;
use rcgen::CertifiedKey;
use rustls_pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

struct Server {
    url: HttpsUrl,
    root: Vec<u8>,
    received: JoinHandle<String>,
}

/// A server for one connection, which answers `answer` to whatever comes.
async fn serve(answer: String) -> Server {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let acceptor = TlsAcceptor::from(server_config(vec![cert.der().clone()], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let received = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let Ok(mut stream) = acceptor.accept(stream).await else {
            return String::new();
        };
        let mut request = vec![0; 4096];
        let count = stream.read(&mut request).await.unwrap();
        // The client may hang up in the middle of an answer that is too large.
        drop(stream.write_all(answer.as_bytes()).await);
        drop(stream.shutdown().await);
        String::from_utf8(request[..count].to_vec()).unwrap()
    });
    Server {
        url: HttpsUrl::parse(&format!("https://localhost:{port}/a?b=c")).unwrap(),
        root: cert.der().to_vec(),
        received,
    }
}

fn answer(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn fetches_a_document_with_no_header_but_the_needed_ones() {
    let server = serve(answer("{}")).await;
    let client = WebClient::new(std::slice::from_ref(&server.root)).unwrap();
    let response = client.get(&server.url).await.unwrap();
    assert_eq!(
        (response.status(), response.body()),
        (200, b"{}".as_slice())
    );
    assert_eq!(
        server.received.await.unwrap(),
        format!(
            "GET /a?b=c HTTP/1.1\r\nhost: {}\r\naccept: application/json\r\nconnection: close\r\n\r\n",
            server.url.authority()
        )
    );
}

#[tokio::test]
async fn sends_a_form() {
    let server = serve(answer("{}")).await;
    let client = WebClient::new(std::slice::from_ref(&server.root)).unwrap();
    let form = "code=a%2Fb".to_owned();
    client.post_form(&server.url, form).await.unwrap();
    let received = server.received.await.unwrap();
    assert!(
        received.starts_with("POST /a?b=c HTTP/1.1\r\n"),
        "{received}"
    );
    assert!(received.contains("\r\ncontent-type: application/x-www-form-urlencoded\r\n"));
    assert!(received.ends_with("\r\n\r\ncode=a%2Fb"), "{received}");
}

#[tokio::test]
async fn believes_no_certificate_of_another_root() {
    let (server, other) = (serve(answer("{}")).await, serve(answer("{}")).await);
    let client = WebClient::new(&[other.root]).unwrap();
    let refused = client.get(&server.url).await;
    assert!(matches!(refused, Err(ClientError::Tls(_))), "{refused:?}");
    assert_eq!(server.received.await.unwrap(), "");
    assert!(matches!(
        WebClient::new(&[vec![0]]),
        Err(ClientError::RootsInvalid(_))
    ));
}

#[tokio::test]
async fn refuses_an_answer_that_is_too_large_or_cut_off() {
    let large = serve(answer(&" ".repeat(WEB_RESPONSE_SIZE_MAX + 1))).await;
    let client = WebClient::new(std::slice::from_ref(&large.root)).unwrap();
    assert!(matches!(
        client.get(&large.url).await,
        Err(ClientError::ResponseTooLarge { .. })
    ));
    let cut = serve("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}".to_owned()).await;
    let client = WebClient::new(std::slice::from_ref(&cut.root)).unwrap();
    assert!(client.get(&cut.url).await.is_err());
}
