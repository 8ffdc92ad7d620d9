//! Fetching what an identity provider publishes: its configuration and its keys.
//!
//! The connections go through the host, which may refuse or delay them and nothing else: TLS is checked
//! here, against the tenant's own roots or those of the image, at the time that witnesses vouch for. That
//! a key was published does not make it trusted; the tenant's rules on new keys do.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chancery_claim::{
    CONFIGURATION_SIZE_MAX, HttpsUrl, JWK_SET_SIZE_MAX, JwkSet, ProviderConfiguration,
    configuration_url,
};
use chancery_hybrid_kx::{ConfigError, web_client_config_at};
use chancery_wire::Authority;
use hyper::StatusCode;
use hyper::body::Bytes;
use ring::digest::{Context, SHA256};
use rustls::ClientConfig;

use crate::clock::{Clock, TrustedTime};
use crate::https::{Get, HttpsError, WitnessedTime};
use crate::link;
use crate::transport::Transport;

/// How long one request may take, connection and TLS included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// How long what was fetched may be used without asking again, in microseconds.
const FRESH_US: u64 = 10 * 60 * 1_000_000;
/// How often one issuer is asked although there is a fresh answer, in microseconds: a token with an unknown
/// key, which anybody can send, asks for that.
const REFRESH_PAUSE_US: u64 = 60 * 1_000_000;
/// How long an issuer that failed is left alone, in microseconds, so that claims do not queue up before it.
const FAILURE_PAUSE_US: u64 = 5 * 1_000_000;
/// Most issuers of which something is remembered; the one that was asked longest ago makes room.
const ISSUERS_MAX: usize = 1024;

/// Why an issuer's keys are not known.
#[derive(Debug)]
#[non_exhaustive]
pub enum IssuerError {
    /// The issuer's URL, its configuration or its key set is not acceptable.
    Document(chancery_claim::Error),
    /// The tenant's own roots cannot be used.
    Roots(ConfigError),
    /// TLS failed: another certificate than the issuer's, or no time to judge it by.
    Tls(rustls::Error),
    /// The host does not allow the connection.
    NotAllowed,
    /// The connection failed, or what came over it is no HTTP.
    Link(io::Error),
    /// An answer that sends the asker elsewhere; it is not followed, because an issuer's documents stand where it says.
    Redirect,
    /// An answer with another status than 200.
    Status(StatusCode),
    /// An answer that is larger than such a document may be.
    TooLarge,
    /// No answer within five seconds.
    TimedOut,
    /// The issuer was asked a moment ago.
    Waiting,
}

impl std::fmt::Display for IssuerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Document(_) => "the issuer's document is not acceptable",
            Self::Roots(_) => "the issuer's tls roots cannot be used",
            Self::Tls(_) => "the issuer's server was not believed",
            Self::NotAllowed => "the host does not allow the issuer",
            Self::Link(_) => "the connection to the issuer failed",
            Self::Redirect => "the issuer answered with a redirect",
            Self::Status(_) => "the issuer answered with an error",
            Self::TooLarge => "the issuer's answer is too large",
            Self::TimedOut => "the issuer did not answer in time",
            Self::Waiting => "the issuer was asked a moment ago",
        })
    }
}

impl std::error::Error for IssuerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Document(source) => Some(source),
            Self::Roots(source) => Some(source),
            Self::Tls(source) => Some(source),
            Self::Link(source) => Some(source),
            Self::NotAllowed
            | Self::Redirect
            | Self::Status(_)
            | Self::TooLarge
            | Self::TimedOut
            | Self::Waiting => None,
        }
    }
}

impl From<chancery_claim::Error> for IssuerError {
    fn from(error: chancery_claim::Error) -> Self {
        Self::Document(error)
    }
}

impl From<io::Error> for IssuerError {
    fn from(error: io::Error) -> Self {
        Self::Link(error)
    }
}

impl From<HttpsError> for IssuerError {
    fn from(error: HttpsError) -> Self {
        match error {
            HttpsError::Tls(source) => Self::Tls(source),
            HttpsError::Link(source) => Self::Link(source),
            HttpsError::Redirect => Self::Redirect,
            HttpsError::Status(status) => Self::Status(status),
            HttpsError::TooLarge => Self::TooLarge,
        }
    }
}

/// How new an answer must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Freshness {
    /// At most ten minutes old.
    Fresh,
    /// Asked for now, unless the issuer was asked within the last minute: then as [`Freshness::Fresh`].
    Newest,
}

/// What an issuer published.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// Its configuration.
    pub configuration: ProviderConfiguration,
    /// Its keys. None of them is trusted by that.
    pub keys: JwkSet,
    /// When it was asked, in milliseconds since the Unix epoch by the trusted time.
    pub fetched_ms: u64,
}

/// The issuers of all tenants, and what they published last.
#[derive(Debug)]
pub struct Issuers {
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    time: Arc<TrustedTime>,
    known: Mutex<BTreeMap<Key, Arc<Place>>>,
}

/// An issuer's URL and the hash of its roots: tenants that believe different servers share no answer.
type Key = (String, [u8; 32]);

/// What is known of one issuer. Whoever asks it holds `answer`, so that others wait instead of asking too.
#[derive(Debug, Default)]
struct Place {
    answer: tokio::sync::Mutex<Answer>,
}

#[derive(Debug, Default)]
struct Answer {
    published: Option<Arc<Published>>,
    /// When `published` was asked for.
    published_us: u64,
    /// When the issuer was asked last, with whatever outcome.
    asked_us: Option<u64>,
    /// Whether that failed.
    failed: bool,
}

