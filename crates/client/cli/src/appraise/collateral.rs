//! Certificates and revocation lists as people have them: DER or PEM. What is neither goes on as it is, so that the
//! appraisal refuses it by its own rule.

use core::fmt;

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

/// What is there in place of two certificates.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Miscounted {
    /// Parts that are certificates of the form that AMD's have.
    certificates: usize,
    /// Parts that are none.
    others: usize,
}

impl fmt::Display for Miscounted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.certificates {
            0 => f.write_str("no certificate")?,
            1 => f.write_str("1 certificate")?,
            count => write!(f, "{count} certificates")?,
        }
        if self.certificates > 0 && self.others > 0 {
            f.write_str(" and something that is none")?;
        }
        Ok(())
    }
}

/// Reads intermediate and root, in either order, from PEM or concatenated DER.
///
/// # Errors
///
/// What there is, if not two parts.
pub(super) fn chain(bytes: &[u8]) -> Result<Chain, Miscounted> {
    let blocks = str::from_utf8(bytes)
        .ok()
        .and_then(|text| pem::blocks(text, pem::CERTIFICATE))
        .filter(|blocks| !blocks.is_empty());
    let parts = blocks.unwrap_or_else(|| split(bytes));
    let [first, second]: [Vec<u8>; 2] = parts.try_into().map_err(|parts: Vec<Vec<u8>>| {
        let readable = |part: &&Vec<u8>| Certificate::parse(part).is_ok();
        let certificates = parts.iter().filter(readable).count();
        Miscounted {
            certificates,
            others: parts.len().saturating_sub(certificates),
        }
    })?;
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
        let told = |bytes: &[u8]| chain(bytes).unwrap_err().to_string();
        assert_eq!(told(amd.root), "1 certificate");
        assert_eq!(told(b""), "no certificate");
        assert_eq!(told(b"garbage"), "no certificate");
        let three = [amd.root, amd.root, amd.root].concat();
        assert_eq!(told(&three), "3 certificates");
        let mixed = [amd.root, amd.intermediate, b"garbage"].concat();
        assert_eq!(told(&mixed), "2 certificates and something that is none");
        // A part that is cut off, or a length that reaches beyond the end, is one part.
        assert_eq!(told(&amd.root[..100]), "no certificate");
    }
}
