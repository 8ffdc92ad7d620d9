//! What the host writes to its log: a closed list of events, and for each at most the kind of an
//! input-output error. No byte, name or address of a user can reach a line.

use std::fmt;
use std::io::{ErrorKind, Write};

/// One line of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// Accepting a connection failed; tried again.
    AcceptFailed(ErrorKind),
    /// The runtime did not take a connection in time; the connection was closed.
    RuntimeAbsent(ErrorKind),
    /// A stream from the runtime broke the protocol and was closed.
    StreamRefused,
    /// The runtime asked for a destination that the configuration does not name or allow.
    EgressNameUnknown,
    /// A file for the runtime could not be read.
    BlobUnreadable(ErrorKind),
    /// The published deployment document could not be written.
    DeploymentUnwritable(ErrorKind),
    /// The runtime's collateral could not be kept.
    CollateralUnwritable(ErrorKind),
    /// The store has no room; the runtime was told.
    StoreFull,
    /// The store failed; the process ends.
    StoreFailed,
    /// The destinations of the configuration were read again.
    EgressReloaded,
    /// The configuration was to be read again and cannot be used; the old one stays.
    ReloadRefused,
    /// The runtime's telemetry began.
    RuntimeConnected,
    /// The runtime's telemetry ended or fell silent.
    RuntimeSilent,
    /// The limit on open files could not be raised to what the configuration needs.
    OpenFilesFew,
    /// Ending on a signal.
    Ending,
}

impl Event {
    const fn code(self) -> &'static str {
        match self {
            Self::AcceptFailed(_) => "accept_failed",
            Self::RuntimeAbsent(_) => "runtime_absent",
            Self::StreamRefused => "stream_refused",
            Self::EgressNameUnknown => "egress_name_unknown",
            Self::BlobUnreadable(_) => "blob_unreadable",
            Self::DeploymentUnwritable(_) => "deployment_unwritable",
            Self::CollateralUnwritable(_) => "collateral_unwritable",
            Self::StoreFull => "store_full",
            Self::StoreFailed => "store_failed",
            Self::EgressReloaded => "egress_reloaded",
            Self::ReloadRefused => "reload_refused",
            Self::RuntimeConnected => "runtime_connected",
            Self::RuntimeSilent => "runtime_silent",
            Self::OpenFilesFew => "open_files_few",
            Self::Ending => "ending",
        }
    }

    const fn error(self) -> Option<ErrorKind> {
        match self {
            Self::AcceptFailed(kind)
            | Self::RuntimeAbsent(kind)
            | Self::BlobUnreadable(kind)
            | Self::DeploymentUnwritable(kind)
            | Self::CollateralUnwritable(kind) => Some(kind),
            Self::StreamRefused
            | Self::EgressNameUnknown
            | Self::StoreFull
            | Self::StoreFailed
            | Self::EgressReloaded
            | Self::ReloadRefused
            | Self::RuntimeConnected
            | Self::RuntimeSilent
            | Self::OpenFilesFew
            | Self::Ending => None,
        }
    }

    /// Writes the event's line to standard error.
    pub(crate) fn log(self) {
        // A closed standard error must not stop the host.
        drop(std::io::stderr().write_all(format!("{self}\n").as_bytes()));
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "chancery-host event={}", self.code())?;
        match self.error() {
            Some(kind) => write!(f, " error={kind:?}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_code_and_at_most_an_error_kind() {
        assert_eq!(
            Event::StoreFull.to_string(),
            "chancery-host event=store_full"
        );
        assert_eq!(
            Event::AcceptFailed(ErrorKind::TimedOut).to_string(),
            "chancery-host event=accept_failed error=TimedOut"
        );
    }
}
