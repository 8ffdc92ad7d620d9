//! Keys: each commitment opens to its record, and each key of a member is bound by evidence.

use alloc::boxed::Box;
use alloc::vec::Vec;

use base64ct::{Base64, Encoding as _};
use chancery_authority::{ActName, IdMapping};
use chancery_claim::{ClaimContext, ClaimEvidence, ClaimProof, SubjectClaim, Succession};
use chancery_directory::{EntryType, Handle, KeyRecord, KeySource, Opening, Opens, Origin, commit};
use chancery_dsse::{Envelope, PublicKey};
use chancery_json::{Fields, Limits, Object, Value};
use chancery_keyset::{Fingerprint, PUBLIC_KEYSET_LENGTH, PublicKeyset, Suite};
use sha2::{Digest as _, Sha256};

use crate::audit::{Act, Actor, Audit, Step};
use crate::finding::{ActFault, Fault, KeyFault};
use crate::paper::{Device, canonical_user_name};
use crate::world::PublicHalves;

/// Bounds on the request of a rotation or an import.
const LIMITS: Limits = Limits {
    bytes_max: 2 * 1024 * 1024,
    depth_max: 8,
    values_max: 10_000,
};

impl Audit {
    /// Opens the key commitments of an act, in order.
    pub(crate) fn check_keys(&mut self, act: &Act) {
        let mut records = act.exhibit.records.iter();
        let mut missing = false;
        for step in act
            .steps
            .iter()
            .filter(|step| !step.entry.key_commit.is_zero())
        {
            match records.next() {
                None => {
                    missing = true;
                    self.count_key(&step.entry.subject);
                }
                Some(bytes) if matches!(step.entry.kind, EntryType::Genesis | EntryType::Rekey) => {
                    let opening = act.exhibit.secret.opening(Opens::Vrf);
                    if commit("vrf", &opening, bytes) != step.entry.key_commit {
                        self.find(step.entry.index, Fault::VrfMismatch);
                    }
                }
                Some(bytes) => self.check_record(act, step, bytes),
            }
        }
        if missing || records.next().is_some() {
            self.find(act.first(), Fault::RecordsCount);
        }
    }

    fn check_record(&mut self, act: &Act, step: &Step, bytes: &[u8]) {
        let entry = &step.entry;
        let version = self.count_key(&entry.subject);
        let opening: Opening = act.exhibit.secret.opening(Opens::Key(&entry.subject));
        let Ok(record) = KeyRecord::decode(bytes) else {
            return self.find(entry.index, Fault::KeyMismatch);
        };
        if commit("key", &opening, bytes) != entry.key_commit {
            self.find(entry.index, Fault::KeyMismatch);
        }
        let from_member = entry.kind == EntryType::KeyConfirmed
            || (entry.kind == EntryType::KeyRotated && step.actor == Actor::Itself);
        // A member who is imported has had a key of the own from the beginning.
        let imported = act.has(EntryType::KeyConfirmed, &entry.subject);
        let source = if from_member || imported {
            KeySource::UserDevice
        } else {
            KeySource::Enclave
        };
        let ours = record.tenant == self.audited.tenant
            && record.handle == entry.subject
            && record.key_version == version
            && record.source == source;
        if !ours {
            self.find(entry.index, Fault::KeyForeign);
        }
        let halves = PublicHalves {
            kem: record.enc_pk,
            signing: record.sig_pk,
        };
        if from_member || entry.kind == EntryType::KeyRotated {
            self.check_bound(act, step, &halves);
        }
        self.tally.keys = self.tally.keys.saturating_add(1);
        self.install(&entry.subject, halves, from_member);
    }

    /// The key that is in force from here on.
    fn install(&mut self, subject: &Handle, halves: PublicHalves, from_member: bool) {
        let fingerprint = fingerprint(&halves);
        if let Some(user) = self.world.users.get_mut(subject) {
            user.fingerprint = fingerprint;
            user.key = Some(Box::new(halves));
            if !from_member {
                // A pending keyset has no devices: whoever held the old ones claims again.
                user.devices.clear();
            }
        } else if let Some(group) = self.world.groups.get_mut(subject) {
            group.fingerprint = fingerprint;
        }
    }

