//! What automation may do for a tenant, from when to when.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use chancery_dsse::{Envelope, KeyId, SigningKey};
use chancery_json::{Element, Object, Value};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::{Error, FieldFault};
use crate::genesis::{IdMapping, TenantAuthority, read_domains};
use crate::name::{Domain, TenantId};
use crate::read;
use crate::scope::{Scope, ScopeSet};

/// DSSE payload type of a delegation.
pub const DELEGATION_PAYLOAD_TYPE: &str = "application/vnd.chancery.delegation+json";

/// Longest life of a delegation, two years: a forgotten one must end.
pub const DELEGATION_LIFE_MS_MAX: u64 = 731 * 24 * 60 * 60 * 1000;

/// Longest life of a credential, a year and a day: an IdP that is never touched must notice.
pub const CREDENTIAL_LIFE_S_MAX: u64 = 366 * 24 * 60 * 60;

/// Shortest and longest window in which acts are counted: a minute to a week.
const WINDOW_S: core::ops::RangeInclusive<u64> = 60..=7 * 24 * 60 * 60;

/// Most acts of one kind in a window that can be signed for.
const LIMIT_MAX: u64 = 10_000_000;

/// Longest retention of a deleted account, ten years.
const ERASE_AFTER_DAYS_MAX: u64 = 3653;

/// Which groups automation manages. A group outside is not there for it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ManagedGroups {
    /// Every group but the protected ones.
    All,
    /// The groups with these display names; none if empty.
    Listed(BTreeSet<String>),
}

/// How many acts of a kind may happen within one window before an admin has to approve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the signed format names every member"
)]
pub struct BurstLimits {
    /// Length of the sliding window in seconds.
    pub window_s: u64,
    /// Accounts suspended; at least 1, because a single suspension never waits.
    pub suspensions: u64,
    /// Accounts deleted.
    pub deletions: u64,
    /// Memberships granted.
    pub grants: u64,
    /// Groups left without members.
    pub emptied_groups: u64,
}

/// What the IdP's DELETE of a user means. The name is unbound at once in both cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnDelete {
    /// The subject stays suspended until an admin signs its erasure.
    Suspend,
    /// The subject is suspended and erased after this many days.
    EraseAfterDays(u64),
}

/// What a tenant's admins sign. Every member is required; an empty list allows nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the signed format names every member"
)]
pub struct Delegation {
    /// The tenant.
    pub tenant: TenantId,
    /// Grows with each delegation of the tenant; the engine refuses one that does not.
    pub serial: u64,
    /// First millisecond since the Unix epoch at which it holds.
    pub not_before_ms: u64,
    /// First millisecond since the Unix epoch at which it no longer holds.
    pub not_after_ms: u64,
    /// What may be done.
    pub scopes: ScopeSet,
    /// In which domains; a subset of the tenant's.
    pub domains: BTreeSet<Domain>,
    /// Whether a userName may have no `@` and therefore no domain.
    pub allow_user_names_without_domain: bool,
    /// Which groups.
    pub managed_groups: ManagedGroups,
    /// Groups whose changes wait for an admin's signature, by display name.
    pub sensitive_groups: BTreeSet<String>,
    /// Groups out of reach, by display name, besides those of the genesis.
    pub protected_groups: BTreeSet<String>,
    /// Accounts out of reach, by userName, besides those of the genesis.
    pub protected_accounts: BTreeSet<String>,
    /// When bursts need an approval.
    pub limits: BurstLimits,
    /// Longest life of a credential under this delegation, in seconds.
    pub credential_life_max_s: u64,
    /// What DELETE means.
    pub on_delete: OnDelete,
    /// How an ID token is matched with an account that is provisioned under this delegation: the
    /// genesis' rule, or none, which leaves claims to the admins.
    pub id_mapping: Option<IdMapping>,
    /// Whether acts take effect or are recorded as intents.
    pub mode: Mode,
    /// Whom automation may touch at first; `None` is everybody that the rest allows.
    pub pilot: Option<Pilot>,
}

