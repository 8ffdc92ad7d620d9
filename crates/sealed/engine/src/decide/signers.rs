//! Whose signature an act needs, and the check of it.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use chancery_authority::{ActName, Expected, VerifiedAct, verify_act};
use chancery_dsse::{Envelope, KeyId, PublicKey};
use chancery_json::{Fields, Limits};
use chancery_keyset::PublicKeyset;

use super::Settings;
use crate::act::Refusal;
use crate::event::Event;
use crate::id::ResourceId;
use crate::registry::Registry;
use crate::resource::User;
use crate::tenant::Tenant;

/// A signed request as it arrived.
#[derive(Clone, Copy)]
pub(super) struct Signed<'a> {
    pub(super) envelope: &'a Envelope,
    pub(super) exporter: &'a [u8; 32],
    pub(super) body: &'a [u8],
}

/// Who signed an act that was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signer {
    /// The threshold of the tenant's admins, or one of them where reading is all there is to it.
    Admins,
    /// Somebody whom the admins let read the log.
    Auditor,
    /// A device of this user.
    Member {
        /// The user.
        user: ResourceId,
        /// SHA-256 fingerprint of the device's keyset.
        device: [u8; 32],
    },
}

/// Whose signature an act takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    /// The admins' threshold.
    Admins,
    /// Any one admin.
    AnyAdmin,
    /// Any one admin or auditor.
    Readers,
    /// A member's device.
    Member,
}

/// An act that was verified.
pub(super) struct Verified {
    pub(super) act: VerifiedAct,
    pub(super) signer: Signer,
}

impl Verified {
    /// The sequence numbers that the signers have used now.
    pub(super) fn spent(&self) -> impl Iterator<Item = Event> {
        self.act
            .signers()
            .iter()
            .map(|signer| Event::AdminSequence {
                key: *signer.as_bytes(),
                sequence: self.act.sequence(),
            })
    }
}

/// Whose signature `name` takes; a body that names a member is signed by that member's device.
fn who(name: ActName, is_members: bool) -> Result<Who, Refusal> {
    use ActName as N;
    Ok(match (name, is_members) {
        (
            N::MemberShow
            | N::KeysLookup
            | N::KeysHistory
            | N::GroupKey
            | N::DeviceAdd
            | N::DeviceRevoke
            | N::KeysetRotate,
            true,
        ) => Who::Member,
        (N::GroupKey | N::DeviceAdd, false) => return Err(Refusal::Unauthorized),
        (
            N::DelegationList
            | N::LogRead
            | N::LogAudit
            | N::LogReceipt
            | N::DirectoryRead
            | N::KeysLookup
            | N::KeysHistory,
            false,
        ) => Who::Readers,
        (N::TokenList | N::ActHeld | N::MemberShow | N::PlanShow | N::IssuerRead, false) => {
            Who::AnyAdmin
        }
        (_, false) => Who::Admins,
        (_, true) => return Err(Refusal::Unauthorized),
    })
}

