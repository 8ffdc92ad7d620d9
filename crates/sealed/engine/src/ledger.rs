//! The heads of all tenants, the open batch, and how a batch is closed.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use chancery_authority::TenantId;
use chancery_directory::head::{map_key, updates_digest};
use chancery_directory::{Digest, EpochKind, EpochLeaf, PrefixTree};
use chancery_keyset::Keyset;
use chancery_sealing::{Entropy, Key};

use crate::act::{Act, Answer, Refusal, Submission};
use crate::batch::{Batch, LeafContext, LedgerError, NoteRecord, Open};
use crate::decide;
use crate::journal::{ROOT_STREAM, RecordError, Scribe, StreamBytes, Tail};
use crate::proof::{InnerProof, ProofWanted, prove};
use crate::records::{ActRecord, RootItem, RootRecord, TenantRecord};
use crate::tenant::{Tenant, TenantSecrets};
use crate::vault::RootKey;
use crate::view::Effect;

/// An open batch that holds this many bytes takes no more acts, so that its records and the frame that
/// carries them stay within the store's limits.
pub(crate) const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What an answer that reads is taken to weigh in its batch, in bytes.
const READ_BYTES: usize = 64 * 1024;

/// Keysets that are drawn before they are needed.
const STOCK: usize = 64;
/// Most acts that one call of the timer does.
const TICK_ACTS_MAX: usize = 500;
/// Most acts that one call of the timer does for one tenant.
const TICK_TENANT_ACTS_MAX: usize = 100;

/// Who waits, and what for.
type Replies<R> = Vec<(R, Result<Answer, Refusal>)>;

/// All tenants' heads and the batch that grows while the one before is on its way.
#[derive(Debug)]
pub struct Ledger<R> {
    pub(crate) root: RootKey,
    journal_key: Key,
    scribe: Scribe,
    pub(crate) root_tail: Tail,
    pub(crate) root_size: u64,
    pub(crate) map: PrefixTree,
    /// The newest leaf of the root log, open batch not counted.
    pub(crate) last_leaf: Option<EpochLeaf>,
    stock: Vec<Keyset>,
    pub(crate) tenants: BTreeMap<TenantId, Tenant>,
    pub(crate) slugs: BTreeMap<String, TenantId>,
    pub(crate) admissions: BTreeMap<[u8; 32], u64>,
    context: LeafContext,
    settings: decide::Settings,
    open: Open<R>,
    /// The tenant whose timer ran last.
    ticked: Option<TenantId>,
}

impl<R> Ledger<R> {
    /// A ledger without tenants and records.
    #[must_use]
    pub fn new(
        root: RootKey,
        epoch: u64,
        context: LeafContext,
        settings: decide::Settings,
    ) -> Self {
        let scribe = Scribe::new(root.store_tag(), epoch);
        let journal_key = root.journal_key();
        Self {
            root,
            journal_key,
            scribe,
            root_tail: Tail::empty(ROOT_STREAM),
            root_size: 0,
            map: PrefixTree::new(),
            last_leaf: None,
            stock: Vec::new(),
            tenants: BTreeMap::new(),
            slugs: BTreeMap::new(),
            admissions: BTreeMap::new(),
            context,
            settings,
            open: Open::new(),
            ticked: None,
        }
    }

    /// Puts the root anchor, which is no sealed record, in front of the first batch.
    pub fn anchor(&mut self, bytes: Vec<u8>) {
        let sequence = self.root_tail.length();
        self.root_tail.pass(&bytes);
        self.open.prefix.push(NoteRecord {
            stream: ROOT_STREAM,
            sequence,
            body: bytes,
        });
    }

    /// Adds a leaf of the deployment's own to the open batch; returns its index in the root log.
    pub fn note(&mut self, kind: EpochKind, detail: Vec<u8>) -> u64 {
        let waiting = u64::try_from(self.open.leaves.len()).unwrap_or(u64::MAX);
        self.open.leaves.push((kind, detail));
        self.root_size.saturating_add(waiting)
    }

    /// Adds something to remember to the open batch.
    pub fn remember(&mut self, item: RootItem) {
        self.open.items.push(item);
    }

    /// Whether the open batch holds anything to commit or anybody who waits.
    #[must_use]
    pub fn has_open(&self) -> bool {
        !self.open.leaves.is_empty()
            || !self.open.items.is_empty()
            || !self.open.replies.is_empty()
            || !self.open.acts.is_empty()
    }

