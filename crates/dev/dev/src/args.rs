//! The command line, as a person types it.

use std::net::SocketAddr;
use std::path::PathBuf;

use chancery_cli::GlobalOptions;
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};

/// The whole service on one machine, for development and tests. It protects nothing.
#[derive(Debug, Parser)]
#[command(name = "chancery-dev", version, about, arg_required_else_help = true)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: GlobalOptions,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `chancery-dev` can do.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum Command {
    /// Start the whole service here and keep it running
    Up(UpArgs),
    /// Put load on a running service and measure it
    Bench(BenchArgs),
    /// A command of `chancery`, with the emulated anchor.
    #[command(flatten)]
    Shared(chancery_cli::Command),
}

/// Where the runtime runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[non_exhaustive]
pub enum Tee {
    /// A process of this machine, with an emulated secure processor.
    Process,
    /// A virtual machine of its own.
    Qemu,
}

impl Tee {
    /// The word of the command line and of the ready file.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Qemu => "qemu",
        }
    }
}

/// Arguments of `up`.
#[derive(Debug, Args)]
pub struct UpArgs {
    /// The folder of everything that lasts; made the first time
    #[arg(long, value_name = "DIR", default_value = "chancery-data")]
    pub data: PathBuf,
    /// Address and port of the service
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8443")]
    pub listen: SocketAddr,
    /// Where the runtime runs
    #[arg(long, value_enum, default_value = "process")]
    pub tee: Tee,
    /// Write what clients and tests need to this file once everything serves
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
    /// A mail domain of the tenant `demo`; repeat for more [default: demo.example]
    #[arg(long = "demo-domain", value_name = "DOMAIN")]
    pub demo_domains: Vec<String>,
    /// Let every address into every tenant, for public conformance suites; settled the first time
    #[arg(long)]
    pub dangerous_any_domain: bool,
    /// A schema (RFC 7643 section 7) that extends users; repeat for more; settled the first time
    #[arg(long = "user-schema", value_name = "FILE")]
    pub user_schemas: Vec<PathBuf>,
    /// A schema that extends groups; repeat for more; settled the first time
    #[arg(long = "group-schema", value_name = "FILE")]
    pub group_schemas: Vec<PathBuf>,
    /// Make no tenant
    #[arg(long)]
    pub no_demo_tenant: bool,
}

/// Arguments of `bench`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("where").required(true).args(["ready_file", "url", "in_process"])))]
pub struct BenchArgs {
    /// The file that `up --ready-file` wrote; with it the processes' CPU time is measured, too
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
    /// The tenant's SCIM base, https://HOST:PORT/t/TENANT/scim/v2
    #[arg(long, value_name = "URL", requires_all = ["token", "ca"])]
    pub url: Option<String>,
    /// The SCIM token
    #[arg(long, value_name = "TOKEN", conflicts_with = "ready_file")]
    pub token: Option<String>,
    /// The certificate to trust, PEM
    #[arg(long, value_name = "FILE", conflicts_with = "ready_file")]
    pub ca: Option<PathBuf>,
    /// How many users to create
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub users: u64,
    /// Over how many connections
    #[arg(long, value_name = "C", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub connections: u16,
    /// How many operations of each later phase at most [default: as many as users]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub operations: Option<u64>,
    /// The mail domain of the users' names
    #[arg(long, value_name = "DOMAIN", default_value = "demo.example")]
    pub domain: String,
    /// What every userName begins with [default: drawn anew each time]
    #[arg(long, value_name = "TEXT")]
    pub prefix: Option<String>,
    /// Append the userName of each acknowledged creation to this file, one a line
    #[arg(long, value_name = "FILE")]
    pub ack_log: Option<PathBuf>,
    /// Create users and nothing else, but what the options below ask for
    #[arg(long)]
    pub create_only: bool,
    /// Remove single members from groups of these sizes and compare; missing users are created
    /// [default: 1000,10000 from 10000 users on; 0: none]
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = clap::value_parser!(u64).range(0..=100_000))]
    pub group_sizes: Vec<u64>,
    /// How many removals from each of these groups
    #[arg(long, value_name = "R", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub removals: u64,
    /// Sign so many users in and claim their accounts, then look their keys up
    /// [default: 20 if the ready file has a password for everybody; 0: none]
    #[arg(long, value_name = "N", conflicts_with = "url", value_parser = clap::value_parser!(u64).range(0..=10_000))]
    pub claims: Option<u64>,
    /// Other loads than the one above.
    #[command(flatten)]
    pub growth: GrowthArgs,
}

