//! Signed acts: who signed, that it is for this, and that it names whom it was done to.

use alloc::string::ToString as _;
use alloc::vec::Vec;

use base64ct::{Base64, Encoding as _};
use chancery_authority::{
    ACT_LIFE_MS_MAX, ACT_PAYLOAD_TYPE, Act as SignedAct, ActName, DeploymentId, TenantId,
};
use chancery_claim::{ClaimId, JwkSet};
use chancery_directory::{EntryType, Handle};
use chancery_dsse::{Envelope, PublicKey, Verified};
use chancery_json::{Fields, Limits, Object, Value};
use sha2::{Digest as _, Sha256};

use crate::act::digest;
use crate::audit::{Act, Actor, Audit};
use crate::finding::{ActFault, Fault};
use crate::paper::{canonical_user_name, hex32};

/// How far the time of an entry may lie from the life of the signed act that it rests on, in
/// milliseconds: the log's time is raised where clocks lag.
const SLACK_MS: u64 = 60_000;

/// Bounds on a request that an act signs.
const LIMITS: Limits = Limits {
    bytes_max: 2 * 1024 * 1024,
    depth_max: 16,
    values_max: 100_000,
};

impl Audit {
    /// The threshold of the admins in force signed this.
    pub(crate) fn check_admins(&mut self, act: &Act) {
        let Ok(envelope) = Envelope::parse(&act.exhibit.evidence) else {
            return self.refuse(act, ActFault::Malformed);
        };
        let Some(signed) = self.signed_by_admins(act, &envelope) else {
            return;
        };
        self.check_request(act, &signed, &act.exhibit.request);
        self.check_covered(act, signed.act);
        if act.exhibit.request.is_empty() {
            self.tally.unnamed = self.tally.unnamed.saturating_add(1);
        } else if !self.names_subjects(act, &act.exhibit.request) {
            self.refuse(act, ActFault::OtherSubject);
        }
    }

    /// A signed act of the admins in force, checked in everything but what it is for.
    pub(crate) fn signed_by_admins(&mut self, act: &Act, envelope: &Envelope) -> Option<SignedAct> {
        let admins = self.world.authority.as_ref().map(|one| one.admins());
        let verified = admins.and_then(|one| one.verify(envelope, ACT_PAYLOAD_TYPE).ok());
        let Some(verified) = verified else {
            self.refuse(act, ActFault::Admins);
            return None;
        };
        self.read_signed(act, &verified, envelope)
    }

    /// A device of the member signed this.
    pub(crate) fn check_member(&mut self, act: &Act) {
        let Ok(envelope) = Envelope::parse(&act.exhibit.evidence) else {
            return self.refuse(act, ActFault::Malformed);
        };
        let member = act.steps.iter().find(|step| step.actor == Actor::Itself);
        let keys: Vec<PublicKey> = member
            .and_then(|step| self.world.users.get(&step.entry.actor))
            .map(|user| {
                let keys = user.devices.values();
                keys.filter_map(|key| PublicKey::from_bytes(key).ok())
                    .collect()
            })
            .unwrap_or_default();
        let Ok(verified) = envelope.verify(ACT_PAYLOAD_TYPE, &keys, 1) else {
            return self.refuse(act, ActFault::Device);
        };
        if let Some(signed) = self.read_signed(act, &verified, &envelope) {
            self.check_request(act, &signed, &act.exhibit.request);
            self.check_covered(act, signed.act);
        }
    }

    fn refuse(&mut self, act: &Act, fault: ActFault) {
        self.find(act.first(), Fault::SignedAct(fault));
    }

    /// What a verified envelope says, if it is for this tenant, of this time and not used before.
    fn read_signed(
        &mut self,
        act: &Act,
        verified: &Verified,
        envelope: &Envelope,
    ) -> Option<SignedAct> {
        let Some(signed) = parse(verified.payload()) else {
            self.refuse(act, ActFault::Malformed);
            return None;
        };
        let ours = signed.deployment.as_bytes() == &self.audited.deployment
            && signed.tenant.as_bytes() == &self.audited.tenant.0;
        if !ours {
            self.refuse(act, ActFault::Foreign);
        }
        let until_ms = signed.expires_ms.saturating_add(SLACK_MS);
        let from_ms = signed
            .expires_ms
            .saturating_sub(ACT_LIFE_MS_MAX)
            .saturating_sub(SLACK_MS);
        if !(from_ms..=until_ms).contains(&act.time_ms()) {
            self.refuse(act, ActFault::Stale);
        }
        let paper = digest(envelope.unverified_payload());
        let mut replayed = false;
        for signer in verified.signers() {
            let place = (*signer, signed.sequence);
            let known = *self.world.sequences.entry(place).or_insert(paper);
            replayed |= known != paper;
        }
        if replayed {
            self.refuse(act, ActFault::Replayed);
        }
        Some(signed)
    }

