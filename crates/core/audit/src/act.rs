//! One act: what it commits to, what its document is, and what it does to what is known.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use chancery_authority::OnDelete;
use chancery_directory::record::tenant_handle;
use chancery_directory::{
    Digest, EntryType, Exhibit, Handle, Opens, Origin, SubjectKind, Validity, commit,
};
use sha2::{Digest as _, Sha256};

use crate::audit::{Act, Actor, Audit, Step};
use crate::finding::Fault;
use crate::paper::{self, CredentialTerms, Device, Form, Paper};
use crate::world::{Approval, Approved, Credential, Grant, Group};

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

/// How long a new key of the identity provider waits, in milliseconds: a day, less a minute for a log whose
/// time was raised above the clock.
const ISSUER_KEY_WAIT_MS: u64 = DAY_MS - 60_000;

/// SHA-256 of a part of an exhibit; zero if it is empty.
pub(crate) fn digest(part: &[u8]) -> Digest {
    if part.is_empty() {
        Digest::ZERO
    } else {
        Digest(Sha256::digest(part).into())
    }
}

impl Audit {
    /// Body, authorisation, document, evidence and objects are what was committed to.
    pub(crate) fn check_commitments(&mut self, act: &Act) {
        let (exhibit, details) = (&act.exhibit, &act.details);
        let body = commit(
            "body",
            &exhibit.secret.opening(Opens::Body),
            exhibit.body.as_slice(),
        );
        let authorization = details.authz_hash();
        let entry_of = |wrong: &dyn Fn(&Step) -> bool| {
            let step = act.steps.iter().find(|step| wrong(step))?;
            Some(step.entry.index)
        };
        if let Some(index) = entry_of(&|step| step.entry.body_commit != body) {
            self.find(index, Fault::DetailsMismatch);
        }
        if let Some(index) = entry_of(&|step| step.entry.authz_hash != authorization) {
            self.find(index, Fault::AuthorizationMismatch);
        }
        if digest(&exhibit.document) != details.document {
            self.find(act.first(), Fault::DocumentMismatch);
        }
        if digest(&exhibit.evidence) != details.evidence {
            self.find(act.first(), Fault::EvidenceMismatch);
        }
        for step in &act.steps {
            if !object_holds(step, exhibit) {
                self.find(step.entry.index, Fault::ObjectMismatch);
            }
        }
    }

    /// Whether a handle is, or was, a user's.
    pub(crate) fn is_user(&self, subject: &Handle) -> bool {
        match self.log.subject(subject) {
            Some(state) => state.kind == SubjectKind::User,
            None => self.world.users.contains_key(subject),
        }
    }

    /// What the act's document should be, and about whom.
    fn form(&self, act: &Act) -> (Form, u64) {
        let mut first = (Form::Free, act.first());
        for step in &act.steps {
            let about_user = self.is_user(&step.entry.subject);
            let Some(form) = Form::of(step.entry.kind, about_user) else {
                continue;
            };
            if form.is_decisive() {
                return (form, step.entry.index);
            }
            if first.0 == Form::Free {
                first = (form, step.entry.index);
            }
        }
        first
    }

    /// Reads the act's document.
    pub(crate) fn paper(&mut self, act: &Act) -> Paper {
        let (form, index) = self.form(act);
        let authority = self.world.authority.as_ref();
        match paper::read(form, &act.exhibit.document, authority) {
            Ok(paper) => paper,
            Err(fault) => {
                self.find(index, fault);
                Paper::None
            }
        }
    }

    /// The user or group that the act's document describes.
    pub(crate) fn principal(&self, act: &Act) -> Option<Handle> {
        act.steps
            .iter()
            .find(|step| {
                let about_user = self.is_user(&step.entry.subject);
                let form = Form::of(step.entry.kind, about_user);
                matches!(form, Some(Form::User | Form::Group | Form::Devices))
            })
            .map(|step| step.entry.subject)
    }

    /// Makes what the act says true. It was checked, and what is wrong was found; what follows is judged
    /// by what the log says, not by what it should have said. Gives the devices that count once the act's
    /// keys have been checked.
    pub(crate) fn apply(&mut self, act: &Act, paper: Paper) -> Option<Vec<Device>> {
        for step in &act.steps {
            self.apply_step(act, step, &paper);
        }
        match (paper, self.principal(act)) {
            (Paper::User(document), Some(user)) => {
                self.describe_user(act, &user, document.keys());
            }
            (Paper::Group(document), Some(group)) => {
                let name = document.keys().display_name.as_str().into();
                if let Some(group) = self.world.groups.get_mut(&group) {
                    group.name = Some(name);
                }
            }
            (Paper::Devices(devices), _) => return Some(devices),
            (other, _) => self.apply_paper(act, other),
        }
        None
    }

