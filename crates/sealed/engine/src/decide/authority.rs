//! Whether a caller may do what it asks, now.

use alloc::vec::Vec;

use chancery_authority::{
    ActClass, GroupStanding, OnDelete, Scope, UserNameForm, VerifiedDelegation,
};
use chancery_scim::Identifier;

use super::Settings;
use crate::act::Refusal;
use crate::registry::{Granted, Registry};
use crate::resource::Credential;

/// A credential that is alive at commit time.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) credential: [u8; 32],
    pub(super) now_ms: u64,
    scopes: Vec<Scope>,
    any_domain: bool,
}

/// The delegation that covers an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) handle: [u8; 32],
    pub(super) hash: [u8; 32],
    pub(super) on_delete: OnDelete,
}

impl Grant {
    fn of(granted: &Granted) -> Self {
        Self {
            handle: granted.handle,
            hash: *granted.delegation.hash(),
            on_delete: granted.delegation.delegation().on_delete,
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
            scopes: scopes(credential),
            any_domain: settings.dangerous_any_domain,
        })
    }

    /// Finds the one delegation that covers all of an act: the log names it, so it must bear the
    /// whole act alone. The newest one says why if none does.
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
        let (mut refusal, mut not_in_force) = (None, None);
        for granted in live(registry) {
            match self.covered(&granted.delegation, need) {
                Ok(()) => {
                    return Ok(Grant::of(granted));
                }
                Err(Refusal::Delegation(error)) if is_about_time(&error) => {
                    not_in_force.get_or_insert(Refusal::Delegation(error));
                }
                Err(error) => {
                    refusal.get_or_insert(error);
                }
            }
        }
        // What a delegation in force says is worth more than that another one is not.
        Err(refusal.or(not_in_force).unwrap_or(Refusal::NoDelegation))
    }

    fn covered(&self, delegation: &VerifiedDelegation, need: &Need<'_>) -> Result<(), Refusal> {
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
        for group in &need.groups {
            managed_group(delegation, group)?;
        }
        Ok(())
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

/// Refuses groups that automation does not manage.
fn managed_group(delegation: &VerifiedDelegation, name: &str) -> Result<(), Refusal> {
    let reason = match delegation.group_standing(name) {
        GroupStanding::Managed => return Ok(()),
        GroupStanding::Sensitive => "changes of this group need an admin's signature",
        GroupStanding::Unmanaged => "the delegation does not include this group",
        GroupStanding::Protected => "this group is protected from automation",
    };
    Err(Refusal::Protected { reason })
}

/// Refuses accounts that are out of automation's reach.
fn open_account(delegation: &VerifiedDelegation, user_name: &str) -> Result<(), Refusal> {
    if delegation.is_protected_account(user_name) {
        return Err(Refusal::Protected {
            reason: "this account is protected from automation",
        });
    }
    Ok(())
}
