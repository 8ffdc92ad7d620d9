//! `delegation …`: what automation may do, written, signed, put in force and revoked by admins.

use std::collections::BTreeSet;
use std::path::Path;

use chancery_authority::{
    ActName, BurstLimits, Delegation, Genesis, ManagedGroups, Mode, OnDelete, Scope, ScopeSet,
    VerifiedGenesis,
};
use chancery_client::now_ms;
use chancery_dsse::{Envelope, SigningKey};
use chancery_json::{Limits, Object, Value};
use sha2::{Digest as _, Sha256};

use crate::AnchorSource;
use crate::api::{TenantSession, read_tenant};
use crate::args::{
    DelegationCommand, DelegationNewArgs, DelegationRevokeArgs, DelegationShowArgs,
    DelegationSignArgs,
};
use crate::context::{Context, Environment};
use crate::error::CliError;
use crate::files::{Existing, Privacy, read_document, write};
use crate::output::{Outcome, printable};
use crate::tenant::parse_domains;
use crate::time;

/// Longest life of a delegation in days; authority refuses longer ones.
const DAYS_MAX: u64 = 731;

/// How far before now a new delegation begins, for a runtime whose clock is behind: five minutes.
const BACKDATE_MS: u64 = 5 * 60 * 1000;

/// Longest life of a credential under a new delegation, in seconds: 180 days.
const CREDENTIAL_LIFE_S: u64 = 180 * 24 * 60 * 60;

/// The brake of a new delegation: what a busy day does not reach and a broken or captured identity
/// provider does.
const LIMITS: BurstLimits = BurstLimits {
    window_s: 60 * 60,
    suspensions: 50,
    deletions: 20,
    grants: 5000,
    emptied_groups: 5,
};

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
    let domains = if args.domains.is_empty() {
        genesis.genesis().domains.clone()
    } else {
        parse_domains(&args.domains)?
    };
    let delegation = Delegation {
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
        domains,
        allow_user_names_without_domain: false,
        managed_groups: ManagedGroups::All,
        sensitive_groups: BTreeSet::new(),
        protected_groups: BTreeSet::new(),
        protected_accounts: BTreeSet::new(),
        limits: LIMITS,
        credential_life_max_s: CREDENTIAL_LIFE_S,
        on_delete: OnDelete::Suspend,
        id_mapping: genesis.genesis().idp.as_ref().map(|idp| idp.mapping),
        mode: Mode::Apply,
        pilot: None,
    };
    let payload = delegation.to_payload();
    // What an admin could not sign is not worth writing down.
    Delegation::from_json(&payload)?;
    let existing = Existing::from_force(args.force);
    write(&args.out, &payload, Privacy::Public, existing)?;
    let text = format!(
        "{}\n\nNothing is in force yet: read {file}, edit it if you like, then sign it with \
         `delegation sign {file} --out FILE --submit`.",
        sentences(&delegation),
        file = printable(&args.out.display().to_string())
    );
    Ok(Outcome::done(text, describe_json(&delegation, &payload)))
}

async fn ask_genesis_and_serial<S: AnchorSource>(
    args: &DelegationNewArgs,
    environment: &Environment,
    source: &S,
) -> Result<(VerifiedGenesis, u64), CliError> {
    let context = Context::load(&args.context, environment)?;
    let mut connection = context.connect(source).await?;
    let tenant = read_tenant(&mut connection, &context).await?;
    let newest = tenant
        .delegations
        .iter()
        .filter_map(|envelope| Delegation::from_json(envelope.unverified_payload()).ok())
        .map(|delegation| delegation.serial)
        .max();
    let next = newest.map_or(1, |serial| serial.saturating_add(1));
    Ok((tenant.genesis, args.serial.unwrap_or(next)))
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
        "It is in force.".to_owned()
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

/// An envelope as a member of a JSON document.
fn envelope_value(envelope: &Envelope) -> Result<Value, CliError> {
    Value::parse(&envelope.to_json(), &Limits::DOCUMENT)
        .map_err(|error| CliError::Envelope(chancery_dsse::Error::Json(error)))
}

/// Signs a delegation, or adds signatures to an envelope of one.
fn sign_document(
    document: &[u8],
    path: &Path,
    keys: &[SigningKey],
) -> Result<(Delegation, Envelope), CliError> {
    if let Ok(mut envelope) = Envelope::parse(document) {
        let delegation = Delegation::from_json(envelope.unverified_payload())?;
        for key in keys {
            envelope.add_signature(key)?;
        }
        return Ok((delegation, envelope));
    }
    let delegation =
        Delegation::from_json(document).map_err(|error| CliError::DocumentInvalid {
            path: path.to_owned(),
            reason: error.describe(),
        })?;
    let envelope = delegation.sign(&keys.iter().collect::<Vec<_>>())?;
    Ok((delegation, envelope))
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
    let mut connection = context.connect(source).await?;
    let tenant = read_tenant(&mut connection, &context).await?;
    let authority = tenant.genesis.authority();
    let mut texts = Vec::new();
    let mut list = Vec::new();
    for envelope in &tenant.delegations {
        let verified = Delegation::verify(envelope, &authority)?;
        let payload = envelope.unverified_payload();
        texts.push(format!(
            "{}\n\nhash {}",
            sentences(verified.delegation()),
            hex::encode(verified.hash())
        ));
        list.push(Value::from(describe_json(verified.delegation(), payload)));
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
    let document = read_document(path)?;
    let (payload, signatures) = match Envelope::parse(&document) {
        Ok(envelope) => {
            let signers: Vec<String> = envelope
                .unverified_signers()
                .map(|signer| signer.to_string())
                .collect();
            let told = format!("carries signatures (not checked) of {}", signers.join(", "));
            (envelope.unverified_payload().to_vec(), told)
        }
        Err(_not_signed) => (document, "not signed".to_owned()),
    };
    let delegation =
        Delegation::from_json(&payload).map_err(|error| CliError::DocumentInvalid {
            path: path.to_owned(),
            reason: error.describe(),
        })?;
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
    let sentences: Vec<Value> = delegation.describe().into_iter().map(Value::from).collect();
    Object::new()
        .with("serial", delegation.serial)
        .with("hash", hex::encode(Sha256::digest(payload)))
        .with("not_before_ms", delegation.not_before_ms)
        .with("not_after_ms", delegation.not_after_ms)
        .with("sentences", sentences)
}
