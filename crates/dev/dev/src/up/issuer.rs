//! The identity provider of the demo tenant: what it says of itself, and who may log in there.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use chancery_authority::{IdMapping, IdentityProvider};
use chancery_json::{Fields, Limits, Object, Value};
use ring::rand::{SecureRandom as _, SystemRandom};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::error::DevError;
use crate::files;
use crate::up::layout::Layout;

/// Random bytes of the password.
const PASSWORD_SIZE: usize = 12;

/// What the identity provider says when it serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IssuerFacts {
    /// Its name and address: `https://localhost:port`.
    pub(crate) url: String,
    /// Its one client.
    pub(crate) client_id: String,
    /// The certificate that its clients trust.
    pub(crate) ca_file: PathBuf,
    /// Where a test tells it to change keys or to lie.
    pub(crate) control: String,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl IssuerFacts {
    /// Reads its ready line.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut fields = Fields::parse(line.as_bytes(), &Limits::DOCUMENT).ok()?;
        let url = fields.take_str("issuer").ok()?;
        let port = url.strip_prefix("https://localhost:")?.parse().ok()?;
        Some(Self {
            url,
            client_id: fields.take_str("client_id").ok()?,
            ca_file: fields.take_str("ca_file").ok()?.into(),
            control: fields.take_str("control").ok()?,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        })
    }

    /// The provider as a genesis names it. Its `sub` is the user name that was typed at its login page.
    pub(crate) fn identity_provider(&self) -> Result<IdentityProvider, DevError> {
        let pem = files::read(&self.ca_file)?;
        let root = CertificateDer::from_pem_slice(&pem).map_err(|_none| DevError::Document {
            path: self.ca_file.clone(),
            reason: "it holds no certificate".to_owned(),
        })?;
        Ok(IdentityProvider {
            issuer: self.url.clone(),
            client_id: self.client_id.clone(),
            mapping: IdMapping::SubToExternalId,
            tls_roots: vec![root.to_vec()],
        })
    }
}

/// The one password of everybody, which is made the first time; none if the accounts file was changed to have none.
pub(crate) fn password(layout: &Layout) -> Result<Option<String>, DevError> {
    let path = layout.issuer_accounts();
    let Some(bytes) = files::read_if_there(&path)? else {
        let mut random = [0; PASSWORD_SIZE];
        SystemRandom::new()
            .fill(&mut random)
            .map_err(|ring::error::Unspecified| {
                DevError::System(std::io::Error::other("the random source failed"))
            })?;
        let password = Base64UrlUnpadded::encode_string(&random);
        let document = Object::new()
            .with("version", 1_u64)
            .with("any_user_password", password.as_str())
            .with("accounts", Vec::<Value>::new());
        files::write(&path, &document.to_bytes(), files::PRIVATE)?;
        return Ok(Some(password));
    };
    let value = Value::parse(&bytes, &Limits::DOCUMENT).map_err(|error| DevError::Document {
        path,
        reason: error.describe(),
    })?;
    let password = value
        .as_object()
        .and_then(|all| all.get("any_user_password"));
    Ok(password.and_then(Value::as_str).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_made_once_and_may_be_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::make(folder.path()).unwrap();
        let made = password(&layout).unwrap().unwrap();
        assert_eq!(made.len(), 16);
        assert_eq!(password(&layout).unwrap(), Some(made.clone()));
        let text = std::fs::read_to_string(layout.issuer_accounts()).unwrap();
        let without = text.replace(&format!("\"{made}\""), "null");
        assert_ne!(without, text);
        std::fs::write(layout.issuer_accounts(), without).unwrap();
        assert_eq!(password(&layout).unwrap(), None);
        std::fs::write(layout.issuer_accounts(), "{").unwrap();
        let damaged = password(&layout);
        assert!(matches!(damaged, Err(DevError::Document { .. })));
    }

    #[test]
    fn its_ready_line_becomes_the_provider_of_a_genesis() {
        let folder = tempfile::tempdir().unwrap();
        let ca_file = folder.path().join("ca.pem");
        let line = format!(
            r#"{{"ready":true,"issuer":"https://localhost:20001","client_id":"c","ca_file":"{}","control":"http://127.0.0.1:2/x","pid":3}}"#,
            ca_file.display()
        );
        let facts = IssuerFacts::parse(&line).unwrap();
        assert_eq!(facts.address, "127.0.0.1:20001".parse().unwrap());
        assert_eq!(IssuerFacts::parse(&line.replace("issuer", "x")), None);
        assert_eq!(IssuerFacts::parse(&line.replace("https", "http")), None);
        assert!(facts.identity_provider().is_err());
        let pem = "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n";
        std::fs::write(&ca_file, pem).unwrap();
        let provider = facts.identity_provider().unwrap();
        assert_eq!(provider.issuer, "https://localhost:20001");
        assert_eq!(provider.tls_roots, [vec![1, 2, 3]]);
    }
}
