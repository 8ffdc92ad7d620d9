//! Symmetric keys and what is derived from them.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use ring::hmac;
use zeroize::Zeroize;

use crate::entropy::{Entropy, EntropyError};

/// Length of a derived tag in bytes: one HMAC-SHA-256 output.
pub const TAG_LENGTH: usize = 32;

/// A 256-bit symmetric key: boxed, zeroized on drop, never printed, never compared.
pub struct Key(Box<[u8; 32]>);

impl Key {
    /// Draws a fresh key.
    ///
    /// # Errors
    /// [`EntropyError`] if `entropy` fails.
    pub fn generate(entropy: &mut dyn Entropy) -> Result<Self, EntropyError> {
        let mut bytes = Box::new([0_u8; 32]);
        entropy.fill(bytes.as_mut_slice())?;
        Ok(Self(bytes))
    }

    /// Takes over key bytes that came from elsewhere, such as a secure processor or a sealed record.
    #[must_use]
    pub fn from_bytes(mut bytes: [u8; 32]) -> Self {
        let boxed = Box::new(bytes);
        bytes.zeroize();
        Self(boxed)
    }

    /// Lends the key bytes, for wrapping this key under another one.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Derives the key for `label` and `context`: the first block of HKDF-Expand (RFC 5869 section
    /// 2.3) with info = `u8 length of label || label || context`.
    ///
    /// Labels are constants of the program and listed in `docs/spec/keys.md`.
    #[must_use]
    pub fn derive(&self, label: &'static str, context: &[u8]) -> Self {
        Self::from_bytes(self.tag(label, context))
    }

    /// The same derivation as [`Key::derive`], for values that are published or stored as a keyed
    /// digest and therefore are no keys.
    #[must_use]
    pub fn tag(&self, label: &'static str, context: &[u8]) -> [u8; TAG_LENGTH] {
        let mut info =
            Vec::with_capacity(label.len().saturating_add(context.len()).saturating_add(2));
        // Labels are program constants far below 255 bytes; a longer one is cut the same way always.
        info.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
        info.extend_from_slice(label.as_bytes());
        info.extend_from_slice(context);
        info.push(1);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, self.0.as_slice()), &info);
        info.zeroize();
        let mut out = [0_u8; TAG_LENGTH];
        out.iter_mut()
            .zip(tag.as_ref())
            .for_each(|(to, from)| *to = *from);
        out
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key(redacted)")
    }
}

/// Compares two byte strings in time that depends on their lengths alone.
#[must_use]
pub fn same_bytes(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let difference = left
        .iter()
        .zip(right)
        .fold(0_u8, |sum, (a, b)| sum | (a ^ b));
    core::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn derivation_separates_labels_and_contexts() {
        let key = Key::from_bytes([7; 32]);
        let base = key.tag("a", b"bc");
        assert_eq!(base, key.tag("a", b"bc"));
        assert_ne!(base, key.tag("ab", b"c"));
        assert_ne!(base, key.tag("a", b"bd"));
        assert_ne!(base, Key::from_bytes([8; 32]).tag("a", b"bc"));
    }

    #[test]
    fn derivation_is_hkdf_expand_of_rfc_5869() {
        struct Thirty2;
        impl ring::hkdf::KeyType for Thirty2 {
            fn len(&self) -> usize {
                32
            }
        }
        let prk = ring::hkdf::Prk::new_less_safe(ring::hkdf::HKDF_SHA256, &[7; 32]);
        let mut expected = [0_u8; 32];
        prk.expand(&[&[5], b"label", b"context"], Thirty2)
            .and_then(|okm| okm.fill(&mut expected))
            .unwrap();
        assert_eq!(Key::from_bytes([7; 32]).tag("label", b"context"), expected);
    }

    #[test]
    fn debug_output_hides_the_key() {
        assert_eq!(format!("{:?}", Key::from_bytes([7; 32])), "Key(redacted)");
    }

    #[test]
    fn comparison_sees_every_byte_and_the_length() {
        let left = [3_u8; 40];
        for index in 0..40 {
            let mut right = left;
            right[index] ^= 1;
            assert!(!same_bytes(&left, &right));
        }
        assert!(same_bytes(&left, &left));
        assert!(!same_bytes(&left, &left[..39]));
    }
}
