//! The command line of `tenant …`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::args::ContextArgs;

/// What can be done with a tenant.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum TenantCommand {
    /// Make keys and a genesis, sign it, and ask the runtime to make the tenant
    Create(Box<TenantCreateArgs>),
    /// Add a signature to a prepared genesis; with --submit ask the runtime to make the tenant
    Sign(TenantSignArgs),
    /// Bring in members with keys that they have already
    Import(TenantImportArgs),
    /// Show what the runtime says about a tenant, checked against its genesis
    Show(ContextArgs),
    /// For operators: sign an admission, which lets one tenant be made and grants nothing else
    Admit(TenantAdmitArgs),
}

/// Arguments of `tenant create`.
#[derive(Debug, Args)]
pub struct TenantCreateArgs {
    /// The tenant's name: 3 to 40 of a-z, 0-9 and -
    #[arg(long, value_name = "SLUG")]
    pub slug: String,
    /// A mail domain of the tenant; repeat for more
    #[arg(long = "domain", value_name = "DOMAIN", required = true)]
    pub domains: Vec<String>,
    /// Who signs for it.
    #[command(flatten)]
    pub admins: FirstAdminsArgs,
    /// Who vouches for its members.
    #[command(flatten)]
    pub idp: IdpArgs,
    /// A group that automation never touches; repeat for more
    #[arg(long = "protected-group", value_name = "NAME")]
    pub protected_groups: Vec<String>,
    /// An account (userName) that automation never touches; repeat for more
    #[arg(long = "protected-account", value_name = "USERNAME")]
    pub protected_accounts: Vec<String>,
    /// Write and sign the genesis, and send nothing: the others sign it with `tenant sign`
    #[arg(long)]
    pub prepare: bool,
    /// The operator's admission
    #[arg(long, value_name = "FILE", required_unless_present = "prepare")]
    pub admission: Option<PathBuf>,
    /// A new folder for the admin key, the recovery key and the genesis
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Context; `--tenant` and `--key` are not needed.
    #[command(flatten)]
    pub context: ContextArgs,
}

/// The first admins of a tenant.
#[derive(Clone, Debug, Args)]
pub struct FirstAdminsArgs {
    /// How the other admins call this one
    #[arg(long, value_name = "NAME", default_value = "first admin")]
    pub admin_name: String,
    /// This admin's key, instead of a new one in the folder
    #[arg(long, value_name = "FILE")]
    pub admin_key_file: Option<PathBuf>,
    /// Another admin and the file with the public key that `admins key` wrote; repeat for more
    #[arg(long = "admin", value_name = "NAME=FILE")]
    pub others: Vec<String>,
    /// How many of the admins must sign; more than one needs --prepare
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub threshold: usize,
}

/// The identity provider that confirms the members of a tenant.
#[derive(Clone, Debug, Default, Args)]
pub struct IdpArgs {
    /// The OpenID issuer that confirms members [default: an admin confirms each]
    #[arg(long, value_name = "URL", requires = "idp_client_id")]
    pub idp_issuer: Option<String>,
    /// The client id that stands in its ID tokens
    #[arg(long, value_name = "ID", requires = "idp_issuer")]
    pub idp_client_id: Option<String>,
    /// What in its ID tokens stands for externalId: sub, or Entra's oid; dangerous-email goes by
    /// userName and hands an account on with its address
    #[arg(long, value_name = "RULE", value_enum, default_value_t = MappingRule::Sub)]
    pub idp_mapping: MappingRule,
    /// PEM file with an authority of the issuer's TLS certificates; repeat for more [default: the
    /// public ones]
    #[arg(long = "idp-ca", value_name = "FILE", requires = "idp_issuer")]
    pub idp_ca: Vec<PathBuf>,
}

/// How an ID token is matched with an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
#[non_exhaustive]
pub enum MappingRule {
    /// `iss` and `sub` to externalId
    #[default]
    Sub,
    /// `tid` and `oid` of Entra ID to externalId
    Oid,
    /// `email` to userName: an address that is handed on hands the account on
    DangerousEmail,
}

/// Arguments of `tenant sign`.
#[derive(Debug, Args)]
pub struct TenantSignArgs {
    /// The genesis that `tenant create --prepare` or another `tenant sign` wrote
    #[arg(value_name = "FILE")]
    pub document: PathBuf,
    /// Where to write it with one more signature
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace an existing file
    #[arg(long)]
    pub force: bool,
    /// Send it to the runtime, so that the tenant exists
    #[arg(long, requires = "admission")]
    pub submit: bool,
    /// The operator's admission, for --submit
    #[arg(long, value_name = "FILE")]
    pub admission: Option<PathBuf>,
    /// Context; `--key` are the keys that sign.
    #[command(flatten)]
    pub context: ContextArgs,
}

/// Arguments of `tenant import`.
#[derive(Debug, Args)]
pub struct TenantImportArgs {
    /// CSV with the columns user_name, external_id, display_name, emails, public_keyset
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Check every line and send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Context.
    #[command(flatten)]
    pub context: ContextArgs,
}

/// Arguments of `tenant admit`.
#[derive(Debug, Args)]
pub struct TenantAdmitArgs {
    /// The tenant's name
    #[arg(long, value_name = "SLUG")]
    pub slug: String,
    /// How many days the admission can be used
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    pub days: u64,
    /// Where to write the admission
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace an existing file
    #[arg(long)]
    pub force: bool,
    /// Context; `--key` is the operator's admission key.
    #[command(flatten)]
    pub context: ContextArgs,
}
