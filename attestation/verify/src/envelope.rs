//! The release policy and the firmware floors in their DSSE envelopes.

use core::fmt;

use chancery_dsse::Envelope;
use chancery_dsse::PublicKey;
use sha2::Digest;
use sha2::Sha256;

use crate::floors::TcbFloors;
use crate::policy::PolicyError;
use crate::policy::ReleasePolicy;

/// The payload type of a release policy.
pub const RELEASE_POLICY_TYPE: &str = "application/vnd.chancery.release-policy+json";

/// The payload type of firmware floors.
pub const TCB_FLOORS_TYPE: &str = "application/vnd.chancery.tcb-floors+json";

/// A policy that enough release keys signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedPolicy {
    policy: ReleasePolicy,
    sha256: [u8; 32],
    signers: usize,
}

impl VerifiedPolicy {
    /// The policy.
    #[must_use]
    pub const fn policy(&self) -> &ReleasePolicy {
        &self.policy
    }

    /// SHA-256 of the signed payload: the policy's identity in node statements.
    #[must_use]
    pub const fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// How many of the given keys signed it.
    #[must_use]
    pub const fn signers(&self) -> usize {
        self.signers
    }
}

/// Firmware floors that enough release keys signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedFloors {
    floors: TcbFloors,
    signers: usize,
}

impl VerifiedFloors {
    /// The floors.
    #[must_use]
    pub const fn floors(&self) -> &TcbFloors {
        &self.floors
    }

    /// How many of the given keys signed them.
    #[must_use]
    pub const fn signers(&self) -> usize {
        self.signers
    }
}

/// Why an envelope does not hold what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignedPolicyError {
    /// The envelope, or its signatures.
    Envelope(chancery_dsse::Error),
    /// The payload.
    Policy(PolicyError),
}

impl fmt::Display for SignedPolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Envelope(error) => write!(f, "envelope: {error}"),
            Self::Policy(error) => write!(f, "payload: {}", error.describe()),
        }
    }
}

impl core::error::Error for SignedPolicyError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Envelope(error) => Some(error),
            Self::Policy(error) => Some(error),
        }
    }
}

/// Opens an envelope that `threshold` distinct keys of `release_keys` must have signed.
///
/// # Errors
/// The envelope, a signature, the threshold or the payload is wrong.
pub fn open_release_policy(
    envelope: &[u8],
    release_keys: &[PublicKey],
    threshold: usize,
) -> Result<VerifiedPolicy, SignedPolicyError> {
    let verified = Envelope::parse(envelope)
        .and_then(|envelope| envelope.verify(RELEASE_POLICY_TYPE, release_keys, threshold))
        .map_err(SignedPolicyError::Envelope)?;
    let policy = ReleasePolicy::from_json(verified.payload()).map_err(SignedPolicyError::Policy)?;
    Ok(VerifiedPolicy {
        policy,
        sha256: Sha256::digest(verified.payload()).into(),
        signers: verified.signers().len(),
    })
}

/// Opens an envelope with firmware floors that `threshold` distinct keys of `release_keys` must have signed.
///
/// # Errors
/// As [`open_release_policy`].
pub fn open_tcb_floors(
    envelope: &[u8],
    release_keys: &[PublicKey],
    threshold: usize,
) -> Result<VerifiedFloors, SignedPolicyError> {
    let verified = Envelope::parse(envelope)
        .and_then(|envelope| envelope.verify(TCB_FLOORS_TYPE, release_keys, threshold))
        .map_err(SignedPolicyError::Envelope)?;
    let floors = TcbFloors::from_json(verified.payload()).map_err(SignedPolicyError::Policy)?;
    Ok(VerifiedFloors {
        floors,
        signers: verified.signers().len(),
    })
}