    /// Number of acts in the open batch; `usize::MAX` when it is full by bytes.
    #[must_use]
    pub fn open_acts(&self) -> usize {
        if self.open.bytes >= BATCH_BYTES_MAX {
            usize::MAX
        } else {
            self.open.replies.len()
        }
    }

    /// Decides one act against the heads and puts its outcome into the open batch. A refusal waits
    /// for the batch as well: it may rest on an act that is not yet acknowledged.
    pub fn submit(&mut self, now_ms: u64, submission: Submission<R>) {
        let Submission { act, reply } = submission;
        let outcome = self.decide(now_ms, act);
        self.open.replies.push((reply, outcome));
    }

    fn decide(&mut self, now_ms: u64, act: Act) -> Result<Answer, Refusal> {
        match act {
            Act::Leaf { kind, detail } => Ok(Answer::Leaf {
                index: self.note(kind, detail),
            }),
            Act::Admit(admit) => {
                let decided = decide::admit(self, now_ms, &admit)?;
                self.admit(decided)
            }
            Act::Tenant {
                tenant,
                authority,
                act,
            } => {
                let head = self.tenants.get_mut(&tenant).ok_or(Refusal::Unauthorized)?;
                head.stock = core::mem::take(&mut self.stock);
                let decided = decide::tenant(&self.settings, head, now_ms, authority, *act);
                self.stock = core::mem::take(&mut head.stock);
                for record in core::mem::take(&mut head.aside) {
                    self.take(tenant, Some(record));
                }
                let (record, answer) = decided?;
                self.take(tenant, record);
                // What waits to be answered counts like what waits to be written.
                if let Answer::Document(_) | Answer::Wanted(_) = &answer {
                    self.open.bytes = self.open.bytes.saturating_add(READ_BYTES);
                }
                Ok(answer)
            }
        }
    }

    /// Does what is due without anybody asking: carries signed plans on and erases those whose retention
    /// has ended. One call does a bounded amount; returns whether there is more to do at once. `fresh` is
    /// fresh randomness for this call alone.
    pub fn tick(&mut self, now_ms: u64, fresh: &Key) -> bool {
        let instance = self.instance_handle();
        let is_due = |head: &Tenant| decide::is_due(&head.registry, now_ms);
        let due: Vec<TenantId> = self
            .tenants
            .iter()
            .filter(|(_, head)| is_due(head))
            .map(|(id, _)| *id)
            .collect();
        // Whoever comes after the last one served is first.
        let turn = due.partition_point(|id| Some(*id) <= self.ticked);
        let mut left = TICK_ACTS_MAX;
        for id in due.iter().cycle().skip(turn).take(due.len()) {
            if left == 0 || self.open.bytes >= BATCH_BYTES_MAX {
                return true;
            }
            let Some(head) = self.tenants.get_mut(id) else {
                continue;
            };
            let fresh = fresh.derive("chancery/timer/v1", id.as_bytes());
            let most = left.min(TICK_TENANT_ACTS_MAX);
            head.stock = core::mem::take(&mut self.stock);
            let records = decide::due(head, instance, now_ms, &fresh, most);
            self.stock = core::mem::take(&mut head.stock);
            left = left.saturating_sub(records.len());
            for record in records {
                self.take(*id, Some(record));
            }
            self.ticked = Some(*id);
        }
        self.tenants.values().any(is_due)
    }

    fn admit(&mut self, decided: decide::Admitted) -> Result<Answer, Refusal> {
        let decide::Admitted {
            slug,
            tenant,
            record,
            wrapped_key,
            nonce,
            expires_ms,
            answer,
        } = decided;
        let id = tenant.secrets.id();
        self.admissions.insert(nonce, expires_ms);
        self.slugs.insert(slug.clone(), id);
        self.remember(RootItem::AdmissionUsed { nonce, expires_ms });
        self.remember(RootItem::Tenant {
            id: *id.as_bytes(),
            slug: slug.clone(),
            wrapped_key,
        });
        self.open.effects.push(Effect::Admitted {
            slug,
            secrets: Arc::clone(&tenant.secrets),
        });
        self.tenants.insert(id, tenant);
        self.take(id, record);
        Ok(answer)
    }

