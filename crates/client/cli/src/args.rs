//! The command line, as a person types it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::args::admin::{
    AdminsCommand, ApproveArgs, AuditorCommand, GroupCommand, IdpCommand, PlanCommand, UserCommand,
};
use crate::args::delegation::DelegationCommand;
use crate::args::log::LogCommand;
use crate::args::member::{ClaimArgs, DeviceCommand, KeysCommand, MemberCommand};
use crate::args::release::ReleaseCommand;
use crate::args::report::{AppraiseArgs, ReportCommand};
use crate::args::tenant::TenantCommand;
use crate::args::token::TokenCommand;

pub mod admin;
pub mod delegation;
pub mod log;
pub mod member;
pub mod release;
pub mod report;
pub mod tenant;
pub mod token;
mod values;

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
    /// Make a tenant, show one, or fill it
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// Say what automation may do
    #[command(subcommand)]
    Delegation(DelegationCommand),
    /// Give an identity provider its credential
    #[command(subcommand)]
    Token(TokenCommand),
    /// Who may sign for the tenant
    #[command(subcommand)]
    Admins(AdminsCommand),
    /// Who may read the tenant's log without being an admin
    #[command(subcommand)]
    Auditor(AuditorCommand),
    /// The keys of the tenant's identity provider
    #[command(subcommand)]
    Idp(IdpCommand),
    /// Let a held change through, or open a window of the brake; without an argument, show both
    Approve(ApproveArgs),
    /// Act on one user with the admins' signature, without any identity provider
    #[command(subcommand)]
    User(UserCommand),
    /// Act on one group, or have its key
    #[command(subcommand)]
    Group(GroupCommand),
    /// What automation has asked for in plan mode
    #[command(subcommand)]
    Plan(PlanCommand),
    /// For members: get into an account, with keys that are made here
    Claim(ClaimArgs),
    /// People's keys: look them up with their proofs, or replace one's own
    #[command(subcommand)]
    Keys(KeysCommand),
    /// For members: more than one device for one account
    #[command(subcommand)]
    Device(DeviceCommand),
    /// For members: one's own account
    #[command(subcommand)]
    Member(MemberCommand),
    /// Read, prove and audit a tenant's log
    #[command(subcommand)]
    Log(LogCommand),
    /// Check an attestation report from files against a release policy
    Appraise(Box<AppraiseArgs>),
    /// Decode an attestation report
    #[command(subcommand)]
    Report(ReportCommand),
    /// Measure, sign and check releases
    #[command(subcommand)]
    Release(ReleaseCommand),
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
