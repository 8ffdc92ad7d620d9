//! `member show` and `device list`: one's own account as the service has it.

use chancery_authority::ActName;
use chancery_json::{Object, Value};
use chancery_keyset::Fingerprint;

use super::answers::{Account, access};
use super::home::Home;
use super::session::MemberSession;
use crate::AnchorSource;
use crate::args::member::MemberContextArgs;
use crate::context::{Context, Environment};
use crate::error::CliError;
use crate::output::{Outcome, aligned, printable, table};
use crate::time;

/// Runs `member show`.
pub(crate) async fn run<S: AnchorSource>(
    args: &MemberContextArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    let (account, own) = asked(args, environment, source).await?;
    Ok(shown(&account, &own))
}

/// Runs `device list`.
pub(crate) async fn devices<S: AnchorSource>(
    args: &MemberContextArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    let (account, own) = asked(args, environment, source).await?;
    let json = Object::new().with("devices", devices_json(&account, &own));
    Ok(Outcome::done(devices_text(&account, &own), json))
}

async fn asked<S: AnchorSource>(
    args: &MemberContextArgs,
    environment: &Environment,
    source: &S,
) -> Result<(Account, Fingerprint), CliError> {
    let context = Context::load(&args.context, environment)?;
    let home = Home::open_existing(&context.home_folder(args.home.as_deref(), environment)?)?;
    let device = home.device()?;
    let membership = home.member()?;
    let mut session = MemberSession::open(&context, source, membership, &device).await?;
    let account = show(&mut session).await?;
    Ok((account, device.public().fingerprint()))
}

/// Asks for the member's own account.
pub(crate) async fn show<S: AnchorSource>(
    session: &mut MemberSession<'_, S>,
) -> Result<Account, CliError> {
    let answer = session.act(ActName::MemberShow, Object::new()).await;
    let answer = answer.map_err(|error| access(error, "the account"))?;
    let account = Account::read(&answer)?;
    if account.id != session.membership.member.to_string() {
        return Err(CliError::AnswerUnexpected {
            what: "another account than was asked for",
        });
    }
    Ok(account)
}

fn shown(account: &Account, own: &Fingerprint) -> Outcome {
    let keys = account.keys.as_ref();
    let key = keys.map_or_else(
        || "none claimed".to_owned(),
        |keys| {
            let fingerprint = keys.public.fingerprint();
            format!("{fingerprint}, version {}", keys.key_version)
        },
    );
    let rows = [
        ("user", printable(&account.user_name)),
        ("id", printable(&account.id)),
        ("handle", hex::encode(account.handle)),
        ("state", printable(&account.state)),
        ("key", key),
    ];
    let groups: Vec<Vec<String>> = account
        .groups
        .iter()
        .map(|(id, name, epoch)| vec![printable(name), epoch.to_string(), printable(id)])
        .collect();
    let groups_text = if groups.is_empty() {
        "Member of no group.".to_owned()
    } else {
        table(&["group", "epoch", "id"], &groups)
    };
    let text = format!(
        "{}\n\n{}\n\n{groups_text}",
        aligned(&rows),
        devices_text(account, own)
    );
    let groups: Vec<Value> = account
        .groups
        .iter()
        .map(|(id, name, epoch)| {
            Object::new()
                .with("id", id.as_str())
                .with("name", name.as_str())
                .with("epoch", *epoch)
                .into()
        })
        .collect();
    let json = Object::new()
        .with("user", account.user_name.as_str())
        .with("id", account.id.as_str())
        .with("handle", hex::encode(account.handle))
        .with("state", account.state.as_str())
        .with(
            "fingerprint",
            keys.map_or(Value::Null, |keys| {
                keys.public.fingerprint().to_string().into()
            }),
        )
        .with(
            "key_version",
            keys.map_or(Value::Null, |keys| keys.key_version.into()),
        )
        .with("devices", devices_json(account, own))
        .with("groups", groups);
    Outcome::done(text, json)
}

