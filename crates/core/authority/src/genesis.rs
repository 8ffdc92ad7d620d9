//! Entry 0 of a tenant's log: who the tenant is and whose signatures count.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use base64ct::{Base64, Encoding as _};
use chancery_dsse::{Envelope, SigningKey};
use chancery_json::{Element, Object, Value};
use chancery_keyset::PublicKeyset;
use sha2::{Digest as _, Sha256};

use crate::admin::AdminSet;
use crate::error::{Error, FieldFault};
use crate::name::{DeploymentId, Domain, TenantId, TenantSlug};
use crate::read;

/// DSSE payload type of a genesis.
pub const GENESIS_PAYLOAD_TYPE: &str = "application/vnd.chancery.genesis+json";

/// Most trusted domains of one tenant.
pub const DOMAINS_MAX: usize = 512;

/// Longest wait of [`ReleaseRule::Wait`] in days; a longer one would outlive a release's validity.
pub const RELEASE_WAIT_DAYS_MAX: u64 = 365;

/// Most authorities of an issuer's TLS certificates.
pub const TLS_ROOTS_MAX: usize = 8;

/// Largest certificate of such an authority, in bytes.
pub const TLS_ROOT_SIZE_MAX: usize = 8192;

/// How an ID token's subject is matched with an account that SCIM provisioned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdMapping {
    /// `iss` with `sub` (OpenID Connect Core section 5.7): `sub` equals `externalId`.
    SubToExternalId,
    /// `tid` with `oid` of Entra ID: `oid` equals `externalId`.
    OidToExternalId,
    /// `email` equals `userName`. An address that is given to another person gives that person the account.
    DangerousEmailToUserName,
}

impl IdMapping {
    /// The word as it is signed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SubToExternalId => "sub_to_external_id",
            Self::OidToExternalId => "oid_to_external_id",
            Self::DangerousEmailToUserName => "dangerous_email_to_user_name",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::SubToExternalId,
            Self::OidToExternalId,
            Self::DangerousEmailToUserName,
        ]
        .into_iter()
        .find(|mapping| mapping.name() == text)
    }
}

/// The identity provider whose ID tokens confirm people.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the signed format names every member"
)]
pub struct IdentityProvider {
    /// The issuer, an `https` URL compared byte by byte with `iss`.
    pub issuer: String,
    /// The client id that must stand in `aud`.
    pub client_id: String,
    /// Which claim stands for which attribute.
    pub mapping: IdMapping,
    /// DER certificates of the authorities under which the issuer's TLS certificates hang, at most
    /// [`TLS_ROOTS_MAX`] of at most [`TLS_ROOT_SIZE_MAX`] bytes. If there is none, the public ones
    /// that are compiled into the runtime count.
    pub tls_roots: Vec<Vec<u8>>,
}

/// Which new releases of the runtime may take over this tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReleaseRule {
    /// Every release that the deployment's release policy allows.
    FollowDeployment,
    /// The same, this many days after its release was logged.
    Wait {
        /// 1 to [`RELEASE_WAIT_DAYS_MAX`].
        days: u64,
    },
    /// Only a release that a threshold of the tenant's admins approved.
    AdminApproval,
}

/// What the admins of a new tenant sign.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the signed format names every member"
)]
pub struct Genesis {
    /// The one deployment that this genesis is for.
    pub deployment: DeploymentId,
    /// The tenant's name in paths.
    pub slug: TenantSlug,
    /// When it was written, in milliseconds since the Unix epoch.
    pub created_ms: u64,
    /// 32 random bytes, so that no two tenants have one id.
    pub nonce: [u8; 32],
    /// The first admins.
    pub admins: AdminSet,
    /// The keyset whose private half the admins keep offline to take the tenant elsewhere.
    pub recovery_key: PublicKeyset,
    /// The domains in which the tenant may have addresses. Not empty.
    pub domains: BTreeSet<Domain>,
    /// The identity provider for claims, or none: then an admin confirms each person.
    pub idp: Option<IdentityProvider>,
    /// Groups that automation never touches, by display name.
    pub protected_groups: BTreeSet<String>,
    /// Accounts that automation never touches, by userName.
    pub protected_accounts: BTreeSet<String>,
    /// Which new releases may take over.
    pub release_rule: ReleaseRule,
    /// SHA-256 of the witness policy that was agreed on.
    pub witness_policy_sha256: [u8; 32],
}

/// A genesis that a threshold of its own admins signed. Only [`Genesis::verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedGenesis {
    genesis: Genesis,
    tenant: TenantId,
    hash: [u8; 32],
}

/// Whose signatures count for a tenant now, and within which bounds. It begins with the genesis; only
/// verified changes lead from one to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantAuthority {
    pub(crate) deployment: DeploymentId,
    pub(crate) tenant: TenantId,
    pub(crate) admins: AdminSet,
    /// Serial of the change that made these the admins; 0 for those of the genesis.
    pub(crate) admins_serial: u64,
    pub(crate) domains: BTreeSet<Domain>,
    pub(crate) id_mapping: Option<IdMapping>,
    pub(crate) protected_groups: BTreeSet<String>,
    pub(crate) protected_accounts: BTreeSet<String>,
}

