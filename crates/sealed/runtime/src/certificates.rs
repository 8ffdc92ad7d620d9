//! The deployment's TLS keys and certificates, made inside (I5).
//!
//! A certificate authority of the deployment's own signs one leaf. Its certificate stays the same over
//! restarts, so that an identity provider can be told to trust it; the leaf is renewed at every start.

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

/// Life of the authority's certificate: 10 years.
const AUTHORITY_LIFE_S: u64 = 10 * 365 * 24 * 3600;
/// Life of the leaf: 90 days.
const LEAF_LIFE_S: u64 = 90 * 24 * 3600;
/// How far the beginning of validity lies in the past, for clients whose clock is behind: one hour.
const BACKDATE_S: u64 = 3600;

/// The last second that a certificate can carry: 9999-12-31T23:59:59Z (RFC 5280 section 4.1.2.5).
const LAST_S: u64 = 253_402_300_799;

/// Keys and the authority's certificate, as they are kept in the sealed journal.
pub struct TlsKeys {
    /// PKCS#8 of the authority's P-256 key.
    pub authority_key: Zeroizing<Vec<u8>>,
    /// DER of the authority's certificate.
    pub authority_certificate: Vec<u8>,
    /// PKCS#8 of the leaf's P-256 key.
    pub leaf_key: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for TlsKeys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("TlsKeys(redacted)")
    }
}

/// What the listener presents.
#[derive(Debug)]
pub struct ServedCertificate {
    /// Leaf, then authority.
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf's key.
    pub key: PrivateKeyDer<'static>,
    /// SHA-256 of the leaf's SubjectPublicKeyInfo.
    pub spki_sha256: [u8; 32],
    /// PEM of the authority's certificate.
    pub authority_pem: String,
}

/// A key or certificate could not be made or read.
#[derive(Debug)]
#[non_exhaustive]
pub enum CertificateError {
    /// A key cannot be read or used, or a name cannot stand in a certificate.
    Made(rcgen::Error),
    /// The host's clock gives a time that no certificate can carry.
    Time,
}

impl std::fmt::Display for CertificateError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Made(error) => {
                write!(formatter, "a TLS certificate could not be made: {error}")
            }
            Self::Time => formatter.write_str("the time is past what a certificate can carry"),
        }
    }
}

impl std::error::Error for CertificateError {}

impl From<rcgen::Error> for CertificateError {
    fn from(error: rcgen::Error) -> Self {
        Self::Made(error)
    }
}

impl TlsKeys {
    /// Makes the keys of a new deployment and the authority's certificate.
    ///
    /// # Errors
    /// [`CertificateError`] if the service name cannot stand in a certificate.
    pub fn generate(service: &str, now_ms: u64) -> Result<Self, CertificateError> {
        let authority = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let leaf = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = authority_params(service, now_ms)?.self_signed(&authority)?;
        Ok(Self {
            authority_key: Zeroizing::new(authority.serialize_der()),
            authority_certificate: certificate.der().to_vec(),
            leaf_key: Zeroizing::new(leaf.serialize_der()),
        })
    }

    /// Issues a leaf for `host_names`, valid from about `now_ms` for 90 days.
    ///
    /// # Errors
    /// [`CertificateError`] if a kept key cannot be read or a name cannot stand in a certificate.
    pub fn issue(
        &self,
        service: &str,
        host_names: &[String],
        now_ms: u64,
    ) -> Result<ServedCertificate, CertificateError> {
        let leaf = read_key(&self.leaf_key)?;
        let issuer = Issuer::new(
            authority_params(service, now_ms)?,
            read_key(&self.authority_key)?,
        );
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(service);
        params.subject_alt_names = host_names
            .iter()
            .map(|name| alternative_name(name))
            .collect::<Result<_, _>>()?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        set_validity(&mut params, now_ms, LEAF_LIFE_S)?;
        let certificate = params.signed_by(&leaf, &issuer)?;
        let authority = CertificateDer::from(self.authority_certificate.clone());
        let digest = ring::digest::digest(&ring::digest::SHA256, &leaf.subject_public_key_info());
        let mut spki_sha256 = [0; 32];
        spki_sha256
            .iter_mut()
            .zip(digest.as_ref())
            .for_each(|(to, from)| *to = *from);
        Ok(ServedCertificate {
            chain: vec![certificate.der().clone(), authority],
            key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.leaf_key.to_vec())),
            spki_sha256,
            authority_pem: pem(&self.authority_certificate),
        })
    }
}

