//! The command line of `release …`.

use std::path::PathBuf;

use chancery_release::VcpuModel;
use clap::{Args, Subcommand, ValueEnum};

use super::values::{parse_features, parse_model, parse_sha256, parse_sha384, parse_signature};
use crate::time::parse_utc;

/// What can be done with releases.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum ReleaseCommand {
    /// Compute the launch digest of an image for one or more shapes of machine
    Measure(Box<ReleaseMeasureArgs>),
    /// Make a key that signs releases, and print its public half
    Keygen(ReleaseKeygenArgs),
    /// Sign a release statement, a release policy or TCB floors, or add a signature
    Sign(Box<ReleaseSignArgs>),
    /// Check a signed release statement, release policy or TCB floors
    Verify(ReleaseVerifyArgs),
}

/// Who builds the guest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
#[non_exhaustive]
pub enum Vmm {
    /// QEMU with KVM
    #[default]
    Qemu,
    /// Amazon EC2
    Ec2,
    /// Google Compute Engine
    Gce,
}

/// What is measured: the options of `sev-snp-measure`, with the same names.
#[derive(Clone, Debug, Args)]
#[group(skip)]
pub struct LaunchArgs {
    /// Who builds the guest
    #[arg(long, alias = "vmm-type", value_name = "VMM", value_enum, ignore_case = true, default_value_t = Vmm::Qemu)]
    pub vmm: Vmm,
    /// The firmware: an OVMF image with SEV metadata
    #[arg(long, value_name = "FILE")]
    pub ovmf: Option<PathBuf>,
    /// The kernel of a measured direct boot
    #[arg(long, value_name = "FILE", group = "direct_boot")]
    pub kernel: Option<PathBuf>,
    /// The kernel's SHA-256, in place of the file
    #[arg(long, value_name = "HEX", value_parser = parse_sha256, group = "direct_boot")]
    pub kernel_sha256: Option<[u8; 32]>,
    /// The initial filesystem
    #[arg(
        long,
        value_name = "FILE",
        requires = "direct_boot",
        conflicts_with = "initrd_sha256"
    )]
    pub initrd: Option<PathBuf>,
    /// The initial filesystem's SHA-256, in place of the file
    #[arg(long, value_name = "HEX", value_parser = parse_sha256, requires = "direct_boot")]
    pub initrd_sha256: Option<[u8; 32]>,
    /// The kernel's command line
    #[arg(
        long,
        value_name = "STRING",
        requires = "direct_boot",
        allow_hyphen_values = true
    )]
    pub append: Option<String>,
    /// How many processors; repeat, or separate by commas, for a digest of each
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub vcpus: Vec<u32>,
    /// The processors' model as QEMU names it, such as EPYC-Genoa; repeat for a digest of each
    #[arg(long = "vcpu-type", value_name = "TYPE", value_delimiter = ',', value_parser = parse_model)]
    pub vcpu_types: Vec<VcpuModel>,
    /// The model as CPUID function 1 gives it in EAX; repeat for a digest of each
    #[arg(long = "vcpu-sig", value_name = "VALUE", value_delimiter = ',', value_parser = parse_signature)]
    pub vcpu_signatures: Vec<VcpuModel>,
    /// SEV_FEATURES of the guest, as 0x and hexadecimal digits
    #[arg(long, value_name = "HEX", value_parser = parse_features, default_value = "0x1")]
    pub guest_features: u64,
}

/// Arguments of `release measure`.
#[derive(Debug, Args)]
#[command(mut_arg("ovmf", |arg| arg.required(true)), mut_arg("vcpus", |arg| arg.required(true)))]
pub struct ReleaseMeasureArgs {
    /// What is measured.
    #[command(flatten)]
    pub launch: LaunchArgs,
    /// The digest over the firmware's pages, in place of those of the file; its metadata still counts
    #[arg(long, value_name = "HEX", value_parser = parse_sha384)]
    pub snp_ovmf_hash: Option<[u8; 48]>,
}

