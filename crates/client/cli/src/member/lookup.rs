//! `keys lookup`: what a client asks before it encrypts to anybody.

use chancery_json::{Object, Value};

use super::answers::{FoundUser, access};
use super::proof::{Proven, state_word};
use super::session::{Asker, LookedUp};
use crate::AnchorSource;
use crate::args::member::KeysUserArgs;
use crate::context::{Context, Environment};
use crate::error::CliError;
use crate::output::{Outcome, aligned, printable};
use crate::time;
use crate::verify::table as checks;

/// Runs `keys lookup`.
pub(crate) async fn run<S: AnchorSource>(
    args: &KeysUserArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    let context = Context::load(&args.member.context, environment)?;
    let mut asker = Asker::open(&args.member, &context, environment, source).await?;
    let looked_up = asker.lookup(&args.user).await;
    match looked_up.map_err(|error| access(error, "the lookup"))? {
        LookedUp::User(found, proven) => Ok(shown(&found, &proven)),
        LookedUp::Nobody { time_ms } => Ok(nobody(&args.user, time_ms)),
    }
}

/// There is no key to use.
fn nobody(user: &str, time_ms: u64) -> Outcome {
    let text = format!(
        "NOBODY: the log proves that nobody has the name {}, as of {}.",
        printable(user),
        time::utc(time_ms)
    );
    let json = Object::new()
        .with("usable", false)
        .with("user", Value::Null)
        .with("proved_ms", time_ms);
    Outcome {
        text,
        json,
        holds: false,
    }
}

/// It holds only if the key may be used.
fn shown(found: &FoundUser, proven: &Proven) -> Outcome {
    let usable = proven.is_usable();
    let fingerprint = proven.keyset.fingerprint();
    let rows = [
        ("user", printable(&found.user_name)),
        ("id", printable(&found.id)),
        ("handle", hex::encode(proven.handle)),
        ("state", state_word(proven.state).to_owned()),
        ("key version", proven.key_version.to_string()),
        ("fingerprint", fingerprint.to_string()),
        ("proved as of", time::utc(proven.time_ms)),
    ];
    let verdict = if usable {
        "USABLE: the log proves that this is the key that its owner made."
    } else {
        "NOT USABLE: encrypt nothing to this key; its owner has not claimed it or is not active."
    };
    let mut lines = checks(&proven.rows);
    if !proven.not_checked.is_empty() {
        lines.push(String::new());
        lines.push("Not checked:".to_owned());
        let not_checked = proven.not_checked.iter();
        lines.extend(not_checked.map(|what| format!("  - {what}")));
    }
    let text = format!("{}\n\n{}\n\n{verdict}", aligned(&rows), lines.join("\n"));
    let json = Object::new()
        .with("usable", usable)
        .with("user", found.user_name.as_str())
        .with("id", found.id.as_str())
        .with("handle", hex::encode(proven.handle))
        .with("state", state_word(proven.state))
        .with("key_version", u64::from(proven.key_version))
        .with("fingerprint", fingerprint.to_string())
        .with("public", super::code::base64(&proven.keyset.encode()))
        .with("index", proven.index)
        .with("proved_ms", proven.time_ms)
        .with("checks", checks_json(proven))
        .with("not_checked", strings(&proven.not_checked));
    Outcome {
        text,
        json,
        holds: usable,
    }
}

fn checks_json(proven: &Proven) -> Vec<Value> {
    let rows = proven.rows.iter();
    rows.map(|row| {
        Object::new()
            .with("check", row.check)
            .with("expected", row.expected.as_str())
            .with("got", row.got.as_str())
            .with("outcome", row.outcome.word())
            .into()
    })
    .collect()
}

fn strings(texts: &[String]) -> Vec<Value> {
    texts.iter().map(|text| text.as_str().into()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::OsEntropy;
    use chancery_client::Row;
    use chancery_directory::SubjectState;
    use chancery_keyset::Keyset;
    use chancery_verify::Outcome as CheckOutcome;

    fn looked_up(state: SubjectState) -> Outcome {
        let keyset = Keyset::generate(&mut OsEntropy).unwrap();
        let found = FoundUser {
            id: "i".to_owned(),
            user_name: "ada\u{1b}".to_owned(),
            handle: [1; 32],
            proof: String::new(),
        };
        let proven = Proven {
            handle: [1; 32],
            state,
            key_version: 2,
            keyset: keyset.public().clone(),
            index: 9,
            time_ms: 0,
            rows: vec![Row {
                check: "proof_age",
                expected: "young".to_owned(),
                got: "3 s".to_owned(),
                outcome: CheckOutcome::Passed,
            }],
            not_checked: vec!["the rest".to_owned()],
        };
        shown(&found, &proven)
    }

    #[test]
    fn calls_only_a_confirmed_key_usable() {
        let confirmed = looked_up(SubjectState::Confirmed);
        assert!(confirmed.holds && confirmed.text.contains("\n\nUSABLE: "));
        assert!(
            confirmed.text.contains("✓ proof age  3 s"),
            "{}",
            confirmed.text
        );
        assert!(confirmed.text.contains("  - the rest") && !confirmed.text.contains('\u{1b}'));
        for state in [
            SubjectState::Provisioned,
            SubjectState::SuspendedProvisioned,
            SubjectState::SuspendedConfirmed,
            SubjectState::Deleted,
            SubjectState::Erased,
            SubjectState::Active,
        ] {
            let refused = looked_up(state);
            assert!(!refused.holds, "{state:?}");
            assert!(refused.text.contains("NOT USABLE"), "{}", refused.text);
            assert_eq!(refused.json.get("usable"), Some(&Value::from(false)));
        }
    }
}
