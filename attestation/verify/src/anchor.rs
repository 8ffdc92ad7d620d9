//! What evidence must be rooted in.

use chancery_evidence::ProductLine;

/// Whether a processor vouches or something plays one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "there is no third mode, and a match must be total"
)]
pub enum Mode {
    /// A processor of AMD.
    Amd,
    /// A program that plays one. It protects nothing.
    Emulated,
}

impl Mode {
    /// The word in files.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Amd => "amd",
            Self::Emulated => "emulated",
        }
    }

    /// The word that a person must not overlook.
    #[must_use]
    pub const fn shown(self) -> &'static str {
        match self {
            Self::Amd => "AMD hardware",
            Self::Emulated => "EMULATED",
        }
    }

    /// The mode that a file's word names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Amd, Self::Emulated]
            .into_iter()
            .find(|mode| mode.word() == word)
    }
}

/// One root key: the product line it speaks for and the SHA-256 of its certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RootKey {
    line: ProductLine,
    certificate_sha256: [u8; 32],
}

impl RootKey {
    /// A root key.
    #[must_use]
    pub const fn new(line: ProductLine, certificate_sha256: [u8; 32]) -> Self {
        Self {
            line,
            certificate_sha256,
        }
    }

    /// The product line.
    #[must_use]
    pub const fn line(&self) -> ProductLine {
        self.line
    }

    /// SHA-256 of the root certificate's DER.
    #[must_use]
    pub const fn certificate_sha256(&self) -> &[u8; 32] {
        &self.certificate_sha256
    }
}

/// Roots and purpose strings. A shipped program knows [`Amd`] alone; the emulated anchor is another type in a crate
/// that no shipped program depends on. Nothing but the type chooses (I1): a verdict for one anchor is not one for another,
/// and report data made for one anchor is not that of another.
///
/// It is not sealed because the emulated anchor lives elsewhere. Whoever implements it must give purpose strings and a
/// name infix of his own.
pub trait Anchor {
    /// The name in reports to people.
    const NAME: &'static str;
    /// Hardware or emulated.
    const MODE: Mode;
    /// Purpose string of a node statement's report data.
    const REPORT_DATA_NODE: &'static str;
    /// Purpose string of a session statement's report data (hardware mode).
    const REPORT_DATA_SESSION: &'static str;
    /// What stands in certificate names between `ARK-`, `SEV-`, `SEV-VLEK-` and the product line.
    const COMMON_NAME_INFIX: &'static str;

    /// The roots that are trusted.
    fn roots(&self) -> &[RootKey];
}

/// AMD's three roots, compiled in. Which product lines a client accepts is the release policy's business.
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a unit: its contents are compiled in"
)]
pub struct Amd;

/// SHA-256 of AMD's root certificates, from <https://kdsintf.amd.com/vcek/v1/{line}/cert_chain>.
const AMD_ROOTS: [RootKey; 3] = [
    RootKey::new(
        ProductLine::Milan,
        [
            0x69, 0xd0, 0x63, 0xb4, 0x53, 0x44, 0xd2, 0x6a, 0x2e, 0x94, 0xe1, 0xf4, 0x21, 0x0d,
            0xe4, 0x9e, 0xf5, 0x55, 0x30, 0x82, 0x87, 0xd4, 0xc1, 0x74, 0x44, 0x5c, 0x95, 0x63,
            0x9a, 0x54, 0x0b, 0xcd,
        ],
    ),
    RootKey::new(
        ProductLine::Genoa,
        [
            0x4c, 0x65, 0x98, 0xd1, 0x9c, 0x18, 0x71, 0x9c, 0x5d, 0xfd, 0x4a, 0x7d, 0x33, 0x5f,
            0x67, 0x4e, 0x5b, 0xfe, 0x1d, 0x8f, 0x80, 0x0c, 0xea, 0x2c, 0xf2, 0x70, 0xc1, 0x0d,
            0x10, 0x3d, 0xb2, 0xf1,
        ],
    ),
    RootKey::new(
        ProductLine::Turin,
        [
            0x1f, 0x08, 0x41, 0x61, 0xa4, 0x4b, 0xb6, 0xd9, 0x37, 0x78, 0xa9, 0x04, 0x87, 0x7d,
            0x48, 0x19, 0xca, 0xfa, 0x5d, 0x05, 0xef, 0x41, 0x93, 0xb2, 0xde, 0xd9, 0xdd, 0x9c,
            0x73, 0xdd, 0x3f, 0x6a,
        ],
    ),
];

impl Anchor for Amd {
    const NAME: &'static str = "AMD";
    const MODE: Mode = Mode::Amd;
    const REPORT_DATA_NODE: &'static str = "chancery/report-data/node/v1";
    const REPORT_DATA_SESSION: &'static str = "chancery/report-data/session/v1";
    const COMMON_NAME_INFIX: &'static str = "";

    fn roots(&self) -> &[RootKey] {
        &AMD_ROOTS
    }
}
