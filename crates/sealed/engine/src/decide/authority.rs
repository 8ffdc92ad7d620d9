//! Whether a caller may do what it asks, now.

use alloc::vec::Vec;

use chancery_authority::{
    ActClass, BurstLimits, GroupStanding, OnDelete, Scope, UserNameForm, VerifiedDelegation,
};
use chancery_scim::{Catalogue, Identifier};

use super::Settings;
use crate::act::Refusal;
use crate::id::ResourceId;
use crate::registry::{Granted, Registry};
use crate::resource::Credential;

/// A credential that is alive at commit time.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) credential: [u8; 32],
    pub(super) now_ms: u64,
    /// Whether what it asks for is recorded as an intent.
    pub(super) planning: bool,
    /// The resource types that are offered.
    pub(super) catalogue: Catalogue,
    scopes: Vec<Scope>,
    any_domain: bool,
}

/// The delegation that covers an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) handle: [u8; 32],
    pub(super) hash: [u8; 32],
    pub(super) on_delete: OnDelete,
    pub(super) limits: BurstLimits,
    /// Whether the act waits for an admin's signature, because it is about a sensitive group.
    pub(super) waits: bool,
}

impl Grant {
    pub(super) fn of(granted: &Granted, waits: bool) -> Self {
        let terms = granted.delegation.delegation();
        Self {
            handle: granted.handle,
            hash: *granted.delegation.hash(),
            on_delete: terms.on_delete,
            limits: terms.limits,
            waits,
        }
    }

    /// When a user that is deleted now is to be erased, in milliseconds since the Unix epoch.
    pub(super) const fn erase_at_ms(&self, now_ms: u64) -> Option<u64> {
        match self.on_delete {
            OnDelete::EraseAfterDays(days) => {
                Some(now_ms.saturating_add(days.saturating_mul(DAY_MS)))
            }
            _ => None,
        }
    }
}

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

/// Finds a credential that is neither revoked nor expired.
///
/// # Errors
/// [`Refusal::Unauthorized`], whatever is wrong.
pub fn live_credential<'a>(
    registry: &'a Registry,
    now_ms: u64,
    handle: &[u8; 32],
) -> Result<&'a Credential, Refusal> {
    registry
        .credential(handle)
        .filter(|credential| !credential.revoked && now_ms < credential.not_after_ms)
        .map(AsRef::as_ref)
        .ok_or(Refusal::Unauthorized)
}

/// Whether a credential may do what `scope` covers and sets no identifier, now.
///
/// # Errors
/// As for every act: the credential, its scope, then the delegations.
pub fn covers(
    registry: &Registry,
    now_ms: u64,
    credential: &Credential,
    scope: Scope,
) -> Result<(), Refusal> {
    let caller = Caller {
        credential: credential.handle,
        now_ms,
        planning: false,
        catalogue: Catalogue::STANDARD,
        scopes: scopes(credential),
        any_domain: false,
    };
    caller.may(registry, &Need::of(scope)).map(|_grant| ())
}

fn scopes(credential: &Credential) -> Vec<Scope> {
    credential
        .scopes
        .iter()
        .filter_map(|name| Scope::parse(name))
        .collect()
}

/// Everything that one act needs from one delegation.
#[derive(Debug, Default)]
pub(super) struct Need<'a> {
    /// Kinds of act.
    pub(super) scopes: Vec<Scope>,
    /// Identifiers that the act sets or brings back to life (I13).
    pub(super) identifiers: Vec<Identifier>,
    /// Canonical userNames of the accounts that it touches, before and after.
    pub(super) accounts: Vec<&'a str>,
    /// Folded display names of the groups that it touches, before and after.
    pub(super) groups: Vec<&'a str>,
    /// Whether it can wait for an admin's signature if one of these is sensitive.
    pub(super) can_wait: bool,
    /// Canonical userNames of those whose memberships it changes; needed only while some delegation is a
    /// pilot.
    pub(super) members: Vec<&'a str>,
}

impl Need<'_> {
    /// One kind of act that sets no identifier.
    pub(super) fn of(scope: Scope) -> Self {
        Self {
            scopes: alloc::vec![scope],
            ..Self::default()
        }
    }
}

impl Caller {
    pub(super) fn new(
        settings: &Settings,
        registry: &Registry,
        now_ms: u64,
        handle: &[u8; 32],
    ) -> Result<Self, Refusal> {
        let credential = live_credential(registry, now_ms, handle)?;
        Ok(Self {
            credential: *handle,
            now_ms,
            planning: registry.takes_intents(now_ms),
            catalogue: settings.catalogue,
            scopes: scopes(credential),
            any_domain: settings.dangerous_any_domain,
        })
    }

    /// The caller of an act that an admin approves now: its credential may have expired since it asked.
    ///
    /// # Errors
    /// [`Refusal::Stale`] if it was revoked.
    pub(super) fn asked_before(
        settings: &Settings,
        registry: &Registry,
        now_ms: u64,
        handle: &[u8; 32],
    ) -> Result<Self, Refusal> {
        let credential = registry
            .credential(handle)
            .filter(|credential| !credential.revoked)
            .ok_or(Refusal::Stale {
                what: "the credential that asked for it was revoked since",
            })?;
        Ok(Self {
            credential: *handle,
            now_ms,
            planning: false,
            catalogue: settings.catalogue,
            scopes: scopes(credential),
            any_domain: settings.dangerous_any_domain,
        })
    }