impl Genesis {
    /// Reads a genesis from JSON in any layout, as an editor writes it. Nothing is believed by that.
    ///
    /// # Errors
    /// [`Error::Json`] or [`Error::Field`] with the place.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Error> {
        let mut fields = read::document(bytes)?;
        let deployment = DeploymentId::from_bytes(read::hex_bytes(fields.take("deployment")?)?);
        let slug = read::parsed(
            fields.take("slug")?,
            FieldFault::SlugForm,
            TenantSlug::parse,
        )?;
        let created_ms = read::time_ms(fields.take("created_ms")?)?;
        let nonce = read::hex_bytes(fields.take("nonce")?)?;
        let admins = AdminSet::take(&mut fields)?;
        let recovery_key = read::public_keyset(fields.take("recovery_key")?)?;
        let domains = read_domains(fields.take("domains")?)?;
        if domains.is_empty() {
            return Err(Error::field("/domains", FieldFault::Empty));
        }
        let idp = read_idp(fields.take("idp")?)?;
        let protected_groups = read::names(fields.take("protected_groups")?)?;
        let protected_accounts = read::names(fields.take("protected_accounts")?)?;
        let release_rule = read_release_rule(fields.take("release_rule")?)?;
        let witness_policy_sha256 = read::hex_bytes(fields.take("witness_policy_sha256")?)?;
        fields.finish()?;
        Ok(Self {
            deployment,
            slug,
            created_ms,
            nonce,
            admins,
            recovery_key,
            domains,
            idp,
            protected_groups,
            protected_accounts,
            release_rule,
            witness_policy_sha256,
        })
    }

    /// The one encoding, which is what is signed and hashed.
    #[must_use]
    pub fn to_payload(&self) -> Vec<u8> {
        let object = Object::new()
            .with("version", read::VERSION)
            .with("deployment", self.deployment.to_string())
            .with("slug", self.slug.as_str())
            .with("created_ms", self.created_ms)
            .with("nonce", hex::encode(self.nonce));
        self.admins
            .write(object)
            .with("recovery_key", read::base64(&self.recovery_key.encode()))
            .with("domains", read::list(&self.domains, Domain::to_string))
            .with("idp", self.idp.as_ref().map_or(Value::Null, write_idp))
            .with(
                "protected_groups",
                read::list(&self.protected_groups, String::clone),
            )
            .with(
                "protected_accounts",
                read::list(&self.protected_accounts, String::clone),
            )
            .with("release_rule", write_release_rule(self.release_rule))
            .with(
                "witness_policy_sha256",
                hex::encode(self.witness_policy_sha256),
            )
            .to_bytes()
    }

    /// Signs the one encoding. Members that [`Genesis::from_json`] would refuse are refused here too.
    ///
    /// # Errors
    /// As [`Genesis::from_json`], and [`Error::Envelope`].
    pub fn sign(&self, keys: &[&SigningKey]) -> Result<Envelope, Error> {
        let payload = self.to_payload();
        Self::from_json(&payload)?;
        Ok(Envelope::sign(GENESIS_PAYLOAD_TYPE, &payload, keys)?)
    }

    /// Believes a genesis that a threshold of the admins it names signed.
    ///
    /// That makes it whole, not right: which tenant it is, the customer's own domain says (design
    /// section 5).
    ///
    /// # Errors
    /// [`Error::Envelope`], [`Error::Json`], [`Error::Field`] or [`Error::NotCanonical`].
    pub fn verify(envelope: &Envelope) -> Result<VerifiedGenesis, Error> {
        if envelope.unverified_payload_type() != GENESIS_PAYLOAD_TYPE {
            return Err(chancery_dsse::Error::WrongPayloadType.into());
        }
        let claimed = Self::from_json(envelope.unverified_payload())?;
        let verified = claimed.admins.verify(envelope, GENESIS_PAYLOAD_TYPE)?;
        if claimed.to_payload() != verified.payload() {
            return Err(Error::NotCanonical);
        }
        Ok(VerifiedGenesis {
            tenant: TenantId::of_genesis(verified.payload()),
            hash: Sha256::digest(verified.payload()).into(),
            genesis: claimed,
        })
    }
}

impl VerifiedGenesis {
    /// What was signed.
    #[must_use]
    pub const fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// The tenant's id: the first 16 bytes of [`VerifiedGenesis::hash`].
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// SHA-256 of the payload, as the customer publishes it.
    #[must_use]
    pub const fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// The text of the TXT record that the customer publishes at `_chancery.<domain>`.
    #[must_use]
    pub fn txt_record(&self) -> String {
        alloc::format!(
            "v=chancery1; tenant={}; genesis={}",
            self.genesis.slug,
            hex::encode(self.hash)
        )
    }

