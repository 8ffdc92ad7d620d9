//! JSON Web Keys: <https://www.rfc-editor.org/rfc/rfc7517>, with the algorithms of RFC 7518 and RFC
//! 8037 and the thumbprint of RFC 7638.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use chancery_dsse::PublicKey;
use chancery_json::{Element, Fields, Limits, Value};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use sha2::{Digest as _, Sha256};

use crate::error::Error;

/// Largest key set, in bytes: 64 keys with their certificates.
pub const JWK_SET_SIZE_MAX: usize = 256 * 1024;

/// Most keys of a set, skipped ones included. Large issuers publish about ten.
pub const KEYS_MAX: usize = 64;

/// Largest single key, in bytes: 8192 bits of RSA and a certificate chain.
pub const JWK_SIZE_MAX: usize = 32 * 1024;

/// Longest `kid`, in bytes. It is compared, never used as a name.
const KEY_ID_LENGTH_MAX: usize = 512;

/// Smallest and largest RSA modulus, in bits, that the signature check accepts.
const RSA_BITS_MIN: usize = 2048;
const RSA_BITS_MAX: usize = 8192;

/// Smallest RSA exponent: smaller ones invite attacks on sloppy padding, and nobody issues them.
const RSA_EXPONENT_MIN: u64 = 65_537;
/// Largest RSA exponent that the signature check accepts.
const RSA_EXPONENT_MAX: u64 = (1 << 33) - 1;

/// Bytes of a coordinate on P-256 and of an Ed25519 key.
const COORDINATE_LENGTH: usize = 32;

/// Members of RFC 7518 section 6 that only a private or symmetric key has, and `priv` of the types to come.
const PRIVATE_MEMBERS: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

const SET_LIMITS: Limits = Limits {
    bytes_max: JWK_SET_SIZE_MAX,
    depth_max: 8,
    values_max: 4096,
};

const KEY_LIMITS: Limits = Limits {
    bytes_max: JWK_SIZE_MAX,
    depth_max: 6,
    values_max: 128,
};

/// A signature algorithm that is accepted. `none` and those with a shared secret have no place here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 section 3.3).
    Rs256,
    /// RSASSA-PSS with SHA-256 and MGF1 with SHA-256 (RFC 7518 section 3.5).
    Ps256,
    /// ECDSA on P-256 with SHA-256, the signature as R and S of 32 bytes (RFC 7518 section 3.4).
    Es256,
    /// Ed25519 (RFC 8037 section 3.1).
    EdDsa,
}

impl Algorithm {
    /// The name in `alg`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Reads a name, letter by letter.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Rs256, Self::Ps256, Self::Es256, Self::EdDsa]
            .into_iter()
            .find(|algorithm| algorithm.name() == text)
    }
}

/// Names a key: SHA-256 of its required members (RFC 7638 section 3). Shown as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thumbprint([u8; 32]);

impl Thumbprint {
    /// Takes over a thumbprint that was stored or logged before.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thumbprint({self})")
    }
}

#[derive(Clone, PartialEq, Eq)]
enum Material {
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    P256 { x: [u8; 32], y: [u8; 32] },
    Ed25519(PublicKey),
}

impl Material {
    const fn fits(&self, algorithm: Algorithm) -> bool {
        match self {
            Self::Rsa { .. } => matches!(algorithm, Algorithm::Rs256 | Algorithm::Ps256),
            Self::P256 { .. } => matches!(algorithm, Algorithm::Es256),
            Self::Ed25519(_) => matches!(algorithm, Algorithm::EdDsa),
        }
    }
}

/// A public key for signatures. That it can be read says nothing of whose it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Jwk {
    material: Material,
    algorithm: Option<Algorithm>,
    key_id: Option<String>,
}

impl fmt::Debug for Jwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jwk({})", self.thumbprint())
    }
}

