//! Certificates and revocation lists as text: RFC 7468, its strict form, for the two labels that collateral has.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use base64ct::{Base64, Encoding as _};

use crate::COLLATERAL_SIZE_MAX;

/// Characters of a line of the encoding (RFC 7468 section 2).
const LINE_SIZE: usize = 64;

/// Longest encoding of one block in characters: four for each three bytes.
const BODY_SIZE_MAX: usize = COLLATERAL_SIZE_MAX.div_ceil(3) * 4;

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PemLabel {
    /// A certificate (RFC 7468 section 5).
    Certificate,
    /// A revocation list (RFC 7468 section 6).
    RevocationList,
}

impl PemLabel {
    const ALL: [Self; 2] = [Self::Certificate, Self::RevocationList];

    const fn text(self) -> &'static str {
        match self {
            Self::Certificate => "CERTIFICATE",
            Self::RevocationList => "X509 CRL",
        }
    }

    /// The label of the line that begins or ends a block.
    fn of_line(line: &str, prefix: &str) -> Option<Self> {
        let text = line.strip_prefix(prefix)?.strip_suffix("-----")?;
        Self::ALL.into_iter().find(|label| label.text() == text)
    }
}

/// One block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PemBlock {
    /// What it says that it holds.
    pub label: PemLabel,
    /// The content, at most [`COLLATERAL_SIZE_MAX`] bytes; that it is DER is not checked.
    pub der: Vec<u8>,
}

/// The text is no sequence of blocks, has a block of another kind, or more blocks or larger ones than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PemError;

impl fmt::Display for PemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a sequence of pem certificates and revocation lists")
    }
}

impl core::error::Error for PemError {}

/// Reads at most `blocks_max` blocks with nothing but white space and NUL around them.
///
/// # Errors
/// [`PemError`].
pub fn read_pem(text: &[u8], blocks_max: usize) -> Result<Vec<PemBlock>, PemError> {
    let text = core::str::from_utf8(text).ok().ok_or(PemError)?;
    let mut blocks = Vec::new();
    let mut open: Option<(PemLabel, String)> = None;
    for line in text.split('\n') {
        let line = line.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\0');
        open = match open {
            None if line.is_empty() => None,
            None => {
                let label = PemLabel::of_line(line, "-----BEGIN ").ok_or(PemError)?;
                if blocks.len() >= blocks_max {
                    return Err(PemError);
                }
                Some((label, String::new()))
            }
            Some((label, body)) if line.starts_with('-') => {
                if PemLabel::of_line(line, "-----END ") != Some(label) || body.is_empty() {
                    return Err(PemError);
                }
                let der = Base64::decode_vec(&body).ok().ok_or(PemError)?;
                if der.len() > COLLATERAL_SIZE_MAX {
                    return Err(PemError);
                }
                blocks.push(PemBlock { label, der });
                None
            }
            Some((label, mut body)) => {
                if body.len().saturating_add(line.len()) > BODY_SIZE_MAX {
                    return Err(PemError);
                }
                body.push_str(line);
                Some((label, body))
            }
        };
    }
    match open {
        None => Ok(blocks),
        Some(_) => Err(PemError),
    }
}

/// The text of blocks, one after the other.
#[must_use]
pub fn write_pem<'a>(blocks: impl IntoIterator<Item = (PemLabel, &'a [u8])>) -> String {
    let mut text = String::new();
    for (label, der) in blocks {
        let label = label.text();
        let body = Base64::encode_string(der);
        for part in ["-----BEGIN ", label, "-----\n"] {
            text.push_str(part);
        }
        for (index, character) in body.chars().enumerate() {
            if index > 0 && index.is_multiple_of(LINE_SIZE) {
                text.push('\n');
            }
            text.push(character);
        }
        for part in ["\n-----END ", label, "-----\n"] {
            text.push_str(part);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec;

    use super::*;

    const GOOD: &str = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";

    fn read(text: &str) -> Result<Vec<PemBlock>, PemError> {
        read_pem(text.as_bytes(), 3)
    }

    #[test]
    fn reads_what_it_writes() {
        let long: Vec<u8> = (0..=u8::MAX).collect();
        for length in 1..long.len() {
            let blocks = [
                (PemLabel::Certificate, &long[..length]),
                (PemLabel::RevocationList, &long[length..]),
            ];
            let text = write_pem(blocks);
            assert!(text.lines().all(|line| line.len() <= LINE_SIZE));
            let read = read(&text).unwrap();
            assert_eq!(read.len(), 2);
            for (block, (label, der)) in read.iter().zip(blocks) {
                assert_eq!((block.label, block.der.as_slice()), (label, der));
            }
        }
    }

    #[test]
    fn takes_white_space_around_blocks_and_carriage_returns() {
        let crlf = GOOD.replace('\n', "\r\n");
        assert_eq!(read(&format!("\n {crlf}\n\n{GOOD}\0")).unwrap().len(), 2);
        assert_eq!(read(""), Ok(vec![]));
    }

    #[test]
    fn refuses_everything_else() {
        let key = GOOD.replace("CERTIFICATE", "PRIVATE KEY");
        for text in [
            "text",
            &format!("subject=a\n{GOOD}"),
            &key,
            &GOOD.replace("END CERTIFICATE", "END X509 CRL"),
            &GOOD.replace("MAA=", "MAA"),
            &GOOD.replace("MAA=", "M A="),
            &GOOD.replace("MAA=\n", ""),
            &GOOD.replace("-----END CERTIFICATE-----\n", ""),
            &GOOD.replace("-----END CERTIFICATE-----", "-----END CERTIFICATE"),
            &GOOD.repeat(4),
        ] {
            assert_eq!(read(text), Err(PemError), "{text}");
        }
        assert_eq!(read_pem(b"\xff\xfe", 3), Err(PemError));
        assert!(read(&GOOD.repeat(3)).is_ok());
    }

    #[test]
    fn refuses_a_block_above_the_limit() {
        let write = |size: usize| write_pem([(PemLabel::Certificate, vec![7; size].as_slice())]);
        assert!(read(&write(COLLATERAL_SIZE_MAX)).is_ok());
        assert_eq!(read(&write(COLLATERAL_SIZE_MAX + 1)), Err(PemError));
        assert_eq!(read(&write(COLLATERAL_SIZE_MAX + 9)), Err(PemError));
    }
}
