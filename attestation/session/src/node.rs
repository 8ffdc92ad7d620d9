//! The node statement: what one runtime instance says about itself, for at most an hour.

use alloc::string::String;
use alloc::vec::Vec;

use chancery_verify::Mode;
use sha2::Digest;
use sha2::Sha256;

use crate::frame::Reader;
use crate::frame::StatementError;
use crate::frame::Writer;

/// The longest encoding in bytes.
pub const NODE_STATEMENT_SIZE_MAX: usize = 4096;
/// The most certificates served at once.
const CERTIFICATES_MAX: usize = 16;
/// The most ACME accounts.
const ACME_ACCOUNTS_MAX: usize = 4;
/// The longest HPKE public key in bytes; that of X-Wing has 1216.
const HPKE_KEY_SIZE_MAX: usize = 2048;

/// What a served certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a new usage must break every match"
)]
pub enum CertificateUsage {
    /// A TLS server certificate.
    TlsServer,
}

impl CertificateUsage {
    const fn code(self) -> u8 {
        match self {
            Self::TlsServer => 1,
        }
    }

    const fn from_code(code: u8) -> Result<Self, StatementError> {
        match code {
            1 => Ok(Self::TlsServer),
            _ => Err(StatementError::Code),
        }
    }
}

/// A certificate that the runtime serves.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the fields of statement version 1"
)]
pub struct ServedCertificate {
    /// The host name or IP address that it is served for.
    pub host_name: String,
    /// SHA-256 of its DER `SubjectPublicKeyInfo`.
    pub spki_sha256: [u8; 32],
    /// What it is for.
    pub usage: CertificateUsage,
}

/// A witnessed head of the root log. The statement was made after it existed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the fields of statement version 1"
)]
pub struct Beacon {
    /// Its number of leaves.
    pub size: u64,
    /// Its root.
    pub root: [u8; 32],
    /// When a quorum had witnessed it, milliseconds since the Unix epoch: not later than the time floor of its note.
    pub time_ms: u64,
}

/// The statement. Its hash is logged and its report data carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the fields of statement version 1"
)]
pub struct NodeStatement {
    /// Hardware or emulated; it chooses the purpose string.
    pub mode: Mode,
    /// SHA-256 of the deployment genesis.
    pub deployment_id: [u8; 32],
    /// The root log's origin.
    pub log_origin: String,
    /// SHA-256 of the root log's verifier key text.
    pub log_key_id: [u8; 32],
    /// The release that runs.
    pub release_id: String,
    /// The version of the release policy in force.
    pub policy_version: u64,
    /// SHA-256 of its signed payload.
    pub policy_sha256: [u8; 32],
    /// The Ed25519 key that signs session statements until the next renewal.
    pub epoch_key: [u8; 32],
    /// The HPKE KEM (RFC 9180 and IANA registry) of the next field.
    pub hpke_kem: u16,
    /// The HPKE public key for payload secrets.
    pub hpke_key: Vec<u8>,
    /// The certificates served.
    pub certificates: Vec<ServedCertificate>,
    /// Thumbprints (RFC 7638) of the ACME accounts.
    pub acme_accounts: Vec<[u8; 32]>,
    /// SHA-256 of the configuration: `HOST_DATA`.
    pub config_digest: [u8; 32],
    /// The index of this instance's boot entry in the root log.
    pub boot_index: u64,
    /// The fresh nonce of that entry.
    pub boot_nonce: [u8; 32],
    /// The newest witnessed head when it was made.
    pub beacon: Beacon,
    /// It ends at this time, milliseconds since the Unix epoch; at most
    /// [`crate::limits::NODE_STATEMENT_LIFETIME_MS_MAX`] after the beacon's time.
    pub not_after_ms: u64,
}

const fn purpose(mode: Mode) -> &'static str {
    match mode {
        Mode::Amd => "chancery/node/v1",
        Mode::Emulated => "chancery-EMULATED/node/v1",
    }
}

impl NodeStatement {
    /// The canonical bytes.
    ///
    /// # Errors
    /// A text that is empty or not visible ASCII, or a field that is too long.
    pub fn encode(&self) -> Result<Vec<u8>, StatementError> {
        let mut out = Writer::default();
        out.text(purpose(self.mode))?;
        out.fixed(&self.deployment_id);
        out.text(&self.log_origin)?;
        out.fixed(&self.log_key_id);
        out.text(&self.release_id)?;
        out.u64(self.policy_version);
        out.fixed(&self.policy_sha256);
        out.fixed(&self.epoch_key);
        out.u16(self.hpke_kem);
        out.bytes16(&self.hpke_key, HPKE_KEY_SIZE_MAX)?;
        out.count(self.certificates.len(), CERTIFICATES_MAX)?;
        for certificate in &self.certificates {
            out.text(&certificate.host_name)?;
            out.fixed(&certificate.spki_sha256);
            out.u8(certificate.usage.code());
        }
        out.count(self.acme_accounts.len(), ACME_ACCOUNTS_MAX)?;
        for account in &self.acme_accounts {
            out.fixed(account);
        }
        out.fixed(&self.config_digest);
        out.u64(self.boot_index);
        out.fixed(&self.boot_nonce);
        out.u64(self.beacon.size);
        out.fixed(&self.beacon.root);
        out.u64(self.beacon.time_ms);
        out.u64(self.not_after_ms);
        out.finish(NODE_STATEMENT_SIZE_MAX)
    }

