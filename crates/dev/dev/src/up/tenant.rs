//! The tenant `demo`: its keys, genesis, delegation and token, each made once. After a crash between
//! two steps the next run goes on where the last one stopped.

use std::collections::BTreeSet;
use std::path::PathBuf;

use base64ct::{Base64, Encoding as _};
use bytes::Bytes;
use chancery_authority::{
    Act, ActName, Admin, AdminSet, Admission, BurstLimits, Delegation, DeploymentId, Domain,
    Genesis, KeyFile, ManagedGroups, Mode, OnDelete, ReleaseRule, Scope, ScopeSet, TenantSlug,
    VerifiedGenesis,
};
use chancery_cli::{create_recovery_key, create_signing_key, read_signing_key};
use chancery_client::{AttestedConnection, Request, Response, now_ms};
use chancery_dsse::{Envelope, KeyId, SigningKey};
use chancery_emulated_sp::EmulatedAnchor;
use chancery_json::{Limits, Object, Value};
use chancery_keyset::PublicKeyset;
use chancery_session::Deployment;
use hyper::Method;
use ring::rand::{SecureRandom as _, SystemRandom};
use sha2::{Digest as _, Sha256};

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
/// Life of a signed act: it is sent at once.
const ACT_LIFE_MS: u64 = 2 * MINUTE_MS;
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

/// The tenant as the runtime shows it.
struct Shown {
    genesis: VerifiedGenesis,
    sequences: Vec<(KeyId, u64)>,
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
    /// Whether its genesis names the identity provider that runs beside it.
    pub(crate) names_issuer: bool,
}

type Connection = AttestedConnection<EmulatedAnchor>;

