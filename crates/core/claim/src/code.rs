//! The short code that a member reads out and an admin compares, for a claim without an ID token.

use alloc::string::String;
use core::fmt;

use crate::error::Error;

/// Crockford's base32: no I, L, O and U, so that a code can be read out and written down.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Characters of a code without its hyphen.
const CHARACTERS: usize = 8;

/// Forty bits, shown as `XXXX-XXXX`.
///
/// The bits are the beginning of a keyed digest that the caller makes, which is what keeps a code from being found by trying: 40 bits are
/// far too few on their own.
#[derive(Clone, Copy)]
pub struct ShortCode([u8; 5]);

impl ShortCode {
    /// The code of a digest: its first 40 bits.
    #[must_use]
    pub fn from_digest(digest: &[u8; 32]) -> Self {
        let mut bits = [0; 5];
        bits.iter_mut()
            .zip(digest)
            .for_each(|(to, from)| *to = *from);
        Self(bits)
    }

    /// Reads what a person wrote: either case, with or without hyphens and spaces, `O` as 0, `I` and `L` as 1.
    ///
    /// # Errors
    /// [`Error::CodeForm`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut value = 0_u64;
        let mut count = 0_usize;
        for letter in text.bytes().filter(|letter| !matches!(letter, b'-' | b' ')) {
            let letter = match letter.to_ascii_uppercase() {
                b'O' => b'0',
                b'I' | b'L' => b'1',
                other => other,
            };
            let digit = ALPHABET.iter().position(|known| *known == letter);
            let digit = digit.and_then(|digit| u64::try_from(digit).ok());
            count = count.saturating_add(1);
            if count > CHARACTERS {
                return Err(Error::CodeForm);
            }
            value = (value << 5) | digit.ok_or(Error::CodeForm)?;
        }
        if count < CHARACTERS {
            return Err(Error::CodeForm);
        }
        let [_, _, _, bits @ ..] = value.to_be_bytes();
        Ok(Self(bits))
    }

    /// Whether both are the same code, in time that does not tell where they differ.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        chancery_sealing::same_bytes(&self.0, &other.0)
    }
}

impl fmt::Display for ShortCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self
            .0
            .iter()
            .fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
        let mut text = String::with_capacity(9);
        for shift in [35, 30, 25, 20, 15, 10, 5, 0] {
            let digit = usize::try_from((value >> shift) & 31).unwrap_or(0);
            text.push(char::from(ALPHABET.get(digit).copied().unwrap_or(b'0')));
            if shift == 20 {
                text.push('-');
            }
        }
        f.write_str(&text)
    }
}

impl fmt::Debug for ShortCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShortCode(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString as _;

    fn digest(first: [u8; 5]) -> [u8; 32] {
        let mut digest = [0xa5; 32];
        digest[..5].copy_from_slice(&first);
        digest
    }

    /// Computed with Python: the 40-bit integer in base 32 over the alphabet.
    const VECTORS: [([u8; 5], &str); 5] = [
        ([0, 0, 0, 0, 0], "0000-0000"),
        ([0xff; 5], "ZZZZ-ZZZZ"),
        ([0x01, 0x23, 0x45, 0x67, 0x89], "04HM-ASW9"),
        ([0x80, 0, 0, 0, 1], "G000-0001"),
        ([0xde, 0xad, 0xbe, 0xef, 0x42], "VTPV-XVT2"),
    ];

    #[test]
    fn shows_the_first_forty_bits() {
        for (bits, text) in VECTORS {
            assert_eq!(ShortCode::from_digest(&digest(bits)).to_string(), text);
        }
    }

    #[test]
    fn reads_what_it_shows_and_what_people_write() {
        for (bits, text) in VECTORS {
            let code = ShortCode::from_digest(&digest(bits));
            for written in [
                text.to_string(),
                text.to_lowercase(),
                text.replace('-', ""),
                text.replace('-', " "),
                text.replace('0', "o").replace('1', "l"),
                text.replace('0', "O").replace('1', "I"),
            ] {
                assert!(
                    ShortCode::parse(&written).unwrap().matches(&code),
                    "{written}"
                );
            }
        }
    }

    #[test]
    fn refuses_what_is_no_code() {
        for text in [
            "",
            "0000-000",
            "0000-00000",
            "0000-000U",
            "0000-000é",
            "0000_0000",
            "00000000000000000000",
        ] {
            assert_eq!(
                ShortCode::parse(text).unwrap_err(),
                Error::CodeForm,
                "{text:?}"
            );
        }
    }

    #[test]
    fn tells_codes_apart_by_every_bit_and_shows_none_in_debug_output() {
        let code = ShortCode::from_digest(&[7; 32]);
        for bit in 0..40_usize {
            let mut other = [7; 32];
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!code.matches(&ShortCode::from_digest(&other)));
        }
        assert_eq!(std::format!("{code:?}"), "ShortCode(redacted)");
    }
}