/// A delegation that a threshold of the tenant's admins signed, within what the genesis allows. Only
/// [`Delegation::verify`] makes one. Whether it was revoked, the engine knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedDelegation {
    pub(crate) delegation: Delegation,
    pub(crate) hash: [u8; 32],
    pub(crate) signers: Vec<KeyId>,
    /// Folded names of genesis and delegation together.
    pub(crate) protected_groups: BTreeSet<String>,
    pub(crate) protected_accounts: BTreeSet<String>,
    pub(crate) sensitive_groups: BTreeSet<String>,
    /// Folded names, or none if every group is managed.
    pub(crate) managed_groups: Option<BTreeSet<String>>,
    pub(crate) pilot: Option<Pilot>,
}

/// What becomes of an act that a delegation covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a caller must decide each case; a new one must break every caller"
)]
pub enum Mode {
    /// It takes effect.
    Apply,
    /// It is recorded as an intent and takes effect once an admin has signed the plan.
    Plan,
}

impl Mode {
    /// The word of the signed format.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Plan => "plan",
        }
    }

    /// The mode that a word names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Apply, Self::Plan]
            .into_iter()
            .find(|mode| mode.name() == text)
    }
}

/// The accounts and groups that automation may touch while it is tried out. An empty list allows
/// nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the signed format names every member"
)]
pub struct Pilot {
    /// Accounts, by userName.
    pub users: BTreeSet<String>,
    /// Groups, by display name.
    pub groups: BTreeSet<String>,
}

