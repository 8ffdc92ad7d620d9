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

/// The report layouts that emulated firmware writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportLayout {
    /// Version 3: with CPUID.
    V3,
    /// Version 5: with CPUID and mitigation vectors.
    V5,
}

impl ReportLayout {
    /// VERSION of the reports.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::V3 => 3,
            Self::V5 => 5,
        }
    }

    /// The layout with this VERSION; `None` if no emulated firmware writes it.
    #[must_use]
    pub const fn from_number(number: u32) -> Option<Self> {
        match number {
            3 => Some(Self::V3),
            5 => Some(Self::V5),
            _ => None,
        }
    }
}

/// The firmware that runs on a platform, and how the platform is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlatformLevel {
    /// Security version of each firmware part (CURRENT_TCB).
    pub tcb: TcbComponents,
    /// Firmware version.
    pub firmware: FirmwareVersion,
    /// The report layout that this firmware writes.
    pub report_layout: ReportLayout,
    /// Mitigations that the firmware verified; shown in reports of version 5 alone.
    pub mitigation_vector: u64,
    /// How the platform is set up.
    pub platform_info: PlatformInfo,
}

/// Firmware before this one reserves the policy bit against page swaps.
const PAGE_SWAP_SINCE: (u8, u8) = (1, 58);

/// SMT off, ECC memory, aliases checked: what every level has here.
const SET_UP: u64 = PlatformInfo::ECC | PlatformInfo::ALIAS_CHECK_COMPLETE;

const fn level(
    tcb: TcbComponents,
    (major, minor, build): (u8, u8, u8),
    report_layout: ReportLayout,
    mitigation_vector: u64,
    platform_info: u64,
) -> PlatformLevel {
    PlatformLevel {
        tcb,
        firmware: FirmwareVersion {
            major,
            minor,
            build,
        },
        report_layout,
        mitigation_vector,
        platform_info: PlatformInfo::from_bits(platform_info),
    }
}

const fn genoa_tcb(snp: u8, microcode: u8) -> TcbComponents {
    TcbComponents {
        fmc: 0,
        bootloader: 10,
        tee: 0,
        snp,
        microcode,
    }
}

const fn turin_tcb(bootloader: u8, tee: u8, snp: u8, microcode: u8) -> TcbComponents {
    TcbComponents {
        fmc: 1,
        bootloader,
        tee,
        snp,
        microcode,
    }
}

/// Genoa 1.55.40, as in the genuine reports genoa-v3-vcek-01 to -03.
const GENOA_1_55_40: PlatformLevel =
    level(genoa_tcb(23, 84), (1, 55, 40), ReportLayout::V3, 0, SET_UP);
/// Genoa 1.55.43, as in the genuine report genoa-v5-vcek-01-oak.
const GENOA_1_55_43: PlatformLevel =
    level(genoa_tcb(25, 84), (1, 55, 43), ReportLayout::V5, 1, SET_UP);
/// Genoa 1.55.49, above every floor known in 2026.
const GENOA_1_55_49: PlatformLevel = level(
    genoa_tcb(27, 88),
    (1, 55, 49),
    ReportLayout::V5,
    0x0b,
    SET_UP | PlatformInfo::IOMMU_WRITE_SAFE,
);
/// Turin 1.55.65, as in the genuine report turin-v5-vcek-01-aci.
const TURIN_1_55_65: PlatformLevel = level(
    turin_tcb(1, 1, 4, 81),
    (1, 55, 65),
    ReportLayout::V5,
    0x3f,
    SET_UP | PlatformInfo::IOMMU_WRITE_SAFE,
);
/// Turin 1.58.3, as in the genuine report turin-v5-vcek-02.
const TURIN_1_58_3: PlatformLevel = level(
    turin_tcb(3, 2, 5, 97),
    (1, 58, 3),
    ReportLayout::V5,
    0x3f,
    SET_UP | PlatformInfo::IOMMU_WRITE_SAFE,
);

/// The levels that have a name, oldest first in each product.
const NAMED_LEVELS: [(&str, EmulatedProduct, PlatformLevel); 5] = [
    ("genoa-1.55.40", EmulatedProduct::Genoa, GENOA_1_55_40),
    ("genoa-1.55.43", EmulatedProduct::Genoa, GENOA_1_55_43),
    ("genoa-1.55.49", EmulatedProduct::Genoa, GENOA_1_55_49),
    ("turin-1.55.65", EmulatedProduct::Turin, TURIN_1_55_65),
    ("turin-1.58.3", EmulatedProduct::Turin, TURIN_1_58_3),
];

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
        match self {
            Self::Genoa => GENOA_1_55_49,
            Self::Turin => TURIN_1_58_3,
        }
    }
}

impl PlatformLevel {
    /// The words of the levels that have a name: product and firmware version.
    pub fn words() -> impl Iterator<Item = &'static str> {
        NAMED_LEVELS.into_iter().map(|(word, _, _)| word)
    }

    /// The product and level that a word names, such as `genoa-1.55.40`.
    #[must_use]
    pub fn from_word(word: &str) -> Option<(EmulatedProduct, Self)> {
        NAMED_LEVELS
            .into_iter()
            .find(|(name, _, _)| *name == word)
            .map(|(_, product, level)| (product, level))
    }

    /// Whether this platform gives what `policy` asks for, as the firmware checks it at launch.
    #[must_use]
    pub fn satisfies(&self, policy: GuestPolicy) -> bool {
        let implied = |asked: u64, given: u64| !policy.has(asked) || self.platform_info.has(given);
        let smt_off_if_forbidden =
            policy.has(GuestPolicy::SMT) || !self.platform_info.has(PlatformInfo::SMT);
        let version = (self.firmware.major, self.firmware.minor);
        policy.has(GuestPolicy::RESERVED_ONE)
            && policy.bits() & GuestPolicy::RESERVED_ZERO == 0
            && policy.abi() <= version
            && (!policy.has(GuestPolicy::PAGE_SWAP_DISABLE) || version >= PAGE_SWAP_SINCE)
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
    fn each_named_level_is_one_of_its_product_and_newer_ones_are_not_below_it() {
        for word in PlatformLevel::words() {
            let (product, level) = PlatformLevel::from_word(word).unwrap();
            assert_eq!(word, format!("{}-{}", product.word(), level.firmware));
            let newest = product.level();
            assert!(newest.tcb.at_least(level.tcb) && newest.firmware >= level.firmware);
            let line = product.line();
            let encoded = level.tcb.encode(line).components(line);
            assert_eq!(encoded, Some(level.tcb), "the layout holds every component");
        }
        assert_eq!(PlatformLevel::from_word("genoa-1.55.41"), None);
    }

    #[test]
    fn report_layouts_are_those_of_emulated_firmware() {
        for layout in [ReportLayout::V3, ReportLayout::V5] {
            assert_eq!(ReportLayout::from_number(layout.number()), Some(layout));
        }
        assert_eq!(ReportLayout::from_number(2), None);
        assert_eq!(ReportLayout::from_number(4), None);
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
        let no_page_swap = GuestPolicy::from_bits(0x2_0000 | GuestPolicy::PAGE_SWAP_DISABLE);
        assert!(!level.satisfies(no_page_swap), "reserved in 1.55");
        assert!(TURIN_1_58_3.satisfies(no_page_swap));
        let with_smt = PlatformLevel {
            platform_info: PlatformInfo::from_bits(PlatformInfo::SMT),
            ..level
        };
        assert!(!with_smt.satisfies(GuestPolicy::from_bits(0x2_0000)));
        assert!(with_smt.satisfies(GuestPolicy::from_bits(0x3_0000)));
    }
}
