//! What members' devices sign, and the admins' word on a member's devices and keys.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use base64ct::{Base64, Encoding as _};
use chancery_claim::Succession;
use chancery_directory::{
    ActSecret, Digest, EntryType, Handle, KeySource, Opens, Origin, Validity,
};
use chancery_json::{Fields, Object, Value};
use chancery_keyset::{Fingerprint, PublicKeyset, Wrap};

use super::admin::{Desk, hash_member, tenant_handle};
use super::booking::{Booking, Document, Warrant};
use super::claim::{device_document, has_room};
use super::signers::{Signer, find, find_group};
use crate::act::{Answer, GroupKey, Refusal};
use crate::claim::DEVICE_NAME_BYTES_MAX;
use crate::custody::{Account, Custody, Device};
use crate::key_record::KeyOf;
use crate::prepare::Draws;
use crate::records::ActRecord;
use crate::registry::Registry;
use crate::resource::User;
use crate::tenant::Tenant;

type Outcome = Result<(Option<ActRecord>, Answer), Refusal>;

/// The account's seed, wrapped to a device, by the device's fingerprint.
type DeviceWrap = ([u8; 32], Box<[u8]>);

/// How long the window stays open in which admins reset a member's keys, in milliseconds.
const RESET_WINDOW_MS: u64 = 60_000;

