//! `plan …`: what automation asked for in plan mode, reviewed and signed by the admins.

use core::time::Duration;

use chancery_authority::ActName;
use chancery_json::{Object, Value};

use crate::AnchorSource;
use crate::api::{TenantSession, list, number, text, texts};
use crate::args::ContextArgs;
use crate::args::admin::{PlanApplyArgs, PlanCommand};
use crate::context::{Context, Environment};
use crate::error::CliError;
use crate::output::{Outcome, note, printable, table};
use crate::progress::Progress;
use crate::user::done;

/// The lists of names in a plan, with what happens to those who stand in them.
const LISTS: [(&str, &str); 7] = [
    ("invited", "invited: new here"),
    (
        "matched",
        "matched: here already, automation takes them over",
    ),
    ("restored", "restored: suspended here, active there"),
    ("suspended", "suspended"),
    ("unmatched", "unmatched: here, and not mentioned there"),
    ("deleted", "deleted"),
    ("changed", "changed in other attributes"),
];

/// How long to wait before asking again how far the plan is.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// How often the runtime may show no progress before the command gives up waiting: five minutes.
const STILL_MAX: u32 = 300;

/// Runs `plan …`.
pub(crate) async fn run<S: AnchorSource>(
    command: &PlanCommand,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    match command {
        PlanCommand::Show(args) => {
            let context = Context::load(args, environment)?;
            let mut session = TenantSession::open(&context, source).await?;
            shown(session.act(ActName::PlanShow, &Object::new()).await?)
        }
        PlanCommand::Apply(args) => apply(args, environment, source).await,
        PlanCommand::Drop(args) => forget(args, environment, source).await,
    }
}

fn shown(answer: Object) -> Result<Outcome, CliError> {
    let mut words = difference(&answer)?;
    if let Some(standing) = standing(&answer)? {
        words.push_str("\n\n");
        words.push_str(&standing);
    }
    Ok(Outcome::done(words, answer))
}

/// How far a signed plan is, if there is one.
fn standing(plan: &Object) -> Result<Option<String>, CliError> {
    let remaining = number(plan, "remaining")?;
    if remaining == 0 {
        return Ok(None);
    }
    let mut words = format!("{remaining} approved intents are not carried out yet.");
    let skipped = skipped(plan);
    if skipped > 0 {
        words.push_str(&format!(
            " {skipped} were skipped, because the directory has changed since."
        ));
    }
    if is_stopped(plan) {
        words.push_str(
            " It has stopped: no delegation in force covers it. Put one in force, or drop the plan.",
        );
    }
    Ok(Some(words))
}

fn skipped(plan: &Object) -> u64 {
    plan.get("skipped").and_then(Value::as_u64).unwrap_or(0)
}

fn is_stopped(plan: &Object) -> bool {
    plan.get("stopped").and_then(Value::as_bool) == Some(true)
}

/// Everything that the plan changes, in tables, with totals, and the hash that is signed.
fn difference(plan: &Object) -> Result<String, CliError> {
    if plan.get("open").and_then(Value::as_bool) != Some(true) {
        return Ok("There is no open plan.".to_owned());
    }
    let mut parts = Vec::new();
    let mut totals = Vec::new();
    for (name, heading) in LISTS {
        let names = texts(plan, name)?;
        totals.push(vec![name.to_owned(), names.len().to_string()]);
        if !names.is_empty() {
            let lines: Vec<String> = names
                .iter()
                .map(|name| format!("  {}", printable(name)))
                .collect();
            parts.push(format!("{heading}\n{}", lines.join("\n")));
        }
    }
    let renamed = renamed(plan)?;
    totals.push(vec!["renamed".to_owned(), renamed.len().to_string()]);
    if !renamed.is_empty() {
        parts.push(format!("renamed\n{}", table(&["from", "to"], &renamed)));
    }
    let regrouped = regrouped(plan)?;
    totals.push(vec!["regrouped".to_owned(), regrouped.len().to_string()]);
    if !regrouped.is_empty() {
        let headings = ["group", "adds", "removes"];
        parts.push(format!("regrouped\n{}", table(&headings, &regrouped)));
    }
    parts.push(table(&["what", "how many"], &totals));
    parts.push(format!(
        "{} intents; what an admin signs is the hash\n{}",
        number(plan, "intents")?,
        printable(text(plan, "hash")?)
    ));
    Ok(parts.join("\n\n"))
}

