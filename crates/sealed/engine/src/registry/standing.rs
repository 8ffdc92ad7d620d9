//! Delegations as they stand, and users on their way out.

use alloc::sync::Arc;

use chancery_authority::VerifiedDelegation;

use crate::resource::User;

/// A delegation that the tenant's admins signed.
#[derive(Clone, Debug)]
pub struct Granted {
    /// Its handle in the trust log.
    pub handle: [u8; 32],
    /// What was signed.
    pub delegation: VerifiedDelegation,
    /// The signed envelope.
    pub envelope: Arc<[u8]>,
    /// Whether the admins have ended it.
    pub revoked: bool,
}

/// A user whom the identity provider deleted.
#[derive(Clone, Debug)]
pub struct Departed {
    /// The user as it was.
    pub user: Arc<User>,
    /// When it is to be erased, in milliseconds since the Unix epoch; none if an admin must sign.
    pub erase_at_ms: Option<u64>,
}
