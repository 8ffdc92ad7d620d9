//! The deployment file: what a client pins, obtained out of band.

use core::fmt;

use alloc::string::String;
use alloc::vec::Vec;

use base64ct::Base64;
use base64ct::Encoding;
use chancery_dsse::PublicKey;
use chancery_json::Fields;
use chancery_json::Limits;
use chancery_json::Object;
use chancery_json::Value;
use chancery_tlog::Policy;
use chancery_tlog::VerifierKey;
use chancery_verify::Mode;
use sha2::Digest;
use sha2::Sha256;

/// The version of the file.
const VERSION: u64 = 1;
/// The most release keys.
const RELEASE_KEYS_MAX: usize = 16;
/// The longest origin and base URL in bytes.
const TEXT_SIZE_MAX: usize = 255;
/// The longest PEM text of TLS roots in bytes.
const TLS_ROOTS_SIZE_MAX: usize = 64 * 1024;

/// What is wrong with a deployment file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeploymentError {
    /// The JSON, with its place.
    Json(chancery_json::Error),
    /// A version that is not 1.
    Version,
    /// A member's value breaks its rule.
    Value {
        /// The member.
        member: &'static str,
    },
    /// The witness policy does not parse.
    WitnessPolicy(chancery_tlog::Error),
    /// The log key does not parse.
    LogKey(chancery_tlog::Error),
}

impl fmt::Display for DeploymentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => write!(f, "{error}"),
            Self::Version => f.write_str("its version is not 1"),
            Self::Value { member } => write!(f, "the value of {member} breaks its rule"),
            Self::WitnessPolicy(error) => write!(f, "witness policy: {error}"),
            Self::LogKey(error) => write!(f, "log key: {error}"),
        }
    }
}

impl core::error::Error for DeploymentError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Json(error) => Some(error),
            Self::WitnessPolicy(error) | Self::LogKey(error) => Some(error),
            Self::Version | Self::Value { .. } => None,
        }
    }
}

impl From<chancery_json::Error> for DeploymentError {
    fn from(error: chancery_json::Error) -> Self {
        Self::Json(error)
    }
}

/// The members of a deployment file, before they are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the members of file version 1")]
pub struct DeploymentParts {
    /// SHA-256 of the deployment genesis.
    pub deployment_id: [u8; 32],
    /// The root log's origin.
    pub log_origin: String,
    /// The root log's C2SP verifier key.
    pub log_key: String,
    /// The C2SP witness policy.
    pub witness_policy: String,
    /// Ed25519 keys that sign release policies.
    pub release_keys: Vec<[u8; 32]>,
    /// How many of them must sign.
    pub release_threshold: usize,
    /// The TLS roots, PEM.
    pub tls_roots_pem: String,
    /// The service's base URL, `https://host[:port]`.
    pub base: String,
    /// Hardware or emulated.
    pub mode: Mode,
}

/// A checked deployment file.
#[derive(Clone, Debug)]
pub struct Deployment {
    parts: DeploymentParts,
    log_key: VerifierKey,
    witness_policy: Policy,
    release_keys: Vec<PublicKey>,
}

