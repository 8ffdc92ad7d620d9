//! `token …`: credentials for identity providers. A secret is shown once and stored nowhere here
//! unless `--out` says so.

use std::path::Path;

use chancery_authority::{ActName, CREDENTIAL_LIFE_S_MAX, Delegation, Scope, ScopeSet};
use chancery_json::{Object, Value};

use crate::AnchorSource;
use crate::api::{Tenant, TenantSession, list as list_member, text};
use crate::args::{TokenCommand, TokenIssueArgs, TokenRevokeArgs};
use crate::context::{Context, Environment};
use crate::delegation::parse_scopes;
use crate::error::CliError;
use crate::files::{Existing, Privacy, write};
use crate::output::{Outcome, aligned, printable, readable_members};
use crate::time;

/// Seconds of a day.
const DAY_S: u64 = 24 * 60 * 60;

/// Life of a token unless the admin or the delegation says otherwise: 90 days.
const LIFE_S: u64 = 90 * DAY_S;

/// Runs `token …`.
pub(crate) async fn run<S: AnchorSource>(
    command: &TokenCommand,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    match command {
        TokenCommand::Issue(args) => issue(args, environment, source).await,
        TokenCommand::List(args) => {
            let context = Context::load(args, environment)?;
            let mut session = TenantSession::open(&context, source).await?;
            list(session.act(ActName::TokenList, &Object::new()).await?)
        }
        TokenCommand::Revoke(args) => revoke(args, environment, source).await,
    }
}

async fn issue<S: AnchorSource>(
    args: &TokenIssueArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    if let Some(path) = &args.out
        && path.symlink_metadata().is_ok()
    {
        // Before the token exists: a token that cannot be written down would be lost and alive.
        return Err(CliError::FileExists { path: path.clone() });
    }
    let context = Context::load(&args.context, environment)?;
    let mut session = TenantSession::open(&context, source).await?;
    let allowed = newest_delegation(&session.tenant);
    let scopes = match (&allowed, args.scopes.is_empty()) {
        (_, false) => parse_scopes(&args.scopes)?,
        (Some(delegation), true) => delegation.scopes,
        (None, true) => ScopeSet::EMPTY,
    };
    let life_max_s = allowed
        .as_ref()
        .map_or(LIFE_S, |allowed| allowed.credential_life_max_s);
    let life_s = match args.days {
        Some(days) => life_of_days(days)?,
        None => LIFE_S.min(life_max_s),
    };
    let names: Vec<Value> = scopes
        .iter()
        .map(|scope: Scope| scope.name().into())
        .collect();
    let body = Object::new()
        .with("scopes", names)
        .with("life_s", life_s)
        .with("label", args.label.as_str());
    let answer = session.act(ActName::TokenIssue, &body).await?;
    issued(&answer, args.out.as_deref())
}

fn life_of_days(days: u64) -> Result<u64, CliError> {
    let life_s = days
        .checked_mul(DAY_S)
        .filter(|life_s| (1..=CREDENTIAL_LIFE_S_MAX).contains(life_s));
    life_s.ok_or(CliError::ValueInvalid {
        option: "--days",
        allowed: "1 to 366",
    })
}

fn issued(answer: &Object, out: Option<&Path>) -> Result<Outcome, CliError> {
    let (token, id) = (text(answer, "token")?, text(answer, "id")?);
    let not_after_ms = answer.get("not_after_ms").and_then(Value::as_u64);
    let not_after_ms = not_after_ms.ok_or(CliError::AnswerUnexpected {
        what: "not_after_ms",
    })?;
    let mut json = Object::new()
        .with("id", id)
        .with("not_after_ms", not_after_ms);
    let place = match out {
        Some(path) => {
            write(
                path,
                format!("{token}\n").as_bytes(),
                Privacy::Private,
                Existing::Keep,
            )?;
            json = json.with("file", path.display().to_string());
            format!("in {}", printable(&path.display().to_string()))
        }
        None => {
            json = json.with("token", token);
            printable(token)
        }
    };
    let rows = [
        ("token", place),
        ("id", printable(id)),
        ("expires", time::utc(not_after_ms)),
    ];
    let words = format!(
        "{}\n\nThis is the only time that the token is given out. Paste it into the identity \
         provider; revoke it with `token revoke {}`.",
        aligned(&rows),
        printable(id)
    );
    Ok(Outcome::done(words, json))
}

/// The newest delegation that the runtime has in force. It only fills in defaults: what a token may
/// do, the runtime decides.
fn newest_delegation(tenant: &Tenant) -> Option<Delegation> {
    tenant
        .delegations
        .iter()
        .filter_map(|envelope| Delegation::from_json(envelope.unverified_payload()).ok())
        .max_by_key(|delegation| delegation.serial)
}

fn list(answer: Object) -> Result<Outcome, CliError> {
    let lines: Vec<String> = list_member(&answer, "tokens")?
        .iter()
        .map(|token| token.as_object().map_or_else(String::new, readable_members))
        .collect();
    let words = if lines.is_empty() {
        "There is no token.".to_owned()
    } else {
        lines.join("\n")
    };
    Ok(Outcome::done(words, answer))
}

async fn revoke<S: AnchorSource>(
    args: &TokenRevokeArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    let context = Context::load(&args.context, environment)?;
    let mut session = TenantSession::open(&context, source).await?;
    let body = Object::new().with("id", args.id.as_str());
    session.act(ActName::TokenRevoke, &body).await?;
    let words = format!("The token {} is revoked.", printable(&args.id));
    Ok(Outcome::done(
        words,
        Object::new().with("revoked", args.id.as_str()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::tests::Folder;

    fn answer() -> Object {
        Object::new()
            .with("token", "ch_secret")
            .with("id", "t1")
            .with("not_after_ms", 1000_u64)
    }

    #[test]
    fn gives_the_token_out_once_either_on_screen_or_in_a_private_file() {
        let outcome = issued(&answer(), None).unwrap();
        assert!(
            outcome.text.contains("ch_secret") && outcome.text.contains("1970-01-01T00:00:01Z")
        );
        let folder = Folder::new();
        let path = folder.path("token");
        let outcome = issued(&answer(), Some(&path)).unwrap();
        assert!(!outcome.text.contains("ch_secret"));
        assert!(
            !String::from_utf8(outcome.json.to_bytes())
                .unwrap()
                .contains("ch_secret")
        );
        assert_eq!(
            crate::files::read_secret(&path).unwrap().as_slice(),
            b"ch_secret\n"
        );
    }

    #[test]
    fn refuses_an_answer_without_its_members() {
        for name in ["token", "id", "not_after_ms"] {
            let mut answer = answer();
            answer.remove(name);
            assert!(matches!(
                issued(&answer, None),
                Err(CliError::AnswerUnexpected { what }) if what == name
            ));
        }
    }

    #[test]
    fn refuses_lives_out_of_range() {
        assert_eq!(life_of_days(1).unwrap(), DAY_S);
        assert_eq!(life_of_days(366).unwrap(), CREDENTIAL_LIFE_S_MAX);
        for days in [0, 367, u64::MAX] {
            assert!(life_of_days(days).is_err());
        }
    }

    #[test]
    fn lists_tokens_in_one_line_each() {
        let token = Object::new().with("id", "t1").with("not_after_ms", 0_u64);
        let answer = Object::new().with("tokens", vec![Value::from(token)]);
        assert_eq!(
            list(answer).unwrap().text,
            "id t1  not_after 1970-01-01T00:00:00Z"
        );
        let none = Object::new().with("tokens", Vec::<Value>::new());
        assert_eq!(list(none).unwrap().text, "There is no token.");
    }
}
