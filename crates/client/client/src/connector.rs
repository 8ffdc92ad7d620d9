//! The steps from an address to an appraised connection (reliability section 5.3), in order.

use core::error::Error as _;
use std::collections::BTreeMap;

use chancery_hybrid_kx::attested_client_config;
use chancery_session::{
    ABSENT, AttestRequest, AttestResponse, Channel as Observed, Deployment, EXPORTER_LABEL,
    ProofMode, Remembered, RememberedHead, SessionCheck, SessionOutcome, SessionRefusal,
    SessionRow, appraise_session,
};
use chancery_verify::{Anchor, Outcome};
use ring::rand::{SecureRandom as _, SystemRandom};
use rustls::{AlertDescription, NamedGroup};

use crate::appraised::{Appraised, Unproved};
use crate::channel::Channel;
use crate::checklist::{Checklist, Row};
use crate::clock::now_ms;
use crate::connection::AttestedConnection;
use crate::endpoint::Endpoint;
use crate::error::ClientError;
use crate::heads::{HeadStore, LockedHeads};
use crate::http::{Request, Response};
use crate::stream::AttestedStream;
use crate::tiles;

/// The path of the attestation exchange.
pub const ATTEST_PATH: &str = "/.well-known/chancery/v1/attest";

/// What no connection can check, said with every report (I34).
const NEVER_CHECKED: [&str; 2] = [
    "that the listed measurement is that of the published source: rebuild the image and compare",
    "who has physical access to the listed chips: attacks by probing an allowed chip",
];

/// What was tried and what came of it.
#[derive(Debug)]
pub struct Attempt<A> {
    /// Every check up to and with the one that failed.
    pub checklist: Checklist,
    /// The connection, or why there is none.
    pub result: Result<AttestedConnection<A>, ClientError>,
}

/// Makes appraised connections under one anchor.
#[derive(Debug)]
pub struct Connector<A> {
    anchor: A,
    heads: Option<HeadStore>,
    mode: ProofMode,
    endpoint: Option<Endpoint>,
    clock: fn() -> u64,
}

impl<A: Anchor> Connector<A> {
    /// A connector that remembers nothing and is content with the epoch key's signature.
    #[must_use]
    pub fn new(anchor: A) -> Self {
        Self {
            anchor,
            heads: None,
            mode: ProofMode::Epoch,
            endpoint: None,
            clock: now_ms,
        }
    }

    /// Remembers what it sees of the log, and refuses whatever does not extend it.
    #[must_use]
    pub fn remembering(self, heads: HeadStore) -> Self {
        Self {
            heads: Some(heads),
            ..self
        }
    }

    /// Chooses who signs the session statement.
    #[must_use]
    pub fn with_mode(self, mode: ProofMode) -> Self {
        Self { mode, ..self }
    }

    /// Judges ages by another clock than the machine's, where that one cannot be believed. It gives
    /// milliseconds since the Unix epoch. A clock that is behind accepts evidence that is too old.
    #[must_use]
    pub fn with_clock(self, clock: fn() -> u64) -> Self {
        Self { clock, ..self }
    }

    /// Connects to another base address than the deployment's; its certificate must carry that
    /// name under the pinned roots.
    ///
    /// # Errors
    ///
    /// [`ClientError::BaseInvalid`].
    pub fn at(self, base: &str) -> Result<Self, ClientError> {
        Ok(Self {
            endpoint: Some(Endpoint::parse(base)?),
            ..self
        })
    }

    /// Connects and appraises. `address` (`host:port`) is dialled instead of the base address if
    /// it is given; names and certificates are checked all the same.
    ///
    /// # Errors
    ///
    /// The first check that failed, or what kept it from being made.
    pub async fn connect(
        &self,
        deployment: &Deployment,
        address: Option<&str>,
    ) -> Result<AttestedConnection<A>, ClientError> {
        self.attempt(deployment, address).await.result
    }

    /// As [`Self::connect`], with every check that was made on the way, for a person to read.
    pub async fn attempt(&self, deployment: &Deployment, address: Option<&str>) -> Attempt<A> {
        let mut checklist = begun();
        let result = match self.walk(deployment, address, &mut checklist).await {
            Ok(appraised) => {
                AttestedConnection::open(appraised, checklist.clone(), self.clock).await
            }
            Err(error) => Err(error),
        };
        Attempt { checklist, result }
    }

