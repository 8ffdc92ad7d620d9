//! The products that are emulated, with the values that genuine machines of them report.

use chancery_evidence::{
    CpuId, FirmwareVersion, GuestPolicy, PlatformInfo, ProductLine, TcbComponents,
};

/// An emulated product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmulatedProduct {
    /// EPYC 9004, stepping B1.
    Genoa,
    /// EPYC 9005, stepping C1.
    Turin,
}

/// What the firmware of a platform is and how it is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlatformLevel {
    /// Security version of each firmware part; committed, current and launch level are the same here.
    pub tcb: TcbComponents,
    /// Firmware version.
    pub firmware: FirmwareVersion,
    /// Mitigations that the firmware verified.
    pub mitigation_vector: u64,
    /// How the platform is set up.
    pub platform_info: PlatformInfo,
}

impl EmulatedProduct {
    /// The word of the command line and of policy files.
    #[must_use]
    pub const fn word(self) -> &'static str {
        self.line().word()
    }

    /// The product that a word names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Genoa, Self::Turin]
            .into_iter()
            .find(|product| product.word() == word)
    }

    /// The product line that it belongs to.
    #[must_use]
    pub const fn line(self) -> ProductLine {
        match self {
            Self::Genoa => ProductLine::Genoa,
            Self::Turin => ProductLine::Turin,
        }
    }

    /// What CPUID says on it.
    #[must_use]
    pub const fn cpuid(self) -> CpuId {
        match self {
            Self::Genoa => CpuId {
                family: 0x19,
                model: 0x11,
                stepping: 1,
            },
            Self::Turin => CpuId {
                family: 0x1a,
                model: 0x02,
                stepping: 1,
            },
        }
    }

    /// The level that is emulated unless another one is asked for: above every floor known in 2026, with SMT off, as a
    /// policy of high assurance wants it.
    #[must_use]
    pub const fn level(self) -> PlatformLevel {
        let platform_info = PlatformInfo::from_bits(
            PlatformInfo::ECC | PlatformInfo::ALIAS_CHECK_COMPLETE | PlatformInfo::IOMMU_WRITE_SAFE,
        );
        match self {
            Self::Genoa => PlatformLevel {
                tcb: TcbComponents {
                    fmc: 0,
                    bootloader: 10,
                    tee: 0,
                    snp: 27,
                    microcode: 88,
                },
                firmware: FirmwareVersion {
                    major: 1,
                    minor: 55,
                    build: 49,
                },
                mitigation_vector: 0x0b,
                platform_info,
            },
            Self::Turin => PlatformLevel {
                tcb: TcbComponents {
                    fmc: 1,
                    bootloader: 3,
                    tee: 2,
                    snp: 5,
                    microcode: 97,
                },
                firmware: FirmwareVersion {
                    major: 1,
                    minor: 58,
                    build: 3,
                },
                mitigation_vector: 0x3f,
                platform_info,
            },
        }
    }
}

impl PlatformLevel {
    /// Whether this platform gives what `policy` asks for, as the firmware checks it at launch.
    #[must_use]
    pub fn satisfies(&self, policy: GuestPolicy) -> bool {
        let implied = |asked: u64, given: u64| !policy.has(asked) || self.platform_info.has(given);
        let smt_off_if_forbidden =
            policy.has(GuestPolicy::SMT) || !self.platform_info.has(PlatformInfo::SMT);
        policy.has(GuestPolicy::RESERVED_ONE)
            && policy.bits() & GuestPolicy::RESERVED_ZERO == 0
            && policy.abi() <= (self.firmware.major, self.firmware.minor)
            && smt_off_if_forbidden
            && implied(GuestPolicy::RAPL_DIS, PlatformInfo::RAPL_DIS)
            && implied(
                GuestPolicy::CIPHERTEXT_HIDING_DRAM,
                PlatformInfo::CIPHERTEXT_HIDING_DRAM,
            )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_name_products() {
        for product in [EmulatedProduct::Genoa, EmulatedProduct::Turin] {
            assert_eq!(EmulatedProduct::from_word(product.word()), Some(product));
            assert_eq!(product.cpuid().line(), Some(product.line()));
        }
        assert_eq!(EmulatedProduct::from_word("milan"), None);
    }

    #[test]
    fn a_policy_that_the_platform_cannot_meet_is_not_satisfied() {
        let level = EmulatedProduct::Genoa.level();
        let policy = |bits| level.satisfies(GuestPolicy::from_bits(bits));
        assert!(policy(0x2_0000));
        assert!(policy(0x3_0000), "SMT is allowed but off");
        assert!(policy(0x2_0000 | 0x0137), "ABI 1.55");
        assert!(!policy(0x2_0000 | 0x0138), "ABI 1.56");
        assert!(!policy(0x1_0000), "reserved one");
        assert!(!policy(0x2_0000 | 1 << 26), "reserved zero");
        assert!(!policy(0x2_0000 | GuestPolicy::RAPL_DIS));
        assert!(!policy(0x2_0000 | GuestPolicy::CIPHERTEXT_HIDING_DRAM));
        let with_smt = PlatformLevel {
            platform_info: PlatformInfo::from_bits(PlatformInfo::SMT),
            ..level
        };
        assert!(!with_smt.satisfies(GuestPolicy::from_bits(0x2_0000)));
        assert!(with_smt.satisfies(GuestPolicy::from_bits(0x3_0000)));
    }
}
