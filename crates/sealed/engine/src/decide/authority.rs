//! Whether a caller may do what it asks, now.

use alloc::vec::Vec;

use chancery_authority::{ActClass, GroupStanding, Scope, UserNameForm, VerifiedDelegation};
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
}

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
    caller.may(registry, scope).map(|_grant| ())
}

fn scopes(credential: &Credential) -> Vec<Scope> {
    credential
        .scopes
        .iter()
        .filter_map(|name| Scope::parse(name))
        .collect()
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

    /// An act of `scope` that sets no identifier.
    pub(super) fn may(&self, registry: &Registry, scope: Scope) -> Result<Grant, Refusal> {
        self.check(registry, scope, &[], UserNameForm::InDomain)
    }

    /// An act of `scope` that sets these identifiers (I13).
    pub(super) fn may_set(
        &self,
        registry: &Registry,
        scope: Scope,
        identifiers: &[Identifier],
    ) -> Result<Grant, Refusal> {
        if self.any_domain {
            return self.may(registry, scope);
        }
        let domains: Vec<&str> = identifiers
            .iter()
            .filter_map(|identifier| identifier.domain.as_deref())
            .collect();
        let form = if identifiers
            .iter()
            .any(|identifier| identifier.domain.is_none())
        {
            UserNameForm::WithoutDomain
        } else {
            UserNameForm::InDomain
        };
        self.check(registry, scope, &domains, form)
    }

    fn check(
        &self,
        registry: &Registry,
        scope: Scope,
        domains: &[&str],
        user_name: UserNameForm,
    ) -> Result<Grant, Refusal> {
        if !self.scopes.contains(&scope) {
            return Err(Refusal::CredentialScope {
                scope: scope.name(),
            });
        }
        let act = ActClass {
            scope,
            domains,
            user_name,
        };
        let mut refusal = None;
        for granted in live(registry) {
            match granted.delegation.permits(self.now_ms, &act) {
                Ok(()) => {
                    return Ok(Grant {
                        handle: granted.handle,
                        hash: *granted.delegation.hash(),
                    });
                }
                Err(error) => {
                    refusal.get_or_insert(error);
                }
            }
        }
        Err(refusal.map_or(Refusal::NoDelegation, Refusal::Delegation))
    }
}

/// Delegations that were not revoked, the newest first.
fn live(registry: &Registry) -> impl Iterator<Item = &Granted> {
    registry
        .delegations()
        .iter()
        .rev()
        .filter(|granted| !granted.revoked)
}

fn newest(registry: &Registry) -> Option<&VerifiedDelegation> {
    live(registry).next().map(|granted| &granted.delegation)
}

/// Refuses groups that automation does not manage.
pub(super) fn managed_group(registry: &Registry, display_name: &str) -> Result<(), Refusal> {
    let standing = newest(registry).map(|delegation| delegation.group_standing(display_name));
    match standing {
        Some(GroupStanding::Managed) => Ok(()),
        Some(GroupStanding::Sensitive) => Err(Refusal::Protected {
            reason: "changes of this group need an admin's signature",
        }),
        Some(GroupStanding::Unmanaged) => Err(Refusal::Protected {
            reason: "the delegation does not include this group",
        }),
        Some(GroupStanding::Protected) => Err(Refusal::Protected {
            reason: "this group is protected from automation",
        }),
        None => Err(Refusal::NoDelegation),
    }
}

/// Refuses accounts that are out of automation's reach.
pub(super) fn open_account(registry: &Registry, user_name: &str) -> Result<(), Refusal> {
    match newest(registry).map(|delegation| delegation.is_protected_account(user_name)) {
        Some(false) => Ok(()),
        Some(true) => Err(Refusal::Protected {
            reason: "this account is protected from automation",
        }),
        None => Err(Refusal::NoDelegation),
    }
}
