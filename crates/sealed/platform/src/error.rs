//! Why the secure processor did not answer.

use core::fmt;

/// Why the secure processor did not answer. The list is closed: it goes into telemetry as a code and holds nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlatformError {
    /// There is no secure processor to ask: no device, no kernel interface.
    Absent,
    /// The way to the processor is lost for good, such as a communication key that the driver wiped after a failed request, or a
    /// process that ended. Only a restart helps.
    Lost,
    /// The processor refused this request, such as for a security version beyond its own.
    Refused,
    /// The host asks to try again later: it limits the rate of requests.
    Busy,
    /// Another user of the same interface interfered, more often than is retried.
    Interfered,
    /// The answer has a wrong length or shape.
    Malformed,
    /// The operating system failed the call.
    System,
}

impl PlatformError {
    /// Whether every later call is bound to fail as well.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Absent | Self::Lost => true,
            Self::Refused | Self::Busy | Self::Interfered | Self::Malformed | Self::System => false,
        }
    }

    /// The stable code of this error in telemetry.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Absent => "processor_absent",
            Self::Lost => "processor_lost",
            Self::Refused => "processor_refused",
            Self::Busy => "processor_busy",
            Self::Interfered => "processor_interfered",
            Self::Malformed => "processor_malformed_answer",
            Self::System => "processor_system_error",
        }
    }
}

impl fmt::Display for PlatformError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "there is no secure processor",
            Self::Lost => "the secure processor is lost until a restart",
            Self::Refused => "the secure processor refused the request",
            Self::Busy => "the secure processor is busy",
            Self::Interfered => "another user interfered with the request",
            Self::Malformed => "the secure processor's answer is malformed",
            Self::System => "the operating system failed the request",
        })
    }
}

impl core::error::Error for PlatformError {}