    /// Puts a decided act, whose events the head has taken in, into the open batch.
    fn take(&mut self, tenant: TenantId, record: Option<ActRecord>) {
        let Some(record) = record else { return };
        self.open.bytes = self.open.bytes.saturating_add(record.weight());
        match self.open.effects.last_mut() {
            Some(Effect::Changed {
                tenant: last,
                events,
            }) if *last == tenant => {
                events.extend(record.events.iter().cloned());
            }
            Some(_) | None => {
                let events = record.events.clone();
                self.open.effects.push(Effect::Changed { tenant, events });
            }
        }
        self.open.acts.entry(tenant).or_default().push(record);
    }

    /// Closes the open batch: state roots, tenant heads, the map, the leaves, the sealed records.
    ///
    /// # Errors
    /// [`LedgerError`]; the ledger is of no more use then.
    pub fn close(
        &mut self,
        now_ms: u64,
        floor_ms: u64,
        entropy: &mut dyn Entropy,
    ) -> Result<Batch<R>, LedgerError> {
        if self.tenants.values().any(|tenant| tenant.spoilt) {
            return Err(LedgerError::Spoilt);
        }
        let open = core::mem::replace(&mut self.open, Open::new());
        let mut records = open.prefix;
        let mut effects = open.effects;
        let mut items = open.items;
        let mut map = Vec::new();
        for (id, acts) in open.acts {
            let tenant = self.tenants.get_mut(&id).ok_or(LedgerError::Map)?;
            let state_root = tenant.chronicle.close(now_ms, floor_ms)?.encode().to_vec();
            let sequence = tenant.tail.length();
            let key = tenant.secrets.key().journal_key();
            let record = TenantRecord { acts, state_root };
            let body = self
                .scribe
                .write(&key, &mut tenant.tail, &record, entropy)?;
            records.push(NoteRecord {
                stream: tenant.tail.stream(),
                sequence,
                body,
            });
            let head = tenant.chronicle.head().ok_or(LedgerError::Map)?;
            effects.push(Effect::Logged {
                tenant: id,
                size: head.size,
            });
            items.push(RootItem::TenantHead {
                id: *id.as_bytes(),
                length: tenant.tail.length(),
                head: head.encode().to_vec(),
            });
            let value = tenant.chronicle.map_value().ok_or(LedgerError::Map)?;
            map.push((
                map_key(&chancery_directory::TenantId(*id.as_bytes())),
                value,
            ));
        }
        let leaves = self.leaves(now_ms, open.leaves, &map)?;
        if !leaves.is_empty() || !items.is_empty() {
            let sequence = self.root_tail.length();
            let record = RootRecord {
                leaves: leaves.clone(),
                items,
                map: map.into_iter().map(|(key, value)| (key, value.0)).collect(),
            };
            let body =
                self.scribe
                    .write(&self.journal_key, &mut self.root_tail, &record, entropy)?;
            records.push(NoteRecord {
                stream: ROOT_STREAM,
                sequence,
                body,
            });
        }
        let (replies, needs_quorum) = self.replies(open.replies);
        Ok(Batch {
            records,
            leaves,
            effects,
            replies,
            needs_quorum,
        })
    }

    /// Makes the proofs that are waited for, and tells whether an answer releases a key.
    fn replies(&mut self, mut replies: Replies<R>) -> (Replies<R>, bool) {
        let mut needs_quorum = false;
        for (_, outcome) in &mut replies {
            needs_quorum |= matches!(outcome, Ok(Answer::GroupKey(_)));
            if let Ok(Answer::Wanted(wanted)) = outcome {
                let wanted = ProofWanted::clone(wanted);
                *outcome = self
                    .prove(wanted)
                    .map(|proof| Answer::Proof(Box::new(proof)));
            }
        }
        (replies, needs_quorum)
    }

    fn prove(&mut self, wanted: ProofWanted) -> Result<InnerProof, Refusal> {
        let tenant = self
            .tenants
            .get_mut(&wanted.tenant)
            .ok_or(Refusal::NotFound)?;
        let leaf = self.last_leaf.as_ref().ok_or(Refusal::Internal)?;
        prove(tenant, &mut self.map, leaf, wanted)
    }

    /// How many keysets the stock lacks.
    #[must_use]
    pub const fn stock_wanted(&self) -> usize {
        STOCK.saturating_sub(self.stock.len())
    }

