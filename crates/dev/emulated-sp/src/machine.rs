//! A processor with one launched guest.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use chancery_evidence::{
    CpuId, MitigationVectors, ReportFields, ReportVersion, SignerInfo, Tcb, TcbComponents,
    encode_report,
};
use chancery_platform::{
    CertificateTable, DerivedKeyRequest, GuestFields, PlatformError, REPORT_DATA_SIZE, RootKey,
    SecureProcessor,
};
use chancery_platform_snp::parse_certificate_table;
use chancery_sealing::Key;
use p384::ecdsa::signature::Signer as _;
use p384::ecdsa::{Signature, SigningKey};

use crate::certificate_table::HostCertificates;
use crate::chip::Chip;
use crate::crl::CrlIssue;
use crate::error::EmulationError;
use crate::guest::Guest;
use crate::pki::TrailerEncoding;
use crate::platform::{PlatformSource, PlatformState};
use crate::product::{PlatformLevel, ReportLayout};
use crate::random::random;
use crate::server::GuestDevice;

/// The time, in milliseconds since the Unix epoch.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// A processor with one launched guest: what its kernel interface would answer.
pub struct Machine {
    chip: Arc<Chip>,
    platform: PlatformSource,
    guest: Guest,
    at_launch: AtLaunch,
    report_id: [u8; 32],
    vmrk: Key,
    /// Set when the guest's kernel has given up its message key.
    lost: AtomicBool,
    /// The attestation key that was asked for last.
    vcek: Mutex<Option<(TcbComponents, SigningKey)>>,
    /// The certificates that were issued last.
    issued: Mutex<Option<(Issue, HostCertificates)>>,
    leaf_trailer: Option<TrailerEncoding>,
    clock: Clock,
}

/// What the launch fixes of the platform.
struct AtLaunch {
    tcb: TcbComponents,
    mitigation_vector: u64,
    channel_failures: u64,
}

/// What certificates depend on beside the chip: when it changes, they are issued anew.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Issue {
    crl: CrlIssue,
    reported_tcb: TcbComponents,
    leaf_trailer: TrailerEncoding,
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
    /// Launches a guest on a platform that stays at one level, all of it committed and reported.
    ///
    /// # Errors
    /// As [`Machine::launch_on`].
    pub fn launch(
        chip: Arc<Chip>,
        level: PlatformLevel,
        guest: Guest,
        clock: Clock,
    ) -> Result<Self, EmulationError> {
        let state = PlatformState::new(chip.product(), level, clock());
        Self::launch_on(chip, PlatformSource::Fixed(Box::new(state)), guest, clock)
    }

    /// Launches a guest on the platform as it is now, and looks it up again at each request. Each launch has its own
    /// REPORT_ID.
    ///
    /// # Errors
    /// [`EmulationError::PolicyRefused`] if the platform does not give what the guest policy asks for;
    /// [`EmulationError::OtherProduct`] if chip and platform are of different products; those of [`PlatformSource::read`].
    pub fn launch_on(
        chip: Arc<Chip>,
        platform: PlatformSource,
        guest: Guest,
        clock: Clock,
    ) -> Result<Self, EmulationError> {
        let state = platform.read()?;
        if state.product() != chip.product() {
            return Err(EmulationError::OtherProduct);
        }
        if !state.current().satisfies(guest.policy) {
            return Err(EmulationError::PolicyRefused);
        }
        Ok(Self {
            at_launch: AtLaunch {
                tcb: state.current().tcb,
                mitigation_vector: state.current().mitigation_vector,
                channel_failures: state.host().channel_failures,
            },
            chip,
            platform,
            guest,
            report_id: random()?,
            vmrk: Key::from_bytes(random()?),
            lost: AtomicBool::new(false),
            vcek: Mutex::new(None),
            issued: Mutex::new(None),
            leaf_trailer: None,
            clock,
        })
    }

    /// Writes the default trailer field in leaf certificates as older ones of AMD have it, or leaves it out, whatever the platform
    /// says.
    #[must_use]
    pub fn with_leaf_trailer(mut self, trailer: TrailerEncoding) -> Self {
        self.leaf_trailer = Some(trailer);
        self
    }

    /// The guest that was launched.
    #[must_use]
    pub const fn guest(&self) -> &Guest {
        &self.guest
    }

    /// The platform that answers this request.
    fn admit(&self) -> Result<PlatformState, PlatformError> {
        if self.lost.load(Ordering::SeqCst) {
            return Err(PlatformError::Lost);
        }
        let state = self.platform.read().ok().ok_or(PlatformError::System)?;
        if state.host().channel_failures != self.at_launch.channel_failures {
            // The guest's kernel cannot tell whether the failed message was counted, and a second message under one count would
            // break the encryption: it wipes its key and never asks again.
            self.lost.store(true, Ordering::SeqCst);
            return Err(PlatformError::Lost);
        }
        if state.host().throttled {
            return Err(PlatformError::Busy);
        }
        Ok(state)
    }

    /// Every field as hardware of this product and firmware would fill it.
    fn fields(&self, state: &PlatformState, report_data: &[u8; REPORT_DATA_SIZE]) -> ReportFields {
        let line = self.chip.product().line();
        let identity = &self.guest.identity;
        let author_key_enabled = match identity.author_key_digest {
            Some(_) => SignerInfo::AUTHOR_KEY_EN,
            None => 0,
        };
        ReportFields {
            version: self.version(state, self.chip.product().cpuid()),
            guest_svn: identity.guest_svn,
            policy: self.guest.policy,
            family_id: identity.family_id,
            image_id: identity.image_id,
            vmpl: 0,
            current_tcb: state.current().tcb.encode(line),
            platform_info: state.current().platform_info,
            signer_info: SignerInfo::from_bits(author_key_enabled), // VCEK, chip id not masked
            report_data: *report_data,
            measurement: *self.guest.measurement.as_bytes(),
            host_data: self.guest.host_data,
            id_key_digest: identity.id_key_digest,
            author_key_digest: identity.author_key_digest.unwrap_or([0; 48]),
            report_id: self.report_id,
            report_id_ma: [0xff; 32],
            reported_tcb: state.reported_tcb().encode(line),
            chip_id: self.chip.chip_id(),
            committed_tcb: state.committed_tcb().encode(line),
            current_firmware: state.current().firmware,
            committed_firmware: state.committed_firmware(),
            launch_tcb: self.at_launch.tcb.encode(line),
        }
    }

    const fn version(&self, state: &PlatformState, cpuid: CpuId) -> ReportVersion {
        match state.current().report_layout {
            ReportLayout::V3 => ReportVersion::V3(cpuid),
            ReportLayout::V5 => ReportVersion::V5(
                cpuid,
                MitigationVectors {
                    launch: self.at_launch.mitigation_vector,
                    current: state.current().mitigation_vector,
                },
            ),
        }
    }

    /// A signature with the attestation key of a TCB. The key is kept: its chain takes a thousand steps.
    fn sign(&self, tcb: TcbComponents, signed: &[u8]) -> Option<Signature> {
        let mut vcek = self.vcek.lock().ok()?;
        let key = match vcek.take() {
            Some((of, key)) if of == tcb => key,
            Some(_) | None => self.chip.vcek(tcb).ok()?,
        };
        let signature = key.try_sign(signed).ok();
        *vcek = Some((tcb, key));
        signature
    }

    fn issue(
        &self,
        state: &PlatformState,
        issue: Issue,
    ) -> Result<HostCertificates, EmulationError> {
        let Issue {
            crl,
            reported_tcb,
            leaf_trailer,
        } = issue;
        let chip = &self.chip;
        Ok(HostCertificates {
            ark: chip.roots().ark().to_vec(),
            ask: chip.roots().ask().to_vec(),
            vcek: chip.vcek_certificate(reported_tcb, crl.made_ms, leaf_trailer)?,
            crl: chip.revocation_list(&state.host().crl, crl)?,
        })
    }

    /// The monotonic rules of the firmware (MSG_KEY_REQ): no key of a later version than the guest or the platform has, where the
    /// platform has what is committed.
    fn permits(&self, state: &PlatformState, request: &DerivedKeyRequest) -> bool {
        let line = self.chip.product().line();
        let tcb_below = Tcb::from_bytes(request.tcb_version.to_le_bytes())
            .components(line)
            .is_some_and(|asked| state.committed_tcb().at_least(asked));
        request.vmpl <= 3 && request.guest_svn <= self.guest.identity.guest_svn && tcb_below
    }
}

