//! `delegation …`: what automation may do, written, signed, put in force and revoked by admins.

use std::collections::BTreeSet;
use std::path::Path;

use chancery_authority::{
    ActName, BurstLimits, DELEGATION_PAYLOAD_TYPE, Delegation, Genesis, ManagedGroups, Mode,
    OnDelete, Pilot, Scope, ScopeSet, VerifiedGenesis,
};
use chancery_client::now_ms;
use chancery_dsse::{Envelope, SigningKey};
use chancery_json::{Limits, Object, Value};
use sha2::{Digest as _, Sha256};

use crate::AnchorSource;
use crate::admins::envelope_value;
use crate::api::TenantSession;
use crate::args::delegation::{
    DelegationCommand, DelegationNewArgs, DelegationRevokeArgs, DelegationShowArgs,
    DelegationSignArgs, LimitArgs, TrialArgs,
};
use crate::context::{Context, Environment};
use crate::error::CliError;
use crate::files::{Existing, Privacy, read_document, write};
use crate::hints::explained;
use crate::output::{Outcome, printable};
use crate::pretty::pretty;
use crate::tenant::parse_domains;
use crate::time;

/// Longest life of a delegation in days; authority refuses longer ones.
const DAYS_MAX: u64 = 731;

/// How far before now a new delegation begins, for a runtime whose clock is behind: five minutes.
const BACKDATE_MS: u64 = 5 * 60 * 1000;

/// Seconds of a day.
const DAY_S: u64 = 24 * 60 * 60;

/// Runs `delegation …`.
pub(crate) async fn run<S: AnchorSource>(
    command: &DelegationCommand,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    match command {
        DelegationCommand::New(args) => new(args, environment, source).await,
        DelegationCommand::Sign(args) => sign(args, environment, source).await,
        DelegationCommand::Show(args) => show(args, environment, source).await,
        DelegationCommand::Revoke(args) => revoke(args, environment, source).await,
    }
}

async fn new<S: AnchorSource>(
    args: &DelegationNewArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    let (genesis, serial) = match (&args.genesis, args.serial) {
        (Some(path), Some(serial)) => (
            Genesis::verify(&Envelope::parse(&read_document(path)?)?)?,
            serial,
        ),
        _ => ask_genesis_and_serial(args, environment, source).await?,
    };
    let delegation = drafted(args, &genesis, serial)?;
    let payload = delegation.to_payload();
    // What an admin could not sign is not worth writing down.
    Delegation::from_json(&payload).map_err(|error| CliError::EditInvalid {
        path: args.out.clone(),
        reason: explained(&error),
    })?;
    let existing = Existing::from_force(args.force);
    write(
        &args.out,
        pretty(&payload).as_bytes(),
        Privacy::Public,
        existing,
    )?;
    let limits = &delegation.limits;
    let text = format!(
        "{}\n\nThe brake lets {} suspensions, {} deletions, {} grants and {} emptied groups through within \
         {} s, then waits for an admin. Set it to your size with --suspensions, --deletions, --grants, \
         --emptied-groups and --window-s.\n\nNothing is in force yet: read {file}, edit it if you like, \
         then sign it with `delegation sign {file} --out FILE --submit`.",
        sentences(&delegation),
        limits.suspensions,
        limits.deletions,
        limits.grants,
        limits.emptied_groups,
        limits.window_s,
        file = printable(&args.out.display().to_string())
    );
    Ok(Outcome::done(text, describe_json(&delegation, &payload)))
}

/// The delegation that the command line describes; nothing about it is signed.
fn drafted(
    args: &DelegationNewArgs,
    genesis: &VerifiedGenesis,
    serial: u64,
) -> Result<Delegation, CliError> {
    let names = |list: &[String]| list.iter().cloned().collect::<BTreeSet<_>>();
    let idp = genesis.genesis().idp.as_ref();
    Ok(Delegation {
        tenant: genesis.tenant(),
        serial,
        not_before_ms: now_ms().saturating_sub(BACKDATE_MS),
        not_after_ms: time::in_days(args.days, DAYS_MAX).ok_or(CliError::ValueInvalid {
            option: "--days",
            allowed: "1 to 731",
        })?,
        scopes: if args.scopes.is_empty() {
            ScopeSet::all()
        } else {
            parse_scopes(&args.scopes)?
        },
        domains: if args.domains.is_empty() {
            genesis.genesis().domains.clone()
        } else {
            parse_domains(&args.domains)?
        },
        allow_user_names_without_domain: args.user_names_without_domain,
        managed_groups: if args.reach.managed_groups.is_empty() {
            ManagedGroups::All
        } else {
            ManagedGroups::Listed(names(&args.reach.managed_groups))
        },
        sensitive_groups: names(&args.reach.sensitive_groups),
        protected_groups: names(&args.reach.protected_groups),
        protected_accounts: names(&args.reach.protected_accounts),
        limits: burst_limits(args.limits),
        credential_life_max_s: args.credential_days.saturating_mul(DAY_S),
        on_delete: args
            .erase_after_days
            .map_or(OnDelete::Suspend, OnDelete::EraseAfterDays),
        id_mapping: idp.map(|idp| idp.mapping).filter(|_| !args.no_idp_mapping),
        mode: if args.trial.plan {
            Mode::Plan
        } else {
            Mode::Apply
        },
        pilot: pilot(&args.trial),
    })
}

