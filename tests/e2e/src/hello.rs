//! The client's first message of TLS, as far as it says what a client is ready for (RFC 8446,
//! section 4.1.2).

use std::collections::BTreeMap;

/// The code of an extension that offers to resume a session of TLS 1.2 (RFC 5077).
const SESSION_TICKET: u16 = 35;
/// The code of an extension that offers to resume a session of TLS 1.3 (RFC 8446, section 4.2.11).
const PRE_SHARED_KEY: u16 = 41;
/// The code of an extension that announces early data (RFC 8446, section 4.2.10).
const EARLY_DATA: u16 = 42;
/// The code of an extension that lists the versions (RFC 8446, section 4.2.1).
pub const SUPPORTED_VERSIONS: u16 = 43;

/// The type of a record that carries the handshake.
const HANDSHAKE: u8 = 22;
/// The type of a ClientHello in it.
const CLIENT_HELLO: u8 = 1;

/// A ClientHello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientHello {
    /// 32 bytes that no other connection has.
    pub random: Vec<u8>,
    /// Each extension by its code.
    pub extensions: BTreeMap<u16, Vec<u8>>,
}

impl ClientHello {
    /// Reads the hello with which a connection begins; none if it begins otherwise.
    #[must_use]
    pub fn parse(wire: &[u8]) -> Option<Self> {
        let mut record = Bytes(wire);
        if record.number(1)? != usize::from(HANDSHAKE) {
            return None;
        }
        record.take(2)?;
        let size = record.number(2)?;
        let mut message = Bytes(record.take(size)?);
        if message.number(1)? != usize::from(CLIENT_HELLO) {
            return None;
        }
        let size = message.number(3)?;
        let mut hello = Bytes(message.take(size)?);
        hello.take(2)?;
        let random = hello.take(32)?.to_vec();
        // The legacy session id, the cipher suites, the compression methods.
        for width in [1, 2, 1] {
            let size = hello.number(width)?;
            hello.take(size)?;
        }
        let size = hello.number(2)?;
        let mut rest = Bytes(hello.take(size)?);
        let mut extensions = BTreeMap::new();
        while !rest.0.is_empty() {
            let code = u16::try_from(rest.number(2)?).ok()?;
            let size = rest.number(2)?;
            extensions.insert(code, rest.take(size)?.to_vec());
        }
        Some(Self { random, extensions })
    }

    /// Whether it offers to go on with an earlier session, or sends data before the handshake.
    #[must_use]
    pub fn resumes(&self) -> bool {
        let has = |code| self.extensions.contains_key(&code);
        has(PRE_SHARED_KEY) || has(EARLY_DATA) || has(SESSION_TICKET)
    }
}

/// Bytes that are taken from the front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, size: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(size)?;
        self.0 = rest;
        Some(taken)
    }

    /// A number of so many bytes, the most significant one first.
    fn number(&mut self, width: usize) -> Option<usize> {
        let bytes = self.take(width)?;
        Some(
            bytes
                .iter()
                .fold(0, |sum, byte| (sum << 8) | usize::from(*byte)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, ClientConnection, RootCertStore};
    use std::sync::Arc;

    #[test]
    fn reads_what_a_client_sends_and_no_part_of_it() {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        let hello = ClientHello::parse(&wire).unwrap();
        assert_eq!(hello.random.len(), 32);
        let both_versions = [4, 0x03, 0x04, 0x03, 0x03];
        assert_eq!(
            hello.extensions.get(&SUPPORTED_VERSIONS).unwrap(),
            &both_versions
        );
        for size in 0..wire.len() {
            assert_eq!(ClientHello::parse(wire.get(..size).unwrap()), None);
        }
    }
}
