//! The tenant `demo`: its keys, genesis, delegation and token, each made once. After a crash between
//! two steps the next run goes on where the last one stopped.

use std::collections::BTreeSet;
use std::path::PathBuf;

use bytes::Bytes;
use chancery_authority::{
    ActName, Admin, AdminSet, Admission, BurstLimits, Delegation, DeploymentId, Domain, Genesis,
    KeyFile, ManagedGroups, Mode, OnDelete, ReleaseRule, Scope, ScopeSet, TenantSlug,
};
use chancery_cli::{create_recovery_key, create_signing_key, read_signing_key};
use chancery_client::{Request, now_ms};
use chancery_dsse::{Envelope, SigningKey};
use chancery_json::{Limits, Object, Value};
use chancery_keyset::PublicKeyset;
use chancery_session::Deployment;
use hyper::Method;
use ring::rand::{SecureRandom as _, SystemRandom};
use sha2::{Digest as _, Sha256};

use crate::attested::{Connection, Shown, answer, show};
use crate::error::DevError;
use crate::files;
use crate::http::Target;
use crate::ready::scim_base;
use crate::up::issuer::IssuerFacts;
use crate::up::layout::Layout;

/// The tenant's name.
pub(crate) const SLUG: &str = "demo";
/// Its domain unless the command line names others.
pub(crate) const DOMAIN: &str = "demo.example";

/// Milliseconds of a minute.
const MINUTE_MS: u64 = 60 * 1000;
/// Milliseconds of a day.
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;
/// Life of the delegation.
const DELEGATION_LIFE_MS: u64 = 365 * DAY_MS;
/// A delegation with less life than this is followed by a new one.
const DELEGATION_RENEWAL_MS: u64 = 30 * DAY_MS;
/// Life of the token in seconds: 90 days.
const TOKEN_LIFE_S: u64 = 90 * 24 * 60 * 60;
/// Longest life of any token under the delegation, in seconds: 180 days.
const TOKEN_LIFE_S_MAX: u64 = 180 * 24 * 60 * 60;
/// Life of the admission: it is used at once.
const ADMISSION_LIFE_MS: u64 = 60 * MINUTE_MS;
/// How far before now the delegation begins, for a runtime whose clock is behind.
const BACKDATE_MS: u64 = 5 * MINUTE_MS;

/// The brake of the delegation. It is wide, because this tenant is there for tests and load.
const LIMITS: BurstLimits = BurstLimits {
    window_s: 60,
    suspensions: 10_000_000,
    deletions: 10_000_000,
    grants: 10_000_000,
    emptied_groups: 10_000_000,
};

/// What the tenant is made with.
pub(crate) struct Founder<'a> {
    /// The data folder.
    pub(crate) layout: &'a Layout,
    /// The identity provider that runs beside it.
    pub(crate) issuer: &'a IssuerFacts,
    /// What is pinned.
    pub(crate) deployment: &'a Deployment,
    /// The witness policy that was agreed on.
    pub(crate) witness_policy: &'a str,
    /// The operator's key.
    pub(crate) admission_key: &'a SigningKey,
    /// The tenant's mail domains.
    pub(crate) domains: &'a BTreeSet<Domain>,
}

/// What came of it.
pub(crate) struct Founded {
    /// The admin's folder.
    pub(crate) admin_folder: PathBuf,
    /// The SCIM token.
    pub(crate) scim_token: String,
    /// Steps that were taken now, in words.
    pub(crate) steps: Vec<&'static str>,
    /// The tenant's domains.
    pub(crate) domains: BTreeSet<Domain>,
    /// Whether accounts can be claimed at the identity provider that runs beside it.
    pub(crate) issuer: IssuerState,
}

/// What the tenant thinks of the identity provider that runs beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IssuerState {
    /// Its genesis names it, and its admin signed for the keys.
    Trusted,
    /// Its genesis names it, but its keys could not be trusted at once, for this reason.
    NotTrusted(String),
    /// Its genesis names another one.
    NotNamed,
}

