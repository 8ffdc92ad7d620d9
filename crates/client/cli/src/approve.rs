//! `approve`: held changes of sensitive groups, and windows of the brake.

use chancery_authority::ActName;
use chancery_json::{Object, Value};

use crate::AnchorSource;
use crate::api::{TenantSession, list, number, text, texts};
use crate::args::admin::{ApproveArgs, BurstKind};
use crate::context::{Context, Environment};
use crate::error::CliError;
use crate::output::{Outcome, note, printable, table};
use crate::time;
use crate::user::done;

/// Longest window that can be asked for: a week, as long as the longest window of a delegation.
const WINDOW_S_MAX: u64 = 7 * 24 * 60 * 60;

/// Most names of one held change that a table shows; JSON has all.
const NAMES_SHOWN_MAX: usize = 5;

impl BurstKind {
    /// The word as the act names it.
    const fn name(self) -> &'static str {
        match self {
            Self::Suspensions => "suspensions",
            Self::Deletions => "deletions",
            Self::Grants => "grants",
            Self::EmptiedGroups => "emptied_groups",
        }
    }
}

/// Runs `approve`.
pub(crate) async fn run<S: AnchorSource>(
    args: &ApproveArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    let wish = wish(args)?;
    let context = Context::load(&args.context, environment)?;
    let mut session = TenantSession::open(&context, source).await?;
    let held = session.act(ActName::ActHeld, &Object::new()).await?;
    let (body, did) = match wish {
        Wish::Look => return shown(held),
        Wish::Held(id) => {
            note(&told(&held, &id)?);
            let did = format!("The change {id} is approved and carried out.");
            (Object::new().with("held", id), did)
        }
        Wish::Burst {
            kind,
            count,
            life_s,
        } => {
            let words = kind.name().replace('_', " ");
            note(&format!(
                "Signing: automation may do {count} more {words} within the next {life_s} seconds than \
                 the delegation's limit lets through."
            ));
            let body = Object::new()
                .with("burst", kind.name())
                .with("count", count)
                .with("life_s", life_s);
            (body, format!("The window for {count} {words} is open."))
        }
    };
    let answer = session.act(ActName::ActApprove, &body).await?;
    done(&did, answer)
}

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Wish {
    Look,
    Held(String),
    Burst {
        kind: BurstKind,
        count: u64,
        life_s: u64,
    },
}

fn wish(args: &ApproveArgs) -> Result<Wish, CliError> {
    if let Some(id) = &args.held {
        let mut bytes = [0; 32];
        hex::decode_to_slice(id, &mut bytes).map_err(|_not_hex| CliError::ValueInvalid {
            option: "HELD_ID",
            allowed: "64 hexadecimal digits, as `approve` prints them",
        })?;
        return Ok(Wish::Held(hex::encode(bytes)));
    }
    match (args.burst, args.count, &args.duration) {
        (Some(kind), Some(count), Some(duration)) => Ok(Wish::Burst {
            kind,
            count: (count > 0).then_some(count).ok_or(CliError::ValueInvalid {
                option: "--count",
                allowed: "at least 1",
            })?,
            life_s: parse_duration(duration)?,
        }),
        _ => Ok(Wish::Look),
    }
}

/// Seconds of a number with a unit: `90s`, `30m`, `2h`, `1d`.
fn parse_duration(text: &str) -> Result<u64, CliError> {
    let units = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400)];
    let seconds = units.iter().find_map(|(unit, seconds)| {
        let number: u64 = text.strip_suffix(*unit)?.parse().ok()?;
        number.checked_mul(*seconds)
    });
    seconds
        .filter(|seconds| (60..=WINDOW_S_MAX).contains(seconds))
        .ok_or(CliError::ValueInvalid {
            option: "--for",
            allowed: "a number with s, m, h or d, from 1m to 7d",
        })
}

fn members<'a>(
    answer: &'a Object,
    name: &'static str,
) -> Result<impl Iterator<Item = Result<&'a Object, CliError>>, CliError> {
    let objects = list(answer, name)?.iter().map(move |value| {
        value
            .as_object()
            .ok_or(CliError::AnswerUnexpected { what: name })
    });
    Ok(objects)
}

/// What approving one held change means.
fn told(answer: &Object, id: &str) -> Result<String, CliError> {
    for held in members(answer, "held")? {
        let held = held?;
        if text(held, "id")? == id {
            let part = |name, words: &str| -> Result<Option<String>, CliError> {
                let names: Vec<String> = texts(held, name)?.iter().map(|n| printable(n)).collect();
                Ok((!names.is_empty()).then(|| format!("{words} {}", names.join(", "))))
            };
            let parts: Vec<String> = [part("added", "adds")?, part("removed", "removes")?]
                .into_iter()
                .flatten()
                .collect();
            let group = printable(text(held, "group")?);
            return Ok(format!(
                "Signing: in the group {group}, automation {}.",
                parts.join(" and ")
            ));
        }
    }
    Err(CliError::ValueInvalid {
        option: "HELD_ID",
        allowed: "the id of a change that waits; `approve` without an argument shows them",
    })
}