impl Desk<'_> {
    /// The member who signed.
    fn member<'h>(&self, head: &'h Tenant) -> Result<&'h Arc<User>, Refusal> {
        let Signer::Member { user, .. } = self.verified.signer else {
            return Err(Refusal::Unauthorized);
        };
        head.registry.users().get(user).ok_or(Refusal::Unauthorized)
    }

    fn member_warrant(&self, user: &User) -> Warrant {
        Warrant::evident(Origin::Member, user.handle, self.signed.envelope.to_json())
            .with_request(self.signed.body)
    }

    /// Adds a device, to which another one has wrapped the account's seed.
    pub(super) fn add_device(
        &self,
        head: &mut Tenant,
        draws: Draws,
        mut fields: Fields,
    ) -> Outcome {
        let public = keyset_member(&mut fields, "device")?;
        let name = fields.take_str("name")?;
        let wrap = wrap_member(&fields.take_str("wrap")?)?;
        fields.finish()?;
        let user = Arc::clone(self.member(head)?);
        let account = user.custody.account().ok_or(Refusal::Unauthorized)?;
        let fingerprint = *public.fingerprint().as_bytes();
        if account.device(&fingerprint).is_some() {
            return Err(Refusal::Taken {
                what: "this device",
            });
        }
        if name.len() > DEVICE_NAME_BYTES_MAX || !has_room(account.devices.len()) {
            return Err(Refusal::TooLarge {
                what: "devices, or bytes of a device's name",
                limit: DEVICE_NAME_BYTES_MAX,
            });
        }
        let mut next = account.clone();
        next.devices.push(Device {
            fingerprint,
            public: public.encode().into_boxed_slice(),
            name: name.into_boxed_str(),
            added_ms: self.now_ms,
            wrap: Some(wrap),
        });
        let warrant = self.member_warrant(&user);
        self.put_devices(head, (&user, next), &warrant, draws, fingerprint)
    }

    /// Ends a device. Whoever holds it knows the keys of the member's groups, so each gets another one.
    pub(super) fn revoke_device(
        &self,
        head: &mut Tenant,
        draws: Draws,
        mut fields: Fields,
    ) -> Outcome {
        let (user, warrant) = match self.verified.signer {
            Signer::Member { .. } => {
                let user = Arc::clone(self.member(head)?);
                let warrant = self.member_warrant(&user);
                (user, warrant)
            }
            Signer::Admins | Signer::Auditor => {
                let named = fields.take_str("user")?;
                let id = find(&head.registry, &named)?.id;
                let user = head.registry.users().get(id).ok_or(Refusal::NotFound)?;
                (Arc::clone(user), self.warrant(head))
            }
        };
        let fingerprint = hash_member(&mut fields, "device")?;
        fields.finish()?;
        let account = user.custody.account().ok_or(Refusal::NotFound)?;
        if account.device(&fingerprint).is_none() {
            return Err(Refusal::NotFound);
        }
        let mut next = account.clone();
        next.devices
            .retain(|device| device.fingerprint != fingerprint);
        self.put_devices(head, (&user, next), &warrant, draws, fingerprint)
    }

    fn put_devices(
        &self,
        head: &mut Tenant,
        (user, next): (&Arc<User>, Account),
        warrant: &Warrant,
        draws: Draws,
        subject: [u8; 32],
    ) -> Outcome {
        let fewer = user
            .custody
            .account()
            .is_some_and(|account| account.devices.len() > next.devices.len());
        let document = device_document(&next.devices);
        let mut booking = Booking::begin(
            head,
            self.now_ms,
            warrant,
            draws,
            Document::Kept(&document),
            Vec::new(),
        )?;
        booking.with_document(EntryType::DeviceChanged, user.handle)?;
        let id = user.id;
        booking.put(User {
            custody: Custody::Claimed(Box::new(next)),
            ..User::clone(user)
        });
        if fewer {
            booking.set_actor(booking.instance());
            booking.rotate_groups_of(id)?;
        }
        self.spend(&mut booking);
        let index = booking.last();
        Ok((Some(booking.finish()), Answer::Done { subject, index }))
    }

    /// Replaces the account's keyset: by the member, signed by the old and the new one; or by the admins,
    /// who can only have it made pending again, for whoever claims it next.
    pub(super) fn rotate_keyset(
        &self,
        head: &mut Tenant,
        draws: Draws,
        mut fields: Fields,
    ) -> Outcome {
        if !matches!(self.verified.signer, Signer::Member { .. }) {
            let named = fields.take_str("user")?;
            fields.finish()?;
            return self.reset_keyset(head, draws, &named);
        }
        let public = keyset_member(&mut fields, "account")?;
        let old_signature = signature_member(&mut fields, "old_signature")?;
        let new_signature = signature_member(&mut fields, "new_signature")?;
        let wraps = read_wraps(fields.take_array("wraps")?)?;
        fields.finish()?;
        let user = Arc::clone(self.member(head)?);
        let account = user.custody.account().ok_or(Refusal::Unauthorized)?;
        succeeds(
            head,
            &user,
            account,
            (&public, &old_signature, &new_signature),
        )?;
        let next = rewrapped(account, &public, wraps, self.signer_device())?;
        let version = head.key_version(&user.handle).saturating_add(1);
        let key = KeyOf {
            handle: user.handle,
            version,
            source: KeySource::UserDevice,
            public: &public,
            not_before_ms: self.now_ms,
        };
        let opening = ActSecret(draws.secret.0).opening(Opens::Key(&Handle(user.handle)));
        let commitment = key
            .record(&head.secrets)
            .commit(&opening)
            .map_err(|_encoding| Refusal::Internal)?;
        let warrant = self.member_warrant(&user);
        let mut booking = Booking::begin(
            head,
            self.now_ms,
            &warrant,
            draws,
            Document::InEvent(&user.document),
            Vec::new(),
        )?;
        booking.entry(EntryType::KeyRotated, user.handle, commitment, Digest::ZERO)?;
        let mut put = User::clone(&user);
        put.custody = Custody::Claimed(Box::new(next));
        put.proof.key_version = version;
        put.proof.key_index = booking.last();
        put.proof.key_opening = opening.0;
        put.proof.not_before_ms = self.now_ms;
        booking.put(put);
        booking.set_actor(booking.instance());
        booking.rotate_groups_of(user.id)?;
        self.spend(&mut booking);
        let index = booking.last();
        Ok((
            Some(booking.finish()),
            Answer::Done {
                subject: user.handle,
                index,
            },
        ))
    }

    const fn signer_device(&self) -> [u8; 32] {
        match self.verified.signer {
            Signer::Member { device, .. } => device,
            Signer::Admins | Signer::Auditor => [0; 32],
        }
    }

    /// Nobody holds the account's keys any more: it becomes pending, and its groups get other keys.
    fn reset_keyset(&self, head: &mut Tenant, mut draws: Draws, named: &str) -> Outcome {
        let user = User::clone(find(&head.registry, named)?);
        let window: [u8; 32] = draws.bytes()?;
        let admins = tenant_handle(&head.secrets.id());
        let warrant = self.warrant(head).resting_on(window);
        let validity = Validity {
            not_before_ms: self.now_ms,
            not_after_ms: self.now_ms.saturating_add(RESET_WINDOW_MS),
        };
        let document = user.document.clone();
        let mut booking = Booking::begin(
            head,
            self.now_ms,
            &warrant,
            draws,
            Document::InEvent(&document),
            Vec::new(),
        )?;
        booking.entry(
            EntryType::BreakGlassOpened,
            window,
            Digest::ZERO,
            validity.to_object_commit(),
        )?;
        booking.set_actor(window);
        let (id, handle) = (user.id, user.handle);
        let mut user = user;
        booking.redraw(&mut user)?;
        booking.put(user);
        booking.rotate_groups_of(id)?;
        booking.set_actor(admins);
        booking.plain(EntryType::BreakGlassClosed, window)?;
        self.spend(&mut booking);
        let index = booking.last();
        Ok((
            Some(booking.finish()),
            Answer::Done {
                subject: handle,
                index,
            },
        ))
    }

    /// A group's key for the member who asks. Whether the group is theirs is decided at the head, and the
    /// answer leaves only with a quorum that was asked for afterwards.
    pub(super) fn group_key(&self, head: &Tenant, mut fields: Fields) -> Outcome {
        let named = fields.take_str("group")?;
        let number = fields.take_u64("epoch")?;
        fields.finish()?;
        let user = self.member(head)?;
        let account = user.custody.account().ok_or(Refusal::Unauthorized)?;
        // A group of others is no group.
        let group = find_group(&head.registry, &named)?;
        if !head.registry.holds_keys(group.id, user.id) {
            return Err(Refusal::NotFound);
        }
        let epochs = head.registry.epochs(group.id);
        let epoch = if number == 0 {
            epochs.last()
        } else {
            epochs
                .iter()
                .find(|epoch| u64::from(epoch.number) == number)
        };
        Ok((
            None,
            Answer::GroupKey(Box::new(GroupKey {
                group: group.handle,
                id: group.id,
                document: group.document.clone(),
                epoch: Arc::clone(epoch.ok_or(Refusal::NotFound)?),
                recipient: account.public.clone(),
            })),
        ))
    }

    /// A member's account as it is now.
    pub(super) fn show_member(&self, head: &Tenant, mut fields: Fields) -> Outcome {
        let (user, device) = match self.verified.signer {
            Signer::Member { device, .. } => (self.member(head)?.as_ref(), Some(device)),
            Signer::Admins | Signer::Auditor => {
                let named = fields.take_str("user")?;
                (find(&head.registry, &named)?, None)
            }
        };
        fields.finish()?;
        Ok((
            None,
            Answer::Document(Box::new(shown(&head.registry, user, device)?)),
        ))
    }
}

