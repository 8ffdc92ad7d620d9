//! The identity of a deployment: the detail of leaf 0 of its root log.

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::{DecodeError, Reader, put_bytes8, put_bytes16};
use crate::digest::{Digest, sha256};

/// The purpose string in front of the bytes.
pub const GENESIS_PURPOSE: &str = "chancery deployment genesis";

/// Longest service name and log origin, in bytes.
pub const NAME_SIZE_MAX: usize = 255;

/// Longest log key text: an ML-DSA-44 verifier key is 1,830 bytes.
pub const LOG_KEY_SIZE_MAX: usize = 2047;

const NAME_BOUNDS: (usize, usize) = (1, NAME_SIZE_MAX);
const LOG_KEY_BOUNDS: (usize, usize) = (1, LOG_KEY_SIZE_MAX);

/// What makes a deployment this one and no other. Clients pin its [`DeploymentGenesis::deployment_id`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentGenesis {
    /// The service's public name.
    pub service: String,
    /// The root log's origin.
    pub log_origin: String,
    /// The root log's C2SP verifier key.
    pub log_key: String,
    /// SHA-256 of the runtime's configuration (HOST_DATA).
    pub config_digest: Digest,
    /// Fresh randomness, so that two deployments of one configuration differ.
    pub nonce: [u8; 32],
}

impl DeploymentGenesis {
    /// The canonical bytes.
    ///
    /// # Errors
    /// [`DecodeError`] for a text that is empty, too long or not visible ASCII.
    pub fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        for (field, text) in [
            ("service", &self.service),
            ("log_origin", &self.log_origin),
            ("log_key", &self.log_key),
        ] {
            visible_ascii(field, text.as_bytes())?;
        }
        let mut out = Vec::new();
        put_bytes8(&mut out, "purpose", GENESIS_PURPOSE.as_bytes(), NAME_BOUNDS)?;
        out.push(1);
        put_bytes8(&mut out, "service", self.service.as_bytes(), NAME_BOUNDS)?;
        put_bytes8(
            &mut out,
            "log_origin",
            self.log_origin.as_bytes(),
            NAME_BOUNDS,
        )?;
        put_bytes16(&mut out, "log_key", self.log_key.as_bytes(), LOG_KEY_BOUNDS)?;
        out.extend_from_slice(&self.config_digest.0);
        out.extend_from_slice(&self.nonce);
        Ok(out)
    }

    /// Reads the canonical bytes.
    ///
    /// # Errors
    /// [`DecodeError`] unless the bytes are exactly one deployment genesis.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        if reader.bytes8("purpose", NAME_BOUNDS)? != GENESIS_PURPOSE.as_bytes() {
            return Err(DecodeError::WrongPurpose);
        }
        reader.version()?;
        let genesis = Self {
            service: text("service", reader.bytes8("service", NAME_BOUNDS)?)?,
            log_origin: text("log_origin", reader.bytes8("log_origin", NAME_BOUNDS)?)?,
            log_key: text("log_key", reader.bytes16("log_key", LOG_KEY_BOUNDS)?)?,
            config_digest: Digest(reader.array()?),
            nonce: reader.array()?,
        };
        reader.finish()?;
        Ok(genesis)
    }

    /// SHA-256 of the canonical bytes.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn deployment_id(&self) -> Result<Digest, DecodeError> {
        Ok(sha256(&[&self.encode()?]))
    }
}

fn visible_ascii(field: &'static str, bytes: &[u8]) -> Result<(), DecodeError> {
    if bytes.iter().all(u8::is_ascii_graphic) {
        Ok(())
    } else {
        Err(DecodeError::NotVisibleAscii { field })
    }
}

fn text(field: &'static str, bytes: &[u8]) -> Result<String, DecodeError> {
    visible_ascii(field, bytes)?;
    Ok(bytes.iter().copied().map(char::from).collect())
}

#[cfg(test)]
mod tests;