impl Founder<'_> {
    /// Makes what is not there yet.
    pub(crate) async fn found(&self, connection: &mut Connection) -> Result<Founded, DevError> {
        let folder = self.layout.admin(SLUG);
        files::make_folder(&folder)?;
        let key = signing_key(&folder.join("admin.key"))?;
        let genesis = self.genesis(&key)?;
        let mut steps = Vec::new();
        let mut shown = match show(connection, SLUG).await? {
            Some(shown) => shown,
            None => {
                let slug = slug()?;
                admit(
                    connection,
                    (self.deployment_id(), slug),
                    &genesis,
                    self.admission_key,
                )
                .await?;
                steps.push("the tenant is made");
                let step = "reading the tenant";
                show(connection, SLUG)
                    .await?
                    .ok_or(DevError::ApiAnswer { step })?
            }
        };
        let kept = Genesis::verify(&genesis)?;
        if shown.genesis.hash() != kept.hash() {
            return Err(DevError::OtherGenesis {
                path: folder.join("genesis.json"),
            });
        }
        if self.delegate(connection, &mut shown, &key).await? {
            steps.push("the delegation is in force");
        }
        let token_path = folder.join("scim-token");
        let scim_token = match self.kept_token(&token_path).await? {
            Some(token) => token,
            None => {
                let token = issue_token(connection, &mut shown, &key).await?;
                files::write(&token_path, format!("{token}\n").as_bytes(), files::PRIVATE)?;
                steps.push("a token is issued");
                token
            }
        };
        let named = kept.genesis().idp.as_ref();
        let issuer = if named == Some(&self.issuer.identity_provider()?) {
            match trust_issuer(connection, &mut shown, &key).await {
                Ok(0) => IssuerState::Trusted,
                Ok(_) => {
                    steps.push("the keys of its identity provider count at once");
                    IssuerState::Trusted
                }
                // Everything but claims goes on without.
                Err(error @ DevError::ApiRefused { .. }) => {
                    IssuerState::NotTrusted(error.to_string())
                }
                Err(error) => return Err(error),
            }
        } else {
            IssuerState::NotNamed
        };
        Ok(Founded {
            admin_folder: folder,
            scim_token,
            steps,
            domains: kept.genesis().domains.clone(),
            issuer,
        })
    }

    fn deployment_id(&self) -> DeploymentId {
        DeploymentId::from_bytes(self.deployment.deployment_id())
    }

    /// The genesis that is kept, or a new one. It is kept before it is sent.
    fn genesis(&self, key: &SigningKey) -> Result<Envelope, DevError> {
        let folder = self.layout.admin(SLUG);
        let path = folder.join("genesis.json");
        if let Some(bytes) = files::read_if_there(&path)? {
            return envelope(&bytes, &path);
        }
        let admin = Admin {
            name: "first admin".to_owned(),
            key: key.public_key(),
        };
        let genesis = Genesis {
            deployment: self.deployment_id(),
            slug: slug()?,
            created_ms: now_ms(),
            nonce: nonce()?,
            admins: AdminSet::new(vec![admin], 1)?,
            recovery_key: recovery_key(&folder.join("recovery.key"))?,
            domains: self.domains.clone(),
            idp: Some(self.issuer.identity_provider()?),
            protected_groups: BTreeSet::new(),
            protected_accounts: BTreeSet::new(),
            release_rule: ReleaseRule::FollowDeployment,
            witness_policy_sha256: Sha256::digest(self.witness_policy).into(),
        };
        let signed = genesis.sign(&[key])?;
        files::write(&path, &signed.to_json(), files::PUBLIC)?;
        Ok(signed)
    }

    /// Puts a delegation in force unless one is, for long enough; tells whether it did.
    async fn delegate(
        &self,
        connection: &mut Connection,
        shown: &mut Shown,
        key: &SigningKey,
    ) -> Result<bool, DevError> {
        let needed_ms = now_ms().saturating_add(DELEGATION_RENEWAL_MS);
        let in_force = shown.delegations(connection, key).await?;
        if in_force
            .iter()
            .any(|delegation| delegation.not_after_ms > needed_ms)
        {
            return Ok(false);
        }
        let newest = in_force.iter().map(|delegation| delegation.serial);
        let serial = newest.max().map_or(1, |serial| serial.saturating_add(1));
        let signed = put_delegation(connection, shown, key, serial).await?;
        let path = self.layout.admin(SLUG).join("delegation.json");
        files::write(&path, &signed.to_json(), files::PUBLIC)?;
        Ok(true)
    }

    /// The token of an earlier run, if the service still takes it.
    async fn kept_token(&self, path: &std::path::Path) -> Result<Option<String>, DevError> {
        let Some(bytes) = files::read_if_there(path)? else {
            return Ok(None);
        };
        let token = String::from_utf8_lossy(&bytes).trim().to_owned();
        let base = scim_base(self.deployment.base(), SLUG);
        let target = Target::new(&base, &token, &self.layout.ca())?;
        let mut connection = target.connect().await?;
        let reply = connection
            .send(Method::GET, "/ServiceProviderConfig", Bytes::new())
            .await?;
        Ok((reply.status != 401).then_some(token))
    }
}