    /// What binds this key to its user.
    fn check_bound(&mut self, act: &Act, step: &Step, halves: &PublicHalves) {
        let user = step.entry.subject;
        let bound = match (step.entry.kind, step.actor, act.details.origin) {
            (EntryType::KeyRotated, Actor::Itself, _) => self.rotation(act, &user, halves),
            (EntryType::KeyRotated, Actor::Instance, Origin::Runtime) => {
                return self.find(step.entry.index, Fault::KeyReplacedUnasked { user });
            }
            (EntryType::KeyRotated, ..) => Ok(()),
            (_, _, Origin::Claim | Origin::ConfirmedClaim) => self.claim(act, step, halves),
            (_, _, Origin::Admins) => self.import(act, &user, halves),
            _ => Err(KeyFault::NoEvidence),
        };
        if let Err(why) = bound {
            self.find(step.entry.index, Fault::SwappedKey { user, why });
        }
    }

    /// A claim: the token or the admins say who, the pending key hands over, the new key signs.
    fn claim(&mut self, act: &Act, step: &Step, halves: &PublicHalves) -> Result<(), KeyFault> {
        let handle = step.entry.subject;
        let evidence = ClaimEvidence::parse(&act.exhibit.evidence).map_err(KeyFault::Claim)?;
        let context = self.context();
        let request = evidence.request();
        if request.account.kem().as_slice() != halves.kem
            || request.account.signing().as_slice() != halves.signing
        {
            return Err(KeyFault::OtherKey);
        }
        let user = self.world.users.get(&handle);
        let known = user.and_then(|user| user.claim);
        if known.is_some_and(|claim| claim != request.claim) {
            return Err(KeyFault::OtherClaim);
        }
        let pending = user.and_then(|user| user.key.as_deref()).and_then(keyset);
        let pending = pending.ok_or(KeyFault::Succession)?;
        evidence
            .check_succession(&context, handle.0, &pending)
            .map_err(KeyFault::Claim)?;
        match (evidence.proof(), act.details.origin) {
            (ClaimProof::IdToken { .. }, Origin::Claim) => {
                self.claim_by_token(&evidence, &context, step)?;
            }
            (ClaimProof::Confirmation { act: paper, body }, Origin::ConfirmedClaim) => {
                request.check(&context).map_err(KeyFault::Claim)?;
                self.confirmation(act, &handle, paper, body);
            }
            _ => return Err(KeyFault::NoEvidence),
        }
        if let Some(user) = self.world.users.get_mut(&handle) {
            user.claim = Some(request.claim);
            let device = &request.device;
            user.devices = [(*device.fingerprint().as_bytes(), *device.signing())].into();
        }
        Ok(())
    }

    /// The devices that speak for a member from here on, and whether a claim binds the first of them.
    pub(crate) fn check_devices(&mut self, act: &Act, devices: &[Device]) {
        let Some(step) = act.find(EntryType::DeviceChanged).copied() else {
            return;
        };
        let handle = step.entry.subject;
        let claims = matches!(act.details.origin, Origin::Claim | Origin::ConfirmedClaim);
        if claims && !self.claim_binds(act, &step, devices) {
            self.find(step.entry.index, Fault::DeviceUnbound);
        }
        if let Some(user) = self.world.users.get_mut(&handle) {
            let known = devices.iter().map(|one| (one.fingerprint, one.signing));
            user.devices = known.collect();
        }
    }

