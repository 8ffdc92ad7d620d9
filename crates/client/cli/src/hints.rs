//! What would be right at a place of a document that people edit by hand.

use chancery_authority::Error;

/// What may stand where, by the beginning of the JSON pointer, the longer ones first.
const RULES: [(&str, &str); 32] = [
    ("/version", "1"),
    (
        "/tenant",
        "the 32 hexadecimal digits that `tenant show` prints as tenant id",
    ),
    ("/serial", "a whole number from 1 on, one more than before"),
    (
        "/not_before_ms",
        "milliseconds since 1970, before not_after_ms",
    ),
    (
        "/not_after_ms",
        "milliseconds since 1970, after not_before_ms and at most 731 days later",
    ),
    (
        "/scopes",
        "a list of users.read, users.create, users.update, users.suspend, users.delete, groups.read, \
         groups.manage, groups.membership, each at most once",
    ),
    (
        "/domains",
        "a list of domains of the genesis in lower case, such as demo.example, each at most once",
    ),
    ("/allow_user_names_without_domain", "true or false"),
    ("/managed_groups", "\"all\" or a list of display names"),
    ("/sensitive_groups", "a list of display names"),
    ("/protected_groups", "a list of display names"),
    ("/protected_accounts", "a list of userNames"),
    (
        "/limits/window_s",
        "seconds from 60 to 604800 (a minute to a week)",
    ),
    (
        "/limits/suspensions",
        "a whole number from 1 to 10000000: a single suspension never waits",
    ),
    ("/limits/", "a whole number from 0 to 10000000"),
    (
        "/limits",
        "{\"window_s\", \"suspensions\", \"deletions\", \"grants\", \"emptied_groups\"} and nothing else",
    ),
    (
        "/credential_life_max_s",
        "seconds from 60 to 31622400 (a minute to 366 days)",
    ),
    (
        "/on_delete/erase_after_days",
        "a whole number of days from 1 to 3653",
    ),
    ("/on_delete", "\"suspend\" or {\"erase_after_days\": days}"),
    (
        "/idp_mapping",
        "null, or the mapping of the genesis: \"sub_to_external_id\", \"oid_to_external_id\" or \
         \"dangerous_email_to_user_name\"",
    ),
    ("/mode", "\"apply\" or \"plan\""),
    (
        "/pilot/users",
        "a list of userNames; an empty one allows no user",
    ),
    (
        "/pilot/groups",
        "a list of display names; an empty one allows no group",
    ),
    (
        "/pilot",
        "null or {\"users\": [userNames], \"groups\": [display names]}",
    ),
    (
        "/admin_threshold",
        "a whole number from 1 to the number of admins",
    ),
    (
        "/admins",
        "1 to 16 of {\"name\": text, \"key\": base64 of a public key}, names and keys all different",
    ),
    ("/idp/issuer", "an https URL without query and fragment"),
    ("/idp/client_id", "a text of 1 to 256 bytes"),
    (
        "/idp/mapping",
        "\"sub_to_external_id\", \"oid_to_external_id\" or \"dangerous_email_to_user_name\"",
    ),
    (
        "/idp/tls_roots",
        "at most 8 different certificates in base64, each of at most 8192 bytes",
    ),
    (
        "/idp",
        "null or {\"issuer\", \"client_id\", \"mapping\", \"tls_roots\"}",
    ),
    (
        "/release_rule",
        "\"follow_deployment\", \"admin_approval\" or {\"wait_days\": 1 to 365}",
    ),
];

/// The fault with its place, and what would be right there.
pub(crate) fn explained(error: &Error) -> String {
    let told = error.describe();
    match pointer(error).and_then(right) {
        Some(right) => format!("{told}; right would be {right}"),
        None => told,
    }
}

fn pointer(error: &Error) -> Option<&str> {
    match error {
        Error::Field { pointer, .. } => Some(pointer),
        Error::Json(error) => Some(error.pointer()),
        _ => None,
    }
}

