//! Why the host ends.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use chancery_store::StoreError;

use crate::config::ConfigError;

/// Why the host did not start, or ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum HostError {
    /// The command line is not understood.
    Usage {
        /// What to print.
        text: &'static str,
    },
    /// The configuration cannot be used.
    Config(ConfigError),
    /// Another process listens on the address.
    AddressInUse {
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The socket for the runtime cannot be made.
    HostSocket {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The store cannot be opened.
    StoreUnusable(StoreError),
    /// The store failed while in use: requests in flight got no answer, their outcome is unknown.
    StoreFailed(StoreError),
    /// The operating system refused a thread, a signal handler or standard output.
    System(io::Error),
}

impl HostError {
    /// The process's exit code: 2 if it never served because of what it was given, 3 if the store
    /// failed, 1 otherwise.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Usage { .. }
            | Self::Config(_)
            | Self::AddressInUse { .. }
            | Self::Listen { .. }
            | Self::HostSocket { .. }
            | Self::StoreUnusable(_) => 2,
            Self::StoreFailed(_) => 3,
            Self::System(_) => 1,
        }
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage { text } => f.write_str(text),
            Self::Config(_) => f.write_str("configuration"),
            Self::AddressInUse { address } => {
                write!(f, "address in use: another process listens on {address}")
            }
            Self::Listen { address, .. } => write!(f, "cannot listen on {address}"),
            Self::HostSocket { path, .. } => write!(f, "cannot listen on {}", path.display()),
            Self::StoreUnusable(_) => f.write_str("cannot open the store"),
            Self::StoreFailed(_) => f.write_str("the store failed"),
            Self::System(_) => f.write_str("the operating system refused"),
        }
    }
}

impl std::error::Error for HostError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Config(source) => Some(source),
            Self::StoreUnusable(source) | Self::StoreFailed(source) => Some(source),
            Self::Listen { source, .. }
            | Self::HostSocket { source, .. }
            | Self::System(source) => Some(source),
            Self::Usage { .. } | Self::AddressInUse { .. } => None,
        }
    }
}

impl From<ConfigError> for HostError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}
