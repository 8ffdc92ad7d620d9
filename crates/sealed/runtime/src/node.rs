//! The node statement and its evidence: made at boot, logged, renewed, and shown on every attested
//! connection (design section 8).

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use chancery_directory::EpochKind;
use chancery_dsse::SigningKey;
use chancery_engine::{Act, Answer, RootLog};
use chancery_keyset::Keyset;
use chancery_platform::{CertificateTable, PlatformError, SecureProcessor};
use chancery_sealing::Key;
use chancery_session::limits::{NODE_STATEMENT_LIFETIME_MS_MAX, NODE_STATEMENT_RENEW_MS};
use chancery_session::{
    ABSENT, AttestRequest, AttestResponse, Beacon, CertificateUsage, EXPORTER_LABEL, Head,
    LoggedLeaf, NodeStatement, ProofMode, Role, ServedCertificate, SessionProof, SessionStatement,
    StatementError, epoch_signature_message, exporter_context, report_data_node,
    report_data_session,
};
use chancery_tlog::CosignedCheckpoint;
use chancery_tlog::tile::TileCoordinate;
use chancery_verify::{Anchor, Evidence, Mode};
use ring::digest::{SHA256, digest};
use tokio::sync::watch;

use crate::collateral::{Collateral, CollateralError, Piece, Sources};
use crate::connection::Channel;
use crate::host_name::authority;
use crate::journal_line;
use crate::service::Service;
use crate::turns::{Turn, Turns};

/// IANA HPKE KEM identifier of X-Wing.
const HPKE_KEM_X_WING: u16 = 0x647a;
/// When a renewal is due: before a client could meet a statement past half of its life.
const RENEWAL_AGE_MS: u64 = NODE_STATEMENT_RENEW_MS - 60_000;

/// What differs between AMD's processor and an emulated one: strings, never rules.
#[derive(Clone, Copy, Debug)]
pub struct Purposes {
    /// The mode that statements name.
    pub mode: Mode,
    node: fn(&NodeStatement) -> Result<[u8; 64], StatementError>,
    session: fn(&SessionStatement) -> Result<[u8; 64], StatementError>,
}

impl Purposes {
    /// The purposes of one anchor.
    #[must_use]
    pub fn of<A: Anchor>() -> Self {
        Self {
            mode: A::MODE,
            node: report_data_node::<A>,
            session: report_data_session::<A>,
        }
    }
}

/// Why there is no statement, or no answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum NodeError {
    /// The secure processor failed.
    Processor(PlatformError),
    /// No source has what belongs to the processor's report.
    Collateral(CollateralError),
    /// A statement cannot be encoded.
    Statement(StatementError),
    /// The log did not take the statement, or has no quorum.
    Log,
    /// Randomness failed.
    Entropy,
    /// There is no statement yet.
    NotReady,
    /// Too many clients wait for the secure processor.
    Busy,
}

impl std::fmt::Display for NodeError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Processor(error) => write!(formatter, "no evidence: {}", error.code()),
            Self::Collateral(error) => error.fmt(formatter),
            Self::Statement(error) => write!(formatter, "a statement cannot be made: {error}"),
            Self::Log => formatter.write_str("the log did not take the node statement"),
            Self::Entropy => formatter.write_str("the source of randomness failed"),
            Self::NotReady => formatter.write_str("there is no node statement yet"),
            Self::Busy => formatter.write_str("too many clients wait for the secure processor"),
        }
    }
}

impl std::error::Error for NodeError {}

impl From<PlatformError> for NodeError {
    fn from(error: PlatformError) -> Self {
        Self::Processor(error)
    }
}

impl From<CollateralError> for NodeError {
    fn from(error: CollateralError) -> Self {
        Self::Collateral(error)
    }
}

impl From<StatementError> for NodeError {
    fn from(error: StatementError) -> Self {
        Self::Statement(error)
    }
}

