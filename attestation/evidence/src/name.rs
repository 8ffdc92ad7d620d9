//! Distinguished names (RFC 5280 section 4.1.2.4), as AMD writes them: one attribute per relative name.

use crate::der::Der;
use crate::der::DerError;
use crate::der::OID;
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
            let oid = attribute.expect(OID)?.contents;
            let value = attribute.any()?;
            attribute.finish()?;
            if !matches!(value.tag, UTF8_STRING | PRINTABLE_STRING) {
                return Err(DerError::Value);
            }
            let text = core::str::from_utf8(value.contents).map_err(|_bytes| DerError::Value)?;
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
