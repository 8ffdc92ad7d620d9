//! The operator's permission to create one tenant.

use alloc::string::ToString as _;
use alloc::vec::Vec;

use chancery_dsse::{Envelope, PublicKey, SigningKey};
use chancery_json::Object;

use crate::error::{Error, FieldFault};
use crate::name::{DeploymentId, TenantSlug};
use crate::read;

/// DSSE payload type of an admission.
pub const ADMISSION_PAYLOAD_TYPE: &str = "application/vnd.chancery.admission+json";

/// What the operator signs: one tenant with this slug may be created. It grants nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the signed format names every member"
)]
pub struct Admission {
    /// The deployment.
    pub deployment: DeploymentId,
    /// The slug that the new tenant's genesis must have.
    pub slug: TenantSlug,
    /// First millisecond since the Unix epoch at which it is no longer accepted.
    pub expires_ms: u64,
    /// 32 random bytes; the engine accepts each once.
    pub nonce: [u8; 32],
}

/// An admission that the operator signed for this deployment and that has not expired. Only
/// [`Admission::verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedAdmission(Admission);

impl VerifiedAdmission {
    /// What was signed.
    #[must_use]
    pub const fn admission(&self) -> &Admission {
        &self.0
    }
}

impl Admission {
    /// The one encoding, which is what is signed.
    #[must_use]
    pub fn to_payload(&self) -> Vec<u8> {
        Object::new()
            .with("version", read::VERSION)
            .with("deployment", self.deployment.to_string())
            .with("slug", self.slug.as_str())
            .with("expires_ms", self.expires_ms)
            .with("nonce", hex::encode(self.nonce))
            .to_bytes()
    }

    /// Signs the one encoding.
    ///
    /// # Errors
    /// [`Error::Envelope`], or [`Error::Field`] for a time beyond the limits.
    pub fn sign(&self, keys: &[&SigningKey]) -> Result<Envelope, Error> {
        let payload = self.to_payload();
        Self::from_json(&payload)?;
        Ok(Envelope::sign(ADMISSION_PAYLOAD_TYPE, &payload, keys)?)
    }

    fn from_json(bytes: &[u8]) -> Result<Self, Error> {
        let mut fields = read::document(bytes)?;
        let admission = Self {
            deployment: DeploymentId::from_bytes(read::hex_bytes(fields.take("deployment")?)?),
            slug: read::parsed(
                fields.take("slug")?,
                FieldFault::SlugForm,
                TenantSlug::parse,
            )?,
            expires_ms: read::time_ms(fields.take("expires_ms")?)?,
            nonce: read::hex_bytes(fields.take("nonce")?)?,
        };
        fields.finish()?;
        Ok(admission)
    }

    /// Believes an admission that one of the operator's admission keys signed.
    ///
    /// # Errors
    /// [`Error::Envelope`], [`Error::Json`], [`Error::Field`], [`Error::NotCanonical`],
    /// [`Error::ForeignDeployment`] or [`Error::Expired`].
    pub fn verify(
        envelope: &Envelope,
        keys: &[PublicKey],
        deployment: DeploymentId,
        now_ms: u64,
    ) -> Result<VerifiedAdmission, Error> {
        let verified = envelope.verify(ADMISSION_PAYLOAD_TYPE, keys, 1)?;
        let admission = Self::from_json(verified.payload())?;
        if admission.to_payload() != verified.payload() {
            return Err(Error::NotCanonical);
        }
        if admission.deployment != deployment {
            return Err(Error::ForeignDeployment);
        }
        if now_ms >= admission.expires_ms {
            return Err(Error::Expired {
                expires_ms: admission.expires_ms,
            });
        }
        Ok(VerifiedAdmission(admission))
    }
}

#[cfg(test)]
mod tests;