const fn burst_limits(args: LimitArgs) -> BurstLimits {
    BurstLimits {
        window_s: args.window_s,
        suspensions: args.suspensions,
        deletions: args.deletions,
        grants: args.grants,
        emptied_groups: args.emptied_groups,
    }
}

/// A pilot if anybody or any group is named for one; the other list is then empty.
fn pilot(args: &TrialArgs) -> Option<Pilot> {
    let named = !args.pilot_users.is_empty() || !args.pilot_groups.is_empty();
    named.then(|| Pilot {
        users: args.pilot_users.iter().cloned().collect(),
        groups: args.pilot_groups.iter().cloned().collect(),
    })
}

async fn ask_genesis_and_serial<S: AnchorSource>(
    args: &DelegationNewArgs,
    environment: &Environment,
    source: &S,
) -> Result<(VerifiedGenesis, u64), CliError> {
    let context = Context::load(&args.context, environment)?;
    let mut session = TenantSession::open(&context, source).await?;
    let newest = session
        .delegations()
        .await?
        .iter()
        .map(|verified| verified.delegation().serial)
        .max();
    let next = newest.map_or(1, |serial| serial.saturating_add(1));
    Ok((session.tenant.genesis, args.serial.unwrap_or(next)))
}

async fn sign<S: AnchorSource>(
    args: &DelegationSignArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    let context = Context::load(&args.context, environment)?;
    let keys = context.keys()?;
    let document = read_document(&args.document)?;
    let (delegation, envelope) = sign_document(&document, &args.document, &keys)?;
    let existing = Existing::from_force(args.force);
    write(&args.out, &envelope.to_json(), Privacy::Public, existing)?;

    let mut json = describe_json(&delegation, envelope.unverified_payload());
    let signatures = envelope.unverified_signers().count();
    let state = if args.submit {
        let mut session = TenantSession::open(&context, source).await?;
        let body = Object::new().with("delegation", envelope_value(&envelope)?);
        let answer = session.act(ActName::DelegationPut, &body).await?;
        json = json.with("answer", answer);
        "It is in force. What was signed before stays in force beside it, and what any delegation allows is \
         allowed: `delegation show` lists them, `delegation revoke` ends one."
            .to_owned()
    } else {
        format!(
            "It is signed by {signatures} and not in force: more admins can add their signature to \
             {}, and --submit puts it in force.",
            printable(&args.out.display().to_string())
        )
    };
    json = json.with("submitted", args.submit);
    Ok(Outcome::done(
        format!("{}\n\n{state}", sentences(&delegation)),
        json,
    ))
}

/// Signs a delegation, or adds signatures to an envelope of one. What is signed is always the one
/// encoding, however the document is laid out.
fn sign_document(
    document: &[u8],
    path: &Path,
    keys: &[SigningKey],
) -> Result<(Delegation, Envelope), CliError> {
    let (delegation, envelope) = read_document_of(document, path)?;
    match envelope {
        Some(mut envelope) => {
            for key in keys {
                envelope.add_signature(key)?;
            }
            Ok((delegation, envelope))
        }
        None => {
            let envelope = delegation.sign(&keys.iter().collect::<Vec<_>>())?;
            Ok((delegation, envelope))
        }
    }
}

/// A delegation in any layout, or in an envelope, which must then hold the one encoding.
fn read_document_of(
    document: &[u8],
    path: &Path,
) -> Result<(Delegation, Option<Envelope>), CliError> {
    let invalid = |reason: String| CliError::DocumentInvalid {
        path: path.to_owned(),
        reason,
    };
    let Ok(envelope) = Envelope::parse(document) else {
        let delegation = Delegation::from_json(document);
        let delegation = delegation.map_err(|error| CliError::EditInvalid {
            path: path.to_owned(),
            reason: explained(&error),
        })?;
        return Ok((delegation, None));
    };
    if envelope.unverified_payload_type() != DELEGATION_PAYLOAD_TYPE {
        return Err(invalid("the envelope holds no delegation".to_owned()));
    }
    let delegation = Delegation::from_json(envelope.unverified_payload())
        .map_err(|error| invalid(explained(&error)))?;
    if delegation.to_payload() != envelope.unverified_payload() {
        return Err(chancery_authority::Error::NotCanonical.into());
    }
    Ok((delegation, Some(envelope)))
}

