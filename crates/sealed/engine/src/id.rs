//! Identifiers that the runtime makes. None is ever taken from a request (I14).

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

/// The identifier of a SCIM resource: 16 random bytes, written as an RFC 9562 version 4 UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ResourceId([u8; 16]);

impl ResourceId {
    /// The lowest value there is; a bound for index ranges.
    pub(crate) const LOWEST: Self = Self([0; 16]);

    /// Makes an identifier of random bytes by setting the version and variant bits.
    #[must_use]
    pub fn from_random(mut bytes: [u8; 16]) -> Self {
        let [_, _, _, _, _, _, version, _, variant, ..] = &mut bytes;
        *version = (*version & 0x0f) | 0x40;
        *variant = (*variant & 0x3f) | 0x80;
        Self(bytes)
    }

    /// Reads the lower-case text form; anything else, also other spellings of a UUID, is no
    /// identifier of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut compact = [0_u8; 32];
        let mut length = 0_usize;
        for (index, byte) in text.bytes().enumerate() {
            if matches!(index, 8 | 13 | 18 | 23) {
                if byte != b'-' {
                    return None;
                }
                continue;
            }
            if !matches!(byte, b'0'..=b'9' | b'a'..=b'f') {
                return None;
            }
            *compact.get_mut(length)? = byte;
            length = length.checked_add(1)?;
        }
        if length != compact.len() {
            return None;
        }
        let mut bytes = [0_u8; 16];
        hex::decode_to_slice(compact, &mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// Takes over the 16 bytes of an identifier that was made before.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The text form that SCIM's `id` carries.
    #[must_use]
    pub fn text(&self) -> String {
        alloc::format!("{self}")
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                formatter.write_str("-")?;
            }
            write!(formatter, "{byte:02x}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips_and_is_a_version_4_uuid() {
        let id = ResourceId::from_random([0xff; 16]);
        assert_eq!(id.text(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(ResourceId::parse(&id.text()), Some(id));
    }

    #[test]
    fn refuses_other_spellings() {
        for text in [
            "",
            "FFFFFFFF-ffff-4fff-bfff-ffffffffffff",
            "ffffffff-ffff-4fff-bfff-fffffffffff",
            "ffffffff-ffff-4fff-bfff-ffffffffffff0",
            "ffffffffffff4fffbfffffffffffffffffff",
            "{fffffff-ffff-4fff-bfff-ffffffffffff}",
            "é",
        ] {
            assert_eq!(ResourceId::parse(text), None, "{text}");
        }
    }
}
