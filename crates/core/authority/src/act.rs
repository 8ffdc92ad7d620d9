//! Signed requests of admins and members.

use alloc::collections::BTreeMap;
use alloc::string::ToString as _;
use alloc::vec::Vec;
use core::fmt;

use chancery_dsse::{Envelope, KeyId, PublicKey, SigningKey};
use chancery_json::Object;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::{Error, FieldFault};
use crate::name::{DeploymentId, TenantId};
use crate::read;

/// DSSE payload type of an act.
pub const ACT_PAYLOAD_TYPE: &str = "application/vnd.chancery.act+json";

/// Longest life of a signed act, ten minutes: it is made for a connection that is open now.
pub const ACT_LIFE_MS_MAX: u64 = 10 * 60 * 1000;

macro_rules! act_names {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// What a signed request asks for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum ActName {
            $($(#[$doc])* $variant,)+
        }

        impl ActName {
            /// Every act.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word as it is signed.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

act_names! {
    /// Put a delegation in force.
    DelegationPut = "delegation.put",
    /// End a delegation at once.
    DelegationRevoke = "delegation.revoke",
    /// Read the delegations in force.
    DelegationList = "delegation.list",
    /// Make a SCIM credential.
    TokenIssue = "token.issue",
    /// List credentials and their last use.
    TokenList = "token.list",
    /// Make a credential that takes over from another one.
    TokenRotate = "token.rotate",
    /// End a credential at once.
    TokenRevoke = "token.revoke",
    /// Let held acts through, or open a window of the brake.
    ActApprove = "act.approve",
    /// Read the acts that wait for a signature, and how much of each limit is used.
    ActHeld = "act.held",
    /// Suspend a user.
    UserSuspend = "user.suspend",
    /// Restore a suspended user.
    UserRestore = "user.restore",
    /// Erase a user.
    UserErase = "user.erase",
    /// Add a member to a group.
    GroupAdd = "group.add",
    /// Remove a member from a group.
    GroupRemove = "group.remove",
    /// Change admins or their threshold.
    AdminsPut = "admins.put",
    /// Enrol an auditor's key.
    AuditorEnrol = "auditor.enrol",
    /// End an auditor's access.
    AuditorRevoke = "auditor.revoke",
    /// Read the tenant's log.
    LogRead = "log.read",
    /// Read the private parts of a tenant's log.
    LogAudit = "log.audit",
    /// Read the offline proof of one entry.
    LogReceipt = "log.receipt",
    /// Read what the service says now of users and groups, for comparison with the log.
    DirectoryRead = "directory.read",
    /// Read a user's current key with its proof.
    KeysLookup = "keys.lookup",
    /// Read the keys that a user has had.
    KeysHistory = "keys.history",
    /// Confirm a member's claim.
    ClaimConfirm = "claim.confirm",
    /// Replace a member's keyset.
    KeysetRotate = "keyset.rotate",
    /// Add a member's device.
    DeviceAdd = "device.add",
    /// Remove a member's device.
    DeviceRevoke = "device.revoke",
    /// Read one's own account: keys, devices, groups.
    MemberShow = "member.show",
    /// Have a group's key wrapped to one's own account.
    GroupKey = "group.key",
    /// Import members with their keys.
    TenantImport = "tenant.import",
    /// Freeze and export the tenant.
    TenantExport = "tenant.export",
    /// Read what the intents recorded so far would change.
    PlanShow = "plan.show",
    /// Let the planned intents take effect.
    PlanApply = "plan.apply",
    /// Forget the intents recorded so far.
    PlanDrop = "plan.drop",
    /// Read the keys of the tenant's OpenID provider.
    IssuerRead = "issuer.read",
    /// Trust keys of the tenant's OpenID provider.
    IssuerTrust = "issuer.trust",
}

impl ActName {
    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|act| act.name() == text)
    }
}

impl fmt::Display for ActName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What stands in a signed request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the signed format names every member"
)]
pub struct Act {
    /// The deployment.
    pub deployment: DeploymentId,
    /// The tenant.
    pub tenant: TenantId,
    /// What is asked for.
    pub act: ActName,
    /// Larger than every sequence number that any of the signing keys used before.
    pub sequence: u64,
    /// First millisecond since the Unix epoch at which it is no longer accepted.
    pub expires_ms: u64,
    /// SHA-256 of the request's body.
    pub body_sha256: [u8; 32],
    /// The TLS exporter value of the connection that carries the request.
    pub exporter: [u8; 32],
}

/// What a request must match to be accepted.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a caller must state every expectation; a new one must break every caller"
)]
pub struct Expected<'a> {
    /// The deployment that this is.
    pub deployment: DeploymentId,
    /// The tenant that the request's path names.
    pub tenant: TenantId,
    /// What the request asks for.
    pub act: ActName,
    /// Whose signatures count.
    pub keys: &'a [PublicKey],
    /// How many of them must have signed.
    pub threshold: usize,
    /// The newest accepted sequence number of each key that has one.
    pub last_sequences: &'a BTreeMap<KeyId, u64>,
    /// Now, in milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// The TLS exporter value of the connection.
    pub exporter: &'a [u8; 32],
    /// The request's body.
    pub body: &'a [u8],
}