fn read_key(pkcs8: &[u8]) -> Result<KeyPair, CertificateError> {
    let der = PrivatePkcs8KeyDer::from(pkcs8);
    Ok(KeyPair::from_pkcs8_der_and_sign_algo(
        &der,
        &PKCS_ECDSA_P256_SHA256,
    )?)
}

fn authority_params(service: &str, now_ms: u64) -> Result<CertificateParams, CertificateError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(&format!("{service} authority"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut params, now_ms, AUTHORITY_LIFE_S)?;
    Ok(params)
}

fn common_name(text: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, text);
    name
}

fn alternative_name(name: &str) -> Result<SanType, CertificateError> {
    if let Ok(address) = name.parse() {
        return Ok(SanType::IpAddress(address));
    }
    Ok(SanType::DnsName(Ia5String::try_from(name)?))
}

/// The time is the host's, so any of the 64 bits' values may come: none may panic (I29).
fn set_validity(
    params: &mut CertificateParams,
    now_ms: u64,
    life_s: u64,
) -> Result<(), CertificateError> {
    let start_s = (now_ms / 1000).saturating_sub(BACKDATE_S);
    let end_s = start_s.saturating_add(life_s);
    if end_s > LAST_S {
        return Err(CertificateError::Time);
    }
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + std::time::Duration::from_secs(start_s);
    params.not_after = epoch + std::time::Duration::from_secs(end_s);
    Ok(())
}

/// One certificate in PEM (RFC 7468).
#[must_use]
pub fn pem(der: &[u8]) -> String {
    use base64ct::{Base64, Encoding as _};
    let text = Base64::encode_string(der);
    let mut out = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in text.as_bytes().chunks(64) {
        out.push_str(&String::from_utf8_lossy(line));
        out.push('\n');
    }
    out.push_str("-----END CERTIFICATE-----\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_a_time_that_no_certificate_can_carry() {
        let last_ms = (LAST_S - AUTHORITY_LIFE_S + BACKDATE_S) * 1000;
        let keys = TlsKeys::generate("demo.example", last_ms).unwrap();
        let names = [String::from("localhost")];
        for now_ms in [last_ms + 1000, 1 << 55, u64::MAX] {
            assert!(TlsKeys::generate("demo.example", now_ms).is_err());
            assert!(keys.issue("demo.example", &names, now_ms).is_err());
        }
    }

    #[test]
    fn issues_a_leaf_that_a_client_accepts_under_the_kept_authority() {
        let now_ms = 1_800_000_000_000;
        let keys = TlsKeys::generate("demo.example", now_ms).unwrap();
        let names = [String::from("localhost"), String::from("127.0.0.1")];
        let first = keys.issue("demo.example", &names, now_ms).unwrap();
        let second = keys.issue("demo.example", &names, now_ms + 5_000).unwrap();
        assert_eq!(first.spki_sha256, second.spki_sha256);
        assert_eq!(first.chain[1], second.chain[1]);
        let mut roots = rustls::RootCertStore::empty();
        roots.add(first.chain[1].clone()).unwrap();
        let verifier = rustls::client::WebPkiServerVerifier::builder_with_provider(
            std::sync::Arc::new(roots),
            chancery_hybrid_kx::provider(),
        )
        .build()
        .unwrap();
        for name in ["localhost", "127.0.0.1"] {
            use rustls::client::danger::ServerCertVerifier as _;
            verifier
                .verify_server_cert(
                    &second.chain[0],
                    &second.chain[1..],
                    &rustls_pki_types::ServerName::try_from(name).unwrap(),
                    &[],
                    rustls_pki_types::UnixTime::since_unix_epoch(std::time::Duration::from_millis(
                        now_ms,
                    )),
                )
                .unwrap();
        }
    }
}
