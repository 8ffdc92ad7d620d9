//! `log …`: a tenant's entries in words, their proofs, and the audit of the whole.

mod audit;
mod fetch;
mod lines;
mod proof;
mod roster;
mod shown;

use chancery_authority::ActName;
use chancery_json::Object;

use crate::AnchorSource;
use crate::api::{TenantSession, list};
use crate::args::log::{LogCommand, LogTailArgs};
use crate::context::{Context, Environment};
use crate::error::CliError;
use crate::output::Outcome;

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
        LogCommand::Audit(args) => audit::run(args, environment, source).await,
        LogCommand::Receipt(args) => proof::receipt(args, environment, source).await,
        LogCommand::Verify(args) => proof::verify_file(args, environment),
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
    let rows = list(&answer, "entries")?
        .iter()
        .map(|entry| lines::row(entry.as_object()))
        .collect::<Result<Vec<_>, _>>()?;
    let words = if rows.is_empty() {
        "There is no entry there.".to_owned()
    } else {
        lines::aligned_rows(&rows)
    };
    Ok(Outcome::done(words, answer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_json::Value;

    #[test]
    fn shows_one_line_per_entry() {
        let entry = Object::new()
            .with("index", 7_u64)
            .with("time_ms", 0_u64)
            .with("kind", "Suspended")
            .with("subject", "ab".repeat(32))
            .with("origin", "admins");
        let root = Object::new()
            .with("index", 8_u64)
            .with("time_ms", 0_u64)
            .with("kind", "StateRoot")
            .with("entries", 1_u64);
        let answer = Object::new().with("entries", vec![Value::from(entry), root.into()]);
        assert_eq!(
            shown(answer).unwrap().text,
            "7  1970-01-01T00:00:00Z  user suspended  abababababab  signed by the admins\n\
             8  1970-01-01T00:00:00Z  state root      -             of a batch of 1 entry"
        );
        let none = Object::new().with("entries", Vec::<Value>::new());
        assert_eq!(shown(none).unwrap().text, "There is no entry there.");
        assert!(matches!(
            shown(Object::new()),
            Err(CliError::AnswerUnexpected { what: "entries" })
        ));
    }
}
