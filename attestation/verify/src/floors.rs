//! The firmware floors: for each processor the least firmware that has the fixes of AMD's security bulletins.
//!
//! AMD publishes no signed statement of what is up to date, so the floors are a document of its own kind: dated, versioned, signed
//! by the release keys, and renewed whenever a bulletin asks for it, without a new release policy.

mod json;
#[cfg(test)]
mod tests;

use alloc::string::String;
use alloc::vec::Vec;

use chancery_evidence::CpuId;
use chancery_evidence::FirmwareVersion;
use chancery_evidence::ProductLine;
use chancery_evidence::TcbComponents;

use crate::policy::PolicyError;
use crate::policy::check_length;
use crate::policy::is_name;

/// The most rules in one document.
const RULES_MAX: usize = 64;
/// The most sources of one rule.
const SOURCES_MAX: usize = 16;
/// The longest source in bytes.
const SOURCE_SIZE_MAX: usize = 256;

/// The data file of this version of the program.
const SHIPPED: &[u8] = include_bytes!("../data/tcb-floors.json");

/// The least that firmware must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a floor names each member")]
pub struct Floor {
    /// The floor of all four TCBs, component by component.
    pub tcb: TcbComponents,
    /// The floor of the firmware version, current and committed.
    pub firmware: FirmwareVersion,
    /// Bits that both mitigation vectors must have (report version 5); with a bit here older reports fail.
    pub mitigation_required: u64,
}

impl Floor {
    /// No requirement.
    const NONE: Self = Self {
        tcb: TcbComponents {
            fmc: 0,
            bootloader: 0,
            tee: 0,
            snp: 0,
            microcode: 0,
        },
        firmware: FirmwareVersion {
            major: 0,
            minor: 0,
            build: 0,
        },
        mitigation_required: 0,
    };

    /// What meets both.
    fn join(self, other: Self) -> Self {
        let (a, b) = (self.tcb, other.tcb);
        Self {
            tcb: TcbComponents {
                fmc: a.fmc.max(b.fmc),
                bootloader: a.bootloader.max(b.bootloader),
                tee: a.tee.max(b.tee),
                snp: a.snp.max(b.snp),
                microcode: a.microcode.max(b.microcode),
            },
            firmware: self.firmware.max(other.firmware),
            mitigation_required: self.mitigation_required | other.mitigation_required,
        }
    }
}

/// Processors of one family by model and stepping; both ranges hold their ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a floor names each member")]
pub struct Processors {
    /// CPUID family (combined).
    pub family: u8,
    /// First and last model (combined).
    pub models: [u8; 2],
    /// First and last stepping.
    pub steppings: [u8; 2],
}

impl Processors {
    /// Exactly one model and stepping.
    #[must_use]
    pub const fn only(cpu: CpuId) -> Self {
        Self {
            family: cpu.family,
            models: [cpu.model, cpu.model],
            steppings: [cpu.stepping, cpu.stepping],
        }
    }

    /// True when `cpu` is one of them.
    #[must_use]
    pub fn contain(&self, cpu: CpuId) -> bool {
        let within = |[first, last]: [u8; 2], value| (first..=last).contains(&value);
        self.family == cpu.family
            && within(self.models, cpu.model)
            && within(self.steppings, cpu.stepping)
    }

    fn overlap(&self, other: &Self) -> bool {
        let meet = |a: [u8; 2], b: [u8; 2]| a[0] <= b[1] && b[0] <= a[1];
        self.family == other.family
            && meet(self.models, other.models)
            && meet(self.steppings, other.steppings)
    }

    /// True when the ranges are in order and wholly of `line`.
    fn are_of(&self, line: ProductLine) -> bool {
        let [first, last] = self.models;
        let of_line = |model| {
            let cpu = CpuId {
                family: self.family,
                model,
                stepping: 0,
            };
            cpu.line() == Some(line)
        };
        first <= last && self.steppings[0] <= self.steppings[1] && (first..=last).all(of_line)
    }
}

