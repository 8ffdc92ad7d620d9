//! The state machine of a tenant's log (trust-log section 3.2), pure and the same on both sides.
//!
//! The runtime appends what steps; a monitor replays every leaf through [`LogState::step`] and
//! [`LogState::check_state_root`]. An entry that does not step is proof of a bad runtime. A refused
//! call leaves the state as it was.

mod batch;
mod check;
mod error;
mod names;
mod rules;
#[cfg(test)]
mod tests;

pub use error::StepError;
pub use names::{NAME_CHANGES_MAX, NameChange};

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::arena::Arena;
use crate::digest::{Digest, Handle};
use crate::entry::{Entry, EntryType, NO_PREVIOUS, SubjectState, Validity};
use crate::prefix::{PrefixProof, PrefixTree, TAG_NONE};
use crate::record::{DirState, group_commit, handle_key};
use check::next_sequence;
use rules::next_state;

/// Most delegations in force at once: a tenant needs a few; the bound keeps state small.
pub const LIVE_DELEGATIONS_MAX: usize = 1024;

/// Most break-glass windows open at once.
pub const OPEN_BREAK_GLASS_MAX: usize = 64;

/// An act to be logged; [`LogState::draft`] adds index, links, time order and new state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draft {
    /// What is done.
    pub kind: EntryType,
    /// By whose authority.
    pub actor: Handle,
    /// To whom.
    pub subject: Handle,
    /// The clock, milliseconds since the Unix epoch; raised to the log's time if it lags.
    pub now_ms: u64,
    /// See [`Entry::key_commit`].
    pub key_commit: Digest,
    /// See [`Entry::object_commit`].
    pub object_commit: Digest,
    /// See [`Entry::body_commit`].
    pub body_commit: Digest,
    /// See [`Entry::authz_hash`].
    pub authz_hash: Digest,
}

impl Draft {
    /// A draft with every commitment zero.
    #[must_use]
    pub const fn new(kind: EntryType, actor: Handle, subject: Handle, now_ms: u64) -> Self {
        Self {
            kind,
            actor,
            subject,
            now_ms,
            key_commit: Digest::ZERO,
            object_commit: Digest::ZERO,
            body_commit: Digest::ZERO,
            authz_hash: Digest::ZERO,
        }
    }
}

/// The two commitments behind a group's [`DirState::key_commit`].
#[derive(Debug, Clone, Copy, Default)]
struct GroupParts {
    members: Option<Digest>,
    key: Option<Digest>,
}

impl GroupParts {
    fn commit(&self) -> Digest {
        group_commit(
            &self.members.unwrap_or(Digest::ZERO),
            &self.key.unwrap_or(Digest::ZERO),
        )
    }
}

/// What a legal entry does to the state.
#[derive(Clone, Copy)]
struct Transition {
    directory_key: [u8; 32],
    slot: Option<u32>,
    subject: DirState,
    validity: Option<Validity>,
    group: Option<GroupParts>,
    moves_names: bool,
}

/// The state that a tenant's log makes.
#[derive(Clone)]
pub struct LogState {
    tenant: Option<Handle>,
    instance: Handle,
    next_index: u64,
    time_ms: u64,
    time_floor_ms: u64,
    batch: u64,
    batch_entries: u32,
    batch_moves_names: bool,
    /// Name leaves touched in the open batch, with the value before it.
    batch_names: BTreeMap<[u8; 32], Option<Digest>>,
    subjects: Arena<DirState>,
    directory: PrefixTree,
    groups: BTreeMap<Handle, GroupParts>,
    delegations: BTreeMap<Handle, Validity>,
    break_glass: BTreeMap<Handle, Validity>,
    erased: BTreeSet<Handle>,
}

impl core::fmt::Debug for LogState {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("LogState")
            .field("next_index", &self.next_index)
            .field("batch", &self.batch)
            .field("subjects", &self.subjects.len())
            .finish_non_exhaustive()
    }
}

impl Default for LogState {
    fn default() -> Self {
        Self::new()
    }
}