impl Delegation {
    /// Reads a delegation from JSON in any layout, as an editor writes it. Nothing is believed by that.
    ///
    /// # Errors
    /// [`Error::Json`] or [`Error::Field`] with the place.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Error> {
        let mut fields = read::document(bytes)?;
        let delegation = Self {
            tenant: TenantId::from_bytes(read::hex_bytes(fields.take("tenant")?)?),
            serial: read::number(fields.take("serial")?, &(1..=read::NUMBER_MAX))?,
            not_before_ms: read::time_ms(fields.take("not_before_ms")?)?,
            not_after_ms: read_not_after(&mut fields)?,
            scopes: read_scopes(fields.take("scopes")?)?,
            domains: read_domains(fields.take("domains")?)?,
            allow_user_names_without_domain: fields.take_bool("allow_user_names_without_domain")?,
            managed_groups: read_managed_groups(fields.take("managed_groups")?)?,
            sensitive_groups: read::names(fields.take("sensitive_groups")?)?,
            protected_groups: read::names(fields.take("protected_groups")?)?,
            protected_accounts: read::names(fields.take("protected_accounts")?)?,
            limits: read_limits(fields.take("limits")?)?,
            credential_life_max_s: read::number(
                fields.take("credential_life_max_s")?,
                &(60..=CREDENTIAL_LIFE_S_MAX),
            )?,
            on_delete: read_on_delete(fields.take("on_delete")?)?,
            id_mapping: read_id_mapping(fields.take("idp_mapping")?)?,
            mode: read::parsed(fields.take("mode")?, FieldFault::UnknownWord, Mode::parse)?,
            pilot: read_pilot(fields.take("pilot")?)?,
        };
        fields.finish()?;
        if delegation.not_after_ms <= delegation.not_before_ms {
            return Err(Error::field(
                "/not_after_ms",
                FieldFault::EndBeforeBeginning,
            ));
        }
        let life_ms = delegation
            .not_after_ms
            .saturating_sub(delegation.not_before_ms);
        if life_ms > DELEGATION_LIFE_MS_MAX {
            return Err(Error::field("/not_after_ms", FieldFault::OutOfRange));
        }
        Ok(delegation)
    }

    /// The one encoding, which is what is signed and hashed.
    #[must_use]
    pub fn to_payload(&self) -> Vec<u8> {
        let managed_groups = match &self.managed_groups {
            ManagedGroups::All => Value::from("all"),
            ManagedGroups::Listed(names) => read::list(names, String::clone),
        };
        let limits = Object::new()
            .with("window_s", self.limits.window_s)
            .with("suspensions", self.limits.suspensions)
            .with("deletions", self.limits.deletions)
            .with("grants", self.limits.grants)
            .with("emptied_groups", self.limits.emptied_groups);
        let on_delete = match self.on_delete {
            OnDelete::Suspend => Value::from("suspend"),
            OnDelete::EraseAfterDays(days) => Object::new().with("erase_after_days", days).into(),
        };
        let id_mapping = self
            .id_mapping
            .map_or(Value::Null, |mapping| mapping.name().into());
        Object::new()
            .with("version", read::VERSION)
            .with("tenant", self.tenant.to_string())
            .with("serial", self.serial)
            .with("not_before_ms", self.not_before_ms)
            .with("not_after_ms", self.not_after_ms)
            .with(
                "scopes",
                read::list(self.scopes.iter(), |scope| scope.name().to_string()),
            )
            .with("domains", read::list(&self.domains, Domain::to_string))
            .with(
                "allow_user_names_without_domain",
                self.allow_user_names_without_domain,
            )
            .with("managed_groups", managed_groups)
            .with(
                "sensitive_groups",
                read::list(&self.sensitive_groups, String::clone),
            )
            .with(
                "protected_groups",
                read::list(&self.protected_groups, String::clone),
            )
            .with(
                "protected_accounts",
                read::list(&self.protected_accounts, String::clone),
            )
            .with("limits", limits)
            .with("credential_life_max_s", self.credential_life_max_s)
            .with("on_delete", on_delete)
            .with("idp_mapping", id_mapping)
            .with("mode", self.mode.name())
            .with(
                "pilot",
                self.pilot.as_ref().map_or(Value::Null, write_pilot),
            )
            .to_bytes()
    }

    /// Signs the one encoding. Members that [`Delegation::from_json`] would refuse are refused here too.
    ///
    /// # Errors
    /// As [`Delegation::from_json`], and [`Error::Envelope`].
    pub fn sign(&self, keys: &[&SigningKey]) -> Result<Envelope, Error> {
        let payload = self.to_payload();
        Self::from_json(&payload)?;
        Ok(Envelope::sign(DELEGATION_PAYLOAD_TYPE, &payload, keys)?)
    }

    /// Believes a delegation that a threshold of the tenant's present admins signed and that stays
    /// within the tenant's domains and ID mapping.
    ///
    /// # Errors
    /// [`Error::Envelope`], [`Error::Json`], [`Error::Field`], [`Error::NotCanonical`] or
    /// [`Error::ForeignTenant`].
    pub fn verify(
        envelope: &Envelope,
        authority: &TenantAuthority,
    ) -> Result<VerifiedDelegation, Error> {
        let verified = authority.admins.verify(envelope, DELEGATION_PAYLOAD_TYPE)?;
        let delegation = Self::from_json(verified.payload())?;
        if delegation.to_payload() != verified.payload() {
            return Err(Error::NotCanonical);
        }
        if delegation.tenant != authority.tenant {
            return Err(Error::ForeignTenant);
        }
        if !delegation.domains.is_subset(&authority.domains) {
            return Err(Error::field("/domains", FieldFault::BeyondGenesis));
        }
        if delegation.id_mapping.is_some() && delegation.id_mapping != authority.id_mapping {
            return Err(Error::field("/idp_mapping", FieldFault::BeyondGenesis));
        }
        let managed_groups = match &delegation.managed_groups {
            ManagedGroups::All => None,
            ManagedGroups::Listed(names) => Some(folded([names])),
        };
        Ok(VerifiedDelegation {
            hash: Sha256::digest(verified.payload()).into(),
            signers: verified.signers().to_vec(),
            protected_groups: folded([&authority.protected_groups, &delegation.protected_groups]),
            protected_accounts: folded([
                &authority.protected_accounts,
                &delegation.protected_accounts,
            ]),
            sensitive_groups: folded([&delegation.sensitive_groups]),
            managed_groups,
            pilot: delegation.pilot.as_ref().map(|pilot| Pilot {
                users: folded([&pilot.users]),
                groups: folded([&pilot.groups]),
            }),
            delegation,
        })
    }
}

