//! AMD's own intermediate and root certificates, as its key distribution service gives them out. They are no secret and no
//! anchor: evidence that carries them is checked like any other, and what is trusted is the digest in [`crate::Amd`].

use chancery_evidence::ProductLine;
use chancery_evidence::VekKind;

/// The certificates above a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a chain has these two")]
pub struct AmdChain {
    /// The intermediate (ASK for VCEKs, ASVK for VLEKs), DER.
    pub intermediate: &'static [u8],
    /// The root (ARK), DER.
    pub root: &'static [u8],
}

/// The certificates above a leaf of this line and kind.
#[must_use]
pub const fn amd_chain(line: ProductLine, kind: VekKind) -> AmdChain {
    let (root, ask, asvk): (&[u8], &[u8], &[u8]) = match line {
        ProductLine::Milan => (
            include_bytes!("../../vectors/roots/milan/ark.der"),
            include_bytes!("../../vectors/roots/milan/ask.der"),
            include_bytes!("../../vectors/roots/milan/asvk.der"),
        ),
        ProductLine::Genoa => (
            include_bytes!("../../vectors/roots/genoa/ark.der"),
            include_bytes!("../../vectors/roots/genoa/ask.der"),
            include_bytes!("../../vectors/roots/genoa/asvk.der"),
        ),
        ProductLine::Turin => (
            include_bytes!("../../vectors/roots/turin/ark.der"),
            include_bytes!("../../vectors/roots/turin/ask.der"),
            include_bytes!("../../vectors/roots/turin/asvk.der"),
        ),
    };
    let intermediate = match kind {
        VekKind::Vcek => ask,
        VekKind::Vlek => asvk,
    };
    AmdChain { intermediate, root }
}
