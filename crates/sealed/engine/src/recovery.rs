//! Rebuilding all heads from the store's records, each authenticated and chained (I23, I25).
//!
//! Recovery reads and never writes. What it finds wrong is named, and the store stays as it is. That
//! the records are the *latest* ones is not decided here: only the witnesses know.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use chancery_authority::TenantId;
use chancery_directory::{ActSecret, Details, Digest, EpochLeaf, Opens};

use crate::batch::LeafContext;
use crate::chronicle::ChronicleError;
use crate::decide::Settings;
use crate::event::Event;
use crate::journal::{ROOT_STREAM, RecordError, StreamBytes};
use crate::ledger::Ledger;
use crate::plan::Step;
use crate::records::{RootItem, RootRecord, SecretBytes, TenantRecord};
use crate::root_log::{RootLog, RootLogError};
use crate::tenant::{SecretsError, Tenant, TenantSecrets};
use crate::vault::RootKey;
use crate::view::{Effect, View};

/// Why the records of a store were refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecoveryError {
    /// A record is not authentic at its place, or malformed.
    Record(RecordError),
    /// A tenant's stream is shorter or longer than the root stream says.
    Incomplete,
    /// A tenant's log does not replay to the head that the root stream commits to.
    Log(ChronicleError),
    /// A leaf of the root log contradicts the records around it.
    Leaf,
    /// A tenant's keys cannot be used.
    Secrets(SecretsError),
    /// The root log cannot be rebuilt.
    RootLog(RootLogError),
    /// A stored resource cannot be read.
    Resource,
}

impl fmt::Display for RecoveryError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(error) => error.fmt(formatter),
            Self::Incomplete => {
                formatter.write_str("a stream has another length than the log says")
            }
            Self::Log(error) => error.fmt(formatter),
            Self::Leaf => formatter.write_str("a leaf of the root log contradicts its record"),
            Self::Secrets(error) => error.fmt(formatter),
            Self::RootLog(error) => error.fmt(formatter),
            Self::Resource => formatter.write_str("a stored resource cannot be read"),
        }
    }
}

impl core::error::Error for RecoveryError {}

impl From<RecordError> for RecoveryError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

impl From<ChronicleError> for RecoveryError {
    fn from(error: ChronicleError) -> Self {
        Self::Log(error)
    }
}

impl From<SecretsError> for RecoveryError {
    fn from(error: SecretsError) -> Self {
        Self::Secrets(error)
    }
}

/// A tenant's stream and how much of it must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpectedStream {
    /// The tenant.
    pub tenant: TenantId,
    /// Its stream.
    pub stream: StreamBytes,
    /// The length that the root stream commits to.
    pub length: u64,
}

/// Keys of the TLS certificates, as the journal keeps them.
#[derive(Debug)]
pub struct StoredTls {
    /// PKCS#8 of the authority's key.
    pub authority_key: SecretBytes,
    /// DER of the authority's certificate.
    pub authority_certificate: Vec<u8>,
    /// PKCS#8 of the leaf's key.
    pub leaf_key: SecretBytes,
}

/// A recovery under way: first the root stream's records, then each tenant's.
#[derive(Debug)]
pub struct Recovery<R> {
    ledger: Ledger<R>,
    view: View,
    log: RootLog,
    genesis: Option<Vec<u8>>,
    tls: Option<StoredTls>,
    epoch: u64,
    heads: BTreeMap<TenantId, (u64, Vec<u8>)>,
}

/// What recovery arrived at.
#[derive(Debug)]
pub struct Recovered<R> {
    /// The heads.
    pub ledger: Ledger<R>,
    /// The same for readers.
    pub view: View,
    /// The root log.
    pub log: RootLog,
    /// Leaf 0 of the root log.
    pub genesis_leaf: Vec<u8>,
    /// Keys of the TLS certificates.
    pub tls: StoredTls,
    /// The last boot epoch.
    pub epoch: u64,
}

