//! Why a launch digest could not be computed.

use core::fmt;

/// Why a launch digest could not be computed. Each is a fault of the given parts.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeasurementError {
    /// The firmware image is empty, larger than [`crate::FIRMWARE_SIZE_MAX`], or not a whole number of pages.
    FirmwareSize,
    /// The firmware has no GUIDed table at its end, so it cannot start an SNP guest.
    FooterMissing,
    /// The GUIDed table contradicts itself.
    FooterMalformed,
    /// The SEV metadata has a wrong signature, version, length or place.
    MetadataMalformed,
    /// The SEV metadata names a section type that no rule covers.
    UnknownSection {
        /// The type as written in the firmware.
        kind: u32,
    },
    /// A metadata section is not page aligned, wraps, or the sections together are too large.
    SectionRange,
    /// The firmware names no reset address for application processors, but the shape has more than one processor.
    ResetAddressMissing,
    /// A kernel was given, but the firmware has no section in which its hashes are measured: it would run unmeasured.
    KernelHashesUnsupported,
    /// The kernel-hash table does not fit in its page.
    KernelHashesRange,
    /// The number of processors is zero or above [`crate::VCPUS_MAX`].
    VcpuCount,
    /// The image of a process-mode launch is empty.
    ImageEmpty,
    /// The image of a process-mode launch is too large.
    ImageTooLarge {
        /// The largest image that is measured, in bytes.
        bytes_max: usize,
    },
    /// A page of another size than 4096 bytes or at an address that is not page aligned.
    PageShape,
    /// An ID block of another length or version.
    IdBlockMalformed,
    /// An ID authentication structure of another length, algorithm or curve, or with nonzero reserved bytes.
    IdAuthMalformed,
}

impl fmt::Display for MeasurementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FirmwareSize => f.write_str("firmware image has a size that cannot be measured"),
            Self::FooterMissing => f.write_str("firmware has no table at its end"),
            Self::FooterMalformed => f.write_str("the firmware's table is malformed"),
            Self::MetadataMalformed => f.write_str("the firmware's SEV metadata is malformed"),
            Self::UnknownSection { kind } => {
                write!(f, "firmware metadata has an unknown section type {kind:#x}")
            }
            Self::SectionRange => f.write_str("a firmware metadata section has a bad range"),
            Self::ResetAddressMissing => {
                f.write_str("firmware has no reset address for a second processor")
            }
            Self::KernelHashesUnsupported => {
                f.write_str("a kernel was given but the firmware measures no kernel hashes")
            }
            Self::KernelHashesRange => f.write_str("the kernel-hash table crosses a page"),
            Self::VcpuCount => f.write_str("the number of processors is out of range"),
            Self::ImageEmpty => f.write_str("the image is empty"),
            Self::ImageTooLarge { bytes_max } => {
                write!(f, "the image is larger than {bytes_max} bytes")
            }
            Self::PageShape => f.write_str("a page has a bad size or address"),
            Self::IdBlockMalformed => f.write_str("the ID block is malformed"),
            Self::IdAuthMalformed => f.write_str("the ID authentication structure is malformed"),
        }
    }
}

impl core::error::Error for MeasurementError {}