    /// A new key of the identity provider waits, unless admins let it count at once.
    fn take_issuer_keys(&mut self, act: &Act, keys: BTreeMap<[u8; 32], u64>) {
        let earliest_ms = act.time_ms().saturating_add(ISSUER_KEY_WAIT_MS);
        let hastened = keys.iter().any(|(key, from_ms)| {
            let least_ms = self.world.issuer_keys.get(key).copied();
            *from_ms < least_ms.unwrap_or(earliest_ms)
        });
        if hastened && act.details.origin == Origin::Runtime {
            self.find(act.first(), Fault::IssuerKeyHastened);
        }
        self.world.issuer_keys = keys;
    }

    /// What the admins approved is what waited.
    fn approve(&mut self, act: &Act, what: Approved) {
        let Some(step) = act.find(EntryType::ApprovalGiven).copied() else {
            return;
        };
        let subject = step.entry.subject;
        let waited = match what {
            Approved::Held => self.world.held.contains_key(&subject),
            Approved::Plan(hash) => hash == self.world.plan,
            Approved::Dropped => {
                self.world.plan = self.no_plan();
                true
            }
            Approved::Other => true,
        };
        if !waited {
            self.find(step.entry.index, Fault::ApprovalOther);
        }
        let approval = Approval { what, spent: false };
        self.world.approvals.insert(subject, approval);
    }

    /// The chain of a plan without intents: `H("chancery/plan/v1" || tenant)`.
    pub(crate) fn no_plan(&self) -> [u8; 32] {
        Sha256::new()
            .chain_update(b"chancery/plan/v1")
            .chain_update(self.audited.tenant.0)
            .finalize()
            .into()
    }

    fn apply_step(&mut self, act: &Act, step: &Step, paper: &Paper) {
        let entry = &step.entry;
        match entry.kind {
            EntryType::UserProvisioned => {
                if !matches!(paper, Paper::User(_)) {
                    self.find(entry.index, Fault::DocumentMissing);
                }
                self.world.users.entry(entry.subject).or_default();
            }
            EntryType::GroupCreated => {
                if !matches!(paper, Paper::Group(_)) {
                    self.find(entry.index, Fault::DocumentMissing);
                }
                self.world.groups.insert(entry.subject, Group::default());
            }
            EntryType::GroupDeleted => self.end_group(&entry.subject),
            EntryType::BreakGlassOpened => {
                self.world.windows.insert(entry.subject);
            }
            EntryType::TokenRevoked => self.revoke(&entry.subject),
            EntryType::Erased => self.erase(act, step),
            _ => {}
        }
    }

    /// Papers that are about neither user nor group.
    fn apply_paper(&mut self, act: &Act, paper: Paper) {
        match paper {
            Paper::Genesis(genesis) => self.begin(act, &genesis),
            Paper::Delegation(delegation) => {
                if let Some(step) = act.find(EntryType::DelegationGranted).copied() {
                    self.grant(&step, *delegation);
                }
            }
            Paper::Credential(terms) => {
                if let Some(step) = act.find(EntryType::TokenIssued).copied() {
                    self.issue(&step, &terms);
                }
            }
            Paper::Approval(what) => self.approve(act, what),
            Paper::Held(change) => {
                if let Some(step) = act.find(EntryType::ActHeld) {
                    self.world.held.insert(step.entry.subject, change);
                }
            }
            Paper::Admins(change) => self.world.authority = Some(change.authority().clone()),
            Paper::Policy(policy) => {
                if let Some(keys) = policy.issuer_keys {
                    self.take_issuer_keys(act, keys);
                }
                if policy.ends_plan {
                    self.world.plan = self.no_plan();
                }
            }
            Paper::Intent => {
                let document: [u8; 32] = Sha256::digest(&act.exhibit.document).into();
                self.world.plan = plan_next(&self.world.plan, &document);
            }
            Paper::Devices(_) | Paper::User(_) | Paper::Group(_) | Paper::None => {}
        }
    }

    fn begin(&mut self, act: &Act, genesis: &chancery_authority::VerifiedGenesis) {
        let subject = act.find(EntryType::Genesis).map(|step| step.entry.subject);
        let ours = genesis.tenant().as_bytes() == &self.audited.tenant.0
            && genesis.genesis().deployment.as_bytes() == &self.audited.deployment
            && subject == Some(tenant_handle(&self.audited.tenant));
        if !ours {
            self.find(act.first(), Fault::GenesisInvalid);
        }
        self.world.plan = self.no_plan();
        self.world.genesis_hash = *genesis.hash();
        self.world.authority = Some(genesis.authority());
        self.world.provider.clone_from(&genesis.genesis().idp);
    }

    fn grant(&mut self, step: &Step, paper: chancery_authority::VerifiedDelegation) {
        let terms = paper.delegation();
        let signed = Validity {
            not_before_ms: terms.not_before_ms,
            not_after_ms: terms.not_after_ms,
        };
        let serial = terms.serial;
        if step.entry.object_commit != signed.to_object_commit() {
            self.find(step.entry.index, Fault::ValidityMismatch);
        }
        if serial <= self.world.serial {
            self.find(step.entry.index, Fault::DelegationSerial);
        }
        self.world.serial = self.world.serial.max(serial);
        self.tally.delegations = self.tally.delegations.saturating_add(1);
        self.world
            .grants
            .insert(step.entry.subject, Grant { paper });
    }

