//! An entry of the log in one readable line.

use chancery_json::{Object, Value};

use crate::api::{number, text};
use crate::error::CliError;
use crate::output::printable;
use crate::time;

/// Digits of a handle that a line shows; JSON has all.
const HANDLE_DIGITS: usize = 12;

/// What an entry records, in words, by the name of its type.
const ACTS: [(&str, &str); 32] = [
    ("Genesis", "tenant made"),
    ("DelegationGranted", "delegation in force"),
    ("DelegationRevoked", "delegation revoked"),
    ("TokenIssued", "token issued"),
    ("TokenRevoked", "token revoked"),
    ("UserProvisioned", "user provisioned"),
    ("KeyConfirmed", "account claimed"),
    ("KeyRotated", "user's key changed"),
    ("KeyDestroyed", "private half destroyed"),
    ("ProfileChanged", "profile changed"),
    ("NameChanged", "name changed"),
    ("Suspended", "user suspended"),
    ("Reactivated", "user restored"),
    ("Deleted", "user deleted"),
    ("Erased", "erased"),
    ("GroupCreated", "group created"),
    ("GroupMemberChanged", "group's members changed"),
    ("GroupEpochStarted", "group's key changed"),
    ("GroupDeleted", "group deleted"),
    ("DeviceChanged", "devices changed"),
    ("ApprovalGiven", "approval given"),
    ("BreakGlassOpened", "admins' own act begins"),
    ("BreakGlassClosed", "admins' own act ends"),
    ("RecoveryPerformed", "tenant recovered"),
    ("TenantFrozen", "tenant frozen"),
    ("IntentRecorded", "intent recorded"),
    ("EnclaveUpgrade", "another image took over"),
    ("Boot", "another instance took over"),
    ("PolicyChanged", "policy changed"),
    ("Rekey", "directory's key changed"),
    ("FaultNoted", "fault noted"),
    ("StateRoot", "state root"),
];

/// By whose authority an act was done, by the code of its origin.
const ORIGINS: [&str; 6] = [
    "by automation",
    "signed by the admins",
    "by the member's device",
    "claimed with an ID token",
    "confirmed by the admins",
    "by the service itself",
];

/// The act in words, or its own name if this command does not know it.
pub(super) fn act(kind: &str) -> String {
    let known = ACTS.iter().find(|(name, _)| *name == kind);
    known.map_or_else(|| printable(kind), |(_, words)| (*words).to_owned())
}

/// Index, time, act, subject and authority of an entry.
pub(super) fn row(entry: Option<&Object>) -> Result<Vec<String>, CliError> {
    let entry = entry.ok_or(CliError::AnswerUnexpected { what: "entries" })?;
    let kind = text(entry, "kind")?;
    let subject = entry.get("subject").and_then(Value::as_str);
    Ok(vec![
        number(entry, "index")?.to_string(),
        time::utc(number(entry, "time_ms")?),
        act(kind),
        subject.map_or_else(|| "-".to_owned(), shortened),
        authority(entry, kind)?,
    ])
}

fn authority(entry: &Object, kind: &str) -> Result<String, CliError> {
    if kind == "StateRoot" {
        return Ok(format!(
            "of a batch of {} entries",
            number(entry, "entries")?
        ));
    }
    let mut words = match entry.get("origin") {
        Some(Value::String(word)) => printable(word),
        Some(code) => code
            .as_u64()
            .and_then(|code| usize::try_from(code.checked_sub(1)?).ok())
            .and_then(|place| ORIGINS.get(place))
            .map_or_else(
                || "by an unknown authority".to_owned(),
                |word| (*word).to_owned(),
            ),
        // Before the private parts were given out beside the entry, its actor alone was told.
        None => match entry.get("actor").and_then(Value::as_str) {
            Some(actor) => format!("by {}", shortened(actor)),
            None => String::new(),
        },
    };
    if let Some(serial) = entry.get("delegation").and_then(Value::as_u64) {
        words.push_str(&format!(" under delegation {serial}"));
    }
    let label = entry.get("credential_label").and_then(Value::as_str);
    let credential = entry.get("credential").and_then(Value::as_str);
    match (label, credential) {
        (Some(label), _) => words.push_str(&format!(" with the token \"{}\"", printable(label))),
        (None, Some(handle)) => words.push_str(&format!(" with the token {}", shortened(handle))),
        (None, None) => {}
    }
    Ok(words)
}

/// The beginning of a handle: enough to find it again.
pub(super) fn shortened(handle: &str) -> String {
    printable(handle).chars().take(HANDLE_DIGITS).collect()
}

/// Rows without headings, so that each line stands for itself.
pub(super) fn aligned_rows(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let blank = vec![""; columns];
    let whole = crate::output::table(&blank, rows);
    whole
        .split_once('\n')
        .map_or_else(String::new, |(_, lines)| lines.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_directory::EntryType;

    fn entry(kind: &str) -> Object {
        Object::new()
            .with("index", 1_u64)
            .with("time_ms", 0_u64)
            .with("kind", kind)
            .with("subject", "ab".repeat(32))
            .with("actor", "cd".repeat(32))
    }

    #[test]
    fn every_type_of_entry_has_words() {
        for kind in EntryType::ALL {
            let name = format!("{kind:?}");
            assert!(ACTS.iter().any(|(known, _)| *known == name), "{name}");
        }
        assert_eq!(act("Unheard\u{1b}Of"), "Unheard\\u{1b}Of");
    }

    #[test]
    fn names_the_delegation_and_the_credential_of_automations_acts() {
        let automated = entry("UserProvisioned")
            .with("origin", 1_u64)
            .with("delegation", 2_u64)
            .with("credential_label", "okta\n")
            .with("credential", "ef".repeat(32));
        assert_eq!(
            row(Some(&automated)).unwrap(),
            [
                "1",
                "1970-01-01T00:00:00Z",
                "user provisioned",
                "abababababab",
                "by automation under delegation 2 with the token \"okta\\u{a}\""
            ]
        );
        let unlabelled = entry("Suspended")
            .with("origin", 1_u64)
            .with("delegation", Value::Null)
            .with("credential_label", Value::Null)
            .with("credential", "ef".repeat(32));
        assert!(row(Some(&unlabelled)).unwrap()[4].ends_with("with the token efefefefefef"));
    }

    #[test]
    fn says_who_did_it_for_each_origin() {
        for (code, words) in (1_u64..).zip(ORIGINS) {
            let entry = entry("KeyConfirmed").with("origin", code);
            assert_eq!(row(Some(&entry)).unwrap()[4], words);
        }
        for code in [0_u64, 7, u64::MAX] {
            let entry = entry("KeyConfirmed").with("origin", code);
            assert_eq!(row(Some(&entry)).unwrap()[4], "by an unknown authority");
        }
        let old = entry("KeyConfirmed");
        assert_eq!(row(Some(&old)).unwrap()[4], "by cdcdcdcdcdcd");
        let worded = entry("KeyConfirmed").with("origin", "claim");
        assert_eq!(row(Some(&worded)).unwrap()[4], "claim");
    }

    #[test]
    fn refuses_an_entry_without_index_time_or_kind() {
        for name in ["index", "time_ms", "kind"] {
            let mut entry = entry("Suspended");
            entry.remove(name);
            assert!(row(Some(&entry)).is_err(), "{name}");
        }
        assert!(row(None).is_err());
    }
}
