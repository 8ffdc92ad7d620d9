//! The command line of `delegation …`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};

use crate::args::ContextArgs;

/// What can be done with a delegation.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum DelegationCommand {
    /// Write a delegation to read, edit and sign
    New(Box<DelegationNewArgs>),
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
    /// Allow user names that have no @ and therefore no domain
    #[arg(long)]
    pub user_names_without_domain: bool,
    /// For how many days, from now
    #[arg(long, value_name = "DAYS", default_value_t = 365)]
    pub days: u64,
    /// Its number, which grows with each delegation [default: one more than the runtime's newest]
    #[arg(long, value_name = "N")]
    pub serial: Option<u64>,
    /// Longest life of a token under it, in days
    #[arg(long, value_name = "DAYS", default_value_t = 180)]
    pub credential_days: u64,
    /// Erase a deleted user after so many days [default: never without an admin's signature]
    #[arg(long, value_name = "DAYS")]
    pub erase_after_days: Option<u64>,
    /// Let nobody claim an account by signing in at the identity provider; admins confirm each
    #[arg(long)]
    pub no_idp_mapping: bool,
    /// Groups and accounts.
    #[command(flatten)]
    pub reach: ReachArgs,
    /// The brake.
    #[command(flatten)]
    pub limits: LimitArgs,
    /// How it begins.
    #[command(flatten)]
    pub trial: TrialArgs,
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

/// Which groups and accounts a new delegation reaches.
#[derive(Clone, Debug, Default, Args)]
pub struct ReachArgs {
    /// A group that it manages; repeat for more [default: every group that is not protected]
    #[arg(long = "managed-group", value_name = "NAME")]
    pub managed_groups: Vec<String>,
    /// A group whose changes wait for an admin's signature; repeat for more
    #[arg(long = "sensitive-group", value_name = "NAME")]
    pub sensitive_groups: Vec<String>,
    /// A group that it never touches, besides those of the genesis; repeat for more
    #[arg(long = "protected-group", value_name = "NAME")]
    pub protected_groups: Vec<String>,
    /// An account (userName) that it never touches, besides those of the genesis; repeat for more
    #[arg(long = "protected-account", value_name = "USERNAME")]
    pub protected_accounts: Vec<String>,
}

/// How much may happen within a window before an admin has to approve. The defaults are what a busy
/// day does not reach and a broken or captured identity provider does.
#[derive(Clone, Copy, Debug, Args)]
pub struct LimitArgs {
    /// Length of the window in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    pub window_s: u64,
    /// Users suspended within a window
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub suspensions: u64,
    /// Users deleted within a window
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub deletions: u64,
    /// Memberships granted within a window
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub grants: u64,
    /// Groups left without members within a window
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub emptied_groups: u64,
}

/// On trial, or with some people alone.
#[derive(Clone, Debug, Default, Args)]
pub struct TrialArgs {
    /// Record what automation asks for, and carry it out once an admin has signed the plan
    #[arg(long)]
    pub plan: bool,
    /// An account (userName) of the pilot: nothing outside of it is touched; repeat for more
    #[arg(long = "pilot-user", value_name = "USERNAME")]
    pub pilot_users: Vec<String>,
    /// A group of the pilot; repeat for more
    #[arg(long = "pilot-group", value_name = "NAME")]
    pub pilot_groups: Vec<String>,
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