impl Answer {
    /// What may be given without asking, or an order to ask.
    fn without_asking(
        &self,
        now_us: u64,
        freshness: Freshness,
    ) -> Option<Result<Arc<Published>, IssuerError>> {
        let since_us = |then_us: u64| now_us.saturating_sub(then_us);
        let asked_within = |pause_us: u64| {
            self.asked_us
                .is_some_and(|asked_us| since_us(asked_us) < pause_us)
        };
        let fresh = self
            .published
            .as_ref()
            .filter(|_| since_us(self.published_us) <= FRESH_US);
        match fresh {
            Some(fresh) if freshness == Freshness::Fresh || asked_within(REFRESH_PAUSE_US) => {
                Some(Ok(Arc::clone(fresh)))
            }
            None if self.failed && asked_within(FAILURE_PAUSE_US) => {
                Some(Err(IssuerError::Waiting))
            }
            Some(_) | None => None,
        }
    }
}

impl Issuers {
    /// Knows nothing yet.
    #[must_use]
    pub fn new(
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        time: Arc<TrustedTime>,
    ) -> Self {
        Self {
            transport,
            clock,
            time,
            known: Mutex::new(BTreeMap::new()),
        }
    }

    /// What `issuer` publishes. Its server, and the one of its keys, must have a certificate under one of `tls_roots`
    /// (DER), or of the image's web roots if there are none.
    ///
    /// # Errors
    /// [`IssuerError`]. An answer that is no longer fresh is not given in place of a failure.
    pub async fn published(
        &self,
        issuer: &str,
        tls_roots: &[Vec<u8>],
        freshness: Freshness,
    ) -> Result<Arc<Published>, IssuerError> {
        let place = self.place(issuer, tls_roots);
        let mut answer = place.answer.lock().await;
        let now_us = self.clock.monotonic_us();
        if let Some(known) = answer.without_asking(now_us, freshness) {
            return known;
        }
        // Set before the asking: a caller that goes away in the midst of it has asked all the same.
        answer.asked_us = Some(now_us);
        answer.failed = true;
        let published = Arc::new(self.fetch(issuer, tls_roots).await?);
        answer.failed = false;
        answer.published_us = now_us;
        answer.published = Some(Arc::clone(&published));
        Ok(published)
    }

    /// The place of an issuer, made if there is none.
    fn place(&self, issuer: &str, tls_roots: &[Vec<u8>]) -> Arc<Place> {
        let key = (String::from(issuer), hash_of(tls_roots));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains_key(&key) && known.len() >= ISSUERS_MAX {
            // A place that is held is being asked now.
            let oldest = known.iter().min_by_key(|(_, place)| {
                let answer = place.answer.try_lock();
                answer.map_or(u64::MAX, |answer| answer.asked_us.unwrap_or(0))
            });
            let oldest = oldest.map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                known.remove(&oldest);
            }
        }
        Arc::clone(known.entry(key).or_default())
    }

    async fn fetch(&self, issuer: &str, tls_roots: &[Vec<u8>]) -> Result<Published, IssuerError> {
        let url = configuration_url(issuer)?;
        let time = Arc::new(WitnessedTime {
            clock: Arc::clone(&self.clock),
            time: Arc::clone(&self.time),
        });
        let tls = web_client_config_at(tls_roots, time).map_err(IssuerError::Roots)?;
        let text = self.get(&url, &tls, CONFIGURATION_SIZE_MAX).await?;
        let configuration = ProviderConfiguration::parse(&text, issuer)?;
        let text = self
            .get(configuration.jwks(), &tls, JWK_SET_SIZE_MAX)
            .await?;
        Ok(Published {
            keys: JwkSet::parse(&text)?,
            configuration,
            fetched_ms: self.time.now_ms(self.clock.as_ref()),
        })
    }

    async fn get(
        &self,
        url: &HttpsUrl,
        tls: &Arc<ClientConfig>,
        size_max: usize,
    ) -> Result<Bytes, IssuerError> {
        tokio::time::timeout(REQUEST_TIMEOUT, self.request(url, tls, size_max))
            .await
            .unwrap_or(Err(IssuerError::TimedOut))
    }

    /// One request over a connection of its own.
    async fn request(
        &self,
        url: &HttpsUrl,
        tls: &Arc<ClientConfig>,
        size_max: usize,
    ) -> Result<Bytes, IssuerError> {
        let authority = Authority::new(&url.authority()).map_err(io::Error::other)?;
        let stream = match link::issuer(&self.transport, &authority).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(IssuerError::NotAllowed);
            }
            other => other?,
        };
        let get = Get {
            server_name: url.host(),
            host: if url.port() == 443 {
                url.host()
            } else {
                authority.as_str()
            },
            target: &url.target(),
            accept: "application/json",
            size_max,
        };
        Ok(get.over(stream, tls).await?)
    }
}

/// SHA-256 of the roots, each behind its length.
fn hash_of(tls_roots: &[Vec<u8>]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for root in tls_roots {
        let length = u64::try_from(root.len()).unwrap_or(u64::MAX);
        context.update(&length.to_be_bytes());
        context.update(root);
    }
    let mut hash = [0; 32];
    hash.iter_mut()
        .zip(context.finish().as_ref())
        .for_each(|(to, from)| *to = *from);
    hash
}

#[cfg(test)]
mod tests;
