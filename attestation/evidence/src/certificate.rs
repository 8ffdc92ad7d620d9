//! X.509 certificates (RFC 5280) of exactly the shapes that AMD issues.

use core::fmt;

use alloc::vec::Vec;

use crate::der::BIT_STRING;
use crate::der::BOOLEAN;
use crate::der::CONTEXT_0;
use crate::der::CONTEXT_3;
use crate::der::Der;
use crate::der::DerError;
use crate::der::NULL;
use crate::der::OCTET_STRING;
use crate::der::SEQUENCE;
use crate::name::Name;
use crate::pss::read_pss;
use crate::time::read_time_ms;

/// AMD's certificates are below 1,700 bytes.
const CERTIFICATE_SIZE_MAX: usize = 4096;
/// The most extensions that a VCEK has is 12.
const EXTENSIONS_MAX: usize = 16;
/// RFC 5280 section 4.1.2.2.
const SERIAL_SIZE_MAX: usize = 20;
/// RSA-4096.
const RSA_MODULUS_SIZE: usize = 512;
/// A PSS signature by an RSA-4096 key.
pub(crate) const RSA_SIGNATURE_SIZE: usize = 512;
/// 65537.
const RSA_EXPONENT: &[u8] = &[1, 0, 1];
/// An uncompressed P-384 point.
const P384_POINT_SIZE: usize = 97;

/// 1.2.840.113549.1.1.1.
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// 1.2.840.10045.2.1.
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// 1.3.132.0.34.
const SECP384R1: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
/// 2.5.29.14.
const SUBJECT_KEY_ID: &[u8] = &[0x55, 0x1d, 0x0e];
/// 2.5.29.15.
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
/// 2.5.29.19.
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
/// 2.5.29.31.
const CRL_DISTRIBUTION_POINTS: &[u8] = &[0x55, 0x1d, 0x1f];
/// 2.5.29.35.
pub(crate) const AUTHORITY_KEY_ID: &[u8] = &[0x55, 0x1d, 0x23];
/// 1.3.6.1.4.1.3704.1, the arc of AMD's extensions.
pub(crate) const AMD_ARC: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x9c, 0x78, 0x01];

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateError {
    /// It is longer than any certificate that AMD issues.
    Size,
    /// Its encoding breaks a rule.
    Der(DerError),
    /// It is not version 3.
    Version,
    /// Its serial number is longer than 20 bytes.
    Serial,
    /// The algorithm inside the signed part differs from the one outside.
    AlgorithmMismatch,
    /// Its signature is not RSASSA-PSS with SHA-384, MGF1-SHA-384 and a salt of 48 bytes.
    SignatureAlgorithm(DerError),
    /// Its signature is not 512 bytes long.
    SignatureSize,
    /// Its key is neither RSA-4096 with exponent 65537 nor an uncompressed point of P-384.
    PublicKey,
    /// It has too many extensions, one twice, or an empty list of them.
    Extensions,
    /// It has an extension that no rule covers.
    UnknownExtension,
    /// An extension's value or criticality breaks its rule.
    ExtensionValue,
    /// A required extension is missing.
    MissingExtension,
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size => f.write_str("it is too long"),
            Self::Der(error) => write!(f, "{error}"),
            Self::Version => f.write_str("it is not version 3"),
            Self::Serial => f.write_str("its serial number is too long"),
            Self::AlgorithmMismatch => f.write_str("its two signature algorithms differ"),
            Self::SignatureAlgorithm(_) => {
                f.write_str("its signature is not RSASSA-PSS with SHA-384 and a salt of 48 bytes")
            }
            Self::SignatureSize => f.write_str("its signature is not 512 bytes long"),
            Self::PublicKey => f.write_str("its key is neither RSA-4096 nor P-384"),
            Self::Extensions => {
                f.write_str("its extensions are too many, twice there or an empty list")
            }
            Self::UnknownExtension => f.write_str("it has an extension that no rule covers"),
            Self::ExtensionValue => f.write_str("an extension breaks its rule"),
            Self::MissingExtension => f.write_str("a required extension is missing"),
        }
    }
}

impl core::error::Error for CertificateError {}

impl From<DerError> for CertificateError {
    fn from(error: DerError) -> Self {
        Self::Der(error)
    }
}

/// A subject's public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "AMD's chains have these two kinds of keys"
)]
pub enum PublicKey<'a> {
    /// RSA-4096 with exponent 65537: the DER of `RSAPublicKey` (RFC 8017).
    Rsa4096(&'a [u8]),
    /// An uncompressed point of P-384, 97 bytes.
    P384(&'a [u8]),
}

/// `basicConstraints` of a certificate authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "fixed by RFC 5280")]
pub struct BasicConstraints {
    /// How many intermediates may follow; none means no limit.
    pub path_length: Option<u8>,
}

/// `keyUsage`, as far as authorities use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the two sets that AMD uses")]
pub enum KeyUsage {
    /// `keyCertSign` alone: an intermediate.
    Certificates,
    /// `keyCertSign` and `cRLSign`: a root.
    CertificatesAndCrls,
}

/// One extension: object identifier, criticality, value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extension<'a> {
    pub(crate) oid: &'a [u8],
    pub(crate) critical: bool,
    pub(crate) value: &'a [u8],
}