    fn issue(&mut self, step: &Step, terms: &CredentialTerms) {
        let scopes = terms.scopes;
        if let Some((replaced, until_ms)) = terms.replaces
            && let Some(replaced) = self.world.credentials.get_mut(&replaced)
        {
            let ends = &mut replaced.validity.not_after_ms;
            *ends = until_ms.min(*ends);
        }
        let entry = &step.entry;
        let Ok(validity) = Validity::from_object_commit(&entry.object_commit) else {
            return self.find(entry.index, Fault::ValidityMismatch);
        };
        let grant = self.world.grants.get(&entry.actor);
        let within = step.actor != Actor::Delegation
            || grant.is_some_and(|grant| {
                let terms = &grant.paper;
                terms.allows_credential(entry.time_ms, scopes, validity.not_after_ms)
            });
        if !within {
            self.find(entry.index, Fault::CredentialTerms);
        }
        self.tally.credentials = self.tally.credentials.saturating_add(1);
        let credential = Credential {
            scopes,
            validity,
            revoked: false,
        };
        self.world.credentials.insert(entry.subject, credential);
    }

    pub(crate) fn revoke(&mut self, credential: &Handle) {
        if let Some(credential) = self.world.credentials.get_mut(credential) {
            credential.revoked = true;
        }
    }

    /// From when on the runtime may erase a user that leaves by these entries.
    pub(crate) fn erase_from_ms(&self, steps: &[Step]) -> Option<u64> {
        let entry = &steps.first()?.entry;
        match self
            .world
            .grants
            .get(&entry.actor)?
            .paper
            .delegation()
            .on_delete
        {
            OnDelete::EraseAfterDays(days) => {
                Some(entry.time_ms.saturating_add(days.saturating_mul(DAY_MS)))
            }
            _ => None,
        }
    }

    fn erase(&mut self, act: &Act, step: &Step) {
        if act.details.origin == Origin::Runtime {
            self.check_erasure(step);
        }
        self.forget(&step.entry.subject);
    }

    /// The runtime's own timer erases nobody before the delegation says so.
    pub(crate) fn check_erasure(&mut self, step: &Step) {
        let by_timer = step.actor == Actor::Instance;
        let early = self
            .world
            .users
            .get(&step.entry.subject)
            .is_some_and(|user| {
                user.erase_from_ms
                    .is_none_or(|from_ms| step.entry.time_ms < from_ms)
            });
        if by_timer && early {
            self.find(step.entry.index, Fault::ErasedTooEarly);
        }
    }

    /// An erased subject is nobody any more.
    pub(crate) fn forget(&mut self, subject: &Handle) {
        if let Some(user) = self.world.users.remove(subject)
            && let Some(name) = user.name
            && self.world.names.get(&name) == Some(subject)
        {
            self.world.names.remove(&name);
        }
        self.end_group(subject);
    }

    /// A group that ends has no members any more.
    pub(crate) fn end_group(&mut self, handle: &Handle) {
        let Some(group) = self.world.groups.get_mut(handle) else {
            return;
        };
        group.deleted = true;
        let members = core::mem::take(&mut group.members);
        group.tree = chancery_directory::PrefixTree::new();
        for member in members {
            if let Some(user) = self.world.users.get_mut(&member) {
                user.groups.remove(handle);
            }
        }
    }

    /// Counts a key of a subject that nothing more is known of.
    pub(crate) fn count_key(&mut self, subject: &Handle) -> u32 {
        if let Some(user) = self.world.users.get_mut(subject) {
            user.key_version = user.key_version.saturating_add(1);
            return user.key_version;
        }
        if let Some(group) = self.world.groups.get_mut(subject) {
            group.epoch = group.epoch.saturating_add(1);
            return group.epoch;
        }
        0
    }
}

/// `plan_i = H(0x28 || plan_(i-1) || H(document of intent i))`.
fn plan_next(plan: &[u8; 32], document: &[u8; 32]) -> [u8; 32] {
    Sha256::new()
        .chain_update([0x28])
        .chain_update(plan)
        .chain_update(document)
        .finalize()
        .into()
}

/// Where the object is the document, it is this document.
fn object_holds(step: &Step, exhibit: &Exhibit) -> bool {
    let entry = &step.entry;
    match entry.kind {
        EntryType::DeviceChanged
        | EntryType::ApprovalGiven
        | EntryType::IntentRecorded
        | EntryType::ActHeld
        | EntryType::PolicyChanged => {
            let opening = exhibit.secret.opening(Opens::Object(&entry.subject));
            let document: [u8; 32] = Sha256::digest(&exhibit.document).into();
            entry.object_commit == commit("object", &opening, &document)
        }
        _ => true,
    }
}
