//! A processor with one launched guest.

use std::fmt;
use std::sync::{Arc, Mutex};

use chancery_evidence::{
    GuestPolicy, MitigationVectors, ReportFields, ReportVersion, SignerInfo, Tcb, encode_report,
};
use chancery_measurement::{LaunchDigest, process_mode_digest};
use chancery_platform::{
    CertificateTable, DerivedKeyRequest, GuestFields, PlatformError, REPORT_DATA_SIZE, RootKey,
    SecureProcessor,
};
use chancery_sealing::Key;
use p384::ecdsa::signature::Signer as _;
use p384::ecdsa::{Signature, SigningKey};
use sha2::{Digest as _, Sha256};

use crate::chip::Chip;
use crate::error::EmulationError;
use crate::id_block::GuestIdentity;
use crate::pki::TrailerEncoding;
use crate::product::PlatformLevel;
use crate::random::random;

/// The time, in milliseconds since the Unix epoch.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// A day in milliseconds.
const DAY_MS: u64 = 86_400_000;

/// The guest policy of a launch that names none, the strictest that this platform gives: nothing is allowed.
const POLICY: u64 = GuestPolicy::RESERVED_ONE;

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
        Ok(Self {
            measurement: process_mode_digest(image)?,
            host_data: Sha256::digest(configuration).into(),
            policy: GuestPolicy::from_bits(POLICY),
            identity: GuestIdentity::NONE,
        })
    }
}

/// A processor with one launched guest: what its kernel interface would answer.
pub struct Machine {
    chip: Arc<Chip>,
    level: PlatformLevel,
    guest: Guest,
    report_id: [u8; 32],
    vmrk: Key,
    vcek: SigningKey,
    /// The day, since the Unix epoch, on which the certificates were issued, and what was.
    issued: Mutex<Option<(u64, CertificateTable)>>,
    trailer: TrailerEncoding,
    clock: Clock,
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine")
            .field("chip", &self.chip)
            .field("guest", &self.guest)
            .finish_non_exhaustive()
    }
}

impl Machine {
    /// Launches a guest. Each launch has its own REPORT_ID.
    ///
    /// # Errors
    /// [`EmulationError::PolicyRefused`] if the platform does not give what the guest policy asks for.
    pub fn launch(
        chip: Arc<Chip>,
        level: PlatformLevel,
        guest: Guest,
        clock: Clock,
    ) -> Result<Self, EmulationError> {
        if !level.satisfies(guest.policy) {
            return Err(EmulationError::PolicyRefused);
        }
        Ok(Self {
            vcek: chip.vcek(level.tcb)?,
            chip,
            level,
            guest,
            report_id: random()?,
            vmrk: Key::from_bytes(random()?),
            issued: Mutex::new(None),
            trailer: TrailerEncoding::Omitted,
            clock,
        })
    }

    /// Writes the default trailer field in leaf certificates as older ones of AMD have it, or leaves it out.
    #[must_use]
    pub fn with_leaf_trailer(mut self, trailer: TrailerEncoding) -> Self {
        self.trailer = trailer;
        self
    }

    /// The guest that was launched.
    #[must_use]
    pub const fn guest(&self) -> &Guest {
        &self.guest
    }

    /// Every field as hardware of this product would fill it.
    fn fields(&self, report_data: &[u8; REPORT_DATA_SIZE]) -> ReportFields {
        let tcb = self.level.tcb.encode(self.chip.product().line());
        let identity = &self.guest.identity;
        let author_key_enabled = match identity.author_key_digest {
            Some(_) => SignerInfo::AUTHOR_KEY_EN,
            None => 0,
        };
        let vectors = MitigationVectors {
            launch: self.level.mitigation_vector,
            current: self.level.mitigation_vector,
        };
        ReportFields {
            version: ReportVersion::V5(self.chip.product().cpuid(), vectors),
            guest_svn: identity.guest_svn,
            policy: self.guest.policy,
            family_id: identity.family_id,
            image_id: identity.image_id,
            vmpl: 0,
            current_tcb: tcb,
            platform_info: self.level.platform_info,
            signer_info: SignerInfo::from_bits(author_key_enabled), // VCEK, chip id not masked
            report_data: *report_data,
            measurement: *self.guest.measurement.as_bytes(),
            host_data: self.guest.host_data,
            id_key_digest: identity.id_key_digest,
            author_key_digest: identity.author_key_digest.unwrap_or([0; 48]),
            report_id: self.report_id,
            report_id_ma: [0xff; 32],
            reported_tcb: tcb,
            chip_id: self.chip.chip_id(),
            committed_tcb: tcb,
            current_firmware: self.level.firmware,
            committed_firmware: self.level.firmware,
            launch_tcb: tcb,
        }
    }

