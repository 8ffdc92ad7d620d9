//! The check of one act against a live delegation.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString as _};
use core::fmt;

use chancery_dsse::KeyId;

use crate::admin::AdminSet;
use crate::delegation::{Delegation, Pilot, VerifiedDelegation, fold};
use crate::scope::{Scope, ScopeSet};

/// What an act needs from a delegation.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a caller must state every need; a new one must break every caller"
)]
pub struct ActClass<'a> {
    /// The kind of act.
    pub scope: Scope,
    /// The domain of every address and of every userName that contains `@` which the act sets, in the
    /// form that is stored.
    pub domains: &'a [&'a str],
    /// Whether the act sets a userName without `@`.
    pub user_name: UserNameForm,
}

/// Whether an act sets a userName that lies in no domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third case")]
pub enum UserNameForm {
    /// It sets none, or one whose domain is in [`ActClass::domains`].
    InDomain,
    /// It sets one without `@`.
    WithoutDomain,
}

/// Why a delegation does not cover an act.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The delegation begins later.
    NotYetValid {
        /// When, in milliseconds since the Unix epoch.
        not_before_ms: u64,
    },
    /// The delegation has ended.
    Expired {
        /// When, in milliseconds since the Unix epoch.
        not_after_ms: u64,
    },
    /// The delegation does not name the scope.
    ScopeMissing {
        /// The scope.
        scope: Scope,
    },
    /// The delegation does not name the domain, or the text is no canonical domain.
    ///
    /// The text may come from a peer: it belongs in the answer to that peer, not in a log.
    DomainNotTrusted {
        /// The text.
        domain: String,
    },
    /// The delegation does not allow a userName without a domain.
    UserNameWithoutDomain,
}

/// Where a group stands for automation. A name on two lists counts by the stricter one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a caller must decide each case; a new one must break every caller"
)]
pub enum GroupStanding {
    /// Automation may change it.
    Managed,
    /// Its changes wait for an admin's signature.
    Sensitive,
    /// Automation does not manage it.
    Unmanaged,
    /// Out of automation's reach.
    Protected,
}

impl VerifiedDelegation {
    /// What was signed.
    #[must_use]
    pub const fn delegation(&self) -> &Delegation {
        &self.delegation
    }

    /// SHA-256 of the payload, as it stands in each entry of the log that names this delegation.
    #[must_use]
    pub const fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// The admins' keys that signed it.
    #[must_use]
    pub fn signers(&self) -> &[KeyId] {
        &self.signers
    }

    /// Whether a threshold of `admins` is among those who signed it. After a change of admins, one that
    /// is not has ended (I11): the present admins sign a new one.
    #[must_use]
    pub fn is_signed_by(&self, admins: &AdminSet) -> bool {
        let present = self.signers.iter().filter(|id| admins.by_key(id).is_some());
        present.count() >= admins.threshold()
    }

    /// Checks one act at `now_ms`, the time of its commit. Revocation and limits are the engine's.
    ///
    /// # Errors
    /// The first [`Refusal`], in the order of its variants.
    pub fn permits(&self, now_ms: u64, act: &ActClass<'_>) -> Result<(), Refusal> {
        let delegation = &self.delegation;
        if now_ms < delegation.not_before_ms {
            return Err(Refusal::NotYetValid {
                not_before_ms: delegation.not_before_ms,
            });
        }
        if now_ms >= delegation.not_after_ms {
            return Err(Refusal::Expired {
                not_after_ms: delegation.not_after_ms,
            });
        }
        if !delegation.scopes.contains(act.scope) {
            return Err(Refusal::ScopeMissing { scope: act.scope });
        }
        for text in act.domains {
            // The set holds canonical domains alone, so equality with one is all that is needed.
            if !delegation.domains.contains(*text) {
                return Err(Refusal::DomainNotTrusted {
                    domain: (*text).to_string(),
                });
            }
        }
        if act.user_name == UserNameForm::WithoutDomain
            && !delegation.allow_user_names_without_domain
        {
            return Err(Refusal::UserNameWithoutDomain);
        }
        Ok(())
    }

