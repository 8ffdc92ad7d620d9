//! `log audit`: the whole log against the signed papers, the keys, and the directory as it stands.
//!
//! This file fetches and tells; `chancery-audit` replays and judges. Everything that is fetched is
//! untrusted until the replay has compared it with the head that the witnesses cosigned.

use std::collections::BTreeMap;
use std::path::Path;

use chancery_audit::{Audit, Audited, Counts, Finding, Roster, Shown, Verdict};
use chancery_authority::Genesis;
use chancery_directory::TenantId;
use chancery_directory::bundle::Verified;
use chancery_dsse::Envelope;
use chancery_json::{Object, Value};

use crate::AnchorSource;
use crate::api::TenantSession;
use crate::args::log::LogAuditArgs;
use crate::context::{Context, Environment};
use crate::error::CliError;
use crate::files::{read_document, read_table};
use crate::log::fetch::{Exhibits, directory, leaves, newest_receipt};
use crate::log::lines::HANDLE_DIGITS;
use crate::log::proof::check;
use crate::log::roster::read_roster;
use crate::log::shown::{names, shown};
use crate::output::{Outcome, printable, table};
use crate::progress::Progress;

/// How often the directory is read again because the log moved meanwhile.
const TRIES_MAX: u32 = 5;

/// Most findings that a table shows to a person; JSON has all that were kept.
const FINDINGS_SHOWN_MAX: usize = 200;

/// Names for people, by the beginning of the handle.
type Names = BTreeMap<String, String>;

/// Runs `log audit`.
pub(super) async fn run<S: AnchorSource>(
    args: &LogAuditArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    let roster = match &args.roster {
        Some(path) => Some(read_roster(&read_table(path)?, path)?),
        None => None,
    };
    let roster = roster
        .as_ref()
        .map(|names| Roster::new(names.iter().map(String::as_str)));
    let context = Context::load(&args.context, environment)?;
    let mut session = TenantSession::open(&context, source).await?;
    let genesis = &session.tenant.genesis;
    if let Some(path) = &args.genesis {
        must_be_kept(genesis.hash(), path)?;
    }
    let tenant = TenantId(*genesis.tenant().as_bytes());
    let standing = standing(&mut session, &context, tenant).await?;
    let mut audit = Audit::new(Audited {
        deployment: context.deployment.deployment_id(),
        tenant,
    });
    replay(&mut session, &mut audit, standing.head.head().size).await?;
    let verdict = audit.finish(&standing.head, roster.as_ref(), standing.shown.as_ref());
    let mut not_checked = Vec::new();
    if context.genesis_path().is_none() && args.genesis.is_none() {
        not_checked.push(format!(
            "that this is the tenant that you mean: compare its id, {tenant}, with the TXT record at your \
             own domain"
        ));
    }
    if roster.is_none() {
        not_checked
            .push("whether the identity provider knows every user: pass --roster".to_owned());
    }
    if standing.shown.is_none() {
        not_checked.push(
            "what the service says now: the log moved each time that the directory was read"
                .to_owned(),
        );
    }
    Ok(told(&verdict, &standing.names, &not_checked))
}

/// The service must know the tenant under the genesis that the auditor keeps.
fn must_be_kept(hash: &[u8; 32], path: &Path) -> Result<(), CliError> {
    let kept = Genesis::verify(&Envelope::parse(&read_document(path)?)?)?;
    if kept.hash() == hash {
        Ok(())
    } else {
        Err(CliError::OtherGenesis {
            path: path.to_owned(),
        })
    }
}

/// The newest head, and the directory under it.
struct Standing {
    head: Verified,
    shown: Option<Shown>,
    names: Names,
}

/// A service that is written to is read again until no entry came in between; if that does not
/// happen, the directory is not compared.
async fn standing<S: AnchorSource>(
    session: &mut TenantSession<'_, S>,
    context: &Context,
    tenant: TenantId,
) -> Result<Standing, CliError> {
    let mut before = head(session, context, tenant).await?;
    let mut found = Names::new();
    for _ in 0..TRIES_MAX {
        let (users, groups) = directory(session).await?;
        found = names(&users, &groups);
        let after = head(session, context, tenant).await?;
        if after.head().size == before.head().size {
            return Ok(Standing {
                head: after,
                shown: Some(shown(&users, &groups)?),
                names: found,
            });
        }
        before = after;
    }
    Ok(Standing {
        head: before,
        shown: None,
        names: found,
    })
}

/// The newest head, proved down from the pinned root log.
async fn head<S: AnchorSource>(
    session: &mut TenantSession<'_, S>,
    context: &Context,
    tenant: TenantId,
) -> Result<Verified, CliError> {
    let bundle = newest_receipt(session).await?;
    let place = Path::new("the service's answer");
    let receipt = check(&context.deployment, &bundle, place, Some(tenant))?;
    Ok(receipt.verified)
}

