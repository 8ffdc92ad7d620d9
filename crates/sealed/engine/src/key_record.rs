//! What the log's commitments to keys open to.

use chancery_directory::{Digest, Handle, KeyRecord, KeySource, TenantId};
use chancery_keyset::PublicKeyset;

use crate::act::Refusal;
use crate::claim::open_keyset;
use crate::custody::Custody;
use crate::resource::User;
use crate::tenant::TenantSecrets;

/// One version of the key of a user or a group.
pub(crate) struct KeyOf<'a> {
    /// Handle of the user or group.
    pub(crate) handle: [u8; 32],
    /// Its version, from 1.
    pub(crate) version: u32,
    /// Who made it.
    pub(crate) source: KeySource,
    /// Its public half.
    pub(crate) public: &'a PublicKeyset,
    /// From when it counts, in milliseconds since the Unix epoch.
    pub(crate) not_before_ms: u64,
}

impl KeyOf<'_> {
    /// The record that the log commits to.
    pub(crate) fn record(&self, secrets: &TenantSecrets) -> KeyRecord {
        KeyRecord {
            tenant: TenantId(*secrets.id().as_bytes()),
            handle: Handle(self.handle),
            key_version: self.version,
            source: self.source,
            enc_pk: self.public.kem().to_vec(),
            sig_pk: self.public.signing().to_vec(),
            not_before_ms: self.not_before_ms,
            activation_commit: Digest::ZERO,
        }
    }
}

/// The record of a user's present key.
///
/// # Errors
/// [`Refusal::Internal`] if a stored keyset cannot be read.
pub(crate) fn of_user(secrets: &TenantSecrets, user: &User) -> Result<KeyRecord, Refusal> {
    let (source, public) = match &user.custody {
        Custody::Pending(pending) => {
            let keyset = open_keyset(secrets, &user.handle, &pending.sealed_seed)?;
            (KeySource::Enclave, keyset.public().clone())
        }
        Custody::Claimed(account) => (
            KeySource::UserDevice,
            PublicKeyset::decode(&account.public).map_err(|_keyset| Refusal::Internal)?,
        ),
    };
    let key = KeyOf {
        handle: user.handle,
        version: user.proof.key_version,
        source,
        public: &public,
        not_before_ms: user.proof.not_before_ms,
    };
    Ok(key.record(secrets))
}
