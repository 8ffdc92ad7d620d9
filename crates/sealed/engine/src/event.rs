//! The changes of a tenant's directory.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::custody::GroupEpoch;
use crate::governance::{Auditor, BurstKind, HeldAct, IssuerKey};
use crate::id::ResourceId;
use crate::plan::Intent;
use crate::resource::{Credential, CredentialForm, Group, User};

/// One change of a tenant's directory. Events say what is, not what to compute, so that replay needs
/// no policy and no randomness.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The tenant exists; the signed genesis envelope.
    Genesis(Arc<[u8]>),
    /// A delegation is live from here; its handle in the log and the signed envelope.
    DelegationPut {
        /// Random handle in the trust log.
        handle: [u8; 32],
        /// The signed envelope.
        envelope: Arc<[u8]>,
    },
    /// A delegation is dead from here.
    DelegationRevoked {
        /// SHA-256 of the delegation's payload.
        hash: [u8; 32],
    },
    /// Other admins sign from here; the signed envelope.
    AdminsPut(Arc<[u8]>),
    /// An admin's or device's key used this sequence number.
    AdminSequence {
        /// SHA-256 of the public key.
        key: [u8; 32],
        /// The highest number seen.
        sequence: u64,
    },
    /// An auditor was enrolled.
    AuditorPut(Arc<Auditor>),
    /// An auditor's access ended.
    AuditorEnded {
        /// SHA-256 of the public key.
        key_id: [u8; 32],
    },
    /// Keys of the tenant's OpenID provider, as a whole.
    IssuerKeys(Arc<[IssuerKey]>),
    /// A bearer token was issued or changed.
    CredentialPut(Arc<Credential>),
    /// A credential was used, noted at most once a minute.
    CredentialUsed {
        /// Handle of the credential.
        handle: [u8; 32],
        /// When, in milliseconds since the Unix epoch.
        at_ms: u64,
    },
    /// A user was created or changed.
    UserPut(Arc<User>),
    /// A user was deleted for the IdP; the subject stays suspended until its retention ends.
    UserDeparted {
        /// The user.
        id: ResourceId,
        /// When it is to be erased, in milliseconds since the Unix epoch; none if an admin must sign.
        erase_at_ms: Option<u64>,
    },
    /// Everything about a departed or suspended user is gone.
    UserErased {
        /// The user.
        id: ResourceId,
    },
    /// A group was created or changed.
    GroupPut(Arc<Group>),
    /// Members of a group changed.
    GroupMembers {
        /// The group.
        group: ResourceId,
        /// Users who became members, or whose membership counts again.
        added: Vec<ResourceId>,
        /// Users who are no members any more.
        removed: Vec<ResourceId>,
    },
    /// Memberships of a suspended user stay listed and give nothing until they are granted anew (I15).
    MembershipsParked {
        /// The user.
        user: ResourceId,
        /// The groups.
        groups: Vec<ResourceId>,
    },
    /// A group has another key from here.
    EpochStarted(Arc<GroupEpoch>),
    /// A group was deleted.
    GroupRemoved(ResourceId),
    /// An act waits for an admin's signature.
    HeldPut(Arc<HeldAct>),
    /// An act waits no more: it was approved or took too long.
    HeldEnded {
        /// The act.
        id: [u8; 32],
    },
    /// Acts were counted against a limit; those that an approval covers are not.
    Counted {
        /// Their kind.
        kind: BurstKind,
        /// When, in milliseconds since the Unix epoch.
        at_ms: u64,
        /// How many.
        count: u64,
    },
    /// This many more acts of a kind are let through, as an admin approved: told anew when some of them
    /// have happened.
    BurstApproved {
        /// Their kind.
        kind: BurstKind,
        /// How many are left.
        count: u64,
        /// Until when, in milliseconds since the Unix epoch.
        until_ms: u64,
    },
    /// An act was recorded as an intent.
    Intended(Arc<Intent>),
    /// An admin signed the plan; its intents take effect one after another from here.
    PlanApproved {
        /// The plan's hash.
        hash: [u8; 32],
        /// Handle of the approval in the log.
        approval: [u8; 32],
        /// Users whom the identity provider did not name and who are suspended at the end.
        suspend: Box<[ResourceId]>,
    },
    /// So many intents and suspensions of the approved plan are behind it.
    PlanAdvanced {
        /// How many in all.
        done: u64,
        /// How many of them no longer fitted and changed nothing.
        skipped: u64,
    },
    /// There is no plan any more.
    PlanEnded,
    /// An OAuth client was issued or changed. It stands last: a record names its events by their number.
    ClientPut {
        /// The client.
        credential: Arc<Credential>,
        /// How it is shown.
        form: CredentialForm,
    },
}