/// A parsed certificate. Its signature is **not** checked here.
#[derive(Clone, Debug)]
pub struct Certificate<'a> {
    der: &'a [u8],
    tbs: &'a [u8],
    serial: &'a [u8],
    issuer: Name<'a>,
    subject: Name<'a>,
    not_before_ms: u64,
    not_after_ms: u64,
    key: PublicKey<'a>,
    extensions: Vec<Extension<'a>>,
    signature: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// Parses one certificate.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, CertificateError> {
        if bytes.len() > CERTIFICATE_SIZE_MAX {
            return Err(CertificateError::Size);
        }
        let mut outer = Der::new(bytes);
        let mut certificate = outer.enter(SEQUENCE)?;
        outer.finish()?;
        let tbs = certificate.expect(SEQUENCE)?;
        let algorithm = certificate.expect(SEQUENCE)?;
        let signature = certificate.bit_string_bytes()?;
        certificate.finish()?;
        if signature.len() != RSA_SIGNATURE_SIZE {
            return Err(CertificateError::SignatureSize);
        }

        let mut body = Der::new(tbs.contents);
        let mut version = body.enter(CONTEXT_0)?;
        if version.small()? != 2 {
            return Err(CertificateError::Version);
        }
        version.finish()?;
        let serial = body.unsigned()?;
        if serial.len() > SERIAL_SIZE_MAX {
            return Err(CertificateError::Serial);
        }
        let inner_algorithm = body.expect(SEQUENCE)?;
        if inner_algorithm.whole != algorithm.whole {
            return Err(CertificateError::AlgorithmMismatch);
        }
        read_pss(algorithm.contents).map_err(CertificateError::SignatureAlgorithm)?;
        let issuer = Name::read(&mut body)?;
        let mut validity = body.enter(SEQUENCE)?;
        let not_before_ms = read_time_ms(&mut validity)?;
        let not_after_ms = read_time_ms(&mut validity)?;
        validity.finish()?;
        let subject = Name::read(&mut body)?;
        let key = read_public_key(&mut body)?;
        let extensions = read_extensions(body.enter(CONTEXT_3)?)?;
        body.finish()?;
        Ok(Self {
            der: bytes,
            tbs: tbs.whole,
            serial,
            issuer,
            subject,
            not_before_ms,
            not_after_ms,
            key,
            extensions,
            signature,
        })
    }

    /// The whole certificate.
    #[must_use]
    pub const fn der(&self) -> &'a [u8] {
        self.der
    }

    /// The bytes that the issuer signed.
    #[must_use]
    pub const fn signed(&self) -> &'a [u8] {
        self.tbs
    }

    /// The serial number's magnitude, big-endian without leading zeros. It is zero in every leaf of AMD.
    #[must_use]
    pub const fn serial(&self) -> &'a [u8] {
        self.serial
    }

    /// Who signed it.
    #[must_use]
    pub const fn issuer(&self) -> &Name<'a> {
        &self.issuer
    }

    /// Whom it is about.
    #[must_use]
    pub const fn subject(&self) -> &Name<'a> {
        &self.subject
    }

    /// Valid from this time, milliseconds since the Unix epoch.
    #[must_use]
    pub const fn not_before_ms(&self) -> u64 {
        self.not_before_ms
    }

    /// Valid up to and including this time, milliseconds since the Unix epoch.
    #[must_use]
    pub const fn not_after_ms(&self) -> u64 {
        self.not_after_ms
    }

    /// The subject's key.
    #[must_use]
    pub const fn key(&self) -> &PublicKey<'a> {
        &self.key
    }

    /// The issuer's RSASSA-PSS signature, 512 bytes.
    #[must_use]
    pub const fn signature(&self) -> &'a [u8] {
        self.signature
    }

    pub(crate) fn extensions(&self) -> &[Extension<'a>] {
        &self.extensions
    }

    /// The two extensions that make it an authority. Key identifiers and the pointer to the revocation list may be
    /// there, must not be critical, and decide nothing.
    ///
    /// # Errors
    /// An extension is missing, unknown, or breaks its rule.
    pub fn authority(&self) -> Result<(BasicConstraints, KeyUsage), CertificateError> {
        let mut constraints = None;
        let mut usage = None;
        for extension in &self.extensions {
            match extension.oid {
                BASIC_CONSTRAINTS if extension.critical => {
                    constraints = Some(read_basic_constraints(extension.value)?);
                }
                KEY_USAGE if extension.critical => usage = Some(read_key_usage(extension.value)?),
                SUBJECT_KEY_ID | AUTHORITY_KEY_ID | CRL_DISTRIBUTION_POINTS
                    if !extension.critical => {}
                BASIC_CONSTRAINTS
                | KEY_USAGE
                | SUBJECT_KEY_ID
                | AUTHORITY_KEY_ID
                | CRL_DISTRIBUTION_POINTS => return Err(CertificateError::ExtensionValue),
                _ => return Err(CertificateError::UnknownExtension),
            }
        }
        match (constraints, usage) {
            (Some(constraints), Some(usage)) => Ok((constraints, usage)),
            _ => Err(CertificateError::MissingExtension),
        }
    }
}

