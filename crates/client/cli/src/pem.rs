//! PEM (RFC 7468): text around DER.

use base64ct::{Base64, Encoding as _};

/// The label of a certificate.
pub(crate) const CERTIFICATE: &str = "CERTIFICATE";

/// The label of a revocation list.
pub(crate) const CRL: &str = "X509 CRL";

/// The contents of all blocks with this label, in order; text around them is passed over. None if a block has no end or
/// no base64 in it.
pub(crate) fn blocks(text: &str, label: &str) -> Option<Vec<Vec<u8>>> {
    let (begin, end) = (
        format!("-----BEGIN {label}-----"),
        format!("-----END {label}-----"),
    );
    let mut found = Vec::new();
    for part in text.split(begin.as_str()).skip(1) {
        let (base64, _) = part.split_once(end.as_str())?;
        let base64: String = base64.split_whitespace().collect();
        found.push(Base64::decode_vec(&base64).ok()?);
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_blocks_of_one_label_in_order_with_text_around_them() {
        let text = "comment\n-----BEGIN X509 CRL-----\nBAUG\nBwgJ\n-----END X509 CRL-----\n\
                    -----BEGIN CERTIFICATE-----\r\nAQID\r\n-----END CERTIFICATE-----\n\
                    -----BEGIN CERTIFICATE-----AA==-----END CERTIFICATE-----";
        assert_eq!(
            blocks(text, CERTIFICATE),
            Some(vec![vec![1, 2, 3], vec![0]])
        );
        assert_eq!(blocks(text, CRL), Some(vec![vec![4, 5, 6, 7, 8, 9]]));
        assert_eq!(blocks("", CRL), Some(Vec::new()));
    }

    #[test]
    fn refuses_a_block_without_an_end_and_one_that_is_no_base64() {
        for text in [
            "-----BEGIN CERTIFICATE-----\nAQID",
            "-----BEGIN CERTIFICATE-----\nAQID\n-----END X509 CRL-----",
            "-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----",
        ] {
            assert_eq!(blocks(text, CERTIFICATE), None, "{text}");
        }
    }
}
