//! The signing keys: made, published, changed, kept.

use std::path::PathBuf;

use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use chancery_json::{Fields, Limits, Object, Value};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};

use crate::error::Error;
use crate::folder;

/// Most keys that are published at once; real issuers have two or three.
const KEYS_MAX: usize = 8;

/// One P-256 key that signs ID tokens with ES256 (RFC 7518 section 3.4).
pub(crate) struct SigningKey {
    pair: EcdsaKeyPair,
    pkcs8: Vec<u8>,
    kid: String,
}

impl SigningKey {
    /// A new key.
    pub(crate) fn generate(random: &SystemRandom) -> Result<Self, Error> {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, random)?;
        Self::from_pkcs8(document.as_ref().to_vec(), random).ok_or(Error::Key)
    }

    fn from_pkcs8(pkcs8: Vec<u8>, random: &SystemRandom) -> Option<Self> {
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8, random).ok()?;
        let (x, y) = coordinates(pair.public_key().as_ref())?;
        Some(Self {
            kid: thumbprint(&x, &y),
            pair,
            pkcs8,
        })
    }

    /// The key's id: its thumbprint (RFC 7638).
    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// The public key as a point, uncompressed (SEC 1 section 2.3.3).
    pub(crate) fn point(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// Signs: `r || s`, 64 bytes.
    pub(crate) fn sign(&self, random: &SystemRandom, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.pair.sign(random, bytes)?.as_ref().to_vec())
    }

    fn jwk(&self) -> Value {
        let (x, y) = coordinates(self.point()).unwrap_or_default();
        Object::new()
            .with("kty", "EC")
            .with("crv", "P-256")
            .with("x", x)
            .with("y", y)
            .with("use", "sig")
            .with("alg", "ES256")
            .with("kid", self.kid.as_str())
            .into()
    }
}

/// The coordinates of an uncompressed point of P-256, in base64url.
fn coordinates(point: &[u8]) -> Option<(String, String)> {
    let (tag, rest) = point.split_first()?;
    let (x, y) = rest.split_at_checked(32)?;
    let encode = Base64UrlUnpadded::encode_string;
    (*tag == 4 && y.len() == 32).then(|| (encode(x), encode(y)))
}

fn thumbprint(x: &str, y: &str) -> String {
    let members = Object::new()
        .with("crv", "P-256")
        .with("kty", "EC")
        .with("x", x)
        .with("y", y);
    Base64UrlUnpadded::encode_string(digest(&SHA256, &members.to_bytes()).as_ref())
}

/// The keys that are published, one of which signs.
pub(crate) struct Keyring {
    path: PathBuf,
    keys: Vec<SigningKey>,
    active: usize,
}

impl Keyring {
    /// Reads the keys of an earlier run, or makes the first one.
    pub(crate) fn open(path: PathBuf, random: &SystemRandom) -> Result<Self, Error> {
        if let Some(bytes) = folder::read_if_there(&path)? {
            let fault = || folder::document(&path, "it holds no signing keys");
            let (keys, active) = parse(&bytes, random).ok_or_else(fault)?;
            return Ok(Self { path, keys, active });
        }
        let keyring = Self {
            path,
            keys: vec![SigningKey::generate(random)?],
            active: 0,
        };
        keyring.keep()?;
        Ok(keyring)
    }

    /// The key that signs.
    pub(crate) fn active(&self) -> Result<&SigningKey, Error> {
        self.keys.get(self.active).ok_or(Error::Key)
    }

    /// The ids of all published keys, the oldest first.
    pub(crate) fn published(&self) -> Vec<String> {
        self.keys.iter().map(|key| key.kid.clone()).collect()
    }

    /// Publishes a new key.
    pub(crate) fn add(&mut self, random: &SystemRandom) -> Result<String, Error> {
        if self.keys.len() >= KEYS_MAX {
            return Err(Error::Key);
        }
        let key = SigningKey::generate(random)?;
        let kid = key.kid.clone();
        self.keys.push(key);
        self.keep()?;
        Ok(kid)
    }

    /// Signs with another published key from now on.
    pub(crate) fn activate(&mut self, kid: &str) -> Result<(), Error> {
        let found = self.keys.iter().position(|key| key.kid == kid);
        self.active = found.ok_or(Error::Key)?;
        self.keep()
    }

    /// Takes back every key but the active one.
    pub(crate) fn drop_others(&mut self) -> Result<(), Error> {
        if self.active < self.keys.len() {
            self.keys.swap(0, self.active);
            self.keys.truncate(1);
            self.active = 0;
        }
        self.keep()
    }

    /// The JWK set (RFC 7517 section 5).
    pub(crate) fn jwks(&self) -> Object {
        let keys: Vec<Value> = self.keys.iter().map(SigningKey::jwk).collect();
        Object::new().with("keys", keys)
    }

    fn keep(&self) -> Result<(), Error> {
        let keys = self.keys.iter().map(|key| &key.pkcs8);
        let keys: Vec<Value> = keys.map(|key| Base64::encode_string(key).into()).collect();
        let active = u64::try_from(self.active).unwrap_or(0);
        let document = Object::new()
            .with("version", 1_u64)
            .with("active", active)
            .with("keys", keys);
        folder::write(&self.path, &document.to_bytes())
    }
}

fn parse(bytes: &[u8], random: &SystemRandom) -> Option<(Vec<SigningKey>, usize)> {
    let mut fields = Fields::parse(bytes, &Limits::DOCUMENT).ok()?;
    let version = fields.take_u64("version").ok()?;
    let active = usize::try_from(fields.take_u64("active").ok()?).ok()?;
    let texts = fields.take_strings("keys").ok()?;
    fields.finish().ok()?;
    let keys: Vec<SigningKey> = texts
        .iter()
        .map(|text| SigningKey::from_pkcs8(Base64::decode_vec(text).ok()?, random))
        .collect::<Option<_>>()?;
    (version == 1 && active < keys.len() && keys.len() <= KEYS_MAX).then_some((keys, active))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbprint_is_the_digest_of_the_required_members_in_order() {
        // The key of RFC 7517 appendix A.1; the value was computed with joserfc, another implementation.
        let (x, y) = (
            "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
            "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        );
        let expected = "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s";
        assert_eq!(thumbprint(x, y), expected);
    }

    #[test]
    fn keys_survive_and_change_only_as_told() {
        let random = SystemRandom::new();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        let mut keys = Keyring::open(path.clone(), &random).unwrap();
        let first = keys.active().unwrap().kid().to_owned();
        let second = keys.add(&random).unwrap();
        assert_eq!(keys.active().unwrap().kid(), first, "published, not active");
        assert_eq!(keys.published(), [first.clone(), second.clone()]);
        keys.activate(&second).unwrap();
        assert!(matches!(keys.activate("unknown"), Err(Error::Key)));
        let mut again = Keyring::open(path.clone(), &random).unwrap();
        assert_eq!(again.active().unwrap().kid(), second);
        assert_eq!(again.published(), [first, second.clone()]);
        again.drop_others().unwrap();
        let last = Keyring::open(path.clone(), &random).unwrap();
        assert_eq!(last.published(), [second]);
        for _ in 1..KEYS_MAX {
            again.add(&random).unwrap();
        }
        assert!(matches!(again.add(&random), Err(Error::Key)));
        std::fs::write(&path, b"{}").unwrap();
        let damaged = Keyring::open(path, &random);
        assert!(matches!(damaged, Err(Error::Document { .. })));
    }
}
