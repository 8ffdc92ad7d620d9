//! The emulated key distribution: certificates and revocation lists of AMD's exact shapes (AMD 57230, RFC 5280).

use chancery_evidence::{ProductLine, TcbComponents};
use rsa::PrivateKey;
use rsa::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, EncodePublicKey as _};
use rsa::sha2::Sha384;
use sha2::{Digest as _, Sha256};

use crate::crl::{CrlIssue, CrlSchedule};
use crate::der;
use crate::error::EmulationError;
use crate::random::SystemRng;

/// Size of the root and intermediate keys in bits, as AMD's.
const RSA_BITS: usize = 4096;

/// Times are set back by this much (one day, in milliseconds), so that a clock which is behind accepts them.
pub(crate) const BACKDATE_MS: u64 = 86_400_000;

/// Validity of root and intermediate: 25 years in milliseconds, as AMD's.
const AUTHORITY_VALID_MS: u64 = 25 * 365 * 86_400_000;
/// Validity of a leaf: 7 years in milliseconds, as AMD's.
const LEAF_VALID_MS: u64 = 7 * 365 * 86_400_000;
/// Validity of a revocation list: 47 days in milliseconds, as AMD's of 2026.
pub(crate) const CRL_VALID_MS: u64 = 47 * 86_400_000;

const OID_RSASSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
const OID_MGF1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08];
const OID_SHA384: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];
const OID_EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const OID_SECP384R1: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const OID_SUBJECT_KEY_ID: &[u8] = &[0x55, 0x1d, 0x0e];
const OID_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const OID_BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const OID_CRL_NUMBER: &[u8] = &[0x55, 0x1d, 0x14];
const OID_AUTHORITY_KEY_ID: &[u8] = &[0x55, 0x1d, 0x23];
const OID_ORGANISATIONAL_UNIT: &[u8] = &[0x55, 0x04, 0x0b];
const OID_ORGANISATION: &[u8] = &[0x55, 0x04, 0x0a];
const OID_COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// 1.3.6.1.4.1.3704.1, under which AMD's extensions are.
const AMD_ARC: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x9c, 0x78, 0x01];

/// How the default trailer field of RSASSA-PSS is written. AMD wrote it until 2024 and leaves it out since; parsers must take both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrailerEncoding {
    /// Written.
    Explicit,
    /// Left out, as DER wants it.
    Omitted,
}

impl TrailerEncoding {
    /// The word of the state file and of the command line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Explicit => "explicit",
            Self::Omitted => "omitted",
        }
    }

    /// The encoding that a word names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Explicit, Self::Omitted]
            .into_iter()
            .find(|encoding| encoding.word() == word)
    }
}

/// A root or intermediate key.
pub(crate) struct AuthorityKey(PrivateKey);

impl AuthorityKey {
    /// Makes a key; takes about a second.
    pub(crate) fn generate() -> Result<Self, EmulationError> {
        PrivateKey::new(&mut SystemRng, RSA_BITS)
            .map(Self)
            .ok()
            .ok_or(EmulationError::Crypto)
    }

    pub(crate) fn from_pkcs8(der: &[u8]) -> Result<Self, EmulationError> {
        PrivateKey::from_pkcs8_der(der)
            .map(Self)
            .ok()
            .ok_or(EmulationError::Crypto)
    }

    pub(crate) fn to_pkcs8(&self) -> Result<Vec<u8>, EmulationError> {
        let der = self.0.to_pkcs8_der().ok().ok_or(EmulationError::Crypto)?;
        Ok(der.as_bytes().to_vec())
    }

    /// SubjectPublicKeyInfo.
    fn public(&self) -> Result<Vec<u8>, EmulationError> {
        let der = self
            .0
            .to_public_key()
            .to_public_key_der()
            .ok()
            .ok_or(EmulationError::Crypto)?;
        Ok(der.into_vec())
    }

