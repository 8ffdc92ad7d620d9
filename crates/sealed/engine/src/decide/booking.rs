//! Booking a decided act: entries in the tenant's log, events in its directory, both in one record.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use chancery_directory::{
    ActSecret, Details, Digest, Draft, EntryType, GroupDelta, Handle, Opens, Origin, StepError,
    commit,
};
use chancery_sealing::ExpandedEntropy;
use sha2::{Digest as _, Sha256};

use super::authority::Grant;
use crate::act::Refusal;
use crate::event::Event;
use crate::id::ResourceId;
use crate::prepare::Draws;
use crate::records::{ActRecord, OpeningSecret};
use crate::resource::{Group, User};
use crate::tenant::Tenant;

/// An act being booked. Dropping it without [`Booking::finish`] leaves the head ahead of its record,
/// so everything that can be refused is refused before it begins.
pub(super) struct Booking<'a> {
    pub(super) head: &'a mut Tenant,
    pub(super) now_ms: u64,
    pub(super) entropy: ExpandedEntropy,
    actor: Handle,
    authz_hash: Digest,
    body_commit: Digest,
    document: Digest,
    record: ActRecord,
    last: u64,
    pub(super) user: Option<Arc<User>>,
    pub(super) group: Option<Arc<Group>>,
}

/// What stands behind an act.
#[derive(Clone, Debug)]
pub(super) struct Warrant {
    /// Delegation, window, subject, the tenant itself for its admins, or the runtime.
    pub(super) actor: [u8; 32],
    /// On what it rests; without document and groups.
    pub(super) details: Details,
    /// The evidence itself, whose digest stands in the details.
    pub(super) evidence: Vec<u8>,
    /// The body of the signed act in the evidence.
    pub(super) request: Vec<u8>,
}

/// The document that an act's entries commit to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Document<'a> {
    /// There is none.
    None,
    /// An event of the act holds it.
    InEvent(&'a [u8]),
    /// The record keeps it.
    Kept(&'a [u8]),
}

impl<'a> Document<'a> {
    const fn bytes(self) -> &'a [u8] {
        match self {
            Self::None => &[],
            Self::InEvent(bytes) | Self::Kept(bytes) => bytes,
        }
    }

    const fn kept(self) -> &'a [u8] {
        match self {
            Self::None | Self::InEvent(_) => &[],
            Self::Kept(bytes) => bytes,
        }
    }
}

impl Warrant {
    /// An act of a credential under a delegation.
    pub(super) fn delegated(grant: &Grant, credential: [u8; 32]) -> Self {
        Self {
            actor: grant.handle,
            details: Details {
                delegation: Digest(grant.hash),
                credential: Handle(credential),
                ..Details::new(Origin::Credential)
            },
            evidence: Vec::new(),
            request: Vec::new(),
        }
    }

    /// An act that rests on evidence of its own.
    pub(super) fn evident(origin: Origin, actor: [u8; 32], evidence: Vec<u8>) -> Self {
        Self {
            actor,
            details: Details {
                evidence: Digest(Sha256::digest(&evidence).into()),
                ..Details::new(origin)
            },
            evidence,
            request: Vec::new(),
        }
    }

    /// The same, with the request that the evidence signs.
    pub(super) fn with_request(mut self, request: &[u8]) -> Self {
        self.request = request.to_vec();
        self
    }

    /// An act of the runtime itself.
    pub(super) fn instance(actor: [u8; 32]) -> Self {
        Self {
            actor,
            details: Details::new(Origin::Runtime),
            evidence: Vec::new(),
            request: Vec::new(),
        }
    }

    /// The same, by another actor: a delegation for what admins alone could not give.
    pub(super) fn by(mut self, actor: [u8; 32]) -> Self {
        self.actor = actor;
        self
    }

    /// The same, resting on an approval or a break-glass window.
    pub(super) fn resting_on(mut self, approval: [u8; 32]) -> Self {
        self.details.approval = Handle(approval);
        self
    }
}

