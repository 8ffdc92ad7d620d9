//! `admins …` and `auditor …`: who may sign for the tenant, and who may read its log.

use std::path::{Path, PathBuf};

use base64ct::{Base64, Encoding as _};
use chancery_authority::{
    ADMINS_PAYLOAD_TYPE, ActName, Admin, AdminChange, AdminSet, TenantAuthority,
};
use chancery_dsse::{Envelope, PublicKey, SigningKey};
use chancery_json::{Limits, Object, Value};
use sha2::{Digest as _, Sha256};

use crate::AnchorSource;
use crate::api::{TenantSession, read_tenant};
use crate::args::ContextArgs;
use crate::args::admin::{
    AdminsCommand, AdminsKeyArgs, AdminsProposeArgs, AdminsSignArgs, AdminsSubmitArgs,
    AuditorCommand,
};
use crate::context::{Context, Environment};
use crate::error::CliError;
use crate::files::{Existing, Privacy, read_document, write};
use crate::hints::explained;
use crate::keys::create_signing_key;
use crate::output::{Outcome, aligned, note, printable, table};
use crate::pretty::pretty;
use crate::user::done;

/// Runs `admins …`.
pub(crate) async fn run<S: AnchorSource>(
    command: &AdminsCommand,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    match command {
        AdminsCommand::Show(args) => show(args, environment, source).await,
        AdminsCommand::Key(args) => key(args),
        AdminsCommand::Propose(args) => propose(args, environment, source).await,
        AdminsCommand::Sign(args) => sign(args, environment),
        AdminsCommand::Submit(args) => submit(args, environment, source).await,
    }
}

/// Runs `auditor …`.
pub(crate) async fn auditor<S: AnchorSource>(
    command: &AuditorCommand,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    match command {
        AuditorCommand::Enrol(args) => {
            let (name, key) = named_key(&args.auditor, "NAME=FILE")?;
            let context = Context::load(&args.context, environment)?;
            let mut session = TenantSession::open(&context, source).await?;
            let id = key.id().to_hex();
            note(&format!(
                "Signing: whoever holds the key {id} reads the whole log of this tenant, with its \
                 private parts. It can change nothing."
            ));
            let body = Object::new()
                .with("name", name.as_str())
                .with("key", Base64::encode_string(&key.to_bytes()));
            let answer = session.act(ActName::AuditorEnrol, &body).await?;
            let name = printable(&name);
            done(&format!("{name} is an auditor, with the key {id}."), answer)
        }
        AuditorCommand::Revoke(args) => {
            let context = Context::load(&args.context, environment)?;
            let mut session = TenantSession::open(&context, source).await?;
            let body = Object::new().with("id", args.id.as_str());
            let answer = session.act(ActName::AuditorRevoke, &body).await?;
            let id = printable(&args.id);
            done(&format!("The key {id} reads the log no longer."), answer)
        }
    }
}

/// Reads `NAME=FILE`, the file with a public key as `admins key` writes it.
pub(crate) fn named_key(text: &str, option: &'static str) -> Result<(String, PublicKey), CliError> {
    let (name, path) = text.split_once('=').ok_or(CliError::ValueInvalid {
        option,
        allowed: "a name, = and the file with the public key that `admins key` wrote",
    })?;
    Ok((name.to_owned(), read_public_key(Path::new(path))?))
}

