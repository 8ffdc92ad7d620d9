//! A delegation in plain sentences, for the admin who is about to sign it.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use crate::delegation::{BurstLimits, Delegation, ManagedGroups, Mode, OnDelete};
use crate::genesis::IdMapping;
use crate::scope::Scope;

impl Delegation {
    /// What automation may do under this delegation, one sentence per entry. What is not named there
    /// it may not do. Names are quoted as signed.
    #[must_use]
    pub fn describe(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        sentences.push(format!(
            "Delegation {} for tenant {} holds from {} until before {}.",
            self.serial,
            self.tenant,
            time(self.not_before_ms),
            time(self.not_after_ms)
        ));
        sentences.push(self.describe_scopes());
        sentences.push(self.describe_domains());
        sentences.extend(self.describe_groups());
        if !self.protected_accounts.is_empty() {
            sentences.push(format!(
                "It never changes the accounts {}.",
                quoted(&self.protected_accounts)
            ));
        }
        sentences.push(describe_limits(&self.limits));
        sentences.push(format!(
            "Credentials under it live {} at most.",
            duration(self.credential_life_max_s)
        ));
        sentences.push(match self.on_delete {
            OnDelete::Suspend => {
                "Deleting a user suspends it until an admin signs its erasure.".to_string()
            }
            OnDelete::EraseAfterDays(days) => format!(
                "Deleting a user suspends it at once and erases it after {}.",
                count(days, "day")
            ),
        });
        sentences.push(describe_mapping(self.id_mapping).to_string());
        sentences.extend(self.describe_beginning());
        sentences
    }

    /// How automation begins: on trial, or with some people alone.
    fn describe_beginning(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        if let Some(pilot) = &self.pilot {
            sentences.push(format!(
                "It is a pilot for {} and {}; nothing else is in automation's reach.",
                listed("the accounts", "no account", &pilot.users),
                listed("the groups", "no group", &pilot.groups)
            ));
        }
        if self.mode == Mode::Plan {
            sentences.push(
                "Nothing takes effect by itself: acts are recorded as intents until an admin signs the plan."
                    .to_string(),
            );
        }
        sentences
    }

    fn describe_scopes(&self) -> String {
        let acts: Vec<&str> = self.scopes.iter().map(scope_in_words).collect();
        if acts.is_empty() {
            "Automation may do nothing.".to_string()
        } else {
            format!("Automation may {}.", joined(&acts))
        }
    }

    fn describe_domains(&self) -> String {
        let domains: Vec<&str> = self
            .domains
            .iter()
            .map(crate::name::Domain::as_str)
            .collect();
        let without = if self.allow_user_names_without_domain {
            "User names without a domain are allowed."
        } else {
            "User names without a domain are refused."
        };
        if domains.is_empty() {
            format!("No address in any domain is accepted. {without}")
        } else {
            format!(
                "Addresses must be in {}, exactly. {without}",
                joined(&domains)
            )
        }
    }

    fn describe_groups(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        sentences.push(match &self.managed_groups {
            ManagedGroups::All => {
                "It manages every group that is not protected, and holds the keys of those groups."
                    .to_string()
            }
            ManagedGroups::Listed(names) if names.is_empty() => "It manages no group.".to_string(),
            ManagedGroups::Listed(names) => format!(
                "It manages the groups {} alone, and holds the keys of those groups.",
                quoted(names)
            ),
        });
        if !self.sensitive_groups.is_empty() {
            sentences.push(format!(
                "Changes of the groups {} wait for an admin's signature.",
                quoted(&self.sensitive_groups)
            ));
        }
        if !self.protected_groups.is_empty() {
            sentences.push(format!(
                "It never changes the groups {}.",
                quoted(&self.protected_groups)
            ));
        }
        sentences
    }
}

const fn scope_in_words(scope: Scope) -> &'static str {
    match scope {
        Scope::UsersRead => "read users",
        Scope::UsersCreate => "create users",
        Scope::UsersUpdate => "change attributes of users",
        Scope::UsersSuspend => "suspend and reactivate users",
        Scope::UsersDelete => "delete users",
        Scope::GroupsRead => "read groups",
        Scope::GroupsManage => "create, rename and delete groups",
        Scope::GroupsMembership => "add members to groups and remove them",
    }
}

fn describe_limits(limits: &BurstLimits) -> String {
    format!(
        "Within {}, more than {}, {}, {} or {} wait for an admin's approval; a single suspension never waits.",
        duration(limits.window_s),
        count(limits.suspensions, "suspension"),
        count(limits.deletions, "deletion"),
        count(limits.grants, "granted membership"),
        count(limits.emptied_groups, "emptied group")
    )
}

const fn describe_mapping(mapping: Option<IdMapping>) -> &'static str {
    match mapping {
        None => "An admin confirms each person who claims an account.",
        Some(IdMapping::SubToExternalId) => {
            "Who signs in with the subject that stands as externalId may claim the account."
        }
        Some(IdMapping::OidToExternalId) => {
            "Who signs in with the Entra object id that stands as externalId may claim the account."
        }
        Some(IdMapping::DangerousEmailToUserName) => {
            "DANGER: who signs in with the e-mail address that stands as userName may claim the account, also after the address was given to another person."
        }
    }
}

fn count(number: u64, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

fn duration(seconds: u64) -> String {
    let units = [
        (86_400, "day"),
        (3600, "hour"),
        (60, "minute"),
        (1, "second"),
    ];
    let exact = units
        .into_iter()
        .find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit));
    match exact {
        Some((unit, noun)) => count(seconds.checked_div(unit).unwrap_or(seconds), noun),
        None => count(seconds, "second"),
    }
}

fn joined(parts: &[&str]) -> String {
    match parts {
        [] => String::new(),
        [only] => (*only).to_string(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn listed(noun: &str, none: &str, names: &BTreeSet<String>) -> String {
    if names.is_empty() {
        none.to_string()
    } else {
        format!("{noun} {}", quoted(names))
    }
}

fn quoted(names: &BTreeSet<String>) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    let parts: Vec<&str> = quoted.iter().map(String::as_str).collect();
    joined(&parts)
}

/// A time in UTC to the second, by the civil-from-days computation for the proleptic Gregorian calendar.
fn time(time_ms: u64) -> String {
    let seconds = time_ms / 1000;
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let (mut days, mut year) = (seconds / 86_400, 1970_u64);
    // Whole cycles of 400 years have 146,097 days; what remains is at most 400 steps.
    year = year.saturating_add((days / 146_097).saturating_mul(400));
    days %= 146_097;
    loop {
        let length = if is_leap(year) { 366 } else { 365 };
        if days < length {
            break;
        }
        days = days.saturating_sub(length);
        year = year.saturating_add(1);
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let mut month = 1_u64;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days = days.saturating_sub(length);
        month = month.saturating_add(1);
    }
    let day = days.saturating_add(1);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

#[cfg(test)]
mod tests;
