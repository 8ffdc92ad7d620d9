//! From nothing to a state that may be served: who am I, what do I hold, is it the newest?
//!
//! Nothing is written to a store that holds records before a witness quorum has confirmed that they are
//! the newest ones (I23). A refusal leaves the records as they were found.

use std::sync::Arc;
use std::time::Duration;

use chancery_directory::{DeploymentGenesis, Digest, EpochKind, EpochLeaf};
use chancery_engine::{
    LeafContext, Ledger, ROOT_PURPOSE, ROOT_STREAM, Recovery, RecoveryError, RootAnchor, RootItem,
    RootKey, RootLog, SecretBytes, Settings, StoredTls, View, root_origin,
};
use chancery_evidence::{Report, ReportFields};
use chancery_platform::{DerivedKeyRequest, SecureProcessor};
use chancery_sealing::{Entropy as _, Key, open, seal};
use chancery_verify::{VerifiedFloors, VerifiedPolicy, open_release_policy, open_tcb_floors};
use chancery_wire::{BlobName, RefusalCode, StoreAnswer, StoreOperation, StreamHead, StreamId};

use crate::certificates::TlsKeys;
use crate::clock::Clock;
use crate::configuration::Configuration;
use crate::entropy::SystemEntropy;
use crate::link::{StoreLink, blob};
use crate::sequencer::Reply;
use crate::transport::Transport;

/// Pause between attempts to reach a host that is not there yet.
pub const HOST_PAUSE: Duration = Duration::from_millis(200);
/// Bytes asked of the store at a time.
const READ_BYTES: u32 = 4 * 1024 * 1024;

/// What the secure processor says of this launch.
#[derive(Debug)]
pub struct Identity {
    /// The report's fields; REPORT_DATA is of no meaning in it.
    pub fields: ReportFields,
}

/// What was settled before launch and checked at start.
#[derive(Debug)]
pub struct Launch {
    /// The parsed configuration.
    pub configuration: Configuration,
    /// Its SHA-256, which is HOST_DATA.
    pub configuration_sha256: [u8; 32],
    /// The signed release policy as it was read.
    pub policy_envelope: Vec<u8>,
    /// The signed firmware floors as they were read.
    pub floors_envelope: Vec<u8>,
    /// The release policy, verified.
    pub policy: VerifiedPolicy,
    /// The firmware floors, verified.
    pub floors: VerifiedFloors,
    /// This launch.
    pub identity: Identity,
}

/// State that was found or founded, not yet confirmed by the witnesses.
#[derive(Debug)]
pub struct Loaded {
    /// Heads of all tenants.
    pub ledger: Ledger<Reply>,
    /// The same for readers.
    pub view: View,
    /// The root log.
    pub log: RootLog,
    /// TLS keys.
    pub tls: TlsKeys,
    /// Id of the deployment.
    pub deployment: [u8; 32],
    /// Epoch of this boot.
    pub epoch: u64,
    /// Digest key of bearer tokens.
    pub token_key: Key,
    /// What binds records to this store.
    pub store_tag: [u8; 32],
    /// The store's streams as they were read.
    pub streams: Vec<StreamHead>,
}

