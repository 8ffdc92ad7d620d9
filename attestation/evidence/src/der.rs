//! A reader of the distinguished encoding rules (ITU-T X.690), as far as AMD's certificates use them.
//!
//! It accepts definite, minimal lengths below 64 KiB and single-byte tags, and nothing else.

#[cfg(test)]
pub(crate) mod write;

use core::fmt;

/// `BOOLEAN`.
pub(crate) const BOOLEAN: u8 = 0x01;
/// `INTEGER`.
pub(crate) const INTEGER: u8 = 0x02;
/// `BIT STRING`.
pub(crate) const BIT_STRING: u8 = 0x03;
/// `OCTET STRING`.
pub(crate) const OCTET_STRING: u8 = 0x04;
/// `NULL`.
pub(crate) const NULL: u8 = 0x05;
/// `OBJECT IDENTIFIER`.
pub(crate) const OID: u8 = 0x06;
/// `UTF8String`.
pub(crate) const UTF8_STRING: u8 = 0x0c;
/// `PrintableString`.
pub(crate) const PRINTABLE_STRING: u8 = 0x13;
/// `IA5String`.
pub(crate) const IA5_STRING: u8 = 0x16;
/// `UTCTime`.
pub(crate) const UTC_TIME: u8 = 0x17;
/// `GeneralizedTime`.
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
/// `ENUMERATED`.
pub(crate) const ENUMERATED: u8 = 0x0a;
/// `SEQUENCE`.
pub(crate) const SEQUENCE: u8 = 0x30;
/// `SET`.
pub(crate) const SET: u8 = 0x31;
/// Context-specific constructed tag 0.
pub(crate) const CONTEXT_0: u8 = 0xa0;
/// Context-specific constructed tag 1.
pub(crate) const CONTEXT_1: u8 = 0xa1;
/// Context-specific constructed tag 2.
pub(crate) const CONTEXT_2: u8 = 0xa2;
/// Context-specific constructed tag 3.
pub(crate) const CONTEXT_3: u8 = 0xa3;

/// A break of the encoding rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DerError {
    /// The input ends inside an element.
    Truncated,
    /// Bytes follow the last element.
    Trailing,
    /// A length is indefinite, not minimal, or 64 KiB and more.
    Length,
    /// An element has another tag than the structure requires.
    Tag {
        /// The tag required.
        expected: u8,
        /// The tag found.
        got: u8,
    },
    /// An element's contents break the rule of its type.
    Value,
}

impl fmt::Display for DerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the encoding is truncated"),
            Self::Trailing => f.write_str("bytes follow the last element"),
            Self::Length => f.write_str("a length is not minimal or too large"),
            Self::Tag { expected, got } => {
                write!(f, "tag {expected:#04x} expected, {got:#04x} found")
            }
            Self::Value => f.write_str("an element breaks the rule of its type"),
        }
    }
}

impl core::error::Error for DerError {}

/// One element: its tag, its contents, and its whole encoding.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) contents: &'a [u8],
    pub(crate) whole: &'a [u8],
}

/// Reads elements one after another.
#[derive(Clone, Debug)]
pub(crate) struct Der<'a> {
    rest: &'a [u8],
}

impl<'a> Der<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn byte(bytes: &'a [u8]) -> Result<(u8, &'a [u8]), DerError> {
        match bytes {
            [first, rest @ ..] => Ok((*first, rest)),
            [] => Err(DerError::Truncated),
        }
    }

    pub(crate) fn any(&mut self) -> Result<Element<'a>, DerError> {
        let start = self.rest;
        let (tag, rest) = Self::byte(start)?;
        if tag & 0x1f == 0x1f {
            return Err(DerError::Value);
        }
        let (first, rest) = Self::byte(rest)?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81 => {
                let (low, rest) = Self::byte(rest)?;
                if low < 0x80 {
                    return Err(DerError::Length);
                }
                (usize::from(low), rest)
            }
            0x82 => {
                let (high, rest) = Self::byte(rest)?;
                let (low, rest) = Self::byte(rest)?;
                if high == 0 {
                    return Err(DerError::Length);
                }
                (usize::from(u16::from_be_bytes([high, low])), rest)
            }
            _ => return Err(DerError::Length),
        };
        let (contents, after) = rest.split_at_checked(length).ok_or(DerError::Truncated)?;
        let used = start.len().saturating_sub(after.len());
        let (whole, _) = start.split_at_checked(used).ok_or(DerError::Truncated)?;
        self.rest = after;
        Ok(Element {
            tag,
            contents,
            whole,
        })
    }

    /// The next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Result<Element<'a>, DerError> {
        let element = self.any()?;
        if element.tag == tag {
            Ok(element)
        } else {
            Err(DerError::Tag {
                expected: tag,
                got: element.tag,
            })
        }
    }

    /// A reader of the contents of the next element, which must have this tag.
    pub(crate) fn enter(&mut self, tag: u8) -> Result<Self, DerError> {
        Ok(Self::new(self.expect(tag)?.contents))
    }

    /// The magnitude of a non-negative, minimal `INTEGER`, without its sign byte (zero is one zero byte).
    pub(crate) fn unsigned(&mut self) -> Result<&'a [u8], DerError> {
        unsigned_magnitude(self.expect(INTEGER)?.contents)
    }

    /// A non-negative, minimal `INTEGER` below 256.
    pub(crate) fn small(&mut self) -> Result<u8, DerError> {
        match self.unsigned()? {
            [value] => Ok(*value),
            _ => Err(DerError::Value),
        }
    }

    /// The contents of an `OBJECT IDENTIFIER`: at least one subidentifier, each minimal and complete
    /// (X.690 section 8.19.2).
    pub(crate) fn oid(&mut self) -> Result<&'a [u8], DerError> {
        let contents = self.expect(OID)?.contents;
        let mut begins = true;
        for byte in contents {
            if begins && *byte == 0x80 {
                return Err(DerError::Value);
            }
            begins = byte & 0x80 == 0;
        }
        if contents.is_empty() || !begins {
            return Err(DerError::Value);
        }
        Ok(contents)
    }

    /// A `BIT STRING` of whole bytes.
    pub(crate) fn bit_string_bytes(&mut self) -> Result<&'a [u8], DerError> {
        match self.expect(BIT_STRING)?.contents {
            [0, bytes @ ..] => Ok(bytes),
            _ => Err(DerError::Value),
        }
    }

    pub(crate) const fn finish(self) -> Result<(), DerError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(DerError::Trailing)
        }
    }
}

