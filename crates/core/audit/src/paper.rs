//! The documents of acts, read by what their entries say they are.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use base64ct::{Base64, Encoding as _};
use chancery_authority::{
    ADMINS_PAYLOAD_TYPE, AdminChange, Delegation, Genesis, Scope, ScopeSet, TenantAuthority,
    VerifiedAdminChange, VerifiedDelegation, VerifiedGenesis,
};
use chancery_directory::{EntryType, Handle};
use chancery_dsse::Envelope;
use chancery_json::{Fields, Limits, Value};
use chancery_keyset::PublicKeyset;
use chancery_scim::{FoldedName, GroupDocument, UserDocument};

use crate::finding::Fault;
use crate::world::{Approved, HeldChange};

/// Bounds on a document that is not SCIM.
const LIMITS: Limits = Limits {
    bytes_max: 2 * 1024 * 1024,
    depth_max: 16,
    values_max: 100_000,
};

/// One device of a member.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) fingerprint: [u8; 32],
    pub(crate) signing: [u8; 32],
}

/// What a credential may do, and which one it replaces from when on.
#[derive(Debug)]
pub(crate) struct CredentialTerms {
    pub(crate) scopes: ScopeSet,
    pub(crate) replaces: Option<(Handle, u64)>,
}

/// What a change of policy says that an audit follows.
#[derive(Debug)]
pub(crate) struct Policy {
    /// The keys of the identity provider from here on, and from when on each counts, if it is about them.
    pub(crate) issuer_keys: Option<BTreeMap<[u8; 32], u64>>,
    /// Whether a signed plan has been carried out.
    pub(crate) ends_plan: bool,
}

/// A document that was read.
#[derive(Debug)]
pub(crate) enum Paper {
    None,
    User(UserDocument),
    Group(GroupDocument),
    Genesis(alloc::boxed::Box<VerifiedGenesis>),
    Delegation(alloc::boxed::Box<VerifiedDelegation>),
    Admins(alloc::boxed::Box<VerifiedAdminChange>),
    Credential(CredentialTerms),
    Approval(Approved),
    Held(HeldChange),
    Policy(Policy),
    Devices(Vec<Device>),
    /// Whatever automation asked for.
    Intent,
}

/// What a document should be, by the entries of its act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    User,
    Group,
    Genesis,
    Delegation,
    Credential,
    Approval,
    Held,
    Policy,
    Devices,
    Intent,
    /// Nothing that anybody checks.
    Free,
}

impl Form {
    /// The form for an entry of this type about a user (`true`) or not.
    pub(crate) const fn of(kind: EntryType, about_user: bool) -> Option<Self> {
        use EntryType as T;
        Some(match kind {
            T::Genesis => Self::Genesis,
            T::DelegationGranted => Self::Delegation,
            T::TokenIssued => Self::Credential,
            T::ApprovalGiven => Self::Approval,
            T::PolicyChanged => Self::Policy,
            T::DeviceChanged => Self::Devices,
            T::IntentRecorded => Self::Intent,
            T::ActHeld => Self::Held,
            T::UserProvisioned
            | T::KeyConfirmed
            | T::KeyRotated
            | T::Suspended
            | T::Reactivated
            | T::Deleted => Self::User,
            T::ProfileChanged | T::NameChanged | T::Erased | T::KeyDestroyed => {
                if about_user {
                    Self::User
                } else {
                    Self::Group
                }
            }
            T::GroupCreated | T::GroupMemberChanged | T::GroupEpochStarted | T::GroupDeleted => {
                Self::Group
            }
            _ => return None,
        })
    }

    /// Whether it says what the whole act is about, wherever its entry stands in the act.
    pub(crate) const fn is_decisive(self) -> bool {
        !matches!(self, Self::User | Self::Group | Self::Free)
    }
}

/// Reads a document. Without an authority nothing but a genesis can be read.
pub(crate) fn read(
    form: Form,
    bytes: &[u8],
    authority: Option<&TenantAuthority>,
) -> Result<Paper, Fault> {
    if bytes.is_empty() {
        return match form {
            Form::User | Form::Group | Form::Free => Ok(Paper::None),
            _ => Err(Fault::DocumentMissing),
        };
    }
    match form {
        Form::User => UserDocument::from_canonical(bytes)
            .map(Paper::User)
            .map_err(|_stored| Fault::DocumentMalformed),
        Form::Group => GroupDocument::from_canonical(bytes)
            .map(Paper::Group)
            .map_err(|_stored| Fault::DocumentMalformed),
        Form::Genesis => {
            let envelope = Envelope::parse(bytes).map_err(|_form| Fault::DocumentMalformed)?;
            let genesis = Genesis::verify(&envelope).map_err(|_refused| Fault::GenesisInvalid)?;
            Ok(Paper::Genesis(genesis.into()))
        }
        Form::Delegation => {
            let envelope = Envelope::parse(bytes).map_err(|_form| Fault::DocumentMalformed)?;
            let authority = authority.ok_or(Fault::DelegationInvalid)?;
            let verified = Delegation::verify(&envelope, authority)
                .map_err(|_refused| Fault::DelegationInvalid)?
                .with_canonical_names(&|name| FoldedName::lookup(name).into_string(), &|name| {
                    FoldedName::text(name).into_string()
                });
            Ok(Paper::Delegation(verified.into()))
        }
        Form::Credential => credential(bytes).ok_or(Fault::DocumentMalformed),
        Form::Approval => approval(bytes).ok_or(Fault::DocumentMalformed),
        Form::Held => held(bytes).ok_or(Fault::DocumentMalformed),
        Form::Policy => policy(bytes, authority),
        Form::Devices => devices(bytes),
        Form::Intent => Ok(Paper::Intent),
        Form::Free => Ok(Paper::None),
    }
}