/// What stays the same for one boot.
pub struct NodeParts {
    /// Purpose strings of the processor's kind.
    pub purposes: Purposes,
    /// The secure processor.
    pub processor: Arc<dyn SecureProcessor>,
    /// What goes with its reports.
    pub collateral: Collateral,
    /// The root log.
    pub log: Arc<Mutex<RootLog>>,
    /// Id of the deployment.
    pub deployment: [u8; 32],
    /// Names that the service may be reached by.
    pub host_names: Vec<String>,
    /// The signed release policy.
    pub policy_envelope: Vec<u8>,
    /// The signed firmware floors.
    pub floors_envelope: Vec<u8>,
    /// Its version.
    pub policy_version: u64,
    /// SHA-256 of its payload.
    pub policy_sha256: [u8; 32],
    /// The release that runs, as the policy names it.
    pub release_id: String,
    /// SHA-256 of the configuration.
    pub configuration_sha256: [u8; 32],
    /// Keys for payloads that clients encrypt to this instance.
    pub hpke: Keyset,
    /// Nonce of the boot leaf.
    pub boot_nonce: [u8; 32],
    /// The public deployment document.
    pub document: Vec<u8>,
}

impl std::fmt::Debug for NodeParts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("NodeParts")
            .field("purposes", &self.purposes)
            .finish_non_exhaustive()
    }
}

/// One node statement with everything that is shown beside it.
struct Current {
    statement: Vec<u8>,
    sha256: [u8; 32],
    evidence: Evidence,
    epoch_key: SigningKey,
    beacon: String,
    index: u64,
    made_ms: u64,
}

/// The node as clients see it.
pub struct Node {
    parts: NodeParts,
    boot_index: RwLock<u64>,
    current: RwLock<Option<Arc<Current>>>,
    turns: Turns,
    is_processor_lost: watch::Sender<bool>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Node")
            .field("mode", &self.parts.purposes.mode)
            .finish_non_exhaustive()
    }
}

impl Node {
    /// A node without a statement.
    #[must_use]
    pub fn new(parts: NodeParts) -> Self {
        Self {
            parts,
            boot_index: RwLock::new(0),
            current: RwLock::new(None),
            turns: Turns::new(),
            is_processor_lost: watch::Sender::new(false),
        }
    }

    /// Waits until the secure processor is lost for good. Nothing can be attested from then on, so nothing may be served: what
    /// clients were shown ends within the hour, and the next boot needs a processor anyway.
    pub async fn processor_lost(&self) {
        let mut is_lost = self.is_processor_lost.subscribe();
        // The sender lives as long as this node.
        let _lost = is_lost.wait_for(|is_lost| *is_lost).await;
    }

    /// Says where this boot stands in the root log.
    pub fn set_boot_index(&self, index: u64) {
        *self
            .boot_index
            .write()
            .unwrap_or_else(PoisonError::into_inner) = index;
    }

    /// The public deployment document.
    #[must_use]
    pub fn document(&self) -> &[u8] {
        &self.parts.document
    }

    /// Nonce of this boot's leaf.
    #[must_use]
    pub const fn boot_nonce(&self) -> [u8; 32] {
        self.parts.boot_nonce
    }

    /// Id of the deployment.
    #[must_use]
    pub const fn deployment(&self) -> [u8; 32] {
        self.parts.deployment
    }

    /// The host that a client named, if it is one of ours, or else the first of ours; with the port
    /// that it named. It only serves to build URIs for the client that named it, and the audience of what
    /// that client signs.
    #[must_use]
    pub fn host_of(&self, header: Option<&str>) -> String {
        authority(header, &self.parts.host_names)
    }

    /// Whether the statement should be renewed at `now_ms`: for its age, or because a report had no collateral.
    #[must_use]
    pub fn is_renewal_due(&self, now_ms: u64) -> bool {
        self.parts.collateral.is_wanted() || self.is_statement_old(now_ms)
    }

    fn is_statement_old(&self, now_ms: u64) -> bool {
        self.current()
            .is_none_or(|current| now_ms.saturating_sub(current.made_ms) >= RENEWAL_AGE_MS)
    }

