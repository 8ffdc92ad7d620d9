//! ECVRF-RISTRETTO255-SHA512, [c2sp.org/vrf-r255](https://c2sp.org/vrf-r255).
//!
//! The directory's name labels are VRF outputs: one label per name can be proved, and nobody without
//! the tenant's VRF key can test guessed names against the directory.

use alloc::boxed::Box;
use core::fmt;

use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{IsIdentity as _, VartimeMultiscalarMul as _};
use sha2::{Digest as _, Sha512};
use zeroize::Zeroize as _;

/// Bytes of a public key.
pub const PUBLIC_KEY_SIZE: usize = 32;
/// Bytes of a proof: Gamma, a 16-byte challenge, a scalar.
pub const PROOF_SIZE: usize = 80;
/// Bytes of an output.
pub const OUTPUT_SIZE: usize = 64;

const SUITE: &[u8] = b"\xffc2sp.org/vrf-r255";
const CHALLENGE_SIZE: usize = 16;

mod separator {
    pub(super) const CHALLENGE: u8 = 0x02;
    pub(super) const OUTPUT: u8 = 0x03;
    pub(super) const NONCE: u8 = 0x81;
    pub(super) const ENCODE_TO_CURVE: u8 = 0x82;
    pub(super) const END: u8 = 0x00;
}

/// Why a key or a proof was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum VrfError {
    /// The secret scalar is zero or not reduced.
    SecretKey,
    /// The public key does not decode or is the identity.
    PublicKey,
    /// The proof's group element does not decode.
    ProofElement,
    /// The proof's scalar is not reduced.
    ProofScalar,
    /// The challenge does not come out.
    Challenge,
}

impl fmt::Display for VrfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SecretKey => "vrf secret key is zero or not reduced",
            Self::PublicKey => "vrf public key does not decode or is the identity",
            Self::ProofElement => "vrf proof element does not decode",
            Self::ProofScalar => "vrf proof scalar is not reduced",
            Self::Challenge => "vrf proof does not match key and input",
        })
    }
}

impl core::error::Error for VrfError {}

/// A proof: `Gamma || c || s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof(pub [u8; PROOF_SIZE]);

/// A tenant's secret VRF key.
pub struct SecretKey {
    scalar: Box<Scalar>,
    public: PublicKey,
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("vrf::SecretKey(redacted)")
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        self.scalar.zeroize();
    }
}

impl SecretKey {
    /// The key whose scalar is exactly these little-endian bytes.
    ///
    /// # Errors
    /// [`VrfError::SecretKey`] for zero or a scalar that is not reduced.
    pub fn from_scalar_bytes(bytes: &[u8; 32]) -> Result<Self, VrfError> {
        let scalar = Option::<Scalar>::from(Scalar::from_canonical_bytes(*bytes))
            .ok_or(VrfError::SecretKey)?;
        Self::from_scalar(scalar)
    }

    /// The key of a 32-byte seed of full entropy: `SHA-512("chancery vrf key v1" || seed) mod q`.
    ///
    /// # Errors
    /// [`VrfError::SecretKey`] if the scalar is zero, which no seed that anybody can find gives.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, VrfError> {
        let mut wide: [u8; 64] = Sha512::new()
            .chain_update(b"chancery vrf key v1")
            .chain_update(seed)
            .finalize()
            .into();
        let scalar = Scalar::from_bytes_mod_order_wide(&wide);
        wide.zeroize();
        Self::from_scalar(scalar)
    }

    fn from_scalar(mut scalar: Scalar) -> Result<Self, VrfError> {
        let boxed = Box::new(scalar);
        scalar.zeroize();
        let point = RistrettoPoint::mul_base(&boxed);
        let key = Self {
            public: PublicKey {
                bytes: point.compress().to_bytes(),
                point,
            },
            scalar: boxed,
        };
        if key.public.point.is_identity() {
            return Err(VrfError::SecretKey);
        }
        Ok(key)
    }

    /// The public key.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The output for `alpha`, without a proof: one hash to the group, one multiplication, one hash.
    #[must_use]
    pub fn evaluate(&self, alpha: &[u8]) -> [u8; OUTPUT_SIZE] {
        let gamma = *self.scalar * encode_to_curve(&self.public.bytes, alpha);
        output(&gamma.compress())
    }

    /// The output for `alpha` with a proof of it.
    #[must_use]
    pub fn prove(&self, alpha: &[u8]) -> (Proof, [u8; OUTPUT_SIZE]) {
        let h = encode_to_curve(&self.public.bytes, alpha);
        let h_bytes = h.compress();
        let gamma = (*self.scalar * h).compress();
        let mut k = self.nonce(&h_bytes);
        let u = RistrettoPoint::mul_base(&k).compress();
        let v = (k * h).compress();
        let c = challenge(&self.public.bytes, [&h_bytes, &gamma, &u, &v]);
        let s = k + challenge_scalar(&c) * *self.scalar;
        k.zeroize();
        (Proof::from_parts(&gamma, &c, &s), output(&gamma))
    }

    /// The deterministic nonce of the specification's section "Nonce generation".
    fn nonce(&self, h: &CompressedRistretto) -> Scalar {
        let mut wide: [u8; 64] = Sha512::new()
            .chain_update(SUITE)
            .chain_update([separator::NONCE])
            .chain_update(self.scalar.as_bytes())
            .chain_update(h.as_bytes())
            .finalize()
            .into();
        let k = Scalar::from_bytes_mod_order_wide(&wide);
        wide.zeroize();
        k
    }
}