    /// Whether the claim in an act is of the account as it is now, and for exactly these devices. A claim that
    /// confirms a key was checked with that key; one that does not is of an imported account.
    fn claim_binds(&mut self, act: &Act, step: &Step, devices: &[Device]) -> bool {
        let Ok(evidence) = ClaimEvidence::parse(&act.exhibit.evidence) else {
            return false;
        };
        let (request, handle) = (evidence.request(), step.entry.subject);
        let account = self.world.users.get(&handle).map(|user| user.fingerprint);
        let device = request.device.fingerprint();
        let bound = account == Some(*request.account.fingerprint().as_bytes())
            && devices
                .iter()
                .all(|one| one.fingerprint == *device.as_bytes())
            && request.check(&self.context()).is_ok();
        if act.has(EntryType::KeyConfirmed, &handle) {
            return bound;
        }
        if let Some(user) = self.world.users.get_mut(&handle) {
            user.claim = user.claim.or(Some(request.claim));
        }
        match evidence.proof() {
            ClaimProof::IdToken { .. } => {
                bound
                    && self
                        .claim_by_token(&evidence, &self.context(), step)
                        .is_ok()
            }
            ClaimProof::Confirmation { act: paper, body } => {
                self.confirmation(act, &handle, paper, body);
                bound
            }
        }
    }

    fn context(&self) -> ClaimContext {
        ClaimContext {
            deployment: self.audited.deployment,
            tenant: self.audited.tenant.0,
            genesis: self.world.genesis_hash,
        }
    }

    fn claim_by_token(
        &self,
        evidence: &ClaimEvidence,
        context: &ClaimContext,
        step: &Step,
    ) -> Result<(), KeyFault> {
        let provider = self.world.provider.as_ref().ok_or(KeyFault::NoProvider)?;
        let (issuer, client) = (provider.issuer.as_str(), provider.client_id.as_str());
        let token = evidence
            .check_token(context, issuer, client, step.entry.time_ms)
            .map_err(KeyFault::Claim)?;
        let from_ms = self.world.issuer_keys.get(token.key().as_bytes());
        if from_ms.is_none_or(|from_ms| step.entry.time_ms < *from_ms) {
            return Err(KeyFault::IssuerKey);
        }
        let claim = match provider.mapping {
            IdMapping::OidToExternalId => SubjectClaim::TenantAndObject,
            IdMapping::DangerousEmailToUserName => SubjectClaim::DangerousEmail,
            _ => SubjectClaim::Sub,
        };
        let person = token.subject(claim).map_err(KeyFault::Claim)?;
        let user = self.world.users.get(&step.entry.subject);
        let user = user.ok_or(KeyFault::OtherPerson)?;
        let is_user = match claim {
            SubjectClaim::DangerousEmail => {
                user.name.as_deref() == Some(canonical_user_name(person).as_str())
            }
            _ => user.external_id.as_deref() == Some(person),
        };
        if is_user {
            Ok(())
        } else {
            Err(KeyFault::OtherPerson)
        }
    }

    /// The admins' confirmation of a claim.
    fn confirmation(&mut self, act: &Act, user: &Handle, paper: &Envelope, body: &[u8]) {
        let Some(signed) = self.signed_by_admins(act, paper) else {
            return;
        };
        if signed.act != ActName::ClaimConfirm {
            let fault = ActFault::OtherAct {
                act: signed.act,
                kind: EntryType::KeyConfirmed,
            };
            self.find(act.first(), Fault::SignedAct(fault));
        }
        self.check_request(act, &signed, body);
        let named = Fields::parse(body, &LIMITS)
            .ok()
            .and_then(|mut fields| fields.take_str("user").ok());
        if !named.is_some_and(|text| self.may_be_user(user, &text)) {
            self.find(act.first(), Fault::SignedAct(ActFault::OtherSubject));
        }
        self.tally.confirmed_by_admins = self.tally.confirmed_by_admins.saturating_add(1);
    }

