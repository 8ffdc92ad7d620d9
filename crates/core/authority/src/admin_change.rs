//! How the admins of a tenant change: by the threshold of those who are admins now.

use alloc::string::ToString as _;
use alloc::vec::Vec;

use chancery_dsse::{Envelope, KeyId, PublicKey, SigningKey};
use chancery_json::Object;
use sha2::{Digest as _, Sha256};

use crate::admin::AdminSet;
use crate::error::{Error, FieldFault};
use crate::genesis::TenantAuthority;
use crate::name::TenantId;
use crate::read;

/// DSSE payload type of a change of admins.
pub const ADMINS_PAYLOAD_TYPE: &str = "application/vnd.chancery.admins+json";

/// The whole set of admins that follows the present one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the signed format names every member"
)]
pub struct AdminChange {
    /// The tenant.
    pub tenant: TenantId,
    /// One more than the last change's; the first has 1.
    pub serial: u64,
    /// Who will be admins.
    pub admins: AdminSet,
}

/// A change that a threshold of the present admins and every new one signed, in its turn. Only
/// [`AdminChange::verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedAdminChange {
    authority: TenantAuthority,
    hash: [u8; 32],
    signers: Vec<KeyId>,
}

impl VerifiedAdminChange {
    /// Whose signatures count from here on.
    #[must_use]
    pub const fn authority(&self) -> &TenantAuthority {
        &self.authority
    }

    /// SHA-256 of the payload, for the log entry.
    #[must_use]
    pub const fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// The present admins' keys that signed it.
    #[must_use]
    pub fn signers(&self) -> &[KeyId] {
        &self.signers
    }
}

impl AdminChange {
    /// Reads a change from JSON in any layout. Nothing is believed by that.
    ///
    /// # Errors
    /// [`Error::Json`] or [`Error::Field`] with the place.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Error> {
        let mut fields = read::document(bytes)?;
        let change = Self {
            tenant: TenantId::from_bytes(read::hex_bytes(fields.take("tenant")?)?),
            serial: read::number(fields.take("serial")?, &(1..=read::NUMBER_MAX))?,
            admins: AdminSet::take(&mut fields)?,
        };
        fields.finish()?;
        Ok(change)
    }

    /// The one encoding, which is what is signed and hashed.
    #[must_use]
    pub fn to_payload(&self) -> Vec<u8> {
        let object = Object::new()
            .with("version", read::VERSION)
            .with("tenant", self.tenant.to_string())
            .with("serial", self.serial);
        self.admins.write(object).to_bytes()
    }

    /// Signs the one encoding.
    ///
    /// # Errors
    /// [`Error::Envelope`], or [`Error::Field`] for a serial beyond the limits.
    pub fn sign(&self, keys: &[&SigningKey]) -> Result<Envelope, Error> {
        let payload = self.to_payload();
        Self::from_json(&payload)?;
        Ok(Envelope::sign(ADMINS_PAYLOAD_TYPE, &payload, keys)?)
    }

    /// Believes a change that a threshold of the present admins signed, and every admin who is new, so
    /// that no key is enrolled whose holder did not agree or does not have it.
    ///
    /// # Errors
    /// [`Error::Envelope`], [`Error::Json`], [`Error::Field`], [`Error::NotCanonical`] or
    /// [`Error::ForeignTenant`].
    pub fn verify(
        envelope: &Envelope,
        present: &TenantAuthority,
    ) -> Result<VerifiedAdminChange, Error> {
        let verified = present.admins.verify(envelope, ADMINS_PAYLOAD_TYPE)?;
        let change = Self::from_json(verified.payload())?;
        if change.to_payload() != verified.payload() {
            return Err(Error::NotCanonical);
        }
        if change.tenant != present.tenant {
            return Err(Error::ForeignTenant);
        }
        if change.serial != present.admins_serial.saturating_add(1) {
            return Err(Error::field("/serial", FieldFault::OutOfRange));
        }
        let new: Vec<PublicKey> = change
            .admins
            .keys()
            .into_iter()
            .filter(|key| present.admins.by_key(&key.id()).is_none())
            .collect();
        if !new.is_empty() {
            envelope.verify(ADMINS_PAYLOAD_TYPE, &new, new.len())?;
        }
        Ok(VerifiedAdminChange {
            hash: Sha256::digest(verified.payload()).into(),
            signers: verified.signers().to_vec(),
            authority: TenantAuthority {
                admins: change.admins,
                admins_serial: change.serial,
                ..present.clone()
            },
        })
    }
}

#[cfg(test)]
mod tests;
