//! A report with everything that is needed to check it offline.

use core::fmt;

use alloc::vec::Vec;

/// In front of the encoding.
const PURPOSE: &[u8] = b"chancery/evidence/v1";

/// The longest report, certificate or revocation list that is carried, in bytes.
const PART_SIZE_MAX: usize = 65_535;

/// Report and collateral, as received; nothing in it is believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the five parts of evidence version 1"
)]
pub struct Evidence {
    /// The attestation report, 1184 bytes.
    pub report: Vec<u8>,
    /// The leaf certificate, DER.
    pub vcek: Vec<u8>,
    /// The intermediate certificate, DER.
    pub ask: Vec<u8>,
    /// The root certificate, DER.
    pub ark: Vec<u8>,
    /// The root's revocation list, DER; empty when there is none.
    pub crl: Vec<u8>,
}

/// What is wrong with encoded evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EvidenceError {
    /// It does not begin with the purpose string of evidence version 1.
    Purpose,
    /// It ends inside a part.
    Truncated,
    /// A part is longer than 65,535 bytes.
    PartTooLong,
    /// Bytes follow the last part.
    Trailing,
}

impl fmt::Display for EvidenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Purpose => "it is not evidence of version 1",
            Self::Truncated => "it ends inside a part",
            Self::PartTooLong => "a part is longer than 65535 bytes",
            Self::Trailing => "bytes follow the last part",
        })
    }
}

impl core::error::Error for EvidenceError {}

impl Evidence {
    /// u8 length and purpose string, then five parts, each with a u32 big-endian length.
    ///
    /// # Errors
    /// [`EvidenceError::PartTooLong`].
    pub fn encode(&self) -> Result<Vec<u8>, EvidenceError> {
        let mut out = Vec::new();
        out.push(u8::try_from(PURPOSE.len()).map_err(|_size| EvidenceError::Purpose)?);
        out.extend_from_slice(PURPOSE);
        for part in [&self.report, &self.vcek, &self.ask, &self.ark, &self.crl] {
            if part.len() > PART_SIZE_MAX {
                return Err(EvidenceError::PartTooLong);
            }
            let length = u32::try_from(part.len()).map_err(|_size| EvidenceError::PartTooLong)?;
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(part);
        }
        Ok(out)
    }

    /// Reads exactly one encoding.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn decode(bytes: &[u8]) -> Result<Self, EvidenceError> {
        let (length, rest) = bytes.split_first().ok_or(EvidenceError::Truncated)?;
        let (purpose, rest) = rest
            .split_at_checked(usize::from(*length))
            .ok_or(EvidenceError::Truncated)?;
        if purpose != PURPOSE {
            return Err(EvidenceError::Purpose);
        }
        let (report, rest) = part(rest)?;
        let (vcek, rest) = part(rest)?;
        let (ask, rest) = part(rest)?;
        let (ark, rest) = part(rest)?;
        let (crl, rest) = part(rest)?;
        if !rest.is_empty() {
            return Err(EvidenceError::Trailing);
        }
        Ok(Self {
            report,
            vcek,
            ask,
            ark,
            crl,
        })
    }
}

fn part(bytes: &[u8]) -> Result<(Vec<u8>, &[u8]), EvidenceError> {
    let (length, rest) = bytes
        .split_first_chunk::<4>()
        .ok_or(EvidenceError::Truncated)?;
    let length =
        usize::try_from(u32::from_be_bytes(*length)).map_err(|_size| EvidenceError::PartTooLong)?;
    if length > PART_SIZE_MAX {
        return Err(EvidenceError::PartTooLong);
    }
    let (part, rest) = rest
        .split_at_checked(length)
        .ok_or(EvidenceError::Truncated)?;
    Ok((part.to_vec(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    fn sample() -> Evidence {
        Evidence {
            report: vec![1; 4],
            vcek: vec![2; 3],
            ask: vec![],
            ark: vec![4],
            crl: vec![5; 300],
        }
    }

    #[test]
    fn decodes_what_it_encodes() {
        let encoded = sample().encode().unwrap();
        assert_eq!(Evidence::decode(&encoded), Ok(sample()));
    }

    #[test]
    fn refuses_every_truncation_and_trailing_bytes() {
        let mut encoded = sample().encode().unwrap();
        for length in 0..encoded.len() {
            assert!(Evidence::decode(&encoded[..length]).is_err(), "{length}");
        }
        encoded.push(0);
        assert_eq!(Evidence::decode(&encoded), Err(EvidenceError::Trailing));
    }

    #[test]
    fn refuses_another_purpose_and_parts_that_are_too_long() {
        let mut encoded = sample().encode().unwrap();
        encoded[5] ^= 1;
        assert_eq!(Evidence::decode(&encoded), Err(EvidenceError::Purpose));
        let mut encoded = sample().encode().unwrap();
        encoded[22] = 1;
        assert_eq!(Evidence::decode(&encoded), Err(EvidenceError::PartTooLong));
        let long = Evidence {
            crl: vec![0; 65_536],
            ..sample()
        };
        assert_eq!(long.encode(), Err(EvidenceError::PartTooLong));
    }
}