/// One number for each product line's revocation list (RFC 5280, section 5.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a document names each member")]
pub struct CrlNumbers {
    /// Of ARK-Milan.
    pub milan: u64,
    /// Of ARK-Genoa.
    pub genoa: u64,
    /// Of ARK-Turin.
    pub turin: u64,
}

impl CrlNumbers {
    /// Any number.
    pub const ANY: Self = Self {
        milan: 0,
        genoa: 0,
        turin: 0,
    };

    /// That of one line.
    #[must_use]
    pub const fn of(self, line: ProductLine) -> u64 {
        match line {
            ProductLine::Milan => self.milan,
            ProductLine::Genoa => self.genoa,
            ProductLine::Turin => self.turin,
        }
    }
}

/// The floor of some processors.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a floor names each member")]
pub struct FloorRule {
    /// What people call these processors, visible ASCII.
    pub name: String,
    /// Their product line.
    pub line: ProductLine,
    /// Which they are.
    pub processors: Processors,
    /// What they must have.
    pub floor: Floor,
    /// Where the numbers come from: bulletins, observed reports.
    pub sources: Vec<String>,
}

/// The floors, as the release keys sign them. Their JSON form is in `docs/spec/attestation.md`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a document names each member")]
pub struct TcbFloors {
    /// Only grows from document to document.
    pub version: u64,
    /// Its date, milliseconds since the Unix epoch. It does not limit what is appraised: later floors only ask for more.
    pub issued_ms: u64,
    /// Nothing passes under it from this time on, milliseconds since the Unix epoch, so that a host cannot go on serving floors from
    /// before a bulletin.
    pub expires_ms: u64,
    /// The least number of each root's revocation list, so that a host cannot go back to one from before a revocation.
    pub crl_numbers_min: CrlNumbers,
    /// One rule for each kind of processor; none overlap.
    pub rules: Vec<FloorRule>,
}

impl TcbFloors {
    /// The floors that are built into this version of the program.
    ///
    /// # Errors
    /// None in a program whose tests passed.
    pub fn shipped() -> Result<Self, PolicyError> {
        Self::from_json(SHIPPED)
    }

    /// The text of [`Self::shipped`], to be signed by release keys.
    #[must_use]
    pub const fn shipped_json() -> &'static [u8] {
        SHIPPED
    }

    /// The floor of a processor, with the name of its rule; none when there is no rule for it. Reports of version 2 name no
    /// processor: they are held against the floors of their whole line.
    #[must_use]
    pub fn floor(&self, line: ProductLine, cpu: Option<CpuId>) -> Option<(&str, Floor)> {
        let mut of_line = self.rules.iter().filter(|rule| rule.line == line);
        match cpu {
            Some(cpu) => of_line
                .find(|rule| rule.processors.contain(cpu))
                .map(|rule| (rule.name.as_str(), rule.floor)),
            None => {
                let mut of_line = of_line.peekable();
                of_line.peek()?;
                let floor = of_line.fold(Floor::NONE, |floor, rule| floor.join(rule.floor));
                Some((line.name(), floor))
            }
        }
    }

    /// Checks the rules that the document itself must obey.
    ///
    /// # Errors
    /// The first that is broken.
    pub fn check(&self) -> Result<(), PolicyError> {
        if self.issued_ms >= self.expires_ms {
            return Err(PolicyError::Window);
        }
        check_length("/floors", self.rules.len(), RULES_MAX)?;
        let mut before: Vec<&Processors> = Vec::new();
        for rule in &self.rules {
            if !is_title(&rule.name) {
                return Err(PolicyError::Name);
            }
            check_length("/floors/sources", rule.sources.len(), SOURCES_MAX)?;
            let texts = rule.sources.iter();
            if texts.map(String::len).any(|size| size > SOURCE_SIZE_MAX) {
                return Err(PolicyError::Name);
            }
            let twice = before.iter().any(|other| other.overlap(&rule.processors));
            if twice || !rule.processors.are_of(rule.line) {
                return Err(PolicyError::Processors);
            }
            before.push(&rule.processors);
        }
        Ok(())
    }
}

/// Words of visible ASCII.
fn is_title(name: &str) -> bool {
    let words = name.replace(' ', "-");
    is_name(&words)
}