/// Names as they are compared: lower case, so that no spelling slips past a protection.
pub(crate) fn fold(name: &str) -> String {
    name.trim().chars().flat_map(char::to_lowercase).collect()
}

fn folded<'a>(sets: impl IntoIterator<Item = &'a BTreeSet<String>>) -> BTreeSet<String> {
    sets.into_iter().flatten().map(|name| fold(name)).collect()
}

fn read_not_after(fields: &mut chancery_json::Fields) -> Result<u64, Error> {
    read::time_ms(fields.take("not_after_ms")?)
}

pub(crate) fn read_scopes(element: Element) -> Result<ScopeSet, Error> {
    let scopes = read::set(element, Scope::ALL.len(), |entry| {
        read::parsed(entry, FieldFault::UnknownWord, Scope::parse)
    })?;
    Ok(scopes.into_iter().collect())
}

fn read_managed_groups(element: Element) -> Result<ManagedGroups, Error> {
    let pointer = element.pointer().to_string();
    match element.into_value() {
        Value::String(text) if text == "all" => Ok(ManagedGroups::All),
        Value::String(_) => Err(Error::field(pointer, FieldFault::UnknownWord)),
        other => read::nested(&pointer, other, read::names).map(ManagedGroups::Listed),
    }
}

fn read_limits(element: Element) -> Result<BurstLimits, Error> {
    let mut fields = element.into_fields()?;
    let any = 0..=LIMIT_MAX;
    let limits = BurstLimits {
        window_s: read::number(fields.take("window_s")?, &WINDOW_S)?,
        suspensions: read::number(fields.take("suspensions")?, &(1..=LIMIT_MAX))?,
        deletions: read::number(fields.take("deletions")?, &any)?,
        grants: read::number(fields.take("grants")?, &any)?,
        emptied_groups: read::number(fields.take("emptied_groups")?, &any)?,
    };
    fields.finish()?;
    Ok(limits)
}

fn read_on_delete(element: Element) -> Result<OnDelete, Error> {
    let pointer = element.pointer().to_string();
    match element.into_value() {
        Value::String(text) if text == "suspend" => Ok(OnDelete::Suspend),
        Value::String(_) => Err(Error::field(pointer, FieldFault::UnknownWord)),
        other => read::nested(&pointer, other, |element| {
            let mut fields = element.into_fields()?;
            let days = read::number(
                fields.take("erase_after_days")?,
                &(1..=ERASE_AFTER_DAYS_MAX),
            )?;
            fields.finish()?;
            Ok(OnDelete::EraseAfterDays(days))
        }),
    }
}

fn read_id_mapping(element: Element) -> Result<Option<IdMapping>, Error> {
    let pointer = element.pointer().to_string();
    match element.into_value() {
        Value::Null => Ok(None),
        other => read::nested(&pointer, other, |element| {
            read::parsed(element, FieldFault::UnknownWord, IdMapping::parse).map(Some)
        }),
    }
}

fn read_pilot(element: Element) -> Result<Option<Pilot>, Error> {
    let pointer = element.pointer().to_string();
    match element.into_value() {
        Value::Null => Ok(None),
        other => read::nested(&pointer, other, |element| {
            let mut fields = element.into_fields()?;
            let pilot = Pilot {
                users: read::names(fields.take("users")?)?,
                groups: read::names(fields.take("groups")?)?,
            };
            fields.finish()?;
            Ok(Some(pilot))
        }),
    }
}

fn write_pilot(pilot: &Pilot) -> Value {
    Object::new()
        .with("users", read::list(&pilot.users, String::clone))
        .with("groups", read::list(&pilot.groups, String::clone))
        .into()
}

#[cfg(test)]
mod tests;