    /// As [`Self::connect`], for somebody else's HTTP.
    pub(crate) async fn stream(
        &self,
        deployment: &Deployment,
        address: Option<&str>,
    ) -> Result<AttestedStream<A>, ClientError> {
        let mut checklist = begun();
        let appraised = self.walk(deployment, address, &mut checklist).await?;
        Ok(AttestedStream::open(appraised, checklist, self.clock))
    }

    /// Where the deployment is reached: its own base address, or the one that was given instead.
    pub(crate) fn endpoint(&self, deployment: &Deployment) -> Result<Endpoint, ClientError> {
        match &self.endpoint {
            Some(endpoint) => Ok(endpoint.clone()),
            None => Endpoint::parse(deployment.base()),
        }
    }

    async fn walk(
        &self,
        deployment: &Deployment,
        address: Option<&str>,
        checklist: &mut Checklist,
    ) -> Result<Appraised<A>, ClientError> {
        // Step 1: what is pinned, and what is remembered.
        self.check_mode(deployment, checklist)?;
        let heads = match &self.heads {
            Some(store) => Some(lock(store).await?),
            None => None,
        };
        let remembered = heads.as_ref().and_then(LockedHeads::remembered).copied();
        // Step 2: TCP and TLS.
        let channel = self.open(deployment, address, checklist).await?;
        // Step 3: the nonce goes out as the first bytes.
        let nonce = draw_nonce()?;
        let request = AttestRequest {
            nonce,
            mode: self.mode,
        };
        let request = Request::post_json(ATTEST_PATH, request.to_json());
        let (channel, response) = channel.attest(request).await.inspect_err(|error| {
            checklist.failed_with(ATTEST_CHECK, ATTEST_EXPECTED, error.to_string());
        })?;
        let response = read_response(&response, checklist)?;
        self.check_proof_mode(&response, checklist)?;
        // Steps 4 to 8: the appraisal.
        let observed = observe(&channel, nonce, &response)?;
        let now_ms = (self.clock)();
        let appraise = |remembered: Option<&Remembered>| {
            appraise_session(
                deployment,
                &self.anchor,
                &response,
                &observed,
                remembered,
                now_ms,
            )
        };
        let known = remembered.map(|head| Remembered {
            head,
            consistency: None,
        });
        let before = checklist.clone();
        let (channel, session, head) = match record(appraise(known.as_ref()), checklist)? {
            SessionOutcome::Attested(session, head) => (channel, session, head),
            // The rest of step 6: the log must prove that it extends what is remembered.
            SessionOutcome::ProofNeeded(needed) => {
                let old = remembered.ok_or(ClientError::LogNotExtended)?;
                let extended = extend(Unproved::new(channel, needed), old).await;
                let (channel, known) = extended.inspect_err(|error| {
                    let expected = format!("extends size {}", old.size);
                    let name = SessionCheck::CheckpointExtends.name();
                    checklist.failed_with(name, &expected, error.to_string());
                })?;
                *checklist = before;
                match record(appraise(Some(&known)), checklist)? {
                    SessionOutcome::Attested(session, head) => (channel, session, head),
                    SessionOutcome::ProofNeeded(_) => return Err(ClientError::LogNotExtended),
                }
            }
        };
        let appraised = Appraised::new(channel, *session);
        // Step 11: heads only move forward.
        if let Some(mut heads) = heads {
            heads.advance(head).map_err(ClientError::Heads)?;
        }
        // Steps 9, 10 and 12 are the connection's, which is made of this and of nothing else.
        Ok(appraised)
    }

    /// A proof by the epoch key is no answer to who asked for one by the secure processor.
    fn check_proof_mode(
        &self,
        response: &AttestResponse,
        checklist: &mut Checklist,
    ) -> Result<(), ClientError> {
        let (asked, got) = (self.mode, response.session_proof.mode());
        if asked == got {
            checklist.passed(PROOF_MODE_CHECK, asked.word(), got.word().to_owned());
            Ok(())
        } else {
            checklist.failed_with(PROOF_MODE_CHECK, asked.word(), got.word().to_owned());
            Err(ClientError::ProofModeDiffers { asked, got })
        }
    }

