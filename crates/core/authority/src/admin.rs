//! The people who may sign for a tenant.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use chancery_dsse::{Envelope, KeyId, PublicKey, Verified};
use chancery_json::{Element, Fields, Object, Value};

use crate::error::{Error, FieldFault};
use crate::read;

/// Most admins of one tenant: as many as one envelope can carry signatures.
pub const ADMINS_MAX: usize = chancery_dsse::SIGNATURES_MAX;

/// One admin: a name for people and a key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the signed format names both members"
)]
pub struct Admin {
    /// How the others call this admin; it decides nothing.
    pub name: String,
    /// The Ed25519 key.
    pub key: PublicKey,
}

/// A tenant's admins and how many of them must sign: distinct names, distinct keys, and a threshold
/// from one to their number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminSet {
    admins: Vec<Admin>,
    threshold: usize,
}

impl AdminSet {
    /// Checks and orders the admins by key id, which is the order in which they are signed.
    ///
    /// # Errors
    /// [`Error::Field`] with the fault, and the pointer as in a genesis.
    pub fn new(mut admins: Vec<Admin>, threshold: usize) -> Result<Self, Error> {
        if admins.is_empty() {
            return Err(Error::field("/admins", FieldFault::Empty));
        }
        if admins.len() > ADMINS_MAX {
            return Err(Error::field("/admins", FieldFault::TooMany));
        }
        let names: BTreeSet<&str> = admins.iter().map(|admin| admin.name.as_str()).collect();
        let keys: BTreeSet<KeyId> = admins.iter().map(|admin| admin.key.id()).collect();
        if names.len() < admins.len() || keys.len() < admins.len() {
            return Err(Error::field("/admins", FieldFault::Duplicate));
        }
        if !admins.iter().all(|admin| read::is_name(&admin.name)) {
            return Err(Error::field("/admins", FieldFault::TextForm));
        }
        if threshold == 0 || threshold > admins.len() {
            return Err(Error::field("/admin_threshold", FieldFault::OutOfRange));
        }
        admins.sort_by_key(|admin| admin.key.id());
        Ok(Self { admins, threshold })
    }

    /// The admins in the order of their key ids.
    #[must_use]
    pub fn admins(&self) -> &[Admin] {
        &self.admins
    }

    /// How many must sign.
    #[must_use]
    pub const fn threshold(&self) -> usize {
        self.threshold
    }

    /// The keys in the order of their ids.
    #[must_use]
    pub fn keys(&self) -> Vec<PublicKey> {
        self.admins.iter().map(|admin| admin.key.clone()).collect()
    }

    /// The admin with this key.
    #[must_use]
    pub fn by_key(&self, id: &KeyId) -> Option<&Admin> {
        self.admins.iter().find(|admin| admin.key.id() == *id)
    }

    /// Believes an envelope of `payload_type` that a threshold of these admins signed.
    ///
    /// # Errors
    /// [`Error::Envelope`].
    pub fn verify(&self, envelope: &Envelope, payload_type: &str) -> Result<Verified, Error> {
        Ok(envelope.verify(payload_type, &self.keys(), self.threshold)?)
    }

    pub(crate) fn take(fields: &mut Fields) -> Result<Self, Error> {
        let list = fields.take("admins")?;
        let pointer = list.pointer().to_string();
        let elements = list.into_array()?;
        if elements.len() > ADMINS_MAX {
            return Err(Error::field(pointer, FieldFault::TooMany));
        }
        let admins = elements
            .into_iter()
            .map(read_admin)
            .collect::<Result<_, _>>()?;
        let threshold = read::number(fields.take("admin_threshold")?, &(1..=u64::from(u8::MAX)))?;
        Self::new(admins, usize::try_from(threshold).unwrap_or(usize::MAX))
    }

    pub(crate) fn write(&self, object: Object) -> Object {
        let admins: Vec<Value> = self
            .admins
            .iter()
            .map(|admin| {
                let object = Object::new()
                    .with("name", admin.name.as_str())
                    .with("key", read::base64(&admin.key.to_bytes()));
                Value::from(object)
            })
            .collect();
        // A threshold is at most ADMINS_MAX.
        let threshold = u64::try_from(self.threshold).unwrap_or(u64::MAX);
        object
            .with("admins", admins)
            .with("admin_threshold", threshold)
    }
}

fn read_admin(element: Element) -> Result<Admin, Error> {
    let mut fields = element.into_fields()?;
    let name = read::name(fields.take("name")?)?;
    let key = fields.take("key")?;
    let pointer = key.pointer().to_string();
    let bytes = read::base64_bytes(key)?;
    fields.finish()?;
    let key = PublicKey::from_bytes(&bytes)
        .ok()
        .ok_or_else(|| Error::field(pointer, FieldFault::Key))?;
    Ok(Admin { name, key })
}