/// Arguments of `release keygen`.
#[derive(Debug, Args)]
pub struct ReleaseKeygenArgs {
    /// A new private file for the key; its public half goes beside it, with .pub added
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// What a new statement is made from, and a given document has already.
const NEW_STATEMENT: [&str; 16] = [
    "id",
    "release_version",
    "serial",
    "issued",
    "expires",
    "vmm",
    "ovmf",
    "kernel",
    "kernel_sha256",
    "initrd",
    "initrd_sha256",
    "append",
    "vcpus",
    "vcpu_types",
    "vcpu_signatures",
    "guest_features",
];

/// Arguments of `release sign`.
#[derive(Debug, Args)]
pub struct ReleaseSignArgs {
    /// A statement, policy or floors (JSON), or an envelope that others signed already
    #[arg(value_name = "FILE", required_unless_present = "ovmf", conflicts_with_all = NEW_STATEMENT)]
    pub document: Option<PathBuf>,
    /// What FILE is [default: what its envelope says, or a release]
    #[arg(long, value_name = "KIND", value_enum, requires = "document")]
    pub kind: Option<DocumentKind>,
    /// A private key that signs (made by `release keygen`); repeat for more
    #[arg(long = "key", value_name = "FILE", required = true)]
    pub keys: Vec<PathBuf>,
    /// Where to write the signed envelope
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace an existing file
    #[arg(long)]
    pub force: bool,
    /// The document of the same kind before this one, signed or not: the number must grow
    #[arg(long, value_name = "FILE")]
    pub previous: Option<PathBuf>,
    /// What a new statement says, when it is made from what is measured.
    #[command(flatten)]
    pub statement: StatementArgs,
    /// What is measured for a new statement.
    #[command(flatten)]
    pub launch: LaunchArgs,
}

/// What a new release statement says.
#[derive(Clone, Debug, Args)]
#[group(skip)]
pub struct StatementArgs {
    /// The release's id, as the release policy will name it
    #[arg(
        long,
        value_name = "ID",
        requires = "ovmf",
        required_unless_present = "document"
    )]
    pub id: Option<String>,
    /// The release's version, as the release policy will name it
    #[arg(
        long,
        value_name = "TEXT",
        requires = "ovmf",
        required_unless_present = "document"
    )]
    pub release_version: Option<String>,
    /// A number above that of every statement before
    #[arg(
        long,
        value_name = "N",
        requires = "ovmf",
        required_unless_present = "document"
    )]
    pub serial: Option<u64>,
    /// From when on it holds, as 2026-07-01T00:00:00Z [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_utc, requires = "ovmf")]
    pub issued: Option<u64>,
    /// From when on it no longer holds
    #[arg(long, value_name = "TIME", value_parser = parse_utc, requires = "ovmf", required_unless_present = "document")]
    pub expires: Option<u64>,
}

/// The documents that release keys sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[non_exhaustive]
pub enum DocumentKind {
    /// Which launch digests a release has
    Release,
    /// What clients accept
    ReleasePolicy,
    /// The oldest firmware that clients accept
    TcbFloors,
}

/// Arguments of `release verify`.
#[derive(Debug, Args)]
pub struct ReleaseVerifyArgs {
    /// The signed envelope
    #[arg(value_name = "FILE")]
    pub document: PathBuf,
    /// A public key whose signature counts (the .pub file of `release keygen`); repeat for more
    #[arg(
        long = "release-key",
        value_name = "FILE",
        required_unless_present = "deployment"
    )]
    pub release_keys: Vec<PathBuf>,
    /// How many of them must have signed [default: all]
    #[arg(long, value_name = "N", conflicts_with = "deployment")]
    pub threshold: Option<usize>,
    /// Take the keys and the threshold that a deployment file pins
    #[arg(long, value_name = "FILE", conflicts_with = "release_keys")]
    pub deployment: Option<PathBuf>,
    /// The time at which it must hold, as 2026-07-01T00:00:00Z [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_utc)]
    pub at: Option<u64>,
    /// The document of the same kind that was accepted last: the number must have grown
    #[arg(long, value_name = "FILE")]
    pub previous: Option<PathBuf>,
    /// Of a statement: check that this release policy lists every launch digest. Signed, its signatures count too
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Of a statement: compute every launch digest again with this firmware
    #[arg(long, value_name = "FILE")]
    pub ovmf: Option<PathBuf>,
}
