//! The open batch, what a closed one hands over, and why one cannot be closed.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use chancery_authority::TenantId;
use chancery_directory::{EpochKind, StepError};

use crate::act::{Answer, Refusal};
use crate::journal::{RecordError, StreamBytes};
use crate::records::{ActRecord, RootItem};
use crate::view::Effect;

/// One sealed record on its way to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteRecord {
    /// The stream.
    pub stream: StreamBytes,
    /// Its number in the stream.
    pub sequence: u64,
    /// The sealed bytes.
    pub body: Vec<u8>,
}

/// A closed batch: what must become durable, then signed and cosigned, before anybody is told.
#[derive(Debug)]
pub struct Batch<R> {
    /// Records for the store, one transaction.
    pub records: Vec<NoteRecord>,
    /// Leaves of the root log, in order.
    pub leaves: Vec<Vec<u8>>,
    /// What readers see afterwards.
    pub effects: Vec<Effect>,
    /// Who waits, and what for.
    pub replies: Vec<(R, Result<Answer, Refusal>)>,
    /// Whether an answer releases a key, so that a quorum must be asked even if nothing was written.
    pub needs_quorum: bool,
}

/// Why a batch could not be closed. The runtime must stop then.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LedgerError {
    /// A record could not be sealed.
    Record(RecordError),
    /// The trust log refused its own state root.
    Log(StepError),
    /// The map of tenant heads is full, or a leaf is too long.
    Map,
    /// A tenant's directory and its log have come apart.
    Spoilt,
}

impl fmt::Display for LedgerError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(error) => error.fmt(formatter),
            Self::Log(error) => write!(formatter, "the trust log refuses a state root: {error}"),
            Self::Map => formatter.write_str("the map of tenant heads cannot take a leaf"),
            Self::Spoilt => formatter.write_str("a tenant's directory and log have come apart"),
        }
    }
}

impl core::error::Error for LedgerError {}

impl From<RecordError> for LedgerError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

impl From<StepError> for LedgerError {
    fn from(error: StepError) -> Self {
        Self::Log(error)
    }
}

/// What every leaf of the root log names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeafContext {
    /// SHA-256 of this instance's epoch key.
    pub instance_key: [u8; 32],
    /// SHA-256 of the release policy in force.
    pub policy_hash: [u8; 32],
}

/// The open batch.
#[derive(Debug)]
pub(crate) struct Open<R> {
    pub(crate) prefix: Vec<NoteRecord>,
    pub(crate) leaves: Vec<(EpochKind, Vec<u8>)>,
    pub(crate) items: Vec<RootItem>,
    pub(crate) acts: BTreeMap<TenantId, Vec<ActRecord>>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) replies: Vec<(R, Result<Answer, Refusal>)>,
    pub(crate) bytes: usize,
}

impl<R> Open<R> {
    pub(crate) const fn new() -> Self {
        Self {
            prefix: Vec::new(),
            leaves: Vec::new(),
            items: Vec::new(),
            acts: BTreeMap::new(),
            effects: Vec::new(),
            replies: Vec::new(),
            bytes: 0,
        }
    }
}
