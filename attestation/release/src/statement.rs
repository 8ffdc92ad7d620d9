//! What a release statement says, and the rules that it must obey.

mod json;
#[cfg(test)]
mod tests;

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use chancery_measurement::{Firmware, KernelHashes, LaunchDigest, MeasurementError, launch_digest};

use crate::error::Error;
use crate::shape::Shape;

/// `_type` of an in-toto statement of version 1.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// `predicateType` of the predicate that this crate defines.
pub const PREDICATE_TYPE: &str = "urn:chancery:release:v1";

/// Most shapes of one release, as many as a release policy can list.
pub const SUBJECTS_MAX: usize = 64;

/// Largest serial: the largest integer on which all JSON readers agree (RFC 7493, section 2.2).
pub const SERIAL_MAX: u64 = (1 << 53) - 1;

/// Longest command line of a kernel, in bytes; Linux reads 2048 of them on x86.
pub const COMMAND_LINE_SIZE_MAX: usize = 4096;

/// Longest release id and version, in bytes, as in a release policy.
const NAME_SIZE_MAX: usize = 64;

/// SHA-256 of nothing: an absent initial filesystem is measured as an empty one.
const EMPTY_SHA256: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// A kernel that the firmware checks before it starts it (measured direct boot).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the three parts of a measured direct boot"
)]
pub struct MeasuredKernel {
    /// SHA-256 of the kernel.
    pub kernel_sha256: [u8; 32],
    /// SHA-256 of the initial filesystem, if there is one.
    pub initrd_sha256: Option<[u8; 32]>,
    /// The command line as it is given to the kernel, if there is one: at most [`COMMAND_LINE_SIZE_MAX`] bytes without
    /// NUL. It stands here itself, not its hash, because it decides what the image does and a person must see it.
    pub command_line: Option<String>,
}

impl MeasuredKernel {
    /// What the firmware's page of kernel hashes holds.
    #[must_use]
    pub fn hashes(&self) -> KernelHashes {
        KernelHashes::from_hashes(
            self.kernel_sha256,
            self.initrd_sha256.unwrap_or(EMPTY_SHA256),
            self.command_line.as_deref(),
        )
    }
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a statement names each member")]
pub struct MeasuredInputs {
    /// SHA-256 of the firmware image.
    pub firmware_sha256: [u8; 32],
    /// The kernel, if the image has one of its own.
    pub kernel: Option<MeasuredKernel>,
}

/// One launch digest of the release.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a statement names each member")]
pub struct Subject {
    /// The machine whose launch has it.
    pub shape: Shape,
    /// The digest: MEASUREMENT of every report of such a guest.
    pub launch_digest: LaunchDigest,
}

impl Subject {
    /// The digest that the firmware and the stated inputs give for this shape, to be compared with
    /// [`Subject::launch_digest`]. The caller has compared the firmware's SHA-256.
    ///
    /// # Errors
    /// The firmware cannot start such a guest, or would not measure the kernel.
    pub fn measured(
        &self,
        firmware: &Firmware,
        inputs: &MeasuredInputs,
    ) -> Result<LaunchDigest, MeasurementError> {
        let hashes = inputs.kernel.as_ref().map(MeasuredKernel::hashes);
        launch_digest(firmware, hashes.as_ref(), &self.shape.launch_shape()?)
    }
}

/// A release statement. Its JSON form is in `docs/spec/release-statement.md`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a statement names each member")]
pub struct ReleaseStatement {
    /// The release's id, 1 to 64 bytes of visible ASCII, as in the release policy.
    pub id: String,
    /// The release's version, 1 to 64 bytes of visible ASCII, as in the release policy.
    pub version: String,
    /// From 1 to [`SERIAL_MAX`]; only grows from statement to statement.
    pub serial: u64,
    /// In force from this time, milliseconds since the Unix epoch.
    pub issued_ms: u64,
    /// No longer in force at this time, milliseconds since the Unix epoch.
    pub expires_ms: u64,
    /// What was measured.
    pub inputs: MeasuredInputs,
    /// The digest for each shape, 1 to [`SUBJECTS_MAX`], no shape twice.
    pub subjects: Vec<Subject>,
}

impl ReleaseStatement {
    /// Checks the rules that a statement itself must obey.
    ///
    /// # Errors
    /// The first that is broken, with its place in the JSON form.
    pub fn check(&self) -> Result<(), Error> {
        let names = [
            ("/predicate/id", &self.id),
            ("/predicate/version", &self.version),
        ];
        for (pointer, name) in names {
            if !is_name(name) {
                return Err(Error::value(pointer, "1 to 64 bytes of visible ASCII"));
            }
        }
        if !(1..=SERIAL_MAX).contains(&self.serial) {
            return Err(Error::value(
                "/predicate/serial",
                "a whole number from 1 to 9007199254740991",
            ));
        }
        if self.issued_ms >= self.expires_ms {
            return Err(Error::value("/predicate/expires_ms", "after issued_ms"));
        }
        let kernel = self.inputs.kernel.as_ref();
        let command_line = kernel.and_then(|kernel| kernel.command_line.as_deref());
        if command_line
            .is_some_and(|text| text.len() > COMMAND_LINE_SIZE_MAX || text.contains('\0'))
        {
            return Err(Error::value(
                "/predicate/inputs/append",
                "at most 4096 bytes without NUL",
            ));
        }
        self.check_subjects()
    }

    fn check_subjects(&self) -> Result<(), Error> {
        if self.subjects.is_empty() {
            return Err(Error::NoSubject);
        }
        if self.subjects.len() > SUBJECTS_MAX {
            return Err(Error::value("/subject", "at most 64 subjects"));
        }
        let mut seen = BTreeSet::new();
        for subject in &self.subjects {
            let name = subject.shape.to_string();
            if !seen.insert(name.clone()) {
                return Err(Error::ShapeTwice { name });
            }
        }
        Ok(())
    }

    /// True from `issued_ms` on and before `expires_ms`. `now_ms` is milliseconds since the Unix epoch.
    #[must_use]
    pub const fn is_in_force(&self, now_ms: u64) -> bool {
        self.issued_ms <= now_ms && now_ms < self.expires_ms
    }

    /// Checks that this statement comes after `previous`, so that nobody is led back to an older release.
    ///
    /// # Errors
    /// [`Error::SerialNotAbove`].
    pub const fn check_follows(&self, previous: &Self) -> Result<(), Error> {
        if self.serial > previous.serial {
            Ok(())
        } else {
            Err(Error::SerialNotAbove {
                serial: self.serial,
                previous: previous.serial,
            })
        }
    }
}

fn is_name(name: &str) -> bool {
    (1..=NAME_SIZE_MAX).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The JSON pointer of a member of a list.
fn item(list: &str, index: usize, member: &str) -> String {
    format!("{list}/{index}{member}")
}
