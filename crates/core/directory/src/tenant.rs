//! The state machine of a tenant's log (trust-log section 3.2), pure and the same on both sides.
//!
//! The runtime appends what steps; a monitor replays every leaf through [`LogState::step`] and
//! [`LogState::check_state_root`]. An entry that does not step is proof of a bad runtime. A refused
//! call leaves the state as it was.

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
use crate::entry::{Entry, EntryType, NO_PREVIOUS, StateRoot, SubjectKind, SubjectState, Validity};
use crate::prefix::{PrefixProof, PrefixTree, TAG_NONE};
use crate::record::{DirState, chain_next, group_commit, handle_key};
use rules::{ActorClass, KeyRule, ObjectRule, Rule, next_state, rule};

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
        let time_ms = draft.now_ms.max(self.time_ms).max(self.time_floor_ms);
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

    /// Every rule, without effect.
    fn check(&self, entry: &Entry) -> Result<Transition, StepError> {
        self.check_order(entry.index, entry.time_ms)?;
        self.check_names_of_parties(entry)?;
        let rule = rule(entry.kind);
        self.check_tenant_condition(entry, &rule)?;
        let directory_key = handle_key(&entry.subject);
        let slot = self.directory.tag(&directory_key);
        if slot == Some(TAG_NONE) {
            // A name's label stands where this subject's leaf belongs.
            return Err(StepError::HandleInUse);
        }
        let current = slot.map(|slot| self.subjects.at(slot));
        let actor = self.actor_class(entry.kind, &entry.actor, &entry.subject, entry.time_ms)?;
        let from = current.map(|state| state.state);
        if let Some(state) = current
            && !rule.subjects.contains(&state.kind)
        {
            let found = state.kind;
            return Err(StepError::SubjectKindMismatch {
                kind: entry.kind,
                found,
            });
        }
        let expected = next_state(entry.kind, from, actor).ok_or(StepError::IllegalTransition {
            kind: entry.kind,
            from,
        })?;
        if entry.new_state != expected {
            return Err(StepError::NewStateMismatch {
                expected,
                found: entry.new_state,
            });
        }
        check_links(entry, current)?;
        if !rule.actors.contains(&actor) {
            return Err(StepError::ActorNotAllowed { kind: entry.kind });
        }
        if entry.authz_hash.is_zero() && actor != ActorClass::Instance {
            return Err(StepError::EvidenceMissing);
        }
        let validity = check_commitments(entry, &rule)?;
        self.check_room(entry.kind, entry.time_ms)?;
        let group = self.group_after(entry);
        let subject = subject_after(entry, current, &rule, group.as_ref())?;
        let moves_names = rule.moves_names;
        Ok(Transition {
            directory_key,
            slot,
            subject,
            validity,
            group,
            moves_names,
        })
    }

    /// Index and time of the next leaf.
    const fn check_order(&self, index: u64, time_ms: u64) -> Result<(), StepError> {
        if index != self.next_index {
            return Err(StepError::IndexMismatch {
                expected: self.next_index,
                found: index,
            });
        }
        if time_ms < self.time_ms {
            return Err(StepError::TimeDecreased);
        }
        if time_ms < self.time_floor_ms {
            return Err(StepError::TimeBelowFloor);
        }
        Ok(())
    }

    /// Actor and subject are handles that may stand there.
    fn check_names_of_parties(&self, entry: &Entry) -> Result<(), StepError> {
        if entry.actor.is_zero() {
            return Err(StepError::ActorZero);
        }
        if entry.subject.is_zero() {
            return Err(StepError::SubjectZero);
        }
        if self.erased.contains(&entry.subject) || self.erased.contains(&entry.actor) {
            return Err(StepError::SubjectErased);
        }
        if entry.subject == self.instance {
            return Err(StepError::HandleInUse);
        }
        Ok(())
    }

    /// Genesis comes first; a frozen tenant and an overdue window stop nearly everything.
    fn check_tenant_condition(&self, entry: &Entry, rule: &Rule) -> Result<(), StepError> {
        let Some(tenant) = self.tenant else {
            return if entry.kind == EntryType::Genesis {
                Ok(())
            } else {
                Err(StepError::GenesisMissing)
            };
        };
        let state = self.subject(&tenant).map(|tenant| tenant.state);
        if entry.kind == EntryType::Genesis {
            return Err(StepError::IllegalTransition {
                kind: entry.kind,
                from: state,
            });
        }
        if state == Some(SubjectState::Frozen) && !rule.while_frozen {
            return Err(StepError::TenantFrozen);
        }
        let closes = matches!(entry.kind, EntryType::BreakGlassClosed | EntryType::Boot);
        if !closes && self.overdue_break_glass(entry.time_ms).is_some() {
            return Err(StepError::BreakGlassOverdue);
        }
        Ok(())
    }

    /// On whose authority `actor` acts at `time_ms`.
    fn actor_class(
        &self,
        kind: EntryType,
        actor: &Handle,
        subject: &Handle,
        time_ms: u64,
    ) -> Result<ActorClass, StepError> {
        if matches!(kind, EntryType::Genesis | EntryType::Boot) {
            // These name the instance; a handle that is anybody else's would lend it that power.
            let taken = actor == subject || self.subject(actor).is_some();
            return if taken {
                Err(StepError::HandleInUse)
            } else {
                Ok(ActorClass::Instance)
            };
        }
        if *actor == self.instance {
            return Ok(ActorClass::Instance);
        }
        if Some(*actor) == self.tenant {
            return Ok(ActorClass::Admin);
        }
        let state = self.subject(actor).ok_or(StepError::ActorUnknown)?;
        match state.kind {
            SubjectKind::Delegation if self.is_delegation_live(actor, time_ms) => {
                Ok(ActorClass::Delegation)
            }
            SubjectKind::Delegation => Err(StepError::DelegationNotLive),
            SubjectKind::BreakGlass => self
                .break_glass
                .get(actor)
                .filter(|validity| validity.holds_at(time_ms))
                .map(|_| ActorClass::BreakGlass)
                .ok_or(StepError::BreakGlassNotOpen),
            SubjectKind::User if actor == subject => Ok(ActorClass::Itself),
            SubjectKind::User
            | SubjectKind::Tenant
            | SubjectKind::Group
            | SubjectKind::Token
            | SubjectKind::Approval => Err(StepError::ActorNotAllowed { kind }),
        }
    }

    /// Bounds on what an entry adds.
    fn check_room(&self, kind: EntryType, time_ms: u64) -> Result<(), StepError> {
        if kind == EntryType::DelegationGranted {
            let kept = self
                .delegations
                .values()
                .filter(|one| one.not_after_ms > time_ms)
                .count();
            if kept >= LIVE_DELEGATIONS_MAX {
                return Err(StepError::TooManyDelegations);
            }
        }
        if kind == EntryType::BreakGlassOpened && self.break_glass.len() >= OPEN_BREAK_GLASS_MAX {
            return Err(StepError::TooManyBreakGlass);
        }
        let counters_end = self.batch_entries == u32::MAX || self.next_index >= NO_PREVIOUS - 1;
        if counters_end {
            return Err(StepError::CounterExhausted);
        }
        if !self.directory.has_room() {
            return Err(StepError::DirectoryFull);
        }
        Ok(())
    }

    /// A group's commitments after `entry`.
    fn group_after(&self, entry: &Entry) -> Option<GroupParts> {
        let sets_members = matches!(
            entry.kind,
            EntryType::GroupCreated | EntryType::GroupMemberChanged | EntryType::GroupEpochStarted
        );
        let parts = self.groups.get(&entry.subject).copied();
        let mut parts = match entry.kind {
            EntryType::GroupCreated => GroupParts::default(),
            _ => parts?,
        };
        if sets_members && !entry.object_commit.is_zero() {
            parts.members = Some(entry.object_commit);
        }
        if !entry.key_commit.is_zero() {
            parts.key = Some(entry.key_commit);
        }
        Some(parts)
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

    /// Ends the open batch and gives its last leaf.
    ///
    /// `now_ms` is raised to the log's time and to the lower bound if it lags; `time_floor_ms` to the
    /// bound before it.
    ///
    /// # Errors
    /// [`StepError::EmptyBatch`] or [`StepError::NameChangeWithoutEntry`]; the batch stays open.
    pub fn seal_state_root(
        &mut self,
        now_ms: u64,
        time_floor_ms: u64,
    ) -> Result<StateRoot, StepError> {
        let time_floor_ms = time_floor_ms.max(self.time_floor_ms);
        let root = StateRoot {
            index: self.next_index,
            time_ms: now_ms.max(self.time_ms).max(time_floor_ms),
            batch: self.batch,
            entries: self.batch_entries,
            time_floor_ms,
            dir_root: self.directory.root(),
            dir_update: self.dir_update(),
        };
        self.check_state_root(&root)?;
        Ok(root)
    }

    /// Takes in a state root, if it is what the batch makes.
    ///
    /// # Errors
    /// [`StepError`], by the rule that it breaks; the batch stays open then.
    pub fn check_state_root(&mut self, root: &StateRoot) -> Result<(), StepError> {
        self.check_order(root.index, root.time_ms)?;
        if self.batch_entries == 0 {
            return Err(StepError::EmptyBatch);
        }
        if root.batch != self.batch {
            return Err(StepError::BatchMismatch {
                expected: self.batch,
                found: root.batch,
            });
        }
        if root.entries != self.batch_entries {
            let expected = self.batch_entries;
            return Err(StepError::EntriesMismatch {
                expected,
                found: root.entries,
            });
        }
        if root.time_floor_ms < self.time_floor_ms {
            return Err(StepError::FloorDecreased);
        }
        if root.time_ms < root.time_floor_ms {
            return Err(StepError::FloorAfterTime);
        }
        if !self.batch_moves_names && !self.name_changes().is_empty() {
            return Err(StepError::NameChangeWithoutEntry);
        }
        if root.dir_update != self.dir_update() {
            return Err(StepError::DirUpdateMismatch);
        }
        if root.dir_root != self.directory.root() {
            return Err(StepError::DirRootMismatch);
        }
        self.batch = self.batch.saturating_add(1);
        self.batch_entries = 0;
        self.batch_moves_names = false;
        self.batch_names.clear();
        self.next_index = self.next_index.saturating_add(1);
        self.time_ms = root.time_ms;
        self.time_floor_ms = root.time_floor_ms;
        Ok(())
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

/// `prev_subject` and `subject_seq` are gapless.
fn check_links(entry: &Entry, current: Option<&DirState>) -> Result<(), StepError> {
    let expected = current.map_or(NO_PREVIOUS, |state| state.last);
    if entry.prev_subject != expected {
        return Err(StepError::PreviousMismatch {
            expected,
            found: entry.prev_subject,
        });
    }
    let expected = next_sequence(current)?;
    if entry.subject_seq != expected {
        return Err(StepError::SequenceMismatch {
            expected,
            found: entry.subject_seq,
        });
    }
    Ok(())
}

fn next_sequence(current: Option<&DirState>) -> Result<u32, StepError> {
    current.map_or(Ok(1), |state| {
        state.seq.checked_add(1).ok_or(StepError::CounterExhausted)
    })
}

/// What the entry commits to is what its type asks for.
fn check_commitments(entry: &Entry, rule: &Rule) -> Result<Option<Validity>, StepError> {
    match rule.key {
        KeyRule::Required if entry.key_commit.is_zero() => return Err(StepError::KeyCommitMissing),
        KeyRule::Forbidden if !entry.key_commit.is_zero() => {
            return Err(StepError::KeyCommitForbidden);
        }
        KeyRule::Required | KeyRule::Forbidden | KeyRule::Optional => {}
    }
    match rule.object {
        ObjectRule::Required if entry.object_commit.is_zero() => {
            Err(StepError::ObjectCommitMissing)
        }
        ObjectRule::Required | ObjectRule::Optional => Ok(None),
        ObjectRule::Validity => {
            let validity = Validity::from_object_commit(&entry.object_commit)
                .map_err(|_malformed| StepError::ValidityInvalid)?;
            if validity.not_after_ms <= entry.time_ms {
                return Err(StepError::AlreadyExpired);
            }
            Ok(Some(validity))
        }
    }
}

/// The subject's state after `entry`.
fn subject_after(
    entry: &Entry,
    current: Option<&DirState>,
    rule: &Rule,
    group: Option<&GroupParts>,
) -> Result<DirState, StepError> {
    let sets_key = !entry.key_commit.is_zero();
    let old_version = current.map_or(0, |state| state.key_version);
    let key_version = if sets_key {
        old_version
            .checked_add(1)
            .ok_or(StepError::CounterExhausted)?
    } else {
        old_version
    };
    let key_commit = match group {
        Some(parts) => parts.commit(),
        None if sets_key => entry.key_commit,
        None => current.map_or(Digest::ZERO, |state| state.key_commit),
    };
    let new_kind = rule
        .subjects
        .first()
        .copied()
        .unwrap_or(SubjectKind::Tenant);
    Ok(DirState {
        handle: entry.subject,
        kind: current.map_or(new_kind, |state| state.kind),
        state: entry.new_state,
        key_version,
        key_commit,
        first: current.map_or(entry.index, |state| state.first),
        last: entry.index,
        seq: entry.subject_seq,
        chain: chain_next(
            &current.map_or(Digest::ZERO, |state| state.chain),
            &entry.leaf_hash(),
        ),
    })
}