    /// Reads exactly one statement.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn decode(bytes: &[u8]) -> Result<Self, StatementError> {
        let mut reader = Reader::new(bytes, NODE_STATEMENT_SIZE_MAX)?;
        let purpose_text = reader.text()?;
        let mode = [Mode::Amd, Mode::Emulated]
            .into_iter()
            .find(|mode| purpose(*mode) == purpose_text)
            .ok_or(StatementError::Purpose)?;
        let statement = Self {
            mode,
            deployment_id: reader.array()?,
            log_origin: reader.text()?,
            log_key_id: reader.array()?,
            release_id: reader.text()?,
            policy_version: reader.u64()?,
            policy_sha256: reader.array()?,
            epoch_key: reader.array()?,
            hpke_kem: reader.u16()?,
            hpke_key: reader.bytes16(HPKE_KEY_SIZE_MAX)?,
            certificates: read_certificates(&mut reader)?,
            acme_accounts: read_accounts(&mut reader)?,
            config_digest: reader.array()?,
            boot_index: reader.u64()?,
            boot_nonce: reader.array()?,
            beacon: Beacon {
                size: reader.u64()?,
                root: reader.array()?,
                time_ms: reader.u64()?,
            },
            not_after_ms: reader.u64()?,
        };
        reader.finish()?;
        Ok(statement)
    }

    /// SHA-256 of the canonical bytes: what the root log and session statements name.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn sha256(&self) -> Result<[u8; 32], StatementError> {
        Ok(Sha256::digest(self.encode()?).into())
    }
}

fn read_certificates(reader: &mut Reader<'_>) -> Result<Vec<ServedCertificate>, StatementError> {
    let count = reader.count(CERTIFICATES_MAX)?;
    (0..count)
        .map(|_index| {
            Ok(ServedCertificate {
                host_name: reader.text()?,
                spki_sha256: reader.array()?,
                usage: CertificateUsage::from_code(reader.u8()?)?,
            })
        })
        .collect()
}

fn read_accounts(reader: &mut Reader<'_>) -> Result<Vec<[u8; 32]>, StatementError> {
    let count = reader.count(ACME_ACCOUNTS_MAX)?;
    (0..count).map(|_index| reader.array()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;
    use std::vec;

    pub(crate) fn sample() -> NodeStatement {
        NodeStatement {
            mode: Mode::Amd,
            deployment_id: [1; 32],
            log_origin: "demo.example/atl/root/v1".to_string(),
            log_key_id: [2; 32],
            release_id: "demo-1".to_string(),
            policy_version: 3,
            policy_sha256: [4; 32],
            epoch_key: [5; 32],
            hpke_kem: 0x647a,
            hpke_key: vec![6; 1216],
            certificates: vec![ServedCertificate {
                host_name: "localhost".to_string(),
                spki_sha256: [7; 32],
                usage: CertificateUsage::TlsServer,
            }],
            acme_accounts: vec![[8; 32]],
            config_digest: [9; 32],
            boot_index: 10,
            boot_nonce: [11; 32],
            beacon: Beacon {
                size: 12,
                root: [13; 32],
                time_ms: 14,
            },
            not_after_ms: 15,
        }
    }

    #[test]
    fn decodes_what_it_encodes() {
        for mode in [Mode::Amd, Mode::Emulated] {
            let statement = NodeStatement { mode, ..sample() };
            assert_eq!(
                NodeStatement::decode(&statement.encode().unwrap()),
                Ok(statement)
            );
        }
    }

    #[test]
    fn every_byte_changes_what_is_decoded_or_is_refused() {
        let statement = sample();
        let encoded = statement.encode().unwrap();
        for index in 0..encoded.len() {
            let mut changed = encoded.clone();
            changed[index] ^= 1;
            assert_ne!(
                NodeStatement::decode(&changed).as_ref(),
                Ok(&statement),
                "{index}"
            );
        }
    }

    #[test]
    fn refuses_every_truncation_trailing_bytes_and_oversize() {
        let mut encoded = sample().encode().unwrap();
        for length in 0..encoded.len() {
            assert!(
                NodeStatement::decode(&encoded[..length]).is_err(),
                "{length}"
            );
        }
        encoded.push(0);
        assert_eq!(
            NodeStatement::decode(&encoded),
            Err(StatementError::Trailing)
        );
        encoded.resize(4097, 0);
        assert_eq!(
            NodeStatement::decode(&encoded),
            Err(StatementError::TooLong)
        );
        let names = vec![sample().certificates[0].clone(); 17];
        let many = NodeStatement {
            certificates: names,
            ..sample()
        };
        assert_eq!(many.encode(), Err(StatementError::TooLong));
        let empty = NodeStatement {
            release_id: String::new(),
            ..sample()
        };
        assert_eq!(empty.encode(), Err(StatementError::Text));
    }

    #[test]
    fn the_two_modes_never_share_bytes() {
        let emulated = NodeStatement {
            mode: Mode::Emulated,
            ..sample()
        };
        assert_ne!(emulated.sha256(), sample().sha256());
    }
}
