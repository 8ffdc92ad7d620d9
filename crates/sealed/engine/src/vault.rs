//! The key hierarchy: everything below the deployment root (design section 4).

use alloc::vec::Vec;

use chancery_authority::TenantId;
use chancery_sealing::{Entropy, EntropyError, Key, SealError, open, seal};

/// Bytes of an identifier of a store's stream.
const STREAM_LENGTH: usize = 16;

/// Purpose of a sealed tenant storage key.
const TENANT_KEY_PURPOSE: &str = "chancery/tenant-storage-key/v1";
/// Purpose of a sealed pending keyset.
const KEYSET_PURPOSE: &str = "chancery/pending-keyset/v1";

/// The deployment root: 32 random bytes made at first boot, from which the deployment's keys derive.
#[derive(Debug)]
pub struct RootKey(Key);

impl RootKey {
    /// Makes the root of a new deployment.
    ///
    /// # Errors
    /// [`EntropyError`] if no randomness can be had.
    pub fn generate(entropy: &mut dyn Entropy) -> Result<Self, EntropyError> {
        Key::generate(entropy).map(Self)
    }

    /// Takes over a root that was unsealed.
    #[must_use]
    pub const fn from_key(key: Key) -> Self {
        Self(key)
    }

    /// Lends the key, for sealing it with the secure processor's key.
    #[must_use]
    pub const fn expose(&self) -> &Key {
        &self.0
    }

    /// Seed of the log signing key.
    #[must_use]
    pub fn log_seed(&self) -> Key {
        self.0.derive("chancery/root/log-signing/v1", b"")
    }

    /// Key of the root stream's records.
    #[must_use]
    pub fn journal_key(&self) -> Key {
        self.0.derive("chancery/root/journal/v1", b"")
    }

    /// Key under which bearer tokens are digested.
    #[must_use]
    pub fn token_key(&self) -> Key {
        self.0.derive("chancery/root/token-digest/v1", b"")
    }

    /// What binds every sealed record to this deployment's store.
    #[must_use]
    pub fn store_tag(&self) -> [u8; 32] {
        self.0.tag("chancery/root/store/v1", b"")
    }

    /// The handle by which tenants' logs name the deployment's runtime.
    #[must_use]
    pub fn instance_handle(&self) -> [u8; 32] {
        self.0.tag("chancery/root/instance-handle/v1", b"")
    }

    /// Stream of a tenant's records; tells the store nothing of the tenant.
    #[must_use]
    pub fn tenant_stream(&self, tenant: &TenantId) -> [u8; STREAM_LENGTH] {
        let tag = self
            .0
            .tag("chancery/root/tenant-stream/v1", tenant.as_bytes());
        let mut stream = [0; STREAM_LENGTH];
        stream.iter_mut().zip(tag).for_each(|(to, from)| *to = from);
        stream
    }

    /// Seals a tenant's storage key under the root.
    ///
    /// # Errors
    /// [`SealError::Entropy`] if no randomness can be had.
    pub fn wrap_tenant_key(
        &self,
        tenant: &TenantId,
        key: &TenantKey,
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<u8>, SealError> {
        let wrap = self.0.derive("chancery/root/tenant-wrap/v1", b"");
        seal(
            &wrap,
            TENANT_KEY_PURPOSE,
            tenant.as_bytes(),
            key.0.expose(),
            entropy,
        )
    }

    /// Opens what [`RootKey::wrap_tenant_key`] made.
    ///
    /// # Errors
    /// [`SealError`] if the bytes are not authentic for this root and tenant.
    pub fn unwrap_tenant_key(
        &self,
        tenant: &TenantId,
        wrapped: &[u8],
    ) -> Result<TenantKey, SealError> {
        let wrap = self.0.derive("chancery/root/tenant-wrap/v1", b"");
        let opened =
            zeroize::Zeroizing::new(open(&wrap, TENANT_KEY_PURPOSE, tenant.as_bytes(), wrapped)?);
        let bytes: [u8; 32] = opened
            .as_slice()
            .try_into()
            .map_err(|_length| SealError::Malformed)?;
        Ok(TenantKey(Key::from_bytes(bytes)))
    }
}

/// A tenant's storage key: 32 random bytes per tenant.
#[derive(Debug)]
pub struct TenantKey(Key);

impl TenantKey {
    /// Makes the storage key of a new tenant.
    ///
    /// # Errors
    /// [`EntropyError`] if no randomness can be had.
    pub fn generate(entropy: &mut dyn Entropy) -> Result<Self, EntropyError> {
        Key::generate(entropy).map(Self)
    }

    /// Lends the key, for wrapping it to the tenant's recovery key.
    #[must_use]
    pub const fn expose(&self) -> &Key {
        &self.0
    }

    /// Key of the tenant's records.
    #[must_use]
    pub fn journal_key(&self) -> Key {
        self.0.derive("chancery/tenant/journal/v1", b"")
    }

    /// Secret of the tenant's VRF.
    #[must_use]
    pub fn vrf_seed(&self) -> Key {
        self.0.derive("chancery/tenant/vrf/v1", b"")
    }

    /// Key of the openings of the tenant's heads in the root log's map.
    #[must_use]
    pub fn map_key(&self) -> Key {
        self.0.derive("chancery/tenant/map/v1", b"")
    }

    /// Random-looking identifier of the tenant's log.
    #[must_use]
    pub fn log_id(&self) -> [u8; 16] {
        let tag = self.0.tag("chancery/tenant/log-id/v1", b"");
        let mut id = [0; 16];
        id.iter_mut().zip(tag).for_each(|(to, from)| *to = from);
        id
    }

    /// Seals the private half of a pending keyset, bound to its subject.
    ///
    /// # Errors
    /// [`SealError::Entropy`] if no randomness can be had.
    pub fn seal_keyset(
        &self,
        subject: &[u8; 32],
        seed: &[u8],
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<u8>, SealError> {
        let key = self.0.derive("chancery/tenant/keyset/v1", b"");
        seal(&key, KEYSET_PURPOSE, subject, seed, entropy)
    }

    /// Opens what [`TenantKey::seal_keyset`] made.
    ///
    /// # Errors
    /// [`SealError`] if the bytes are not authentic for this tenant and subject.
    pub fn open_keyset(
        &self,
        subject: &[u8; 32],
        sealed: &[u8],
    ) -> Result<zeroize::Zeroizing<Vec<u8>>, SealError> {
        let key = self.0.derive("chancery/tenant/keyset/v1", b"");
        open(&key, KEYSET_PURPOSE, subject, sealed).map(zeroize::Zeroizing::new)
    }
}
