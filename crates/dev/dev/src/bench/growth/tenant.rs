//! A tenant for each size, made as the operator and an admin make it.

use chancery_authority::{Genesis, TenantSlug};
use chancery_cli::read_signing_key;
use chancery_client::now_ms;

use crate::attested::{known, pinned};
use crate::error::DevError;
use crate::ready::{Ready, scim_base};
use crate::up::{Layout, admit, issue_token, nonce, put_delegation};

/// Serial of the tenant's one delegation.
const SERIAL: u64 = 1;

/// A tenant without users.
pub(super) struct Made {
    /// Its SCIM base.
    pub(super) base: String,
    /// Its SCIM token.
    pub(super) token: String,
}

/// Makes a tenant beside the one of the ready file, with the same admin and the same domains.
pub(super) async fn make(ready: &Ready, slug: &str) -> Result<Made, DevError> {
    let first = ready.tenant.as_ref().ok_or(DevError::Value {
        option: "--ready-file",
        allowed: "of an `up` that made a tenant",
    })?;
    let name = TenantSlug::parse(slug).ok_or(DevError::Value {
        option: "the tenant's name",
        allowed: "3 to 40 characters of a-z, 0-9 and -",
    })?;
    let (connector, deployment) = pinned(ready)?;
    let mut connection = connector.connect(&deployment, None).await?;
    let key = read_signing_key(&first.admin_folder.join("admin.key"))?;
    let layout = Layout::make(&ready.data_folder)?;
    let admission_key = read_signing_key(&layout.admission_key())?;
    let example = known(&mut connection, &first.slug).await?;
    let genesis = Genesis {
        slug: name.clone(),
        created_ms: now_ms(),
        nonce: nonce()?,
        ..example.genesis.genesis().clone()
    };
    let deployment = genesis.deployment;
    let genesis = genesis.sign(&[&key])?;
    admit(
        &mut connection,
        (deployment, name),
        &genesis,
        &admission_key,
    )
    .await?;
    let mut shown = known(&mut connection, slug).await?;
    put_delegation(&mut connection, &mut shown, &key, SERIAL).await?;
    Ok(Made {
        base: scim_base(&ready.base, slug),
        token: issue_token(&mut connection, &mut shown, &key).await?,
    })
}