impl Jwk {
    /// Reads one key. Members that this crate does not know are ignored (RFC 7517 section 4).
    ///
    /// # Errors
    /// [`Error::Json`], [`Error::PrivateMember`], [`Error::KeyForm`] or [`Error::KeyUnsupported`].
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        let element = Element::root(Value::parse(text, &KEY_LIMITS)?);
        read_key(element)?.ok_or(Error::KeyUnsupported)
    }

    /// The required members alone, in the order of RFC 7638: what the thumbprint is over, and a JSON
    /// text that [`Jwk::parse`] reads. `kid` and `alg` are not in it.
    #[must_use]
    pub fn canonical(&self) -> String {
        let text = Base64UrlUnpadded::encode_string;
        match &self.material {
            Material::Rsa { modulus, exponent } => alloc::format!(
                r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#,
                text(exponent),
                text(modulus)
            ),
            Material::P256 { x, y } => alloc::format!(
                r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#,
                text(x),
                text(y)
            ),
            Material::Ed25519(key) => alloc::format!(
                r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#,
                text(&key.to_bytes())
            ),
        }
    }

    /// The same with the `alg` and `kid` that the key was published with: a text that [`Jwk::parse`] reads
    /// as this very key.
    #[must_use]
    pub fn named(&self) -> Vec<u8> {
        let mut text = self.canonical().into_bytes();
        text.pop();
        if let Some(algorithm) = self.algorithm {
            text.extend_from_slice(b",\"alg\":");
            chancery_json::write_string(&mut text, algorithm.name());
        }
        if let Some(key_id) = &self.key_id {
            text.extend_from_slice(b",\"kid\":");
            chancery_json::write_string(&mut text, key_id);
        }
        text.push(b'}');
        text
    }

    /// The key's name: SHA-256 of [`Jwk::canonical`].
    #[must_use]
    pub fn thumbprint(&self) -> Thumbprint {
        Thumbprint(Sha256::digest(self.canonical()).into())
    }

    /// The issuer's own name for the key, if it gave one.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The one algorithm that the issuer uses the key with, if it said so.
    #[must_use]
    pub const fn algorithm(&self) -> Option<Algorithm> {
        self.algorithm
    }

    /// Whether the key may be used with `algorithm`: its type allows it and the issuer did not name another.
    #[must_use]
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        self.material.fits(algorithm) && self.algorithm.is_none_or(|only| only == algorithm)
    }

    /// Whether `signature` over `message` is this key's, by `algorithm`.
    #[must_use]
    pub fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        if !self.fits(algorithm) {
            return false;
        }
        match &self.material {
            Material::Rsa { modulus, exponent } => {
                let key = RsaPublicKeyComponents {
                    n: modulus,
                    e: exponent,
                };
                let parameters = if algorithm == Algorithm::Ps256 {
                    &RSA_PSS_2048_8192_SHA256
                } else {
                    &RSA_PKCS1_2048_8192_SHA256
                };
                key.verify(parameters, message, signature).is_ok()
            }
            // A point that is not on the curve verifies nothing.
            Material::P256 { x, y } => {
                let mut point = Vec::with_capacity(65);
                point.push(4);
                point.extend_from_slice(x);
                point.extend_from_slice(y);
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                    .verify(message, signature)
                    .is_ok()
            }
            Material::Ed25519(key) => <&[u8; 64]>::try_from(signature)
                .is_ok_and(|signature| key.verifies(message, signature)),
        }
    }
}

/// What an issuer publishes at its `jwks_uri`: the keys that can be used, and how many cannot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwkSet {
    keys: Vec<Jwk>,
    skipped: usize,
}

impl JwkSet {
    /// Reads a key set (RFC 7517 section 5).
    ///
    /// Keys for encryption and of unknown types, curves, algorithms and sizes are skipped; a key of a
    /// known type that is malformed refuses the set, and so does any private member.
    ///
    /// # Errors
    /// [`Error::Json`], [`Error::TooManyKeys`], [`Error::PrivateMember`], [`Error::KeyForm`] or
    /// [`Error::DuplicateKey`].
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        let mut fields = Fields::parse(text, &SET_LIMITS)?;
        let elements = fields.take_array("keys")?;
        if elements.len() > KEYS_MAX {
            return Err(Error::TooManyKeys);
        }
        let mut set = Self {
            keys: Vec::new(),
            skipped: 0,
        };
        for element in elements {
            let Some(key) = read_key(element)? else {
                set.skipped = set.skipped.saturating_add(1);
                continue;
            };
            let is_twice = set.keys.iter().any(|other| {
                other.material == key.material
                    || (key.key_id.is_some() && other.key_id == key.key_id)
            });
            if is_twice {
                return Err(Error::DuplicateKey);
            }
            set.keys.push(key);
        }
        Ok(set)
    }

    /// The keys that can be used, in the issuer's order; possibly none.
    #[must_use]
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }

    /// How many keys were skipped.
    #[must_use]
    pub const fn skipped(&self) -> usize {
        self.skipped
    }

    /// The key of this name.
    #[must_use]
    pub fn find(&self, thumbprint: &Thumbprint) -> Option<&Jwk> {
        self.keys.iter().find(|key| key.thumbprint() == *thumbprint)
    }
}