    /// RSASSA-PSS with SHA-384 and a salt of 48 bytes.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, EmulationError> {
        self.0
            .pss_sign_with_rng::<Sha384, _>(&mut SystemRng, message)
            .ok()
            .ok_or(EmulationError::Crypto)
    }

    /// The signed object: what is signed, the algorithm, the signature.
    fn seal(&self, tbs: &[u8], trailer: TrailerEncoding) -> Result<Vec<u8>, EmulationError> {
        let signature = der::bit_string(&self.sign(tbs)?);
        Ok(der::sequence(&[tbs, &pss_algorithm(trailer), &signature]))
    }
}

/// The common name of the emulated root.
pub(crate) fn ark_name(line: ProductLine) -> String {
    format!("ARK-Emulated-{line}")
}

/// The common name of the emulated intermediate.
pub(crate) fn ask_name(line: ProductLine) -> String {
    format!("SEV-Emulated-{line}")
}

const VCEK_NAME: &str = "SEV-VCEK";

/// The serial numbers of root and intermediate, as AMD's.
const fn serials(line: ProductLine) -> ([u8; 3], [u8; 3]) {
    match line {
        ProductLine::Milan => ([1, 0, 0], [1, 0, 1]),
        ProductLine::Genoa => ([2, 0, 0], [2, 0, 2]),
        ProductLine::Turin => ([3, 0, 0], [3, 0, 1]),
    }
}

/// The serial number of the intermediate, by which a list revokes it.
pub(crate) const fn ask_serial(line: ProductLine) -> [u8; 3] {
    serials(line).1
}

/// The self-signed root.
pub(crate) fn ark_certificate(
    ark: &AuthorityKey,
    line: ProductLine,
    made_ms: u64,
) -> Result<Vec<u8>, EmulationError> {
    let public = ark.public()?;
    let extensions = [
        subject_key_id(&public),
        critical(OID_BASIC_CONSTRAINTS, &[0x30, 3, 1, 1, 0xff]),
        critical(OID_KEY_USAGE, &[3, 2, 1, 0x06]), // keyCertSign, cRLSign
    ];
    let body = CertificateBody {
        serial: &serials(line).0,
        issuer: &ark_name(line),
        subject: &ark_name(line),
        not_before_ms: made_ms.saturating_sub(BACKDATE_MS),
        valid_ms: AUTHORITY_VALID_MS,
        public: &public,
        extensions: &extensions.concat(),
    };
    body.sign(ark, TrailerEncoding::Explicit)
}

/// The intermediate, signed by the root.
pub(crate) fn ask_certificate(
    ark: &AuthorityKey,
    ask: &AuthorityKey,
    line: ProductLine,
    made_ms: u64,
) -> Result<Vec<u8>, EmulationError> {
    let public = ask.public()?;
    let extensions = [
        subject_key_id(&public),
        authority_key_id(&ark.public()?),
        critical(OID_BASIC_CONSTRAINTS, &[0x30, 6, 1, 1, 0xff, 2, 1, 0]),
        critical(OID_KEY_USAGE, &[3, 2, 2, 0x04]), // keyCertSign
    ];
    let body = CertificateBody {
        serial: &ask_serial(line),
        issuer: &ark_name(line),
        subject: &ask_name(line),
        not_before_ms: made_ms.saturating_sub(BACKDATE_MS),
        valid_ms: AUTHORITY_VALID_MS,
        public: &public,
        extensions: &extensions.concat(),
    };
    body.sign(ark, TrailerEncoding::Explicit)
}

/// What a leaf says.
pub(crate) struct Leaf<'a> {
    pub(crate) line: ProductLine,
    pub(crate) tcb: TcbComponents,
    /// The raw hardware id: 64 bytes, Turin 8.
    pub(crate) hardware_id: &'a [u8],
    /// The uncompressed point.
    pub(crate) public: &'a [u8],
}

