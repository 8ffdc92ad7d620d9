//! The three bit fields of a report (SEV-SNP firmware ABI, publication 56860, table of `ATTESTATION_REPORT`).

/// `POLICY`: what the guest's owner allowed and demanded at launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestPolicy(u64);

impl GuestPolicy {
    /// Bit 16: simultaneous multithreading is allowed.
    pub const SMT: u64 = 1 << 16;
    /// Bit 17: reserved, always one.
    pub const RESERVED_ONE: u64 = 1 << 17;
    /// Bit 18: a migration agent may be associated.
    pub const MIGRATE_MA: u64 = 1 << 18;
    /// Bit 19: the host may debug the guest, that is, read its memory.
    pub const DEBUG: u64 = 1 << 19;
    /// Bit 20: the guest may run on one socket only.
    pub const SINGLE_SOCKET: u64 = 1 << 20;
    /// Bit 21: CXL devices may hold guest memory.
    pub const CXL_ALLOW: u64 = 1 << 21;
    /// Bit 22: memory must be encrypted with AES-256-XTS.
    pub const MEM_AES_256_XTS: u64 = 1 << 22;
    /// Bit 23: running average power limiting must be off.
    pub const RAPL_DIS: u64 = 1 << 23;
    /// Bit 24: ciphertext hiding must be on for DRAM.
    pub const CIPHERTEXT_HIDING_DRAM: u64 = 1 << 24;
    /// Bit 25: the host may not swap guest pages.
    pub const PAGE_SWAP_DISABLE: u64 = 1 << 25;
    /// Each bit that a release policy must have a rule for.
    pub const RULED: u64 = Self::SMT
        | Self::MIGRATE_MA
        | Self::DEBUG
        | Self::SINGLE_SOCKET
        | Self::CXL_ALLOW
        | Self::MEM_AES_256_XTS
        | Self::RAPL_DIS
        | Self::CIPHERTEXT_HIDING_DRAM
        | Self::PAGE_SWAP_DISABLE;
    /// Bits that must be zero: 63 to 26.
    pub const RESERVED_ZERO: u64 = !0 << 26;

    /// The field as it stands in the report.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// All 64 bits.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// True when each bit of `mask` is set.
    #[must_use]
    pub const fn has(self, mask: u64) -> bool {
        self.0 & mask == mask
    }

    /// The minimum firmware ABI that the guest asked for: major, minor.
    #[must_use]
    pub const fn abi(self) -> (u8, u8) {
        let [minor, major, ..] = self.0.to_le_bytes();
        (major, minor)
    }
}

/// `PLATFORM_INFO`: how the machine is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlatformInfo(u64);

impl PlatformInfo {
    /// Bit 0: simultaneous multithreading is on.
    pub const SMT: u64 = 1;
    /// Bit 1: transparent memory encryption is on.
    pub const TSME: u64 = 1 << 1;
    /// Bit 2: memory has error correction.
    pub const ECC: u64 = 1 << 2;
    /// Bit 3: running average power limiting is off.
    pub const RAPL_DIS: u64 = 1 << 3;
    /// Bit 4: ciphertext hiding is on for DRAM.
    pub const CIPHERTEXT_HIDING_DRAM: u64 = 1 << 4;
    /// Bit 5: memory was checked for aliases (`BadRAM`).
    pub const ALIAS_CHECK_COMPLETE: u64 = 1 << 5;
    /// Bit 6: writes through the IOMMU are safe (AMD-SB-3016).
    pub const IOMMU_WRITE_SAFE: u64 = 1 << 6;
    /// Bit 7: trusted I/O is on.
    pub const TIO: u64 = 1 << 7;
    /// Each bit that a release policy must have a rule for.
    pub const RULED: u64 = 0xff;

    /// The field as it stands in the report.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// All 64 bits.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// True when each bit of `mask` is set.
    #[must_use]
    pub const fn has(self, mask: u64) -> bool {
        self.0 & mask == mask
    }
}

/// Which key signed the report, as `SIGNER_INFO` claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new kind of signer must break every match"
)]
pub enum SigningKey {
    /// The key of this chip at this firmware level.
    Vcek,
    /// A key that AMD gave to a cloud provider; it says nothing about the chip.
    Vlek,
    /// The report is not signed.
    None,
}

/// `SIGNER_INFO`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignerInfo(u32);

impl SignerInfo {
    /// Bit 0: `AUTHOR_KEY_DIGEST` is that of a key which signed the ID key.
    pub const AUTHOR_KEY_EN: u32 = 1;
    /// Bit 1: the host masked the chip's key.
    pub const MASK_CHIP_KEY: u32 = 1 << 1;
    /// Bits that must be zero: 31 to 5.
    pub const RESERVED_ZERO: u32 = !0 << 5;