/// Reads one key; `None` if it is none that signatures can be checked with here.
fn read_key(element: Element) -> Result<Option<Jwk>, Error> {
    let mut fields = element.into_fields()?;
    for member in PRIVATE_MEMBERS {
        if fields.take_optional(member).is_some() {
            return Err(Error::PrivateMember);
        }
    }
    let kind = fields.take_str("kty")?;
    let purpose = optional_text(&mut fields, "use")?;
    let operations = match fields.take_optional("key_ops") {
        Some(element) => Some(texts(element)?),
        None => None,
    };
    let is_for_signatures = purpose.is_none_or(|purpose| purpose == "sig")
        && operations.is_none_or(|all| all.iter().any(|operation| operation == "verify"));
    if !is_for_signatures {
        return Ok(None);
    }
    let algorithm_name = optional_text(&mut fields, "alg")?;
    let algorithm = algorithm_name.as_deref().and_then(Algorithm::parse);
    if algorithm_name.is_some() && algorithm.is_none() {
        return Ok(None);
    }
    let key_id = optional_text(&mut fields, "kid")?;
    if key_id
        .as_ref()
        .is_some_and(|text| text.len() > KEY_ID_LENGTH_MAX)
    {
        return Err(Error::KeyForm { member: "kid" });
    }
    let material = match kind.as_str() {
        "RSA" => read_rsa(&mut fields)?,
        "EC" => read_p256(&mut fields)?,
        "OKP" => read_ed25519(&mut fields)?,
        _ => None,
    };
    let Some(material) = material else {
        return Ok(None);
    };
    if algorithm.is_some_and(|algorithm| !material.fits(algorithm)) {
        return Ok(None);
    }
    Ok(Some(Jwk {
        material,
        algorithm,
        key_id,
    }))
}

fn read_rsa(fields: &mut Fields) -> Result<Option<Material>, Error> {
    let modulus = unsigned(fields, "n")?;
    let exponent = unsigned(fields, "e")?;
    let is_odd = |bytes: &[u8]| bytes.last().is_some_and(|last| last & 1 == 1);
    if !is_odd(&modulus) {
        return Err(Error::KeyForm { member: "n" });
    }
    if !is_odd(&exponent) {
        return Err(Error::KeyForm { member: "e" });
    }
    let is_accepted = (RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits(&modulus))
        && value(&exponent)
            .is_some_and(|value| (RSA_EXPONENT_MIN..=RSA_EXPONENT_MAX).contains(&value));
    Ok(is_accepted.then_some(Material::Rsa { modulus, exponent }))
}

fn read_p256(fields: &mut Fields) -> Result<Option<Material>, Error> {
    if fields.take_str("crv")? != "P-256" {
        return Ok(None);
    }
    let x = coordinate(fields, "x")?;
    let y = coordinate(fields, "y")?;
    Ok(Some(Material::P256 { x, y }))
}

fn read_ed25519(fields: &mut Fields) -> Result<Option<Material>, Error> {
    if fields.take_str("crv")? != "Ed25519" {
        return Ok(None);
    }
    let key = PublicKey::from_bytes(&coordinate(fields, "x")?);
    let key = key.ok().ok_or(Error::KeyForm { member: "x" })?;
    Ok(Some(Material::Ed25519(key)))
}

/// A number of RFC 7518 section 2: big-endian bytes, none too many.
fn unsigned(fields: &mut Fields, member: &'static str) -> Result<Vec<u8>, Error> {
    let bytes = decoded(fields, member)?;
    match bytes.first() {
        None | Some(0) => Err(Error::KeyForm { member }),
        Some(_) => Ok(bytes),
    }
}

fn coordinate(fields: &mut Fields, member: &'static str) -> Result<[u8; COORDINATE_LENGTH], Error> {
    let bytes = decoded(fields, member)?;
    bytes.try_into().ok().ok_or(Error::KeyForm { member })
}

fn decoded(fields: &mut Fields, member: &'static str) -> Result<Vec<u8>, Error> {
    let text = fields.take_str(member)?;
    Base64UrlUnpadded::decode_vec(&text)
        .ok()
        .ok_or(Error::KeyForm { member })
}

/// The bits of a big-endian number without leading zero bytes.
fn bits(bytes: &[u8]) -> usize {
    let Some((first, rest)) = bytes.split_first() else {
        return 0;
    };
    let top = u8::BITS.saturating_sub(first.leading_zeros());
    rest.len()
        .saturating_mul(8)
        .saturating_add(usize::try_from(top).unwrap_or(0))
}

/// The value of a big-endian number of at most eight bytes.
fn value(bytes: &[u8]) -> Option<u64> {
    if bytes.len() > 8 {
        return None;
    }
    Some(
        bytes
            .iter()
            .fold(0, |sum: u64, byte| (sum << 8) | u64::from(*byte)),
    )
}

fn optional_text(fields: &mut Fields, member: &str) -> Result<Option<String>, Error> {
    match fields.take_optional(member) {
        Some(element) => Ok(Some(element.into_str()?)),
        None => Ok(None),
    }
}

fn texts(element: Element) -> Result<Vec<String>, Error> {
    let elements = element.into_array()?;
    let texts: Result<_, _> = elements.into_iter().map(Element::into_str).collect();
    Ok(texts?)
}

#[cfg(test)]
mod tests;
