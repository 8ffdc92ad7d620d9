//! What a launch measures and fixes.

use chancery_evidence::GuestPolicy;
use chancery_measurement::{
    Firmware, KernelHashes, LaunchDigest, LaunchShape, launch_digest, process_mode_digest,
};
use sha2::{Digest as _, Sha256};

use crate::error::EmulationError;
use crate::id_block::GuestIdentity;

/// The guest policy of a launch that names none, the strictest that this platform gives: nothing is allowed.
const POLICY: GuestPolicy = GuestPolicy::from_bits(GuestPolicy::RESERVED_ONE);

/// What a launch measures and fixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guest {
    /// The launch digest.
    pub measurement: LaunchDigest,
    /// SHA-256 of the configuration.
    pub host_data: [u8; 32],
    /// The guest policy.
    pub policy: GuestPolicy,
    /// What the ID block says.
    pub identity: GuestIdentity,
}

impl Guest {
    /// Measures a program in process mode, with the default policy and no ID block.
    ///
    /// # Errors
    /// [`EmulationError::Measurement`].
    pub fn measure(image: &[u8], configuration: &[u8]) -> Result<Self, EmulationError> {
        let measurement = process_mode_digest(image)?;
        Ok(Self::with_defaults(measurement, Some(configuration)))
    }

    /// Measures a virtual machine as its hypervisor launches it: firmware, measured direct boot if there is a kernel, and the
    /// initial registers of each processor. Default policy, no ID block; HOST_DATA is zero without a configuration.
    ///
    /// # Errors
    /// [`EmulationError::Measurement`], such as for a kernel that this firmware would not measure.
    pub fn measure_machine(
        firmware: &[u8],
        kernel: Option<&KernelHashes>,
        shape: &LaunchShape,
        configuration: Option<&[u8]>,
    ) -> Result<Self, EmulationError> {
        let measurement = launch_digest(&Firmware::parse(firmware)?, kernel, shape)?;
        Ok(Self::with_defaults(measurement, configuration))
    }

    fn with_defaults(measurement: LaunchDigest, configuration: Option<&[u8]>) -> Self {
        Self {
            measurement,
            host_data: configuration.map_or([0; 32], |bytes| Sha256::digest(bytes).into()),
            policy: POLICY,
            identity: GuestIdentity::NONE,
        }
    }
}