    fn check_mode(
        &self,
        deployment: &Deployment,
        checklist: &mut Checklist,
    ) -> Result<(), ClientError> {
        let (pinned, accepted) = (deployment.mode(), A::MODE);
        let same = pinned == accepted;
        let (expected, got) = (accepted.shown(), pinned.shown());
        checklist.push(row(SessionCheck::DeploymentMode, expected, got, same));
        if same {
            Ok(())
        } else {
            Err(ClientError::ModeRefused { pinned, accepted })
        }
    }

    async fn open(
        &self,
        deployment: &Deployment,
        address: Option<&str>,
        checklist: &mut Checklist,
    ) -> Result<Channel, ClientError> {
        let endpoint = self.endpoint(deployment)?;
        let config = attested_client_config(deployment.tls_roots_pem())
            .map_err(ClientError::RootsInvalid)?;
        let address = address.map_or_else(|| endpoint.dial_address(), str::to_owned);
        let stream = Channel::dial(&address).await.inspect_err(|error| {
            checklist.failed_with(TCP_CHECK, &address, error.to_string());
        })?;
        checklist.passed(TCP_CHECK, &address, address.clone());
        let channel = Channel::handshake(stream, config, &endpoint).await;
        let channel = channel.inspect_err(|error| {
            checklist.push(failed_handshake(error, &endpoint));
        })?;
        for passed in tls_rows(&channel) {
            checklist.push(row(passed.check, &passed.expected, &passed.got, true));
        }
        Ok(channel)
    }
}

/// The name of the one check before TLS.
const TCP_CHECK: &str = "tcp_connection";

/// The name of the check that there is an answer in the form of the protocol.
const ATTEST_CHECK: &str = "attest_response";
const ATTEST_EXPECTED: &str = "one response, status 200, the members of version 1";

/// The name of the check that the session is proved in the way that was asked for.
const PROOF_MODE_CHECK: &str = "session_proof_mode";

/// A checklist on which stands what no connection can check.
fn begun() -> Checklist {
    let mut checklist = Checklist::default();
    for what in NEVER_CHECKED {
        checklist.leave_out(what);
    }
    checklist
}

/// Takes the lock on a thread that may wait, because its holder may be a task of this very thread.
async fn lock(store: &HeadStore) -> Result<LockedHeads, ClientError> {
    let store = store.clone();
    let locked = tokio::task::spawn_blocking(move || store.lock()).await;
    locked
        .map_err(|_thread_ended| ClientError::Closed)?
        .map_err(ClientError::Heads)
}

fn draw_nonce() -> Result<[u8; 32], ClientError> {
    let mut nonce = [0; 32];
    SystemRandom::new()
        .fill(&mut nonce)
        .map_err(|ring::error::Unspecified| ClientError::Entropy)?;
    Ok(nonce)
}

fn read_response(
    response: &Response,
    checklist: &mut Checklist,
) -> Result<AttestResponse, ClientError> {
    let status = response.status();
    if status != 200 {
        checklist.failed_with(ATTEST_CHECK, ATTEST_EXPECTED, format!("status {status}"));
        return Err(ClientError::AttestRefused { status });
    }
    let parsed = AttestResponse::from_json(response.body()).map_err(|error| {
        checklist.failed_with(ATTEST_CHECK, ATTEST_EXPECTED, error.to_string());
        ClientError::AttestMalformed(error)
    })?;
    checklist.passed(
        ATTEST_CHECK,
        ATTEST_EXPECTED,
        format!("{} bytes", response.body().len()),
    );
    checklist.claim(parsed.clone());
    Ok(parsed)
}

/// What this side of the connection saw of it, for the appraisal to compare with.
fn observe(
    channel: &Channel,
    nonce: [u8; 32],
    response: &AttestResponse,
) -> Result<Observed, ClientError> {
    let context = response.exporter_context(&nonce);
    let alpn = channel
        .alpn()
        .and_then(|alpn| core::str::from_utf8(alpn).ok());
    Ok(Observed {
        nonce,
        exporter: channel.exporter(EXPORTER_LABEL.as_bytes(), &context)?,
        leaf_spki_sha256: channel.leaf_spki_sha256(),
        server_name: channel.server_name().unwrap_or(ABSENT).to_owned(),
        alpn: alpn.unwrap_or(ABSENT).to_owned(),
        tls_rows: tls_rows(channel),
    })
}

