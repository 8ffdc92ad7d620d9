//! The certificates and the revocation list that go with a report, so that clients need no connection to AMD.
//!
//! They come from whoever has them, in this order: what is kept from before, the table that the host's platform gives beside a report, AMD's
//! intermediates and roots as built in, the host's file (`collateral` of its configuration), and AMD's key distribution
//! service through the host's egress, if the configuration names a way there. All of it is the host's word. What is shown is only
//! what fits the report by the checks that a client makes; those of a client decide.
//!
//! What came from AMD is given to the host to keep, so that the next start needs no network. It is checked then as anything else is.

mod fit;
mod kds;
mod kept;
mod pool;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chancery_evidence::VekKind;
use chancery_hybrid_kx::{ConfigError, web_client_config_at};
use chancery_platform::CertificateTable;
use chancery_sealing::Entropy;
use chancery_verify::{Anchor, CrlNumbers, Evidence, amd_chain};
use chancery_wire::{BlobName, EgressName};
use hyper::StatusCode;
use rustls::ClientConfig;

use crate::clock::{Clock, TrustedTime};
use crate::https::{Get, HttpsError, WitnessedTime};
use crate::journal_line;
use crate::link;
use crate::status::Status;
use crate::transport::Transport;
use fit::{Found, Rules, Subject};
use kds::{KDS_HOST, KdsRequest, Schedule};
use kept::Kept;
use pool::Pool;

pub use fit::Piece;
pub use kds::KdsFailure;

/// How long one request to the service may take, connection and TLS included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the host may take for its file.
const FILE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a list that is still in force is left alone after somebody was asked for a newer one, in microseconds: AMD makes one
/// every few weeks.
const LIST_PAUSE_US: u64 = 6 * 60 * 60 * 1_000_000;

/// Why there is no collateral. The list is closed: it goes into the journal and holds nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CollateralError {
    /// The secure processor's answer is no report.
    Report,
    /// No source has a part that fits.
    Missing {
        /// Which part.
        piece: Piece,
        /// Why AMD's service, the last source, did not help.
        kds: KdsFailure,
    },
}

impl std::fmt::Display for CollateralError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Report => formatter.write_str("collateral: not_a_report"),
            Self::Missing { piece, kds } => {
                write!(formatter, "collateral: {} ({})", piece.code(), kds.code())
            }
        }
    }
}

impl std::error::Error for CollateralError {}

/// What gathering needs of the rest of the runtime.
pub struct CollateralParts {
    /// The way to the host.
    pub transport: Arc<dyn Transport>,
    /// The shell's clock.
    pub clock: Arc<dyn Clock>,
    /// The time by which AMD's server is judged.
    pub time: Arc<TrustedTime>,
    /// Tells the host what to keep.
    pub status: Arc<Status>,
    /// Name of the egress to AMD's service, if the configuration has one.
    pub kds_egress: Option<EgressName>,
    /// TLS roots of that service, DER; if there are none, those of the image.
    pub kds_roots: Vec<Vec<u8>>,
    /// Spreads requests over time.
    pub entropy: Box<dyn Entropy + Send>,
    /// Whether clients ask for a revocation list, by the release policy.
    pub is_list_needed: bool,
    /// The least number of each root's list, by the firmware floors.
    pub list_numbers_min: CrlNumbers,
}

impl std::fmt::Debug for CollateralParts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("CollateralParts")
            .field("kds_egress", &self.kds_egress)
            .finish_non_exhaustive()
    }
}

/// Who is asked for what is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sources {
    /// The host alone, because a client caused the question.
    Host,
    /// The host, and then AMD's service.
    HostAndService,
}

/// Gathers collateral and keeps what fits.
pub struct Collateral {
    rules: Rules,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    status: Arc<Status>,
    kds: Option<Kds>,
    kept: Mutex<Kept>,
    is_wanted: AtomicBool,
    is_file_refused: AtomicBool,
    said: Mutex<Option<KdsFailure>>,
}

impl std::fmt::Debug for Collateral {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Collateral")
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

/// The way to AMD's service. Whoever asks holds `turn`.
struct Kds {
    egress: EgressName,
    tls: Arc<ClientConfig>,
    turn: tokio::sync::Mutex<Turn>,
}

struct Turn {
    schedule: Schedule,
    entropy: Box<dyn Entropy + Send>,
    list_not_before_us: u64,
}

impl Turn {
    fn failed(&mut self, failure: KdsFailure, now_us: u64) {
        self.schedule.failed(failure, now_us, self.entropy.as_mut());
    }
}

impl Collateral {
    /// Has nothing yet.
    ///
    /// # Errors
    /// [`ConfigError`] if the TLS roots cannot be used.
    pub fn new<A: Anchor>(parts: CollateralParts) -> Result<Self, ConfigError> {
        let rules = Rules::of::<A>(parts.is_list_needed, parts.list_numbers_min);
        Self::with_rules(rules, parts)
    }

