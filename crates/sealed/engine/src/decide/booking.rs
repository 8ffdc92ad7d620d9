//! Booking a decided act: entries in the tenant's log, events in its directory, both in one record.

use alloc::sync::Arc;
use alloc::vec::Vec;

use chancery_directory::{Digest, Draft, EntryType, Handle, StepError, commit};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::authority::Grant;
use crate::act::Refusal;
use crate::prepare::opening;
use crate::records::{ActRecord, OpeningSecret};
use crate::resource::Event;
use crate::tenant::Tenant;

/// The private details of an act, to which each of its entries commits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Details {
    /// Handle of the credential, or SHA-256 of the signed act.
    pub credential: [u8; 32],
    /// SHA-256 of the resource's canonical document after the act; zero if there is none.
    pub document: [u8; 32],
}

/// An act being booked. Dropping it without [`Booking::finish`] leaves the head ahead of its record,
/// so everything that can be refused is refused before it begins.
pub(super) struct Booking<'a> {
    head: &'a mut Tenant,
    now_ms: u64,
    actor: Handle,
    authz_hash: Digest,
    body_commit: Digest,
    record: ActRecord,
    last: u64,
}

/// What stands behind an act.
pub(super) struct Warrant {
    /// Delegation, or the tenant itself for its admins.
    pub(super) actor: [u8; 32],
    /// Digest of the evidence.
    pub(super) authz_hash: [u8; 32],
    /// Handle of the credential, or SHA-256 of the signed act.
    pub(super) credential: [u8; 32],
}

impl Warrant {
    /// An act of a credential under a delegation.
    pub(super) fn delegated(grant: &Grant, credential: [u8; 32]) -> Self {
        let mut evidence = Sha256::new();
        evidence.update(b"chancery/authz/scim/v1");
        evidence.update(grant.hash);
        evidence.update(credential);
        Self {
            actor: grant.handle,
            authz_hash: evidence.finalize().into(),
            credential,
        }
    }
}

impl<'a> Booking<'a> {
    pub(super) fn begin(
        head: &'a mut Tenant,
        now_ms: u64,
        warrant: &Warrant,
        secret: OpeningSecret,
        document: &[u8],
    ) -> Result<Self, Refusal> {
        let details = Details {
            credential: warrant.credential,
            document: if document.is_empty() {
                [0; 32]
            } else {
                Sha256::digest(document).into()
            },
        };
        let body = postcard::to_allocvec(&details).map_err(|_encoding| Refusal::Internal)?;
        let body_commit = commit("body", &opening(&secret, "chancery/opening/body/v1"), &body);
        Ok(Self {
            head,
            now_ms,
            actor: Handle(warrant.actor),
            authz_hash: Digest(warrant.authz_hash),
            body_commit,
            record: ActRecord {
                secret,
                body,
                entries: Vec::new(),
                names: Vec::new(),
                events: Vec::new(),
            },
            last: 0,
        })
    }

    /// Appends an entry about `subject`.
    pub(super) fn entry(
        &mut self,
        kind: EntryType,
        subject: [u8; 32],
        key_commit: Digest,
        object_commit: Digest,
    ) -> Result<(), Refusal> {
        let mut draft = Draft::new(kind, self.actor, Handle(subject), self.now_ms);
        draft.key_commit = key_commit;
        draft.object_commit = object_commit;
        draft.body_commit = self.body_commit;
        draft.authz_hash = self.authz_hash;
        let entry = self
            .head
            .chronicle
            .append(&draft)
            .map_err(|error| self.refusal(&error))?;
        self.last = entry.index;
        self.record.entries.push(entry.encode().to_vec());
        Ok(())
    }

    /// An entry that sets neither key nor object.
    pub(super) fn plain(&mut self, kind: EntryType, subject: [u8; 32]) -> Result<(), Refusal> {
        self.entry(kind, subject, Digest::ZERO, Digest::ZERO)
    }

    /// Binds a name to `subject`.
    pub(super) fn bind(&mut self, label: [u8; 32], subject: [u8; 32]) -> Result<(), Refusal> {
        let opening = opening(&self.record.secret, "chancery/opening/name/v1");
        let moved = self
            .head
            .chronicle
            .bind(label, Handle(subject), &opening)
            .map_err(|error| self.refusal(&error))?;
        self.record.names.push(moved);
        Ok(())
    }

    /// Releases a name.
    pub(super) fn release(&mut self, label: [u8; 32]) -> Result<(), Refusal> {
        let moved = self
            .head
            .chronicle
            .release(label)
            .map_err(|error| self.refusal(&error))?;
        self.record.names.push(moved);
        Ok(())
    }

    /// The commitment to a group's members after a change that the events have made.
    pub(super) fn members_commit(&mut self, root: Digest) -> Digest {
        commit(
            "members",
            &opening(&self.record.secret, "chancery/opening/members/v1"),
            &root.0,
        )
    }

    /// Makes an event true in the head and keeps it for the record.
    pub(super) fn event(&mut self, event: Event) {
        self.head.apply(&event);
        self.record.events.push(event);
    }

    /// Changes the members of a group: event, then entry.
    pub(super) fn regroup(
        &mut self,
        group: &Arc<crate::resource::Group>,
        added: Vec<crate::id::ResourceId>,
        removed: Vec<crate::id::ResourceId>,
    ) -> Result<(), Refusal> {
        self.event(Event::GroupMembers {
            group: group.id,
            added,
            removed,
        });
        let root = self.head.member_root(group.id);
        let object = self.members_commit(root);
        self.entry(
            EntryType::GroupMemberChanged,
            group.handle,
            Digest::ZERO,
            object,
        )
    }

    /// Index of the act's last entry.
    pub(super) const fn last(&self) -> u64 {
        self.last
    }

    /// The record for the journal.
    pub(super) fn finish(self) -> ActRecord {
        self.record
    }

    /// A log that refuses the first entry of an act has not changed, and says why in the caller's
    /// terms. A later refusal means that this code and the log's rules disagree: the head is spoilt.
    fn refusal(&mut self, error: &StepError) -> Refusal {
        let first = self.record.entries.is_empty() && self.record.events.is_empty();
        if first && matches!(error, StepError::DelegationNotLive) {
            return Refusal::NoDelegation;
        }
        self.head.spoilt |= !first;
        Refusal::Internal
    }
}