/// A tenant's public VRF key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey {
    bytes: [u8; PUBLIC_KEY_SIZE],
    point: RistrettoPoint,
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("vrf::PublicKey").field(&self.bytes).finish()
    }
}

impl PublicKey {
    /// Reads a public key.
    ///
    /// # Errors
    /// [`VrfError::PublicKey`] if the bytes are no group element, or the identity.
    pub fn from_bytes(bytes: &[u8; PUBLIC_KEY_SIZE]) -> Result<Self, VrfError> {
        let point = CompressedRistretto(*bytes)
            .decompress()
            .ok_or(VrfError::PublicKey)?;
        if point.is_identity() {
            return Err(VrfError::PublicKey);
        }
        Ok(Self {
            bytes: *bytes,
            point,
        })
    }

    /// The key's bytes.
    #[must_use]
    pub const fn to_bytes(&self) -> [u8; PUBLIC_KEY_SIZE] {
        self.bytes
    }

    /// Checks `proof` and gives the one output that `alpha` has under this key.
    ///
    /// # Errors
    /// [`VrfError`], by the check that failed.
    pub fn verify(&self, alpha: &[u8], proof: &Proof) -> Result<[u8; OUTPUT_SIZE], VrfError> {
        let (gamma_bytes, c, s) = proof.parts()?;
        let gamma = gamma_bytes.decompress().ok_or(VrfError::ProofElement)?;
        let h = encode_to_curve(&self.bytes, alpha);
        let minus_c = -challenge_scalar(&c);
        let u = RistrettoPoint::vartime_double_scalar_mul_basepoint(&minus_c, &self.point, &s);
        let v = RistrettoPoint::vartime_multiscalar_mul([s, minus_c], [h, gamma]);
        let expected = challenge(
            &self.bytes,
            [&h.compress(), &gamma_bytes, &u.compress(), &v.compress()],
        );
        if c == expected {
            Ok(output(&gamma_bytes))
        } else {
            Err(VrfError::Challenge)
        }
    }
}

impl Proof {
    fn from_parts(gamma: &CompressedRistretto, c: &[u8; CHALLENGE_SIZE], s: &Scalar) -> Self {
        let mut out = crate::entry::Fixed::<PROOF_SIZE>::new();
        out.put(gamma.as_bytes());
        out.put(c);
        out.put(s.as_bytes());
        Self(out.bytes)
    }

    fn parts(&self) -> Result<(CompressedRistretto, [u8; CHALLENGE_SIZE], Scalar), VrfError> {
        let mut reader = crate::codec::Reader::new(&self.0);
        let gamma = reader.array().map_err(|_short| VrfError::ProofElement)?;
        let c = reader.array().map_err(|_short| VrfError::Challenge)?;
        let s = reader.array().map_err(|_short| VrfError::ProofScalar)?;
        let s =
            Option::<Scalar>::from(Scalar::from_canonical_bytes(s)).ok_or(VrfError::ProofScalar)?;
        Ok((CompressedRistretto(gamma), c, s))
    }
}

fn encode_to_curve(public: &[u8; PUBLIC_KEY_SIZE], alpha: &[u8]) -> RistrettoPoint {
    let wide: [u8; 64] = Sha512::new()
        .chain_update(SUITE)
        .chain_update([separator::ENCODE_TO_CURVE])
        .chain_update(public)
        .chain_update(alpha)
        .finalize()
        .into();
    RistrettoPoint::from_uniform_bytes(&wide)
}

/// `H`, `Gamma`, `U` and `V`, after the public key, make the challenge.
fn challenge(
    public: &[u8; PUBLIC_KEY_SIZE],
    points: [&CompressedRistretto; 4],
) -> [u8; CHALLENGE_SIZE] {
    let mut hasher = Sha512::new();
    hasher.update(SUITE);
    hasher.update([separator::CHALLENGE]);
    hasher.update(public);
    for point in points {
        hasher.update(point.as_bytes());
    }
    hasher.update([separator::END]);
    let wide: [u8; 64] = hasher.finalize().into();
    let mut c = [0; CHALLENGE_SIZE];
    for (slot, byte) in c.iter_mut().zip(wide) {
        *slot = byte;
    }
    c
}

fn challenge_scalar(c: &[u8; CHALLENGE_SIZE]) -> Scalar {
    Scalar::from(u128::from_le_bytes(*c))
}

fn output(gamma: &CompressedRistretto) -> [u8; OUTPUT_SIZE] {
    Sha512::new()
        .chain_update(SUITE)
        .chain_update([separator::OUTPUT])
        .chain_update(gamma.as_bytes())
        .chain_update([separator::END])
        .finalize()
        .into()
}

#[cfg(test)]
mod tests;
