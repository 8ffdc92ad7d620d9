//! Product lines, CPU identification, firmware versions and the TCB layout of each line.

use core::fmt;

/// A product line: one root key of AMD each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new product line must break every match"
)]
pub enum ProductLine {
    /// Zen 3 (19h/00h-0Fh). Its attestation keys can be extracted by software.
    Milan,
    /// Zen 4 (19h/10h-1Fh), with Bergamo and Siena (19h/A0h-AFh).
    Genoa,
    /// Zen 5 (1Ah/00h-1Fh).
    Turin,
}

impl ProductLine {
    /// The word in AMD's certificate names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Milan => "Milan",
            Self::Genoa => "Genoa",
            Self::Turin => "Turin",
        }
    }

    /// The lower-case word of policy files.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Milan => "milan",
            Self::Genoa => "genoa",
            Self::Turin => "turin",
        }
    }

    /// The line that a policy file's word names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Milan, Self::Genoa, Self::Turin]
            .into_iter()
            .find(|line| line.word() == word)
    }

    /// The hardware id's length in bytes.
    #[must_use]
    pub const fn hardware_id_size(self) -> usize {
        match self {
            Self::Milan | Self::Genoa => 64,
            Self::Turin => 8,
        }
    }

    /// `structVersion` of this line's leaf certificates.
    #[must_use]
    pub const fn struct_version(self) -> u8 {
        match self {
            Self::Milan | Self::Genoa => 0,
            Self::Turin => 1,
        }
    }
}

impl fmt::Display for ProductLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// CPUID family (combined), model (combined) and stepping, from report version 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "three bytes of a fixed layout")]
pub struct CpuId {
    /// Family.
    pub family: u8,
    /// Model.
    pub model: u8,
    /// Stepping.
    pub stepping: u8,
}

impl CpuId {
    /// The product line, if this processor is of a known one.
    #[must_use]
    pub const fn line(self) -> Option<ProductLine> {
        match (self.family, self.model) {
            (0x19, 0x00..=0x0f) => Some(ProductLine::Milan),
            (0x19, 0x10..=0x1f | 0xa0..=0xaf) => Some(ProductLine::Genoa),
            (0x1a, 0x00..=0x1f) => Some(ProductLine::Turin),
            _ => None,
        }
    }
}

/// A firmware version. It orders as major, minor, build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_structs, reason = "three bytes of a fixed layout")]
pub struct FirmwareVersion {
    /// Major.
    pub major: u8,
    /// Minor.
    pub minor: u8,
    /// Build.
    pub build: u8,
}

impl fmt::Display for FirmwareVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.build)
    }
}

/// A `TCB_VERSION` as it stands in the report: eight bytes whose meaning depends on the product line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tcb([u8; 8]);

impl Tcb {
    /// From the report's bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// The report's bytes.
    #[must_use]
    pub const fn bytes(self) -> [u8; 8] {
        self.0
    }

    /// The components in the layout of `line`; none when a reserved byte is set.
    #[must_use]
    pub const fn components(self, line: ProductLine) -> Option<TcbComponents> {
        match (line, self.0) {
            (
                ProductLine::Milan | ProductLine::Genoa,
                [bootloader, tee, 0, 0, 0, 0, snp, microcode],
            ) => Some(TcbComponents {
                fmc: 0,
                bootloader,
                tee,
                snp,
                microcode,
            }),
            (ProductLine::Turin, [fmc, bootloader, tee, snp, 0, 0, 0, microcode]) => {
                Some(TcbComponents {
                    fmc,
                    bootloader,
                    tee,
                    snp,
                    microcode,
                })
            }
            _ => None,
        }
    }
}

/// The security version of each firmware part. It has no total order: compare with [`Self::at_least`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a policy names each component")]
pub struct TcbComponents {
    /// Firmware of the first mutable code; zero on lines before Turin, which have none.
    pub fmc: u8,
    /// Boot loader of the secure processor.
    pub bootloader: u8,
    /// Its operating system.
    pub tee: u8,
    /// SNP firmware.
    pub snp: u8,
    /// Microcode.
    pub microcode: u8,
}

impl TcbComponents {
    /// True when no component is below that of `floor`.
    #[must_use]
    pub const fn at_least(self, floor: Self) -> bool {
        self.fmc >= floor.fmc
            && self.bootloader >= floor.bootloader
            && self.tee >= floor.tee
            && self.snp >= floor.snp
            && self.microcode >= floor.microcode
    }

    /// The report's eight bytes in the layout of `line`.
    #[must_use]
    pub const fn encode(self, line: ProductLine) -> Tcb {
        let Self {
            fmc,
            bootloader,
            tee,
            snp,
            microcode,
        } = self;
        match line {
            ProductLine::Milan | ProductLine::Genoa => {
                Tcb([bootloader, tee, 0, 0, 0, 0, snp, microcode])
            }
            ProductLine::Turin => Tcb([fmc, bootloader, tee, snp, 0, 0, 0, microcode]),
        }
    }
}

impl fmt::Display for TcbComponents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            fmc,
            bootloader,
            tee,
            snp,
            microcode,
        } = self;
        write!(
            f,
            "fmc {fmc} bootloader {bootloader} tee {tee} snp {snp} microcode {microcode}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn refuses_tcb_with_reserved_bytes_of_its_line() {
        let genoa = Tcb::from_bytes([10, 0, 0, 0, 0, 0, 23, 84]);
        assert!(genoa.components(ProductLine::Genoa).is_some());
        assert!(genoa.components(ProductLine::Turin).is_none());
        let turin = Tcb::from_bytes([1, 1, 1, 4, 0, 0, 0, 81]);
        assert!(turin.components(ProductLine::Turin).is_some());
        assert!(turin.components(ProductLine::Genoa).is_none());
    }

    #[test]
    fn components_encode_to_the_bytes_they_came_from() {
        for (line, bytes) in [
            (ProductLine::Milan, [1, 2, 0, 0, 0, 0, 3, 4]),
            (ProductLine::Turin, [1, 2, 3, 4, 0, 0, 0, 5]),
        ] {
            let components = Tcb::from_bytes(bytes).components(line).unwrap();
            assert_eq!(components.encode(line).bytes(), bytes);
        }
    }

    #[test]
    fn shows_every_component() {
        let components = TcbComponents {
            fmc: 1,
            bootloader: 2,
            tee: 3,
            snp: 4,
            microcode: 5,
        };
        assert_eq!(
            components.to_string(),
            "fmc 1 bootloader 2 tee 3 snp 4 microcode 5"
        );
    }

    #[test]
    fn a_floor_is_compared_component_by_component() {
        let floor = TcbComponents {
            fmc: 1,
            bootloader: 1,
            tee: 1,
            snp: 4,
            microcode: 81,
        };
        assert!(floor.at_least(floor));
        let higher_but_one = TcbComponents {
            snp: 3,
            microcode: 255,
            ..floor
        };
        assert!(!higher_but_one.at_least(floor));
    }
}
