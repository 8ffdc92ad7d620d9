//! What the runtime says of its deployment, and what is pinned of it here.

use std::path::Path;

use chancery_session::Deployment;
use chancery_session::deployment::DeploymentParts;
use chancery_verify::Mode;

use crate::error::DevError;
use crate::files;
use crate::up::configuration::log_origin;
use crate::up::layout::Layout;

/// What is known here without the runtime.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// The witness policy of the configuration.
    pub(crate) witness_policy: String,
    /// The key that signs release policies.
    pub(crate) release_key: [u8; 32],
    /// The address by which clients reach the service.
    pub(crate) base: String,
}

/// Reads what the runtime had the host publish; none if it has not yet.
pub(crate) fn published(layout: &Layout) -> Result<Option<Deployment>, DevError> {
    read(&layout.host_file("deployment.json"))
}

/// Reads what an earlier run pinned.
pub(crate) fn pinned(layout: &Layout) -> Result<Option<Deployment>, DevError> {
    read(&layout.deployment())
}

fn read(path: &Path) -> Result<Option<Deployment>, DevError> {
    let Some(bytes) = files::read_if_there(path)? else {
        return Ok(None);
    };
    Deployment::from_json(&bytes)
        .map(Some)
        .map_err(|error| DevError::Document {
            path: path.to_owned(),
            reason: error.to_string(),
        })
}

/// Whether two documents are of one deployment with one log.
pub(crate) fn same_deployment(left: &Deployment, right: &Deployment) -> bool {
    left.deployment_id() == right.deployment_id() && left.log_key_text() == right.log_key_text()
}

/// What clients pin: the runtime's word for what only it knows, which appraisal confirms, and ours for
/// the rest.
pub(crate) fn pins(published: &Deployment, known: &Known) -> Result<Deployment, String> {
    if published.log_origin() != log_origin() || published.mode() != Mode::Emulated {
        return Err("it is of another service".to_owned());
    }
    Deployment::new(DeploymentParts {
        deployment_id: published.deployment_id(),
        log_origin: log_origin(),
        log_key: published.log_key_text().to_owned(),
        witness_policy: known.witness_policy.clone(),
        release_keys: vec![known.release_key],
        release_threshold: 1,
        tls_roots_pem: published.tls_roots_pem().to_owned(),
        base: known.base.clone(),
        mode: Mode::Emulated,
    })
    .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::up::configuration::{witness_name, witness_policy};
    use chancery_tlog::{CosignerKey, SignerKey};

    fn document(id: u8, log: u8, origin: &str) -> Deployment {
        let known = known();
        Deployment::new(DeploymentParts {
            deployment_id: [id; 32],
            log_origin: origin.to_owned(),
            log_key: SignerKey::from_seed(origin, &[log; 32])
                .unwrap()
                .verifier()
                .to_string(),
            witness_policy: known.witness_policy,
            release_keys: vec![known.release_key],
            release_threshold: 1,
            tls_roots_pem: "roots".to_owned(),
            base: "https://localhost".to_owned(),
            mode: Mode::Emulated,
        })
        .unwrap()
    }

    fn known() -> Known {
        let key = |number: u8| {
            let name = witness_name(usize::from(number));
            let key = CosignerKey::from_seed(&name, &[number; 32]).unwrap();
            key.verifier().to_string()
        };
        Known {
            witness_policy: witness_policy(&(1..=4).map(key).collect::<Vec<_>>()),
            release_key: chancery_dsse::SigningKey::from_seed([9; 32])
                .public_key()
                .to_bytes(),
            base: "https://localhost:8443".to_owned(),
        }
    }

    #[test]
    fn pins_the_runtimes_word_under_our_address() {
        let published = document(1, 2, &log_origin());
        let pins = pins(&published, &known()).unwrap();
        assert!(same_deployment(&published, &pins));
        assert_eq!(pins.base(), "https://localhost:8443");
        assert_eq!(pins.tls_roots_pem(), "roots");
    }

    #[test]
    fn refuses_another_service_and_tells_deployments_apart() {
        assert!(pins(&document(1, 2, "other.example/atl/root/v1"), &known()).is_err());
        let one = document(1, 2, &log_origin());
        assert!(!same_deployment(&one, &document(3, 2, &log_origin())));
        assert!(!same_deployment(&one, &document(1, 3, &log_origin())));
    }
}
