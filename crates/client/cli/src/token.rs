//! `token …`: credentials for identity providers. A secret is shown once and stored nowhere here
//! unless `--out` says so.

mod client;

use std::path::Path;

use chancery_authority::{ActName, CREDENTIAL_LIFE_S_MAX, Delegation, Scope, ScopeSet};
use chancery_client::now_ms;
use chancery_json::{Object, Value};

use crate::AnchorSource;
use crate::api::{TenantSession, list as list_member, number, text, texts};
use crate::args::token::{TokenCommand, TokenIssueArgs, TokenRevokeArgs, TokenRotateArgs};
use crate::context::{Context, Environment};
use crate::delegation::parse_scopes;
use crate::error::CliError;
use crate::files::{Existing, Privacy, write};
use crate::output::{Outcome, aligned, note, printable, table};
use crate::time;

/// Seconds of a day.
const DAY_S: u64 = 24 * 60 * 60;

/// Life of a token unless the admin or the delegation says otherwise: 90 days.
const LIFE_S: u64 = 90 * DAY_S;

/// Longest time for which an old token may live on beside its successor, in hours: a week.
const OVERLAP_HOURS_MAX: u64 = 7 * 24;

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
        TokenCommand::Rotate(args) => rotate(args, environment, source).await,
        TokenCommand::Revoke(args) => revoke(args, environment, source).await,
    }
}

async fn issue<S: AnchorSource>(
    args: &TokenIssueArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    must_be_new(args.out.as_deref())?;
    let client = client::asked(&args.client)?;
    let context = Context::load(&args.context, environment)?;
    let mut session = TenantSession::open(&context, source).await?;
    let allowed = newest_delegation(&mut session).await?;
    let scopes = match (&allowed, args.scopes.is_empty()) {
        (_, false) => parse_scopes(&args.scopes)?,
        (Some(delegation), true) => delegation.scopes,
        (None, true) => ScopeSet::EMPTY,
    };
    let life_s = life(args.days, allowed.as_ref())?;
    let names: Vec<Value> = scopes
        .iter()
        .map(|scope: Scope| scope.name().into())
        .collect();
    let body = Object::new()
        .with("scopes", names)
        .with("life_s", life_s)
        .with("label", args.label.as_str());
    let body = with_client(body, client);
    let answer = session.act(ActName::TokenIssue, &body).await?;
    issued(&answer, args.out.as_deref(), &client::endpoint(&context)?)
}

fn with_client(body: Object, client: Option<Value>) -> Object {
    match client {
        Some(client) => body.with("client", client),
        None => body,
    }
}

/// Before the token exists: a token that cannot be written down would be lost and alive.
fn must_be_new(out: Option<&Path>) -> Result<(), CliError> {
    match out {
        Some(path) if path.symlink_metadata().is_ok() => Err(CliError::FileExists {
            path: path.to_owned(),
        }),
        _ => Ok(()),
    }
}

fn life(days: Option<u64>, allowed: Option<&Delegation>) -> Result<u64, CliError> {
    let life_max_s = allowed.map_or(LIFE_S, |allowed| allowed.credential_life_max_s);
    match days {
        Some(days) => life_of_days(days),
        None => Ok(LIFE_S.min(life_max_s)),
    }
}

async fn rotate<S: AnchorSource>(
    args: &TokenRotateArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    must_be_new(args.out.as_deref())?;
    let client = client::asked(&args.client)?;
    let overlap_s = overlap(args.overlap_hours)?;
    let context = Context::load(&args.context, environment)?;
    let mut session = TenantSession::open(&context, source).await?;
    let allowed = newest_delegation(&mut session).await?;
    let body = Object::new()
        .with("id", args.id.as_str())
        .with("life_s", life(args.days, allowed.as_ref())?)
        .with("overlap_s", overlap_s);
    let body = with_client(body, client);
    note(&format!(
        "Rotating {}: a new one with the same scopes; the old one works for {} hours more.",
        printable(&args.id),
        args.overlap_hours
    ));
    let answer = session.act(ActName::TokenRotate, &body).await?;
    rotated(&answer, args.out.as_deref(), &client::endpoint(&context)?)
}

fn overlap(hours: u64) -> Result<u64, CliError> {
    if hours <= OVERLAP_HOURS_MAX {
        Ok(hours.saturating_mul(60 * 60))
    } else {
        Err(CliError::ValueInvalid {
            option: "--overlap-hours",
            allowed: "0 to 168",
        })
    }
}

