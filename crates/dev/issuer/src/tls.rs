//! The authority that clients trust, and the server's certificate under it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use crate::error::Error;
use crate::folder;

/// Life of the authority's certificate: 10 years.
const AUTHORITY_LIFE_S: u64 = 10 * 365 * 24 * 3600;
/// Life of the server's certificate, which is made anew at each start: 90 days.
const SERVER_LIFE_S: u64 = 90 * 24 * 3600;
/// How far the beginning of validity lies in the past, for clients whose clock is behind: one hour.
const BACKDATE_S: u64 = 3600;
/// The last second that a certificate can carry (RFC 5280 section 4.1.2.5).
const LAST_S: u64 = 253_402_300_799;

/// What the server presents, and what clients trust.
pub(crate) struct Certificates {
    /// Ends TLS.
    pub(crate) acceptor: TlsAcceptor,
    /// The authority's certificate.
    pub(crate) authority: CertificateDer<'static>,
    /// The same as text.
    pub(crate) authority_pem: String,
}

/// Reads the authority of a data folder, or makes it, and issues a certificate for `localhost`.
pub(crate) fn certificates(folder: &Path, now_s: u64) -> Result<Certificates, Error> {
    let key_path = folder.join("ca.key");
    let key = folder::read_or_make(&key_path, || Ok(new_key()?.serialize_der()))?;
    let key =
        KeyPair::from_pkcs8_der_and_sign_algo(&key.as_slice().into(), &PKCS_ECDSA_P256_SHA256)?;
    let path = folder.join("ca.pem");
    let pem = folder::read_or_make(&path, || {
        let certificate = authority(now_s)?.self_signed(&key)?;
        Ok(certificate.pem().into_bytes())
    })?;
    let authority_certificate = CertificateDer::from_pem_slice(&pem)
        .map_err(|_unreadable| folder::document(&path, "it holds no certificate"))?;
    let issuer = Issuer::new(authority(now_s)?, key);
    let server_key = new_key()?;
    let server = server(now_s)?.signed_by(&server_key, &issuer)?;
    let chain = vec![server.der().clone(), authority_certificate.clone()];
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(server_key.serialize_der()));
    let config = chancery_hybrid_kx::server_config(chain, key).map_err(Error::Tls)?;
    Ok(Certificates {
        acceptor: TlsAcceptor::from(Arc::clone(&config)),
        authority: authority_certificate,
        authority_pem: String::from_utf8_lossy(&pem).into_owned(),
    })
}

fn new_key() -> Result<KeyPair, Error> {
    Ok(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?)
}

fn authority(now_s: u64) -> Result<CertificateParams, Error> {
    let mut params = params("chancery test issuer authority", now_s, AUTHORITY_LIFE_S)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn server(now_s: u64) -> Result<CertificateParams, Error> {
    let mut params = params("chancery test issuer", now_s, SERVER_LIFE_S)?;
    let name = Ia5String::try_from("localhost")?;
    params.subject_alt_names = vec![SanType::DnsName(name)];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn params(name: &str, now_s: u64, life_s: u64) -> Result<CertificateParams, Error> {
    let start_s = now_s.saturating_sub(BACKDATE_S);
    let end_s = start_s.saturating_add(life_s);
    if end_s > LAST_S {
        return Err(Error::Time);
    }
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_secs(start_s);
    params.not_after = epoch + Duration::from_secs(end_s);
    Ok(params)
}
