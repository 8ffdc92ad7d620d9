//! The command line of members: claim, keys, devices, group keys.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ContextArgs;

/// Whose keys a command uses: the member's home.
#[derive(Clone, Debug, Default, Args)]
pub struct MemberContextArgs {
    /// The folder of the member's keys [default: below $XDG_DATA_HOME/chancery]
    #[arg(long, value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// Context; `--key` is not needed.
    #[command(flatten)]
    pub context: ContextArgs,
}

/// Arguments of `claim`.
#[derive(Debug, Args)]
pub struct ClaimArgs {
    /// The claim's id, from the invitation
    #[arg(long = "claim", value_name = "ID")]
    pub claim: String,
    /// What the TXT record of the customer's domain says behind `genesis=`
    #[arg(long, value_name = "HEX")]
    pub genesis_hash: Option<String>,
    /// Believe the genesis that the service shows, because nobody can say which is the right one
    #[arg(long, conflicts_with = "genesis_hash")]
    pub dangerous_trust_first_use: bool,
    /// The account's own keys, where an admin imported the account with them (a keyset's key file)
    #[arg(long, value_name = "FILE")]
    pub account_key: Option<PathBuf>,
    /// How the member calls this device
    #[arg(long, value_name = "NAME", default_value = "first device")]
    pub device_name: String,
    /// Open the address of the identity provider in a browser, too
    #[arg(long)]
    pub open: bool,
    /// How many seconds to wait for the person to sign in, or for an admin to confirm
    #[arg(long, value_name = "S", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub wait_s: u64,
    /// Home and context.
    #[command(flatten)]
    pub member: MemberContextArgs,
}

/// What can be done with keys.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum KeysCommand {
    /// Look up a person's key and verify the proof of it, before anything is encrypted to it
    Lookup(KeysUserArgs),
    /// Show the keys that a person has had
    History(KeysUserArgs),
    /// Replace one's own account keys, signed by the old and the new ones
    Rotate(KeysRotateArgs),
}

/// Arguments of `keys rotate`.
#[derive(Debug, Args)]
pub struct KeysRotateArgs {
    /// Hand the new keys to this device as well, whose fingerprint you compared; repeat for more
    #[arg(long = "device", value_name = "FINGERPRINT")]
    pub devices: Vec<String>,
    /// Home and context.
    #[command(flatten)]
    pub member: MemberContextArgs,
}

/// Arguments of `keys lookup` and `keys history`.
#[derive(Debug, Args)]
pub struct KeysUserArgs {
    /// The person: an id or the exact userName
    #[arg(value_name = "USER")]
    pub user: String,
    /// Home and context.
    #[command(flatten)]
    pub member: MemberContextArgs,
}

/// Arguments of `group key`.
#[derive(Debug, Args)]
pub struct GroupKeyArgs {
    /// The group: an id or the exact display name
    #[arg(value_name = "GROUP")]
    pub group: String,
    /// An older epoch [default: the current one]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=4_294_967_295))]
    pub epoch: Option<u64>,
    /// Write the key to this new file (mode 0600) instead of the home
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Home and context.
    #[command(flatten)]
    pub member: MemberContextArgs,
}

/// What can be done with a member's devices.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum DeviceCommand {
    /// On a new device: make its keys and write the request that another device of yours adds
    Request(DeviceRequestArgs),
    /// On a device that is in already: let the new one in
    Add(DeviceAddArgs),
    /// On the new device: fetch the account's keys
    Accept(DeviceAcceptArgs),
    /// List the devices
    List(MemberContextArgs),
    /// Take a device out
    Revoke(DeviceRevokeArgs),
}

/// Arguments of `device request`.
#[derive(Debug, Args)]
pub struct DeviceRequestArgs {
    /// How the member calls the new device
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// Where to write the request; it holds no secret
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace an existing file
    #[arg(long)]
    pub force: bool,
    /// Home and context; with `--home` nothing else is needed.
    #[command(flatten)]
    pub member: MemberContextArgs,
}

/// Arguments of `device add`.
#[derive(Debug, Args)]
pub struct DeviceAddArgs {
    /// The request that the new device wrote
    #[arg(value_name = "REQUEST")]
    pub request: PathBuf,
    /// Where to write what the new device needs to know; it holds no secret
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace an existing file
    #[arg(long)]
    pub force: bool,
    /// Home and context.
    #[command(flatten)]
    pub member: MemberContextArgs,
}

/// Arguments of `device accept`.
#[derive(Debug, Args)]
pub struct DeviceAcceptArgs {
    /// What `device add` wrote; not needed to fetch the keys again after they were replaced
    #[arg(value_name = "INTRODUCTION")]
    pub introduction: Option<PathBuf>,
    /// Home and context.
    #[command(flatten)]
    pub member: MemberContextArgs,
}

/// Arguments of `device revoke`.
#[derive(Debug, Args)]
pub struct DeviceRevokeArgs {
    /// The device's fingerprint, as `device list` prints it
    #[arg(value_name = "FINGERPRINT")]
    pub fingerprint: String,
    /// For admins: whose device it is, an id or the exact userName
    #[arg(long, value_name = "USER", conflicts_with = "home")]
    pub user: Option<String>,
    /// Home and context.
    #[command(flatten)]
    pub member: MemberContextArgs,
}

/// What a member can ask about themselves.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum MemberCommand {
    /// Show one's own account: keys, devices, groups
    Show(MemberContextArgs),
}
