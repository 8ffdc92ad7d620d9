//! What can go wrong in the emulator.

use std::fmt;
use std::io;
use std::path::PathBuf;

use chancery_platform::PlatformError;

/// What can go wrong in the emulator.
#[non_exhaustive]
#[derive(Debug)]
pub enum EmulationError {
    /// A file could not be read or written.
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The state file or a roots file is not what this program wrote.
    State {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The state was made for another product, or a firmware level is one of another product.
    OtherProduct,
    /// Another firmware level runs on the platform. It changes by an update alone.
    OtherLevel,
    /// Firmware below what is committed.
    RollbackRefused,
    /// A TCB above the committed one cannot be reported.
    ReportedTcbRefused,
    /// A word of the command line has no meaning for this platform; the text says why.
    Argument(String),
    /// The processor answered a request with an error.
    Processor(PlatformError),
    /// A key could not be made, or a signature.
    Crypto,
    /// The image could not be measured.
    Measurement(chancery_measurement::MeasurementError),
    /// The guest policy asks for what the emulated platform does not give, or breaks the ABI.
    PolicyRefused,
    /// The ID block was made for another launch, or a signature of it is not good.
    IdBlockRefused,
    /// The program could not be started.
    Start(io::Error),
    /// The system refused an operation on a process or socket.
    System(io::Error),
}

impl fmt::Display for EmulationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, .. } => write!(f, "cannot use {}", path.display()),
            Self::State { path, reason } => write!(f, "{}: {reason}", path.display()),
            Self::OtherProduct => f.write_str("the state folder belongs to another product"),
            Self::OtherLevel => {
                f.write_str("another firmware level runs on this platform: use `platform update`")
            }
            Self::RollbackRefused => f.write_str("the firmware is below what is committed"),
            Self::ReportedTcbRefused => f.write_str("the reported TCB is above the committed one"),
            Self::Argument(reason) => f.write_str(reason),
            Self::Processor(_) => f.write_str("the processor answered with an error"),
            Self::Crypto => f.write_str("a cryptographic operation failed"),
            Self::Measurement(_) => f.write_str("the image cannot be measured"),
            Self::PolicyRefused => f.write_str("the processor refuses the guest policy"),
            Self::IdBlockRefused => f.write_str("the processor refuses the id block"),
            Self::Start(_) => f.write_str("the program cannot be started"),
            Self::System(_) => f.write_str("the system refused an operation"),
        }
    }
}

impl std::error::Error for EmulationError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File { source, .. } | Self::Start(source) | Self::System(source) => Some(source),
            Self::Measurement(source) => Some(source),
            Self::Processor(source) => Some(source),
            Self::State { .. }
            | Self::OtherProduct
            | Self::OtherLevel
            | Self::RollbackRefused
            | Self::ReportedTcbRefused
            | Self::Argument(_)
            | Self::Crypto
            | Self::PolicyRefused
            | Self::IdBlockRefused => None,
        }
    }
}

impl From<chancery_measurement::MeasurementError> for EmulationError {
    fn from(source: chancery_measurement::MeasurementError) -> Self {
        Self::Measurement(source)
    }
}

impl From<PlatformError> for EmulationError {
    fn from(source: PlatformError) -> Self {
        Self::Processor(source)
    }
}