    /// Whose signatures count from here on.
    #[must_use]
    pub fn authority(&self) -> TenantAuthority {
        TenantAuthority {
            deployment: self.genesis.deployment,
            tenant: self.tenant,
            admins: self.genesis.admins.clone(),
            admins_serial: 0,
            domains: self.genesis.domains.clone(),
            id_mapping: self.genesis.idp.as_ref().map(|idp| idp.mapping),
            protected_groups: self.genesis.protected_groups.clone(),
            protected_accounts: self.genesis.protected_accounts.clone(),
        }
    }
}

impl TenantAuthority {
    /// The deployment.
    #[must_use]
    pub const fn deployment(&self) -> DeploymentId {
        self.deployment
    }

    /// The tenant.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The admins.
    #[must_use]
    pub const fn admins(&self) -> &AdminSet {
        &self.admins
    }

    /// The serial of the change that made these the admins; 0 for those of the genesis.
    #[must_use]
    pub const fn admins_serial(&self) -> u64 {
        self.admins_serial
    }

    /// The trusted domains.
    #[must_use]
    pub const fn domains(&self) -> &BTreeSet<Domain> {
        &self.domains
    }
}

pub(crate) fn read_domains(element: Element) -> Result<BTreeSet<Domain>, Error> {
    read::set(element, DOMAINS_MAX, |entry| {
        read::parsed(entry, FieldFault::DomainForm, Domain::parse)
    })
}

fn read_idp(element: Element) -> Result<Option<IdentityProvider>, Error> {
    let pointer = element.pointer().to_string();
    let value = element.into_value();
    if matches!(value, Value::Null) {
        return Ok(None);
    }
    read::nested(&pointer, value, |element| read_some_idp(element).map(Some))
}

fn read_some_idp(element: Element) -> Result<IdentityProvider, Error> {
    let mut fields = element.into_fields()?;
    let issuer = read::parsed(fields.take("issuer")?, FieldFault::IssuerForm, |text| {
        is_issuer(text).then(|| text.to_string())
    })?;
    let client_id = read::name(fields.take("client_id")?)?;
    let mapping = read::parsed(
        fields.take("mapping")?,
        FieldFault::UnknownWord,
        IdMapping::parse,
    )?;
    let tls_roots = read_tls_roots(fields.take("tls_roots")?)?;
    fields.finish()?;
    Ok(IdentityProvider {
        issuer,
        client_id,
        mapping,
        tls_roots,
    })
}

fn read_tls_roots(element: Element) -> Result<Vec<Vec<u8>>, Error> {
    let pointer = element.pointer().to_string();
    let elements = element.into_array()?;
    if elements.len() > TLS_ROOTS_MAX {
        return Err(Error::field(pointer, FieldFault::TooMany));
    }
    let mut roots: Vec<Vec<u8>> = Vec::new();
    for element in elements {
        let pointer = element.pointer().to_string();
        let root = read::parsed(element, FieldFault::Base64, |text| {
            let der = Base64::decode_vec(text).ok()?;
            (1..=TLS_ROOT_SIZE_MAX).contains(&der.len()).then_some(der)
        })?;
        if roots.contains(&root) {
            return Err(Error::field(pointer, FieldFault::Duplicate));
        }
        roots.push(root);
    }
    Ok(roots)
}

/// An issuer identifier of OpenID Connect Discovery section 3: `https`, a host, no query, no fragment.
fn is_issuer(text: &str) -> bool {
    let graphic = |byte: u8| byte.is_ascii_graphic() && !b"?#@\\\"<>".contains(&byte);
    let host = text.strip_prefix("https://").unwrap_or_default();
    text.len() <= read::NAME_LENGTH_MAX
        && !host.is_empty()
        && !host.starts_with(['/', ':'])
        && text.bytes().all(graphic)
}

fn write_idp(idp: &IdentityProvider) -> Value {
    Object::new()
        .with("issuer", idp.issuer.as_str())
        .with("client_id", idp.client_id.as_str())
        .with("mapping", idp.mapping.name())
        .with(
            "tls_roots",
            read::list(&idp.tls_roots, |der| read::base64(der)),
        )
        .into()
}

fn read_release_rule(element: Element) -> Result<ReleaseRule, Error> {
    let pointer = element.pointer().to_string();
    match element.into_value() {
        Value::String(text) => match text.as_str() {
            "follow_deployment" => Ok(ReleaseRule::FollowDeployment),
            "admin_approval" => Ok(ReleaseRule::AdminApproval),
            _ => Err(Error::field(pointer, FieldFault::UnknownWord)),
        },
        other => read::nested(&pointer, other, |element| {
            let mut fields = element.into_fields()?;
            let days = read::number(fields.take("wait_days")?, &(1..=RELEASE_WAIT_DAYS_MAX))?;
            fields.finish()?;
            Ok(ReleaseRule::Wait { days })
        }),
    }
}

fn write_release_rule(rule: ReleaseRule) -> Value {
    match rule {
        ReleaseRule::FollowDeployment => "follow_deployment".into(),
        ReleaseRule::AdminApproval => "admin_approval".into(),
        ReleaseRule::Wait { days } => Object::new().with("wait_days", days).into(),
    }
}

#[cfg(test)]
mod tests;
