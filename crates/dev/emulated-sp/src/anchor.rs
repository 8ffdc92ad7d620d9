//! The anchor of development clients. It is a type of its own with purpose strings of its own, so that a verdict under it never
//! stands in for one under AMD's, and no shipped program depends on this crate (I1).

use chancery_verify::{Anchor, Mode, RootKey};
use sha2::{Digest as _, Sha256};

use crate::roots::EmulatedRoots;

/// One emulated root. What it vouches for protects nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmulatedAnchor {
    roots: [RootKey; 1],
}

impl EmulatedAnchor {
    /// Trusts the root of one emulated processor.
    #[must_use]
    pub fn new(roots: &EmulatedRoots) -> Self {
        let digest = Sha256::digest(roots.ark()).into();
        Self {
            roots: [RootKey::new(roots.product().line(), digest)],
        }
    }
}

impl Anchor for EmulatedAnchor {
    const NAME: &'static str = "EMULATED";
    const MODE: Mode = Mode::Emulated;
    const REPORT_DATA_NODE: &'static str = "chancery-EMULATED/report-data/node/v1";
    const REPORT_DATA_SESSION: &'static str = "chancery-EMULATED/report-data/session/v1";
    const COMMON_NAME_INFIX: &'static str = "Emulated-";

    fn roots(&self) -> &[RootKey] {
        &self.roots
    }
}