fn credential(bytes: &[u8]) -> Option<Paper> {
    let mut fields = Fields::parse(bytes, &LIMITS).ok()?;
    let names = fields.take_strings("scopes").ok()?;
    let scopes: Option<ScopeSet> = names.iter().map(|name| Scope::parse(name)).collect();
    let replaces = match fields.take_optional("replaces") {
        Some(handle) => {
            let handle = Handle(hex32(&handle.into_str().ok()?)?);
            Some((handle, fields.take_u64("replaced_until_ms").ok()?))
        }
        None => None,
    };
    Some(Paper::Credential(CredentialTerms {
        scopes: scopes?,
        replaces,
    }))
}

fn approval(bytes: &[u8]) -> Option<Paper> {
    let value = Value::parse(bytes, &LIMITS).ok()?;
    let object = value.as_object()?;
    let what = if object.get("held").is_some() {
        Approved::Held
    } else if let Some(hash) = object.get("hash") {
        Approved::Plan(hash.as_str().and_then(hex32)?)
    } else if object.get("dropped").is_some() {
        Approved::Dropped
    } else {
        Approved::Other
    };
    Some(Paper::Approval(what))
}

fn held(bytes: &[u8]) -> Option<Paper> {
    let mut fields = Fields::parse(bytes, &LIMITS).ok()?;
    let group = Handle(hex32(&fields.take_str("group").ok()?)?);
    let mut handles = |name| -> Option<BTreeSet<Handle>> {
        let listed = fields.take_strings(name).ok()?;
        listed.iter().map(|text| hex32(text).map(Handle)).collect()
    };
    Some(Paper::Held(HeldChange {
        group,
        added: handles("added")?,
        removed: handles("removed")?,
    }))
}

/// A signed change of admins, or any JSON, of which keys of the identity provider are taken.
fn policy(bytes: &[u8], authority: Option<&TenantAuthority>) -> Result<Paper, Fault> {
    if let Ok(envelope) = Envelope::parse(bytes)
        && envelope.unverified_payload_type() == ADMINS_PAYLOAD_TYPE
    {
        let authority = authority.ok_or(Fault::AdminChangeInvalid)?;
        let change = AdminChange::verify(&envelope, authority)
            .map_err(|_refused| Fault::AdminChangeInvalid)?;
        return Ok(Paper::Admins(change.into()));
    }
    let value = Value::parse(bytes, &LIMITS).map_err(|_form| Fault::DocumentMalformed)?;
    let member = |name| value.as_object().and_then(|object| object.get(name));
    let issuer_keys = match member("thumbprints") {
        None => None,
        Some(listed) => {
            let waits = member("trusted_from_ms");
            Some(issuer_keys(listed, waits).ok_or(Fault::DocumentMalformed)?)
        }
    };
    Ok(Paper::Policy(Policy {
        issuer_keys,
        ends_plan: member("plan").is_some(),
    }))
}

/// The thumbprints of keys, each with the time from which it counts.
fn issuer_keys(listed: &Value, waits: Option<&Value>) -> Option<BTreeMap<[u8; 32], u64>> {
    let (listed, waits) = (listed.as_array()?, waits?.as_array()?);
    if listed.len() != waits.len() {
        return None;
    }
    let pairs = listed.iter().zip(waits);
    pairs
        .map(|(key, from_ms)| Some((hex32(key.as_str()?)?, from_ms.as_u64()?)))
        .collect()
}

fn devices(bytes: &[u8]) -> Result<Paper, Fault> {
    let devices = device_list(bytes).ok_or(Fault::DocumentMalformed)?;
    let mut known = Vec::new();
    for (id, public) in devices {
        let public = PublicKeyset::decode(&public).map_err(|_key| Fault::DeviceMismatch)?;
        let fingerprint = *public.fingerprint().as_bytes();
        if fingerprint != id {
            return Err(Fault::DeviceMismatch);
        }
        known.push(Device {
            fingerprint,
            signing: *public.signing(),
        });
    }
    Ok(Paper::Devices(known))
}

fn device_list(bytes: &[u8]) -> Option<Vec<([u8; 32], Vec<u8>)>> {
    let mut fields = Fields::parse(bytes, &LIMITS).ok()?;
    fields
        .take_array("devices")
        .ok()?
        .into_iter()
        .map(|element| {
            let mut device = element.into_fields().ok()?;
            let id = hex32(&device.take_str("id").ok()?)?;
            let public = Base64::decode_vec(&device.take_str("public").ok()?).ok()?;
            Some((id, public))
        })
        .collect()
}

/// 32 bytes of 64 lower-case hexadecimal digits.
pub(crate) fn hex32(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    (hex::encode(bytes) == text).then_some(bytes)
}

/// A text as the directory compares userNames.
pub(crate) fn canonical_user_name(text: &str) -> String {
    FoldedName::lookup(text).into_string()
}