/// Asks the secure processor who this is, and the host for what was settled before launch.
///
/// # Errors
/// A [`RefusalCode`] for everything that does not hold.
pub async fn launch(
    processor: &dyn SecureProcessor,
    transport: &Arc<dyn Transport>,
) -> Result<Launch, RefusalCode> {
    // The report is only read here, never shown: its report data says nothing.
    let raw = processor
        .report(&[0; 64])
        .map_err(|_sp| RefusalCode::SecureProcessorFailed)?;
    let report = Report::parse(&raw).map_err(|_form| RefusalCode::SecureProcessorFailed)?;
    let identity = Identity {
        fields: report.fields().clone(),
    };
    let bytes = fetch(transport, BlobName::Configuration).await;
    let digest = ring::digest::digest(&ring::digest::SHA256, &bytes);
    if digest.as_ref() != identity.fields.host_data.as_slice() {
        return Err(RefusalCode::ConfigurationDigestMismatch);
    }
    let configuration = Configuration::parse(&bytes).map_err(|error| {
        crate::journal_line(&error.to_string());
        RefusalCode::ConfigurationInvalid
    })?;
    let policy_envelope = fetch(transport, BlobName::ReleasePolicy).await;
    let policy = open_release_policy(
        &policy_envelope,
        &configuration.release_keys,
        configuration.release_threshold,
    )
    .map_err(|error| {
        crate::journal_line(&error.to_string());
        RefusalCode::ReleasePolicyInvalid
    })?;
    let floors_envelope = fetch(transport, BlobName::TcbFloors).await;
    let floors = open_tcb_floors(
        &floors_envelope,
        &configuration.release_keys,
        configuration.release_threshold,
    )
    .map_err(|error| {
        crate::journal_line(&error.to_string());
        RefusalCode::TcbFloorsInvalid
    })?;
    if floors.floors().version < policy.policy().floors_version_min {
        return Err(RefusalCode::TcbFloorsInvalid);
    }
    Ok(Launch {
        configuration,
        configuration_sha256: identity.fields.host_data,
        policy_envelope,
        floors_envelope,
        policy,
        floors,
        identity,
    })
}

async fn fetch(transport: &Arc<dyn Transport>, name: BlobName) -> Vec<u8> {
    loop {
        match blob(transport, name).await {
            Ok(bytes) => return bytes,
            Err(_gone) => tokio::time::sleep(HOST_PAUSE).await,
        }
    }
}

/// Why nothing was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadStop {
    /// The host went away in the middle, or the store changed: loading is to be tried again.
    Again,
    /// What the store holds is refused.
    Refused(RefusalCode),
}

impl From<RefusalCode> for LoadStop {
    fn from(refusal: RefusalCode) -> Self {
        Self::Refused(refusal)
    }
}

/// Everything that loading needs.
pub struct Loader<'a> {
    /// What was settled before launch.
    pub launch: &'a Launch,
    /// The secure processor.
    pub processor: &'a dyn SecureProcessor,
    /// The way to the host.
    pub transport: &'a Arc<dyn Transport>,
    /// Randomness.
    pub entropy: &'a mut SystemEntropy,
    /// The shell's clock.
    pub clock: &'a dyn Clock,
    /// What the leaves of this boot name.
    pub context: LeafContext,
}

impl std::fmt::Debug for Loader<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Loader")
            .field("launch", self.launch)
            .finish_non_exhaustive()
    }
}

