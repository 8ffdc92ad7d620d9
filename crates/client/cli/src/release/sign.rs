//! `release sign`: release statements, policies and floors, signed by one person after another.

use std::path::Path;

use chancery_client::now_ms;
use chancery_dsse::{Envelope, SigningKey};
use chancery_json::{Object, Value};
use chancery_release::ReleaseStatement;

use super::document::{Document, Loaded, load};
use super::error::ReleaseError;
use super::measure::measure;
use crate::args::release::{ReleaseSignArgs, StatementArgs};
use crate::error::CliError;
use crate::files::{Existing, Privacy, write};
use crate::keys::read_signing_key;
use crate::output::{Outcome, printable};

/// Runs `release sign`.
pub(super) fn run(args: &ReleaseSignArgs) -> Result<Outcome, CliError> {
    let Loaded { document, envelope } = match &args.document {
        Some(path) => load(path, args.kind)?,
        None => Loaded {
            document: Document::Release(stated(args)?),
            envelope: None,
        },
    };
    if let Some(previous) = &args.previous {
        check_above(&document, previous)?;
    }
    let keys = args
        .keys
        .iter()
        .map(|path| read_signing_key(path))
        .collect::<Result<Vec<_>, _>>()?;
    let envelope = signed(&document, envelope, &keys, args)?;
    let existing = Existing::from_force(args.force);
    write(&args.out, &envelope.to_json(), Privacy::Public, existing)?;
    let signers: Vec<String> = envelope
        .unverified_signers()
        .map(|signer| signer.to_hex())
        .collect();
    let path = args.out.display().to_string();
    let text = format!(
        "Signed, in {}\n\n{}\n\nsigned by  {}",
        printable(&path),
        document.text(),
        signers.join("\n           ")
    );
    let signers: Vec<Value> = signers.into_iter().map(Value::from).collect();
    let json = Object::with_capacity(4)
        .with("kind", document.kind().word())
        .with("document", document.json())
        .with("signers", signers)
        .with("file", path);
    Ok(Outcome::done(text, json))
}

/// A new statement about what is measured now.
fn stated(args: &ReleaseSignArgs) -> Result<ReleaseStatement, CliError> {
    let StatementArgs {
        id,
        release_version,
        serial,
        issued,
        expires,
    } = &args.statement;
    let measured = measure(&args.launch, None)?;
    let given = |option| CliError::ValueInvalid {
        option,
        allowed: "given",
    };
    let statement = ReleaseStatement {
        id: id.clone().ok_or_else(|| given("--id"))?,
        version: release_version
            .clone()
            .ok_or_else(|| given("--release-version"))?,
        serial: serial.ok_or_else(|| given("--serial"))?,
        issued_ms: issued.unwrap_or_else(now_ms),
        expires_ms: expires.ok_or_else(|| given("--expires"))?,
        inputs: measured.inputs,
        subjects: measured.subjects,
    };
    statement.check().map_err(ReleaseError::Statement)?;
    Ok(statement)
}

/// Refuses a document whose number is not above that of the one before.
fn check_above(document: &Document, previous: &Path) -> Result<(), CliError> {
    let before = load(previous, Some(document.kind()))?.document.number();
    if document.number() > before {
        return Ok(());
    }
    Err(ReleaseError::NotAbove {
        previous: previous.to_owned(),
        before,
        number: document.number(),
    }
    .into())
}

fn signed(
    document: &Document,
    envelope: Option<Envelope>,
    keys: &[SigningKey],
    args: &ReleaseSignArgs,
) -> Result<Envelope, CliError> {
    if let Some(mut envelope) = envelope {
        for key in keys {
            envelope.add_signature(key)?;
        }
        return Ok(envelope);
    }
    let payload = document.payload().map_err(|reason| CliError::EditInvalid {
        path: args.document.clone().unwrap_or_default(),
        reason,
    })?;
    let keys: Vec<&SigningKey> = keys.iter().collect();
    Ok(Envelope::sign(
        document.kind().payload_type(),
        &payload,
        &keys,
    )?)
}
