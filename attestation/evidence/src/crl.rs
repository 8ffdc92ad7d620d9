//! Certificate revocation lists (RFC 5280 section 5), as AMD's root keys sign them.

use core::fmt;

use alloc::vec::Vec;

use crate::certificate::AUTHORITY_KEY_ID;
use crate::certificate::CertificateError;
use crate::certificate::RSA_SIGNATURE_SIZE;
use crate::certificate::read_extensions;
use crate::der::CONTEXT_0;
use crate::der::Der;
use crate::der::DerError;
use crate::der::ENUMERATED;
use crate::der::INTEGER;
use crate::der::SEQUENCE;
use crate::name::Name;
use crate::pss::read_pss;
use crate::time::read_time_ms;

/// The lists seen are below 900 bytes.
const CRL_SIZE_MAX: usize = 65_535;
/// The longest list seen has one entry; a root revokes intermediates, of which it has few.
const REVOKED_MAX: usize = 1024;
/// RFC 5280 section 4.1.2.2.
const SERIAL_SIZE_MAX: usize = 20;
/// 2.5.29.20.
const CRL_NUMBER: &[u8] = &[0x55, 0x1d, 0x14];
/// 2.5.29.21.
const REASON_CODE: &[u8] = &[0x55, 0x1d, 0x15];

/// What is wrong with a revocation list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CrlError {
    /// It is too long.
    Size,
    /// Its encoding breaks a rule.
    Der(DerError),
    /// It is not version 2.
    Version,
    /// The algorithm inside the signed part differs from the one outside.
    AlgorithmMismatch,
    /// Its signature is not RSASSA-PSS with AMD's parameters, or not 512 bytes long.
    Signature,
    /// It has too many entries, or a serial number that is too long.
    Revoked,
    /// It has an extension that no rule covers, or one that breaks its rule.
    Extension,
}

impl fmt::Display for CrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size => f.write_str("it is too long"),
            Self::Der(error) => write!(f, "{error}"),
            Self::Version => f.write_str("it is not version 2"),
            Self::AlgorithmMismatch => f.write_str("its two signature algorithms differ"),
            Self::Signature => {
                f.write_str("its signature is not RSASSA-PSS with SHA-384 and a salt of 48 bytes")
            }
            Self::Revoked => f.write_str("its entries break a bound"),
            Self::Extension => f.write_str("it has an extension that no rule covers"),
        }
    }
}

impl core::error::Error for CrlError {}

impl From<DerError> for CrlError {
    fn from(error: DerError) -> Self {
        Self::Der(error)
    }
}

/// A parsed revocation list. Its signature is **not** checked here.
#[derive(Clone, Debug)]
pub struct Crl<'a> {
    tbs: &'a [u8],
    issuer: Name<'a>,
    this_update_ms: u64,
    next_update_ms: u64,
    revoked: Vec<&'a [u8]>,
    number: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Crl<'a> {
    /// Parses one revocation list.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, CrlError> {
        if bytes.len() > CRL_SIZE_MAX {
            return Err(CrlError::Size);
        }
        let mut outer = Der::new(bytes);
        let mut list = outer.enter(SEQUENCE)?;
        outer.finish()?;
        let tbs = list.expect(SEQUENCE)?;
        let algorithm = list.expect(SEQUENCE)?;
        let signature = list.bit_string_bytes()?;
        list.finish()?;
        if signature.len() != RSA_SIGNATURE_SIZE || read_pss(algorithm.contents).is_err() {
            return Err(CrlError::Signature);
        }

        let mut body = Der::new(tbs.contents);
        if body.small()? != 1 {
            return Err(CrlError::Version);
        }
        if body.expect(SEQUENCE)?.whole != algorithm.whole {
            return Err(CrlError::AlgorithmMismatch);
        }
        let issuer = Name::read(&mut body)?;
        let this_update_ms = read_time_ms(&mut body)?;
        let next_update_ms = read_time_ms(&mut body)?;
        let revoked = match body.peek() {
            Some(SEQUENCE) => read_revoked(body.enter(SEQUENCE)?)?,
            Some(_) | None => Vec::new(),
        };
        let number = read_crl_extensions(body.enter(CONTEXT_0)?)?;
        body.finish()?;
        Ok(Self {
            tbs: tbs.whole,
            issuer,
            this_update_ms,
            next_update_ms,
            revoked,
            number,
            signature,
        })
    }

    /// The bytes that the issuer signed.
    #[must_use]
    pub const fn signed(&self) -> &'a [u8] {
        self.tbs
    }

    /// Who signed it.
    #[must_use]
    pub const fn issuer(&self) -> &Name<'a> {
        &self.issuer
    }

    /// When it was made, milliseconds since the Unix epoch.
    #[must_use]
    pub const fn this_update_ms(&self) -> u64 {
        self.this_update_ms
    }

    /// When the next one is due, milliseconds since the Unix epoch.
    #[must_use]
    pub const fn next_update_ms(&self) -> u64 {
        self.next_update_ms
    }

    /// `cRLNumber`, big-endian without leading zeros.
    #[must_use]
    pub const fn number(&self) -> &'a [u8] {
        self.number
    }

    /// True when the issuer revoked the certificate with this serial number. Serial numbers of
    /// different issuers have nothing to do with each other.
    #[must_use]
    pub fn revokes(&self, serial: &[u8]) -> bool {
        self.revoked.contains(&serial)
    }

    /// The issuer's RSASSA-PSS signature, 512 bytes.
    #[must_use]
    pub const fn signature(&self) -> &'a [u8] {
        self.signature
    }
}

