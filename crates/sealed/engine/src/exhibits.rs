//! The private parts of a tenant's log, read back from the store for those who may audit it.
//!
//! Nothing of it is kept in memory. What the records hold in secret (sealed seeds, digests of tokens) stays
//! behind: an exhibit has what opens the log's commitments, and what an act rests on.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use chancery_directory::exhibit::{Exhibit, NameMove};
use chancery_directory::{
    ActSecret, Details, Digest, Entry, EntryType, Handle, KeyRecord, KeySource, Opens,
};
use sha2::{Digest as _, Sha256};

use crate::claim::open_keyset;
use crate::custody::GroupEpoch;
use crate::event::Event;
use crate::journal::{RecordError, Scribe, StreamBytes, Tail};
use crate::key_record::{self, KeyOf};
use crate::records::{ActRecord, TenantRecord};
use crate::tenant::TenantSecrets;

/// Why records could not be turned into exhibits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExhibitError {
    /// The store's record is not the one that was written.
    Record(RecordError),
    /// The record contradicts itself.
    Contradiction,
}

impl fmt::Display for ExhibitError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(error) => error.fmt(formatter),
            Self::Contradiction => formatter.write_str("a record contradicts itself"),
        }
    }
}

impl core::error::Error for ExhibitError {}

impl From<RecordError> for ExhibitError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

/// Reads one tenant's records in order, from the first that is wanted on.
#[derive(Debug)]
pub struct ExhibitReader {
    secrets: Arc<TenantSecrets>,
    scribe: Scribe,
    tail: Tail,
}

impl ExhibitReader {
    /// Begins at record `number` of `stream`, whose predecessor is `before`; none for number 0. `store` is
    /// the tag of the deployment's store.
    #[must_use]
    pub fn new(
        secrets: Arc<TenantSecrets>,
        store: [u8; 32],
        stream: StreamBytes,
        number: u64,
        before: Option<&[u8]>,
    ) -> Self {
        let mut tail = Tail::empty(stream);
        if let Some(before) = before {
            tail = Tail::at(stream, number, Sha256::digest(before).into());
        }
        Self {
            secrets,
            // Reading believes the epoch of each record, so this reader's own does not matter.
            scribe: Scribe::new(store, 0),
            tail,
        }
    }

    /// The exhibits of the next record, one per act. `is_erased` says whose parts are gone.
    ///
    /// # Errors
    /// [`ExhibitError`].
    pub fn read(
        &mut self,
        record: &[u8],
        is_erased: &dyn Fn(&[u8; 32]) -> bool,
    ) -> Result<Vec<Exhibit>, ExhibitError> {
        let key = self.secrets.key().journal_key();
        let record: TenantRecord = self.scribe.read(&key, &mut self.tail, record)?;
        record
            .acts
            .into_iter()
            .filter(|act| !act.entries.is_empty())
            .map(|act| exhibit(&self.secrets, act, is_erased))
            .collect()
    }
}

fn exhibit(
    secrets: &TenantSecrets,
    act: ActRecord,
    is_erased: &dyn Fn(&[u8; 32]) -> bool,
) -> Result<Exhibit, ExhibitError> {
    let entries: Vec<Entry> = act
        .entries
        .iter()
        .map(|bytes| Entry::decode(bytes))
        .collect::<Result<_, _>>()
        .map_err(|_decode| ExhibitError::Contradiction)?;
    let first = entries.first().ok_or(ExhibitError::Contradiction)?.index;
    let count = u32::try_from(entries.len()).map_err(|_many| ExhibitError::Contradiction)?;
    let names: Vec<NameMove> = act
        .names
        .iter()
        .map(|moved| NameMove {
            label: moved.label,
            value: moved.value.map(Digest),
        })
        .collect();
    if entries.iter().any(|entry| is_erased(&entry.subject.0)) {
        return Ok(Exhibit::withheld(first, count, names));
    }
    let details = Details::decode(&act.body).map_err(|_decode| ExhibitError::Contradiction)?;
    let secret = ActSecret(act.secret.0);
    let mut records = Vec::new();
    for entry in &entries {
        if entry.key_commit != Digest::ZERO {
            records.push(key_bytes(secrets, &act, entry, &secret)?);
        }
    }
    Ok(Exhibit {
        withheld: false,
        first,
        entries: count,
        document: document(&act, &details)?,
        secret,
        body: act.body,
        evidence: act.evidence,
        request: act.request,
        records,
        names,
    })
}

/// The document whose digest stands in the details: the record's own, or one of its events'.
fn document(act: &ActRecord, details: &Details) -> Result<Vec<u8>, ExhibitError> {
    if details.document == Digest::ZERO {
        return Ok(Vec::new());
    }
    let kept = core::iter::once(act.document.as_slice());
    let held = act.events.iter().filter_map(|event| match event {
        Event::Genesis(bytes)
        | Event::AdminsPut(bytes)
        | Event::DelegationPut {
            envelope: bytes, ..
        } => Some(&**bytes),
        Event::UserPut(user) => Some(&*user.document),
        Event::GroupPut(group) => Some(&*group.document),
        _ => None,
    });
    kept.chain(held)
        .find(|bytes| Digest(Sha256::digest(bytes).into()) == details.document)
        .map(<[u8]>::to_vec)
        .ok_or(ExhibitError::Contradiction)
}

/// What a key commitment opens to.
fn key_bytes(
    secrets: &TenantSecrets,
    act: &ActRecord,
    entry: &Entry,
    secret: &ActSecret,
) -> Result<Vec<u8>, ExhibitError> {
    if matches!(entry.kind, EntryType::Genesis | EntryType::Rekey) {
        return Ok(secrets.vrf_public().to_vec());
    }
    let opening = secret.opening(Opens::Key(&entry.subject));
    candidates(secrets, act, entry)?
        .into_iter()
        .find(|record| record.commit(&opening) == Ok(entry.key_commit))
        .and_then(|record| record.encode().ok())
        .ok_or(ExhibitError::Contradiction)
}

/// The key records that an entry can be about, from what its act has made true.
fn candidates(
    secrets: &TenantSecrets,
    act: &ActRecord,
    entry: &Entry,
) -> Result<Vec<KeyRecord>, ExhibitError> {
    let mut found = Vec::new();
    for event in &act.events {
        match event {
            Event::EpochStarted(epoch) if epoch.index == entry.index => {
                found.push(of_epoch(secrets, epoch, entry.subject)?);
            }
            Event::UserPut(user) if user.handle == entry.subject.0 => {
                let record = key_record::of_user(secrets, user)
                    .map_err(|_keyset| ExhibitError::Contradiction)?;
                // An import logs the same key as provisioned and as confirmed.
                let first = KeyRecord {
                    key_version: record.key_version.saturating_sub(1),
                    ..record.clone()
                };
                found.extend([record, first]);
            }
            _ => {}
        }
    }
    Ok(found)
}

fn of_epoch(
    secrets: &TenantSecrets,
    epoch: &GroupEpoch,
    group: Handle,
) -> Result<KeyRecord, ExhibitError> {
    let keyset = open_keyset(secrets, &group.0, &epoch.sealed_seed)
        .map_err(|_seal| ExhibitError::Contradiction)?;
    let key = KeyOf {
        handle: group.0,
        version: epoch.number,
        source: KeySource::Enclave,
        public: keyset.public(),
        not_before_ms: epoch.started_ms,
    };
    Ok(key.record(secrets))
}