    fn with_rules(rules: Rules, parts: CollateralParts) -> Result<Self, ConfigError> {
        let time = Arc::new(WitnessedTime {
            clock: Arc::clone(&parts.clock),
            time: parts.time,
        });
        let tls = web_client_config_at(&parts.kds_roots, time)?;
        let turn = tokio::sync::Mutex::new(Turn {
            schedule: Schedule::default(),
            entropy: parts.entropy,
            list_not_before_us: 0,
        });
        Ok(Self {
            rules,
            transport: parts.transport,
            clock: parts.clock,
            status: parts.status,
            kds: parts.kds_egress.map(|egress| Kds { egress, tls, turn }),
            kept: Mutex::default(),
            is_wanted: AtomicBool::new(false),
            is_file_refused: AtomicBool::new(false),
            said: Mutex::default(),
        })
    }

    /// Staples to a report what is at hand, which includes the table that came with it, and asks nobody: clients cause these reports. What is
    /// missing is remembered for [`Collateral::is_wanted`]. `now_ms` is the trusted time, milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// [`CollateralError`].
    pub fn staple(
        &self,
        report: Vec<u8>,
        table: &CertificateTable,
        now_ms: u64,
    ) -> Result<Evidence, CollateralError> {
        let subject = Subject::of(&report).ok_or(CollateralError::Report)?;
        let found = self.find(&subject, &Pool::of_table(table), now_ms);
        found.staple(report, &self.rules).map_err(|piece| {
            self.is_wanted.store(true, Ordering::Release);
            let kds = KdsFailure::NotAsked;
            CollateralError::Missing { piece, kds }
        })
    }

    /// Whether a report could not be stapled since the last [`Collateral::gather`], such as after a change of the
    /// firmware level: its key has another certificate. Clients can cause it: no reason to ask AMD's service.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.is_wanted.load(Ordering::Acquire)
    }

    /// As [`Collateral::staple`], and asks `sources` for what is missing, and for a newer revocation list when half of
    /// the life of the present one is over. A list that cannot be renewed is shown until it ends.
    ///
    /// # Errors
    /// [`CollateralError`].
    pub async fn gather(
        &self,
        report: Vec<u8>,
        table: &CertificateTable,
        sources: Sources,
        now_ms: u64,
    ) -> Result<Evidence, CollateralError> {
        let subject = Subject::of(&report).ok_or(CollateralError::Report)?;
        self.is_wanted.store(false, Ordering::Release);
        let mut found = self.find(&subject, &Pool::of_table(table), now_ms);
        if self.is_asking_due(&found, now_ms)
            && let Some(file) = self.file().await
        {
            found = self.find(&subject, &file, now_ms);
        }
        let failure = match sources {
            _ if !self.is_asking_due(&found, now_ms) => None,
            Sources::Host => Some(KdsFailure::NotAsked),
            Sources::HostAndService => {
                let asked = self.ask_service(&subject, &mut found, now_ms).await;
                asked.err()
            }
        };
        let outcome = found.staple(report, &self.rules);
        self.say_due(failure.filter(|_| outcome.is_ok()));
        let kds = failure.unwrap_or(KdsFailure::Unfit);
        outcome.map_err(|piece| CollateralError::Missing { piece, kds })
    }

