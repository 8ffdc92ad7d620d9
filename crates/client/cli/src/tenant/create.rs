//! `tenant create` and `tenant sign`: a genesis, signed by its admins on their own machines, and the
//! request that makes the tenant.

use std::collections::BTreeSet;
use std::path::Path;

use chancery_authority::{
    Admin, AdminSet, Domain, GENESIS_PAYLOAD_TYPE, Genesis, IdMapping, IdentityProvider,
    ReleaseRule, VerifiedGenesis,
};
use chancery_client::{Request, now_ms};
use chancery_dsse::{Envelope, SigningKey};
use chancery_json::Object;
use sha2::{Digest as _, Sha256};

use crate::AnchorSource;
use crate::admins::named_key;
use crate::api::{answer, text};
use crate::args::tenant::{
    FirstAdminsArgs, IdpArgs, MappingRule, TenantCreateArgs, TenantSignArgs,
};
use crate::context::{
    ADMIN_KEY_FILE, Context, Environment, GENESIS_FILE, RECOVERY_KEY_FILE, parse_slug,
};
use crate::error::CliError;
use crate::files::{Existing, Privacy, make_private_folder, read_document, write};
use crate::hints::explained;
use crate::keys::{create_recovery_key, create_signing_key, nonce, read_signing_key};
use crate::output::{Outcome, aligned, note, printable};
use crate::pem;
use crate::tenant::parse_domains;
use crate::time;

/// Runs `tenant create`.
pub(super) async fn run<S: AnchorSource>(
    args: &TenantCreateArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    let wanted = Wanted::read(args)?;
    let context = Context::load(&args.context, environment)?;
    let Some(admission) = &args.admission else {
        let (genesis, envelope) = wanted.make(args, &context)?;
        return Ok(prepared(&genesis, &envelope, &args.out.join(GENESIS_FILE)));
    };
    let admission = Envelope::parse(&read_document(admission)?)?;
    // Appraise before any key is made: a service that cannot be trusted costs nothing.
    let mut connection = context.connect(source).await?;
    let (_, envelope) = wanted.make(args, &context)?;
    let genesis = Genesis::verify(&envelope)?;
    let request = request(&admission, &envelope);
    let response = connection.request(request).await?;
    made(&genesis, &answer(&response)?, Some(&args.out))
}

/// What the command line says of the new tenant, checked before anything is written.
struct Wanted {
    others: Vec<Admin>,
    domains: BTreeSet<Domain>,
    idp: Option<IdentityProvider>,
}

impl Wanted {
    fn read(args: &TenantCreateArgs) -> Result<Self, CliError> {
        parse_slug(&args.slug, "--slug")?;
        if args.admins.threshold > 1 && !args.prepare {
            return Err(CliError::ValueInvalid {
                option: "--threshold",
                allowed: "1, or given with --prepare, because the others must sign before the tenant \
                          can be made",
            });
        }
        if args.prepare && args.admission.is_some() {
            return Err(CliError::ValueInvalid {
                option: "--admission",
                allowed: "given to `tenant sign --submit` and not with --prepare",
            });
        }
        let others = args
            .admins
            .others
            .iter()
            .map(|text| named_key(text, "--admin").map(|(name, key)| Admin { name, key }))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            others,
            domains: parse_domains(&args.domains)?,
            idp: provider(&args.idp)?,
        })
    }

    /// Makes the keys and the genesis, and signs it with this admin's key.
    fn make(
        self,
        args: &TenantCreateArgs,
        context: &Context,
    ) -> Result<(Genesis, Envelope), CliError> {
        make_private_folder(&args.out)?;
        let key = own_key(&args.admins, &args.out)?;
        let own = Admin {
            name: args.admins.admin_name.clone(),
            key: key.public_key(),
        };
        let mut admins = vec![own];
        admins.extend(self.others);
        let genesis = Genesis {
            deployment: context.deployment_id(),
            slug: parse_slug(&args.slug, "--slug")?,
            created_ms: now_ms(),
            nonce: nonce()?,
            admins: AdminSet::new(admins, args.admins.threshold)?,
            recovery_key: create_recovery_key(&args.out.join(RECOVERY_KEY_FILE))?,
            domains: self.domains,
            idp: self.idp,
            protected_groups: args.protected_groups.iter().cloned().collect(),
            protected_accounts: args.protected_accounts.iter().cloned().collect(),
            release_rule: ReleaseRule::FollowDeployment,
            witness_policy_sha256: context.witness_policy_sha256()?,
        };
        let envelope = genesis.sign(&[&key])?;
        write(
            &args.out.join(GENESIS_FILE),
            &envelope.to_json(),
            Privacy::Public,
            Existing::Keep,
        )?;
        Ok((genesis, envelope))
    }
}