    /// The request is the one that was signed.
    pub(crate) fn check_request(&mut self, act: &Act, signed: &SignedAct, request: &[u8]) {
        let found: [u8; 32] = Sha256::digest(request).into();
        if !request.is_empty() && found != signed.body_sha256 {
            self.refuse(act, ActFault::OtherRequest);
        }
    }

    /// What was signed is what was done.
    fn check_covered(&mut self, act: &Act, name: ActName) {
        let uncovered = act.steps.iter().find(|step| !covers(name, step.entry.kind));
        if let Some(step) = uncovered {
            let kind = step.entry.kind;
            self.find(
                step.entry.index,
                Fault::SignedAct(ActFault::OtherAct { act: name, kind }),
            );
        }
    }

    /// Whether a request names the act's subjects, as far as that can be known.
    fn names_subjects(&self, act: &Act, request: &[u8]) -> bool {
        let Ok(Value::Object(request)) = Value::parse(request, &LIMITS) else {
            return false;
        };
        let text = |name| request.get(name).and_then(Value::as_str);
        let users = self.users_of(act);
        let user = text("user").is_none_or(|text| {
            users.is_empty() || users.iter().any(|user| self.may_be_user(user, text))
        });
        let groups = act.steps.iter().map(|step| step.entry.subject);
        let mut groups = groups.filter(|subject| self.world.groups.contains_key(subject));
        let group =
            text("group").is_none_or(|text| groups.any(|group| self.may_be_group(&group, text)));
        user && group && names_papers(act, &request)
    }

    /// The users that an act is about: subjects of its entries, or of its changes of groups if it has none.
    fn users_of(&self, act: &Act) -> Vec<Handle> {
        let subjects = act.steps.iter().map(|step| step.entry.subject);
        let users: Vec<Handle> = subjects.filter(|subject| self.is_user(subject)).collect();
        if !users.is_empty() {
            return users;
        }
        let deltas = act.details.groups.iter();
        deltas
            .flat_map(|delta| delta.added.iter().chain(&delta.removed))
            .copied()
            .collect()
    }

    /// Whether a text may name this user: its id, as far as a claim told it, or its userName.
    pub(crate) fn may_be_user(&self, handle: &Handle, text: &str) -> bool {
        let Some(user) = self.world.users.get(handle) else {
            return true;
        };
        if let Ok(id) = ClaimId::parse(text) {
            return user.claim.is_none_or(|claim| claim == id);
        }
        user.name
            .as_deref()
            .is_none_or(|name| name == canonical_user_name(text))
    }

    fn may_be_group(&self, handle: &Handle, text: &str) -> bool {
        let name = self
            .world
            .groups
            .get(handle)
            .and_then(|one| one.name.as_deref());
        let folded = chancery_scim::FoldedName::text(text);
        ClaimId::parse(text).is_ok() || name.is_none_or(|name| name == folded.as_str())
    }
}

/// Whether a request that names a paper or a credential names the act's.
fn names_papers(act: &Act, request: &Object) -> bool {
    let hash = request.get("id").and_then(Value::as_str).and_then(hex32);
    let revoked = act.find(EntryType::TokenRevoked);
    let credential = match (hash, revoked) {
        (Some(hash), Some(step)) if act.find(EntryType::TokenIssued).is_none() => {
            step.entry.subject.0 == hash
        }
        _ => true,
    };
    let paper = match request.get("delegation") {
        Some(paper @ Value::Object(_)) if act.find(EntryType::DelegationGranted).is_some() => {
            paper.to_bytes() == act.exhibit.document
        }
        _ => true,
    };
    credential && paper && names_client(act, request)
}