fn renamed(plan: &Object) -> Result<Vec<Vec<String>>, CliError> {
    let pair = |value: &Value| match value.as_array() {
        Some([old, new]) => Some(vec![printable(old.as_str()?), printable(new.as_str()?)]),
        _ => None,
    };
    list(plan, "renamed")?
        .iter()
        .map(|value| pair(value).ok_or(CliError::AnswerUnexpected { what: "renamed" }))
        .collect()
}

fn regrouped(plan: &Object) -> Result<Vec<Vec<String>>, CliError> {
    let named = |group: &Object, name| -> Result<String, CliError> {
        let names: Vec<String> = texts(group, name)?.iter().map(|n| printable(n)).collect();
        Ok(if names.is_empty() {
            "-".to_owned()
        } else {
            names.join(", ")
        })
    };
    list(plan, "regrouped")?
        .iter()
        .map(|value| {
            let group = value
                .as_object()
                .ok_or(CliError::AnswerUnexpected { what: "regrouped" })?;
            Ok(vec![
                printable(text(group, "group")?),
                named(group, "added")?,
                named(group, "removed")?,
            ])
        })
        .collect()
}

async fn apply<S: AnchorSource>(
    args: &PlanApplyArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    let context = Context::load(&args.context, environment)?;
    let mut session = TenantSession::open(&context, source).await?;
    let plan = session.act(ActName::PlanShow, &Object::new()).await?;
    let hash = signable(&plan, args.hash.as_deref())?;
    let unmatched = if args.keep_unmatched {
        "keep"
    } else {
        "suspend"
    };
    note(&format!(
        "{}\n\nSigning this plan; unmatched accounts are {}.",
        difference(&plan)?,
        if args.keep_unmatched {
            "left as they are"
        } else {
            "suspended"
        }
    ));
    let body = Object::new()
        .with("hash", hash.as_str())
        .with("unmatched", unmatched);
    let answer = session.act(ActName::PlanApply, &body).await?;
    let skipped = watch(&mut session).await?;
    let mut did = format!("The plan {hash} is signed and carried out.");
    if skipped > 0 {
        did.push_str(&format!(
            " {skipped} intents were skipped, because the directory has changed since."
        ));
    }
    let mut outcome = done(&did, answer)?;
    outcome.json = outcome.json.with("skipped", skipped);
    Ok(outcome)
}

/// The hash to sign: the plan's own, which must be the reviewed one if one was named.
fn signable(plan: &Object, reviewed: Option<&str>) -> Result<String, CliError> {
    if plan.get("open").and_then(Value::as_bool) != Some(true) {
        return Err(CliError::Nothing {
            what: "there is no open plan",
        });
    }
    let hash = text(plan, "hash")?;
    if reviewed.is_some_and(|reviewed| !reviewed.eq_ignore_ascii_case(hash)) {
        return Err(CliError::PlanChanged {
            hash: hash.to_owned(),
        });
    }
    Ok(hash.to_owned())
}

