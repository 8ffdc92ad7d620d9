//! Where the identity provider leads the person back: one request on a loopback port (RFC 8252
//! section 7.3).

use core::time::Duration;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::error::MemberError;

/// The path of the redirect address.
const PATH: &str = "/signed-in";

/// Longest request head, in bytes; codes of large providers have about 2 KiB.
const HEAD_SIZE_MAX: usize = 16 * 1024;

/// How long one connection may take to send its head: the browser is on this machine.
const HEAD_TIME_MAX: Duration = Duration::from_secs(5);

/// Most connections that are for something else, such as an icon.
const CONNECTIONS_MAX: usize = 32;

const PAGE: &str = "<!doctype html><meta charset=\"utf-8\"><title>Chancery</title>\
    <p>You are signed in. This page can be closed; go back to the terminal.</p>";

/// A listener for one redirect.
#[derive(Debug)]
pub(crate) struct RedirectListener {
    listener: TcpListener,
    address: SocketAddr,
}

impl RedirectListener {
    /// Takes a free port of 127.0.0.1.
    pub(crate) async fn bind() -> Result<Self, MemberError> {
        let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = bound.map_err(|error| failed(&error))?;
        let address = listener.local_addr().map_err(|error| failed(&error))?;
        Ok(Self { listener, address })
    }

    /// The address that the provider must lead back to.
    pub(crate) fn redirect_uri(&self) -> String {
        format!("http://{}{PATH}", self.address)
    }

    /// Waits for the one request that is for the redirect address, and gives its full address.
    pub(crate) async fn wait(self) -> Result<String, MemberError> {
        for _connection in 0..CONNECTIONS_MAX {
            let (mut stream, _peer) = self
                .listener
                .accept()
                .await
                .map_err(|error| failed(&error))?;
            let read = timeout(HEAD_TIME_MAX, read_target(&mut stream)).await;
            let target = read.ok().flatten();
            let ours = target.filter(|target| {
                let rest = target.strip_prefix(PATH);
                rest.is_some_and(|rest| rest.starts_with('?'))
            });
            let answer = match &ours {
                Some(_) => response("200 OK", PAGE),
                None => response("404 Not Found", ""),
            };
            // Whether the page arrives changes nothing.
            drop(timeout(HEAD_TIME_MAX, send(&mut stream, &answer)).await);
            if let Some(target) = ours {
                return Ok(format!("http://{}{target}", self.address));
            }
        }
        Err(MemberError::SignIn {
            reason: "too many requests that were for something else".to_owned(),
        })
    }
}

async fn send(stream: &mut TcpStream, answer: &str) -> std::io::Result<()> {
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

/// The target of a `GET`; none for anything else.
async fn read_target(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut chunk = [0; 2048];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        let count = stream.read(&mut chunk).await.ok()?;
        if count == 0 || head.len().saturating_add(count) > HEAD_SIZE_MAX {
            return None;
        }
        head.extend_from_slice(chunk.get(..count)?);
    }
    target_of(&head)
}

fn target_of(head: &[u8]) -> Option<String> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let line = core::str::from_utf8(line).ok()?;
    let mut parts = line.split(' ');
    let (method, target, version) = (parts.next()?, parts.next()?, parts.next()?);
    let plain = method == "GET"
        && version.starts_with("HTTP/1.")
        && parts.next().is_none()
        && target.starts_with('/')
        && target.bytes().all(|byte| byte.is_ascii_graphic());
    plain.then(|| target.to_owned())
}

fn response(status: &str, page: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nContent-Security-Policy: default-src 'none'\r\n\
         Referrer-Policy: no-referrer\r\nConnection: close\r\n\r\n{page}",
        page.len()
    )
}

fn failed(error: &std::io::Error) -> MemberError {
    MemberError::SignIn {
        reason: format!("no port on this machine to come back to: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn takes_the_one_request_for_its_address_and_no_other() {
        let listener = RedirectListener::bind().await.unwrap();
        let (address, uri) = (listener.address, listener.redirect_uri());
        assert!(uri.starts_with("http://127.0.0.1:") && uri.ends_with("/signed-in"));
        let waiting = tokio::spawn(listener.wait());
        for other in [
            "GET /favicon.ico HTTP/1.1\r\n\r\n",
            "POST /signed-in?code=1 HTTP/1.1\r\n\r\n",
            "GET /signed-in HTTP/1.1\r\n\r\n",
            "GET /signed-in2?code=1 HTTP/1.1\r\n\r\n",
            "GET /signed-in?a b HTTP/1.1\r\n\r\n",
        ] {
            assert!(
                ask(address, other).await.starts_with("HTTP/1.1 404"),
                "{other}"
            );
        }
        let answer = ask(address, "GET /signed-in?code=1&state=2 HTTP/1.1\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("can be closed"));
        assert_eq!(
            waiting.await.unwrap().unwrap(),
            format!("{uri}?code=1&state=2")
        );
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn gives_up_after_many_requests_for_something_else() {
        let listener = RedirectListener::bind().await.unwrap();
        let address = listener.address;
        let waiting = tokio::spawn(listener.wait());
        for _request in 0..CONNECTIONS_MAX {
            ask(address, "GET / HTTP/1.1\r\n\r\n").await;
        }
        assert!(matches!(
            waiting.await.unwrap(),
            Err(MemberError::SignIn { .. })
        ));
    }

    #[test]
    fn refuses_heads_that_are_no_plain_request() {
        for head in [
            "",
            "GET /signed-in?a",
            "GET /signed-in?a FTP/1",
            "GET /signed-in?a HTTP/1.1 x",
            "GET http://x/signed-in?a HTTP/1.1",
            "GET /signed-in?\u{e9} HTTP/1.1",
        ] {
            assert_eq!(target_of(head.as_bytes()), None, "{head}");
        }
    }
}
