//! ID block and ID authentication: SEV-SNP firmware ABI (AMD 56860), SNP_LAUNCH_FINISH. The processor refuses a launch that
//! differs from its ID block, and puts the block's ids, version and key digests into every report.

use chancery_measurement::{ID_AUTH_SIZE, ID_BLOCK_SIZE, ID_KEY_SIZE, IdBlock, IdKeys};
use p384::ecdsa::signature::Verifier as _;
use p384::ecdsa::{Signature, VerifyingKey};

use crate::error::EmulationError;
use crate::guest::Guest;

/// Where ID_AUTH_INFO has its parts.
const ID_BLOCK_SIGNATURE: usize = 0x040;
const ID_KEY: usize = 0x240;
const ID_KEY_SIGNATURE: usize = 0x680;
const AUTHOR_KEY: usize = 0x880;

/// What an ID block makes of a guest; zero without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuestIdentity {
    /// FAMILY_ID.
    pub family_id: [u8; 16],
    /// IMAGE_ID.
    pub image_id: [u8; 16],
    /// GUEST_SVN: the guest's security version.
    pub guest_svn: u32,
    /// ID_KEY_DIGEST.
    pub id_key_digest: [u8; 48],
    /// AUTHOR_KEY_DIGEST, if an author key signed the ID key.
    pub author_key_digest: Option<[u8; 48]>,
}

impl GuestIdentity {
    /// The identity of a guest without an ID block.
    pub const NONE: Self = Self {
        family_id: [0; 16],
        image_id: [0; 16],
        guest_svn: 0,
        id_key_digest: [0; 48],
        author_key_digest: None,
    };

    /// Checks an ID block against a guest that is being launched, and its signatures.
    ///
    /// # Errors
    /// [`EmulationError::Measurement`] for a malformed structure; [`EmulationError::IdBlockRefused`] if digest or policy differ or
    /// a signature is not good.
    pub fn check(
        guest: &Guest,
        id_block: &[u8; ID_BLOCK_SIZE],
        id_auth: &[u8; ID_AUTH_SIZE],
    ) -> Result<Self, EmulationError> {
        let block = IdBlock::parse(id_block)?;
        let keys = IdKeys::parse(id_auth)?;
        let id_key = part::<ID_KEY_SIZE>(id_auth, ID_KEY)?;
        let same =
            block.launch_digest() == guest.measurement && block.policy() == guest.policy.bits();
        if !same || !is_signed(id_auth, ID_BLOCK_SIGNATURE, id_key, id_block) {
            return Err(EmulationError::IdBlockRefused);
        }
        if keys.author_key_digest().is_some() {
            let author_key = part::<ID_KEY_SIZE>(id_auth, AUTHOR_KEY)?;
            if !is_signed(id_auth, ID_KEY_SIGNATURE, author_key, id_key) {
                return Err(EmulationError::IdBlockRefused);
            }
        }
        Ok(Self {
            family_id: *block.family_id(),
            image_id: *block.image_id(),
            guest_svn: block.guest_svn(),
            id_key_digest: *keys.id_key_digest(),
            author_key_digest: keys.author_key_digest().copied(),
        })
    }
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> Result<&[u8; N], EmulationError> {
    bytes
        .get(at..)
        .and_then(<[u8]>::first_chunk::<N>)
        .ok_or(EmulationError::IdBlockRefused)
}

/// 48 significant bytes of a 72-byte little-endian number; `None` if the others are not zero.
fn number(bytes: &[u8], at: usize) -> Option<[u8; 48]> {
    let slot = bytes.get(at..)?.first_chunk::<72>()?;
    let (low, high) = slot.split_first_chunk::<48>()?;
    let mut number = *low;
    number.reverse();
    high.iter().all(|byte| *byte == 0).then_some(number)
}

/// Whether the signature at `at` (r, s) is one of `key` (curve, x, y) over `message`.
fn is_signed(auth: &[u8], at: usize, key: &[u8; ID_KEY_SIZE], message: &[u8]) -> bool {
    let good = || {
        let point: Vec<u8> = [4]
            .into_iter()
            .chain(number(key, 4)?)
            .chain(number(key, 76)?)
            .collect();
        let key = VerifyingKey::from_sec1_bytes(&point).ok()?;
        let scalars: Vec<u8> = number(auth, at)?
            .into_iter()
            .chain(number(auth, at.checked_add(72)?)?)
            .collect();
        let signature = Signature::from_slice(&scalars).ok()?;
        key.verify(message, &signature).ok()
    };
    good().is_some()
}

#[cfg(test)]
mod tests {
    use chancery_evidence::GuestPolicy;
    use chancery_measurement::LaunchDigest;