fn shown(answer: Object) -> Result<Outcome, CliError> {
    let mut held = Vec::new();
    for each in members(&answer, "held")? {
        let each = each?;
        held.push(vec![
            printable(text(each, "id")?),
            printable(text(each, "group")?),
            shortened(&texts(each, "added")?),
            shortened(&texts(each, "removed")?),
            time::utc(number(each, "at_ms")?),
            time::utc(number(each, "expires_ms")?),
        ]);
    }
    let mut bursts = Vec::new();
    for each in members(&answer, "bursts")? {
        bursts.push(burst_row(each?)?);
    }
    let first = if held.is_empty() {
        "No change waits for a signature.".to_owned()
    } else {
        let headings = ["held", "group", "adds", "removes", "since", "until"];
        table(&headings, &held)
    };
    let headings = ["limit", "used", "of", "within", "approved besides", "until"];
    let words = if bursts.is_empty() {
        format!("{first}\n\nNo delegation is in force, so nothing is counted.")
    } else {
        format!("{first}\n\n{}", table(&headings, &bursts))
    };
    Ok(Outcome::done(words, answer))
}

fn burst_row(burst: &Object) -> Result<Vec<String>, CliError> {
    let until = burst.get("approved_until_ms").and_then(Value::as_u64);
    let approved = burst.get("approved").and_then(Value::as_u64).unwrap_or(0);
    Ok(vec![
        printable(text(burst, "kind")?).replace('_', " "),
        number(burst, "used")?.to_string(),
        number(burst, "limit")?.to_string(),
        format!("{} s", number(burst, "window_s")?),
        if approved == 0 {
            "-".to_owned()
        } else {
            approved.to_string()
        },
        until.map_or_else(|| "-".to_owned(), time::utc),
    ])
}

fn shortened(names: &[String]) -> String {
    if names.is_empty() {
        return "-".to_owned();
    }
    let shown: Vec<String> = names
        .iter()
        .take(NAMES_SHOWN_MAX)
        .map(|name| printable(name))
        .collect();
    let more = names.len().saturating_sub(NAMES_SHOWN_MAX);
    if more == 0 {
        shown.join(", ")
    } else {
        format!("{} and {more} more", shown.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::ContextArgs;

    fn answer() -> Object {
        let names = |count: u64| -> Vec<Value> {
            (0..count).map(|n| Value::from(format!("u{n}"))).collect()
        };
        let held = Object::new()
            .with("id", "ab".repeat(32))
            .with("group", "Finance\u{202e}")
            .with("added", names(7))
            .with("removed", names(0))
            .with("at_ms", 0_u64)
            .with("expires_ms", 1000_u64);
        let burst = Object::new()
            .with("kind", "emptied_groups")
            .with("used", 3_u64)
            .with("limit", 5_u64)
            .with("window_s", 3600_u64)
            .with("approved", 0_u64)
            .with("approved_until_ms", Value::Null);
        Object::new()
            .with("held", vec![Value::from(held)])
            .with("bursts", vec![Value::from(burst)])
    }

    #[test]
    fn shows_what_waits_and_how_much_of_each_limit_is_used() {
        let outcome = shown(answer()).unwrap();
        assert!(
            outcome
                .text
                .contains("Finance\\u{202e}  u0, u1, u2, u3, u4 and 2 more  -  ")
        );
        assert!(outcome.text.contains("emptied groups  3     5   3600 s"));
        let empty = Object::new()
            .with("held", Vec::<Value>::new())
            .with("bursts", Vec::<Value>::new());
        assert!(shown(empty).unwrap().text.starts_with("No change waits"));
    }

    #[test]
    fn says_what_one_approval_lets_through_and_refuses_an_unknown_one() {
        assert_eq!(
            told(&answer(), &"ab".repeat(32)).unwrap(),
            "Signing: in the group Finance\\u{202e}, automation adds u0, u1, u2, u3, u4, u5, u6."
        );
        assert!(told(&answer(), &"cd".repeat(32)).is_err());
    }

    #[test]
    fn reads_durations_with_their_unit_and_within_their_bounds() {
        for (text, seconds) in [("30m", 1800), ("90s", 90), ("2h", 7200), ("7d", 604_800)] {
            assert_eq!(parse_duration(text).unwrap(), seconds);
        }
        for text in ["30", "m", "59s", "8d", "-1m", "18446744073709551615d", ""] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_wish_is_one_of_three() {
        let mut args = ApproveArgs {
            held: None,
            burst: None,
            count: None,
            duration: None,
            context: ContextArgs::default(),
        };
        assert_eq!(wish(&args).unwrap(), Wish::Look);
        args.held = Some("zz".to_owned());
        assert!(wish(&args).is_err());
        args.held = Some("AB".repeat(32));
        assert_eq!(wish(&args).unwrap(), Wish::Held("ab".repeat(32)));
        args.held = None;
        args.burst = Some(BurstKind::Grants);
        args.count = Some(0);
        args.duration = Some("1h".to_owned());
        assert!(wish(&args).is_err());
        args.count = Some(2);
        let expected = Wish::Burst {
            kind: BurstKind::Grants,
            count: 2,
            life_s: 3600,
        };
        assert_eq!(wish(&args).unwrap(), expected);
    }
}
