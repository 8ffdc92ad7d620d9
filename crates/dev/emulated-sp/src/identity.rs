//! What a client must know to expect a guest of this processor.

use base64ct::{Base64, Encoding as _};
use chancery_json::Object;

use crate::chip::Chip;
use crate::guest::Guest;
use crate::platform::PlatformState;

/// What a report of a guest will say, before it is launched.
#[derive(Debug)]
pub struct Identity<'a> {
    /// The processor.
    pub chip: &'a Chip,
    /// The platform as it is now.
    pub platform: PlatformState,
    /// The guest.
    pub guest: Guest,
}

impl Identity<'_> {
    /// As one JSON object: digests and ids in lower-case hex, bit fields as `0x…`, certificates in base64 of DER.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let tcb = self.platform.reported_tcb();
        let level = self.platform.current();
        let line = self.chip.product().line();
        let bits = |value: u64| format!("{value:#x}");
        let components = Object::new()
            .with("fmc", u64::from(tcb.fmc))
            .with("bootloader", u64::from(tcb.bootloader))
            .with("tee", u64::from(tcb.tee))
            .with("snp", u64::from(tcb.snp))
            .with("microcode", u64::from(tcb.microcode))
            .with("hex", hex::encode(tcb.encode(line).bytes()));
        Object::new()
            .with("mode", "emulated")
            .with("measurement", self.guest.measurement.to_string())
            .with("host_data", hex::encode(self.guest.host_data))
            .with("chip_id", hex::encode(self.chip.chip_id()))
            .with("product", self.chip.product().word())
            .with("report_version", u64::from(level.report_layout.number()))
            .with("policy", bits(self.guest.policy.bits()))
            .with("guest_svn", u64::from(self.guest.identity.guest_svn))
            .with("platform_info", bits(level.platform_info.bits()))
            .with("reported_tcb", components)
            .with("firmware", level.firmware.to_string())
            .with("mitigation_vector", bits(level.mitigation_vector))
            .with("ark_der", Base64::encode_string(self.chip.roots().ark()))
            .with("ask_der", Base64::encode_string(self.chip.roots().ask()))
            .to_bytes()
    }
}