/// Waits until every approved intent is carried out, and shows how far it is. Gives how many no longer
/// fitted the directory.
async fn watch<S: AnchorSource>(session: &mut TenantSession<'_, S>) -> Result<u64, CliError> {
    let mut progress: Option<Progress> = None;
    let (mut last, mut still, mut left_out) = (u64::MAX, 0_u32, 0_u64);
    loop {
        let plan = session.act(ActName::PlanShow, &Object::new()).await?;
        let remaining = number(&plan, "remaining")?;
        let shown = progress.get_or_insert_with(|| Progress::begin("carrying out", remaining));
        shown.remaining(remaining);
        left_out = left_out.max(skipped(&plan));
        if remaining == 0 {
            shown.end();
            return Ok(left_out);
        }
        still = if remaining == last {
            still.saturating_add(1)
        } else {
            0
        };
        if still >= STILL_MAX || is_stopped(&plan) {
            return Err(CliError::PlanUnfinished { remaining });
        }
        last = remaining;
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

async fn forget<S: AnchorSource>(
    args: &ContextArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    let context = Context::load(args, environment)?;
    let mut session = TenantSession::open(&context, source).await?;
    note(
        "Dropping the plan: what automation has asked for so far is forgotten and nothing of it happens.",
    );
    let answer = session.act(ActName::PlanDrop, &Object::new()).await?;
    done("The plan is dropped.", answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Object {
        let names =
            |names: &[&str]| -> Vec<Value> { names.iter().map(|n| Value::from(*n)).collect() };
        let group = Object::new()
            .with("group", "Finance")
            .with("added", names(&["ann", "bob"]))
            .with("removed", names(&[]));
        Object::new()
            .with("open", true)
            .with("hash", "ab".repeat(32))
            .with("intents", 9_u64)
            .with("invited", names(&["ann\u{1b}", "bob"]))
            .with("matched", names(&[]))
            .with("suspended", names(&["eve"]))
            .with("unmatched", names(&["old"]))
            .with("restored", names(&[]))
            .with("deleted", names(&[]))
            .with("changed", names(&["kim"]))
            .with("renamed", vec![Value::from(names(&["a", "b"]))])
            .with("regrouped", vec![Value::from(group)])
            .with("remaining", 0_u64)
    }

    #[test]
    fn shows_everything_that_changes_with_totals_and_the_hash() {
        let outcome = shown(plan()).unwrap();
        for part in [
            "invited: new here\n  ann\\u{1b}\n  bob",
            "unmatched: here, and not mentioned there\n  old",
            "renamed\nfrom  to\na     b",
            "regrouped\ngroup    adds      removes\nFinance  ann, bob  -",
            "invited    2",
            "changed in other attributes\n  kim",
            "deleted    0",
            "renamed    1",
        ] {
            assert!(outcome.text.contains(part), "{part}\n{}", outcome.text);
        }
        assert!(outcome.text.ends_with(&"ab".repeat(32)));
        let waiting = plan().with("remaining", 4_u64);
        assert!(
            shown(waiting)
                .unwrap()
                .text
                .ends_with("4 approved intents are not carried out yet.")
        );
        let stopped = plan()
            .with("open", false)
            .with("remaining", 4_u64)
            .with("skipped", 2_u64)
            .with("stopped", true);
        let text = shown(stopped).unwrap().text;
        assert!(text.starts_with("There is no open plan."), "{text}");
        assert!(text.contains("2 were skipped") && text.contains("It has stopped"));
    }

    #[test]
    fn signs_the_reviewed_plan_alone() {
        let hash = "ab".repeat(32);
        assert_eq!(signable(&plan(), None).unwrap(), hash);
        assert_eq!(signable(&plan(), Some(&hash.to_uppercase())).unwrap(), hash);
        assert!(matches!(
            signable(&plan(), Some(&"cd".repeat(32))),
            Err(CliError::PlanChanged { .. })
        ));
        assert!(matches!(
            signable(&plan().with("open", false), None),
            Err(CliError::Nothing { .. })
        ));
    }

    #[test]
    fn refuses_a_plan_that_leaves_a_list_out() {
        for name in [
            "invited",
            "matched",
            "unmatched",
            "renamed",
            "regrouped",
            "hash",
            "intents",
        ] {
            let mut plan = plan();
            plan.remove(name);
            assert!(
                matches!(difference(&plan), Err(CliError::AnswerUnexpected { what }) if what == name),
                "{name}"
            );
        }
    }
}