impl Deployment {
    /// Checks the members.
    ///
    /// # Errors
    /// A member breaks its rule.
    pub fn new(parts: DeploymentParts) -> Result<Self, DeploymentError> {
        let value = |member, good: bool| {
            if good {
                Ok(())
            } else {
                Err(DeploymentError::Value { member })
            }
        };
        value("log_origin", is_text(&parts.log_origin))?;
        value(
            "base",
            is_text(&parts.base) && parts.base.starts_with("https://"),
        )?;
        let roots = &parts.tls_roots_pem;
        value(
            "tls_roots_pem",
            !roots.is_empty() && roots.len() <= TLS_ROOTS_SIZE_MAX,
        )?;
        let log_key = VerifierKey::parse(&parts.log_key).map_err(DeploymentError::LogKey)?;
        let witness_policy =
            Policy::parse(&parts.witness_policy).map_err(DeploymentError::WitnessPolicy)?;
        let count = parts.release_keys.len();
        value(
            "release_keys",
            count <= RELEASE_KEYS_MAX && distinct(&parts.release_keys),
        )?;
        value(
            "release_threshold",
            (1..=count).contains(&parts.release_threshold),
        )?;
        let key = |bytes: &[u8; 32]| {
            PublicKey::from_bytes(bytes).map_err(|_key| DeploymentError::Value {
                member: "release_keys",
            })
        };
        let release_keys = parts
            .release_keys
            .iter()
            .map(key)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            parts,
            log_key,
            witness_policy,
            release_keys,
        })
    }

    /// Reads a deployment file. Unknown, missing and duplicate members are refused.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn from_json(text: &[u8]) -> Result<Self, DeploymentError> {
        let mut fields = Fields::parse(text, &Limits::DOCUMENT)?;
        if fields.take_u64("version")? != VERSION {
            return Err(DeploymentError::Version);
        }
        let keys = fields.take_strings("release_keys")?;
        let parts = DeploymentParts {
            deployment_id: read_hex(&fields.take_str("deployment_id")?)?,
            log_origin: fields.take_str("log_origin")?,
            log_key: fields.take_str("log_key")?,
            witness_policy: fields.take_str("witness_policy")?,
            release_keys: keys
                .iter()
                .map(|key| read_key(key))
                .collect::<Result<Vec<_>, _>>()?,
            release_threshold: usize::try_from(fields.take_u64("release_threshold")?).map_err(
                |_range| DeploymentError::Value {
                    member: "release_threshold",
                },
            )?,
            tls_roots_pem: fields.take_str("tls_roots_pem")?,
            base: fields.take_str("base")?,
            mode: Mode::from_word(&fields.take_str("mode")?)
                .ok_or(DeploymentError::Value { member: "mode" })?,
        };
        fields.finish()?;
        Self::new(parts)
    }

    /// Writes the file; [`Self::from_json`] reads it back.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let parts = &self.parts;
        let keys: Vec<Value> = parts
            .release_keys
            .iter()
            .map(|key| Base64::encode_string(key).into())
            .collect();
        let threshold = u64::try_from(parts.release_threshold).unwrap_or(u64::MAX);
        Object::new()
            .with("version", VERSION)
            .with("deployment_id", hex::encode(parts.deployment_id))
            .with("log_origin", parts.log_origin.as_str())
            .with("log_key", parts.log_key.as_str())
            .with("witness_policy", parts.witness_policy.as_str())
            .with("release_keys", keys)
            .with("release_threshold", threshold)
            .with("tls_roots_pem", parts.tls_roots_pem.as_str())
            .with("base", parts.base.as_str())
            .with("mode", parts.mode.word())
            .to_bytes()
    }

    /// SHA-256 of the deployment genesis.
    #[must_use]
    pub const fn deployment_id(&self) -> [u8; 32] {
        self.parts.deployment_id
    }

    /// The root log's origin.
    #[must_use]
    pub fn log_origin(&self) -> &str {
        &self.parts.log_origin
    }

    /// The root log's key.
    #[must_use]
    pub const fn log_key(&self) -> &VerifierKey {
        &self.log_key
    }

    /// The root log's key as text.
    #[must_use]
    pub fn log_key_text(&self) -> &str {
        &self.parts.log_key
    }

    /// SHA-256 of the log key's text, as node statements name it.
    #[must_use]
    pub fn log_key_id(&self) -> [u8; 32] {
        Sha256::digest(self.parts.log_key.as_bytes()).into()
    }

    /// Which witnesses must have cosigned.
    #[must_use]
    pub const fn witness_policy(&self) -> &Policy {
        &self.witness_policy
    }

    /// The keys that sign release policies.
    #[must_use]
    pub fn release_keys(&self) -> &[PublicKey] {
        &self.release_keys
    }

    /// How many of them must sign.
    #[must_use]
    pub const fn release_threshold(&self) -> usize {
        self.parts.release_threshold
    }

    /// The TLS roots, PEM.
    #[must_use]
    pub fn tls_roots_pem(&self) -> &str {
        &self.parts.tls_roots_pem
    }

    /// The service's base URL.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.parts.base
    }

    /// Hardware or emulated.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.parts.mode
    }
}

fn is_text(text: &str) -> bool {
    (1..=TEXT_SIZE_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn distinct(keys: &[[u8; 32]]) -> bool {
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    sorted.len() == keys.len()
}

fn read_hex(text: &str) -> Result<[u8; 32], DeploymentError> {
    const ERROR: DeploymentError = DeploymentError::Value {
        member: "deployment_id",
    };
    let mut bytes = [0; 32];
    let lower = text.bytes().all(|byte| !byte.is_ascii_uppercase());
    if lower && hex::decode_to_slice(text, &mut bytes).is_ok() {
        Ok(bytes)
    } else {
        Err(ERROR)
    }
}

fn read_key(text: &str) -> Result<[u8; 32], DeploymentError> {
    let mut bytes = [0; 32];
    match Base64::decode(text, &mut bytes) {
        Ok(key) if key.len() == 32 => Ok(bytes),
        Ok(_) | Err(_) => Err(DeploymentError::Value {
            member: "release_keys",
        }),
    }
}

#[cfg(test)]
mod tests;
