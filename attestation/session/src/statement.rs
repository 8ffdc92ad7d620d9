//! The session statement: one connection, one nonce.

use alloc::string::String;
use alloc::vec::Vec;

use chancery_verify::Mode;

use crate::frame::Reader;
use crate::frame::StatementError;
use crate::frame::Writer;

/// The longest encoding in bytes: fixed fields and three texts.
const SESSION_STATEMENT_SIZE_MAX: usize = 1024;

/// Stands where TLS had no server name (RFC 6066 has none for IP addresses) or no application protocol.
pub const ABSENT: &str = "-";

/// In what role the runtime speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a new role must break every match")]
pub enum Role {
    /// As the TLS server of a client.
    Server,
    /// As the TLS client of a peer, in a handover.
    PeerClient,
}

impl Role {
    const fn code(self) -> u8 {
        match self {
            Self::Server => 1,
            Self::PeerClient => 2,
        }
    }

    const fn from_code(code: u8) -> Result<Self, StatementError> {
        match code {
            1 => Ok(Self::Server),
            2 => Ok(Self::PeerClient),
            _ => Err(StatementError::Code),
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::PeerClient => "peer client",
        }
    }
}

/// Size and root of a head of the root log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the fields of statement version 1"
)]
pub struct Head {
    /// Its number of leaves.
    pub size: u64,
    /// Its root.
    pub root: [u8; 32],
}

/// The statement. Only the runtime fills it in: of the request it takes the nonce alone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the fields of statement version 1"
)]
pub struct SessionStatement {
    /// Hardware or emulated; it chooses the purpose string.
    pub mode: Mode,
    /// In what role the runtime speaks.
    pub role: Role,
    /// SHA-256 of the node statement.
    pub node_sha256: [u8; 32],
    /// The verifier's nonce.
    pub nonce: [u8; 32],
    /// The connection's exporter, see [`crate::exporter_context`].
    pub exporter: [u8; 32],
    /// SHA-256 of the DER `SubjectPublicKeyInfo` of the leaf presented on the connection.
    pub leaf_spki_sha256: [u8; 32],
    /// The server name that the TLS client sent, or [`ABSENT`].
    pub server_name: String,
    /// The application protocol agreed in TLS, or [`ABSENT`].
    pub alpn: String,
    /// The newest witnessed head.
    pub checkpoint: Head,
}

const fn purpose(mode: Mode) -> &'static str {
    match mode {
        Mode::Amd => "chancery/session/v1",
        Mode::Emulated => "chancery-EMULATED/session/v1",
    }
}

impl SessionStatement {
    /// The canonical bytes.
    ///
    /// # Errors
    /// A text that is empty or not visible ASCII, or too long.
    pub fn encode(&self) -> Result<Vec<u8>, StatementError> {
        let mut out = Writer::default();
        out.text(purpose(self.mode))?;
        out.u8(self.role.code());
        out.fixed(&self.node_sha256);
        out.fixed(&self.nonce);
        out.fixed(&self.exporter);
        out.fixed(&self.leaf_spki_sha256);
        out.text(&self.server_name)?;
        out.text(&self.alpn)?;
        out.u64(self.checkpoint.size);
        out.fixed(&self.checkpoint.root);
        out.finish(SESSION_STATEMENT_SIZE_MAX)
    }

    /// Reads exactly one statement.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn decode(bytes: &[u8]) -> Result<Self, StatementError> {
        let mut reader = Reader::new(bytes, SESSION_STATEMENT_SIZE_MAX)?;
        let purpose_text = reader.text()?;
        let mode = [Mode::Amd, Mode::Emulated]
            .into_iter()
            .find(|mode| purpose(*mode) == purpose_text)
            .ok_or(StatementError::Purpose)?;
        let statement = Self {
            mode,
            role: Role::from_code(reader.u8()?)?,
            node_sha256: reader.array()?,
            nonce: reader.array()?,
            exporter: reader.array()?,
            leaf_spki_sha256: reader.array()?,
            server_name: reader.text()?,
            alpn: reader.text()?,
            checkpoint: Head {
                size: reader.u64()?,
                root: reader.array()?,
            },
        };
        reader.finish()?;
        Ok(statement)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    fn sample() -> SessionStatement {
        SessionStatement {
            mode: Mode::Amd,
            role: Role::Server,
            node_sha256: [1; 32],
            nonce: [2; 32],
            exporter: [3; 32],
            leaf_spki_sha256: [4; 32],
            server_name: "localhost".to_string(),
            alpn: "http/1.1".to_string(),
            checkpoint: Head {
                size: 5,
                root: [6; 32],
            },
        }
    }

    #[test]
    fn decodes_what_it_encodes() {
        for mode in [Mode::Amd, Mode::Emulated] {
            for role in [Role::Server, Role::PeerClient] {
                let statement = SessionStatement {
                    mode,
                    role,
                    ..sample()
                };
                assert_eq!(
                    SessionStatement::decode(&statement.encode().unwrap()),
                    Ok(statement)
                );
            }
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
                SessionStatement::decode(&changed).as_ref(),
                Ok(&statement),
                "{index}"
            );
        }
    }

    #[test]
    fn refuses_every_truncation_and_trailing_bytes() {
        let mut encoded = sample().encode().unwrap();
        for length in 0..encoded.len() {
            assert!(
                SessionStatement::decode(&encoded[..length]).is_err(),
                "{length}"
            );
        }
        encoded.push(0);
        assert_eq!(
            SessionStatement::decode(&encoded),
            Err(StatementError::Trailing)
        );
    }
}