impl<R> Recovery<R> {
    /// Begins with the unsealed root and the bytes of the root anchor, which is record 0.
    ///
    /// # Errors
    /// [`RecoveryError::RootLog`] if `origin` cannot name a log.
    pub fn begin(
        root: RootKey,
        anchor: &[u8],
        origin: &str,
        context: LeafContext,
        settings: Settings,
    ) -> Result<Self, RecoveryError> {
        let log = RootLog::new(origin, &root.log_seed()).map_err(RecoveryError::RootLog)?;
        let mut ledger = Ledger::new(root, 0, context, settings);
        ledger.root_tail.pass(anchor);
        Ok(Self {
            ledger,
            view: View::default(),
            log,
            genesis: None,
            tls: None,
            epoch: 0,
            heads: BTreeMap::new(),
        })
    }

    /// Takes in the next record of the root stream.
    ///
    /// # Errors
    /// [`RecoveryError`].
    pub fn root_record(&mut self, bytes: &[u8]) -> Result<(), RecoveryError> {
        let record: RootRecord = self.ledger.read_root(bytes)?;
        for (key, value) in &record.map {
            self.ledger
                .map
                .set(*key, Digest(*value))
                .map_err(|_full| RecoveryError::Leaf)?;
        }
        for item in record.items {
            self.item(item)?;
        }
        let mut last = None;
        for bytes in &record.leaves {
            let leaf = EpochLeaf::decode(bytes).map_err(|_decode| RecoveryError::Leaf)?;
            if leaf.epoch != self.log.append(bytes) {
                return Err(RecoveryError::Leaf);
            }
            if self.genesis.is_none() {
                self.genesis = Some(bytes.clone());
            }
            last = Some(leaf.map_root);
            self.ledger.last_leaf = Some(leaf);
        }
        // The last leaf of a record is written after all of its map changes.
        if last.is_some_and(|map_root| map_root != self.ledger.map.root()) {
            return Err(RecoveryError::Leaf);
        }
        self.ledger.root_size = self.log.size();
        Ok(())
    }

    fn item(&mut self, item: RootItem) -> Result<(), RecoveryError> {
        match item {
            RootItem::Tls {
                authority_key,
                authority_certificate,
                leaf_key,
            } => {
                self.tls = Some(StoredTls {
                    authority_key,
                    authority_certificate,
                    leaf_key,
                });
            }
            RootItem::Boot { epoch } => self.epoch = self.epoch.max(epoch),
            RootItem::Tenant {
                id,
                slug,
                wrapped_key,
            } => self.tenant(id, slug, &wrapped_key)?,
            RootItem::TenantHead { id, length, head } => {
                self.heads.insert(TenantId::from_bytes(id), (length, head));
            }
            RootItem::AdmissionUsed { nonce, expires_ms } => {
                self.ledger.admissions.insert(nonce, expires_ms);
            }
        }
        Ok(())
    }

    fn tenant(&mut self, id: [u8; 16], slug: String, wrapped: &[u8]) -> Result<(), RecoveryError> {
        let id = TenantId::from_bytes(id);
        let key = self
            .ledger
            .root
            .unwrap_tenant_key(&id, wrapped)
            .map_err(SecretsError::Seal)?;
        let secrets = Arc::new(TenantSecrets::new(id, key)?);
        let stream = self.ledger.root.tenant_stream(&id);
        self.ledger.slugs.insert(slug.clone(), id);
        self.ledger
            .tenants
            .insert(id, Tenant::new(Arc::clone(&secrets), stream));
        self.view.apply(&[Effect::Admitted { slug, secrets }]);
        Ok(())
    }

    /// The streams to read once the root stream is done.
    #[must_use]
    pub fn expected_streams(&self) -> Vec<ExpectedStream> {
        self.ledger
            .tenants
            .iter()
            .map(|(id, tenant)| ExpectedStream {
                tenant: *id,
                stream: tenant.tail.stream(),
                length: self.heads.get(id).map_or(0, |(length, _)| *length),
            })
            .collect()
    }

