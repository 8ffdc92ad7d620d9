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

const LINES: [ProductLine; 3] = [ProductLine::Milan, ProductLine::Genoa, ProductLine::Turin];
const KINDS: [VekKind; 2] = [VekKind::Vcek, VekKind::Vlek];

/// True when both are AMD's own, byte for byte, and the first signed the second. Whether a signature between known bytes is valid does
/// not change: a test checks all of them, and each appraisal saves two RSA operations. False says nothing.
pub(crate) fn is_known_signature(issuer: &[u8], certificate: &[u8]) -> bool {
    let pairs = LINES
        .iter()
        .flat_map(|line| KINDS.map(|kind| (*line, kind)));
    pairs
        .map(|(line, kind)| amd_chain(line, kind))
        .any(|chain| {
            issuer == chain.root && (certificate == chain.root || certificate == chain.intermediate)
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    use chancery_evidence::Certificate;
    use chancery_evidence::PublicKey;
    use ring::signature::RSA_PSS_2048_8192_SHA384;
    use ring::signature::UnparsedPublicKey;
    use sha2::Digest;
    use sha2::Sha256;

    use crate::anchor::Amd;
    use crate::anchor::Anchor;

    fn is_signed_by(issuer: &Certificate<'_>, certificate: &Certificate<'_>) -> bool {
        let PublicKey::Rsa4096(key) = issuer.key() else {
            return false;
        };
        UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA384, key)
            .verify(certificate.signed(), certificate.signature())
            .is_ok()
    }

    /// What an appraisal takes as known.
    #[test]
    fn every_signature_of_the_built_in_certificates_is_valid() {
        for line in LINES {
            for kind in KINDS {
                let chain = amd_chain(line, kind);
                let root = Certificate::parse(chain.root).unwrap();
                let intermediate = Certificate::parse(chain.intermediate).unwrap();
                assert!(is_signed_by(&root, &root), "{line} root");
                assert!(is_signed_by(&root, &intermediate), "{line} {kind:?}");
                let digest: [u8; 32] = Sha256::digest(chain.root).into();
                let pinned = Amd.roots().iter().find(|key| key.line() == line).unwrap();
                assert_eq!(*pinned.certificate_sha256(), digest, "{line}");
            }
        }
    }

    #[test]
    fn knows_the_signatures_of_a_root_under_its_own_line_and_no_other_byte() {
        for line in LINES {
            let root = amd_chain(line, VekKind::Vcek).root;
            assert!(is_known_signature(root, root));
            for kind in KINDS {
                let intermediate = amd_chain(line, kind).intermediate;
                assert!(is_known_signature(root, intermediate));
                assert!(!is_known_signature(intermediate, root));
                assert!(!is_known_signature(intermediate, intermediate));
                for other in LINES.into_iter().filter(|other| *other != line) {
                    let other = amd_chain(other, kind);
                    assert!(!is_known_signature(root, other.intermediate));
                    assert!(!is_known_signature(root, other.root));
                }
                for index in 0..intermediate.len() {
                    let mut spoiled = intermediate.to_vec();
                    spoiled[index] ^= 1;
                    assert!(!is_known_signature(root, &spoiled));
                }
            }
            for index in 0..root.len() {
                let mut spoiled = root.to_vec();
                spoiled[index] ^= 1;
                assert!(!is_known_signature(&spoiled, root));
                assert!(!is_known_signature(root, &spoiled));
            }
        }
    }
}