impl Founder<'_> {
    /// Makes what is not there yet.
    pub(crate) async fn found(&self, connection: &mut Connection) -> Result<Founded, DevError> {
        let folder = self.layout.admin(SLUG);
        files::make_folder(&folder)?;
        let key = signing_key(&folder.join("admin.key"))?;
        let genesis = self.genesis(&key)?;
        let mut steps = Vec::new();
        let mut shown = match self.show(connection).await? {
            Some(shown) => shown,
            None => {
                self.admit(connection, &genesis).await?;
                steps.push("the tenant is made");
                let step = "reading the tenant";
                self.show(connection)
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
                let token = self.issue(connection, &mut shown, &key).await?;
                files::write(&token_path, format!("{token}\n").as_bytes(), files::PRIVATE)?;
                steps.push("a token is issued");
                token
            }
        };
        Ok(Founded {
            admin_folder: folder,
            scim_token,
            steps,
            domains: kept.genesis().domains.clone(),
            names_issuer: kept.genesis().idp.as_ref() == Some(&self.issuer.identity_provider()?),
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

    /// The tenant, or none if the runtime knows none of this name.
    async fn show(&self, connection: &mut Connection) -> Result<Option<Shown>, DevError> {
        let step = "reading the tenant";
        let request = Request::get(&format!("/v1/tenants/{SLUG}"));
        let response = connection.request(request).await?;
        if response.status() == 404 {
            return Ok(None);
        }
        let answer = answer(step, &response)?;
        parse_shown(&answer)
            .map(Some)
            .ok_or(DevError::ApiAnswer { step })
    }

    async fn admit(&self, connection: &mut Connection, genesis: &Envelope) -> Result<(), DevError> {
        let admission = Admission {
            deployment: self.deployment_id(),
            slug: slug()?,
            expires_ms: now_ms().saturating_add(ADMISSION_LIFE_MS),
            nonce: nonce()?,
        };
        let admission = admission.sign(&[self.admission_key])?;
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

    /// Puts a delegation in force unless one is, for long enough; tells whether it did.
    async fn delegate(
        &self,
        connection: &mut Connection,
        shown: &mut Shown,
        key: &SigningKey,
    ) -> Result<bool, DevError> {
        let step = "reading the delegations";
        let listed = self
            .act(
                connection,
                shown,
                key,
                (ActName::DelegationList, step, &Object::new()),
            )
            .await?;
        let delegations = parse_delegations(&listed).ok_or(DevError::ApiAnswer { step })?;
        let needed_ms = now_ms().saturating_add(DELEGATION_RENEWAL_MS);
        let mut in_force = delegations.iter();
        if in_force.any(|delegation| delegation.not_after_ms > needed_ms) {
            return Ok(false);
        }
        let newest = delegations.iter().map(|delegation| delegation.serial);
        let serial = newest.max().map_or(1, |serial| serial.saturating_add(1));
        let delegation = delegation(shown, serial, now_ms());
        let signed = delegation.sign(&[key])?;
        let path = self.layout.admin(SLUG).join("delegation.json");
        files::write(&path, &signed.to_json(), files::PUBLIC)?;
        let step = "putting the delegation in force";
        let value = Value::parse(&signed.to_json(), &Limits::DOCUMENT)
            .map_err(|_never| DevError::ApiAnswer { step })?;
        let body = Object::new().with("delegation", value);
        self.act(
            connection,
            shown,
            key,
            (ActName::DelegationPut, step, &body),
        )
        .await?;
        Ok(true)
    }

    async fn issue(
        &self,
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
            .with("label", "chancery-dev up");
        let answer = self
            .act(connection, shown, key, (ActName::TokenIssue, step, &body))
            .await?;
        let token = answer.get("token").and_then(Value::as_str);
        token.map(str::to_owned).ok_or(DevError::ApiAnswer { step })
    }

    /// Signs an act for this connection and sends it.
    async fn act(
        &self,
        connection: &mut Connection,
        shown: &mut Shown,
        key: &SigningKey,
        (act, step, body): (ActName, &'static str, &Object),
    ) -> Result<Object, DevError> {
        let body = body.to_bytes();
        let now_ms = now_ms();
        let mut own = shown.sequences.iter().filter(|(id, _)| *id == key.id());
        let last = own.next_back().map_or(0, |(_, sequence)| *sequence);
        let sequence = now_ms.max(last.saturating_add(1));
        let signed = Act {
            deployment: self.deployment_id(),
            tenant: shown.genesis.tenant(),
            act,
            sequence,
            expires_ms: now_ms.saturating_add(ACT_LIFE_MS),
            body_sha256: Sha256::digest(&body).into(),
            exporter: *connection.exporter(),
        }
        .sign(&[key])?;
        shown.sequences.push((key.id(), sequence));
        let request = [
            b"{\"act\":".as_slice(),
            &signed.to_json(),
            b",\"body\":\"",
            Base64::encode_string(&body).as_bytes(),
            b"\"}",
        ]
        .concat();
        let path = format!("/v1/tenants/{SLUG}/acts");
        let response = connection
            .request(Request::post_json(&path, request))
            .await?;
        answer(step, &response)
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

fn slug() -> Result<TenantSlug, DevError> {
    TenantSlug::parse(SLUG).ok_or(DevError::Value {
        option: "the tenant's name",
        allowed: "3 to 40 characters of a-z, 0-9 and -",
    })
}

fn nonce() -> Result<[u8; 32], DevError> {
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

/// A successful answer; a refusal becomes an error in the service's words.
fn answer(step: &'static str, response: &Response) -> Result<Object, DevError> {
    let parsed = Value::parse(response.body(), &Limits::DOCUMENT);
    if !response.is_success() {
        let text = |name: &str| {
            let object = parsed.as_ref().ok()?.as_object()?;
            object.get(name)?.as_str().map(str::to_owned)
        };
        let problem = text("detail").or_else(|| text("title"));
        return Err(DevError::ApiRefused {
            step,
            status: response.status(),
            problem: problem.unwrap_or_else(|| "no reason given".to_owned()),
        });
    }
    match parsed {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) | Err(_) => Err(DevError::ApiAnswer { step }),
    }
}

fn parse_shown(answer: &Object) -> Option<Shown> {
    let genesis = answer.get("genesis")?.to_bytes();
    let genesis = Genesis::verify(&Envelope::parse(&genesis).ok()?).ok()?;
    let sequences = answer.get("sequences")?.as_object()?;
    let sequences = sequences
        .iter()
        .map(|(key, value)| Some((KeyId::parse(key)?, value.as_u64()?)))
        .collect::<Option<_>>()?;
    Some(Shown { genesis, sequences })
}

fn parse_delegations(answer: &Object) -> Option<Vec<Delegation>> {
    let delegations = answer.get("delegations")?.as_array()?;
    delegations
        .iter()
        .map(|value| {
            let envelope = Envelope::parse(&value.to_bytes()).ok()?;
            Delegation::from_json(envelope.unverified_payload()).ok()
        })
        .collect()
}
