//! Which deployment, tenant and keys a command is about, from its options.

use std::path::{Path, PathBuf};

use chancery_authority::{DeploymentId, TenantSlug};
use chancery_client::Deployment;
use chancery_client::{AttestedConnection, Connector, HeadStore};
use chancery_dsse::SigningKey;
use chancery_json::{Fields, Limits};
use chancery_verify::Anchor;
use sha2::{Digest as _, Sha256};

use crate::AnchorSource;
use crate::args::ContextArgs;
use crate::error::CliError;
use crate::files::read_document;
use crate::keys::read_signing_key;
use crate::member::MemberError;

/// The name of the admin's key in an admin folder.
pub(crate) const ADMIN_KEY_FILE: &str = "admin.key";

/// The name of the recovery key in an admin folder.
pub(crate) const RECOVERY_KEY_FILE: &str = "recovery.key";

/// The name of the signed genesis in an admin folder.
pub(crate) const GENESIS_FILE: &str = "genesis.json";

/// What the process was started with besides its arguments; read once, in `run`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    /// `$XDG_STATE_HOME`, or its default below `$HOME` (XDG Base Directory 0.8).
    pub(crate) state_home: Option<PathBuf>,
    /// `$XDG_DATA_HOME`, or its default below `$HOME`.
    pub(crate) data_home: Option<PathBuf>,
}

impl Environment {
    /// Reads the variables that say where state and keys are kept. They decide nothing else.
    pub(crate) fn read() -> Self {
        let absolute = |name| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|path: &PathBuf| path.is_absolute())
        };
        let state_home = absolute("XDG_STATE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
        let data_home = absolute("XDG_DATA_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".local/share")));
        Self {
            state_home,
            data_home,
        }
    }
}

/// A loaded context.
#[derive(Debug)]
pub(crate) struct Context {
    /// What is pinned.
    pub(crate) deployment: Deployment,
    deployment_path: PathBuf,
    tenant: Option<TenantSlug>,
    key_paths: Vec<PathBuf>,
    genesis_path: Option<PathBuf>,
    heads: Option<HeadStore>,
    address: Option<String>,
}

/// What a ready file says, as far as a client cares.
#[derive(Debug, Default)]
struct Ready {
    deployment_path: Option<PathBuf>,
    tenant: Option<String>,
    admin_folder: Option<PathBuf>,
}

impl Context {
    /// Reads the files that the options name. Options win over the ready file.
    pub(crate) fn load(args: &ContextArgs, environment: &Environment) -> Result<Self, CliError> {
        let ready = match &args.ready_file {
            Some(path) => read_ready_file(path)?,
            None => Ready::default(),
        };
        let deployment_path =
            args.deployment
                .clone()
                .or(ready.deployment_path)
                .ok_or(CliError::ContextMissing {
                    option: "--deployment",
                })?;
        let deployment = read_deployment(&deployment_path)?;
        let tenant = match args.tenant.clone().or(ready.tenant) {
            Some(slug) => Some(parse_slug(&slug, "--tenant")?),
            None => None,
        };
        let in_folder = |name: &str| ready.admin_folder.as_ref().map(|folder| folder.join(name));
        let key_paths = if args.keys.is_empty() {
            in_folder(ADMIN_KEY_FILE).into_iter().collect()
        } else {
            args.keys.clone()
        };
        let state = args.state.clone().or_else(|| {
            let home = environment.state_home.as_ref()?;
            let id = hex::encode(deployment.deployment_id());
            Some(home.join("chancery").join(id).join("heads.json"))
        });
        let heads = state.map(|path| HeadStore::new(&path, deployment.deployment_id()));
        Ok(Self {
            genesis_path: in_folder(GENESIS_FILE).filter(|path| path.exists()),
            deployment,
            deployment_path,
            tenant,
            key_paths,
            heads,
            address: args.address.clone(),
        })
    }

    /// The deployment's id, as authority's documents name it.
    pub(crate) fn deployment_id(&self) -> DeploymentId {
        DeploymentId::from_bytes(self.deployment.deployment_id())
    }

    /// SHA-256 of the witness policy's text, which a genesis agrees to.
    pub(crate) fn witness_policy_sha256(&self) -> Result<[u8; 32], CliError> {
        let text = Fields::parse(&self.deployment.to_json(), &Limits::DOCUMENT)
            .and_then(|mut fields| fields.take_str("witness_policy"))
            .map_err(|error| CliError::DocumentInvalid {
                path: self.deployment_path.clone(),
                reason: error.describe(),
            })?;
        Ok(Sha256::digest(text).into())
    }