fn read_revoked<'a>(mut list: Der<'a>) -> Result<Vec<&'a [u8]>, CrlError> {
    let mut revoked: Vec<&'a [u8]> = Vec::new();
    // RFC 5280 section 5.1.2.6: an empty list is left out.
    if list.is_empty() {
        return Err(CrlError::Revoked);
    }
    while !list.is_empty() {
        let mut entry = list.enter(SEQUENCE)?;
        let serial = entry.unsigned()?;
        let _revoked_at_ms = read_time_ms(&mut entry)?;
        if !entry.is_empty() {
            read_entry_extensions(&entry)?;
            entry.expect(SEQUENCE)?;
        }
        entry.finish()?;
        if serial.len() > SERIAL_SIZE_MAX || revoked.len() >= REVOKED_MAX {
            return Err(CrlError::Revoked);
        }
        revoked.push(serial);
    }
    Ok(revoked)
}

/// An entry may have a reason, which does not matter: whatever the reason, it is revoked. Only RFC 5280 section 5.3.1's
/// reasons are known, and `removeFromCRL` belongs to partial lists.
fn read_entry_extensions(entry: &Der<'_>) -> Result<(), CrlError> {
    for extension in read_extensions(entry.clone()).map_err(extension_error)? {
        if extension.oid != REASON_CODE || extension.critical {
            return Err(CrlError::Extension);
        }
        let mut der = Der::new(extension.value);
        let reason = der.expect(ENUMERATED)?.contents;
        der.finish()?;
        if !matches!(reason, [0..=6 | 9 | 10]) {
            return Err(CrlError::Extension);
        }
    }
    Ok(())
}

/// Exactly a number and, if wanted, the issuer's key identifier. An indirect or partial list has a critical
/// extension and is refused.
fn read_crl_extensions(outer: Der<'_>) -> Result<&[u8], CrlError> {
    let mut number = None;
    for extension in read_extensions(outer).map_err(extension_error)? {
        match extension.oid {
            CRL_NUMBER if !extension.critical => {
                let mut der = Der::new(extension.value);
                if der.peek() != Some(INTEGER) {
                    return Err(CrlError::Extension);
                }
                number = Some(der.unsigned()?);
                der.finish()?;
            }
            AUTHORITY_KEY_ID if !extension.critical => {}
            _ => return Err(CrlError::Extension),
        }
    }
    number.ok_or(CrlError::Extension)
}

fn extension_error(error: CertificateError) -> CrlError {
    if let CertificateError::Der(error) = error {
        return CrlError::Der(error);
    }
    CrlError::Extension
}

#[cfg(test)]
mod tests;
