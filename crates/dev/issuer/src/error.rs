//! What can go wrong with the issuer itself, and with a login at it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use chancery_hybrid_kx::ConfigError;

/// Why the issuer cannot start or a login did not come to its end. What a client does wrong is an answer to it, not one of these.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder cannot be read or written.
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not what it should be.
    Document {
        /// Which.
        path: PathBuf,
        /// Its fault, in words.
        reason: String,
    },
    /// It may listen on loopback addresses only.
    NotLoopback,
    /// The port cannot be had.
    Listen(io::Error),
    /// The system refused a thread, a signal or an output.
    System(&'static str, io::Error),
    /// There is no randomness.
    Random,
    /// A key or a certificate cannot be made.
    Certificate(rcgen::Error),
    /// The clock gives a time that no certificate can carry.
    Time,
    /// The TLS configuration is unusable.
    Tls(ConfigError),
    /// More accounts than the limit, or two of one name.
    Accounts,
    /// No key has this id, or the active one would go, or there are too many.
    Key,
    /// An address that a browser should go to is no `https` address with a host.
    Address,
    /// The issuer cannot be reached.
    Connect(io::Error),
    /// The connection broke, or took too long.
    Exchange,
    /// The issuer answered something that is no step of a login; its status.
    Step(u16),
    /// The login page refused user name or password.
    Login,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Document { path, reason } => write!(f, "{}: {reason}", path.display()),
            Self::NotLoopback => f.write_str("the issuer listens on loopback addresses only"),
            Self::Listen(source) => write!(f, "cannot listen: {source}"),
            Self::System(what, source) => write!(f, "{what}: {source}"),
            Self::Random => f.write_str("no randomness from the system"),
            Self::Certificate(source) => write!(f, "a certificate could not be made: {source}"),
            Self::Time => f.write_str("the time is past what a certificate can carry"),
            Self::Tls(source) => write!(f, "TLS: {source}"),
            Self::Accounts => f.write_str("too many accounts, or two of one name"),
            Self::Key => f.write_str("there is no such key, or no place for another"),
            Self::Address => f.write_str("not an https address"),
            Self::Connect(source) => write!(f, "cannot connect to the issuer: {source}"),
            Self::Exchange => f.write_str("the connection to the issuer broke"),
            Self::Step(status) => write!(f, "the issuer answered {status} to a step of the login"),
            Self::Login => f.write_str("the issuer refused the user name or the password"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File { source, .. }
            | Self::Listen(source)
            | Self::System(_, source)
            | Self::Connect(source) => Some(source),
            Self::Certificate(source) => Some(source),
            Self::Tls(source) => Some(source),
            Self::Document { .. }
            | Self::NotLoopback
            | Self::Random
            | Self::Time
            | Self::Accounts
            | Self::Key
            | Self::Address
            | Self::Exchange
            | Self::Step(_)
            | Self::Login => None,
        }
    }
}

impl From<rcgen::Error> for Error {
    fn from(source: rcgen::Error) -> Self {
        Self::Certificate(source)
    }
}

impl From<ring::error::Unspecified> for Error {
    fn from(_: ring::error::Unspecified) -> Self {
        Self::Random
    }
}