    /// Warns of a list that is still in force and could not be renewed: at each attempt, and once if nobody is asked at all.
    fn say_due(&self, failure: Option<KdsFailure>) {
        if matches!(failure, Some(KdsFailure::Waiting | KdsFailure::NotAsked)) {
            return;
        }
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kds) = failure
            && *said != failure
        {
            journal_line(&format!("collateral: revocation_list_due ({})", kds.code()));
        }
        *said = failure;
    }

    fn is_asking_due(&self, found: &Found, now_ms: u64) -> bool {
        found.missing(&self.rules).is_some()
            || found
                .list_life()
                .is_some_and(|life| life.is_refresh_due(now_ms))
    }

    /// What fits, out of what is kept, built in and in `more`; keeps that too.
    fn find(&self, subject: &Subject, more: &Pool, now_ms: u64) -> Found {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pool = kept.pool();
        if self.rules.is_amd {
            for line in subject.lines() {
                let chain = amd_chain(*line, VekKind::Vcek);
                pool.add_certificate(chain.intermediate);
                pool.add_certificate(chain.root);
            }
        }
        let found = fit::find(&self.rules, &pool.with(more), subject, now_ms);
        kept.remember(subject.level(), &found);
        found
    }

    /// The host's file, if it has a readable one.
    async fn file(&self) -> Option<Pool> {
        let read = link::blob(&self.transport, BlobName::Collateral);
        let bytes = tokio::time::timeout(FILE_TIMEOUT, read).await.ok()?.ok()?;
        let pool = Pool::read(&bytes).ok();
        let was_refused = self.is_file_refused.swap(pool.is_none(), Ordering::AcqRel);
        if pool.is_none() && !was_refused {
            journal_line("collateral: file_malformed");
        }
        pool
    }

    /// Asks AMD's service until nothing is missing or it does not help; each thing once.
    async fn ask_service(
        &self,
        subject: &Subject,
        found: &mut Found,
        now_ms: u64,
    ) -> Result<(), KdsFailure> {
        let kds = self.kds.as_ref().ok_or(KdsFailure::Off)?;
        let chip = subject.chip().ok_or(KdsFailure::NoChip)?;
        let mut turn = kds.turn.lock().await;
        let mut asked: Vec<KdsRequest> = Vec::new();
        let mut has_news = false;
        while let Some(request) = self.next_request(&turn, &chip, found, now_ms, &asked) {
            asked.push(request);
            let now_us = self.clock.monotonic_us();
            turn.schedule.begin(now_us)?;
            if matches!(request, KdsRequest::RevocationList(_)) {
                turn.list_not_before_us = now_us.saturating_add(LIST_PAUSE_US);
            }
            let outcome = self
                .fetch(kds, &request)
                .await
                .and_then(|pool| self.take(subject, found, &pool, &request, now_ms));
            let metrics = self.status.metrics();
            match outcome {
                Ok(is_news) => {
                    metrics.collateral_answered.add(1);
                    turn.schedule.succeeded();
                    has_news |= is_news;
                }
                Err(failure) => {
                    metrics.collateral_failed.add(1);
                    turn.failed(failure, self.clock.monotonic_us());
                    return Err(failure);
                }
            }
        }
        if found.missing(&self.rules).is_some() {
            let now_us = self.clock.monotonic_us();
            turn.failed(KdsFailure::Unfit, now_us);
            return Err(KdsFailure::Unfit);
        }
        if has_news {
            self.status.keep_collateral(found.pieces().write());
        }
        Ok(())
    }

    /// What to ask next, if anything. A certificate of the right key that hangs below no known intermediate may be a changed one, or
    /// the intermediate a new one.
    fn next_request(
        &self,
        turn: &Turn,
        chip: &fit::Chip,
        found: &Found,
        now_ms: u64,
        asked: &[KdsRequest],
    ) -> Option<KdsRequest> {
        let vcek = KdsRequest::Vcek(*chip);
        let chain = KdsRequest::Chain(chip.line);
        let list = KdsRequest::RevocationList(chip.line);
        let is_list_due = found
            .list_life()
            .is_some_and(|life| life.is_refresh_due(now_ms))
            && self.clock.monotonic_us() >= turn.list_not_before_us;
        let wanted: &[KdsRequest] = match found.missing(&self.rules) {
            Some(Piece::Vcek) => &[vcek],
            Some(Piece::Chain | Piece::Unrevoked) => &[chain, vcek],
            Some(Piece::RevocationList) => &[list],
            None if is_list_due => &[list],
            None => &[],
        };
        wanted
            .iter()
            .find(|request| !asked.contains(request))
            .copied()
    }

    /// Takes in an answer. Says whether it brought something.
    fn take(
        &self,
        subject: &Subject,
        found: &mut Found,
        answer: &Pool,
        request: &KdsRequest,
        now_ms: u64,
    ) -> Result<bool, KdsFailure> {
        let better = self.find(subject, answer, now_ms);
        let is_news = better != *found;
        *found = better;
        let is_known = || found.pieces().holds_lists_of(answer);
        match request {
            _ if is_news => Ok(true),
            // AMD's newest list may be the one that is known, and a chain no other than those that are built in.
            KdsRequest::RevocationList(_) if is_known() => Ok(false),
            KdsRequest::Chain(_) => Ok(false),
            KdsRequest::RevocationList(_) | KdsRequest::Vcek(_) => Err(KdsFailure::Unfit),
        }
    }

    async fn fetch(&self, kds: &Kds, request: &KdsRequest) -> Result<Pool, KdsFailure> {
        let target = request.target();
        let get = Get {
            server_name: KDS_HOST,
            host: KDS_HOST,
            target: &target,
            accept: "*/*",
            size_max: request.size_max(),
        };
        let exchange = async {
            let stream = link::egress(&self.transport, &kds.egress)
                .await
                .map_err(|error| unreached(&error))?;
            get.over(stream, &kds.tls)
                .await
                .map_err(|error| unanswered(&error))
        };
        let body = tokio::time::timeout(REQUEST_TIMEOUT, exchange)
            .await
            .unwrap_or(Err(KdsFailure::TimedOut))?;
        request.read(&body)
    }
}

/// What a failure of the host's egress means.
fn unreached(error: &io::Error) -> KdsFailure {
    match error.kind() {
        io::ErrorKind::NotFound => KdsFailure::NotAllowed,
        io::ErrorKind::TimedOut => KdsFailure::TimedOut,
        _ => KdsFailure::Unreachable,
    }
}

fn unanswered(error: &HttpsError) -> KdsFailure {
    match error {
        HttpsError::Tls(_) => KdsFailure::Tls,
        HttpsError::Link(_) => KdsFailure::Unreachable,
        HttpsError::Status(StatusCode::NOT_FOUND) => KdsFailure::Unknown,
        HttpsError::Status(StatusCode::TOO_MANY_REQUESTS) => KdsFailure::Limited,
        HttpsError::Status(_) | HttpsError::Redirect => KdsFailure::Status,
        HttpsError::TooLarge => KdsFailure::TooLarge,
    }
}

#[cfg(test)]
mod tests;