fn devices_text(account: &Account, own: &Fingerprint) -> String {
    let rows: Vec<Vec<String>> = account
        .devices
        .iter()
        .map(|device| {
            let mark = if device.id == *own { "this one" } else { "" };
            vec![
                printable(&device.name),
                time::utc(device.added_ms),
                device.id.to_string(),
                mark.to_owned(),
            ]
        })
        .collect();
    if rows.is_empty() {
        "There is no device.".to_owned()
    } else {
        table(&["device", "added", "fingerprint", ""], &rows)
    }
}

fn devices_json(account: &Account, own: &Fingerprint) -> Vec<Value> {
    let devices = account.devices.iter();
    devices
        .map(|device| {
            Object::new()
                .with("id", device.id.to_string())
                .with("name", device.name.as_str())
                .with("added_ms", device.added_ms)
                .with("this", device.id == *own)
                .into()
        })
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::member::OsEntropy;
    use crate::member::code::base64;
    use chancery_keyset::Keyset;

    /// An account with one device and one group, as the service tells it.
    pub(crate) fn answer(keyset: &Keyset) -> Object {
        let device = Object::new()
            .with("id", keyset.public().fingerprint().to_string())
            .with("public", base64(&keyset.public().encode()))
            .with("name", "laptop\u{1b}")
            .with("added_ms", 0_u64)
            .with("wrap", Value::Null);
        let group = Object::new()
            .with("id", "g")
            .with("name", "Board")
            .with("epoch", 3_u64);
        let account = Object::new()
            .with("fingerprint", keyset.public().fingerprint().to_string())
            .with("public", base64(&keyset.public().encode()))
            .with("key_version", 2_u64);
        Object::new()
            .with("id", "i")
            .with("handle", "0b".repeat(32))
            .with("user_name", "ada@demo.example")
            .with("state", "confirmed")
            .with("account", account)
            .with("devices", vec![device.into()])
            .with("groups", vec![group.into()])
    }

    #[test]
    fn shows_keys_devices_and_groups() {
        let keyset = Keyset::generate(&mut OsEntropy).unwrap();
        let account = Account::read(&answer(&keyset)).unwrap();
        let own = keyset.public().fingerprint();
        let outcome = shown(&account, &own);
        for part in [
            "ada@demo.example",
            "version 2",
            "this one",
            "Board",
            "laptop\\u{1b}",
        ] {
            assert!(outcome.text.contains(part), "{part}: {}", outcome.text);
        }
        let other = Fingerprint::from_bytes([1; 32]);
        assert!(!shown(&account, &other).text.contains("this one"));
    }

    #[test]
    fn refuses_answers_of_another_form() {
        let keyset = Keyset::generate(&mut OsEntropy).unwrap();
        let good = answer(&keyset);
        for name in [
            "id",
            "handle",
            "user_name",
            "state",
            "account",
            "devices",
            "groups",
        ] {
            let mut bad = answer(&keyset);
            bad.remove(name);
            assert!(
                matches!(Account::read(&bad), Err(CliError::AnswerUnexpected { what }) if what == name),
                "{name}"
            );
        }
        let other = Keyset::generate(&mut OsEntropy).unwrap();
        let mut swapped = good;
        let account = Object::new()
            .with("fingerprint", other.public().fingerprint().to_string())
            .with("public", base64(&keyset.public().encode()))
            .with("key_version", 2_u64);
        swapped.insert("account", account.into());
        assert!(matches!(
            Account::read(&swapped),
            Err(CliError::AnswerUnexpected {
                what: "a fingerprint of another key"
            })
        ));
        let mut swapped = answer(&keyset);
        let device = Object::new()
            .with("id", other.public().fingerprint().to_string())
            .with("public", base64(&keyset.public().encode()))
            .with("name", "laptop")
            .with("added_ms", 0_u64)
            .with("wrap", Value::Null);
        swapped.insert("devices", Value::from(vec![device.into()]));
        assert!(matches!(
            Account::read(&swapped),
            Err(CliError::AnswerUnexpected {
                what: "a device of another key"
            })
        ));
    }
}
