//! A browser without a screen: what a test or a demonstration logs in with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::handshake;
use hyper::header::{CONNECTION, CONTENT_TYPE, COOKIE, HOST, HeaderMap, LOCATION, SET_COOKIE};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::error::Error;
use crate::form::encode_form;

/// Longest wait for TCP and TLS.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);
/// Longest wait for an answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(20);
/// Largest body of an answer, in bytes.
const BODY_SIZE_MAX: usize = 1 << 20;
/// The port of `https` addresses that name none.
const HTTPS_PORT: u16 = 443;

/// Fetches pages over HTTPS and keeps cookies, per host and port. It follows no redirect.
#[derive(Debug)]
pub struct Browser {
    tls: TlsConnectorOf,
    cookies: BTreeMap<String, BTreeMap<String, String>>,
}

/// A connector that can be shown.
struct TlsConnectorOf(TlsConnector);

impl std::fmt::Debug for TlsConnectorOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsConnector")
    }
}

/// An answer, complete in memory.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// Where a redirect leads.
    #[must_use]
    pub fn location(&self) -> Option<&str> {
        let is_redirect = matches!(self.status, 302 | 303);
        let location = self.headers.get(LOCATION).filter(|_| is_redirect)?;
        location.to_str().ok()
    }

    /// The body as text, what is no UTF-8 replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Browser {
    /// One that trusts the certificates in `ca_pem` and no others.
    ///
    /// # Errors
    /// [`Error::Tls`] if there is none.
    pub fn new(ca_pem: &str) -> Result<Self, Error> {
        let config = chancery_hybrid_kx::attested_client_config(ca_pem).map_err(Error::Tls)?;
        Ok(Self {
            tls: TlsConnectorOf(TlsConnector::from(Arc::clone(&config))),
            cookies: BTreeMap::new(),
        })
    }

    /// Fetches a page.
    ///
    /// # Errors
    /// [`Error::Address`], [`Error::Connect`] and [`Error::Exchange`].
    pub async fn get(&mut self, url: &str) -> Result<Reply, Error> {
        self.send(Method::GET, url, None).await
    }

    /// Sends a form.
    ///
    /// # Errors
    /// As [`Browser::get`].
    pub async fn post(&mut self, url: &str, fields: &[(&str, &str)]) -> Result<Reply, Error> {
        self.send(Method::POST, url, Some(encode_form(fields)))
            .await
    }

    async fn send(
        &mut self,
        method: Method,
        url: &str,
        form: Option<String>,
    ) -> Result<Reply, Error> {
        let uri: Uri = url.parse().map_err(|_invalid| Error::Address)?;
        let (true, Some(authority)) = (uri.scheme_str() == Some("https"), uri.authority()) else {
            return Err(Error::Address);
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, authority.as_str())
            .header(CONNECTION, "close");
        if let Some(cookies) = self.cookies.get(authority.as_str()) {
            let pairs: Vec<String> = cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
            request = request.header(COOKIE, pairs.join("; "));
        }
        if form.is_some() {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        let body = Full::new(Bytes::from(form.unwrap_or_default()));
        let request = request.body(body).map_err(|_invalid| Error::Address)?;
        let host = authority.host().trim_matches(['[', ']']);
        let port = authority.port_u16().unwrap_or(HTTPS_PORT);
        let reply = self.exchange(host, port, request).await?;
        self.keep_cookies(authority.as_str(), &reply.headers);
        Ok(reply)
    }

    async fn exchange(
        &self,
        host: &str,
        port: u16,
        request: Request<Full<Bytes>>,
    ) -> Result<Reply, Error> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_invalid| Error::Address)?;
        let connecting = async {
            let tcp = TcpStream::connect((host, port)).await?;
            self.tls.0.connect(name, tcp).await
        };
        let stream = match timeout(CONNECT_TIME_MAX, connecting).await {
            Ok(stream) => stream.map_err(Error::Connect)?,
            Err(elapsed) => return Err(Error::Connect(elapsed.into())),
        };
        let exchange = async {
            let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
            let answer = async {
                let (head, body) = sender.send_request(request).await?.into_parts();
                let body = Limited::new(body, BODY_SIZE_MAX).collect().await;
                Ok::<_, hyper::Error>((head, body))
            };
            tokio::pin!(connection, answer);
            tokio::select! {
                answer = &mut answer => answer,
                // The connection may be at its end before the answer has been looked at.
                _ended = &mut connection => answer.await,
            }
        };
        match timeout(ANSWER_TIME_MAX, exchange).await {
            Ok(Ok((head, Ok(body)))) => Ok(Reply {
                status: head.status.as_u16(),
                headers: head.headers,
                body: body.to_bytes(),
            }),
            Ok(_) | Err(_) => Err(Error::Exchange),
        }
    }

    fn keep_cookies(&mut self, authority: &str, headers: &HeaderMap) {
        for line in headers.get_all(SET_COOKIE) {
            let text = line.to_str().unwrap_or_default();
            let pair = text.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.trim().split_once('=') {
                let cookies = self.cookies.entry(authority.to_owned()).or_default();
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

/// Walks from an authorization address of this issuer through its login page, and gives the address that a browser would be led back
/// to, with the code, or with the error if the request was refused.
///
/// # Errors
/// [`Error::Login`] if user name or password is wrong, [`Error::Step`] for an answer that is no step of a login, and those of
/// [`Browser`].
pub async fn login(
    ca_pem: &str,
    authorization_url: &str,
    user_name: &str,
    password: &str,
) -> Result<String, Error> {
    let mut browser = Browser::new(ca_pem)?;
    let page = browser.get(authorization_url).await?;
    if let Some(back) = page.location() {
        return Ok(back.to_owned());
    }
    let text = page.text();
    let action = after(&text, "<form method=\"post\" action=\"");
    let request = after(&text, "name=\"request\" value=\"");
    let (200, Some(action), Some(request)) = (page.status, action, request) else {
        return Err(Error::Step(page.status));
    };
    let end = authorization_url
        .match_indices('/')
        .nth(2)
        .map_or(authorization_url.len(), |(at, _)| at);
    let origin = authorization_url.get(..end).unwrap_or_default();
    let fields = [
        ("request", request),
        ("username", user_name),
        ("password", password),
    ];
    let reply = browser.post(&format!("{origin}{action}"), &fields).await?;
    match (reply.location(), reply.status) {
        (Some(back), _) => Ok(back.to_owned()),
        (None, 403) => Err(Error::Login),
        (None, status) => Err(Error::Step(status)),
    }
}

/// What stands between `start` and the next quotation mark. Our own pages hold nothing there that is escaped.
fn after<'a>(page: &'a str, start: &str) -> Option<&'a str> {
    let (_, rest) = page.split_once(start)?;
    rest.split_once('"').map(|(value, _)| value)
}
