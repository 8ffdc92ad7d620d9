//! `log receipt` and `log verify`: the proof of one entry, which holds without the service.

use std::path::Path;

use chancery_authority::{ActName, Genesis};
use chancery_client::{Deployment, now_ms};
use chancery_directory::bundle::{
    BundleError, Freshness, Proved, Question, Shown, Trust, Verified, verify,
};
use chancery_directory::{BundleExtra, Entry, TenantId};
use chancery_dsse::Envelope;
use chancery_json::Object;
use chancery_tlog::proof::UnverifiedProof;

use crate::AnchorSource;
use crate::api::{TenantSession, text};
use crate::args::log::{LogReceiptArgs, LogVerifyArgs};
use crate::context::{Context, Environment};
use crate::error::CliError;
use crate::files::{Existing, Privacy, read_document, write};
use crate::log::lines::{act, shortened};
use crate::output::{Outcome, aligned, printable};
use crate::time;

/// Runs `log receipt`.
pub(super) async fn receipt<S: AnchorSource>(
    args: &LogReceiptArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    let context = Context::load(&args.context, environment)?;
    let mut session = TenantSession::open(&context, source).await?;
    let tenant = TenantId(*session.tenant.genesis.tenant().as_bytes());
    let body = Object::new().with("index", args.index);
    let answer = session.act(ActName::LogReceipt, &body).await?;
    let bundle = text(&answer, "proof")?.as_bytes();
    // A proof that does not hold is not worth keeping as one.
    let proved = check(&context.deployment, bundle, &args.out, Some(tenant))?;
    if proved.entry.index != args.index {
        return Err(refused(&args.out, BundleError::OtherEntry));
    }
    let existing = Existing::from_force(args.force);
    write(&args.out, bundle, Privacy::Public, existing)?;
    let mut outcome = told(&proved, Some(tenant));
    let file = args.out.display().to_string();
    outcome.text.push_str(&format!(
        "\n\nThe proof is in {}; `log verify` checks it without the service.",
        printable(&file)
    ));
    outcome.json = outcome.json.with("file", file);
    Ok(outcome)
}

/// Runs `log verify`.
pub(super) fn verify_file(
    args: &LogVerifyArgs,
    environment: &Environment,
) -> Result<Outcome, CliError> {
    let context = Context::load(&args.context, environment)?;
    let bundle = read_document(&args.file)?;
    let tenant = kept_tenant(&context)?;
    let proved = check(&context.deployment, &bundle, &args.file, tenant)?;
    Ok(told(&proved, tenant))
}

/// The tenant of the genesis that an admin keeps, if there is one.
fn kept_tenant(context: &Context) -> Result<Option<TenantId>, CliError> {
    let Some(path) = context.genesis_path() else {
        return Ok(None);
    };
    let genesis = Genesis::verify(&Envelope::parse(&read_document(path)?)?)?;
    Ok(Some(TenantId(*genesis.tenant().as_bytes())))
}

/// An entry that a bundle proves.
#[derive(Debug)]
pub(super) struct Receipt {
    tenant: TenantId,
    entry: Entry,
    pub(super) verified: Verified,
}

/// Checks a bundle from the pinned root log down to the entry that it shows. Without a known tenant
/// it is the one that the bundle names, and the person is told to compare.
pub(super) fn check(
    deployment: &Deployment,
    bundle: &[u8],
    path: &Path,
    tenant: Option<TenantId>,
) -> Result<Receipt, CliError> {
    let fault = |error| refused(path, error);
    let proof = UnverifiedProof::parse(bundle).map_err(|error| fault(BundleError::Proof(error)))?;
    let extra = proof
        .unverified_extra()
        .ok_or_else(|| fault(BundleError::ExtraMissing))?;
    let extra = BundleExtra::decode(extra).map_err(|error| fault(BundleError::Extra(error)))?;
    let Shown::Receipt(shown) = &extra.shown else {
        return Err(fault(BundleError::OtherQuestion));
    };
    let trust = Trust {
        origin: deployment.log_origin(),
        log_key: deployment.log_key(),
        policy: deployment.witness_policy(),
        tenant: tenant.unwrap_or(extra.head.tenant),
    };
    // A receipt is about the past: its age is told and not judged.
    let freshness = Freshness {
        now_ms: now_ms(),
        age_ms_max: u64::MAX,
    };
    let question = Question::Receipt(shown.index);
    let verified = verify(&trust, bundle, freshness, None, question).map_err(fault)?;
    match *verified.proved() {
        Proved::Receipt(entry) => Ok(Receipt {
            tenant: trust.tenant,
            entry,
            verified,
        }),
        _ => Err(fault(BundleError::OtherQuestion)),
    }
}

fn refused(path: &Path, source: BundleError) -> CliError {
    CliError::ProofInvalid {
        path: path.to_owned(),
        source: Box::new(source),
    }
}

fn told(receipt: &Receipt, known: Option<TenantId>) -> Outcome {
    let Receipt {
        tenant,
        entry,
        verified,
    } = receipt;
    let kind = format!("{:?}", entry.kind);
    let tenant_text = if known.is_some() {
        format!("{tenant}, the one whose genesis you keep")
    } else {
        format!("{tenant}; compare it with the one that you mean")
    };
    let rows = [
        ("entry", entry.index.to_string()),
        ("act", act(&kind)),
        ("subject", shortened(&entry.subject.to_string())),
        ("time", time::utc(entry.time_ms)),
        ("tenant", tenant_text),
        ("log size", verified.head().size.to_string()),
        (
            "witnessed",
            format!(
                "in leaf {} of the root log, which existed at {}",
                verified.epoch(),
                time::utc(verified.time_floor_ms())
            ),
        ),
    ];
    let words = format!(
        "HOLDS: the entry is in the tenant's log, by the pinned log key and enough witnesses.\n\n{}",
        aligned(&rows)
    );
    let json = Object::new()
        .with("verdict", "holds")
        .with("index", entry.index)
        .with("kind", kind)
        .with("subject", entry.subject.to_string())
        .with("actor", entry.actor.to_string())
        .with("time_ms", entry.time_ms)
        .with("tenant_id", tenant.to_string())
        .with("tenant_compared", known.is_some())
        .with("log_size", verified.head().size)
        .with("epoch", verified.epoch())
        .with("time_floor_ms", verified.time_floor_ms());
    Outcome::done(words, json)
}

#[cfg(test)]
pub(super) mod tests;