    /// A member's own rotation: the old key and the new one signed the succession.
    fn rotation(&self, act: &Act, user: &Handle, halves: &PublicHalves) -> Result<(), KeyFault> {
        let request = rotation_request(&act.exhibit.request).ok_or(KeyFault::NoEvidence)?;
        if request.account.kem().as_slice() != halves.kem
            || request.account.signing().as_slice() != halves.signing
        {
            return Err(KeyFault::OtherKey);
        }
        let old = self.world.users.get(user).ok_or(KeyFault::Succession)?;
        let succession = Succession {
            tenant: self.audited.tenant.0,
            subject: user.0,
            old: Fingerprint::from_bytes(old.fingerprint),
            new: request.account.fingerprint(),
            evidence: [0; 32],
        };
        let statement = succession.statement();
        let old_key = old.key.as_deref().and_then(|key| {
            let bytes: [u8; 32] = key.signing.as_slice().try_into().ok()?;
            PublicKey::from_bytes(&bytes).ok()
        });
        let by_old = old_key.is_some_and(|key| key.verifies(&statement, &request.old_signature));
        let new_key = request.account.verifying_key();
        let by_new = new_key.is_ok_and(|key| key.verifies(&statement, &request.new_signature));
        if by_old && by_new {
            Ok(())
        } else {
            Err(KeyFault::Succession)
        }
    }

    /// An imported key: the admins signed a list of members. The log need not hold it.
    fn import(&mut self, act: &Act, user: &Handle, halves: &PublicHalves) -> Result<(), KeyFault> {
        self.tally.imported = self.tally.imported.saturating_add(1);
        if act.exhibit.request.is_empty() {
            return Ok(());
        }
        let Ok(Value::Object(request)) = Value::parse(&act.exhibit.request, &LIMITS) else {
            return Err(KeyFault::NoEvidence);
        };
        let members = request.get("members").and_then(Value::as_array);
        let listed = members.unwrap_or_default().iter().any(|member| {
            member
                .as_object()
                .is_some_and(|member| self.lists(member, user, halves))
        });
        if listed {
            Ok(())
        } else {
            Err(KeyFault::OtherKey)
        }
    }

    /// Whether a member of an imported list is this user with this key.
    fn lists(&self, member: &Object, user: &Handle, halves: &PublicHalves) -> bool {
        let text = |name| member.get(name).and_then(Value::as_str).unwrap_or_default();
        let public = Base64::decode_vec(text("public_keyset")).unwrap_or_default();
        encode(halves).is_some_and(|key| key == public) && self.may_be_user(user, text("user_name"))
    }
}

/// What a member sends to rotate the account's keyset.
struct Rotation {
    account: PublicKeyset,
    old_signature: [u8; 64],
    new_signature: [u8; 64],
}

fn rotation_request(bytes: &[u8]) -> Option<Rotation> {
    let mut fields = Fields::parse(bytes, &LIMITS).ok()?;
    let mut decoded = |name: &str| Base64::decode_vec(&fields.take_str(name).ok()?).ok();
    Some(Rotation {
        account: PublicKeyset::decode(&decoded("account")?).ok()?,
        old_signature: decoded("old_signature")?.try_into().ok()?,
        new_signature: decoded("new_signature")?.try_into().ok()?,
    })
}

/// The one encoding of a public keyset, without a check of its keys.
fn encode(halves: &PublicHalves) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(PUBLIC_KEYSET_LENGTH);
    bytes.push(1);
    bytes.extend_from_slice(&Suite::XWingHkdfSha256ChaCha20Poly1305.ids());
    bytes.extend_from_slice(&halves.kem);
    bytes.extend_from_slice(&halves.signing);
    (bytes.len() == PUBLIC_KEYSET_LENGTH).then_some(bytes)
}

fn keyset(halves: &PublicHalves) -> Option<PublicKeyset> {
    PublicKeyset::decode(&encode(halves)?).ok()
}

/// The fingerprint of [`PublicKeyset::fingerprint`], without a check of the keys, which costs more than
/// everything else that an audit does about a user.
pub(crate) fn fingerprint(halves: &PublicHalves) -> [u8; 32] {
    const PURPOSE: &[u8] = b"chancery/keyset/fingerprint/v1";
    let mut hash = Sha256::new();
    hash.update([30]);
    hash.update(PURPOSE);
    hash.update([1]);
    hash.update(Suite::XWingHkdfSha256ChaCha20Poly1305.ids());
    hash.update(&halves.kem);
    hash.update(&halves.signing);
    hash.finalize().into()
}