    /// The tenant, which the command needs.
    pub(crate) fn tenant(&self) -> Result<&TenantSlug, CliError> {
        self.tenant
            .as_ref()
            .ok_or(CliError::ContextMissing { option: "--tenant" })
    }

    /// The signing keys, of which the command needs at least one.
    pub(crate) fn keys(&self) -> Result<Vec<SigningKey>, CliError> {
        if self.key_paths.is_empty() {
            return Err(CliError::ContextMissing { option: "--key" });
        }
        self.key_paths
            .iter()
            .map(|path| read_signing_key(path))
            .collect()
    }

    /// Whether there is a key to sign with.
    pub(crate) fn has_keys(&self) -> bool {
        !self.key_paths.is_empty()
    }

    /// The genesis that lies beside the admin's key, if there is one.
    pub(crate) fn genesis_path(&self) -> Option<&Path> {
        self.genesis_path.as_deref()
    }

    /// Where heads are remembered, if there is a place.
    pub(crate) fn heads(&self) -> Option<&HeadStore> {
        self.heads.as_ref()
    }

    /// The folder of a member's keys: the given one, or the one of this deployment and tenant.
    pub(crate) fn home_folder(
        &self,
        given: Option<&Path>,
        environment: &Environment,
    ) -> Result<PathBuf, CliError> {
        if let Some(folder) = given {
            return Ok(folder.to_owned());
        }
        let data_home = environment.data_home.as_ref();
        let deployment = hex::encode(self.deployment.deployment_id());
        Ok(data_home
            .ok_or(MemberError::HomeUnknown)?
            .join("chancery")
            .join(deployment)
            .join(self.tenant()?.as_str()))
    }

    /// The address to dial, if it is not the deployment's.
    pub(crate) fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// A connector with the anchor of this program.
    pub(crate) fn connector<S: AnchorSource>(
        &self,
        source: &S,
    ) -> Result<Connector<S::Anchor>, CliError> {
        let anchor = source
            .anchor(&self.deployment_path)
            .map_err(|reason| CliError::AnchorUnavailable { reason })?;
        let connector = Connector::new(anchor);
        Ok(match &self.heads {
            Some(heads) => connector.remembering(heads.clone()),
            None => connector,
        })
    }

    /// Connects and appraises.
    pub(crate) async fn connect<S: AnchorSource>(
        &self,
        source: &S,
    ) -> Result<AttestedConnection<S::Anchor>, CliError>
    where
        S::Anchor: Anchor,
    {
        let connector = self.connector(source)?;
        Ok(connector.connect(&self.deployment, self.address()).await?)
    }
}

/// Reads and checks a deployment file.
pub(crate) fn read_deployment(path: &Path) -> Result<Deployment, CliError> {
    let bytes = read_document(path)?;
    Deployment::from_json(&bytes).map_err(|error| CliError::DocumentInvalid {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

/// Reads a slug from an option.
pub(crate) fn parse_slug(text: &str, option: &'static str) -> Result<TenantSlug, CliError> {
    TenantSlug::parse(text).ok_or(CliError::ValueInvalid {
        option,
        allowed: "3 to 40 characters of a-z, 0-9 and -",
    })
}

/// Reads the members of a ready file that a client needs and ignores the others: the file is made
/// by a program of ours for programs of several kinds, and nothing in it is believed but paths.
fn read_ready_file(path: &Path) -> Result<Ready, CliError> {
    let bytes = read_document(path)?;
    let invalid = |error: chancery_json::Error| CliError::DocumentInvalid {
        path: path.to_owned(),
        reason: error.describe(),
    };
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let mut fields = Fields::parse(&bytes, &Limits::DOCUMENT).map_err(invalid)?;
    let mut text = |name: &str| {
        fields
            .take_optional(name)
            .map(|element| element.into_str())
            .transpose()
            .map_err(invalid)
    };
    Ok(Ready {
        // An absolute path stays what it is; a relative one is meant beside the ready file.
        deployment_path: text("deployment_file")?.map(|name| folder.join(name)),
        tenant: text("tenant")?,
        admin_folder: text("admin_dir")?.map(|name| folder.join(name)),
    })
}