impl LogState {
    /// The state of an empty log.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            tenant: None,
            instance: Handle::ZERO,
            next_index: 0,
            time_ms: 0,
            time_floor_ms: 0,
            batch: 0,
            batch_entries: 0,
            batch_moves_names: false,
            batch_names: BTreeMap::new(),
            subjects: Arena::new(),
            directory: PrefixTree::new(),
            groups: BTreeMap::new(),
            delegations: BTreeMap::new(),
            break_glass: BTreeMap::new(),
            erased: BTreeSet::new(),
        }
    }

    /// Index of the next leaf, which is the log's size.
    #[must_use]
    pub const fn next_index(&self) -> u64 {
        self.next_index
    }

    /// Number of the open batch.
    #[must_use]
    pub const fn batch(&self) -> u64 {
        self.batch
    }

    /// Entries in the open batch.
    #[must_use]
    pub const fn batch_entries(&self) -> u32 {
        self.batch_entries
    }

    /// Time of the last leaf, milliseconds since the Unix epoch.
    #[must_use]
    pub const fn time_ms(&self) -> u64 {
        self.time_ms
    }

    /// Trusted lower bound of the time, from the last state root.
    #[must_use]
    pub const fn time_floor_ms(&self) -> u64 {
        self.time_floor_ms
    }

    /// The tenant's own handle, from genesis on.
    #[must_use]
    pub const fn tenant(&self) -> Option<Handle> {
        self.tenant
    }

    /// The runtime instance that genesis or the last boot entry named; zero before genesis.
    #[must_use]
    pub const fn instance(&self) -> Handle {
        self.instance
    }

    /// The current state of a subject; `None` if it never existed or was erased.
    #[must_use]
    pub fn subject(&self, handle: &Handle) -> Option<&DirState> {
        let slot = self
            .directory
            .tag(&handle_key(handle))
            .filter(|slot| *slot != TAG_NONE)?;
        Some(self.subjects.at(slot))
    }

    /// Whether the subject was erased.
    #[must_use]
    pub fn is_erased(&self, handle: &Handle) -> bool {
        self.erased.contains(handle)
    }

    /// Whether a delegation is in force at `time_ms`.
    #[must_use]
    pub fn is_delegation_live(&self, delegation: &Handle, time_ms: u64) -> bool {
        self.delegations
            .get(delegation)
            .is_some_and(|validity| validity.holds_at(time_ms))
    }

    /// Delegations that are not revoked, expired ones included until another is granted.
    pub fn delegations(&self) -> impl Iterator<Item = (&Handle, &Validity)> {
        self.delegations.iter()
    }

    /// A break-glass window that has expired at `time_ms` and must be closed before anything else.
    #[must_use]
    pub fn overdue_break_glass(&self, time_ms: u64) -> Option<Handle> {
        self.break_glass
            .iter()
            .find(|(_, validity)| validity.not_after_ms <= time_ms)
            .map(|(handle, _)| *handle)
    }

    /// Bytes that subjects and directory have allocated.
    #[must_use]
    pub const fn memory_bytes(&self) -> usize {
        self.subjects
            .memory_bytes()
            .saturating_add(self.directory.memory_bytes())
    }

    /// The directory's root over everything stepped so far.
    pub fn dir_root(&mut self) -> Digest {
        self.directory.root()
    }

    /// Proves the leaf of a subject, or that there is none, under [`Self::dir_root`].
    pub fn prove_subject(&mut self, handle: &Handle) -> PrefixProof {
        self.directory.prove(&handle_key(handle))
    }

    /// Proves the leaf of a name label, or that there is none, under [`Self::dir_root`].
    pub fn prove_name(&mut self, label: &[u8; 32]) -> PrefixProof {
        self.directory.prove(label)
    }

    /// Makes the entry of an act: index, links, time order and new state come from the log.
    ///
    /// # Errors
    /// [`StepError::IllegalTransition`] and its kin if no entry of this type can be next; what
    /// [`Self::step`] alone checks (commitments, authority) is not checked here.
    pub fn draft(&self, draft: &Draft) -> Result<Entry, StepError> {
        let time_ms = draft.now_ms.max(self.time_ms);
        let current = self.subject(&draft.subject);
        let actor = self.actor_class(draft.kind, &draft.actor, &draft.subject, time_ms)?;
        let from = current.map(|state| state.state);
        let new_state =
            next_state(draft.kind, from, actor).ok_or(StepError::IllegalTransition {
                kind: draft.kind,
                from,
            })?;
        Ok(Entry {
            kind: draft.kind,
            index: self.next_index,
            time_ms,
            actor: draft.actor,
            subject: draft.subject,
            prev_subject: current.map_or(NO_PREVIOUS, |state| state.last),
            subject_seq: next_sequence(current)?,
            new_state,
            key_commit: draft.key_commit,
            object_commit: draft.object_commit,
            body_commit: draft.body_commit,
            authz_hash: draft.authz_hash,
        })
    }

    /// [`Self::draft`] and [`Self::step`] in one: makes the entry and takes it in.
    ///
    /// # Errors
    /// As both; the state is unchanged then.
    pub fn append(&mut self, draft: &Draft) -> Result<Entry, StepError> {
        let entry = self.draft(draft)?;
        self.step(&entry)?;
        Ok(entry)
    }

    /// Takes in the next entry, if every rule holds.
    ///
    /// # Errors
    /// [`StepError`], by the rule that the entry breaks; the state is unchanged then.
    pub fn step(&mut self, entry: &Entry) -> Result<(), StepError> {
        let transition = self.check(entry)?;
        self.apply(entry, transition)
    }

    /// The effect of a checked entry.
    fn apply(&mut self, entry: &Entry, transition: Transition) -> Result<(), StepError> {
        let Transition {
            directory_key,
            slot,
            subject,
            validity,
            group,
            moves_names,
        } = transition;
        if subject.state == SubjectState::Erased {
            self.directory.remove(&directory_key);
            self.groups.remove(&entry.subject);
            self.erased.insert(entry.subject);
            if let Some(slot) = slot {
                self.subjects.remove(slot);
            }
        } else {
            let value = subject.value();
            let slot = match slot {
                Some(slot) => {
                    *self.subjects.at_mut(slot) = subject;
                    slot
                }
                None => self.subjects.insert(subject),
            };
            self.directory
                .set_tagged(directory_key, value, slot)
                .map_err(|_full| StepError::DirectoryFull)?;
            if let Some(parts) = group {
                self.groups.insert(entry.subject, parts);
            }
        }
        self.apply_authority(entry, validity);
        self.batch_moves_names |= moves_names;
        self.batch_entries = self.batch_entries.saturating_add(1);
        self.next_index = self.next_index.saturating_add(1);
        self.time_ms = entry.time_ms;
        Ok(())
    }

    /// Who may act from now on.
    fn apply_authority(&mut self, entry: &Entry, validity: Option<Validity>) {
        match (entry.kind, validity) {
            (EntryType::Genesis, _) => {
                self.tenant = Some(entry.subject);
                self.instance = entry.actor;
            }
            (EntryType::Boot, _) => self.instance = entry.actor,
            (EntryType::DelegationGranted, Some(validity)) => {
                self.delegations
                    .retain(|_, old| old.not_after_ms > entry.time_ms);
                self.delegations.insert(entry.subject, validity);
            }
            (EntryType::DelegationRevoked, _) => {
                self.delegations.remove(&entry.subject);
            }
            (EntryType::BreakGlassOpened, Some(validity)) => {
                self.break_glass.insert(entry.subject, validity);
            }
            (EntryType::BreakGlassClosed, _) => {
                self.break_glass.remove(&entry.subject);
            }
            _ => {}
        }
    }

    /// Every subject's state, in ascending order of directory keys.
    #[must_use]
    pub fn subjects(&self) -> Vec<DirState> {
        self.directory
            .to_vec()
            .iter()
            .filter_map(|(key, _)| self.directory.tag(key))
            .filter(|slot| *slot != TAG_NONE)
            .map(|slot| *self.subjects.at(slot))
            .collect()
    }
}