/// The checks of step 2, which [`Channel::handshake`] made: it gives no channel if one failed.
fn tls_rows(channel: &Channel) -> Vec<SessionRow> {
    let group = match channel.group() {
        Some(NamedGroup::X25519MLKEM768) => {
            "X25519MLKEM768: hybrid, closed to a later quantum computer"
        }
        Some(NamedGroup::X25519) => "X25519: classical only",
        Some(NamedGroup::secp256r1) => "secp256r1: classical only",
        _ => "unknown",
    };
    let passed =
        |check, expected: &str, got: &str| SessionRow::new(check, expected, got, Outcome::Passed);
    vec![
        passed(SessionCheck::TlsVersion, "TLS 1.3", "TLS 1.3"),
        passed(
            SessionCheck::TlsFullHandshake,
            "no ticket, no early data",
            "full handshake",
        ),
        passed(
            SessionCheck::TlsLeaf,
            channel.host(),
            "valid under the pinned roots",
        ),
        passed(
            SessionCheck::TlsGroup,
            "X25519MLKEM768, X25519 or secp256r1",
            group,
        ),
    ]
}

/// The row of a handshake that failed, by the check that it failed.
fn failed_handshake(error: &ClientError, endpoint: &Endpoint) -> Row {
    let (check, expected) = match error {
        ClientError::Tls(rustls::Error::InvalidCertificate(_)) | ClientError::LeafUnreadable => {
            (SessionCheck::TlsLeaf, endpoint.host())
        }
        ClientError::Tls(
            rustls::Error::PeerIncompatible(_)
            | rustls::Error::AlertReceived(AlertDescription::ProtocolVersion),
        ) => (SessionCheck::TlsVersion, "TLS 1.3"),
        _ => (SessionCheck::TlsFullHandshake, "a full TLS 1.3 handshake"),
    };
    let got = error
        .source()
        .map_or_else(|| error.to_string(), ToString::to_string);
    row(check, expected, &got, false)
}

fn row(check: SessionCheck, expected: &str, got: &str, passed: bool) -> Row {
    let outcome = if passed {
        Outcome::Passed
    } else {
        Outcome::Failed
    };
    Row {
        check: check.name(),
        expected: expected.to_owned(),
        got: got.to_owned(),
        outcome,
    }
}

/// Puts the rows of an appraisal on the checklist. Those of steps 1 and 2 are there already.
fn record<A: Anchor>(
    appraised: Result<SessionOutcome<A>, SessionRefusal>,
    checklist: &mut Checklist,
) -> Result<SessionOutcome<A>, ClientError> {
    let rows = match &appraised {
        Ok(SessionOutcome::Attested(session, _)) => session.rows(),
        Ok(SessionOutcome::ProofNeeded(needed)) => needed.rows(),
        Err(refusal) => refusal.rows(),
    };
    for row in rows.iter().filter(|row| row.check.step() > 2) {
        checklist.push(Row {
            check: row.check.name(),
            expected: row.expected.clone(),
            got: row.got.clone(),
            outcome: row.outcome,
        });
    }
    appraised.map_err(ClientError::Appraisal)
}

/// Fetches the proof that the served log extends the remembered one.
async fn extend<A: Anchor>(
    mut unproved: Unproved<A>,
    head: RememberedHead,
) -> Result<(Channel, Remembered), ClientError> {
    let size = unproved.served_size();
    let mut tiles = BTreeMap::new();
    for tile in tiles::needed(head.size, size).ok_or(ClientError::LogNotExtended)? {
        let (again, response) = unproved.fetch_tile(tile).await?;
        unproved = again;
        if !response.is_success() {
            return Err(ClientError::LogNotExtended);
        }
        tiles.insert(tile.to_string(), response.body().to_vec());
    }
    let proof = tiles::proof(head.size, size, &tiles).ok_or(ClientError::LogNotExtended)?;
    let known = Remembered {
        head,
        consistency: Some(proof),
    };
    Ok((unproved.into_channel(), known))
}

#[cfg(test)]
mod tests;
