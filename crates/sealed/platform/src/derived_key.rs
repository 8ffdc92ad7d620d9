//! What a derived key is bound to: SEV-SNP firmware ABI (AMD 56860), MSG_KEY_REQ.

/// The secret from which a key is derived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootKey {
    /// The chip's own key: the derived key is the same after a restart.
    Vcek,
    /// The migration root key of this guest, which a migration agent may have set.
    Vmrk,
}

impl RootKey {
    /// ROOT_KEY_SELECT.
    #[must_use]
    pub const fn code(self) -> u32 {
        match self {
            Self::Vcek => 0,
            Self::Vmrk => 1,
        }
    }
}

/// The fields that are mixed into a key (GUEST_FIELD_SELECT).
///
/// Bit 6, LAUNCH_MIT_VECTOR, is left out: it takes message version 2, which firmware before ABI 1.58 refuses, so that a store sealed
/// with it could not be opened on such a chip, and it adds nothing to what sealing relies on. A host that goes back to firmware
/// without a mitigation must go below the committed TCB, which [`DerivedKeyRequest::sealing`] names and the firmware does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuestFields(u64);

impl GuestFields {
    /// No field: any guest on the chip can derive the key.
    pub const NONE: Self = Self(0);
    /// The guest policy, so that the same image launched with debugging allowed has other keys.
    pub const GUEST_POLICY: Self = Self(1);
    /// IMAGE_ID of the ID block.
    pub const IMAGE_ID: Self = Self(1 << 1);
    /// FAMILY_ID of the ID block.
    pub const FAMILY_ID: Self = Self(1 << 2);
    /// The launch digest.
    pub const MEASUREMENT: Self = Self(1 << 3);
    /// The requested guest security version.
    pub const GUEST_SVN: Self = Self(1 << 4);
    /// The requested platform security version.
    pub const TCB_VERSION: Self = Self(1 << 5);

    /// Bits that have a meaning here.
    const KNOWN: u64 = 0x3f;

    /// Reads GUEST_FIELD_SELECT; `None` if a bit without a meaning is set.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Option<Self> {
        if bits & !Self::KNOWN == 0 {
            Some(Self(bits))
        } else {
            None
        }
    }

    /// GUEST_FIELD_SELECT.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// These fields and those of `other`.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether every field of `other` is selected.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// A request for a derived key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DerivedKeyRequest {
    /// The secret to derive from.
    pub root_key: RootKey,
    /// What is mixed in.
    pub guest_field_select: GuestFields,
    /// The VMPL that is mixed in, at least that of the asking code.
    pub vmpl: u32,
    /// The guest security version that is mixed in if selected, at most that of the ID block.
    pub guest_svn: u32,
    /// The platform security version (TCB_VERSION as in a report) that is mixed in if selected, at most the committed one.
    pub tcb_version: u64,
}

impl DerivedKeyRequest {
    /// The key that seals the deployment root: bound to the chip, the launch digest, the guest policy, the guest security version and the
    /// platform security version. HOST_DATA cannot be selected; the sealed content names the configuration itself.
    #[must_use]
    pub const fn sealing(guest_svn: u32, tcb_version: u64) -> Self {
        Self {
            root_key: RootKey::Vcek,
            guest_field_select: GuestFields::GUEST_POLICY
                .with(GuestFields::MEASUREMENT)
                .with(GuestFields::GUEST_SVN)
                .with(GuestFields::TCB_VERSION),
            vmpl: 0,
            guest_svn,
            tcb_version,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_field_bits_without_a_meaning() {
        assert_eq!(
            GuestFields::from_bits(0x3f).map(GuestFields::bits),
            Some(0x3f)
        );
        for bit in 6..64 {
            assert_eq!(GuestFields::from_bits(1 << bit), None);
        }
    }

    #[test]
    fn the_sealing_key_is_bound_to_image_policy_and_both_versions() {
        let request = DerivedKeyRequest::sealing(3, 4);
        assert_eq!(request.guest_field_select.bits(), 0b11_1001);
        assert_eq!(request.root_key, RootKey::Vcek);
        assert_eq!(
            (request.vmpl, request.guest_svn, request.tcb_version),
            (0, 3, 4)
        );
        assert!(
            request
                .guest_field_select
                .contains(GuestFields::MEASUREMENT)
        );
        assert!(!request.guest_field_select.contains(GuestFields::IMAGE_ID));
    }
}