/// Makes a tenant, which the operator's key lets in.
pub(crate) async fn admit(
    connection: &mut Connection,
    (deployment, slug): (DeploymentId, TenantSlug),
    genesis: &Envelope,
    admission_key: &SigningKey,
) -> Result<(), DevError> {
    let admission = Admission {
        deployment,
        slug,
        expires_ms: now_ms().saturating_add(ADMISSION_LIFE_MS),
        nonce: nonce()?,
    };
    let admission = admission.sign(&[admission_key])?;
    let body = [
        b"{\"admission\":".as_slice(),
        &admission.to_json(),
        b",\"genesis\":",
        &genesis.to_json(),
        b"}",
    ]
    .concat();
    let response = connection
        .request(Request::post_json("/v1/tenants", body))
        .await?;
    answer("making the tenant", &response).map(drop)
}

/// Puts a delegation of everything in force.
pub(crate) async fn put_delegation(
    connection: &mut Connection,
    shown: &mut Shown,
    key: &SigningKey,
    serial: u64,
) -> Result<Envelope, DevError> {
    let signed = delegation(shown, serial, now_ms()).sign(&[key])?;
    let step = "putting the delegation in force";
    let value = Value::parse(&signed.to_json(), &Limits::DOCUMENT)
        .map_err(|_never| DevError::ApiAnswer { step })?;
    let body = Object::new().with("delegation", value);
    let wanted = (ActName::DelegationPut, step, &body);
    shown.act(connection, key, wanted).await?;
    Ok(signed)
}

/// Issues a token with every scope.
pub(crate) async fn issue_token(
    connection: &mut Connection,
    shown: &mut Shown,
    key: &SigningKey,
) -> Result<String, DevError> {
    let step = "issuing the token";
    let scopes: Vec<Value> = ScopeSet::all()
        .iter()
        .map(|scope: Scope| scope.name().into())
        .collect();
    let body = Object::new()
        .with("scopes", scopes)
        .with("life_s", TOKEN_LIFE_S)
        .with("label", "chancery-dev");
    let wanted = (ActName::TokenIssue, step, &body);
    let answer = shown.act(connection, key, wanted).await?;
    let token = answer.get("token").and_then(Value::as_str);
    token.map(str::to_owned).ok_or(DevError::ApiAnswer { step })
}

/// Lets the keys that the identity provider publishes now count at once; tells how many did not before.
async fn trust_issuer(
    connection: &mut Connection,
    shown: &mut Shown,
    key: &SigningKey,
) -> Result<usize, DevError> {
    let step = "reading the identity provider's keys";
    let wanted = (ActName::IssuerRead, step, &Object::new());
    let answer = shown.act(connection, key, wanted).await?;
    let open = open_keys(&answer).ok_or(DevError::ApiAnswer { step })?;
    let count = open.len();
    if count > 0 {
        let step = "trusting the identity provider's keys";
        let body = Object::new().with("thumbprints", open);
        let wanted = (ActName::IssuerTrust, step, &body);
        shown.act(connection, key, wanted).await?;
    }
    Ok(count)
}