/// Whether a new credential is the bearer token or OAuth client that was asked for. A rotation that says
/// nothing of it goes on with what there was.
fn names_client(act: &Act, request: &Object) -> bool {
    if act.find(EntryType::TokenIssued).is_none() {
        return true;
    }
    let document = Value::parse(&act.exhibit.document, &LIMITS).ok();
    let made = document
        .as_ref()
        .and_then(Value::as_object)
        .and_then(|document| document.get("client"));
    match request.get("client") {
        Some(Value::Object(set)) => JwkSet::parse(&set.to_bytes()).is_ok_and(|set| {
            let keys = set.keys().iter();
            let keys: Vec<Value> = keys
                .map(|key| Value::from(key.thumbprint().to_string()))
                .collect();
            made == Some(&Value::from(keys))
        }),
        Some(word) => made == Some(word),
        None => made.is_none() || request.get("id").is_some(),
    }
}

/// Reads the payload of a signed act; only the one encoding is accepted.
fn parse(payload: &[u8]) -> Option<SignedAct> {
    let mut fields = Fields::parse(payload, &LIMITS).ok()?;
    let version = fields.take_u64("version").ok()?;
    let deployment = hex32(&fields.take_str("deployment").ok()?)?;
    let mut tenant = [0; 16];
    hex::decode_to_slice(fields.take_str("tenant").ok()?, &mut tenant).ok()?;
    let act = ActName::parse(&fields.take_str("act").ok()?)?;
    let sequence = fields.take_u64("sequence").ok()?;
    let expires_ms = fields.take_u64("expires_ms").ok()?;
    let body_sha256 = hex32(&fields.take_str("body_sha256").ok()?)?;
    let exporter = Base64::decode_vec(&fields.take_str("exporter").ok()?).ok()?;
    let signed = SignedAct {
        deployment: DeploymentId::from_bytes(deployment),
        tenant: TenantId::from_bytes(tenant),
        act,
        sequence,
        expires_ms,
        body_sha256,
        exporter: exporter.try_into().ok()?,
    };
    (version == 1 && signed.to_payload() == payload).then_some(signed)
}

/// Whether a signed act may lead to an entry of this type.
pub(crate) const fn covers(act: ActName, kind: EntryType) -> bool {
    use ActName as A;
    use EntryType as T;
    if matches!(kind, T::BreakGlassOpened | T::BreakGlassClosed) {
        return true;
    }
    match act {
        A::DelegationPut => matches!(kind, T::DelegationGranted | T::DelegationRevoked),
        A::DelegationRevoke => matches!(kind, T::DelegationRevoked | T::TokenRevoked),
        A::TokenIssue => matches!(kind, T::TokenIssued),
        A::TokenRotate => matches!(kind, T::TokenIssued | T::TokenRevoked),
        A::TokenRevoke => matches!(kind, T::TokenRevoked),
        A::ActApprove => matches!(
            kind,
            T::ApprovalGiven | T::GroupMemberChanged | T::GroupEpochStarted | T::ProfileChanged
        ),
        A::UserSuspend => matches!(
            kind,
            T::Suspended | T::GroupMemberChanged | T::GroupEpochStarted | T::KeyDestroyed
        ),
        A::UserRestore => matches!(kind, T::Reactivated | T::KeyRotated | T::NameChanged),
        A::UserErase => matches!(
            kind,
            T::Suspended
                | T::Deleted
                | T::Erased
                | T::NameChanged
                | T::KeyDestroyed
                | T::GroupMemberChanged
                | T::GroupEpochStarted
        ),
        A::GroupAdd | A::GroupRemove => matches!(
            kind,
            T::GroupMemberChanged | T::GroupEpochStarted | T::ProfileChanged
        ),
        A::AdminsPut => matches!(
            kind,
            T::PolicyChanged | T::DelegationRevoked | T::TokenRevoked
        ),
        A::AuditorEnrol | A::AuditorRevoke | A::IssuerTrust | A::IssuerRead => {
            matches!(kind, T::PolicyChanged)
        }
        A::ClaimConfirm => matches!(kind, T::KeyConfirmed | T::KeyDestroyed | T::DeviceChanged),
        A::KeysetRotate => matches!(
            kind,
            T::KeyRotated
                | T::KeyDestroyed
                | T::DeviceChanged
                | T::GroupMemberChanged
                | T::GroupEpochStarted
        ),
        A::DeviceAdd | A::DeviceRevoke => {
            matches!(kind, T::DeviceChanged | T::GroupEpochStarted)
        }
        A::TenantImport => matches!(kind, T::UserProvisioned | T::KeyConfirmed | T::KeyDestroyed),
        A::TenantExport => matches!(kind, T::TenantFrozen),
        A::PlanApply | A::PlanDrop => {
            matches!(
                kind,
                T::ApprovalGiven | T::PolicyChanged | T::IntentRecorded
            )
        }
        _ => false,
    }
}
