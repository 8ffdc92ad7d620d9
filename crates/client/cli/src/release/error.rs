//! Why a release is not measured or signed.

use core::error::Error as StdError;
use core::fmt;
use std::path::PathBuf;

use chancery_measurement::MeasurementError;

/// Why a release is not measured or signed.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReleaseError {
    /// A firmware with these parts and this shape has no launch digest.
    Unmeasurable {
        /// The firmware.
        path: PathBuf,
        /// Why.
        source: MeasurementError,
    },
    /// What is to be signed breaks a rule of release statements.
    Statement(chancery_release::Error),
    /// A document's number does not grow.
    NotAbove {
        /// The file with the document before.
        previous: PathBuf,
        /// Its number.
        before: u64,
        /// The number of the document to be signed.
        number: u64,
    },
}

impl ReleaseError {
    /// What a person can do, if there is something.
    pub(crate) const fn advice(&self) -> Option<&'static str> {
        Some(match self {
            Self::Unmeasurable { source, .. } => return measurement_advice(*source),
            Self::Statement(_) => "correct the options and repeat; nothing was signed",
            Self::NotAbove { .. } => "give it a number above that of the one before",
        })
    }
}

const fn measurement_advice(error: MeasurementError) -> Option<&'static str> {
    Some(match error {
        MeasurementError::FirmwareSize
        | MeasurementError::FooterMissing
        | MeasurementError::FooterMalformed
        | MeasurementError::MetadataMalformed
        | MeasurementError::UnknownSection { .. }
        | MeasurementError::SectionRange => {
            "pass the whole OVMF image of an SEV-SNP build, unpacked: edk2 OvmfPkg/AmdSev, or OvmfX64 \
             with SEV metadata"
        }
        MeasurementError::ResetAddressMissing => {
            "pass a firmware with an SEV-ES reset block, or measure one processor"
        }
        MeasurementError::KernelHashesUnsupported | MeasurementError::KernelHashesRange => {
            "pass a firmware that checks its kernel, as edk2 OvmfPkg/AmdSev does, or leave --kernel, \
             --initrd and --append out if the image boots from its disk"
        }
        _ => return None,
    })
}

impl fmt::Display for ReleaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unmeasurable { path, .. } => write!(f, "{} has no launch digest", path.display()),
            Self::Statement(error) => {
                write!(
                    f,
                    "the release statement is not valid: {}",
                    error.describe()
                )
            }
            Self::NotAbove {
                previous,
                before,
                number,
            } => write!(
                f,
                "number {number} is not above {before}, that of {}",
                previous.display()
            ),
        }
    }
}

impl StdError for ReleaseError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Unmeasurable { source, .. } => Some(source),
            Self::Statement(_) | Self::NotAbove { .. } => None,
        }
    }
}
