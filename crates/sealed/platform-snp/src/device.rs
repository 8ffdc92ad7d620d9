//! `/dev/sev-guest`, through the crate `sev`.

use chancery_platform::{DerivedKeyRequest, PlatformError, REPORT_DATA_SIZE, RootKey};
use chancery_sealing::Key;
use sev::error::{FirmwareError, UserApiError, VmmError};
use sev::firmware::guest::{DerivedKey, Firmware, GuestFieldSelect};

/// The message version without a launch mitigation vector.
const MESSAGE_VERSION: u32 = 1;

/// What the guest device can do, so that tests can play it.
pub(crate) trait GuestDevice: Send {
    /// SNP_GET_REPORT at VMPL 0.
    fn report(&mut self, report_data: &[u8; REPORT_DATA_SIZE]) -> Result<Vec<u8>, PlatformError>;
    /// SNP_GET_DERIVED_KEY.
    fn derived_key(&mut self, request: &DerivedKeyRequest) -> Result<Key, PlatformError>;
}

/// The kernel's device.
#[derive(Debug)]
pub(crate) struct SevGuest(Firmware);

impl SevGuest {
    /// Opens `/dev/sev-guest`.
    pub(crate) fn open() -> Result<Self, PlatformError> {
        Firmware::open()
            .map(Self)
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => PlatformError::Absent,
                _ => PlatformError::System,
            })
    }
}

impl GuestDevice for SevGuest {
    fn report(&mut self, report_data: &[u8; REPORT_DATA_SIZE]) -> Result<Vec<u8>, PlatformError> {
        self.0
            .get_report(Some(MESSAGE_VERSION), Some(*report_data), Some(0))
            .map_err(|error| fault(&error))
    }

    fn derived_key(&mut self, request: &DerivedKeyRequest) -> Result<Key, PlatformError> {
        self.0
            .get_derived_key(Some(MESSAGE_VERSION), to_sev(request))
            .map(Key::from_bytes)
            .map_err(|error| fault(&error))
    }
}

fn to_sev(request: &DerivedKeyRequest) -> DerivedKey {
    DerivedKey::new(
        request.root_key == RootKey::Vmrk,
        GuestFieldSelect(request.guest_field_select.bits()),
        request.vmpl,
        request.guest_svn,
        request.tcb_version,
        None,
    )
}

/// What the kernel writes for "the firmware was not called", as `sev` shows its lower half: nothing when it fails the call before its work
/// begins, 0xff on older kernels, all ones on newer ones (`SEV_RET_NO_FW_CALL`).
const NOT_CALLED: [u32; 3] = [0, 0xff, u32::MAX];

/// What an error of the crate `sev` means. It drops the system's error number and keeps `exitinfo2`: the host's word above the
/// firmware's. A request that never reached the firmware, or that the host failed in a way of its own, is the last one: the driver
/// does not use its communication key (VMPCK) again, because a repeated message counter would break its encryption. All ones in
/// both halves, as newer kernels write them, look to `sev` like an unknown word of the host.
fn fault(error: &UserApiError) -> PlatformError {
    match error {
        UserApiError::FirmwareError(FirmwareError::UnknownSevError(word))
            if NOT_CALLED.contains(word) =>
        {
            PlatformError::Lost
        }
        UserApiError::VmmError(VmmError::Unknown) => PlatformError::Lost,
        UserApiError::FirmwareError(
            FirmwareError::KnownSevError(_) | FirmwareError::UnknownSevError(_),
        )
        | UserApiError::VmplError => PlatformError::Refused,
        UserApiError::VmmError(VmmError::RateLimitRetryRequest) => PlatformError::Busy,
        _ => PlatformError::System,
    }
}

#[cfg(test)]
mod tests {
    use chancery_platform::GuestFields;
    use sev::error::SevError;

    use super::*;

    #[test]
    fn each_field_bit_is_the_bit_of_the_firmware_interface() {
        type Get = fn(&GuestFieldSelect) -> bool;
        let table: [(GuestFields, Get); 6] = [
            (
                GuestFields::GUEST_POLICY,
                GuestFieldSelect::get_guest_policy,
            ),
            (GuestFields::IMAGE_ID, GuestFieldSelect::get_image_id),
            (GuestFields::FAMILY_ID, GuestFieldSelect::get_family_id),
            (GuestFields::MEASUREMENT, GuestFieldSelect::get_measurement),
            (GuestFields::GUEST_SVN, GuestFieldSelect::get_svn),
            (GuestFields::TCB_VERSION, GuestFieldSelect::get_tcb_version),
        ];
        for (fields, get) in table {
            assert!(get(&GuestFieldSelect(fields.bits())));
            assert!(!get(&GuestFieldSelect(!fields.bits())));
        }
    }

    #[test]
    fn a_request_is_passed_on_unchanged() {
        let mut request = DerivedKeyRequest::sealing(7, 0x5417_0000_0000_000a);
        let passed = to_sev(&request);
        assert_eq!(passed.get_root_key_select(), 0);
        assert_eq!(passed.guest_field_select.0, 0b11_1001);
        assert_eq!(
            (passed.vmpl, passed.guest_svn, passed.tcb_version),
            (0, 7, 0x5417_0000_0000_000a)
        );
        assert_eq!(passed.launch_mit_vector, None);
        request.root_key = RootKey::Vmrk;
        assert_eq!(to_sev(&request).get_root_key_select(), 1);
    }

    #[test]
    fn a_request_that_never_reached_the_firmware_is_final() {
        for word in NOT_CALLED {
            let error = UserApiError::FirmwareError(FirmwareError::UnknownSevError(word));
            assert_eq!(fault(&error), PlatformError::Lost);
        }
        // exitinfo2 = u64::MAX, and SNP_GUEST_VMM_ERR_GENERIC of a host.
        let generic = UserApiError::VmmError(VmmError::from(u32::MAX));
        assert_eq!(fault(&generic), PlatformError::Lost);
        let refused =
            UserApiError::FirmwareError(FirmwareError::KnownSevError(SevError::InvalidParam));
        assert_eq!(fault(&refused), PlatformError::Refused);
        let busy = UserApiError::VmmError(VmmError::RateLimitRetryRequest);
        assert_eq!(fault(&busy), PlatformError::Busy);
        assert_eq!(fault(&UserApiError::Unknown), PlatformError::System);
    }

    #[test]
    fn a_machine_without_the_device_has_no_processor() {
        if !std::path::Path::new("/dev/sev-guest").exists() {
            assert_eq!(SevGuest::open().err(), Some(PlatformError::Absent));
        }
    }
}