fn read_public_key<'a>(der: &mut Der<'a>) -> Result<PublicKey<'a>, CertificateError> {
    let mut info = der.enter(SEQUENCE)?;
    let mut algorithm = info.enter(SEQUENCE)?;
    let bytes = info.bit_string_bytes()?;
    info.finish()?;
    match algorithm.oid()? {
        RSA_ENCRYPTION => {
            if !algorithm.expect(NULL)?.contents.is_empty() {
                return Err(CertificateError::PublicKey);
            }
            algorithm.finish()?;
            let mut outer = Der::new(bytes);
            let mut key = outer.enter(SEQUENCE)?;
            outer.finish()?;
            let modulus = key.unsigned()?;
            let exponent = key.unsigned()?;
            key.finish()?;
            let full = modulus.len() == RSA_MODULUS_SIZE
                && modulus.first().is_some_and(|byte| *byte >= 0x80);
            if full && exponent == RSA_EXPONENT {
                Ok(PublicKey::Rsa4096(bytes))
            } else {
                Err(CertificateError::PublicKey)
            }
        }
        EC_PUBLIC_KEY => {
            let curve = algorithm.oid()?;
            algorithm.finish()?;
            if curve == SECP384R1 && bytes.len() == P384_POINT_SIZE && bytes.first() == Some(&4) {
                Ok(PublicKey::P384(bytes))
            } else {
                Err(CertificateError::PublicKey)
            }
        }
        _ => Err(CertificateError::PublicKey),
    }
}

/// Reads `Extensions` from inside its context tag: at least one, in any order, each once.
pub(crate) fn read_extensions(mut outer: Der<'_>) -> Result<Vec<Extension<'_>>, CertificateError> {
    let mut list = outer.enter(SEQUENCE)?;
    outer.finish()?;
    if list.is_empty() {
        return Err(CertificateError::Extensions);
    }
    let mut extensions: Vec<Extension<'_>> = Vec::new();
    while !list.is_empty() {
        let mut der = list.enter(SEQUENCE)?;
        let oid = der.oid()?;
        let critical = read_critical(&mut der)?;
        let value = der.expect(OCTET_STRING)?.contents;
        der.finish()?;
        let repeated = extensions.iter().any(|other| other.oid == oid);
        if repeated || extensions.len() >= EXTENSIONS_MAX {
            return Err(CertificateError::Extensions);
        }
        extensions.push(Extension {
            oid,
            critical,
            value,
        });
    }
    Ok(extensions)
}

/// `critical BOOLEAN DEFAULT FALSE`: DER writes the default by leaving it out.
fn read_critical(der: &mut Der<'_>) -> Result<bool, DerError> {
    if der.peek() != Some(BOOLEAN) {
        return Ok(false);
    }
    if der.expect(BOOLEAN)?.contents == [0xff] {
        Ok(true)
    } else {
        Err(DerError::Value)
    }
}

fn read_basic_constraints(value: &[u8]) -> Result<BasicConstraints, CertificateError> {
    let mut outer = Der::new(value);
    let mut der = outer.enter(SEQUENCE)?;
    outer.finish()?;
    if der.expect(BOOLEAN)?.contents != [0xff] {
        return Err(CertificateError::ExtensionValue);
    }
    let path_length = if der.is_empty() {
        None
    } else {
        Some(der.small()?)
    };
    der.finish()?;
    Ok(BasicConstraints { path_length })
}

/// Bit 5 is `keyCertSign` and bit 6 `cRLSign`. AMD does not drop the trailing zero bit of an intermediate's
/// usage, so the count of unused bits may be one or two.
fn read_key_usage(value: &[u8]) -> Result<KeyUsage, CertificateError> {
    let mut der = Der::new(value);
    let bits = der.expect(BIT_STRING)?.contents;
    der.finish()?;
    match bits {
        [1 | 2, 0x04] => Ok(KeyUsage::Certificates),
        [1, 0x06] => Ok(KeyUsage::CertificatesAndCrls),
        _ => Err(CertificateError::ExtensionValue),
    }
}

#[cfg(test)]
mod tests;