/// Thumbprints of the keys that are published and that no admin has signed for.
fn open_keys(answer: &Object) -> Option<Vec<Value>> {
    let mut open = Vec::new();
    for key in answer.get("keys")?.as_array()? {
        let key = key.as_object()?;
        let flag = |name| key.get(name).and_then(Value::as_bool);
        if flag("published")? && !flag("approved")? {
            open.push(key.get("thumbprint")?.as_str()?.into());
        }
    }
    Some(open)
}

fn slug() -> Result<TenantSlug, DevError> {
    TenantSlug::parse(SLUG).ok_or(DevError::Value {
        option: "the tenant's name",
        allowed: "3 to 40 characters of a-z, 0-9 and -",
    })
}

pub(crate) fn nonce() -> Result<[u8; 32], DevError> {
    let mut nonce = [0; 32];
    SystemRandom::new()
        .fill(&mut nonce)
        .map_err(|ring::error::Unspecified| {
            DevError::System(std::io::Error::other("the random source failed"))
        })?;
    Ok(nonce)
}

/// Reads a signing key, or makes it.
pub(crate) fn signing_key(path: &std::path::Path) -> Result<SigningKey, DevError> {
    if path.exists() {
        Ok(read_signing_key(path)?)
    } else {
        Ok(create_signing_key(path)?)
    }
}

/// The public half of the recovery key, which is made if it is not there.
fn recovery_key(path: &std::path::Path) -> Result<PublicKeyset, DevError> {
    let Some(bytes) = files::read_if_there(path)? else {
        return Ok(create_recovery_key(path)?);
    };
    let keyset = KeyFile::from_json(&bytes)?.into_keyset();
    let keyset = keyset.ok_or_else(|| DevError::Document {
        path: path.to_owned(),
        reason: "it is no recovery key".to_owned(),
    })?;
    Ok(keyset.public().clone())
}

fn envelope(bytes: &[u8], path: &std::path::Path) -> Result<Envelope, DevError> {
    Envelope::parse(bytes).map_err(|error| DevError::Document {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

/// Everything that automation can be allowed to do, within the tenant's own domains, for a year.
fn delegation(shown: &Shown, serial: u64, now_ms: u64) -> Delegation {
    Delegation {
        tenant: shown.genesis.tenant(),
        serial,
        not_before_ms: now_ms.saturating_sub(BACKDATE_MS),
        not_after_ms: now_ms.saturating_add(DELEGATION_LIFE_MS),
        scopes: ScopeSet::all(),
        domains: shown.genesis.genesis().domains.clone(),
        allow_user_names_without_domain: true,
        managed_groups: ManagedGroups::All,
        sensitive_groups: BTreeSet::new(),
        protected_groups: BTreeSet::new(),
        protected_accounts: BTreeSet::new(),
        limits: LIMITS,
        credential_life_max_s: TOKEN_LIFE_S_MAX,
        on_delete: OnDelete::Suspend,
        id_mapping: shown.genesis.genesis().idp.as_ref().map(|idp| idp.mapping),
        mode: Mode::Apply,
        pilot: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(thumbprint: &str, (published, approved): (bool, bool)) -> Value {
        Object::new()
            .with("thumbprint", thumbprint)
            .with("published", published)
            .with("approved", approved)
            .into()
    }

    #[test]
    fn signs_for_the_keys_that_are_published_and_not_trusted_yet() {
        let keys = vec![
            key("aa", (true, false)),
            key("bb", (true, true)),
            key("cc", (false, false)),
        ];
        let answer = Object::new().with("keys", keys);
        assert_eq!(open_keys(&answer), Some(vec!["aa".into()]));
        let unread = Object::new().with("keys", vec![Object::new().into()]);
        assert_eq!(open_keys(&unread), None);
        assert_eq!(open_keys(&Object::new()), None);
    }
}
