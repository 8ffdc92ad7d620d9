//! `idp …`: the keys with which the tenant's identity provider signs ID tokens. A new key is trusted
//! after a waiting time, or at once by the admins' signature.

use chancery_authority::ActName;
use chancery_json::{Object, Value};

use crate::AnchorSource;
use crate::api::{TenantSession, list, number, text};
use crate::args::ContextArgs;
use crate::args::admin::{IdpCommand, IdpTrustArgs};
use crate::context::{Context, Environment};
use crate::error::CliError;
use crate::output::{Outcome, note, printable, table};
use crate::time;
use crate::user::done;

/// Runs `idp …`.
pub(crate) async fn run<S: AnchorSource>(
    command: &IdpCommand,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    match command {
        IdpCommand::Show(args) => show(args, environment, source).await,
        IdpCommand::Trust(args) => trust(args, environment, source).await,
    }
}

async fn show<S: AnchorSource>(
    args: &ContextArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    let context = Context::load(args, environment)?;
    let mut session = TenantSession::open(&context, source).await?;
    let answer = session.act(ActName::IssuerRead, &Object::new()).await?;
    shown(answer)
}

fn shown(answer: Object) -> Result<Outcome, CliError> {
    let keys = list(&answer, "keys")?;
    let rows = keys
        .iter()
        .map(|key| row(object(key)?))
        .collect::<Result<Vec<_>, _>>()?;
    let issuer = printable(text(&answer, "issuer")?);
    let words = if rows.is_empty() {
        format!("{issuer} publishes no key that can be used.")
    } else {
        let headings = ["thumbprint", "kid", "alg", "seen", "trusted from", "state"];
        format!("{issuer}\n\n{}", table(&headings, &rows))
    };
    Ok(Outcome::done(words, answer))
}

fn row(key: &Object) -> Result<Vec<String>, CliError> {
    let flag = |name| key.get(name).and_then(Value::as_bool).unwrap_or(false);
    let optional = |name| {
        let value = key.get(name).and_then(Value::as_str);
        value.map_or_else(|| "-".to_owned(), printable)
    };
    let trusted = key.get("trusted_from_ms").and_then(Value::as_u64);
    let mut state = Vec::new();
    if flag("approved") {
        state.push("approved by the admins");
    }
    if !flag("published") {
        state.push("no longer published");
    }
    Ok(vec![
        printable(text(key, "thumbprint")?),
        optional("kid"),
        optional("alg"),
        time::utc(number(key, "seen_ms")?),
        trusted.map_or_else(|| "-".to_owned(), time::utc),
        state.join(", "),
    ])
}

fn object(value: &Value) -> Result<&Object, CliError> {
    value
        .as_object()
        .ok_or(CliError::AnswerUnexpected { what: "keys" })
}

async fn trust<S: AnchorSource>(
    args: &IdpTrustArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    let named = args
        .thumbprints
        .iter()
        .map(|thumbprint| parse_thumbprint(thumbprint))
        .collect::<Result<Vec<_>, _>>()?;
    let context = Context::load(&args.context, environment)?;
    let mut session = TenantSession::open(&context, source).await?;
    let known = session.act(ActName::IssuerRead, &Object::new()).await?;
    let chosen = chosen(&known, &named)?;
    if chosen.is_empty() {
        let words = "Every key that the issuer publishes is trusted already.".to_owned();
        return Ok(Outcome::done(words, known));
    }
    let issuer = printable(text(&known, "issuer")?);
    note(&format!(
        "Signing: whoever holds one of these keys of {issuer} can confirm members from now on:\n  {}",
        chosen.join("\n  ")
    ));
    let thumbprints: Vec<Value> = chosen.iter().map(|key| key.as_str().into()).collect();
    let body = Object::new().with("thumbprints", thumbprints);
    let answer = session.act(ActName::IssuerTrust, &body).await?;
    let words = format!("The runtime trusts {}.", chosen.join(", "));
    done(&words, answer)
}

/// The keys to trust: those that were named, which the issuer must have shown, or else every one that
/// it publishes now and that was not approved yet.
fn chosen(answer: &Object, named: &[String]) -> Result<Vec<String>, CliError> {
    let mut all = Vec::new();
    let mut open = Vec::new();
    for key in list(answer, "keys")? {
        let key = object(key)?;
        let thumbprint = text(key, "thumbprint")?.to_owned();
        let flag = |name| key.get(name).and_then(Value::as_bool) == Some(true);
        if flag("published") && !flag("approved") {
            open.push(thumbprint.clone());
        }
        all.push(thumbprint);
    }
    if named.is_empty() {
        return Ok(open);
    }
    if named.iter().all(|thumbprint| all.contains(thumbprint)) {
        Ok(named.to_vec())
    } else {
        Err(CliError::ValueInvalid {
            option: "THUMBPRINT",
            allowed: "one that `idp show` prints",
        })
    }
}

fn parse_thumbprint(text: &str) -> Result<String, CliError> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).map_err(|_not_hex| CliError::ValueInvalid {
        option: "THUMBPRINT",
        allowed: "64 hexadecimal digits, as `idp show` prints them",
    })?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: &str, (published, approved): (bool, bool)) -> Value {
        Object::new()
            .with("thumbprint", byte.repeat(32))
            .with("kid", "k\n1")
            .with("alg", "RS256")
            .with("seen_ms", 0_u64)
            .with("trusted_from_ms", 1000_u64)
            .with("approved", approved)
            .with("published", published)
            .into()
    }

    fn answer() -> Object {
        Object::new().with("issuer", "https://login.example").with(
            "keys",
            vec![
                key("aa", (true, false)),
                key("bb", (true, true)),
                key("cc", (false, false)),
            ],
        )
    }

    #[test]
    fn shows_each_key_with_the_time_from_which_it_counts() {
        let outcome = shown(answer()).unwrap();
        let lines: Vec<&str> = outcome.text.lines().collect();
        assert_eq!(lines[0], "https://login.example");
        assert!(lines[2].starts_with("thumbprint"));
        assert!(lines[3].contains("k\\u{a}1  RS256  1970-01-01T00:00:00Z  1970-01-01T00:00:01Z"));
        assert!(lines[4].ends_with("approved by the admins"));
        assert!(lines[5].ends_with("no longer published"));
        let none = answer().with("keys", Vec::<Value>::new());
        assert!(shown(none).unwrap().text.contains("no key"));
    }

    #[test]
    fn trusts_what_is_named_or_all_that_is_published_and_open() {
        assert_eq!(chosen(&answer(), &[]).unwrap(), ["aa".repeat(32)]);
        let gone = ["cc".repeat(32)];
        assert_eq!(chosen(&answer(), &gone).unwrap(), gone);
        assert!(chosen(&answer(), &["dd".repeat(32)]).is_err());
        assert!(parse_thumbprint("aa").is_err());
        assert_eq!(parse_thumbprint(&"AA".repeat(32)).unwrap(), "aa".repeat(32));
    }
}
