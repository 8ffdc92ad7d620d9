//! The command line of what admins sign about their tenant.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::args::ContextArgs;
use crate::args::member::GroupKeyArgs;

/// What can be done with the set of admins.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum AdminsCommand {
    /// Who may sign now, and how many must
    Show(ContextArgs),
    /// Make a key for a new admin and print its public half
    Key(AdminsKeyArgs),
    /// Write the next set of admins to be signed
    Propose(AdminsProposeArgs),
    /// Sign a change of admins, or add a signature; with --submit put it into force
    Sign(AdminsSignArgs),
    /// Put a signed change of admins into force
    Submit(AdminsSubmitArgs),
}

/// Arguments of `admins key`.
#[derive(Debug, Args)]
pub struct AdminsKeyArgs {
    /// A new private file for the key; its public half goes beside it, with .pub added
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Arguments of `admins propose`.
#[derive(Debug, Args)]
pub struct AdminsProposeArgs {
    /// A new admin and the file with the public key that `admins key` wrote; repeat for more
    #[arg(long = "add", value_name = "NAME=FILE")]
    pub add: Vec<String>,
    /// An admin who ends, by name; repeat for more
    #[arg(long = "remove", value_name = "NAME")]
    pub remove: Vec<String>,
    /// How many must sign from then on [default: as now]
    #[arg(long, value_name = "N")]
    pub threshold: Option<usize>,
    /// Where to write it
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace an existing file
    #[arg(long)]
    pub force: bool,
    /// Context.
    #[command(flatten)]
    pub context: ContextArgs,
}

/// Arguments of `admins sign`.
#[derive(Debug, Args)]
pub struct AdminsSignArgs {
    /// The change (JSON), or an envelope that others signed already
    #[arg(value_name = "FILE")]
    pub document: PathBuf,
    /// Where to write the signed envelope
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace an existing file
    #[arg(long)]
    pub force: bool,
    /// Context; `--key` are the keys that sign, present admins' and new ones' alike.
    #[command(flatten)]
    pub context: ContextArgs,
}

/// Arguments of `admins submit`.
#[derive(Debug, Args)]
pub struct AdminsSubmitArgs {
    /// The envelope, signed by the threshold of the present admins and by every new one
    #[arg(value_name = "FILE")]
    pub document: PathBuf,
    /// Context; `--key` are present admins' keys.
    #[command(flatten)]
    pub context: ContextArgs,
}

/// What can be done with auditors.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum AuditorCommand {
    /// Let a key read and audit the log
    Enrol(AuditorEnrolArgs),
    /// End an auditor's access
    Revoke(AuditorRevokeArgs),
}

/// Arguments of `auditor enrol`.
#[derive(Debug, Args)]
pub struct AuditorEnrolArgs {
    /// The auditor and the file with the public key that `admins key` wrote
    #[arg(value_name = "NAME=FILE")]
    pub auditor: String,
    /// Context.
    #[command(flatten)]
    pub context: ContextArgs,
}

/// Arguments of `auditor revoke`.
#[derive(Debug, Args)]
pub struct AuditorRevokeArgs {
    /// The key's id, as `auditor enrol` printed it
    #[arg(value_name = "ID")]
    pub id: String,
    /// Context.
    #[command(flatten)]
    pub context: ContextArgs,
}

/// What can be done with the identity provider's keys.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum IdpCommand {
    /// The keys that the runtime has seen, and since when it trusts them
    Show(ContextArgs),
    /// Trust keys at once instead of after the waiting time
    Trust(IdpTrustArgs),
}

/// Arguments of `idp trust`.
#[derive(Debug, Args)]
pub struct IdpTrustArgs {
    /// A key's thumbprint, as `idp show` prints it
    #[arg(value_name = "THUMBPRINT", required_unless_present = "all")]
    pub thumbprints: Vec<String>,
    /// Every key that the issuer publishes now
    #[arg(long, conflicts_with = "thumbprints")]
    pub all: bool,
    /// Context.
    #[command(flatten)]
    pub context: ContextArgs,
}

/// Arguments of `approve`.
#[derive(Debug, Args)]
pub struct ApproveArgs {
    /// The held change to let through, by its id
    #[arg(value_name = "HELD_ID", conflicts_with = "burst")]
    pub held: Option<String>,
    /// Open a window of the brake for this kind of act
    #[arg(
        long,
        value_name = "KIND",
        value_enum,
        requires = "count",
        requires = "duration"
    )]
    pub burst: Option<BurstKind>,
    /// How many acts of the kind the window lets through
    #[arg(long, value_name = "N", requires = "burst")]
    pub count: Option<u64>,
    /// How long the window stays open, such as 30m, 2h or 1d
    #[arg(long = "for", value_name = "DURATION", requires = "burst")]
    pub duration: Option<String>,
    /// Context.
    #[command(flatten)]
    pub context: ContextArgs,
}

/// What the brake counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[non_exhaustive]
pub enum BurstKind {
    /// Users suspended
    Suspensions,
    /// Users deleted
    Deletions,
    /// Memberships granted
    Grants,
    /// Groups left without members
    EmptiedGroups,
}

/// What can be done with one user.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum UserCommand {
    /// End a user's access at once
    Suspend(UserArgs),
    /// Bring a suspended user back
    Restore(UserArgs),
    /// Destroy everything about a user, for good
    Erase(UserArgs),
    /// Take away the keys of a user who lost every device; the account is claimed again
    Reset(UserArgs),
    /// Confirm that a claim is the user's, after comparing the code with the person
    Confirm(UserConfirmArgs),
}

/// The user of a command.
#[derive(Debug, Args)]
pub struct UserArgs {
    /// The user's id or exact userName
    #[arg(value_name = "USER")]
    pub user: String,
    /// Context.
    #[command(flatten)]
    pub context: ContextArgs,
}

/// Arguments of `user confirm`.
#[derive(Debug, Args)]
pub struct UserConfirmArgs {
    /// The user's id or exact userName
    #[arg(value_name = "USER")]
    pub user: String,
    /// The code that the person's device shows, such as ABCD-EFGH, told over another channel
    #[arg(value_name = "CODE")]
    pub code: String,
    /// Context.
    #[command(flatten)]
    pub context: ContextArgs,
}

/// What can be done with one group.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum GroupCommand {
    /// Make a user a member of a group
    Add(GroupMemberArgs),
    /// Take a user out of a group, which gives the group a new key
    Remove(GroupMemberArgs),
    /// For members: have the group's key of an epoch
    Key(GroupKeyArgs),
}

/// A group and a user.
#[derive(Debug, Args)]
pub struct GroupMemberArgs {
    /// The group's id or exact displayName
    #[arg(value_name = "GROUP")]
    pub group: String,
    /// The user's id or exact userName
    #[arg(value_name = "USER")]
    pub user: String,
    /// Context.
    #[command(flatten)]
    pub context: ContextArgs,
}

/// What can be done with the plan.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum PlanCommand {
    /// What would change, and the hash that an admin signs
    Show(ContextArgs),
    /// Sign the plan and carry it out
    Apply(PlanApplyArgs),
    /// Forget what was recorded
    Drop(ContextArgs),
}

/// Arguments of `plan apply`.
#[derive(Debug, Args)]
pub struct PlanApplyArgs {
    /// Leave accounts alone that automation did not mention [default: suspend them]
    #[arg(long)]
    pub keep_unmatched: bool,
    /// The hash that was reviewed; another plan is not signed
    #[arg(long, value_name = "HEX")]
    pub hash: Option<String>,
    /// Context.
    #[command(flatten)]
    pub context: ContextArgs,
}