fn own_key(args: &FirstAdminsArgs, folder: &Path) -> Result<SigningKey, CliError> {
    match &args.admin_key_file {
        Some(path) => read_signing_key(path),
        None => create_signing_key(&folder.join(ADMIN_KEY_FILE)),
    }
}

fn provider(args: &IdpArgs) -> Result<Option<IdentityProvider>, CliError> {
    let (Some(issuer), Some(client_id)) = (&args.idp_issuer, &args.idp_client_id) else {
        return Ok(None);
    };
    let mut tls_roots = Vec::new();
    for path in &args.idp_ca {
        tls_roots.extend(certificates(&read_document(path)?, path)?);
    }
    tls_roots.sort();
    tls_roots.dedup();
    Ok(Some(IdentityProvider {
        issuer: issuer.clone(),
        client_id: client_id.clone(),
        mapping: match args.idp_mapping {
            MappingRule::Sub => IdMapping::SubToExternalId,
            MappingRule::Oid => IdMapping::OidToExternalId,
            MappingRule::DangerousEmail => IdMapping::DangerousEmailToUserName,
        },
        tls_roots,
    }))
}

/// The certificates of a PEM file, of which it must hold at least one.
fn certificates(text: &[u8], path: &Path) -> Result<Vec<Vec<u8>>, CliError> {
    let invalid = || CliError::DocumentInvalid {
        path: path.to_owned(),
        reason: "not a PEM file with certificates".to_owned(),
    };
    let text = str::from_utf8(text).map_err(|_binary| invalid())?;
    let found = pem::blocks(text, pem::CERTIFICATE).ok_or_else(invalid)?;
    if found.is_empty() {
        return Err(invalid());
    }
    Ok(found)
}

/// Runs `tenant sign`.
pub(super) async fn sign<S: AnchorSource>(
    args: &TenantSignArgs,
    environment: &Environment,
    source: &S,
) -> Result<Outcome, CliError> {
    let context = Context::load(&args.context, environment)?;
    let mut envelope = Envelope::parse(&read_document(&args.document)?)?;
    let genesis = read_genesis(&envelope, &args.document)?;
    if genesis.deployment != context.deployment_id() {
        return Err(chancery_authority::Error::ForeignDeployment.into());
    }
    let signed: Vec<_> = envelope.unverified_signers().collect();
    for key in context.keys()? {
        if genesis.admins.by_key(&key.id()).is_none() {
            return Err(CliError::ValueInvalid {
                option: "--key",
                allowed: "the key of an admin whom this genesis names",
            });
        }
        // Who signs last only to submit has signed before.
        if !signed.contains(&key.id()) {
            envelope.add_signature(&key)?;
        }
    }
    let existing = Existing::from_force(args.force);
    write(&args.out, &envelope.to_json(), Privacy::Public, existing)?;
    let Some(admission) = args.admission.as_ref().filter(|_| args.submit) else {
        return Ok(prepared(&genesis, &envelope, &args.out));
    };
    let admission = Envelope::parse(&read_document(admission)?)?;
    // A signature that is missing is told here, not by the service.
    let verified = Genesis::verify(&envelope)?;
    note(&aligned(&rows(&verified)));
    let mut connection = context.connect(source).await?;
    let response = connection.request(request(&admission, &envelope)).await?;
    made(&verified, &answer(&response)?, None)
}

/// The genesis in an envelope, in its one encoding; its signatures are counted later.
fn read_genesis(envelope: &Envelope, path: &Path) -> Result<Genesis, CliError> {
    let invalid = |reason: String| CliError::DocumentInvalid {
        path: path.to_owned(),
        reason,
    };
    if envelope.unverified_payload_type() != GENESIS_PAYLOAD_TYPE {
        return Err(invalid("the envelope holds no genesis".to_owned()));
    }
    let genesis = Genesis::from_json(envelope.unverified_payload())
        .map_err(|error| invalid(explained(&error)))?;
    if genesis.to_payload() != envelope.unverified_payload() {
        return Err(chancery_authority::Error::NotCanonical.into());
    }
    Ok(genesis)
}

fn request(admission: &Envelope, genesis: &Envelope) -> Request {
    let body = [
        b"{\"admission\":".as_slice(),
        &admission.to_json(),
        b",\"genesis\":",
        &genesis.to_json(),
        b"}",
    ]
    .concat();
    Request::post_json("/v1/tenants", body)
}

