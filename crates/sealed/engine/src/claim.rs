//! A member's claim, with everything made but the decision.

use alloc::boxed::Box;
use alloc::vec::Vec;

use chancery_claim::{ClaimEvidence, ClaimProof, ClaimRequest, Succession, UnsignedEvidence};
use chancery_directory::{ActSecret, Digest, Handle, KeySource, Opens};
use chancery_keyset::{Fingerprint, Keyset, KeysetSeed, PublicKeyset};
use chancery_sealing::Key;

use crate::act::Refusal;
use crate::custody::{Custody, Device};
use crate::key_record::KeyOf;
use crate::prepare::Draws;
use crate::resource::User;
use crate::tenant::TenantSecrets;

/// Longest name of a device in bytes.
pub const DEVICE_NAME_BYTES_MAX: usize = 64;

/// A claim whose proof was checked, ready to be decided.
#[derive(Debug)]
pub struct NewClaim {
    pub(crate) draws: Draws,
    pub(crate) user: crate::id::ResourceId,
    /// The account keyset that the user had when the claim was prepared.
    pub(crate) before: [u8; 32],
    /// Version of the user's key after the claim.
    pub(crate) key_version: u32,
    pub(crate) key_commit: Digest,
    pub(crate) key_opening: [u8; 32],
    pub(crate) not_before_ms: u64,
    pub(crate) account: PublicKeyset,
    pub(crate) device: Device,
    pub(crate) evidence: Vec<u8>,
    /// The issuer's key that signed the ID token; none if admins confirm.
    pub(crate) issuer_key: Option<[u8; 32]>,
}

/// Who claims, and by what.
#[derive(Debug)]
pub struct ClaimOf<'a> {
    /// The account's user.
    pub user: &'a User,
    /// What the member sent.
    pub request: ClaimRequest,
    /// What says that they are the person.
    pub proof: ClaimProof,
    /// What they call their device, at most [`DEVICE_NAME_BYTES_MAX`] bytes.
    pub device_name: &'a str,
}

impl NewClaim {
    /// Prepares a claim whose proof the caller has checked: the pending key signs over to the member's.
    ///
    /// # Errors
    /// [`Refusal::ClaimRefused`] if the user cannot be claimed by these keys; [`Refusal::Internal`] if the
    /// pending keyset cannot be opened.
    pub fn prepare(
        secrets: &TenantSecrets,
        claim: ClaimOf<'_>,
        now_ms: u64,
        fresh: &Key,
    ) -> Result<Self, Refusal> {
        let ClaimOf {
            user,
            request,
            proof,
            device_name,
        } = claim;
        if !user.active || device_name.len() > DEVICE_NAME_BYTES_MAX {
            return Err(Refusal::ClaimRefused);
        }
        let draws = Draws::new(fresh);
        let (account, device) = (request.account.clone(), request.device.clone());
        let issuer_key = match &proof {
            ClaimProof::IdToken { key, .. } => Some(*key.thumbprint().as_bytes()),
            ClaimProof::Confirmation { .. } => None,
        };
        let member_signature = request.signature;
        let unsigned = UnsignedEvidence::new(request, proof);
        let signature = match &user.custody {
            Custody::Pending(pending) => {
                let statement = Succession {
                    tenant: *secrets.id().as_bytes(),
                    subject: user.handle,
                    old: Fingerprint::from_bytes(pending.fingerprint),
                    new: account.fingerprint(),
                    evidence: unsigned.digest(),
                }
                .statement();
                let keyset = open_keyset(secrets, &user.handle, &pending.sealed_seed)?;
                keyset.signing_key().sign(&statement)
            }
            // An imported member has nobody to take over from: the account key has signed the claim itself.
            Custody::Claimed(present)
                if present.fingerprint == *account.fingerprint().as_bytes() =>
            {
                member_signature
            }
            Custody::Claimed(_) => return Err(Refusal::ClaimRefused),
        };
        let key_version = user.proof.key_version.saturating_add(1);
        let opening = ActSecret(draws.secret.0).opening(Opens::Key(&Handle(user.handle)));
        let key = KeyOf {
            handle: user.handle,
            version: key_version,
            source: KeySource::UserDevice,
            public: &account,
            not_before_ms: now_ms,
        };
        let key_commit = key
            .record(secrets)
            .commit(&opening)
            .map_err(|_encoding| Refusal::Internal)?;
        let evidence: ClaimEvidence = unsigned.signed(signature);
        Ok(Self {
            draws,
            user: user.id,
            before: *user.custody.fingerprint(),
            key_version,
            key_commit,
            key_opening: opening.0,
            not_before_ms: now_ms,
            device: Device {
                fingerprint: *device.fingerprint().as_bytes(),
                public: device.encode().into_boxed_slice(),
                name: Box::from(device_name),
                added_ms: now_ms,
                wrap: None,
            },
            account,
            evidence: evidence.to_bytes(),
            issuer_key,
        })
    }
}

/// Opens a keyset that was sealed for `handle` under the tenant's storage key.
///
/// # Errors
/// [`Refusal::Internal`] if it is not authentic or no keyset.
pub(crate) fn open_keyset(
    secrets: &TenantSecrets,
    handle: &[u8; 32],
    sealed: &[u8],
) -> Result<Keyset, Refusal> {
    let seed = secrets
        .key()
        .open_keyset(handle, sealed)
        .map_err(|_seal| Refusal::Internal)?;
    let bytes: [u8; chancery_keyset::SEED_LENGTH] = seed
        .as_slice()
        .try_into()
        .map_err(|_length| Refusal::Internal)?;
    Keyset::from_seed(KeysetSeed::from_bytes(bytes)).map_err(|_keyset| Refusal::Internal)
}