    fn current(&self) -> Option<Arc<Current>> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Makes a fresh statement with a fresh epoch key, has it logged and cosigned, and uses it.
    ///
    /// # Errors
    /// [`NodeError`]; the statement before stays in use, unless its chain is known to be revoked.
    pub async fn renew(&self, service: &Service, spki_sha256: [u8; 32]) -> Result<(), NodeError> {
        let beacon = service.commit.newest().ok_or(NodeError::NotReady)?;
        let made_ms = service.now_ms();
        let seed = service.fresh().map_err(|_entropy| NodeError::Entropy)?;
        let epoch_key = SigningKey::from_seed(*seed.expose());
        let statement = self.statement(&beacon, &epoch_key, spki_sha256);
        let report_data = (self.parts.purposes.node)(&statement)?;
        let turn = self.turns.of_runtime().await;
        let turn = turn.ok_or(NodeError::Processor(PlatformError::System))?;
        let (report, table) = self.report(report_data, turn).await?;
        let sources = if self.is_statement_old(made_ms) {
            Sources::HostAndService
        } else {
            Sources::Host
        };
        let collateral = &self.parts.collateral;
        let gathered = collateral.gather(report, &table, sources, made_ms).await;
        let evidence = gathered.inspect_err(|error| self.withdraw_if_revoked(error))?;
        let (bytes, sha256) = (statement.encode()?, statement.sha256()?);
        let leaf = Act::Leaf {
            kind: EpochKind::NodeStatement,
            detail: sha256.to_vec(),
        };
        let Ok(Answer::Leaf { index }) = service.act(leaf).await else {
            return Err(NodeError::Log);
        };
        let current = Current {
            statement: bytes,
            sha256,
            evidence,
            epoch_key,
            beacon: beacon.note().encode(),
            index,
            made_ms,
        };
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(current));
        Ok(())
    }

    /// Attests no more with evidence whose list is still in force while a newer one revokes its chain.
    fn withdraw_if_revoked(&self, error: &CollateralError) {
        let is_revoked = matches!(
            error,
            CollateralError::Missing {
                piece: Piece::Unrevoked,
                ..
            }
        );
        if is_revoked {
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    fn statement(
        &self,
        beacon: &CosignedCheckpoint,
        epoch_key: &SigningKey,
        spki_sha256: [u8; 32],
    ) -> NodeStatement {
        let parts = &self.parts;
        let time_ms = beacon.time_floor_s().saturating_mul(1000);
        let (origin, key_text) = {
            let log = parts.log.lock().unwrap_or_else(PoisonError::into_inner);
            (String::from(log.origin()), log.verifier().to_string())
        };
        let certificate = |name: &String| ServedCertificate {
            host_name: name.clone(),
            spki_sha256,
            usage: CertificateUsage::TlsServer,
        };
        NodeStatement {
            mode: parts.purposes.mode,
            deployment_id: parts.deployment,
            log_origin: origin,
            log_key_id: sha256_of(key_text.as_bytes()),
            release_id: parts.release_id.clone(),
            policy_version: parts.policy_version,
            policy_sha256: parts.policy_sha256,
            epoch_key: epoch_key.public_key().to_bytes(),
            hpke_kem: HPKE_KEM_X_WING,
            hpke_key: parts.hpke.public().kem().to_vec(),
            certificates: parts.host_names.iter().map(certificate).collect(),
            acme_accounts: Vec::new(),
            config_digest: parts.configuration_sha256,
            boot_index: *self
                .boot_index
                .read()
                .unwrap_or_else(PoisonError::into_inner),
            boot_nonce: parts.boot_nonce,
            beacon: Beacon {
                size: beacon.size(),
                root: *beacon.root().as_bytes(),
                time_ms,
            },
            not_after_ms: time_ms.saturating_add(NODE_STATEMENT_LIFETIME_MS_MAX),
        }
    }

    /// Asks the secure processor for a report and the certificates beside it, on a thread that may block. The turn ends with the
    /// answer, not with whoever asked.
    async fn report(
        &self,
        report_data: [u8; 64],
        turn: Turn,
    ) -> Result<(Vec<u8>, CertificateTable), PlatformError> {
        let processor = Arc::clone(&self.parts.processor);
        let asked = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let report = processor.report(&report_data)?;
            // The table is the host's, and only one of the sources.
            let table = match processor.certificates() {
                Err(error) if !error.is_final() => {
                    journal_line(&format!("certificate table: {}", error.code()));
                    CertificateTable::default()
                }
                other => other?,
            };
            Ok((report, table))
        });
        let outcome = asked.await.unwrap_or(Err(PlatformError::System));
        if outcome.as_ref().is_err_and(|error| error.is_final()) {
            self.is_processor_lost.send_replace(true);
        }
        outcome
    }

    /// Answers an attestation request on its own connection. Of the request only the nonce enters
    /// what is signed: the exporter and the leaf are the runtime's own reading (I3).
    ///
    /// # Errors
    /// [`NodeError`].
    pub async fn attest(
        &self,
        service: &Service,
        channel: &Channel,
        request: &AttestRequest,
    ) -> Result<AttestResponse, NodeError> {
        let current = self.current().ok_or(NodeError::NotReady)?;
        let newest = service.commit.newest().ok_or(NodeError::NotReady)?;
        let context = exporter_context(&request.nonce, &current.sha256);
        let exporter = channel
            .export(EXPORTER_LABEL.as_bytes(), &context)
            .map_err(|_tls| NodeError::NotReady)?;
        let or_absent =
            |text: &Option<String>| text.clone().unwrap_or_else(|| String::from(ABSENT));
        let statement = SessionStatement {
            mode: self.parts.purposes.mode,
            role: Role::Server,
            node_sha256: current.sha256,
            nonce: request.nonce,
            exporter,
            leaf_spki_sha256: channel.leaf_spki_sha256,
            server_name: or_absent(&channel.server_name),
            alpn: or_absent(&channel.alpn),
            checkpoint: Head {
                size: newest.size(),
                root: *newest.root().as_bytes(),
            },
        };
        let session_proof = match request.mode {
            ProofMode::Epoch => SessionProof::Epoch(
                current
                    .epoch_key
                    .sign(&epoch_signature_message(&statement)?),
            ),
            ProofMode::Hardware => {
                let report_data = (self.parts.purposes.session)(&statement)?;
                let turn = self.turns.of_client().await.ok_or(NodeError::Busy)?;
                let (report, table) = self.report(report_data, turn).await?;
                let collateral = &self.parts.collateral;
                SessionProof::Hardware(collateral.staple(report, &table, service.now_ms())?)
            }
        };
        Ok(AttestResponse {
            node_statement: current.statement.clone(),
            node_evidence: current.evidence.clone(),
            session_statement: statement.encode()?,
            session_proof,
            release_policy: self.parts.policy_envelope.clone(),
            tcb_floors: self.parts.floors_envelope.clone(),
            checkpoint: newest.note().encode(),
            beacon: current.beacon.clone(),
            genesis: self.logged(0, newest.size())?,
            boot: self.logged(
                *self
                    .boot_index
                    .read()
                    .unwrap_or_else(PoisonError::into_inner),
                newest.size(),
            )?,
            node: self.logged(current.index, newest.size())?,
        })
    }

    /// A tile of the root log.
    #[must_use]
    pub fn tile(&self, coordinate: &TileCoordinate) -> Option<Vec<u8>> {
        self.parts
            .log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .tile(coordinate)
    }

    fn logged(&self, index: u64, size: u64) -> Result<LoggedLeaf, NodeError> {
        let log = self
            .parts
            .log
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let leaf = log.leaf(index).ok_or(NodeError::Log)?.to_vec();
        let proof = log.inclusion(index, size).map_err(|_size| NodeError::Log)?;
        Ok(LoggedLeaf { index, leaf, proof })
    }
}

/// A 32-byte SHA-256.
#[must_use]
pub fn sha256_of(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.iter_mut()
        .zip(digest(&SHA256, bytes).as_ref())
        .for_each(|(to, from)| *to = *from);
    out
}

/// Identity of a boot as every leaf of it names it: SHA-256 of a key that nobody else holds.
#[must_use]
pub fn instance_key(entropy_seed: &Key) -> [u8; 32] {
    sha256_of(&entropy_seed.tag("chancery/instance/v1", b""))
}

#[cfg(test)]
mod tests;