    /// The same delegation with its listed names brought into the form in which names are stored, so
    /// that no other spelling of a listed name slips past it. `account` and `group` must be
    /// idempotent.
    #[must_use]
    pub fn with_canonical_names(
        mut self,
        account: &dyn Fn(&str) -> String,
        group: &dyn Fn(&str) -> String,
    ) -> Self {
        let mapped = |names: &BTreeSet<String>, form: &dyn Fn(&str) -> String| {
            names.iter().map(|name| fold(&form(name))).collect()
        };
        self.protected_accounts = mapped(&self.protected_accounts, account);
        self.protected_groups = mapped(&self.protected_groups, group);
        self.sensitive_groups = mapped(&self.sensitive_groups, group);
        self.managed_groups = self.managed_groups.map(|names| mapped(&names, group));
        self.pilot = self.pilot.map(|pilot| Pilot {
            users: mapped(&pilot.users, account),
            groups: mapped(&pilot.groups, group),
        });
        self
    }

    /// Where the group with this display name stands. Before a rename, ask for both names.
    ///
    /// The caller gives the name in the form that is stored; letters' case is ignored here.
    #[must_use]
    pub fn group_standing(&self, display_name: &str) -> GroupStanding {
        let name = fold(display_name);
        if self.protected_groups.contains(&name) {
            GroupStanding::Protected
        } else if self
            .managed_groups
            .as_ref()
            .is_some_and(|managed| !managed.contains(&name))
        {
            GroupStanding::Unmanaged
        } else if self.sensitive_groups.contains(&name) {
            GroupStanding::Sensitive
        } else {
            GroupStanding::Managed
        }
    }

    /// Whether an account, by userName, lies within the pilot, if there is one.
    #[must_use]
    pub fn pilot_has_account(&self, user_name: &str) -> bool {
        self.pilot
            .as_ref()
            .is_none_or(|pilot| pilot.users.contains(&fold(user_name)))
    }

    /// Whether a group, by display name, lies within the pilot, if there is one.
    #[must_use]
    pub fn pilot_has_group(&self, display_name: &str) -> bool {
        self.pilot
            .as_ref()
            .is_none_or(|pilot| pilot.groups.contains(&fold(display_name)))
    }

    /// Whether the account with this userName is out of automation's reach. Before a rename, ask for
    /// both names.
    #[must_use]
    pub fn is_protected_account(&self, user_name: &str) -> bool {
        self.protected_accounts.contains(&fold(user_name))
    }

    /// Whether a credential with these scopes and this life may be issued at `now_ms` under it.
    #[must_use]
    pub fn allows_credential(&self, now_ms: u64, scopes: ScopeSet, not_after_ms: u64) -> bool {
        let life_ms_max = self.delegation.credential_life_max_s.saturating_mul(1000);
        let live = self.delegation.not_before_ms <= now_ms && now_ms < self.delegation.not_after_ms;
        live && !scopes.is_empty()
            && scopes.is_subset(self.delegation.scopes)
            && not_after_ms > now_ms
            && not_after_ms.saturating_sub(now_ms) <= life_ms_max
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotYetValid { not_before_ms } => write!(
                formatter,
                "the delegation is not valid before {not_before_ms} ms"
            ),
            Self::Expired { not_after_ms } => {
                write!(formatter, "the delegation expired at {not_after_ms} ms")
            }
            Self::ScopeMissing { scope } => {
                write!(formatter, "the delegation does not include {scope}")
            }
            Self::DomainNotTrusted { .. } => {
                formatter.write_str("the delegation does not include the domain")
            }
            Self::UserNameWithoutDomain => {
                formatter.write_str("the delegation requires userNames with a domain")
            }
        }
    }
}

impl core::error::Error for Refusal {}
