//! Distinguished names (RFC 5280 section 4.1.2.4), as AMD writes them: one attribute per relative name.

use crate::der::Der;
use crate::der::DerError;
use crate::der::Element;
use crate::der::PRINTABLE_STRING;
use crate::der::SEQUENCE;
use crate::der::SET;
use crate::der::UTF8_STRING;

/// 2.5.4.3.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

/// AMD writes six attributes; no name needs more.
const ATTRIBUTES_MAX: usize = 6;

/// The longest common name in bytes (RFC 5280 upper bound).
const COMMON_NAME_SIZE_MAX: usize = 64;

/// A distinguished name. Two names are equal when their bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name<'a> {
    der: &'a [u8],
    common_name: &'a str,
}

/// A value of an attribute: of the alphabet of its type, and visible ASCII with spaces in any case. AMD's are, and a
/// refusal shows a name to a person before anybody vouches for it.
fn read_text<'a>(value: &Element<'a>) -> Result<&'a str, DerError> {
    let allowed: fn(&u8) -> bool = match value.tag {
        UTF8_STRING => |byte| (b' '..=b'~').contains(byte),
        // X.680 section 41.4.
        PRINTABLE_STRING => |byte| byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(byte),
        _ => return Err(DerError::Value),
    };
    if value.contents.is_empty() || !value.contents.iter().all(allowed) {
        return Err(DerError::Value);
    }
    core::str::from_utf8(value.contents).map_err(|_bytes| DerError::Value)
}

impl<'a> Name<'a> {
    pub(crate) fn read(der: &mut Der<'a>) -> Result<Self, DerError> {
        let element = der.expect(SEQUENCE)?;
        let mut names = Der::new(element.contents);
        let mut common_name = None;
        let mut count: usize = 0;
        while !names.is_empty() {
            count = count.saturating_add(1);
            if count > ATTRIBUTES_MAX {
                return Err(DerError::Value);
            }
            let mut relative = names.enter(SET)?;
            let mut attribute = relative.enter(SEQUENCE)?;
            relative.finish()?;
            let oid = attribute.oid()?;
            let value = attribute.any()?;
            attribute.finish()?;
            let text = read_text(&value)?;
            if oid == COMMON_NAME && common_name.replace(text).is_some() {
                return Err(DerError::Value);
            }
        }
        match common_name {
            Some(common_name) if common_name.len() <= COMMON_NAME_SIZE_MAX => Ok(Self {
                der: element.whole,
                common_name,
            }),
            Some(_) | None => Err(DerError::Value),
        }
    }

    /// The encoding.
    #[must_use]
    pub const fn der(&self) -> &'a [u8] {
        self.der
    }

    /// The common name.
    #[must_use]
    pub const fn common_name(&self) -> &'a str {
        self.common_name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::der::OID;
    use crate::der::write::element;
    use std::vec::Vec;

    /// One relative name with one attribute.
    fn relative(oid: &[u8], tag: u8, text: &[u8]) -> Vec<u8> {
        let attribute = [element(OID, oid), element(tag, text)].concat();
        element(SET, &element(SEQUENCE, &attribute))
    }

    fn read(relatives: &[Vec<u8>]) -> Result<std::string::String, DerError> {
        let bytes = element(SEQUENCE, &relatives.concat());
        let mut der = Der::new(&bytes);
        let name = Name::read(&mut der)?;
        assert!(der.is_empty());
        assert_eq!(name.der(), bytes);
        Ok(name.common_name().into())
    }

    fn common(text: &[u8]) -> Vec<u8> {
        relative(COMMON_NAME, UTF8_STRING, text)
    }

    #[test]
    fn reads_the_one_common_name_among_other_attributes() {
        let country = relative(&[0x55, 4, 6], PRINTABLE_STRING, b"US");
        assert_eq!(
            read(&[country.clone(), common(b"SEV-Genoa"), country]),
            Ok("SEV-Genoa".into())
        );
    }

    #[test]
    fn refuses_names_with_none_two_or_too_long_common_names() {
        let country = relative(&[0x55, 4, 6], PRINTABLE_STRING, b"US");
        assert_eq!(read(&[]), Err(DerError::Value));
        assert_eq!(read(&[country]), Err(DerError::Value));
        assert_eq!(read(&[common(b"A"), common(b"A")]), Err(DerError::Value));
        assert!(read(&[common(&[b'A'; 64])]).is_ok());
        assert_eq!(read(&[common(&[b'A'; 65])]), Err(DerError::Value));
    }

    #[test]
    fn refuses_more_attributes_than_a_name_of_amd_has() {
        let others = |count: u8| -> Vec<Vec<u8>> {
            let mut relatives: Vec<Vec<u8>> = (0..count)
                .map(|number| relative(&[0x55, 4, 10 + number], UTF8_STRING, b"x"))
                .collect();
            relatives.push(common(b"A"));
            relatives
        };
        assert!(read(&others(5)).is_ok());
        assert_eq!(read(&others(6)), Err(DerError::Value));
    }

    #[test]
    fn refuses_texts_outside_the_alphabet_of_their_type() {
        for bad in [
            &b""[..],
            b"A\x1b[2J",
            b"A\nB",
            b"\x7f",
            "\u{e9}".as_bytes(),
            b"\xff",
        ] {
            assert_eq!(read(&[common(bad)]), Err(DerError::Value), "{bad:?}");
        }
        let printable = |text| read(&[relative(COMMON_NAME, PRINTABLE_STRING, text)]);
        assert!(printable(b"Az09 '()+,-./:=?").is_ok());
        for bad in [&b"a@b"[..], b"a*b", b"a_b", b""] {
            assert_eq!(printable(bad), Err(DerError::Value), "{bad:?}");
        }
        assert!(read(&[common(b" ~")]).is_ok());
        // T61String.
        assert_eq!(
            read(&[relative(COMMON_NAME, 0x14, b"A")]),
            Err(DerError::Value)
        );
    }
}