impl Loader<'_> {
    /// Rebuilds the state from the store, or founds a deployment if the store is empty.
    ///
    /// # Errors
    /// [`LoadStop`]; nothing was written.
    pub async fn load(mut self) -> Result<Loaded, LoadStop> {
        let mut store = self.open_store().await;
        let Ok(StoreAnswer::Streams(streams)) = store.ask(StoreOperation::Streams).await else {
            return Err(LoadStop::Again);
        };
        if streams.is_empty() {
            return Ok(self.found()?);
        }
        self.recover(&mut store, &streams).await
    }

    async fn open_store(&self) -> StoreLink {
        loop {
            match StoreLink::open(self.transport).await {
                Ok(link) => return link,
                Err(_gone) => tokio::time::sleep(HOST_PAUSE).await,
            }
        }
    }

    fn settings(&self, deployment: [u8; 32], token_key: Key) -> Settings {
        Settings {
            deployment: chancery_authority::DeploymentId::from_bytes(deployment),
            admission_keys: self.launch.configuration.admission_keys.clone(),
            token_key,
            dangerous_any_domain: self.launch.configuration.dangerous_any_domain,
            catalogue: self.launch.configuration.catalogue,
        }
    }

    fn sealing_key(&self, guest_svn: u32, tcb_version: u64) -> Result<Key, RefusalCode> {
        self.processor
            .derived_key(&DerivedKeyRequest::sealing(guest_svn, tcb_version))
            .map_err(|_sp| RefusalCode::SecureProcessorFailed)
    }

    fn found(&mut self) -> Result<Loaded, RefusalCode> {
        let failed = |_error| RefusalCode::EntropyFailed;
        let service = &self.launch.configuration.service;
        let now_ms = self.clock.wall_ms();
        let root = RootKey::generate(self.entropy).map_err(failed)?;
        let anchor = self.anchor(&root)?;
        let origin = root_origin(service);
        let log = RootLog::new(&origin, &root.log_seed())
            .map_err(|_origin| RefusalCode::ConfigurationInvalid)?;
        let mut nonce = [0; 32];
        self.entropy.fill(&mut nonce).map_err(failed)?;
        let genesis = DeploymentGenesis {
            service: service.clone(),
            log_origin: origin,
            log_key: log.verifier().to_string(),
            config_digest: Digest(self.launch.configuration_sha256),
            nonce,
        };
        let (detail, id) = genesis
            .encode()
            .and_then(|detail| Ok((detail, genesis.deployment_id()?)))
            .map_err(|_long| RefusalCode::ConfigurationInvalid)?;
        let tls = TlsKeys::generate(service, now_ms)
            .map_err(|_name| RefusalCode::ConfigurationInvalid)?;
        let settings = self.settings(id.0, root.token_key());
        let token_key = root.token_key();
        let store_tag = root.store_tag();
        let mut ledger = Ledger::new(root, 1, self.context, settings);
        ledger.anchor(anchor);
        ledger.note(EpochKind::Genesis, detail);
        ledger.remember(RootItem::Tls {
            authority_key: SecretBytes::new(&tls.authority_key),
            authority_certificate: tls.authority_certificate.clone(),
            leaf_key: SecretBytes::new(&tls.leaf_key),
        });
        Ok(Loaded {
            ledger,
            view: View::default(),
            log,
            tls,
            deployment: id.0,
            epoch: 1,
            token_key,
            store_tag,
            streams: Vec::new(),
        })
    }

    fn anchor(&mut self, root: &RootKey) -> Result<Vec<u8>, RefusalCode> {
        let fields = &self.launch.identity.fields;
        let (guest_svn, tcb_version) = (
            fields.guest_svn,
            u64::from_le_bytes(fields.committed_tcb.bytes()),
        );
        let key = self.sealing_key(guest_svn, tcb_version)?;
        let sealed_root = seal(
            &key,
            ROOT_PURPOSE,
            &self.launch.configuration_sha256,
            root.expose().expose(),
            self.entropy,
        )
        .map_err(|_entropy| RefusalCode::EntropyFailed)?;
        RootAnchor {
            version: 1,
            measurement: fields.measurement.to_vec(),
            configuration: self.launch.configuration_sha256.to_vec(),
            guest_svn,
            tcb_version,
            sealed_root,
        }
        .encode()
        .ok_or(RefusalCode::SecureProcessorFailed)
    }

    fn unseal(&self, bytes: &[u8]) -> Result<RootKey, RefusalCode> {
        let anchor = RootAnchor::decode(bytes).ok_or(RefusalCode::RecordAuthenticationFailed)?;
        let fields = &self.launch.identity.fields;
        // The record stands in clear: a changed byte in it looks like another image and is refused
        // just the same.
        if anchor.measurement != fields.measurement
            || anchor.configuration != self.launch.configuration_sha256
        {
            return Err(RefusalCode::RootSealedForAnotherImage);
        }
        let key = self
            .sealing_key(anchor.guest_svn, anchor.tcb_version)
            .map_err(|_refused| RefusalCode::RootSealedForAnotherImage)?;
        let opened = open(
            &key,
            ROOT_PURPOSE,
            &self.launch.configuration_sha256,
            &anchor.sealed_root,
        )
        .map(zeroize::Zeroizing::new)
        .map_err(|_seal| RefusalCode::RecordAuthenticationFailed)?;
        let root: [u8; 32] = opened
            .as_slice()
            .try_into()
            .map_err(|_length| RefusalCode::RecordAuthenticationFailed)?;
        Ok(RootKey::from_key(Key::from_bytes(root)))
    }

    async fn recover(
        &self,
        store: &mut StoreLink,
        streams: &[StreamHead],
    ) -> Result<Loaded, LoadStop> {
        let mut reader = StreamReader::new(store, StreamId(ROOT_STREAM));
        let anchor = reader.next().await?.ok_or(RefusalCode::StoreIncomplete)?;
        let root = self.unseal(&anchor)?;
        let origin = root_origin(&self.launch.configuration.service);
        // The deployment's id stands in leaf 0, which is read first; decisions need it later.
        let settings = self.settings([0; 32], root.token_key());
        let token_key = root.token_key();
        let store_tag = root.store_tag();
        let mut recovery: Recovery<Reply> =
            Recovery::begin(root, &anchor, &origin, self.context, settings)
                .map_err(|error| refusal(&error))?;
        while let Some(record) = reader.next().await? {
            recovery
                .root_record(&record)
                .map_err(|error| refusal(&error))?;
        }
        let expected = recovery.expected_streams();
        recovery
            .check_streams(streams.iter().map(|stream| stream.stream.0))
            .map_err(|error| refusal(&error))?;
        for stream in expected {
            let mut reader = StreamReader::new(store, StreamId(stream.stream));
            while let Some(record) = reader.next().await? {
                recovery
                    .tenant_record(&stream.tenant, &record)
                    .map_err(|error| refusal(&error))?;
            }
        }
        let recovered = recovery.finish().map_err(|error| refusal(&error))?;
        let genesis = EpochLeaf::decode(&recovered.genesis_leaf)
            .and_then(|leaf| DeploymentGenesis::decode(&leaf.detail))
            .map_err(|_decode| RefusalCode::RecordChainBroken)?;
        if genesis.config_digest.0 != self.launch.configuration_sha256 {
            return Err(RefusalCode::RootSealedForAnotherImage.into());
        }
        let id = genesis
            .deployment_id()
            .map_err(|_long| RefusalCode::RecordChainBroken)?;
        let mut ledger = recovered.ledger;
        ledger.set_deployment(chancery_authority::DeploymentId::from_bytes(id.0));
        let StoredTls {
            authority_key,
            authority_certificate,
            leaf_key,
        } = recovered.tls;
        Ok(Loaded {
            ledger,
            view: recovered.view,
            log: recovered.log,
            tls: TlsKeys {
                authority_key: authority_key.expose().to_vec().into(),
                authority_certificate,
                leaf_key: leaf_key.expose().to_vec().into(),
            },
            deployment: id.0,
            epoch: recovered.epoch.saturating_add(1),
            token_key,
            store_tag,
            streams: streams.to_vec(),
        })
    }
}