    fn issue(&self, now_ms: u64) -> Result<CertificateTable, EmulationError> {
        let vcek = self
            .chip
            .vcek_certificate(self.level.tcb, now_ms, self.trailer)?;
        Ok(CertificateTable {
            vcek: Some(vcek),
            ask: Some(self.chip.roots().ask().to_vec()),
            ark: Some(self.chip.roots().ark().to_vec()),
            crl: Some(self.chip.revocation_list(now_ms)?),
        })
    }

    /// The monotonic rules of the firmware: no key of a later version than the guest or the platform has.
    fn permits(&self, request: &DerivedKeyRequest) -> bool {
        let line = self.chip.product().line();
        let tcb_below = Tcb::from_bytes(request.tcb_version.to_le_bytes())
            .components(line)
            .is_some_and(|asked| self.level.tcb.at_least(asked));
        request.vmpl <= 3 && request.guest_svn <= self.guest.identity.guest_svn && tcb_below
    }
}

impl SecureProcessor for Machine {
    fn report(&self, report_data: &[u8; REPORT_DATA_SIZE]) -> Result<Vec<u8>, PlatformError> {
        let signed = self.fields(report_data).encode_signed();
        let signature: Signature = self
            .vcek
            .try_sign(&signed)
            .ok()
            .ok_or(PlatformError::System)?;
        let signature = signature.to_bytes();
        let bytes = signature.first_chunk::<96>().ok_or(PlatformError::System)?;
        Ok(encode_report(&signed, bytes).to_vec())
    }

    /// Issued anew each day, as the lists of AMD's service are.
    fn certificates(&self) -> Result<CertificateTable, PlatformError> {
        let now_ms = (self.clock)();
        let today = now_ms / DAY_MS;
        let mut issued = self.issued.lock().ok().ok_or(PlatformError::System)?;
        match issued.as_ref() {
            Some((day, table)) if *day == today => Ok(table.clone()),
            Some(_) | None => {
                let table = self.issue(now_ms).ok().ok_or(PlatformError::System)?;
                *issued = Some((today, table.clone()));
                Ok(table)
            }
        }
    }

    /// The true derivation inside the processor is not public. This one mixes the same inputs, each at a fixed place and zero when
    /// it is not selected.
    fn derived_key(&self, request: &DerivedKeyRequest) -> Result<Key, PlatformError> {
        if !self.permits(request) {
            return Err(PlatformError::Refused);
        }
        let fields = request.guest_field_select;
        let mut context = Vec::new();
        let mut mix = |field: GuestFields, bytes: &[u8]| {
            let selected = fields.contains(field);
            context.extend(bytes.iter().map(|byte| if selected { *byte } else { 0 }));
        };
        mix(
            GuestFields::GUEST_POLICY,
            &self.guest.policy.bits().to_le_bytes(),
        );
        mix(GuestFields::MEASUREMENT, self.guest.measurement.as_bytes());
        mix(GuestFields::IMAGE_ID, &self.guest.identity.image_id);
        mix(GuestFields::FAMILY_ID, &self.guest.identity.family_id);
        mix(GuestFields::GUEST_SVN, &request.guest_svn.to_le_bytes());
        mix(GuestFields::TCB_VERSION, &request.tcb_version.to_le_bytes());
        context.extend_from_slice(&fields.bits().to_le_bytes());
        context.extend_from_slice(&request.vmpl.to_le_bytes());
        let label = "chancery-EMULATED/derived-key/v1";
        Ok(match request.root_key {
            RootKey::Vcek => self.chip.derivation_root().derive(label, &context),
            RootKey::Vmrk => self.vmrk.derive(label, &context),
        })
    }
}

#[cfg(test)]
mod tests;
