//! The ID block and its authentication: SEV-SNP firmware ABI (AMD 56860) section 8.18, ID_BLOCK and ID_AUTH_INFO.
//!
//! Both are read here; the two ECDSA signatures are checked by whoever launches.

use sha2::{Digest, Sha384};

use crate::MeasurementError;
use crate::chain::LaunchDigest;

/// Bytes of an ID block.
pub const ID_BLOCK_SIZE: usize = 96;
/// Bytes of an ID authentication structure.
pub const ID_AUTH_SIZE: usize = 4096;
/// Bytes of a public key in it.
pub const ID_KEY_SIZE: usize = 1028;

/// ECDSA P-384 with SHA-384, as ID_AUTH_INFO numbers it.
const ALGORITHM_P384: u32 = 1;
/// The curve number of P-384.
const CURVE_P384: u32 = 2;

/// What an ID block pins: the secure processor refuses to launch a guest that differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdBlock {
    launch_digest: LaunchDigest,
    family_id: [u8; 16],
    image_id: [u8; 16],
    guest_svn: u32,
    policy: u64,
}

impl IdBlock {
    /// Reads the 96 bytes.
    ///
    /// # Errors
    /// [`MeasurementError::IdBlockMalformed`] for another version than 1.
    pub fn parse(bytes: &[u8; ID_BLOCK_SIZE]) -> Result<Self, MeasurementError> {
        let bad = MeasurementError::IdBlockMalformed;
        let (digest, rest) = bytes.split_first_chunk::<48>().ok_or(bad)?;
        let (family_id, rest) = rest.split_first_chunk::<16>().ok_or(bad)?;
        let (image_id, rest) = rest.split_first_chunk::<16>().ok_or(bad)?;
        let (version, rest) = rest.split_first_chunk::<4>().ok_or(bad)?;
        let (guest_svn, rest) = rest.split_first_chunk::<4>().ok_or(bad)?;
        let (policy, rest) = rest.split_first_chunk::<8>().ok_or(bad)?;
        if u32::from_le_bytes(*version) != 1 || !rest.is_empty() {
            return Err(bad);
        }
        Ok(Self {
            launch_digest: LaunchDigest::new(*digest),
            family_id: *family_id,
            image_id: *image_id,
            guest_svn: u32::from_le_bytes(*guest_svn),
            policy: u64::from_le_bytes(*policy),
        })
    }

    /// The digest that the launch must have.
    #[must_use]
    pub const fn launch_digest(&self) -> LaunchDigest {
        self.launch_digest
    }

    /// FAMILY_ID of the reports.
    #[must_use]
    pub const fn family_id(&self) -> &[u8; 16] {
        &self.family_id
    }

    /// IMAGE_ID of the reports.
    #[must_use]
    pub const fn image_id(&self) -> &[u8; 16] {
        &self.image_id
    }

    /// GUEST_SVN of the reports.
    #[must_use]
    pub const fn guest_svn(&self) -> u32 {
        self.guest_svn
    }

    /// The guest policy that the launch must have.
    #[must_use]
    pub const fn policy(&self) -> u64 {
        self.policy
    }
}

/// The key digests that an ID authentication structure leads to in a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdKeys {
    id_key_digest: [u8; 48],
    author_key_digest: Option<[u8; 48]>,
}

impl IdKeys {
    /// Reads the keys of an ID_AUTH_INFO structure. The signatures in it are not checked here.
    ///
    /// # Errors
    /// [`MeasurementError::IdAuthMalformed`] for another algorithm, curve or nonzero reserved bytes.
    pub fn parse(bytes: &[u8; ID_AUTH_SIZE]) -> Result<Self, MeasurementError> {
        let bad = MeasurementError::IdAuthMalformed;
        let id_key = bytes
            .get(0x240..0x240 + ID_KEY_SIZE)
            .and_then(<[u8]>::first_chunk::<ID_KEY_SIZE>)
            .ok_or(bad)?;
        let author_key = bytes
            .get(0x880..0x880 + ID_KEY_SIZE)
            .and_then(<[u8]>::first_chunk::<ID_KEY_SIZE>)
            .ok_or(bad)?;
        let reserved = [0x008..0x040, 0x644..0x680, 0xc84..ID_AUTH_SIZE];
        let reserved_zero = reserved
            .into_iter()
            .all(|range| bytes.get(range).is_some_and(|r| r.iter().all(|b| *b == 0)));
        let author_present = author_key.iter().any(|byte| *byte != 0);
        let author_algorithm = if author_present { ALGORITHM_P384 } else { 0 };
        let author_algorithm_read = word(bytes, 4);
        if word(bytes, 0) != Some(ALGORITHM_P384)
            // QEMU's tools leave the algorithm set even without an author key.
            || (author_algorithm_read != Some(author_algorithm)
                && author_algorithm_read != Some(ALGORITHM_P384))
            || !reserved_zero
            || word(id_key, 0) != Some(CURVE_P384)
            || (author_present && word(author_key, 0) != Some(CURVE_P384))
        {
            return Err(bad);
        }
        Ok(Self {
            id_key_digest: Sha384::digest(id_key).into(),
            author_key_digest: author_present.then(|| Sha384::digest(author_key).into()),
        })
    }

    /// ID_KEY_DIGEST of the reports.
    #[must_use]
    pub const fn id_key_digest(&self) -> &[u8; 48] {
        &self.id_key_digest
    }

    /// AUTHOR_KEY_DIGEST of the reports, if an author key is present.
    #[must_use]
    pub const fn author_key_digest(&self) -> Option<&[u8; 48]> {
        self.author_key_digest.as_ref()
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk::<4>()
        .map(|word| u32::from_le_bytes(*word))
}
