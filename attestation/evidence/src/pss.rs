//! `RSASSA-PSS` parameters (RFC 4055 section 3.1).
//!
//! AMD encodes the default `trailerField` in older certificates and leaves it out in newer ones. Both are
//! accepted; everything else must be SHA-384, MGF1 with SHA-384, and a salt of 48 bytes.

use crate::der::CONTEXT_0;
use crate::der::CONTEXT_1;
use crate::der::CONTEXT_2;
use crate::der::CONTEXT_3;
use crate::der::Der;
use crate::der::DerError;
use crate::der::NULL;
use crate::der::SEQUENCE;

/// 1.2.840.113549.1.1.10.
const RSASSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
/// 1.2.840.113549.1.1.8.
const MGF1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08];
/// 2.16.840.1.101.3.4.2.2.
const SHA384: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];
/// The length of SHA-384 in bytes.
const SALT_SIZE: u8 = 48;

/// Reads the contents of an `AlgorithmIdentifier` that must be RSASSA-PSS with AMD's parameters.
pub(crate) fn read_pss(algorithm: &[u8]) -> Result<(), DerError> {
    let mut der = Der::new(algorithm);
    expect_oid(&mut der, RSASSA_PSS)?;
    let mut parameters = der.enter(SEQUENCE)?;
    der.finish()?;

    let mut hash = parameters.enter(CONTEXT_0)?;
    read_sha384(&mut hash)?;
    hash.finish()?;

    let mut mask = parameters.enter(CONTEXT_1)?;
    let mut mgf1 = mask.enter(SEQUENCE)?;
    mask.finish()?;
    expect_oid(&mut mgf1, MGF1)?;
    read_sha384(&mut mgf1)?;
    mgf1.finish()?;

    expect_small(&mut parameters, CONTEXT_2, SALT_SIZE)?;
    if !parameters.is_empty() {
        expect_small(&mut parameters, CONTEXT_3, 1)?;
    }
    parameters.finish()
}

fn expect_oid(der: &mut Der<'_>, oid: &[u8]) -> Result<(), DerError> {
    if der.oid()? == oid {
        Ok(())
    } else {
        Err(DerError::Value)
    }
}

fn read_sha384(der: &mut Der<'_>) -> Result<(), DerError> {
    let mut algorithm = der.enter(SEQUENCE)?;
    expect_oid(&mut algorithm, SHA384)?;
    if !algorithm.expect(NULL)?.contents.is_empty() {
        return Err(DerError::Value);
    }
    algorithm.finish()
}

fn expect_small(der: &mut Der<'_>, tag: u8, value: u8) -> Result<(), DerError> {
    let mut inner = der.enter(tag)?;
    let got = inner.small()?;
    inner.finish()?;
    if got == value {
        Ok(())
    } else {
        Err(DerError::Value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn parameters(salt: u8, trailer: &[u8]) -> Vec<u8> {
        let hash: Vec<u8> = [&[0x30, 13, 6, 9], SHA384, &[5, 0]].concat();
        let mut inner = [&[0xa0, 15][..], &hash].concat();
        inner.extend([&[0xa1, 28, 0x30, 26, 6, 9], MGF1, &hash].concat());
        inner.extend([0xa2, 3, 2, 1, salt]);
        inner.extend(trailer);
        let length = u8::try_from(inner.len()).unwrap();
        [&[6, 9], RSASSA_PSS, &[0x30, length], &inner].concat()
    }

    #[test]
    fn accepts_both_encodings_of_the_default_trailer() {
        assert_eq!(read_pss(&parameters(48, &[])), Ok(()));
        assert_eq!(read_pss(&parameters(48, &[0xa3, 3, 2, 1, 1])), Ok(()));
    }

    #[test]
    fn refuses_other_salts_trailers_and_hashes() {
        assert!(read_pss(&parameters(32, &[])).is_err());
        assert!(read_pss(&parameters(48, &[0xa3, 3, 2, 1, 2])).is_err());
        assert!(read_pss(&parameters(48, &[0xa3, 3, 2, 1, 1, 0xa4, 0])).is_err());
        let good = parameters(48, &[]);
        for index in 0..good.len() {
            let mut bad = good.clone();
            bad[index] ^= 1;
            assert!(read_pss(&bad).is_err(), "byte {index}");
        }
    }
}