/// Feeds the whole log, each private part before its first leaf.
async fn replay<S: AnchorSource>(
    session: &mut TenantSession<'_, S>,
    audit: &mut Audit,
    size: u64,
) -> Result<(), CliError> {
    let progress = Progress::begin("replaying the log", size);
    let mut exhibits = Exhibits::new();
    while audit.size() < size {
        let page = leaves(session, audit.size(), size).await?;
        let count = u64::try_from(page.len()).unwrap_or(u64::MAX);
        let until = audit.size().saturating_add(count);
        for exhibit in exhibits.before(session, until).await? {
            audit.exhibit(exhibit);
        }
        for leaf in &page {
            audit.leaf(leaf);
        }
        progress.done(audit.size());
    }
    progress.end();
    Ok(())
}

/// The verdict in sentences, and a table of what does not add up. It holds only if nothing was found.
fn told(verdict: &Verdict, names: &Names, not_checked: &[String]) -> Outcome {
    let mut parts = vec![sentences(verdict)];
    let rows: Vec<Vec<String>> = verdict
        .findings()
        .iter()
        .take(FINDINGS_SHOWN_MAX)
        .map(|finding| row(finding, names))
        .collect();
    if !rows.is_empty() {
        parts.push(table(&["entry", "what does not add up", "who"], &rows));
    }
    let kept = u64::try_from(verdict.findings().len()).unwrap_or(u64::MAX);
    let shown = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    let more = kept
        .saturating_sub(shown)
        .saturating_add(verdict.findings_more());
    if more > 0 {
        parts.push(format!("And {more} more; --json has the first {kept}."));
    }
    if !not_checked.is_empty() {
        parts.push(format!("Not checked:\n  - {}", not_checked.join("\n  - ")));
    }
    parts.push(
        if verdict.is_clean() {
            "CLEAN: every act in the log has its authority, and nothing else is there."
        } else {
            "NOT CLEAN: keep this output, and ask whoever runs the service and your admins."
        }
        .to_owned(),
    );
    Outcome {
        text: parts.join("\n\n"),
        json: json(verdict, names, not_checked),
        holds: verdict.is_clean(),
    }
}

fn sentences(verdict: &Verdict) -> String {
    let lines: Vec<String> = verdict
        .sentences()
        .iter()
        .map(|sentence| printable(sentence))
        .collect();
    lines.join("\n")
}

fn row(finding: &Finding, names: &Names) -> Vec<String> {
    let fault = finding.fault.to_string();
    vec![
        finding
            .index
            .map_or_else(|| "-".to_owned(), |index| index.to_string()),
        printable(&fault),
        who(&fault, names).unwrap_or_else(|| "-".to_owned()),
    ]
}

/// The names of those whose handles stand in a sentence, as far as the service says them.
fn who(sentence: &str, names: &Names) -> Option<String> {
    let found: Vec<String> = sentence
        .split(|letter: char| !letter.is_ascii_hexdigit())
        .filter(|word| word.len() == HANDLE_DIGITS)
        .filter_map(|word| names.get(word))
        .map(|name| printable(name))
        .collect();
    (!found.is_empty()).then(|| found.join(", "))
}

fn json(verdict: &Verdict, names: &Names, not_checked: &[String]) -> Object {
    let texts =
        |list: &[String]| -> Vec<Value> { list.iter().map(|text| text.as_str().into()).collect() };
    let findings: Vec<Value> = verdict
        .findings()
        .iter()
        .map(|finding| {
            let fault = finding.fault.to_string();
            let who = who(&fault, names);
            Object::new()
                .with("index", finding.index.map_or(Value::Null, Value::from))
                .with("fault", fault)
                .with("who", who.map_or(Value::Null, Value::from))
                .into()
        })
        .collect();
    let head = verdict.head();
    Object::new()
        .with(
            "verdict",
            if verdict.is_clean() {
                "clean"
            } else {
                "findings"
            },
        )
        .with("sentences", texts(verdict.sentences()))
        .with("findings", findings)
        .with("findings_more", verdict.findings_more())
        .with("counts", counts(verdict.counts()))
        .with(
            "head",
            Object::new()
                .with("tenant_id", head.tenant.to_string())
                .with("version", head.version)
                .with("size", head.size)
                .with("root", head.root.to_string()),
        )
        .with("not_checked", texts(not_checked))
}

fn counts(counts: &Counts) -> Object {
    Object::new()
        .with("leaves", counts.leaves)
        .with("batches", counts.batches)
        .with("acts", counts.acts)
        .with("withheld", counts.withheld)
        .with("provisioned", counts.provisioned)
        .with("confirmed", counts.confirmed)
        .with("suspended", counts.suspended)
        .with("deleted", counts.deleted)
        .with("groups", counts.groups)
        .with("memberships", counts.memberships)
        .with("epochs", counts.epochs)
        .with("keys", counts.keys)
        .with("delegations", counts.delegations)
        .with("credentials", counts.credentials)
        .with("confirmed_by_admins", counts.confirmed_by_admins)
        .with("imported", counts.imported)
        .with("unnamed", counts.unnamed)
}

#[cfg(test)]
mod tests;
