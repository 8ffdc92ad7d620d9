//! What is checked before an entry takes effect.

use super::rules::{ActorClass, KeyRule, ObjectRule, Rule, next_state, rule};
use super::{
    GroupParts, LIVE_DELEGATIONS_MAX, LogState, OPEN_BREAK_GLASS_MAX, StepError, Transition,
};
use crate::digest::{Digest, Handle};
use crate::entry::{Entry, EntryType, NO_PREVIOUS, SubjectKind, SubjectState, Validity};
use crate::prefix::TAG_NONE;
use crate::record::{DirState, chain_next, handle_key};

impl LogState {
    /// Every rule, without effect.
    pub(super) fn check(&self, entry: &Entry) -> Result<Transition, StepError> {
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
    pub(super) const fn check_order(&self, index: u64, time_ms: u64) -> Result<(), StepError> {
        if index != self.next_index {
            return Err(StepError::IndexMismatch {
                expected: self.next_index,
                found: index,
            });
        }
        if time_ms < self.time_ms {
            return Err(StepError::TimeDecreased);
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
    pub(super) fn actor_class(
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

pub(super) fn next_sequence(current: Option<&DirState>) -> Result<u32, StepError> {
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