fn rotated(answer: &Object, out: Option<&Path>, endpoint: &str) -> Result<Outcome, CliError> {
    let replaces = text(answer, "replaces")?;
    let until_ms = number(answer, "replaced_until_ms")?;
    let mut outcome = issued(answer, out, endpoint)?;
    outcome.text.push_str(&format!(
        "\nThe old one, {}, works until {}: until then, give the identity provider the new one.",
        printable(replaces),
        time::utc(until_ms)
    ));
    outcome.json = outcome
        .json
        .with("replaces", replaces)
        .with("replaced_until_ms", until_ms);
    Ok(outcome)
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

fn issued(answer: &Object, out: Option<&Path>, endpoint: &str) -> Result<Outcome, CliError> {
    let id = text(answer, "id")?;
    let not_after_ms = number(answer, "not_after_ms")?;
    let json = Object::new()
        .with("id", id)
        .with("not_after_ms", not_after_ms);
    let expires = ("expires", time::utc(not_after_ms));
    if let Some(kind) = answer.get("client") {
        return client::issued(answer, kind, (out, endpoint), (json, expires));
    }
    let (json, place) = given_out(answer, "token", out, json)?;
    let rows = [("token", place), ("id", printable(id)), expires];
    let words = format!(
        "{}\n\nThis is the only time that the token is given out. Paste it into the identity \
         provider; revoke it with `token revoke {}`.",
        aligned(&rows),
        printable(id)
    );
    Ok(Outcome::done(words, json))
}

/// Writes a secret of an answer to its file, or says it.
fn given_out(
    answer: &Object,
    name: &'static str,
    out: Option<&Path>,
    json: Object,
) -> Result<(Object, String), CliError> {
    let secret = text(answer, name)?;
    let Some(path) = out else {
        return Ok((json.with(name, secret), printable(secret)));
    };
    write(
        path,
        format!("{secret}\n").as_bytes(),
        Privacy::Private,
        Existing::Keep,
    )?;
    let path = path.display().to_string();
    let place = format!("in {}", printable(&path));
    Ok((json.with("file", path), place))
}

/// The newest delegation that the runtime has in force. It only fills in defaults: what a token may
/// do, the runtime decides.
async fn newest_delegation<S: AnchorSource>(
    session: &mut TenantSession<'_, S>,
) -> Result<Option<Delegation>, CliError> {
    let delegations = session.delegations().await?;
    let newest = delegations
        .into_iter()
        .max_by_key(|verified| verified.delegation().serial);
    Ok(newest.map(|verified| verified.delegation().clone()))
}

fn list(answer: Object) -> Result<Outcome, CliError> {
    let rows = list_member(&answer, "tokens")?
        .iter()
        .map(|token| row(token.as_object()))
        .collect::<Result<Vec<_>, _>>()?;
    let words = if rows.is_empty() {
        "There is no token.".to_owned()
    } else {
        let headings = [
            "id",
            "label",
            "kind",
            "state",
            "last used",
            "expires",
            "scopes",
        ];
        table(&headings, &rows)
    };
    Ok(Outcome::done(words, answer))
}

fn row(token: Option<&Object>) -> Result<Vec<String>, CliError> {
    let token = token.ok_or(CliError::AnswerUnexpected { what: "tokens" })?;
    let not_after_ms = number(token, "not_after_ms")?;
    let state = if token.get("revoked").and_then(Value::as_bool) == Some(true) {
        "revoked"
    } else if not_after_ms <= now_ms() {
        "expired"
    } else {
        "live"
    };
    let last = token.get("last_used_ms").and_then(Value::as_u64);
    Ok(vec![
        printable(text(token, "id")?),
        printable(text(token, "label")?),
        client::kind(token.get("client"))?,
        state.to_owned(),
        last.map_or_else(|| "never".to_owned(), time::utc),
        time::utc(not_after_ms),
        printable(&texts(token, "scopes")?.join(" ")),
    ])
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

    const ENDPOINT: &str = "https://scim.example/t/demo/oauth2/token";

    fn answer() -> Object {
        Object::new()
            .with("token", "ch_secret")
            .with("id", "t1")
            .with("not_after_ms", 1000_u64)
    }

    #[test]
    fn gives_the_token_out_once_either_on_screen_or_in_a_private_file() {
        let outcome = issued(&answer(), None, ENDPOINT).unwrap();
        assert!(
            outcome.text.contains("ch_secret") && outcome.text.contains("1970-01-01T00:00:01Z")
        );
        let folder = Folder::new();
        let path = folder.path("token");
        let outcome = issued(&answer(), Some(&path), ENDPOINT).unwrap();
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
                issued(&answer, None, ENDPOINT),
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
    fn lists_tokens_with_their_state_and_last_use() {
        let token = |id: &str, revoked: bool, not_after_ms: u64| {
            Object::new()
                .with("id", id)
                .with("label", "okta\n")
                .with(
                    "scopes",
                    vec![Value::from("users.read"), "groups.read".into()],
                )
                .with("issued_ms", 0_u64)
                .with("not_after_ms", not_after_ms)
                .with("revoked", revoked)
        };
        let live = token("t1", false, 253_402_300_799_000).with("last_used_ms", 1000_u64);
        let answer = Object::new().with(
            "tokens",
            vec![
                Value::from(live),
                Value::from(token("t2", true, 0).with("client", "secret")),
                Value::from(token("t3", false, 0)),
            ],
        );
        let text = list(answer).unwrap().text;
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[1],
            "t1  okta\\u{a}  bearer  live     1970-01-01T00:00:01Z  9999-12-31T23:59:59Z  users.read groups.read"
        );
        assert!(lines[2].contains("secret  revoked  never "), "{text}");
        assert!(lines[3].contains("expired  never "), "{text}");
        let none = Object::new().with("tokens", Vec::<Value>::new());
        assert_eq!(list(none).unwrap().text, "There is no token.");
    }

    #[test]
    fn says_until_when_the_old_token_works_beside_the_new_one() {
        let answer = answer()
            .with("replaces", "t0")
            .with("replaced_until_ms", 2000_u64);
        let outcome = rotated(&answer, None, ENDPOINT).unwrap();
        assert!(
            outcome
                .text
                .contains("old one, t0, works until 1970-01-01T00:00:02Z"),
            "{}",
            outcome.text
        );
        assert_eq!(overlap(0).unwrap(), 0);
        assert_eq!(overlap(24).unwrap(), 86_400);
        assert!(overlap(169).is_err());
        for name in ["replaces", "replaced_until_ms"] {
            let mut answer = answer.clone();
            answer.remove(name);
            assert!(rotated(&answer, None, ENDPOINT).is_err(), "{name}");
        }
    }
}
