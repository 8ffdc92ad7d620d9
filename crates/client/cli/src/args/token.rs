//! The command line of `token …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::args::ContextArgs;

/// What can be done with credentials.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum TokenCommand {
    /// Make a token, or an OAuth client; the secret is shown once
    Issue(TokenIssueArgs),
    /// List tokens and OAuth clients, without their secrets
    List(ContextArgs),
    /// Make a token that takes over from another, which lives on for a while
    Rotate(TokenRotateArgs),
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
    /// How the identity provider is known, if by OAuth.
    #[command(flatten)]
    pub client: ClientArgs,
    /// Write the token or client secret to a new file (mode 0600) instead of printing it
    #[arg(long, value_name = "FILE", conflicts_with = "oauth_jwk")]
    pub out: Option<PathBuf>,
    /// Context.
    #[command(flatten)]
    pub context: ContextArgs,
}

/// Arguments of `token rotate`.
#[derive(Debug, Args)]
pub struct TokenRotateArgs {
    /// The old token's id, as `token list` prints it
    #[arg(value_name = "ID")]
    pub id: String,
    /// For how many hours the old token still works, so that there is no gap
    #[arg(long, value_name = "HOURS", default_value_t = 24)]
    pub overlap_hours: u64,
    /// For how many days the new one lives [default: 90, or less if the delegation allows less]
    #[arg(long, value_name = "DAYS")]
    pub days: Option<u64>,
    /// How the identity provider is known, if by OAuth.
    #[command(flatten)]
    pub client: ClientArgs,
    /// Write the token or client secret to a new file (mode 0600) instead of printing it
    #[arg(long, value_name = "FILE", conflicts_with = "oauth_jwk")]
    pub out: Option<PathBuf>,
    /// Context.
    #[command(flatten)]
    pub context: ContextArgs,
}

/// How an OAuth client is known.
#[derive(Debug, Args)]
pub struct ClientArgs {
    /// Make an OAuth client with a secret, which fetches access tokens itself
    #[arg(long, conflicts_with = "oauth_jwk")]
    pub oauth_secret: bool,
    /// Make an OAuth client that signs with its own key (private_key_jwt): its public JWK or JWK set
    #[arg(long, value_name = "FILE")]
    pub oauth_jwk: Option<PathBuf>,
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
