//! `tenant …`: make one, show one, and for operators admit one.

use std::collections::BTreeSet;

use chancery_authority::{
    Admin, AdminSet, Admission, Domain, Genesis, ReleaseRule, TenantSlug, VerifiedGenesis,
};
use chancery_client::{Request, now_ms};
use chancery_dsse::{Envelope, SigningKey};
use chancery_json::{Object, Value};

use crate::AnchorSource;
use crate::api::{answer, read_tenant, text};
use crate::args::{ContextArgs, TenantAdmitArgs, TenantCommand, TenantCreateArgs};
use crate::context::{
    ADMIN_KEY_FILE, Context, Environment, GENESIS_FILE, RECOVERY_KEY_FILE, parse_slug,
};
use crate::error::CliError;
use crate::files::{Existing, Privacy, make_private_folder, read_document, write};
use crate::keys::{create_recovery_key, create_signing_key, nonce};
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
        TenantCommand::Create(args) => create(args, environment, source).await,
        TenantCommand::Show(args) => show(args, environment, source).await,
        TenantCommand::Admit(args) => admit(args, environment),
    }
}

async fn create<S: AnchorSource>(
    args: &TenantCreateArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    let slug = parse_slug(&args.slug, "--slug")?;
    let domains = parse_domains(&args.domains)?;
    let admission = Envelope::parse(&read_document(&args.admission)?)?;
    let context = Context::load(&args.context, environment)?;
    // Appraise before any key is made: a service that cannot be trusted costs nothing.
    let mut connection = context.connect(source).await?;

    make_private_folder(&args.out)?;
    let key = create_signing_key(&args.out.join(ADMIN_KEY_FILE))?;
    let recovery_key = create_recovery_key(&args.out.join(RECOVERY_KEY_FILE))?;
    let genesis = Genesis {
        deployment: context.deployment_id(),
        slug,
        created_ms: now_ms(),
        nonce: nonce()?,
        admins: sole_admin(&args.admin_name, &key)?,
        recovery_key,
        domains,
        idp: None,
        protected_groups: BTreeSet::new(),
        protected_accounts: BTreeSet::new(),
        release_rule: ReleaseRule::FollowDeployment,
        witness_policy_sha256: context.witness_policy_sha256()?,
    };
    let envelope = genesis.sign(&[&key])?;
    let genesis = Genesis::verify(&envelope)?;
    let genesis_path = args.out.join(GENESIS_FILE);
    write(
        &genesis_path,
        &envelope.to_json(),
        Privacy::Public,
        Existing::Keep,
    )?;

    let request = [
        b"{\"admission\":".as_slice(),
        &admission.to_json(),
        b",\"genesis\":",
        &envelope.to_json(),
        b"}",
    ]
    .concat();
    let response = connection
        .request(Request::post_json("/v1/tenants", request))
        .await?;
    if text(&answer(&response)?, "tenant_id")? != genesis.tenant().to_string() {
        return Err(CliError::AnswerUnexpected {
            what: "another tenant id than the genesis has",
        });
    }
    Ok(created(&genesis, args))
}

fn created(genesis: &VerifiedGenesis, args: &TenantCreateArgs) -> Outcome {
    let folder = args.out.display().to_string();
    let rows = [
        ("tenant", genesis.genesis().slug.to_string()),
        ("tenant id", genesis.tenant().to_string()),
        ("keys", printable(&folder)),
        ("TXT record", genesis.txt_record()),
    ];
    let domain = genesis
        .genesis()
        .domains
        .first()
        .map_or("your domain", Domain::as_str);
    let words = format!(
        "The tenant is made.\n\n{}\n\n\
         Publish the TXT record at _chancery.{domain}, so that members can tell this tenant from \
         another of the same name.\n\
         Keep {RECOVERY_KEY_FILE} offline: with it the tenant can leave; without it nobody can help.",
        aligned(&rows)
    );
    let json = Object::new()
        .with("tenant", genesis.genesis().slug.as_str())
        .with("tenant_id", genesis.tenant().to_string())
        .with("genesis_sha256", hex::encode(genesis.hash()))
        .with("txt_record", genesis.txt_record())
        .with("admin_dir", folder);
    Outcome::done(words, json)
}

fn sole_admin(name: &str, key: &SigningKey) -> Result<AdminSet, CliError> {
    let admin = Admin {
        name: name.to_owned(),
        key: key.public_key(),
    };
    Ok(AdminSet::new(vec![admin], 1)?)
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
    let mut connection = context.connect(source).await?;
    let tenant = read_tenant(&mut connection, &context).await?;
    let genesis = tenant.genesis.genesis();
    let domains: Vec<&str> = genesis.domains.iter().map(Domain::as_str).collect();
    let admins: Vec<String> = genesis
        .admins
        .admins()
        .iter()
        .map(|admin| printable(&admin.name))
        .collect();
    let rows = [
        ("tenant", genesis.slug.to_string()),
        ("tenant id", tenant.genesis.tenant().to_string()),
        ("genesis", hex::encode(tenant.genesis.hash())),
        ("TXT record", tenant.genesis.txt_record()),
        ("made", time::utc(genesis.created_ms)),
        ("domains", domains.join(", ")),
        (
            "admins",
            format!("{} of {}", genesis.admins.threshold(), admins.join(", ")),
        ),
        ("delegations", tenant.delegations.len().to_string()),
        ("compared", compared(&context).to_owned()),
    ];
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