/// A request that the right keys signed for this deployment, tenant, act, connection and body, once.
/// Only [`verify_act`] makes one. Its effect is complete when the caller has stored `sequence` as the
/// newest one of every key in `signers`, in the same commit.
#[derive(Debug)]
pub struct VerifiedAct {
    act: ActName,
    sequence: u64,
    signers: Vec<KeyId>,
    hash: [u8; 32],
}

impl VerifiedAct {
    /// What is asked for.
    #[must_use]
    pub const fn act(&self) -> ActName {
        self.act
    }

    /// The sequence number to store.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The distinct keys that signed.
    #[must_use]
    pub fn signers(&self) -> &[KeyId] {
        &self.signers
    }

    /// SHA-256 of the payload, for the log entry.
    #[must_use]
    pub const fn hash(&self) -> &[u8; 32] {
        &self.hash
    }
}

impl Act {
    /// The one encoding, which is what is signed and hashed.
    #[must_use]
    pub fn to_payload(&self) -> Vec<u8> {
        Object::new()
            .with("version", read::VERSION)
            .with("deployment", self.deployment.to_string())
            .with("tenant", self.tenant.to_string())
            .with("act", self.act.name())
            .with("sequence", self.sequence)
            .with("expires_ms", self.expires_ms)
            .with("body_sha256", hex::encode(self.body_sha256))
            .with("exporter", read::base64(&self.exporter))
            .to_bytes()
    }

    /// Signs the one encoding.
    ///
    /// # Errors
    /// [`Error::Envelope`], or [`Error::Field`] for a sequence number or time beyond the limits.
    pub fn sign(&self, keys: &[&SigningKey]) -> Result<Envelope, Error> {
        let payload = self.to_payload();
        Self::from_json(&payload)?;
        Ok(Envelope::sign(ACT_PAYLOAD_TYPE, &payload, keys)?)
    }

    fn from_json(bytes: &[u8]) -> Result<Self, Error> {
        let mut fields = read::document(bytes)?;
        let act = Self {
            deployment: DeploymentId::from_bytes(read::hex_bytes(fields.take("deployment")?)?),
            tenant: TenantId::from_bytes(read::hex_bytes(fields.take("tenant")?)?),
            act: read::parsed(fields.take("act")?, FieldFault::UnknownWord, ActName::parse)?,
            sequence: read::number(fields.take("sequence")?, &(1..=read::NUMBER_MAX))?,
            expires_ms: read::time_ms(fields.take("expires_ms")?)?,
            body_sha256: read::hex_bytes(fields.take("body_sha256")?)?,
            exporter: read::base64_bytes(fields.take("exporter")?)?,
        };
        fields.finish()?;
        Ok(act)
    }
}

/// Accepts a signed request if it matches `expected` in every part.
///
/// # Errors
/// [`Error::Envelope`] before anything of the payload is read, then [`Error::Json`], [`Error::Field`],
/// [`Error::NotCanonical`], [`Error::ForeignDeployment`], [`Error::ForeignTenant`],
/// [`Error::OtherAct`], [`Error::Expired`], [`Error::ExpiresTooLate`], [`Error::OtherConnection`],
/// [`Error::OtherBody`], [`Error::Replayed`].
pub fn verify_act(envelope: &Envelope, expected: &Expected<'_>) -> Result<VerifiedAct, Error> {
    let verified = envelope.verify(ACT_PAYLOAD_TYPE, expected.keys, expected.threshold)?;
    let act = Act::from_json(verified.payload())?;
    if act.to_payload() != verified.payload() {
        return Err(Error::NotCanonical);
    }
    if act.deployment != expected.deployment {
        return Err(Error::ForeignDeployment);
    }
    if act.tenant != expected.tenant {
        return Err(Error::ForeignTenant);
    }
    if act.act != expected.act {
        return Err(Error::OtherAct);
    }
    let expires_ms_max = expected.now_ms.saturating_add(ACT_LIFE_MS_MAX);
    if expected.now_ms >= act.expires_ms {
        return Err(Error::Expired {
            expires_ms: act.expires_ms,
        });
    }
    if act.expires_ms > expires_ms_max {
        return Err(Error::ExpiresTooLate { expires_ms_max });
    }
    if !chancery_sealing::same_bytes(&act.exporter, expected.exporter) {
        return Err(Error::OtherConnection);
    }
    let body_sha256: [u8; 32] = Sha256::digest(expected.body).into();
    if act.body_sha256 != body_sha256 {
        return Err(Error::OtherBody);
    }
    for signer in verified.signers() {
        if let Some(last) = expected.last_sequences.get(signer)
            && act.sequence <= *last
        {
            return Err(Error::Replayed {
                key: *signer,
                last_sequence: *last,
            });
        }
    }
    Ok(VerifiedAct {
        act: act.act,
        sequence: act.sequence,
        signers: verified.signers().to_vec(),
        hash: Sha256::digest(verified.payload()).into(),
    })
}

#[cfg(test)]
mod tests;