/// Reads a public key: one line of base64 of its 32 bytes.
pub(crate) fn read_public_key(path: &Path) -> Result<PublicKey, CliError> {
    let invalid = |reason: &str| CliError::DocumentInvalid {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    let bytes = read_document(path)?;
    let text = str::from_utf8(&bytes).unwrap_or_default().trim();
    let mut key = [0; 32];
    let length = Base64::decode(text, &mut key).map_or(0, <[u8]>::len);
    if length != key.len() {
        return Err(invalid(
            "not one line with base64 of a public key of 32 bytes; the file with .pub at its end is wanted",
        ));
    }
    PublicKey::from_bytes(&key).map_err(|_unsafe_key| invalid("not a usable Ed25519 key"))
}

fn key(args: &AdminsKeyArgs) -> Result<Outcome, CliError> {
    make_key(&args.out, "the admins")
}

/// Makes a key that signs: the private file `path`, and beside it the public half, which `receivers` need.
pub(crate) fn make_key(path: &Path, receivers: &str) -> Result<Outcome, CliError> {
    let public_path = beside(path);
    if public_path.symlink_metadata().is_ok() {
        return Err(CliError::KeyExists { path: public_path });
    }
    let public = create_signing_key(path)?.public_key();
    let text = Base64::encode_string(&public.to_bytes());
    let line = format!("{text}\n");
    write(
        &public_path,
        line.as_bytes(),
        Privacy::Public,
        Existing::Keep,
    )?;
    let rows = [
        ("private key", printable(&path.display().to_string())),
        ("public key", printable(&public_path.display().to_string())),
        ("", text.clone()),
        ("id", public.id().to_hex()),
    ];
    let words = format!(
        "{}\n\nGive the public key to {receivers}, over a channel on which they know that it is yours. \
         Keep the private key where you alone can read it.",
        aligned(&rows)
    );
    let json = Object::new()
        .with("private_file", path.display().to_string())
        .with("public_file", public_path.display().to_string())
        .with("public", text)
        .with("id", public.id().to_hex());
    Ok(Outcome::done(words, json))
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    PathBuf::from(name)
}

async fn show<S: AnchorSource>(
    args: &ContextArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    let context = Context::load(args, environment)?;
    let mut connection = context.connect(source).await?;
    let tenant = read_tenant(&mut connection, &context).await?;
    Ok(shown(&tenant.authority))
}

fn shown(authority: &TenantAuthority) -> Outcome {
    let admins = authority.admins();
    let words = format!(
        "{}\n\n{}",
        rule(admins),
        match authority.admins_serial() {
            0 => "They are the admins of the genesis.".to_owned(),
            serial => format!("They are the admins since change {serial}."),
        }
    );
    let json = admins_json(admins).with("serial", authority.admins_serial());
    Outcome::done(words, json)
}

/// The admins in a table, and how many of them must sign.
fn rule(admins: &AdminSet) -> String {
    let rows: Vec<Vec<String>> = admins
        .admins()
        .iter()
        .map(|admin| vec![printable(&admin.name), admin.key.id().to_hex()])
        .collect();
    format!(
        "{}\n\n{} of {} must sign.",
        table(&["admin", "key"], &rows),
        admins.threshold(),
        admins.admins().len()
    )
}

fn admins_json(admins: &AdminSet) -> Object {
    let list: Vec<Value> = admins
        .admins()
        .iter()
        .map(|admin| {
            Object::new()
                .with("name", admin.name.as_str())
                .with("id", admin.key.id().to_hex())
                .with("key", Base64::encode_string(&admin.key.to_bytes()))
                .into()
        })
        .collect();
    let threshold = u64::try_from(admins.threshold()).unwrap_or(u64::MAX);
    Object::new()
        .with("admins", list)
        .with("admin_threshold", threshold)
}

async fn propose<S: AnchorSource>(
    args: &AdminsProposeArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    let added = args
        .add
        .iter()
        .map(|text| named_key(text, "--add"))
        .collect::<Result<Vec<_>, _>>()?;
    let context = Context::load(&args.context, environment)?;
    let mut connection = context.connect(source).await?;
    let tenant = read_tenant(&mut connection, &context).await?;
    let change = next(&tenant.authority, added, &args.remove, args.threshold)?;
    let payload = change.to_payload();
    let existing = Existing::from_force(args.force);
    write(
        &args.out,
        pretty(&payload).as_bytes(),
        Privacy::Public,
        existing,
    )?;
    let words = format!(
        "{}\n\n{}\n\nNothing has changed yet. {} of the present admins and every new one sign it with \
         `admins sign {file} --out FILE`, one after another; then `admins submit` puts it in force.",
        told(&change),
        differences(&tenant.authority, &change),
        tenant.authority.admins().threshold(),
        file = printable(&args.out.display().to_string())
    );
    Ok(Outcome::done(words, change_json(&change, &payload)))
}

/// The set that follows: the present one without those who go, with those who come.
fn next(
    present: &TenantAuthority,
    added: Vec<(String, PublicKey)>,
    removed: &[String],
    threshold: Option<usize>,
) -> Result<AdminChange, CliError> {
    let mut admins = present.admins().admins().to_vec();
    for name in removed {
        let before = admins.len();
        admins.retain(|admin| admin.name != *name);
        if admins.len() == before {
            return Err(CliError::ValueInvalid {
                option: "--remove",
                allowed: "the name of a present admin, as `admins show` prints it",
            });
        }
    }
    admins.extend(added.into_iter().map(|(name, key)| Admin { name, key }));
    let threshold = threshold.unwrap_or_else(|| present.admins().threshold());
    Ok(AdminChange {
        tenant: present.tenant(),
        serial: present.admins_serial().saturating_add(1),
        admins: AdminSet::new(admins, threshold)?,
    })
}

fn told(change: &AdminChange) -> String {
    format!(
        "Change {} of the admins of tenant {}. From then on these may sign:\n\n{}",
        change.serial,
        change.tenant,
        rule(&change.admins)
    )
}

/// Who comes, who goes, and what that means for the threshold.
fn differences(present: &TenantAuthority, change: &AdminChange) -> String {
    let missing = |of: &AdminSet, from: &AdminSet| -> Vec<String> {
        let gone = of
            .admins()
            .iter()
            .filter(|admin| from.by_key(&admin.key.id()).is_none());
        gone.map(|admin| printable(&admin.name)).collect()
    };
    let list = |names: Vec<String>| {
        if names.is_empty() {
            "nobody".to_owned()
        } else {
            names.join(", ")
        }
    };
    format!(
        "New: {}. Gone: {}. A delegation that those who stay have not signed by their new threshold \
         ends with the change: sign it anew before.",
        list(missing(&change.admins, present.admins())),
        list(missing(present.admins(), &change.admins))
    )
}

fn change_json(change: &AdminChange, payload: &[u8]) -> Object {
    admins_json(&change.admins)
        .with("tenant", change.tenant.to_string())
        .with("serial", change.serial)
        .with("hash", hex::encode(Sha256::digest(payload)))
}

fn sign(args: &AdminsSignArgs, environment: &Environment) -> Result<Outcome, CliError> {
    let context = Context::load(&args.context, environment)?;
    let keys = context.keys()?;
    let document = read_document(&args.document)?;
    let (change, envelope) = sign_document(&document, &args.document, &keys)?;
    let existing = Existing::from_force(args.force);
    write(&args.out, &envelope.to_json(), Privacy::Public, existing)?;
    let signers: Vec<String> = envelope
        .unverified_signers()
        .map(|id| {
            let admin = change.admins.by_key(&id);
            admin.map_or_else(|| id.to_hex(), |admin| printable(&admin.name))
        })
        .collect();
    let words = format!(
        "{}\n\nIt is signed by {} and not in force. When the threshold of the present admins and every \
         new one have signed, `admins submit {}` puts it in force.",
        told(&change),
        signers.join(", "),
        printable(&args.out.display().to_string())
    );
    let json = change_json(&change, envelope.unverified_payload());
    Ok(Outcome::done(words, json))
}

fn sign_document(
    document: &[u8],
    path: &Path,
    keys: &[SigningKey],
) -> Result<(AdminChange, Envelope), CliError> {
    let invalid = |error: &chancery_authority::Error| CliError::EditInvalid {
        path: path.to_owned(),
        reason: explained(error),
    };
    let Ok(mut envelope) = Envelope::parse(document) else {
        let change = AdminChange::from_json(document).map_err(|error| invalid(&error))?;
        let envelope = change.sign(&keys.iter().collect::<Vec<_>>())?;
        return Ok((change, envelope));
    };
    let change = read_signed(&envelope, path)?;
    for key in keys {
        envelope.add_signature(key)?;
    }
    Ok((change, envelope))
}

/// The change in an envelope, in its one encoding; the signatures are the runtime's to judge.
fn read_signed(envelope: &Envelope, path: &Path) -> Result<AdminChange, CliError> {
    let other = |reason: &str| CliError::DocumentInvalid {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    if envelope.unverified_payload_type() != ADMINS_PAYLOAD_TYPE {
        return Err(other("the envelope holds no change of admins"));
    }
    let change = AdminChange::from_json(envelope.unverified_payload())?;
    if change.to_payload() != envelope.unverified_payload() {
        return Err(chancery_authority::Error::NotCanonical.into());
    }
    Ok(change)
}

async fn submit<S: AnchorSource>(
    args: &AdminsSubmitArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    let envelope = Envelope::parse(&read_document(&args.document)?)?;
    let change = read_signed(&envelope, &args.document)?;
    let context = Context::load(&args.context, environment)?;
    let mut session = TenantSession::open(&context, source).await?;
    // What the runtime would refuse is told here, with its reason.
    AdminChange::verify(&envelope, &session.tenant.authority)?;
    note(&format!(
        "{}\n\n{}",
        told(&change),
        differences(&session.tenant.authority, &change)
    ));
    let body = Object::new().with("change", envelope_value(&envelope)?);
    let answer = session.act(ActName::AdminsPut, &body).await?;
    done("The change of admins is in force.", answer)
}

/// An envelope as a member of a JSON document.
pub(crate) fn envelope_value(envelope: &Envelope) -> Result<Value, CliError> {
    Value::parse(&envelope.to_json(), &Limits::DOCUMENT)
        .map_err(|error| CliError::Envelope(chancery_dsse::Error::Json(error)))
}

#[cfg(test)]
mod tests;
