//! An entry of the log in one readable line.

use chancery_json::{Object, Value};

use crate::api::{number, text};
use crate::error::CliError;
use crate::output::printable;
use crate::time;

/// Digits of a handle that a line shows; JSON has all.
pub(super) const HANDLE_DIGITS: usize = 12;

/// What an entry records, in words, by the name of its type.
const ACTS: [(&str, &str); 33] = [
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
    ("ActHeld", "change held for approval"),
    ("EnclaveUpgrade", "another image took over"),
    ("Boot", "another instance took over"),
    ("PolicyChanged", "policy changed"),
    ("Rekey", "directory's key changed"),
    ("FaultNoted", "fault noted"),
    ("StateRoot", "state root"),
];

/// By whose authority an act was done, by the word of its origin.
const ORIGINS: [(&str, &str); 6] = [
    ("credential", "by automation"),
    ("admins", "signed by the admins"),
    ("member", "by the member's device"),
    ("claim", "claimed with an ID token"),
    ("confirmed claim", "confirmed by the admins"),
    ("runtime", "by the service itself"),
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
    let member = |name| entry.get(name).and_then(Value::as_str);
    // The entry names nobody; the service adds for its readers what the subject is called now.
    let subject = member("subject_name").map(printable);
    let subject = subject.or_else(|| member("subject").map(shortened));
    Ok(vec![
        number(entry, "index")?.to_string(),
        time::utc(number(entry, "time_ms")?),
        act(kind),
        subject.unwrap_or_else(|| "-".to_owned()),
        authority(entry, kind)?,
    ])
}

fn authority(entry: &Object, kind: &str) -> Result<String, CliError> {
    if kind == "StateRoot" {
        return Ok(match number(entry, "entries")? {
            1 => "of a batch of 1 entry".to_owned(),
            count => format!("of a batch of {count} entries"),
        });
    }
    let mut words = match entry.get("origin").and_then(Value::as_str) {
        Some(word) => {
            let known = ORIGINS.iter().find(|(name, _)| *name == word);
            known.map_or_else(|| printable(word), |(_, words)| (*words).to_owned())
        }
        // What it rests on may be unknown to the service; its actor stands in the entry.
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
            .with("origin", "credential")
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
            .with("origin", "credential")
            .with("delegation", Value::Null)
            .with("credential_label", Value::Null)
            .with("credential", "ef".repeat(32));
        assert!(row(Some(&unlabelled)).unwrap()[4].ends_with("with the token efefefefefef"));
    }

    #[test]
    fn says_who_did_it_for_each_origin() {
        for (word, words) in ORIGINS {
            let entry = entry("KeyConfirmed").with("origin", word);
            assert_eq!(row(Some(&entry)).unwrap()[4], words);
        }
        let old = entry("KeyConfirmed");
        assert_eq!(row(Some(&old)).unwrap()[4], "by cdcdcdcdcdcd");
        let unheard = entry("KeyConfirmed").with("origin", "moon\u{1b}");
        assert_eq!(row(Some(&unheard)).unwrap()[4], "moon\\u{1b}");
    }

    #[test]
    fn calls_a_subject_by_name_where_it_still_has_one() {
        let named = entry("Suspended").with("subject_name", "ann\u{1b}");
        assert_eq!(row(Some(&named)).unwrap()[3], "ann\\u{1b}");
        let gone = entry("Erased").with("subject_name", Value::Null);
        assert_eq!(row(Some(&gone)).unwrap()[3], "abababababab");
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