fn right(pointer: &str) -> Option<&'static str> {
    let stands = |place: &str| {
        let rest = pointer.strip_prefix(place);
        rest.is_some_and(|rest| rest.is_empty() || place.ends_with('/') || rest.starts_with('/'))
    };
    let rule = RULES.iter().find(|(place, _)| stands(place));
    rule.map(|(_, right)| *right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_authority::Delegation;

    const GOOD: &str = r#"{
      "version": 1, "tenant": "000102030405060708090a0b0c0d0e0f", "serial": 1,
      "not_before_ms": 0, "not_after_ms": 1000,
      "scopes": ["users.read"], "domains": ["demo.example"],
      "allow_user_names_without_domain": false, "managed_groups": "all",
      "sensitive_groups": [], "protected_groups": [], "protected_accounts": [],
      "limits": {"window_s": 3600, "suspensions": 50, "deletions": 50, "grants": 9, "emptied_groups": 5},
      "credential_life_max_s": 86400, "on_delete": "suspend", "idp_mapping": null,
      "mode": "apply", "pilot": null
    }"#;

    /// What is changed, into what, which place is told, and a part of what would be right.
    const MISTAKES: &[(&str, &str, &str, &str)] = &[
        ("\"version\": 1", "\"version\": 2", "/version", "1"),
        ("\"serial\": 1", "\"serial\": 0", "/serial", "from 1 on"),
        ("users.read", "users.reed", "/scopes/0", "users.read, "),
        (
            "demo.example\"",
            "Demo.example\"",
            "/domains/0",
            "lower case",
        ),
        (
            "domain\": false",
            "domain\": \"no\"",
            "/allow_user",
            "true or false",
        ),
        (
            "\"all\"",
            "\"every\"",
            "/managed_groups",
            "\"all\" or a list",
        ),
        (
            "\"window_s\": 3600",
            "\"window_s\": 1",
            "/limits/window_s",
            "60 to 604800",
        ),
        (
            "\"suspensions\": 50",
            "\"suspensions\": 0",
            "/limits/suspensions",
            "never waits",
        ),
        (
            "\"deletions\": 50",
            "\"deletions\": -1",
            "/limits/deletions",
            "from 0 to",
        ),
        ("\"suspend\"", "\"keep\"", "/on_delete", "erase_after_days"),
        ("86400", "1", "/credential_life_max_s", "366 days"),
        ("\"apply\"", "\"try\"", "/mode", "\"apply\" or \"plan\""),
        (
            "\"pilot\": null",
            "\"pilot\": {\"users\": []}",
            "/pilot/groups",
            "display names",
        ),
        ("1000,", "0,", "/not_after_ms", "731 days"),
        (
            "\"sensitive_groups\": []",
            "\"sensitive_groups\": [\"a\",\"a\"]",
            "/sensitive_groups/1",
            "display names",
        ),
    ];

    #[test]
    fn every_mistake_of_an_editor_is_told_with_its_place_and_what_would_be_right() {
        Delegation::from_json(GOOD.as_bytes()).unwrap();
        for (from, to, place, right) in MISTAKES {
            assert!(GOOD.contains(from), "{from}");
            let error = Delegation::from_json(GOOD.replace(from, to).as_bytes()).unwrap_err();
            let told = explained(&error);
            assert!(told.contains(&format!(" at {place}")), "{told}");
            assert!(
                told.split_once("right would be ")
                    .unwrap()
                    .1
                    .contains(right),
                "{told}"
            );
        }
    }

    #[test]
    fn a_fault_without_a_known_place_is_told_as_it_is() {
        let error = Delegation::from_json(b"{").unwrap_err();
        assert_eq!(explained(&error), error.describe());
        let unknown = GOOD.replace("\"mode\"", "\"extra\": 1, \"mode\"");
        let error = Delegation::from_json(unknown.as_bytes()).unwrap_err();
        assert_eq!(explained(&error), "unknown member at /extra");
    }
}