    use super::*;

    const VECTORS: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../attestation/vectors/launch-digest/id-block/"
    );

    fn vector() -> (Guest, [u8; ID_BLOCK_SIZE], [u8; ID_AUTH_SIZE]) {
        let json = std::fs::read(format!("{VECTORS}expected.json")).unwrap();
        let expected =
            chancery_json::Value::parse(&json, &chancery_json::Limits::DOCUMENT).unwrap();
        let text = |name: &str| {
            expected
                .as_object()
                .unwrap()
                .get(name)
                .unwrap()
                .as_str()
                .unwrap()
        };
        let bytes = |name: &str| hex::decode(text(name)).unwrap();
        let guest = Guest {
            measurement: LaunchDigest::new(bytes("launch_digest").try_into().unwrap()),
            host_data: [0; 32],
            policy: GuestPolicy::from_bits(0x3_0000),
            identity: GuestIdentity {
                id_key_digest: bytes("id_key_digest").try_into().unwrap(),
                author_key_digest: Some(bytes("author_key_digest").try_into().unwrap()),
                ..GuestIdentity::NONE
            },
        };
        let auth = std::fs::read(format!("{VECTORS}test_auth_block.bin")).unwrap();
        (
            guest,
            bytes("id_block_hex").try_into().unwrap(),
            auth.try_into().unwrap(),
        )
    }

    #[test]
    fn a_published_id_block_fits_the_launch_it_was_made_for() {
        let (guest, block, auth) = vector();
        let identity = GuestIdentity::check(&guest, &block, &auth).unwrap();
        assert_eq!(identity, guest.identity);
    }

    fn refused(guest: &Guest, block: &[u8; ID_BLOCK_SIZE], auth: &[u8; ID_AUTH_SIZE]) -> bool {
        matches!(
            GuestIdentity::check(guest, block, auth),
            Err(EmulationError::IdBlockRefused)
        )
    }

    #[test]
    fn refuses_a_launch_of_another_digest_or_policy() {
        let (guest, block, auth) = vector();
        let other_digest = Guest {
            measurement: LaunchDigest::new([0; 48]),
            ..guest
        };
        assert!(refused(&other_digest, &block, &auth));
        let other_policy = Guest {
            policy: GuestPolicy::from_bits(0x2_0000),
            ..guest
        };
        assert!(refused(&other_policy, &block, &auth));
    }

    #[test]
    fn refuses_changed_blocks_keys_and_signatures() {
        let (guest, block, auth) = vector();
        let mut other_svn = block;
        other_svn[84] ^= 1;
        assert!(refused(&guest, &other_svn, &auth));
        for at in [
            ID_BLOCK_SIGNATURE,
            ID_BLOCK_SIGNATURE + 60,
            ID_BLOCK_SIGNATURE + 72,
            ID_KEY + 4,
            ID_KEY_SIGNATURE,
            ID_KEY_SIGNATURE + 72,
            AUTHOR_KEY + 76,
        ] {
            let mut spoiled = auth;
            spoiled[at] ^= 1;
            assert!(refused(&guest, &block, &spoiled), "byte {at:#x}");
        }
    }
}