impl Event {
    /// A credential as it is now.
    #[must_use]
    pub fn of_credential(credential: &Arc<Credential>) -> Self {
        let credential = Arc::clone(credential);
        match &credential.form {
            CredentialForm::Bearer => Self::CredentialPut(credential),
            form => Self::ClientPut {
                form: form.clone(),
                credential,
            },
        }
    }

    /// About how many bytes this event takes in a record.
    #[must_use]
    pub fn weight(&self) -> usize {
        let ids = |count: usize| count.saturating_mul(16);
        let variable = match self {
            Self::Genesis(bytes)
            | Self::AdminsPut(bytes)
            | Self::DelegationPut {
                envelope: bytes, ..
            } => bytes.len(),
            Self::DelegationRevoked { .. }
            | Self::AdminSequence { .. }
            | Self::AuditorPut(_)
            | Self::AuditorEnded { .. }
            | Self::CredentialPut(_)
            | Self::CredentialUsed { .. }
            | Self::UserDeparted { .. }
            | Self::UserErased { .. }
            | Self::GroupRemoved(_)
            | Self::HeldEnded { .. }
            | Self::Counted { .. }
            | Self::BurstApproved { .. }
            | Self::PlanAdvanced { .. }
            | Self::PlanEnded => 64,
            Self::IssuerKeys(keys) => keys
                .iter()
                .map(|key| key.jwk.len().saturating_add(64))
                .fold(0, usize::saturating_add),
            Self::ClientPut { form, .. } => form.weight(),
            Self::UserPut(user) => user.document.len().saturating_add(user.custody.weight()),
            Self::GroupPut(group) => group.document.len(),
            Self::EpochStarted(epoch) => epoch.sealed_seed.len(),
            Self::GroupMembers { added, removed, .. } => {
                ids(added.len().saturating_add(removed.len()))
            }
            Self::MembershipsParked { groups, .. } => ids(groups.len()),
            Self::HeldPut(held) => held
                .document
                .as_ref()
                .map_or(0, |document| document.len())
                .saturating_add(ids(held.added.len().saturating_add(held.removed.len()))),
            Self::Intended(intent) => intent.weight(),
            Self::PlanApproved { suspend, .. } => ids(suspend.len()),
        };
        variable.saturating_add(128)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// A bearer token as records have always held it.
    fn stored() -> Vec<u8> {
        let mut bytes = vec![8];
        bytes.extend([1; 32]);
        bytes.extend([2; 32]);
        bytes.extend([1, 10]);
        bytes.extend(b"users.read");
        bytes.extend([0xe8, 0x07, 0xd0, 0x0f, 4]);
        bytes.extend(b"okta");
        bytes.push(1);
        bytes
    }

    fn credential(form: CredentialForm) -> Arc<Credential> {
        Arc::new(Credential {
            handle: [1; 32],
            digest: [2; 32],
            scopes: vec![Box::from("users.read")],
            issued_ms: 1000,
            not_after_ms: 2000,
            label: Box::from("okta"),
            revoked: true,
            form,
        })
    }

    #[test]
    fn a_record_from_before_there_were_clients_is_read_and_written_as_ever() {
        let event = Event::of_credential(&credential(CredentialForm::Bearer));
        assert_eq!(postcard::from_bytes(&stored()), Ok(event.clone()));
        assert_eq!(postcard::to_allocvec(&event), Ok(stored()));
        // The last event of then is still the same one.
        assert_eq!(postcard::from_bytes(&[25]), Ok(Event::PlanEnded));
    }

    #[test]
    fn the_form_of_a_client_comes_back_from_its_record() {
        for form in [
            CredentialForm::Secret,
            CredentialForm::Keys(Box::new([Box::from(*b"one"), Box::from(*b"two")])),
        ] {
            let event = Event::of_credential(&credential(form.clone()));
            let bytes = postcard::to_allocvec(&event).unwrap();
            assert_eq!(bytes[0], 26);
            let read: Event = postcard::from_bytes(&bytes).unwrap();
            let mut registry = crate::registry::Registry::default();
            registry.apply(&read);
            let known = registry.credential(&[1; 32]).unwrap();
            assert_eq!(known, &credential(form));
        }
    }
}