impl GuestDevice for Machine {
    fn report(&self, report_data: &[u8; REPORT_DATA_SIZE]) -> Result<Vec<u8>, PlatformError> {
        let state = self.admit()?;
        let signed = self.fields(&state, report_data).encode_signed();
        let signature = self
            .sign(state.reported_tcb(), &signed)
            .ok_or(PlatformError::System)?;
        let signature = signature.to_bytes();
        let bytes = signature.first_chunk::<96>().ok_or(PlatformError::System)?;
        Ok(encode_report(&signed, bytes).to_vec())
    }

    /// Issued anew when the list is renewed and when another TCB is reported.
    fn certificate_table(&self) -> Result<Vec<u8>, PlatformError> {
        let state = self.admit()?;
        let host = state.host();
        let wanted = Issue {
            crl: host.crl.newest((self.clock)()),
            reported_tcb: state.reported_tcb(),
            leaf_trailer: self.leaf_trailer.unwrap_or(host.leaf_trailer),
        };
        let mut issued = self.issued.lock().ok().ok_or(PlatformError::System)?;
        let certificates = match issued.take() {
            Some((found, certificates)) if found == wanted => certificates,
            Some(_) | None => self
                .issue(&state, wanted)
                .ok()
                .ok_or(PlatformError::System)?,
        };
        let table = certificates.to_table(host.certificate_form, host.table_contents);
        *issued = Some((wanted, certificates));
        table.ok_or(PlatformError::System)
    }

    /// The true derivation inside the processor is not public. This one mixes the same inputs, each at a fixed place and zero when
    /// it is not selected.
    fn derived_key(&self, request: &DerivedKeyRequest) -> Result<Key, PlatformError> {
        let state = self.admit()?;
        if !self.permits(&state, request) {
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

impl SecureProcessor for Machine {
    fn report(&self, report_data: &[u8; REPORT_DATA_SIZE]) -> Result<Vec<u8>, PlatformError> {
        GuestDevice::report(self, report_data)
    }

    fn certificates(&self) -> Result<CertificateTable, PlatformError> {
        parse_certificate_table(&self.certificate_table()?)
    }

    fn derived_key(&self, request: &DerivedKeyRequest) -> Result<Key, PlatformError> {
        GuestDevice::derived_key(self, request)
    }
}

#[cfg(test)]
mod tests;
