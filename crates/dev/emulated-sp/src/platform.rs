//! The platform under the guests: its firmware and what its host does. SEV-SNP firmware ABI (AMD 56860): SNP_PLATFORM_STATUS,
//! DOWNLOAD_FIRMWARE_EX, SNP_COMMIT and SNP_CONFIG.
//!
//! Three TCB versions, each component by component: `reported <= committed <= current`. A fourth, the TCB at launch, belongs to the guest.

mod folder;
#[cfg(test)]
mod tests;
mod text;

use chancery_evidence::{FirmwareVersion, TcbComponents};

use crate::certificate_table::{CertificateForm, TableContents};
use crate::crl::CrlSchedule;
use crate::error::EmulationError;
use crate::pki;
use crate::pki::TrailerEncoding;
use crate::product::{EmulatedProduct, PlatformLevel};

pub use self::folder::PlatformFolder;
pub use self::text::{parse_firmware, parse_tcb};

/// What a platform is at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformState {
    product: EmulatedProduct,
    current: PlatformLevel,
    committed_tcb: TcbComponents,
    committed_firmware: FirmwareVersion,
    reported_tcb: TcbComponents,
    host: HostState,
}

/// What is the host's, not the firmware's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostState {
    pub(crate) crl: CrlSchedule,
    pub(crate) leaf_trailer: TrailerEncoding,
    pub(crate) certificate_form: CertificateForm,
    pub(crate) table_contents: TableContents,
    /// Whether every guest request is put off.
    pub(crate) throttled: bool,
    /// How often the channels of all running guests were broken.
    pub(crate) channel_failures: u64,
}

impl PlatformState {
    /// A platform whose firmware is committed and reported as it is.
    #[must_use]
    pub const fn new(product: EmulatedProduct, level: PlatformLevel, now_ms: u64) -> Self {
        Self {
            product,
            current: level,
            committed_tcb: level.tcb,
            committed_firmware: level.firmware,
            reported_tcb: level.tcb,
            host: HostState {
                crl: CrlSchedule::new(now_ms),
                leaf_trailer: TrailerEncoding::Omitted,
                certificate_form: CertificateForm::Der,
                table_contents: TableContents::All,
                throttled: false,
                channel_failures: 0,
            },
        }
    }

    /// The product.
    #[must_use]
    pub const fn product(&self) -> EmulatedProduct {
        self.product
    }

    /// What runs now: CURRENT_TCB, the firmware's version and its report layout.
    #[must_use]
    pub const fn current(&self) -> &PlatformLevel {
        &self.current
    }

    /// COMMITTED_TCB: firmware cannot go below it any more.
    #[must_use]
    pub const fn committed_tcb(&self) -> TcbComponents {
        self.committed_tcb
    }

    /// The version of the committed firmware.
    #[must_use]
    pub const fn committed_firmware(&self) -> FirmwareVersion {
        self.committed_firmware
    }

    /// REPORTED_TCB: what the attestation key is derived from.
    #[must_use]
    pub const fn reported_tcb(&self) -> TcbComponents {
        self.reported_tcb
    }

    pub(crate) const fn host(&self) -> &HostState {
        &self.host
    }

    /// Installs firmware, as DOWNLOAD_FIRMWARE_EX does (and a microcode update or a new boot loader for the other components). It is provisional
    /// until it is [committed](Self::commit): what is reported stays, and one can go back to the committed firmware.
    ///
    /// # Errors
    /// [`EmulationError::RollbackRefused`] if a component or the version is below what is committed;
    /// [`EmulationError::OtherProduct`] if the TCB has a component that this product has not.
    pub fn update(&mut self, level: PlatformLevel) -> Result<(), EmulationError> {
        if !self.has_layout_of(level.tcb) {
            return Err(EmulationError::OtherProduct);
        }
        if !level.tcb.at_least(self.committed_tcb) || level.firmware < self.committed_firmware {
            return Err(EmulationError::RollbackRefused);
        }
        self.current = level;
        Ok(())
    }

    /// Commits what runs, as SNP_COMMIT does: no way back, and it is what is reported from now on.
    pub const fn commit(&mut self) {
        self.committed_tcb = self.current.tcb;
        self.committed_firmware = self.current.firmware;
        self.reported_tcb = self.current.tcb;
    }

    /// Sets what is reported, as SNP_CONFIG does. A host lowers it while certificates of the new level are not at hand.
    ///
    /// # Errors
    /// [`EmulationError::ReportedTcbRefused`] above the committed TCB; [`EmulationError::OtherProduct`] as for updates.
    pub fn set_reported(&mut self, tcb: TcbComponents) -> Result<(), EmulationError> {
        if !self.has_layout_of(tcb) {
            return Err(EmulationError::OtherProduct);
        }
        if !self.committed_tcb.at_least(tcb) {
            return Err(EmulationError::ReportedTcbRefused);
        }
        self.reported_tcb = tcb;
        Ok(())
    }

    /// Puts the intermediate certificate on the root's revocation list, for ever.
    pub fn revoke_intermediate(&mut self, now_ms: u64) {
        let serial = pki::ask_serial(self.product.line());
        self.host.crl.revoke(serial, now_ms);
    }

    /// Selects how leaf certificates write the default trailer field of their signature.
    pub const fn set_leaf_trailer(&mut self, trailer: TrailerEncoding) {
        self.host.leaf_trailer = trailer;
    }

    /// Selects how the host writes certificates into its table.
    pub const fn set_certificate_form(&mut self, form: CertificateForm) {
        self.host.certificate_form = form;
    }

    /// Selects which certificates the host keeps.
    pub const fn set_table_contents(&mut self, contents: TableContents) {
        self.host.table_contents = contents;
    }

    /// Lets the host put off every guest request, or ends that.
    pub const fn set_throttled(&mut self, throttled: bool) {
        self.host.throttled = throttled;
    }

    /// Fails one message of every running guest, so that its kernel gives up the message key (VMPCK). A guest that is launched later
    /// has a key of its own and works.
    pub const fn fail_channels(&mut self) {
        self.host.channel_failures = self.host.channel_failures.saturating_add(1);
    }

    fn has_layout_of(&self, tcb: TcbComponents) -> bool {
        let line = self.product.line();
        tcb.encode(line).components(line) == Some(tcb)
    }

    /// The order that every change keeps.
    fn is_ordered(&self) -> bool {
        self.current.tcb.at_least(self.committed_tcb)
            && self.committed_tcb.at_least(self.reported_tcb)
            && self.current.firmware >= self.committed_firmware
    }
}

/// Where a machine looks up the platform at each request.
#[derive(Debug, Clone)]
pub enum PlatformSource {
    /// Always the same.
    Fixed(Box<PlatformState>),
    /// What the state folder says now, so that an operator's change reaches running guests.
    Folder(PlatformFolder),
}

impl PlatformSource {
    /// The platform as it is now.
    ///
    /// # Errors
    /// [`EmulationError::File`] and [`EmulationError::State`].
    pub fn read(&self) -> Result<PlatformState, EmulationError> {
        match self {
            Self::Fixed(state) => Ok(state.as_ref().clone()),
            Self::Folder(folder) => folder.read(),
        }
    }
}