/// Checks the signatures over an act: by whom it must be signed, for this tenant, connection and body, now,
/// and not used before. Returns the body's members as well, without `member`.
///
/// # Errors
/// [`Refusal::Body`] for a body that is no JSON object; [`Refusal::Paper`] for what is wrong with the
/// signatures; [`Refusal::Unauthorized`] if nobody could have signed it.
pub(super) fn verify(
    settings: &Settings,
    head: &Tenant,
    now_ms: u64,
    signed: &Signed<'_>,
    name: ActName,
) -> Result<(Verified, Fields), Refusal> {
    let mut fields = Fields::parse(signed.body, &Limits::DOCUMENT)?;
    let member = fields
        .take_optional("member")
        .map(chancery_json::Element::into_str)
        .transpose()?;
    let registry = &head.registry;
    let who = who(name, member.is_some())?;
    let admins = registry.authority().ok_or(Refusal::Internal)?.admins();
    let user = member.as_deref().map(|text| find(registry, text));
    let (keys, threshold) = match (who, &user) {
        (Who::Admins, _) => (admins.keys(), admins.threshold()),
        (Who::AnyAdmin, _) => (admins.keys(), 1),
        (Who::Readers, _) => (readers(registry, admins.keys()), 1),
        (Who::Member, Some(Ok(user))) => (device_keys(user), 1),
        (Who::Member, _) => return Err(Refusal::Unauthorized),
    };
    if keys.is_empty() {
        return Err(Refusal::Unauthorized);
    }
    let last_sequences: BTreeMap<KeyId, u64> = keys
        .iter()
        .map(PublicKey::id)
        .map(|id| (id, registry.admin_sequence(id.as_bytes())))
        .filter(|(_, sequence)| *sequence > 0)
        .collect();
    let expected = Expected {
        deployment: settings.deployment,
        tenant: head.secrets.id(),
        act: name,
        keys: &keys,
        threshold,
        last_sequences: &last_sequences,
        now_ms,
        exporter: signed.exporter,
        body: signed.body,
    };
    let act = verify_act(signed.envelope, &expected)?;
    let signer = match (who, user) {
        (Who::Member, Some(Ok(user))) => member_signer(user, &act).ok_or(Refusal::Unauthorized)?,
        _ if act.signers().iter().any(|id| admins.by_key(id).is_some()) => Signer::Admins,
        _ => Signer::Auditor,
    };
    Ok((Verified { act, signer }, fields))
}

fn readers(registry: &Registry, mut keys: Vec<PublicKey>) -> Vec<PublicKey> {
    let auditors = registry
        .auditors()
        .filter_map(|auditor| PublicKey::from_bytes(&auditor.key).ok());
    keys.extend(auditors);
    keys
}

/// The keys of a user's devices; none unless the account is claimed and not suspended (I15).
fn device_keys(user: &User) -> Vec<PublicKey> {
    let devices = user
        .custody
        .account()
        .filter(|_| user.active)
        .map_or(&[][..], |account| account.devices.as_slice());
    devices
        .iter()
        .filter_map(|device| PublicKeyset::decode(&device.public).ok())
        .filter_map(|public| public.verifying_key().ok())
        .collect()
}

fn member_signer(user: &User, act: &VerifiedAct) -> Option<Signer> {
    let account = user.custody.account()?;
    let device = account.devices.iter().find(|device| {
        PublicKeyset::decode(&device.public)
            .ok()
            .and_then(|public| public.verifying_key().ok())
            .is_some_and(|key| act.signers().contains(&key.id()))
    })?;
    Some(Signer::Member {
        user: user.id,
        device: device.fingerprint,
    })
}

/// The user whom an id or an exact userName names.
///
/// # Errors
/// [`Refusal::NotFound`].
pub(super) fn find<'r>(registry: &'r Registry, text: &str) -> Result<&'r User, Refusal> {
    ResourceId::parse(text)
        .and_then(|id| registry.users().get(id))
        .or_else(|| {
            let folded = chancery_scim::FoldedName::lookup(text);
            registry.user_named(folded.as_str())
        })
        .map(AsRef::as_ref)
        .ok_or(Refusal::NotFound)
}

/// The group that an id or a display name names, if it is the only one of that name.
///
/// # Errors
/// [`Refusal::NotFound`].
pub(super) fn find_group<'r>(
    registry: &'r Registry,
    text: &str,
) -> Result<&'r crate::resource::Group, Refusal> {
    if let Some(group) = ResourceId::parse(text).and_then(|id| registry.groups().get(id)) {
        return Ok(group);
    }
    let folded = chancery_scim::FoldedName::text(text);
    let mut named = registry.groups().with_display_name(folded.as_str());
    match (named.next(), named.next()) {
        (Some(only), None) => Ok(only),
        _ => Err(Refusal::NotFound),
    }
}