    /// Checks that the store holds no stream that the root stream does not speak of: such a stream
    /// means that the root stream was cut.
    ///
    /// # Errors
    /// [`RecoveryError::Incomplete`].
    pub fn check_streams(
        &self,
        present: impl Iterator<Item = StreamBytes>,
    ) -> Result<(), RecoveryError> {
        let expected = self.expected_streams();
        let known = |stream: StreamBytes| {
            stream == ROOT_STREAM || expected.iter().any(|known| known.stream == stream)
        };
        if present.into_iter().all(known) {
            Ok(())
        } else {
            Err(RecoveryError::Incomplete)
        }
    }

    /// Takes in the next record of a tenant's stream.
    ///
    /// # Errors
    /// [`RecoveryError`].
    pub fn tenant_record(&mut self, id: &TenantId, bytes: &[u8]) -> Result<(), RecoveryError> {
        let record: TenantRecord = self.ledger.read_tenant(id, bytes)?;
        let tenant = self
            .ledger
            .tenants
            .get_mut(id)
            .ok_or(RecoveryError::Incomplete)?;
        let mut changes = Vec::new();
        for act in record.acts {
            let details = Details::decode(&act.body).map_err(|_form| ChronicleError::Encoding)?;
            tenant.chronicle.rest_on(&details);
            if tenant.chronicle.log().next_index() == 0 {
                tenant.vrf_opening = ActSecret(act.secret.0).opening(Opens::Vrf).0;
            }
            tenant.chronicle.replay(&act.entries, &act.names)?;
            for mut event in act.events {
                restore(&mut event).ok_or(RecoveryError::Resource)?;
                tenant.apply(&event);
                changes.push(event);
            }
        }
        tenant.chronicle.replay_root(&record.state_root)?;
        let size = tenant.chronicle.head().map_or(0, |head| head.size);
        self.view.apply(&[
            Effect::Changed {
                tenant: *id,
                events: changes,
            },
            Effect::Logged { tenant: *id, size },
        ]);
        Ok(())
    }

    /// Compares every tenant with the head that the root stream commits to.
    ///
    /// # Errors
    /// [`RecoveryError`] if anything is missing or too much.
    pub fn finish(self) -> Result<Recovered<R>, RecoveryError> {
        for (id, tenant) in &self.ledger.tenants {
            let (length, head) = self.heads.get(id).ok_or(RecoveryError::Incomplete)?;
            if tenant.tail.length() != *length {
                return Err(RecoveryError::Incomplete);
            }
            let found = tenant.chronicle.head().map(|head| head.encode().to_vec());
            if found.as_ref() != Some(head) {
                return Err(ChronicleError::HeadMismatch.into());
            }
        }
        Ok(Recovered {
            ledger: self.ledger,
            view: self.view,
            log: self.log,
            genesis_leaf: self.genesis.ok_or(RecoveryError::Incomplete)?,
            tls: self.tls.ok_or(RecoveryError::Incomplete)?,
            epoch: self.epoch,
        })
    }
}

/// Rebuilds what an event does not store because it follows from the rest.
fn restore(event: &mut Event) -> Option<()> {
    match event {
        Event::UserPut(user) => {
            let user = Arc::make_mut(user);
            user.keys = crate::scim_keys::of_user(&user.document)?;
        }
        Event::GroupPut(group) => {
            let group = Arc::make_mut(group);
            group.keys = crate::scim_keys::of_group(&group.document)?;
        }
        Event::Intended(intent) => {
            for step in &mut Arc::make_mut(intent).steps {
                match step {
                    Step::Provision { user, .. } | Step::Update { user, .. } => {
                        user.keys = crate::scim_keys::of_user(&user.document)?;
                    }
                    Step::CreateGroup { group } | Step::UpdateGroup { group, .. } => {
                        group.keys = crate::scim_keys::of_group(&group.document)?;
                    }
                    Step::Depart { .. } | Step::Regroup { .. } | Step::RemoveGroup { .. } => {}
                }
            }
        }
        _ => {}
    }
    Some(())
}
