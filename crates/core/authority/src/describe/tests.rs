use super::*;

use crate::sample::{delegation, names};
use crate::scope::ScopeSet;

#[test]
fn says_what_automation_may_do() {
    let text = delegation().describe();
    let expected = [
        "holds from 2023-11-14 22:13:20 UTC until before 2024-03-09 16:00:00 UTC.",
        "Automation may read users and create users.",
        "Addresses must be in demo.example, exactly. User names without a domain are refused.",
        "It manages the groups \"Finance\" and \"Sales\" alone, and holds the keys of those groups.",
        "Changes of the groups \"Finance\" wait for an admin's signature.",
        "It never changes the groups \"Board\".",
        "It never changes the accounts \"ceo@demo.example\".",
        "Within 1 hour, more than 50 suspensions, 20 deletions, 1000 granted memberships or 1 emptied group wait for an admin's approval; a single suspension never waits.",
        "Credentials under it live 90 days at most.",
        "Deleting a user suspends it at once and erases it after 30 days.",
        "Who signs in with the subject that stands as externalId may claim the account.",
        "It is a pilot for the accounts \"ada@demo.example\" and the groups \"Sales\"; nothing else is in automation's reach.",
    ];
    assert_eq!(text.len(), expected.len());
    for (sentence, expected) in text.iter().zip(expected) {
        assert!(sentence.ends_with(expected), "{sentence}");
    }
    assert!(text[0].starts_with(&alloc::format!(
        "Delegation 1 for tenant {}",
        delegation().tenant
    )));
}

#[test]
fn says_that_empty_means_nothing() {
    let nothing = Delegation {
        scopes: ScopeSet::EMPTY,
        domains: BTreeSet::new(),
        allow_user_names_without_domain: true,
        managed_groups: ManagedGroups::Listed(names(&[])),
        sensitive_groups: names(&[]),
        protected_groups: names(&[]),
        protected_accounts: names(&[]),
        on_delete: OnDelete::Suspend,
        id_mapping: None,
        mode: Mode::Plan,
        pilot: Some(crate::delegation::Pilot {
            users: names(&[]),
            groups: names(&[]),
        }),
        ..delegation()
    };
    let text = nothing.describe().join("\n");
    for expected in [
        "Automation may do nothing.",
        "No address in any domain is accepted. User names without a domain are allowed.",
        "It manages no group.",
        "Deleting a user suspends it until an admin signs its erasure.",
        "An admin confirms each person who claims an account.",
        "It is a pilot for no account and no group; nothing else is in automation's reach.",
        "Nothing takes effect by itself: acts are recorded as intents until an admin signs the plan.",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
}

#[test]
fn warns_of_what_is_dangerous() {
    let dangerous = Delegation {
        id_mapping: Some(IdMapping::DangerousEmailToUserName),
        managed_groups: ManagedGroups::All,
        scopes: ScopeSet::all(),
        ..delegation()
    };
    let text = dangerous.describe().join("\n");
    assert!(text.contains("DANGER: who signs in with the e-mail address"));
    assert!(text.contains("It manages every group that is not protected"));
    assert!(text.contains("read users, create users, change attributes of users, suspend and reactivate users, delete users, read groups, create, rename and delete groups and add members to groups and remove them."));
}

#[test]
fn quotes_names_so_that_they_cannot_pass_for_sentences() {
    let tricky = Delegation {
        protected_groups: names(&["x\" and nothing. Automation may \"y", "a\u{202e}b"]),
        ..delegation()
    };
    let text = tricky.describe().join("\n");
    assert!(text.contains("\"x\\\" and nothing. Automation may \\\"y\""));
    assert!(text.contains("\\u{202e}") && !text.contains('\u{202e}'));
}

#[test]
fn writes_times_of_the_gregorian_calendar() {
    for (time_ms, expected) in [
        (0, "1970-01-01 00:00:00 UTC"),
        (951_782_400_000, "2000-02-29 00:00:00 UTC"),
        (951_868_799_999, "2000-02-29 23:59:59 UTC"),
        (1_735_689_599_000, "2024-12-31 23:59:59 UTC"),
        (4_107_542_400_000, "2100-03-01 00:00:00 UTC"),
        (9_007_199_254_740_991, "287396-10-12 08:59:00 UTC"),
    ] {
        assert_eq!(time(time_ms), expected);
    }
    assert!(time(u64::MAX).ends_with("UTC"));
}

#[test]
fn writes_durations_in_the_largest_whole_unit() {
    for (seconds, expected) in [
        (0, "0 seconds"),
        (1, "1 second"),
        (90, "90 seconds"),
        (120, "2 minutes"),
        (86_400, "1 day"),
        (90_000, "25 hours"),
    ] {
        assert_eq!(duration(seconds), expected.to_string());
    }
}