fn refusal(error: &RecoveryError) -> RefusalCode {
    crate::journal_line(&error.to_string());
    match error {
        RecoveryError::Record(_) | RecoveryError::Secrets(_) => {
            RefusalCode::RecordAuthenticationFailed
        }
        RecoveryError::Incomplete => RefusalCode::StoreIncomplete,
        _ => RefusalCode::RecordChainBroken,
    }
}

/// Reads a stream's records in order.
struct StreamReader<'a> {
    store: &'a mut StoreLink,
    stream: StreamId,
    from: u64,
    ready: std::vec::IntoIter<Vec<u8>>,
}

impl<'a> StreamReader<'a> {
    fn new(store: &'a mut StoreLink, stream: StreamId) -> Self {
        Self {
            store,
            stream,
            from: 0,
            ready: Vec::new().into_iter(),
        }
    }

    async fn next(&mut self) -> Result<Option<Vec<u8>>, LoadStop> {
        if let Some(record) = self.ready.next() {
            return Ok(Some(record));
        }
        let read = StoreOperation::Read {
            stream: self.stream,
            from: self.from,
            bytes_max: READ_BYTES,
        };
        let Ok(StoreAnswer::Records(records)) = self.store.ask(read).await else {
            return Err(LoadStop::Again);
        };
        let count = u64::try_from(records.len()).unwrap_or(u64::MAX);
        self.from = self.from.saturating_add(count);
        self.ready = records
            .into_iter()
            .map(|record| record.0)
            .collect::<Vec<_>>()
            .into_iter();
        Ok(self.ready.next())
    }
}