    /// Finds the one delegation that covers all of an act: the log names it, so it must bear the
    /// whole act alone. One that lets it happen at once comes before one that lets it wait. The newest
    /// one says why if none does.
    pub(super) fn may(&self, registry: &Registry, need: &Need<'_>) -> Result<Grant, Refusal> {
        if let Some(missing) = need
            .scopes
            .iter()
            .find(|scope| !self.scopes.contains(scope))
        {
            return Err(Refusal::CredentialScope {
                scope: missing.name(),
            });
        }
        let (mut refusal, mut not_in_force, mut waiting) = (None, None, None);
        for granted in live(registry) {
            match self.covered(granted, need) {
                Ok(grant) if grant.waits => {
                    waiting.get_or_insert(grant);
                }
                Ok(grant) => return Ok(grant),
                Err(Refusal::Delegation(error)) if is_about_time(&error) => {
                    not_in_force.get_or_insert(Refusal::Delegation(error));
                }
                Err(error) => {
                    refusal.get_or_insert(error);
                }
            }
        }
        if let Some(grant) = waiting {
            return Ok(grant);
        }
        // What a delegation in force says is worth more than that another one is not.
        Err(refusal.or(not_in_force).unwrap_or(Refusal::NoDelegation))
    }

    fn covered(&self, granted: &Granted, need: &Need<'_>) -> Result<Grant, Refusal> {
        let delegation = &granted.delegation;
        let named = |identifier: &&Identifier| identifier.domain.is_some();
        let domains: Vec<&str> = need
            .identifiers
            .iter()
            .filter(|_| !self.any_domain)
            .filter_map(|identifier| identifier.domain.as_deref())
            .collect();
        let user_name = if self.any_domain || need.identifiers.iter().all(|id| named(&id)) {
            UserNameForm::InDomain
        } else {
            UserNameForm::WithoutDomain
        };
        for scope in &need.scopes {
            let act = ActClass {
                scope: *scope,
                domains: &domains,
                user_name,
            };
            delegation
                .permits(self.now_ms, &act)
                .map_err(Refusal::Delegation)?;
        }
        for account in &need.accounts {
            open_account(delegation, account)?;
        }
        for member in &need.members {
            in_pilot(delegation, member)?;
        }
        // Whoever signs a plan signs its changes of sensitive groups as well: they need not wait apart.
        let can_wait = need.can_wait || self.planning;
        let mut waits = false;
        for group in &need.groups {
            waits |= is_sensitive(delegation, group, can_wait)?;
        }
        Ok(Grant::of(granted, waits && !self.planning))
    }
}

const fn is_about_time(refusal: &chancery_authority::Refusal) -> bool {
    matches!(
        refusal,
        chancery_authority::Refusal::NotYetValid { .. }
            | chancery_authority::Refusal::Expired { .. }
    )
}

/// Delegations that were not revoked, the newest first.
fn live(registry: &Registry) -> impl Iterator<Item = &Granted> {
    registry
        .delegations()
        .iter()
        .rev()
        .filter(|granted| !granted.revoked)
}

/// Refuses groups that automation does not manage; tells whether a change of the group has to wait.
fn is_sensitive(
    delegation: &VerifiedDelegation,
    name: &str,
    can_wait: bool,
) -> Result<bool, Refusal> {
    let reason = match delegation.group_standing(name) {
        GroupStanding::Managed | GroupStanding::Sensitive if !delegation.pilot_has_group(name) => {
            "the delegation is a pilot and does not include this group"
        }
        GroupStanding::Managed => return Ok(false),
        GroupStanding::Sensitive if can_wait => return Ok(true),
        GroupStanding::Sensitive => {
            "this group is sensitive: an admin must create or delete it, automation cannot"
        }
        GroupStanding::Unmanaged => "the delegation does not include this group",
        GroupStanding::Protected => "this group is protected from automation",
    };
    Err(Refusal::Protected { reason })
}

/// Refuses accounts that are out of automation's reach.
pub(super) fn open_account(
    delegation: &VerifiedDelegation,
    user_name: &str,
) -> Result<(), Refusal> {
    if delegation.is_protected_account(user_name) {
        return Err(Refusal::Protected {
            reason: "this account is protected from automation",
        });
    }
    in_pilot(delegation, user_name)
}

/// Refuses accounts that a pilot leaves out.
fn in_pilot(delegation: &VerifiedDelegation, user_name: &str) -> Result<(), Refusal> {
    if delegation.pilot_has_account(user_name) {
        return Ok(());
    }
    Err(Refusal::Protected {
        reason: "the delegation is a pilot and does not include this account",
    })
}

/// The names of those whose memberships an act changes, if a delegation could leave some of them out.
pub(super) fn members_named(
    registry: &Registry,
    members: impl Iterator<Item = ResourceId>,
) -> Vec<&str> {
    let is_pilot = |granted: &Granted| granted.delegation.delegation().pilot.is_some();
    if !live(registry).any(is_pilot) {
        return Vec::new();
    }
    let users = registry.effective().users();
    members
        .filter_map(|id| users.get(id))
        .map(|user| &*user.keys.user_name)
        .collect()
}
