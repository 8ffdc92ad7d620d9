//! The command line of `appraise` and `report …`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::values::parse_report_data;
use crate::time::parse_utc;

/// Arguments of `appraise`.
#[derive(Debug, Args)]
pub struct AppraiseArgs {
    /// The attestation report: its 1184 bytes, or hexadecimal or base64 of them
    #[arg(long, value_name = "FILE")]
    pub report: PathBuf,
    /// The certificate of the key that signed it (VCEK or VLEK), DER or PEM
    #[arg(long, value_name = "FILE")]
    pub vek: PathBuf,
    /// Intermediate and root, one PEM file or DER concatenated; held against the pinned roots [default: built in]
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// The root's revocation list, DER or PEM
    #[arg(long, value_name = "FILE")]
    pub crl: Option<PathBuf>,
    /// The release policy (JSON)
    #[arg(long, value_name = "FILE")]
    pub policy: PathBuf,
    /// The time at which everything must hold, as 2026-07-01T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = parse_utc)]
    pub at: u64,
    /// The oldest firmware that is accepted (JSON) [default: built in]
    #[arg(long, value_name = "FILE")]
    pub floors: Option<PathBuf>,
    /// What must stand in REPORT_DATA, 128 hexadecimal digits; without it that is not checked
    #[arg(long, value_name = "HEX", value_parser = parse_report_data)]
    pub report_data: Option<[u8; 64]>,
    /// For emulated evidence: the deployment file beside which the emulated root is pinned
    #[arg(long, value_name = "FILE")]
    pub deployment: Option<PathBuf>,
}

/// What can be done with a report.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum ReportCommand {
    /// Decode an SNP attestation report field by field; nothing is verified
    Show(ReportShowArgs),
}

/// Arguments of `report show`.
#[derive(Debug, Args)]
pub struct ReportShowArgs {
    /// The report: its 1184 bytes, hexadecimal or base64 of them, or evidence that holds one
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The product line by whose layout TCBs are read, for reports of version 2, which do not name it
    #[arg(long, value_name = "LINE", value_enum)]
    pub line: Option<Line>,
}

/// A product line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[non_exhaustive]
pub enum Line {
    /// Zen 3
    Milan,
    /// Zen 4, with Bergamo and Siena
    Genoa,
    /// Zen 5
    Turin,
}
