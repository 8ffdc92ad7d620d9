//! Certificates and revocation lists as people have them: DER or PEM. What is neither goes on as it is, so that the
//! appraisal refuses it by its own rule.

use chancery_evidence::{Certificate, ProductLine, VekKind};
use chancery_verify::amd_chain;

use crate::pem;
use crate::report::{line_of, parse_report};

/// The first octet of a DER SEQUENCE.
const SEQUENCE: u8 = 0x30;

/// The certificates above a leaf, DER.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chain {
    /// The intermediate.
    pub(super) intermediate: Vec<u8>,
    /// The root.
    pub(super) root: Vec<u8>,
}

impl Chain {
    /// AMD's own certificates for this leaf, by the name of its issuer. Of a leaf that names none of AMD's, those of the
    /// report's product line: the appraisal refuses the leaf then.
    pub(super) fn built_in(leaf: &[u8], report: &[u8]) -> Self {
        let (line, kind) = Certificate::parse(leaf)
            .ok()
            .and_then(|leaf| issuer(leaf.issuer().common_name()))
            .or_else(|| {
                let report = parse_report(report).ok()?;
                Some((line_of(report.fields())?, VekKind::Vcek))
            })
            .unwrap_or((ProductLine::Turin, VekKind::Vcek));
        let chain = amd_chain(line, kind);
        Self {
            intermediate: chain.intermediate.to_vec(),
            root: chain.root.to_vec(),
        }
    }
}

/// The product line and kind of key whose leaves an authority of AMD of this name issues.
fn issuer(name: &str) -> Option<(ProductLine, VekKind)> {
    let name = name.strip_prefix("SEV-")?;
    let (name, kind) = match name.strip_prefix("VLEK-") {
        Some(name) => (name, VekKind::Vlek),
        None => (name, VekKind::Vcek),
    };
    let lines = [ProductLine::Milan, ProductLine::Genoa, ProductLine::Turin];
    let line = lines.into_iter().find(|line| line.name() == name)?;
    Some((line, kind))
}

/// The DER of one object that is in DER, or in PEM under this label.
pub(super) fn der(bytes: Vec<u8>, label: &str) -> Vec<u8> {
    let blocks = str::from_utf8(&bytes)
        .ok()
        .and_then(|text| pem::blocks(text, label))
        .filter(|blocks| !blocks.is_empty());
    // More than one block is more than one object, which the parser refuses.
    blocks.map_or(bytes, |blocks| blocks.concat())
}

/// Reads intermediate and root, in either order, from PEM or concatenated DER.
///
/// # Errors
///
/// How many certificates there are, if not two.
pub(super) fn chain(bytes: &[u8]) -> Result<Chain, usize> {
    let blocks = str::from_utf8(bytes)
        .ok()
        .and_then(|text| pem::blocks(text, pem::CERTIFICATE))
        .filter(|blocks| !blocks.is_empty());
    let parts = blocks.unwrap_or_else(|| split(bytes));
    let count = parts.len();
    let [first, second]: [Vec<u8>; 2] = parts.try_into().map_err(|_parts| count)?;
    let root_first =
        Certificate::parse(&first).is_ok_and(|first| first.issuer() == first.subject());
    let (intermediate, root) = if root_first {
        (second, first)
    } else {
        (first, second)
    };
    Ok(Chain { intermediate, root })
}

/// The DER objects that stand one after another; what is no SEQUENCE any more is one object with all that follows.
fn split(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut parts = Vec::new();
    while !bytes.is_empty() {
        let size = sequence_size(bytes).unwrap_or(bytes.len());
        let (part, rest) = bytes.split_at_checked(size).unwrap_or((bytes, &[]));
        parts.push(part.to_vec());
        bytes = rest;
    }
    parts
}

/// The octets of the SEQUENCE at the front, header included (X.690 section 8.1.3); AMD's certificates have two octets of
/// length.
fn sequence_size(bytes: &[u8]) -> Option<usize> {
    let (header, _) = bytes.split_first_chunk::<4>()?;
    match *header {
        [SEQUENCE, 0x82, high, low] => usize::from(u16::from_be_bytes([high, low])).checked_add(4),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_issuers_choose_line_and_kind() {
        for (name, expected) in [
            ("SEV-Turin", Some((ProductLine::Turin, VekKind::Vcek))),
            ("SEV-VLEK-Milan", Some((ProductLine::Milan, VekKind::Vlek))),
            ("SEV-Emulated-Turin", None),
            ("SEV-turin", None),
            ("ARK-Genoa", None),
            ("", None),
        ] {
            assert_eq!(issuer(name), expected, "{name}");
        }
    }

    #[test]
    fn certificates_above_a_leaf_come_in_either_order_and_exactly_two() {
        let amd = amd_chain(ProductLine::Genoa, VekKind::Vcek);
        let expected = Ok(Chain {
            intermediate: amd.intermediate.to_vec(),
            root: amd.root.to_vec(),
        });
        assert_eq!(chain(&[amd.intermediate, amd.root].concat()), expected);
        assert_eq!(chain(&[amd.root, amd.intermediate].concat()), expected);
        assert_eq!(chain(amd.root), Err(1));
        assert_eq!(chain(b""), Err(0));
        assert_eq!(chain(b"garbage"), Err(1));
        assert_eq!(chain(&[amd.root, amd.root, amd.root].concat()), Err(3));
        // A part that is cut off, or a length that reaches beyond the end, is one part.
        assert_eq!(chain(&amd.root[..100]), Err(1));
    }
}
