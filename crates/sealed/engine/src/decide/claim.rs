//! The claim: a member's own keys take the place of the pending ones.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use chancery_directory::{Digest, EntryType, Origin};
use chancery_json::{Object, Value};

use super::admin::Desk;
use super::booking::{Booking, Document, Warrant};
use super::signers::find;
use crate::act::{Answer, Refusal};
use crate::claim::NewClaim;
use crate::custody::{Account, Custody, DEVICES_MAX, Device};
use crate::prepare::Draws;
use crate::records::ActRecord;
use crate::resource::User;
use crate::tenant::Tenant;

type Outcome = Result<(Option<ActRecord>, Answer), Refusal>;

/// Most refused claims of a tenant that are logged within [`REFUSALS_WINDOW_MS`]: anybody can make one.
const REFUSALS_MAX: usize = 60;
/// The window in which refused claims are counted, in milliseconds: an hour.
const REFUSALS_WINDOW_MS: u64 = 3_600_000;

/// Decides a claim whose ID token the caller has checked. Everything that can have changed since is
/// checked again.
pub(super) fn by_token(head: &mut Tenant, now_ms: u64, claim: NewClaim) -> Outcome {
    let thumbprint = claim.issuer_key.ok_or(Refusal::ClaimRefused)?;
    let trusted = head
        .registry
        .issuer_keys()
        .iter()
        .any(|key| key.thumbprint == thumbprint && key.trusted_from_ms <= now_ms);
    if !trusted {
        return Err(Refusal::IssuerKey);
    }
    let handle = claimable(head, &claim)?.handle;
    let warrant = Warrant::evident(Origin::Claim, handle, claim.evidence.clone());
    confirm(head, now_ms, claim, &warrant, Vec::new())
}

impl Desk<'_> {
    /// Confirms the claim that `claim` was prepared from; the admins have compared its short code.
    pub(super) fn confirm_claim(
        &self,
        head: &mut Tenant,
        user: &str,
        claim: Option<Box<NewClaim>>,
    ) -> Outcome {
        let id = find(&head.registry, user)?.id;
        let claim = claim.filter(|claim| claim.user == id && claim.issuer_key.is_none());
        let claim = *claim.ok_or(Refusal::NotFound)?;
        claimable(head, &claim)?;
        let actor = super::admin::tenant_handle(&head.secrets.id());
        let warrant = Warrant::evident(Origin::ConfirmedClaim, actor, claim.evidence.clone())
            .with_request(self.signed.body);
        let spent = self.verified.spent().collect();
        confirm(head, self.now_ms, claim, &warrant, spent)
    }
}

/// The user whom a claim is about, if nothing about it has changed since it was prepared.
fn claimable<'h>(head: &'h Tenant, claim: &NewClaim) -> Result<&'h Arc<User>, Refusal> {
    let user = head
        .registry
        .users()
        .get(claim.user)
        .filter(|user| user.active && *user.custody.fingerprint() == claim.before)
        .ok_or(Refusal::ClaimRefused)?;
    let fits = match user.custody.account() {
        None => head.key_version(&user.handle).saturating_add(1) == claim.key_version,
        // Only an imported account without devices gains its first one by a claim.
        Some(account) => account.devices.is_empty(),
    };
    if fits {
        Ok(user)
    } else {
        Err(Refusal::ClaimRefused)
    }
}

fn confirm(
    head: &mut Tenant,
    now_ms: u64,
    claim: NewClaim,
    warrant: &Warrant,
    spent: Vec<crate::event::Event>,
) -> Outcome {
    let before = Arc::clone(claimable(head, &claim)?);
    let was_pending = before.custody.account().is_none();
    let mut user = User::clone(&before);
    let devices = alloc::vec![claim.device];
    let document = device_document(&devices);
    let mut booking = Booking::begin(
        head,
        now_ms,
        warrant,
        claim.draws,
        Document::Kept(&document),
        Vec::new(),
    )?;
    if was_pending {
        booking.entry(
            EntryType::KeyConfirmed,
            user.handle,
            claim.key_commit,
            Digest::ZERO,
        )?;
        user.proof.key_version = claim.key_version;
        user.proof.key_index = booking.last();
        user.proof.key_opening = claim.key_opening;
        user.proof.not_before_ms = claim.not_before_ms;
        // The pending private half is forgotten with the custody that held it. Admins cannot say so.
        booking.set_actor(if warrant.details.origin == Origin::Claim {
            user.handle
        } else {
            booking.instance()
        });
        booking.plain(EntryType::KeyDestroyed, user.handle)?;
        booking.set_actor(warrant.actor);
    }
    booking.with_document(EntryType::DeviceChanged, user.handle)?;
    user.custody = Custody::Claimed(Box::new(Account {
        fingerprint: *claim.account.fingerprint().as_bytes(),
        public: claim.account.encode().into_boxed_slice(),
        confirmed_ms: now_ms,
        devices,
    }));
    booking.put(user);
    for event in spent {
        booking.event(event);
    }
    let index = booking.last();
    let user = booking.user.take().ok_or(Refusal::Internal)?;
    Ok((Some(booking.finish()), Answer::Confirmed { user, index }))
}

/// Notes a refused claim in the log, as often as the window allows.
pub(super) fn note_refusal(
    head: &mut Tenant,
    now_ms: u64,
    reason: &'static str,
    claim: &str,
    draws: Draws,
) -> Outcome {
    let since = now_ms.saturating_sub(REFUSALS_WINDOW_MS);
    head.refusals.retain(|at| *at > since);
    if head.refusals.len() >= REFUSALS_MAX {
        return Ok((None, Answer::Noted));
    }
    head.refusals.push(now_ms);
    let document = Object::new()
        .with("refused_claim", claim)
        .with("reason", reason)
        .to_bytes();
    let warrant = Warrant::instance(head.chronicle.log().instance().0);
    let subject = super::admin::tenant_handle(&head.secrets.id());
    let mut booking = Booking::begin(
        head,
        now_ms,
        &warrant,
        draws,
        Document::Kept(&document),
        Vec::new(),
    )?;
    booking.plain(EntryType::FaultNoted, subject)?;
    Ok((Some(booking.finish()), Answer::Noted))
}

/// What the log commits to of an account's devices: the whole list, ascending by fingerprint.
pub(super) fn device_document(devices: &[Device]) -> Vec<u8> {
    use base64ct::{Base64, Encoding as _};
    let mut sorted: Vec<&Device> = devices.iter().collect();
    sorted.sort_by_key(|device| device.fingerprint);
    let list: Vec<Value> = sorted
        .into_iter()
        .map(|device| {
            Object::new()
                .with("id", hex::encode(device.fingerprint))
                .with("name", &*device.name)
                .with("public", Base64::encode_string(&device.public))
                .into()
        })
        .collect();
    Object::new().with("devices", list).to_bytes()
}

/// Whether an account may have one more device.
pub(super) const fn has_room(devices: usize) -> bool {
    devices < DEVICES_MAX
}