impl<'a> Booking<'a> {
    /// Begins an act whose entries commit to `document` and to the changes of groups that its steps will
    /// make.
    pub(super) fn begin(
        head: &'a mut Tenant,
        now_ms: u64,
        warrant: &Warrant,
        draws: Draws,
        document: Document<'_>,
        groups: Vec<GroupDelta>,
    ) -> Result<Self, Refusal> {
        let details = Details {
            document: digest_of(document.bytes()),
            groups,
            ..warrant.details.clone()
        };
        let body = details.encode().map_err(|_encoding| Refusal::Internal)?;
        let opening = act_secret(&draws.secret).opening(Opens::Body);
        head.chronicle.rest_on(&details);
        Ok(Self {
            head,
            now_ms,
            entropy: draws.entropy,
            actor: Handle(warrant.actor),
            authz_hash: details.authz_hash(),
            body_commit: commit("body", &opening, &body),
            document: details.document,
            record: ActRecord {
                secret: draws.secret,
                body,
                evidence: warrant.evidence.clone(),
                request: warrant.request.clone(),
                document: document.kept().to_vec(),
                entries: Vec::new(),
                names: Vec::new(),
                events: Vec::new(),
            },
            last: 0,
            user: None,
            group: None,
        })
    }

    /// The runtime's own handle in the log.
    pub(super) const fn instance(&self) -> [u8; 32] {
        self.head.chronicle.log().instance().0
    }

    /// Whose entries follow.
    pub(super) const fn set_actor(&mut self, actor: [u8; 32]) {
        self.actor = Handle(actor);
    }

    /// The opening of one of the act's commitments.
    pub(super) fn opening(&self, what: Opens<'_>) -> chancery_directory::Opening {
        act_secret(&self.record.secret).opening(what)
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

    /// An entry that commits to the act's document as its object.
    pub(super) fn with_document(
        &mut self,
        kind: EntryType,
        subject: [u8; 32],
    ) -> Result<(), Refusal> {
        let opening = self.opening(Opens::Object(&Handle(subject)));
        let commitment = commit("object", &opening, &self.document.0);
        self.entry(kind, subject, Digest::ZERO, commitment)
    }

    /// Binds a name to `subject`; returns which binding of the label it is.
    pub(super) fn bind(&mut self, label: [u8; 32], subject: [u8; 32]) -> Result<u32, Refusal> {
        let opening = self.opening(Opens::Name(&Handle(subject)));
        let (moved, binding) = self
            .head
            .chronicle
            .bind(label, Handle(subject), &opening)
            .map_err(|error| self.refusal(&error))?;
        self.record.names.push(moved);
        Ok(binding)
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

    /// Makes an event true in the head and keeps it for the record.
    pub(super) fn event(&mut self, event: Event) {
        self.head.apply(&event);
        self.record.events.push(event);
    }

    /// Commits to a group's members as the events have made them.
    pub(super) fn members_entry(
        &mut self,
        group: ResourceId,
        handle: [u8; 32],
    ) -> Result<(), Refusal> {
        let root = self.head.member_root(group);
        let opening = self.opening(Opens::Members(&Handle(handle)));
        let object = commit("members", &opening, &root.0);
        self.entry(EntryType::GroupMemberChanged, handle, Digest::ZERO, object)
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

fn digest_of(document: &[u8]) -> Digest {
    if document.is_empty() {
        Digest::ZERO
    } else {
        Digest(Sha256::digest(document).into())
    }
}

/// The act's secret as the log's format knows it.
pub(crate) fn act_secret(secret: &OpeningSecret) -> ActSecret {
    ActSecret(secret.0)
}

/// Boxed bytes of a document.
pub(super) fn boxed(bytes: Vec<u8>) -> Box<[u8]> {
    bytes.into_boxed_slice()
}