    /// The field as it stands in the report.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// All 32 bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// True when each bit of `mask` is set.
    #[must_use]
    pub const fn has(self, mask: u32) -> bool {
        self.0 & mask == mask
    }

    /// Bits 4 to 2; none for a value that the ABI does not define.
    #[must_use]
    pub const fn signing_key(self) -> Option<SigningKey> {
        match (self.0 >> 2) & 7 {
            0 => Some(SigningKey::Vcek),
            1 => Some(SigningKey::Vlek),
            7 => Some(SigningKey::None),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bit_of_the_guest_policy_stands_where_the_abi_puts_it() {
        for (mask, bit) in [
            (GuestPolicy::SMT, 16),
            (GuestPolicy::RESERVED_ONE, 17),
            (GuestPolicy::MIGRATE_MA, 18),
            (GuestPolicy::DEBUG, 19),
            (GuestPolicy::SINGLE_SOCKET, 20),
            (GuestPolicy::CXL_ALLOW, 21),
            (GuestPolicy::MEM_AES_256_XTS, 22),
            (GuestPolicy::RAPL_DIS, 23),
            (GuestPolicy::CIPHERTEXT_HIDING_DRAM, 24),
            (GuestPolicy::PAGE_SWAP_DISABLE, 25),
        ] {
            assert_eq!(mask, 1_u64 << bit);
            assert_eq!(GuestPolicy::RULED & mask != 0, bit != 17, "bit {bit}");
        }
        // All bits are the ABI version, the reserved one, ruled, or zero.
        assert_eq!(GuestPolicy::RESERVED_ZERO, 0xffff_ffff_fc00_0000);
        let known = GuestPolicy::RULED | GuestPolicy::RESERVED_ONE | GuestPolicy::RESERVED_ZERO;
        assert_eq!(known, !0xffff);
    }

    #[test]
    fn each_bit_of_the_platform_info_stands_where_the_abi_puts_it() {
        for (mask, bit) in [
            (PlatformInfo::SMT, 0),
            (PlatformInfo::TSME, 1),
            (PlatformInfo::ECC, 2),
            (PlatformInfo::RAPL_DIS, 3),
            (PlatformInfo::CIPHERTEXT_HIDING_DRAM, 4),
            (PlatformInfo::ALIAS_CHECK_COMPLETE, 5),
            (PlatformInfo::IOMMU_WRITE_SAFE, 6),
            (PlatformInfo::TIO, 7),
        ] {
            assert_eq!(mask, 1_u64 << bit);
            assert_eq!(PlatformInfo::RULED & mask, mask);
        }
        assert_eq!(PlatformInfo::RULED, 0xff);
    }

    #[test]
    fn a_field_has_a_mask_when_it_has_each_bit_of_it() {
        let both = GuestPolicy::SMT | GuestPolicy::DEBUG;
        assert!(GuestPolicy::from_bits(both | 1).has(both));
        assert!(!GuestPolicy::from_bits(GuestPolicy::SMT).has(both));
        assert!(!GuestPolicy::from_bits(0).has(both));
        assert!(GuestPolicy::from_bits(0).has(0));

        let both = PlatformInfo::ECC | PlatformInfo::TIO;
        assert!(PlatformInfo::from_bits(both | 1).has(both));
        assert!(!PlatformInfo::from_bits(PlatformInfo::TIO).has(both));
        assert!(!PlatformInfo::from_bits(0).has(both));

        let both = SignerInfo::AUTHOR_KEY_EN | SignerInfo::MASK_CHIP_KEY;
        assert_eq!(both, 0b11);
        assert!(SignerInfo::from_bits(both | 4).has(both));
        assert!(!SignerInfo::from_bits(SignerInfo::AUTHOR_KEY_EN).has(both));
        assert!(!SignerInfo::from_bits(0).has(both));
    }

    #[test]
    fn the_abi_version_is_in_the_two_lowest_bytes() {
        assert_eq!(GuestPolicy::from_bits(0x0003_0137).abi(), (1, 0x37));
    }

    #[test]
    fn three_signers_are_defined() {
        let key = |code: u32| SignerInfo::from_bits(code << 2 | 0b11).signing_key();
        assert_eq!(key(0), Some(SigningKey::Vcek));
        assert_eq!(key(1), Some(SigningKey::Vlek));
        assert_eq!(key(7), Some(SigningKey::None));
        for code in 2..7 {
            assert_eq!(key(code), None);
        }
        assert_eq!(SignerInfo::RESERVED_ZERO, 0xffff_ffe0);
    }
}