/// A VCEK certificate, signed by the intermediate.
pub(crate) fn vcek_certificate(
    ask: &AuthorityKey,
    leaf: &Leaf<'_>,
    made_ms: u64,
    trailer: TrailerEncoding,
) -> Result<Vec<u8>, EmulationError> {
    let algorithm = der::sequence(&[
        &der::element(der::OID, &[OID_EC_PUBLIC_KEY]),
        &der::element(der::OID, &[OID_SECP384R1]),
    ]);
    let public = der::sequence(&[&algorithm, &der::bit_string(leaf.public)]);
    let body = CertificateBody {
        serial: &[],
        issuer: &ask_name(leaf.line),
        subject: VCEK_NAME,
        not_before_ms: made_ms.saturating_sub(BACKDATE_MS),
        valid_ms: LEAF_VALID_MS,
        public: &public,
        extensions: &amd_extensions(leaf),
    };
    body.sign(ask, trailer)
}

/// AMD's extensions in the order of genuine leaves.
fn amd_extensions(leaf: &Leaf<'_>) -> Vec<u8> {
    let amd = |suffix: &[u8], value: &[u8]| extension(&[AMD_ARC, suffix].concat(), value);
    let level = |suffix: &[u8], value: u8| amd(suffix, &der::unsigned(&[value]));
    let product = der::element(der::IA5_STRING, &[leaf.line.name().as_bytes()]);
    let mut out = level(&[1], leaf.line.struct_version());
    out.extend(amd(&[2], &product));
    let turin = leaf.line == ProductLine::Turin;
    if turin {
        out.extend(level(&[3, 9], leaf.tcb.fmc));
    }
    out.extend(level(&[3, 1], leaf.tcb.bootloader));
    out.extend(level(&[3, 2], leaf.tcb.tee));
    if turin {
        out.extend(level(&[3, 3], leaf.tcb.snp));
        for reserved in 5..=7 {
            out.extend(level(&[3, reserved], 0));
        }
    } else {
        for reserved in 4..=7 {
            out.extend(level(&[3, reserved], 0));
        }
        out.extend(level(&[3, 3], leaf.tcb.snp));
    }
    out.extend(level(&[3, 8], leaf.tcb.microcode));
    // The hardware id stands there as it is, without an encoding of its own.
    out.extend(amd(&[4], leaf.hardware_id));
    out
}

/// A revocation list of the root.
pub(crate) fn revocation_list(
    ark: &AuthorityKey,
    line: ProductLine,
    schedule: &CrlSchedule,
    issue: CrlIssue,
) -> Result<Vec<u8>, EmulationError> {
    let CrlIssue { number, made_ms } = issue;
    let this_update_ms = made_ms.saturating_sub(BACKDATE_MS);
    let entries: Vec<u8> = schedule
        .revoked
        .iter()
        .flat_map(|entry| {
            let serial = der::unsigned(&entry.serial);
            der::sequence(&[&serial, &der::time(entry.revoked_ms)])
        })
        .collect();
    // RFC 5280 section 5.1.2.6: a list without entries has no sequence of them.
    let entries = if entries.is_empty() {
        Vec::new()
    } else {
        der::sequence(&[&entries])
    };
    let number = der::unsigned(&number.to_be_bytes());
    let extensions = der::sequence(&[
        &authority_key_id(&ark.public()?),
        &extension(OID_CRL_NUMBER, &number),
    ]);
    let trailer = TrailerEncoding::Omitted;
    let tbs = der::sequence(&[
        &der::unsigned(&[1]), // version 2
        &pss_algorithm(trailer),
        &name(&ark_name(line)),
        &der::time(this_update_ms),
        &der::time(made_ms.saturating_add(CRL_VALID_MS)),
        &entries,
        &der::element(der::context(0), &[&extensions]),
    ]);
    ark.seal(&tbs, trailer)
}

/// What differs between certificates.
struct CertificateBody<'a> {
    serial: &'a [u8],
    issuer: &'a str,
    subject: &'a str,
    not_before_ms: u64,
    valid_ms: u64,
    /// SubjectPublicKeyInfo.
    public: &'a [u8],
    extensions: &'a [u8],
}

