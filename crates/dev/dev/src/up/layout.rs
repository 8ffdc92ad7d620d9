//! The data folder.

use std::path::{Path, PathBuf};

use crate::anchor::EMULATED_ROOTS_FILE;
use crate::error::DevError;
use crate::files::make_folder;

/// How many witnesses there are.
pub(crate) const WITNESSES: usize = 4;

/// Where everything lies.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// Makes the folder and those in it.
    pub(crate) fn make(root: &Path) -> Result<Self, DevError> {
        make_folder(root)?;
        let root = root.canonicalize().map_err(|source| DevError::FileRead {
            path: root.to_owned(),
            source,
        })?;
        let layout = Self { root };
        for name in [
            "host",
            "issuer",
            "emulated-sp",
            "release",
            "operator",
            "admin",
            "logs",
        ] {
            make_folder(&layout.root.join(name))?;
        }
        for number in 1..=WITNESSES {
            make_folder(&layout.witness(number))?;
        }
        Ok(layout)
    }

    /// The folder itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The file that says who uses the folder.
    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// The only folder that the host opens; every child runs in it, so that socket paths are short.
    pub(crate) fn host(&self) -> PathBuf {
        self.root.join("host")
    }

    /// A file of the host.
    pub(crate) fn host_file(&self, name: &str) -> PathBuf {
        self.root.join("host").join(name)
    }

    /// The emulated processor's secrets.
    pub(crate) fn processor(&self) -> PathBuf {
        self.root.join("emulated-sp")
    }

    /// The state of a witness; the first one is 1.
    pub(crate) fn witness(&self, number: usize) -> PathBuf {
        self.root.join(format!("witness-{number}"))
    }

    /// The identity provider's keys and port.
    pub(crate) fn issuer(&self) -> PathBuf {
        self.root.join("issuer")
    }

    /// Who may log in at the identity provider.
    pub(crate) fn issuer_accounts(&self) -> PathBuf {
        self.issuer().join("accounts.json")
    }

    /// The logs that all witnesses follow.
    pub(crate) fn witness_logs(&self) -> PathBuf {
        self.root.join("witness-logs.json")
    }

    /// The log of a child.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.root.join("logs").join(format!("{name}.log"))
    }

    /// The key that signs release policies.
    pub(crate) fn release_key(&self) -> PathBuf {
        self.root.join("release").join("release.key")
    }

    /// The key that signs admissions of tenants.
    pub(crate) fn admission_key(&self) -> PathBuf {
        self.root.join("operator").join("admission.key")
    }

    /// The folder of a tenant's admin.
    pub(crate) fn admin(&self, slug: &str) -> PathBuf {
        self.root.join("admin").join(slug)
    }

    /// The certificate that an identity provider must trust.
    pub(crate) fn ca(&self) -> PathBuf {
        self.root.join("ca.pem")
    }

    /// What a client pins.
    pub(crate) fn deployment(&self) -> PathBuf {
        self.root.join("deployment.json")
    }

    /// The root of the emulated processor.
    pub(crate) fn roots(&self) -> PathBuf {
        self.root.join(EMULATED_ROOTS_FILE)
    }
}
