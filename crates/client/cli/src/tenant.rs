//! `tenant …`: make one, show one, fill one, and for operators admit one.

mod create;

use std::collections::BTreeSet;

use chancery_authority::{ActName, Admission, Domain, TenantSlug};
use chancery_json::{Object, Value};

use crate::AnchorSource;
use crate::api::{TenantSession, list, read_tenant};
use crate::args::ContextArgs;
use crate::args::tenant::{TenantAdmitArgs, TenantCommand};
use crate::context::{Context, Environment, parse_slug};
use crate::error::CliError;
use crate::files::{Existing, Privacy, write};
use crate::import;
use crate::keys::nonce;
use crate::output::{Outcome, aligned, printable};
use crate::time;

/// Longest life of an admission, in days: one that is never used must end.
const ADMISSION_DAYS_MAX: u64 = 90;

/// Runs `tenant …`.
pub(crate) async fn run<S: AnchorSource>(
    command: &TenantCommand,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    match command {
        TenantCommand::Create(args) => create::run(args, environment, source).await,
        TenantCommand::Sign(args) => create::sign(args, environment, source).await,
        TenantCommand::Import(args) => import::run(args, environment, source).await,
        TenantCommand::Show(args) => show(args, environment, source).await,
        TenantCommand::Admit(args) => admit(args, environment),
    }
}

pub(crate) fn parse_domains(texts: &[String]) -> Result<BTreeSet<Domain>, CliError> {
    texts
        .iter()
        .map(|text| {
            Domain::parse(text).ok_or(CliError::ValueInvalid {
                option: "--domain",
                allowed: "a domain in lower case, such as demo.example (xn--… where it is not ASCII)",
            })
        })
        .collect()
}

async fn show<S: AnchorSource>(
    args: &ContextArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    let context = Context::load(args, environment)?;
    // The genesis is for everybody; how many delegations there are, an admin alone may know.
    let (tenant, delegations) = if context.has_keys() {
        let mut session = TenantSession::open(&context, source).await?;
        let answer = session.act(ActName::DelegationList, &Object::new()).await?;
        let count = list(&answer, "delegations")?.len();
        (session.tenant, Some(count))
    } else {
        let mut connection = context.connect(source).await?;
        (read_tenant(&mut connection, &context).await?, None)
    };
    let mut rows = create::rows(&tenant.genesis);
    if tenant.authority.admins_serial() > 0 {
        let since = format!(
            "change {}; see `admins show`",
            tenant.authority.admins_serial()
        );
        rows.push(("admins since", since));
    }
    let delegations = delegations.map_or_else(
        || "not asked: that needs an admin's --key".to_owned(),
        |count| count.to_string(),
    );
    rows.push(("delegations", delegations));
    rows.push(("compared", compared(&context).to_owned()));
    let json = tenant
        .answer
        .with("tenant_id", tenant.genesis.tenant().to_string())
        .with("genesis_sha256", hex::encode(tenant.genesis.hash()))
        .with(
            "compared_with_own_genesis",
            Value::from(context.genesis_path().is_some()),
        );
    Ok(Outcome::done(aligned(&rows), json))
}

fn compared(context: &Context) -> &'static str {
    if context.genesis_path().is_some() {
        "the genesis is the one that you keep"
    } else {
        "not compared: compare the TXT record with the one at your own domain"
    }
}

fn admit(args: &TenantAdmitArgs, environment: &Environment) -> Result<Outcome, CliError> {
    let slug: TenantSlug = parse_slug(&args.slug, "--slug")?;
    let context = Context::load(&args.context, environment)?;
    let keys = context.keys()?;
    let expires_ms =
        time::in_days(args.days, ADMISSION_DAYS_MAX).ok_or(CliError::ValueInvalid {
            option: "--days",
            allowed: "1 to 90",
        })?;
    let admission = Admission {
        deployment: context.deployment_id(),
        slug,
        expires_ms,
        nonce: nonce()?,
    };
    let envelope = admission.sign(&keys.iter().collect::<Vec<_>>())?;
    let existing = Existing::from_force(args.force);
    write(&args.out, &envelope.to_json(), Privacy::Private, existing)?;
    let words = format!(
        "One tenant named {} can be made with {} until {}.",
        admission.slug,
        printable(&args.out.display().to_string()),
        time::utc(expires_ms)
    );
    let json = Object::new()
        .with("tenant", admission.slug.as_str())
        .with("expires_ms", expires_ms)
        .with("file", args.out.display().to_string());
    Ok(Outcome::done(words, json))
}
