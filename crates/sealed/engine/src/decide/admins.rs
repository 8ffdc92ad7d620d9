//! Who signs and who reads: changes of the admins, and auditors.

use alloc::sync::Arc;
use alloc::vec::Vec;

use base64ct::{Base64, Encoding as _};
use chancery_authority::AdminChange;
use chancery_directory::EntryType;
use chancery_dsse::{Envelope, PublicKey};
use chancery_json::{Fields, Object};

use super::admin::{Desk, Outcome, tenant_handle};
use super::booking::Document;
use crate::act::{Answer, Refusal};
use crate::event::Event;
use crate::governance::{AUDITORS_MAX, Auditor};
use crate::prepare::Draws;
use crate::tenant::Tenant;

/// Longest name of an auditor in bytes.
const NAME_BYTES_MAX: usize = 128;

impl Desk<'_> {
    /// Puts the next set of admins in the place of the present one. The act is signed by the present
    /// threshold, the change by that and by everybody who is new. Delegations that the next admins have not
    /// signed end with it (I11).
    pub(super) fn put_admins(
        &self,
        head: &mut Tenant,
        draws: Draws,
        mut fields: Fields,
    ) -> Outcome {
        let paper = fields.take("change")?.into_value().to_bytes();
        fields.finish()?;
        let present = head.registry.authority().ok_or(Refusal::Internal)?;
        let envelope = Envelope::parse(&paper).map_err(chancery_authority::Error::Envelope)?;
        let change = AdminChange::verify(&envelope, present)?;
        let next = change.authority().admins();
        let ended: Vec<[u8; 32]> = head
            .registry
            .delegations()
            .iter()
            .filter(|granted| !granted.revoked && !granted.delegation.is_signed_by(next))
            .map(|granted| granted.handle)
            .collect();
        let tenant = tenant_handle(&head.secrets.id());
        let mut booking = self.begin(head, draws, Document::InEvent(&paper))?;
        for handle in ended {
            booking.plain(EntryType::DelegationRevoked, handle)?;
        }
        booking.with_document(EntryType::PolicyChanged, tenant)?;
        booking.event(Event::AdminsPut(Arc::from(paper)));
        self.spend(&mut booking);
        let (subject, index) = (*change.hash(), booking.last());
        Ok((Some(booking.finish()), Answer::Done { subject, index }))
    }

    /// Lets somebody read the tenant's log.
    pub(super) fn enrol_auditor(
        &self,
        head: &mut Tenant,
        draws: Draws,
        mut fields: Fields,
    ) -> Outcome {
        let name = fields.take_str("name")?;
        let encoded = fields.take_str("key")?;
        fields.finish()?;
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
            return Err(Refusal::Value {
                member: "name",
                allowed: "1 to 128 bytes without control characters",
            });
        }
        let key = public_key(&encoded).ok_or(Refusal::Malformed { member: "key" })?;
        let key_id = *key.id().as_bytes();
        let registry = &head.registry;
        if registry.auditors().any(|known| known.key_id == key_id) {
            return Err(Refusal::Taken { what: "this key" });
        }
        if registry.auditors().count() >= AUDITORS_MAX {
            return Err(Refusal::TooLarge {
                what: "auditors",
                limit: AUDITORS_MAX,
            });
        }
        let shown = Object::new()
            .with("id", hex::encode(key_id))
            .with("name", name.as_str())
            .with("key", encoded);
        let auditor = Auditor {
            key_id,
            key: key.to_bytes(),
            name: name.into_boxed_str(),
        };
        let document = Object::new().with("auditor", shown);
        self.change_policy(
            head,
            draws,
            &document,
            Event::AuditorPut(Arc::new(auditor)),
            key_id,
        )
    }

    /// Ends an auditor's access.
    pub(super) fn revoke_auditor(
        &self,
        head: &mut Tenant,
        draws: Draws,
        key_id: [u8; 32],
    ) -> Outcome {
        if !head.registry.auditors().any(|known| known.key_id == key_id) {
            return Err(Refusal::NotFound);
        }
        let document = Object::new().with("auditor_ended", hex::encode(key_id));
        self.change_policy(
            head,
            draws,
            &document,
            Event::AuditorEnded { key_id },
            key_id,
        )
    }

    fn change_policy(
        &self,
        head: &mut Tenant,
        draws: Draws,
        document: &Object,
        event: Event,
        subject: [u8; 32],
    ) -> Outcome {
        let document = document.to_bytes();
        let tenant = tenant_handle(&head.secrets.id());
        let mut booking = self.begin(head, draws, Document::Kept(&document))?;
        booking.with_document(EntryType::PolicyChanged, tenant)?;
        booking.event(event);
        self.spend(&mut booking);
        let index = booking.last();
        Ok((Some(booking.finish()), Answer::Done { subject, index }))
    }
}

fn public_key(encoded: &str) -> Option<PublicKey> {
    let mut bytes = [0; 32];
    let decoded = Base64::decode(encoded, &mut bytes).ok()?;
    let bytes: &[u8; 32] = decoded.try_into().ok()?;
    PublicKey::from_bytes(bytes).ok()
}
