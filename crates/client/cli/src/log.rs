//! `log tail`: the tenant's newest entries, one readable line each.

use chancery_authority::ActName;
use chancery_json::Object;

use crate::AnchorSource;
use crate::api::{TenantSession, list};
use crate::args::{LogCommand, LogTailArgs};
use crate::context::{Context, Environment};
use crate::error::CliError;
use crate::output::{Outcome, readable_members};

/// Most entries of one answer.
const COUNT_MAX: u64 = 1000;

/// Runs `log …`.
pub(crate) async fn run<S: AnchorSource>(
    command: &LogCommand,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    match command {
        LogCommand::Tail(args) => tail(args, environment, source).await,
    }
}

async fn tail<S: AnchorSource>(
    args: &LogTailArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    if !(1..=COUNT_MAX).contains(&args.count) {
        return Err(CliError::ValueInvalid {
            option: "--count",
            allowed: "1 to 1000",
        });
    }
    let context = Context::load(&args.context, environment)?;
    let mut session = TenantSession::open(&context, source).await?;
    let from = match args.from {
        Some(from) => from,
        None => session.tenant.log_size()?.saturating_sub(args.count),
    };
    let body = Object::new().with("from", from).with("count", args.count);
    let answer = session.act(ActName::LogRead, &body).await?;
    shown(answer)
}

fn shown(answer: Object) -> Result<Outcome, CliError> {
    let lines: Vec<String> = list(&answer, "entries")?
        .iter()
        .map(|entry| entry.as_object().map_or_else(String::new, readable_members))
        .collect();
    let words = if lines.is_empty() {
        "There is no entry there.".to_owned()
    } else {
        lines.join("\n")
    };
    Ok(Outcome::done(words, answer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_json::Value;

    #[test]
    fn shows_one_line_per_entry_whatever_its_members_are() {
        let entry = Object::new()
            .with("index", 7_u64)
            .with("time_ms", 0_u64)
            .with("kind", "user.created")
            .with("detail", Object::new().with("subject", "a\nb"));
        let answer = Object::new().with("entries", vec![Value::from(entry)]);
        assert_eq!(
            shown(answer).unwrap().text,
            "index 7  time 1970-01-01T00:00:00Z  kind user.created  detail {subject a\\u{a}b}"
        );
        let none = Object::new().with("entries", Vec::<Value>::new());
        assert_eq!(shown(none).unwrap().text, "There is no entry there.");
        assert!(matches!(
            shown(Object::new()),
            Err(CliError::AnswerUnexpected { what: "entries" })
        ));
    }
}
