//! The command line of `log …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::args::ContextArgs;

/// What can be done with a log.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum LogCommand {
    /// The newest entries of the tenant's log, one line each
    Tail(LogTailArgs),
    /// Check the whole log against the signed papers and the directory as it stands
    Audit(LogAuditArgs),
    /// Keep the offline proof of one entry
    Receipt(LogReceiptArgs),
    /// Check an offline proof; no connection is made
    Verify(LogVerifyArgs),
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

/// Arguments of `log audit`.
#[derive(Debug, Args)]
pub struct LogAuditArgs {
    /// Who should be there: a userName per line, or CSV with a column user_name
    #[arg(long, value_name = "FILE")]
    pub roster: Option<PathBuf>,
    /// The signed genesis that the auditor keeps; another tenant of the same name is then refused
    #[arg(long, value_name = "FILE")]
    pub genesis: Option<PathBuf>,
    /// Context; `--key` is an admin's or an auditor's.
    #[command(flatten)]
    pub context: ContextArgs,
}

/// Arguments of `log receipt`.
#[derive(Debug, Args)]
pub struct LogReceiptArgs {
    /// The entry, as `log tail` or the header Chancery-Receipt names it
    #[arg(value_name = "INDEX")]
    pub index: u64,
    /// Where to write the proof
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace an existing file
    #[arg(long)]
    pub force: bool,
    /// Context; `--key` is an admin's or an auditor's.
    #[command(flatten)]
    pub context: ContextArgs,
}

/// Arguments of `log verify`.
#[derive(Debug, Args)]
pub struct LogVerifyArgs {
    /// The proof, as `log receipt` wrote it
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Context; only the deployment is needed.
    #[command(flatten)]
    pub context: ContextArgs,
}
