//! `release sign`: release statements, policies and floors, signed by one person after another.

use std::path::{Path, PathBuf};

use chancery_client::now_ms;
use chancery_dsse::{Envelope, SigningKey};
use chancery_json::{Object, Value};
use chancery_release::{ReleaseStatement, SERIAL_MAX};

use super::document::{Document, Loaded, load};
use super::error::ReleaseError;
use super::measure::measure;
use crate::args::release::{ReleaseSignArgs, StatementArgs};
use crate::error::CliError;
use crate::files::{Existing, Privacy, refuse_inputs, write};
use crate::keys::read_signing_key;
use crate::output::{Outcome, printable};

/// Runs `release sign`.
pub(super) fn run(args: &ReleaseSignArgs) -> Result<Outcome, CliError> {
    refuse_inputs(&args.out, inputs(args))?;
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
    check_number(&document, args.document.as_deref())?;
    let envelope = signed(&document, envelope, &keys, args)?;
    let existing = Existing::from_force(args.force);
    write(&args.out, &envelope.to_json(), Privacy::Public, existing)?;
    let path = args.out.display().to_string();
    let (signed, others) = signatures(&envelope, &keys);
    let mut text = format!(
        "Signed, in {}\n\n{}\n\nsigned now by  {}",
        printable(&path),
        document.text(),
        signed.join("\n               ")
    );
    if !others.is_empty() {
        text.push_str("\n\nOther signatures in the file, not checked:\n  ");
        text.push_str(&others.join("\n  "));
    }
    let values = |ids: Vec<String>| ids.into_iter().map(Value::from).collect::<Vec<_>>();
    let json = Object::with_capacity(5)
        .with("kind", document.kind().word())
        .with("document", document.json())
        .with("signers", values(signed))
        .with("unchecked_signatures", values(others))
        .with("file", path);
    Ok(Outcome::done(text, json))
}

/// Every file that the command reads.
fn inputs(args: &ReleaseSignArgs) -> impl Iterator<Item = &Path> {
    let launch = &args.launch;
    let optional = [
        &args.document,
        &args.previous,
        &launch.ovmf,
        &launch.kernel,
        &launch.initrd,
    ];
    let optional = optional.into_iter().flatten();
    optional.chain(&args.keys).map(PathBuf::as_path)
}

/// The ids of the keys that signed now, and of the other signatures in the envelope, which nobody has checked here.
fn signatures(envelope: &Envelope, keys: &[SigningKey]) -> (Vec<String>, Vec<String>) {
    let own: Vec<String> = keys.iter().map(|key| key.id().to_hex()).collect();
    let ids = envelope.unverified_signers().map(|id| id.to_hex());
    ids.partition(|id| own.contains(id))
}

/// Refuses a number after which there is none that JSON readers agree on.
fn check_number(document: &Document, path: Option<&Path>) -> Result<(), CliError> {
    if document.number() <= SERIAL_MAX {
        return Ok(());
    }
    Err(CliError::EditInvalid {
        path: path.unwrap_or_else(|| Path::new("")).to_owned(),
        reason: format!("its number is above {SERIAL_MAX}, the largest"),
    })
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