async fn show<S: AnchorSource>(
    args: &DelegationShowArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    if let Some(path) = &args.document {
        let (delegation, payload, signatures) = read_delegation(path)?;
        let text = format!(
            "{}\n\nhash {}\n{signatures}",
            sentences(&delegation),
            hex::encode(Sha256::digest(&payload))
        );
        return Ok(Outcome::done(text, describe_json(&delegation, &payload)));
    }
    let context = Context::load(&args.context, environment)?;
    let mut session = TenantSession::open(&context, source).await?;
    let mut texts = Vec::new();
    let mut list = Vec::new();
    for verified in session.delegations().await? {
        let delegation = verified.delegation();
        texts.push(format!(
            "{}\n\nhash {}",
            sentences(delegation),
            hex::encode(verified.hash())
        ));
        list.push(Value::from(describe_json(
            delegation,
            &delegation.to_payload(),
        )));
    }
    if texts.is_empty() {
        texts.push("No delegation is in force: automation can do nothing.".to_owned());
    }
    Ok(Outcome::done(
        texts.join("\n\n"),
        Object::new().with("delegations", list),
    ))
}

/// A delegation from a file, signed or not; who signed is told and not judged.
fn read_delegation(path: &Path) -> Result<(Delegation, Vec<u8>, String), CliError> {
    let (delegation, envelope) = read_document_of(&read_document(path)?, path)?;
    let signatures = envelope.map_or_else(
        || "not signed".to_owned(),
        |envelope| {
            let signers: Vec<String> = envelope
                .unverified_signers()
                .map(|signer| signer.to_string())
                .collect();
            format!("carries signatures (not checked) of {}", signers.join(", "))
        },
    );
    let payload = delegation.to_payload();
    Ok((delegation, payload, signatures))
}

async fn revoke<S: AnchorSource>(
    args: &DelegationRevokeArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    let hash = match (&args.hash, &args.document) {
        (Some(hash), _) => parse_hash(hash)?,
        (None, Some(path)) => hex::encode(Sha256::digest(read_delegation(path)?.1)),
        (None, None) => return Err(CliError::ContextMissing { option: "--hash" }),
    };
    let context = Context::load(&args.context, environment)?;
    let mut session = TenantSession::open(&context, source).await?;
    let body = Object::new().with("delegation_hash", hash.as_str());
    session.act(ActName::DelegationRevoke, &body).await?;
    let json = Object::new().with("revoked", hash.as_str());
    Ok(Outcome::done(
        format!("The delegation {hash} is revoked."),
        json,
    ))
}

fn parse_hash(text: &str) -> Result<String, CliError> {
    let mut hash = [0; 32];
    hex::decode_to_slice(text, &mut hash).map_err(|_not_hex| CliError::ValueInvalid {
        option: "--hash",
        allowed: "64 hexadecimal digits, as `delegation show` prints them",
    })?;
    Ok(hex::encode(hash))
}

pub(crate) fn parse_scopes(texts: &[String]) -> Result<ScopeSet, CliError> {
    texts
        .iter()
        .map(|text| {
            Scope::parse(text).ok_or(CliError::ValueInvalid {
                option: "--scope",
                allowed: "users.read, users.create, users.update, users.suspend, users.delete, \
                          groups.read, groups.manage or groups.membership",
            })
        })
        .collect()
}

fn sentences(delegation: &Delegation) -> String {
    let sentences: Vec<String> = delegation
        .describe()
        .iter()
        .map(|sentence| printable(sentence))
        .collect();
    sentences.join("\n")
}

fn describe_json(delegation: &Delegation, payload: &[u8]) -> Object {
    // What this program encoded always parses again.
    let members = Value::parse(payload, &Limits::DOCUMENT).unwrap_or(Value::Null);
    let sentences: Vec<Value> = delegation.describe().into_iter().map(Value::from).collect();
    Object::new()
        .with("serial", delegation.serial)
        .with("hash", hex::encode(Sha256::digest(payload)))
        .with("not_before_ms", delegation.not_before_ms)
        .with("not_after_ms", delegation.not_after_ms)
        .with("sentences", sentences)
        .with("delegation", members)
}

#[cfg(test)]
mod tests;
