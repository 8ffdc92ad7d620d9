//! The project's three TLS configurations and the providers under them.

use core::error::Error as StdError;
use core::fmt;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring;
use rustls::crypto::ring::cipher_suite;
use rustls::crypto::ring::kx_group;
use rustls::server::NoServerSessionStorage;
use rustls::time_provider::DefaultTimeProvider;
use rustls::time_provider::TimeProvider;
use rustls::version::TLS12;
use rustls::version::TLS13;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;

use crate::hybrid::X25519MLKEM768;

/// The only application protocol that either side speaks.
pub const ALPN_HTTP_1_1: &[u8] = b"http/1.1";

/// Largest PEM text of pinned roots, in bytes: a deployment pins a handful of certificates.
pub const ROOTS_PEM_SIZE_MAX: usize = 64 * 1024;

/// Most roots that a client may pin.
pub const ROOTS_MAX: usize = 16;

/// Why a TLS configuration could not be made; the caller's fault in every case.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The PEM text is larger than [`ROOTS_PEM_SIZE_MAX`] or holds more than [`ROOTS_MAX`] roots.
    TooManyRoots,
    /// The PEM text cannot be decoded.
    RootsUnreadable,
    /// The PEM text holds no certificate.
    NoRoot,
    /// A certificate in the PEM text cannot serve as a trust anchor.
    RootInvalid,
    /// rustls refused the certificate chain, the key, or the combination.
    Tls(rustls::Error),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyRoots => f.write_str("too many pinned tls roots"),
            Self::RootsUnreadable => f.write_str("pinned tls roots are not valid pem"),
            Self::NoRoot => f.write_str("no pinned tls root"),
            Self::RootInvalid => f.write_str("a pinned tls root is not a usable certificate"),
            Self::Tls(_) => f.write_str("tls configuration refused"),
        }
    }
}

impl StdError for ConfigError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Tls(source) => Some(source),
            Self::TooManyRoots | Self::RootsUnreadable | Self::NoRoot | Self::RootInvalid => None,
        }
    }
}

/// The one TLS provider: ring, with the hybrid group in front of its own.
///
/// TLS 1.3 with AES-256-GCM, AES-128-GCM and ChaCha20-Poly1305. TLS 1.2, which only the SCIM paths
/// accept, with ECDHE, an ECDSA certificate and AES-GCM: no CBC, no static RSA, no finite field.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: vec![
            cipher_suite::TLS13_AES_256_GCM_SHA384,
            cipher_suite::TLS13_AES_128_GCM_SHA256,
            cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
            cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        ],
        kx_groups: vec![X25519MLKEM768, kx_group::X25519, kx_group::SECP256R1],
        ..ring::default_provider()
    })
}

/// The configuration of a client that will appraise the other end: TLS 1.3 alone, pinned roots
/// alone, no resumption and no early data, so that every connection is a full handshake (I3).
///
/// `roots_pem` holds one to [`ROOTS_MAX`] certificates; other PEM sections are ignored.
///
/// # Errors
///
/// Each way in which `roots_pem` can be unusable has its own variant of [`ConfigError`].
pub fn attested_client_config(roots_pem: &str) -> Result<Arc<ClientConfig>, ConfigError> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(ConfigError::Tls)?
        .with_root_certificates(root_store(roots_pem)?)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    config.alpn_protocols = vec![ALPN_HTTP_1_1.to_vec()];
    Ok(Arc::new(config))
}

/// The configuration of a client of somebody who is no runtime, such as a customer's identity provider:
/// TLS 1.3 and, for servers that know nothing newer, 1.2 with ECDHE and AES-GCM; no resumption and no
/// early data. Certificates are judged by the machine's clock.
///
/// `roots` holds at most [`ROOTS_MAX`] certificates (DER). If there is none, the public authorities count, as
/// Mozilla lists them in the crate `webpki-roots`. Revocation is not looked at.
///
/// # Errors
///
/// [`ConfigError::TooManyRoots`], [`ConfigError::RootInvalid`], or [`ConfigError::Tls`].
pub fn web_client_config(roots: &[Vec<u8>]) -> Result<Arc<ClientConfig>, ConfigError> {
    web_client_config_at(roots, Arc::new(DefaultTimeProvider))
}

/// [`web_client_config`] for a runtime, whose machine's clock is the host's: certificates are judged by
/// `time`, and while that gives none, no server is believed.
///
/// # Errors
///
/// As [`web_client_config`].
pub fn web_client_config_at(
    roots: &[Vec<u8>],
    time: Arc<dyn TimeProvider>,
) -> Result<Arc<ClientConfig>, ConfigError> {
    let mut config = ClientConfig::builder_with_details(web_provider(), time)
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(ConfigError::Tls)?
        .with_root_certificates(web_root_store(roots)?)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    config.alpn_protocols = vec![ALPN_HTTP_1_1.to_vec()];
    Ok(Arc::new(config))
}

/// [`provider`], and TLS 1.2 with an RSA certificate, which many a server of the web still has.
fn web_provider() -> Arc<CryptoProvider> {
    let mut provider = CryptoProvider::clone(&provider());
    provider.cipher_suites.extend([
        cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    ]);
    Arc::new(provider)
}

fn web_root_store(roots: &[Vec<u8>]) -> Result<RootCertStore, ConfigError> {
    if roots.len() > ROOTS_MAX {
        return Err(ConfigError::TooManyRoots);
    }
    let mut store = RootCertStore::empty();
    for root in roots {
        if store.add(CertificateDer::from(root.as_slice())).is_err() {
            return Err(ConfigError::RootInvalid);
        }
    }
    if roots.is_empty() {
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    Ok(store)
}

fn root_store(roots_pem: &str) -> Result<RootCertStore, ConfigError> {
    if roots_pem.len() > ROOTS_PEM_SIZE_MAX {
        return Err(ConfigError::TooManyRoots);
    }
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(roots_pem.as_bytes()) {
        let Ok(certificate) = certificate else {
            return Err(ConfigError::RootsUnreadable);
        };
        if roots.len() >= ROOTS_MAX {
            return Err(ConfigError::TooManyRoots);
        }
        if roots.add(certificate).is_err() {
            return Err(ConfigError::RootInvalid);
        }
    }
    if roots.is_empty() {
        return Err(ConfigError::NoRoot);
    }
    Ok(roots)
}

/// The configuration of the runtime's public listener: TLS 1.3 and, for IdPs that know nothing
/// newer, TLS 1.2; HTTP/1.1; no tickets, no session cache, no early data.
///
/// `chain` starts with the leaf. The caller refuses TLS 1.2 on everything but the SCIM paths.
///
/// # Errors
///
/// [`ConfigError::Tls`] if the chain is empty or the key does not belong to its leaf.
pub fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, ConfigError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(ConfigError::Tls)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(ConfigError::Tls)?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    config.alpn_protocols = vec![ALPN_HTTP_1_1.to_vec()];
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests;