fn unsigned_magnitude(contents: &[u8]) -> Result<&[u8], DerError> {
    match contents {
        [0] => Ok(contents),
        [0, magnitude @ ..] => match magnitude.first() {
            Some(first) if *first >= 0x80 => Ok(magnitude),
            _ => Err(DerError::Value),
        },
        [first, ..] if *first < 0x80 => Ok(contents),
        _ => Err(DerError::Value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;
    use std::string::ToString;
    use std::vec;
    use std::vec::Vec;

    fn integer(bytes: &[u8]) -> Result<&[u8], DerError> {
        Der::new(bytes).unsigned()
    }

    #[test]
    fn accepts_exactly_minimal_integers() {
        assert_eq!(integer(&[2, 1, 0]), Ok(&[0][..]));
        assert_eq!(integer(&[2, 1, 0x7f]), Ok(&[0x7f][..]));
        assert_eq!(integer(&[2, 2, 0, 0xdb]), Ok(&[0xdb][..]));
        assert_eq!(integer(&[2, 2, 0, 0x7f]), Err(DerError::Value));
        assert_eq!(integer(&[2, 1, 0xdb]), Err(DerError::Value));
        assert_eq!(integer(&[2, 1, 0x80]), Err(DerError::Value));
        assert_eq!(integer(&[2, 2, 0, 0x80]), Ok(&[0x80][..]));
        assert_eq!(integer(&[2, 0]), Err(DerError::Value));
    }

    #[test]
    fn refuses_lengths_that_are_not_minimal() {
        assert_eq!(integer(&[2, 0x81, 1, 5]), Err(DerError::Length));
        assert_eq!(integer(&[2, 0x82, 0, 0x80]), Err(DerError::Length));
        assert_eq!(integer(&[2, 0x80, 5, 0, 0]), Err(DerError::Length));
        assert_eq!(integer(&[2, 0x83, 1, 0, 0]), Err(DerError::Length));
    }

    #[test]
    fn accepts_lengths_from_the_first_that_needs_their_form() {
        for (head, length) in [
            (&[4, 0x7f][..], 0x7f),
            (&[4, 0x81, 0x80], 0x80),
            (&[4, 0x81, 0xff], 0xff),
            (&[4, 0x82, 1, 0], 0x100),
            (&[4, 0x82, 0xff, 0xff], 0xffff),
        ] {
            let bytes = [head, &vec![7; length]].concat();
            let mut der = Der::new(&bytes);
            let element = der.any().unwrap();
            assert_eq!(element.contents.len(), length);
            assert_eq!(element.whole, bytes);
            assert!(der.is_empty());
            assert_eq!(
                Der::new(&bytes[..bytes.len() - 1]).any().err(),
                Some(DerError::Truncated)
            );
        }
    }

    #[test]
    fn accepts_exactly_complete_and_minimal_object_identifiers() {
        for good in [&[0x2a][..], &[0x55, 4, 3], &[0x2b, 0x81, 0x04, 0x00, 0x22]] {
            let length = u8::try_from(good.len()).unwrap();
            let bytes = [&[6, length], good].concat();
            assert_eq!(Der::new(&bytes).oid(), Ok(good));
        }
        for bad in [
            &[6, 0][..],
            &[6, 1, 0x80],
            &[6, 2, 0x2a, 0x81],
            &[6, 3, 0x2a, 0x80, 0x01],
            &[6, 3, 0x80, 0x01, 0x01],
        ] {
            assert_eq!(Der::new(bad).oid(), Err(DerError::Value), "{bad:?}");
        }
    }

    #[test]
    fn each_error_says_another_thing() {
        let texts: Vec<String> = [
            DerError::Truncated,
            DerError::Trailing,
            DerError::Length,
            DerError::Tag {
                expected: 2,
                got: 0x30,
            },
            DerError::Value,
        ]
        .iter()
        .map(ToString::to_string)
        .collect();
        assert_eq!(texts[3], "tag 0x02 expected, 0x30 found");
        for (index, text) in texts.iter().enumerate() {
            assert!(!text.is_empty() && !texts[..index].contains(text), "{text}");
        }
    }

    #[test]
    fn refuses_truncation_and_wrong_tags() {
        assert_eq!(integer(&[]), Err(DerError::Truncated));
        assert_eq!(integer(&[2]), Err(DerError::Truncated));
        assert_eq!(integer(&[2, 2, 1]), Err(DerError::Truncated));
        assert_eq!(
            integer(&[4, 1, 1]),
            Err(DerError::Tag {
                expected: 2,
                got: 4
            })
        );
        assert_eq!(integer(&[0x1f, 1, 1]), Err(DerError::Value));
    }
}