    /// Lays in keysets that were drawn before they are needed, for groups that get another key.
    pub fn stock(&mut self, drawn: Vec<Keyset>) {
        self.stock.extend(drawn);
    }

    fn leaves(
        &mut self,
        now_ms: u64,
        own: Vec<(EpochKind, Vec<u8>)>,
        map: &[([u8; 32], Digest)],
    ) -> Result<Vec<Vec<u8>>, LedgerError> {
        let mut encoded = Vec::new();
        for (kind, detail) in own {
            encoded.push(self.leaf(now_ms, kind, detail, &[])?);
        }
        if !map.is_empty() {
            for (key, value) in map {
                self.map
                    .set(*key, *value)
                    .map_err(|_full| LedgerError::Map)?;
            }
            encoded.push(self.leaf(now_ms, EpochKind::Epoch, Vec::new(), map)?);
        }
        Ok(encoded)
    }

    fn leaf(
        &mut self,
        now_ms: u64,
        kind: EpochKind,
        detail: Vec<u8>,
        changed: &[([u8; 32], Digest)],
    ) -> Result<Vec<u8>, LedgerError> {
        let (updates, n_updates) = updates_digest(changed);
        let leaf = EpochLeaf {
            kind,
            epoch: self.root_size,
            time_ms: now_ms,
            map_root: self.map.root(),
            updates,
            n_updates,
            instance_key: Digest(self.context.instance_key),
            policy_hash: Digest(self.context.policy_hash),
            detail,
        };
        self.root_size = self.root_size.saturating_add(1);
        let encoded = leaf.encode().map_err(|_long| LedgerError::Map)?;
        self.last_leaf = Some(leaf);
        Ok(encoded)
    }

    /// Tells the decisions which deployment this is, once recovery has read it.
    pub fn set_deployment(&mut self, deployment: chancery_authority::DeploymentId) {
        self.settings.deployment = deployment;
    }

    pub(crate) const fn settings(&self) -> &decide::Settings {
        &self.settings
    }

    /// The handle by which tenants' logs name the runtime. It is the deployment's, so that a restart
    /// needs no entry in every tenant's log; the root log has the boot.
    pub(crate) fn instance_handle(&self) -> [u8; 32] {
        self.root.instance_handle()
    }

    /// The stream of a tenant's records.
    pub(crate) fn stream_of(&self, tenant: &TenantId) -> StreamBytes {
        self.root.tenant_stream(tenant)
    }

    /// Whether a slug, a tenant id and an admission's nonce are unused.
    pub(crate) fn is_free(
        &self,
        slug: &str,
        id: &TenantId,
        nonce: &[u8; 32],
    ) -> Result<(), Refusal> {
        if self.admissions.contains_key(nonce) {
            return Err(Refusal::Taken {
                what: "the admission",
            });
        }
        if self.slugs.contains_key(slug) {
            return Err(Refusal::Taken { what: "the slug" });
        }
        if self.tenants.contains_key(id) {
            return Err(Refusal::Taken {
                what: "the genesis",
            });
        }
        Ok(())
    }

    /// Opens the next record of the root stream.
    pub(crate) fn read_root(&mut self, bytes: &[u8]) -> Result<RootRecord, RecordError> {
        self.scribe
            .read(&self.journal_key, &mut self.root_tail, bytes)
    }

    /// Opens the next record of a tenant's stream.
    pub(crate) fn read_tenant(
        &mut self,
        id: &TenantId,
        bytes: &[u8],
    ) -> Result<TenantRecord, RecordError> {
        let tenant = self.tenants.get_mut(id).ok_or(RecordError::NotAuthentic)?;
        let key = tenant.secrets.key().journal_key();
        self.scribe.read(&key, &mut tenant.tail, bytes)
    }

    /// Begins to write in a boot epoch, with what every leaf of it names.
    pub fn begin_epoch(&mut self, epoch: u64, context: LeafContext) {
        self.scribe = Scribe::new(self.root.store_tag(), epoch);
        self.context = context;
        self.open.items.push(RootItem::Boot { epoch });
    }

    /// Keys of the tenant `id` for one that was just made, wrapped for the journal.
    pub(crate) fn wrap(
        &self,
        secrets: &TenantSecrets,
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<u8>, chancery_sealing::SealError> {
        self.root
            .wrap_tenant_key(&secrets.id(), secrets.key(), entropy)
    }
}