fn shown(
    registry: &Registry,
    user: &User,
    for_device: Option<[u8; 32]>,
) -> Result<Object, Refusal> {
    let account = user.custody.account();
    let devices: Vec<Value> = account
        .map(|account| account.devices.as_slice())
        .unwrap_or_default()
        .iter()
        .map(|device| {
            // The seed is for the device alone that it was wrapped to.
            let wrap = device
                .wrap
                .as_ref()
                .filter(|_| for_device == Some(device.fingerprint));
            Object::new()
                .with("id", hex::encode(device.fingerprint))
                .with("name", &*device.name)
                .with("added_ms", device.added_ms)
                .with("public", Base64::encode_string(&device.public))
                .with(
                    "wrap",
                    wrap.map_or(Value::Null, |wrap| Base64::encode_string(wrap).into()),
                )
                .into()
        })
        .collect();
    let mut groups = Vec::new();
    for group in registry.counting_groups_of(user.id) {
        let document = chancery_scim::GroupDocument::from_canonical(&group.document)?;
        let epoch = registry
            .epochs(group.id)
            .last()
            .map_or(0, |epoch| epoch.number);
        groups.push(Value::from(
            Object::new()
                .with("id", group.id.text())
                .with("name", document.display_name())
                .with("epoch", u64::from(epoch)),
        ));
    }
    let account = account.map_or(Value::Null, |account| {
        Object::new()
            .with("fingerprint", hex::encode(account.fingerprint))
            .with("public", Base64::encode_string(&account.public))
            .with("key_version", u64::from(user.proof.key_version))
            .into()
    });
    Ok(Object::new()
        .with("id", user.id.text())
        .with("handle", hex::encode(user.handle))
        .with("user_name", user_name(user)?)
        .with("state", state_name(user))
        .with("account", account)
        .with("devices", devices)
        .with("groups", groups))
}

