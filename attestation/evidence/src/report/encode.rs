//! The encoder: the inverse of the parser, for whoever signs reports.

use super::REPORT_SIZE;
use super::ReportFields;
use super::ReportVersion;
use super::SIGNATURE_ALGORITHM;
use super::SIGNED_SIZE;
use crate::product::FirmwareVersion;

/// Writes fixed-size fields one after another into a buffer of zeros.
struct Writer<'a> {
    rest: &'a mut [u8],
}

impl Writer<'_> {
    fn put(&mut self, field: &[u8]) {
        let rest = core::mem::take(&mut self.rest);
        // The layout sums to the buffer's length, which a test asserts, so the field always fits.
        if let Some((to, rest)) = rest.split_at_mut_checked(field.len()) {
            to.copy_from_slice(field);
            self.rest = rest;
        }
    }

    fn skip(&mut self, length: usize) {
        let rest = core::mem::take(&mut self.rest);
        if let Some((_, rest)) = rest.split_at_mut_checked(length) {
            self.rest = rest;
        }
    }

    fn firmware(&mut self, version: FirmwareVersion) {
        self.put(&[version.build, version.minor, version.major, 0]);
    }
}

impl ReportFields {
    /// The bytes 0 to 0x29F, over which the signature goes. Fields are written as given: an
    /// emulator that is asked for a wrong report makes one, and the parser refuses it.
    #[must_use]
    pub fn encode_signed(&self) -> [u8; SIGNED_SIZE] {
        let mut bytes = [0; SIGNED_SIZE];
        let mut writer = Writer { rest: &mut bytes };
        writer.put(&self.version.number().to_le_bytes());
        writer.put(&self.guest_svn.to_le_bytes());
        writer.put(&self.policy.bits().to_le_bytes());
        writer.put(&self.family_id);
        writer.put(&self.image_id);
        writer.put(&self.vmpl.to_le_bytes());
        writer.put(&SIGNATURE_ALGORITHM.to_le_bytes());
        writer.put(&self.current_tcb.bytes());
        writer.put(&self.platform_info.bits().to_le_bytes());
        writer.put(&self.signer_info.bits().to_le_bytes());
        writer.skip(4);
        writer.put(&self.report_data);
        writer.put(&self.measurement);
        writer.put(&self.host_data);
        writer.put(&self.id_key_digest);
        writer.put(&self.author_key_digest);
        writer.put(&self.report_id);
        writer.put(&self.report_id_ma);
        writer.put(&self.reported_tcb.bytes());
        match self.version.cpuid() {
            Some(cpuid) => writer.put(&[cpuid.family, cpuid.model, cpuid.stepping]),
            None => writer.skip(3),
        }
        writer.skip(21);
        writer.put(&self.chip_id);
        writer.put(&self.committed_tcb.bytes());
        writer.firmware(self.current_firmware);
        writer.firmware(self.committed_firmware);
        writer.put(&self.launch_tcb.bytes());
        if let ReportVersion::V5(_, vectors) = self.version {
            writer.put(&vectors.launch.to_le_bytes());
            writer.put(&vectors.current.to_le_bytes());
        }
        bytes
    }
}

/// A whole report from its signed part and the signature, `r` then `s`, 48 bytes each, big-endian.
#[must_use]
pub fn encode_report(signed: &[u8; SIGNED_SIZE], signature: &[u8; 96]) -> [u8; REPORT_SIZE] {
    let mut bytes = [0; REPORT_SIZE];
    let mut writer = Writer { rest: &mut bytes };
    writer.put(signed);
    let (r, s) = signature.split_at(48);
    for scalar in [r, s] {
        for byte in scalar.iter().rev() {
            writer.put(&[*byte]);
        }
        writer.skip(24);
    }
    bytes
}
