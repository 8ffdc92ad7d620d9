//! The command line, as a person types it.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand};

/// The command for admins, members and auditors of a Chancery deployment.
#[derive(Debug, Parser)]
#[command(name = "chancery", version, about, arg_required_else_help = true)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: GlobalOptions,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Clone, Copy, Debug, Args)]
pub struct GlobalOptions {
    /// Print one JSON document instead of words
    #[arg(long, global = true)]
    pub json: bool,
}

/// What `chancery` can do.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum Command {
    /// Appraise a runtime and print every check
    Verify(VerifyArgs),
    /// Make a tenant, or show one
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// Say what automation may do
    #[command(subcommand)]
    Delegation(DelegationCommand),
    /// Give an identity provider its credential
    #[command(subcommand)]
    Token(TokenCommand),
    /// Read a tenant's log
    #[command(subcommand)]
    Log(LogCommand),
    /// Decode an attestation report
    #[command(subcommand)]
    Report(ReportCommand),
}

/// Which deployment, tenant and key a command is about.
#[derive(Clone, Debug, Default, Args)]
pub struct ContextArgs {
    /// The file that `chancery-dev up --ready-file` writes: deployment, tenant and admin key in one
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
    /// What to pin of the deployment, obtained out of band
    #[arg(long, value_name = "FILE")]
    pub deployment: Option<PathBuf>,
    /// The tenant's name
    #[arg(long, value_name = "SLUG")]
    pub tenant: Option<String>,
    /// A private key that signs (made by `tenant create`); repeat where several must sign
    #[arg(long = "key", value_name = "FILE")]
    pub keys: Vec<PathBuf>,
    /// Where to remember what was seen of the log [default: below $XDG_STATE_HOME]
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// Connect to this address instead of the deployment's; its certificate must fit all the same
    #[arg(long, value_name = "HOST:PORT")]
    pub address: Option<String>,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The service, if it is not the one in the deployment file
    #[arg(value_name = "URL")]
    pub url: Option<String>,
    /// Let the secure processor itself sign this session, not the runtime's epoch key
    #[arg(long)]
    pub hardware: bool,
    /// Context.
    #[command(flatten)]
    pub context: ContextArgs,
}

/// What can be done with a tenant.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum TenantCommand {
    /// Make keys and a genesis, sign it, and ask the runtime to make the tenant
    Create(TenantCreateArgs),
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
    /// How the other admins call this one
    #[arg(long, value_name = "NAME", default_value = "first admin")]
    pub admin_name: String,
    /// The operator's admission
    #[arg(long, value_name = "FILE")]
    pub admission: PathBuf,
    /// A new folder for the admin key, the recovery key and the genesis
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Context; `--tenant` and `--key` are not needed.
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

/// What can be done with a delegation.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum DelegationCommand {
    /// Write a delegation to read, edit and sign
    New(DelegationNewArgs),
    /// Sign a delegation, or add a signature; with --submit put it into force
    Sign(DelegationSignArgs),
    /// Show a delegation from a file, or the one in force
    Show(DelegationShowArgs),
    /// Revoke a delegation at once
    Revoke(DelegationRevokeArgs),
}

/// Arguments of `delegation new`.
#[derive(Debug, Args)]
pub struct DelegationNewArgs {
    /// Something that automation may do, such as users.create; repeat for more [default: all]
    #[arg(long = "scope", value_name = "SCOPE")]
    pub scopes: Vec<String>,
    /// A domain in which it may do so; repeat for more [default: every domain of the genesis]
    #[arg(long = "domain", value_name = "DOMAIN")]
    pub domains: Vec<String>,
    /// For how many days, from now
    #[arg(long, value_name = "DAYS", default_value_t = 365)]
    pub days: u64,
    /// Its number, which grows with each delegation [default: one more than the runtime's newest]
    #[arg(long, value_name = "N")]
    pub serial: Option<u64>,
    /// Where to write it
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace an existing file
    #[arg(long)]
    pub force: bool,
    /// The signed genesis, instead of asking the runtime
    #[arg(long, value_name = "FILE", requires = "serial")]
    pub genesis: Option<PathBuf>,
    /// Context.
    #[command(flatten)]
    pub context: ContextArgs,
}

/// Arguments of `delegation sign`.
#[derive(Debug, Args)]
pub struct DelegationSignArgs {
    /// The delegation (JSON), or an envelope that others signed already
    #[arg(value_name = "FILE")]
    pub document: PathBuf,
    /// Where to write the signed envelope
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace an existing file
    #[arg(long)]
    pub force: bool,
    /// Send it to the runtime, so that it is in force
    #[arg(long)]
    pub submit: bool,
    /// Context.
    #[command(flatten)]
    pub context: ContextArgs,
}

/// Arguments of `delegation show`.
#[derive(Debug, Args)]
pub struct DelegationShowArgs {
    /// A delegation or signed envelope; without it, the runtime is asked
    #[arg(value_name = "FILE")]
    pub document: Option<PathBuf>,
    /// Context.
    #[command(flatten)]
    pub context: ContextArgs,
}

/// Arguments of `delegation revoke`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").required(true).args(["hash", "document"])))]
pub struct DelegationRevokeArgs {
    /// The hash that `delegation show` prints
    #[arg(long, value_name = "HEX")]
    pub hash: Option<String>,
    /// The signed envelope
    #[arg(value_name = "FILE")]
    pub document: Option<PathBuf>,
    /// Context.
    #[command(flatten)]
    pub context: ContextArgs,
}

/// What can be done with credentials.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum TokenCommand {
    /// Make a token; it is shown once
    Issue(TokenIssueArgs),
    /// List the tokens, without their secrets
    List(ContextArgs),
    /// Revoke a token at once
    Revoke(TokenRevokeArgs),
}

/// Arguments of `token issue`.
#[derive(Debug, Args)]
pub struct TokenIssueArgs {
    /// Something that the token may do; repeat for more [default: all that the delegation allows]
    #[arg(long = "scope", value_name = "SCOPE")]
    pub scopes: Vec<String>,
    /// For how many days [default: 90, or less if the delegation allows less]
    #[arg(long, value_name = "DAYS")]
    pub days: Option<u64>,
    /// What the token is for, to be found in lists
    #[arg(long, value_name = "TEXT")]
    pub label: String,
    /// Write the token to a new file (mode 0600) instead of printing it
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Context.
    #[command(flatten)]
    pub context: ContextArgs,
}

/// Arguments of `token revoke`.
#[derive(Debug, Args)]
pub struct TokenRevokeArgs {
    /// The token's id, as `token list` prints it
    #[arg(value_name = "ID")]
    pub id: String,
    /// Context.
    #[command(flatten)]
    pub context: ContextArgs,
}

/// What can be done with a log.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum LogCommand {
    /// The newest entries of the tenant's log, one line each
    Tail(LogTailArgs),
}

/// Arguments of `log tail`.
#[derive(Debug, Args)]
pub struct LogTailArgs {
    /// How many entries
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
    pub count: u64,
    /// Begin at this entry instead of counting from the end
    #[arg(long, value_name = "INDEX")]
    pub from: Option<u64>,
    /// Context.
    #[command(flatten)]
    pub context: ContextArgs,
}

/// What can be done with a report.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum ReportCommand {
    /// Decode the 1184 bytes of an SNP attestation report; nothing is verified
    Show(ReportShowArgs),
}

/// Arguments of `report show`.
#[derive(Debug, Args)]
pub struct ReportShowArgs {
    /// The report, as the secure processor gave it
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}