/// The userName as the identity provider wrote it.
pub(super) fn user_name(user: &User) -> Result<alloc::string::String, Refusal> {
    let document = chancery_scim::UserDocument::from_canonical(&user.document)?;
    Ok(document.user_name().into())
}

/// Where an account stands, in the words of the log.
pub(super) const fn state_name(user: &User) -> &'static str {
    match (&user.custody, user.active) {
        (Custody::Pending(_), true) => "provisioned",
        (Custody::Pending(_), false) => "suspended_provisioned",
        (Custody::Claimed(_), true) => "confirmed",
        (Custody::Claimed(_), false) => "suspended_confirmed",
    }
}

/// Whether the old and the new keyset have both signed that one follows the other.
fn succeeds(
    head: &Tenant,
    user: &User,
    account: &Account,
    (public, old_signature, new_signature): (&PublicKeyset, &[u8; 64], &[u8; 64]),
) -> Result<(), Refusal> {
    let statement = Succession {
        tenant: *head.secrets.id().as_bytes(),
        subject: user.handle,
        old: Fingerprint::from_bytes(account.fingerprint),
        new: public.fingerprint(),
        evidence: [0; 32],
    }
    .statement();
    let old = PublicKeyset::decode(&account.public).map_err(|_keyset| Refusal::Internal)?;
    let signed = |keyset: &PublicKeyset, signature: &[u8; 64]| {
        keyset
            .verifying_key()
            .is_ok_and(|key| key.verifies(&statement, signature))
    };
    if signed(&old, old_signature) && signed(public, new_signature) {
        Ok(())
    } else {
        Err(Refusal::Unauthorized)
    }
}

/// The account with its next keyset, whose seed every other device finds wrapped to itself.
fn rewrapped(
    account: &Account,
    public: &PublicKeyset,
    mut wraps: Vec<DeviceWrap>,
    own: [u8; 32],
) -> Result<Account, Refusal> {
    let mut next = account.clone();
    next.fingerprint = *public.fingerprint().as_bytes();
    next.public = public.encode().into_boxed_slice();
    for device in &mut next.devices {
        let place = wraps
            .iter()
            .position(|(fingerprint, _)| *fingerprint == device.fingerprint);
        match place {
            Some(place) => device.wrap = Some(wraps.swap_remove(place).1),
            // The device that rotates has made the seed itself.
            None if device.fingerprint == own => device.wrap = None,
            // A device left without the seed would be locked out.
            None => return Err(Refusal::NotFound),
        }
    }
    if wraps.is_empty() {
        Ok(next)
    } else {
        Err(Refusal::NotFound)
    }
}

fn read_wraps(elements: Vec<chancery_json::Element>) -> Result<Vec<DeviceWrap>, Refusal> {
    elements
        .into_iter()
        .map(|element| {
            let mut fields = element.into_fields()?;
            let device = hash_member(&mut fields, "device")?;
            let wrap = wrap_member(&fields.take_str("wrap")?)?;
            fields.finish()?;
            Ok((device, wrap))
        })
        .collect()
}

fn keyset_member(fields: &mut Fields, name: &'static str) -> Result<PublicKeyset, Refusal> {
    let text = fields.take_str(name)?;
    Base64::decode_vec(&text)
        .ok()
        .and_then(|bytes| PublicKeyset::decode(&bytes).ok())
        .ok_or(Refusal::Malformed { member: name })
}

fn signature_member(fields: &mut Fields, name: &'static str) -> Result<[u8; 64], Refusal> {
    let text = fields.take_str(name)?;
    Base64::decode_vec(&text)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(Refusal::Malformed { member: name })
}

fn wrap_member(text: &str) -> Result<Box<[u8]>, Refusal> {
    Base64::decode_vec(text)
        .ok()
        .filter(|bytes| Wrap::decode(bytes).is_ok())
        .map(Vec::into_boxed_slice)
        .ok_or(Refusal::Malformed { member: "wrap" })
}