/// What a genesis says that its own threshold has signed, for `tenant show` and before it is sent.
pub(super) fn rows(genesis: &VerifiedGenesis) -> Vec<(&'static str, String)> {
    let mut rows = vec![
        ("tenant", genesis.genesis().slug.to_string()),
        ("tenant id", genesis.tenant().to_string()),
        ("genesis", hex::encode(genesis.hash())),
        ("TXT record", genesis.txt_record()),
    ];
    rows.extend(members(genesis.genesis()));
    rows
}

/// What a genesis says, signed or not.
fn members(genesis: &Genesis) -> Vec<(&'static str, String)> {
    let names = |set: &BTreeSet<String>| {
        let names: Vec<String> = set.iter().map(|name| printable(name)).collect();
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        }
    };
    let domains: Vec<&str> = genesis.domains.iter().map(Domain::as_str).collect();
    let admins: Vec<String> = genesis
        .admins
        .admins()
        .iter()
        .map(|admin| printable(&admin.name))
        .collect();
    vec![
        ("made", time::utc(genesis.created_ms)),
        ("domains", domains.join(", ")),
        (
            "admins",
            format!("{} of {}", genesis.admins.threshold(), admins.join(", ")),
        ),
        (
            "claims",
            genesis
                .idp
                .as_ref()
                .map_or_else(|| "an admin confirms each person".to_owned(), claims),
        ),
        ("protected groups", names(&genesis.protected_groups)),
        ("protected accounts", names(&genesis.protected_accounts)),
        (
            "recovery key",
            genesis.recovery_key.fingerprint().to_string(),
        ),
    ]
}

fn claims(idp: &IdentityProvider) -> String {
    let rule = match idp.mapping {
        IdMapping::SubToExternalId => "its sub is the externalId",
        IdMapping::OidToExternalId => "its oid is the externalId",
        _ => "DANGER: its e-mail address is the userName, and is handed on with the account",
    };
    let roots = match idp.tls_roots.len() {
        0 => "the public certificate authorities".to_owned(),
        1 => "1 certificate authority of its own".to_owned(),
        count => format!("{count} certificate authorities of its own"),
    };
    format!(
        "ID tokens of {} for {}: {rule}; {roots}",
        printable(&idp.issuer),
        printable(&idp.client_id)
    )
}

/// A genesis that is written and waits for more signatures or to be sent.
fn prepared(genesis: &Genesis, envelope: &Envelope, path: &Path) -> Outcome {
    let signers = envelope.unverified_signers().count();
    let payload_sha256 = hex::encode(Sha256::digest(envelope.unverified_payload()));
    let mut rows = vec![
        ("tenant", genesis.slug.to_string()),
        ("genesis", payload_sha256.clone()),
    ];
    rows.extend(members(genesis));
    let file = printable(&path.display().to_string());
    let words = format!(
        "{}\n\n{signers} of {} needed signatures are on it; nothing was sent. Compare the hash of the \
         genesis with the other admins. Each signs with `tenant sign {file} --key FILE --out FILE`; the \
         last adds `--submit --admission FILE`, which makes the tenant.",
        aligned(&rows),
        genesis.admins.threshold()
    );
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let json = Object::new()
        .with("tenant", genesis.slug.as_str())
        .with("genesis_sha256", payload_sha256)
        .with("signatures", count(signers))
        .with("admin_threshold", count(genesis.admins.threshold()))
        .with("file", path.display().to_string())
        .with("submitted", false);
    Outcome::done(words, json)
}

/// The tenant exists, if the service names the id that its genesis has.
fn made(
    genesis: &VerifiedGenesis,
    answer: &Object,
    folder: Option<&Path>,
) -> Result<Outcome, CliError> {
    if text(answer, "tenant_id")? != genesis.tenant().to_string() {
        return Err(CliError::AnswerUnexpected {
            what: "another tenant id than the genesis has",
        });
    }
    let mut rows = vec![
        ("tenant", genesis.genesis().slug.to_string()),
        ("tenant id", genesis.tenant().to_string()),
    ];
    let mut json = Object::new()
        .with("tenant", genesis.genesis().slug.as_str())
        .with("tenant_id", genesis.tenant().to_string())
        .with("genesis_sha256", hex::encode(genesis.hash()))
        .with("txt_record", genesis.txt_record());
    if let Some(folder) = folder {
        let folder = folder.display().to_string();
        rows.push(("keys", printable(&folder)));
        json = json.with("admin_dir", folder);
    }
    rows.push(("TXT record", genesis.txt_record()));
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
    Ok(Outcome::done(words, json))
}

#[cfg(test)]
mod tests;