/// Arguments of `bench` that compare directories of several sizes, and other servers.
#[derive(Clone, Debug, Default, Args)]
pub struct GrowthArgs {
    /// Make a tenant with so many users for each of these sizes, and measure the same operations in
    /// all of them in turns
    #[arg(long, value_name = "N,…", value_delimiter = ',', conflicts_with = "url", value_parser = clap::value_parser!(u64).range(100..=10_000_000))]
    pub sizes: Vec<u64>,
    /// Measure the engine and its SCIM service in this process: no TLS, no host, no witnesses
    #[arg(long, requires = "sizes")]
    pub in_process: bool,
    /// How many rounds, after one that does not count [default: 5]
    #[arg(long, value_name = "N", requires = "sizes", value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub rounds: Option<u64>,
    /// A SCIM server of others, on loopback over plain HTTP, to be measured beside the smallest size;
    /// repeat for more
    #[arg(long = "peer", value_name = "NAME=URL", requires_all = ["sizes", "peer_token"], conflicts_with = "in_process", value_parser = named)]
    pub peers: Vec<Named>,
    /// The process of a peer, so that its CPU time is measured, too
    #[arg(long = "peer-pid", value_name = "NAME=PID", requires = "peers", value_parser = named)]
    pub peer_pids: Vec<Named>,
    /// The bearer token of all peers
    #[arg(long, value_name = "TOKEN")]
    pub peer_token: Option<String>,
}

/// A value and what it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

fn named(text: &str) -> Result<Named, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok(Named {
            name: name.to_owned(),
            value: value.to_owned(),
        }),
        _ => Err("it must be NAME=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;
    use clap::error::ErrorKind;

    fn parse(words: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(format!("chancery-dev {words}").split_whitespace())
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn knows_its_own_commands_and_those_of_the_shipped_one() {
        let Command::Up(up) = parse("up").unwrap().command else {
            panic!("another command");
        };
        assert_eq!(up.data, PathBuf::from("chancery-data"));
        assert_eq!(up.listen, "127.0.0.1:8443".parse().unwrap());
        assert_eq!(up.tee, Tee::Process);
        let verify = parse("verify --ready-file r.json --json").unwrap();
        assert!(verify.global.json);
        assert!(matches!(verify.command, Command::Shared(_)));
    }

    #[test]
    fn a_bench_needs_one_target_and_all_of_it() {
        let kind = |words| parse(words).unwrap_err().kind();
        let missing = ErrorKind::MissingRequiredArgument;
        assert_eq!(kind("bench"), missing);
        assert_eq!(kind("bench --url https://x"), missing);
        assert_eq!(kind("bench --url https://x --token t"), missing);
        let both = "bench --ready-file r --url https://x --token t --ca c";
        assert_eq!(kind(both), ErrorKind::ArgumentConflict);
        assert!(parse("bench --url https://x --token t --ca c").is_ok());
        assert!(parse("bench --ready-file r --users 5 --connections 2").is_ok());
        assert_eq!(
            kind("bench --ready-file r --users 0"),
            ErrorKind::ValueValidation
        );
        assert_eq!(
            kind("bench --url https://x --token t --ca c --claims 5"),
            ErrorKind::ArgumentConflict
        );
        let sizes = parse("bench --ready-file r --group-sizes 1000,100000").unwrap();
        let Command::Bench(bench) = sizes.command else {
            panic!("another command");
        };
        assert_eq!(bench.group_sizes, [1000, 100_000]);
    }

    #[test]
    fn sizes_are_measured_in_a_service_or_in_this_process_and_peers_beside_them() {
        let kind = |words| parse(words).unwrap_err().kind();
        let missing = ErrorKind::MissingRequiredArgument;
        assert_eq!(kind("bench --in-process"), missing);
        assert_eq!(kind("bench --sizes 1000"), missing);
        assert_eq!(
            kind("bench --ready-file r --peer a=http://x --peer-token t"),
            missing
        );
        assert_eq!(
            kind("bench --ready-file r --sizes 1000 --peer a=b"),
            missing
        );
        let both = "bench --ready-file r --in-process --sizes 1000";
        assert_eq!(kind(both), ErrorKind::ArgumentConflict);
        let unnamed = "bench --ready-file r --sizes 1000 --peer-token t --peer http";
        assert_eq!(kind(unnamed), ErrorKind::ValueValidation);
        let line = "bench --ready-file r --sizes 1000,5000 --peer a=http://x?b=c --peer-pid a=7 --peer-token t";
        let Command::Bench(bench) = parse(line).unwrap().command else {
            panic!("another command");
        };
        assert_eq!(bench.growth.sizes, [1000, 5000]);
        let [peer] = bench.growth.peers.as_slice() else {
            panic!("another number of peers");
        };
        assert_eq!(
            (peer.name.as_str(), peer.value.as_str()),
            ("a", "http://x?b=c")
        );
    }
}