impl CertificateBody<'_> {
    fn sign(
        &self,
        issuer: &AuthorityKey,
        trailer: TrailerEncoding,
    ) -> Result<Vec<u8>, EmulationError> {
        let not_after_ms = self.not_before_ms.saturating_add(self.valid_ms);
        let tbs = der::sequence(&[
            &der::element(der::context(0), &[&der::unsigned(&[2])]), // version 3
            &der::unsigned(self.serial),
            &pss_algorithm(trailer),
            &name(self.issuer),
            &der::sequence(&[&der::time(self.not_before_ms), &der::time(not_after_ms)]),
            &name(self.subject),
            self.public,
            &der::element(der::context(3), &[&der::sequence(&[self.extensions])]),
        ]);
        issuer.seal(&tbs, trailer)
    }
}

/// RSASSA-PSS with SHA-384, MGF1 with SHA-384 and a salt of 48 bytes.
fn pss_algorithm(trailer: TrailerEncoding) -> Vec<u8> {
    let sha384 = der::sequence(&[
        &der::element(der::OID, &[OID_SHA384]),
        &der::element(der::NULL, &[]),
    ]);
    let mgf1 = der::sequence(&[&der::element(der::OID, &[OID_MGF1]), &sha384]);
    let trailer = match trailer {
        TrailerEncoding::Explicit => der::element(der::context(3), &[&der::unsigned(&[1])]),
        TrailerEncoding::Omitted => Vec::new(),
    };
    let parameters = der::sequence(&[
        &der::element(der::context(0), &[&sha384]),
        &der::element(der::context(1), &[&mgf1]),
        &der::element(der::context(2), &[&der::unsigned(&[48])]),
        &trailer,
    ]);
    der::sequence(&[&der::element(der::OID, &[OID_RSASSA_PSS]), &parameters])
}

/// A name that cannot be mistaken for one of AMD's.
fn name(common_name: &str) -> Vec<u8> {
    let attribute = |oid: &[u8], value: &str| {
        let pair = der::sequence(&[
            &der::element(der::OID, &[oid]),
            &der::element(der::UTF8_STRING, &[value.as_bytes()]),
        ]);
        der::element(der::SET, &[&pair])
    };
    der::sequence(&[
        &attribute(OID_ORGANISATIONAL_UNIT, "Emulated, protects nothing"),
        &attribute(OID_ORGANISATION, "Chancery development tools"),
        &attribute(OID_COMMON_NAME, common_name),
    ])
}

fn extension(oid: &[u8], value: &[u8]) -> Vec<u8> {
    der::sequence(&[
        &der::element(der::OID, &[oid]),
        &der::element(der::OCTET_STRING, &[value]),
    ])
}

fn critical(oid: &[u8], value: &[u8]) -> Vec<u8> {
    der::sequence(&[
        &der::element(der::OID, &[oid]),
        &der::element(der::BOOLEAN, &[&[0xff]]),
        &der::element(der::OCTET_STRING, &[value]),
    ])
}

/// RFC 7093 method 1: the first 20 bytes of the SHA-256 of the key.
fn key_id(public: &[u8]) -> [u8; 20] {
    let digest: [u8; 32] = Sha256::digest(public).into();
    let mut id = [0; 20];
    for (to, from) in id.iter_mut().zip(digest) {
        *to = from;
    }
    id
}

fn subject_key_id(public: &[u8]) -> Vec<u8> {
    let id = der::element(der::OCTET_STRING, &[&key_id(public)]);
    extension(OID_SUBJECT_KEY_ID, &id)
}

fn authority_key_id(public: &[u8]) -> Vec<u8> {
    let id = der::element(0x80, &[&key_id(public)]);
    extension(OID_AUTHORITY_KEY_ID, &der::sequence(&[&id]))
}
