//! `keys history`: the keys that a person has had.

use chancery_authority::ActName;
use chancery_json::{Object, Value};

use super::answers::access;
use super::session::Asker;
use crate::AnchorSource;
use crate::api::{list, number, text};
use crate::args::member::KeysUserArgs;
use crate::context::{Context, Environment};
use crate::error::CliError;
use crate::output::{Outcome, printable, table};
use crate::time;

const HEADINGS: [&str; 6] = ["entry", "time", "kind", "state", "version", "fingerprint"];

/// Runs `keys history`.
pub(crate) async fn run<S: AnchorSource>(
    args: &KeysUserArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    let context = Context::load(&args.member.context, environment)?;
    let mut asker = Asker::open(&args.member, &context, environment, source).await?;
    let body = Object::new().with("user", args.user.as_str());
    let answer = asker.act(ActName::KeysHistory, body).await;
    shown(answer.map_err(|error| access(error, "the history"))?)
}

fn shown(answer: Object) -> Result<Outcome, CliError> {
    let rows: Vec<Vec<String>> = list(&answer, "entries")?
        .iter()
        .map(|entry| {
            let entry = entry.as_object();
            row(entry.ok_or(CliError::AnswerUnexpected { what: "entries" })?)
        })
        .collect::<Result<_, _>>()?;
    let words = if rows.is_empty() {
        "There is no entry about this person.".to_owned()
    } else {
        format!(
            "{}\n\nAs the service tells it; `keys lookup` proves the present key, `log audit` all of \
             them.",
            table(&HEADINGS, &rows)
        )
    };
    Ok(Outcome::done(words, answer))
}

fn row(entry: &Object) -> Result<Vec<String>, CliError> {
    let optional = |name: &str| match entry.get(name) {
        Some(Value::String(text)) => printable(text),
        Some(value) => value
            .as_u64()
            .map_or_else(|| "-".to_owned(), |number| number.to_string()),
        None => "-".to_owned(),
    };
    Ok(vec![
        number(entry, "index")?.to_string(),
        time::utc(number(entry, "time_ms")?),
        printable(text(entry, "kind")?),
        optional("state"),
        optional("key_version"),
        optional("fingerprint"),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_one_line_for_each_key() {
        let entry = |fingerprint: Value| {
            Value::from(
                Object::new()
                    .with("index", 3_u64)
                    .with("time_ms", 0_u64)
                    .with("kind", "KeyConfirmed")
                    .with("state", "Confirmed")
                    .with("key_version", 2_u64)
                    .with("fingerprint", fingerprint),
            )
        };
        let answer = Object::new().with("entries", vec![entry("ab".into()), entry(Value::Null)]);
        let text = shown(answer).unwrap().text;
        assert!(
            text.contains("3      1970-01-01T00:00:00Z  KeyConfirmed  Confirmed  2        ab\n"),
            "{text}"
        );
        assert!(text.contains("Confirmed  2        -\n"), "{text}");
        let none = Object::new().with("entries", Vec::<Value>::new());
        assert!(shown(none).unwrap().text.starts_with("There is no entry"));
    }

    #[test]
    fn refuses_entries_of_another_form() {
        let answer = Object::new().with("entries", vec![Value::Null]);
        assert!(shown(answer).is_err());
        let answer = Object::new().with("entries", vec![Value::from(Object::new())]);
        assert!(shown(answer).is_err());
    }
}
