//! Reading members, each refusal with its place.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use base64ct::{Base64, Encoding as _};
use chancery_json::{Element, Fields, Limits, Value};
use chancery_keyset::PublicKeyset;

use crate::error::{Error, FieldFault};

/// Largest number in a signed document: what every JSON reader keeps exactly (RFC 8259 section 6).
pub(crate) const NUMBER_MAX: u64 = (1 << 53) - 1;

/// Most entries in a list of groups or accounts, so that a payload stays within its size.
pub(crate) const NAMES_MAX: usize = 2048;

/// Most bytes of a name: a group's display name, an admin's name, an account.
pub(crate) const NAME_LENGTH_MAX: usize = 256;

const LIMITS: Limits = Limits {
    bytes_max: chancery_dsse::PAYLOAD_SIZE_MAX,
    depth_max: 6,
    values_max: 16_384,
};

/// The version of every document of this crate.
pub(crate) const VERSION: u64 = 1;

/// Opens a document of this version.
pub(crate) fn document(bytes: &[u8]) -> Result<Fields, Error> {
    let mut fields = Fields::parse(bytes, &LIMITS)?;
    let version = fields.take("version")?;
    let pointer = version.pointer().to_string();
    if version.into_u64()? == VERSION {
        Ok(fields)
    } else {
        Err(Error::field(pointer, FieldFault::UnknownVersion))
    }
}

/// Reads a text by `parse`, which gives `None` for what may not stand here.
pub(crate) fn parsed<T>(
    element: Element,
    fault: FieldFault,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, Error> {
    let pointer = element.pointer().to_string();
    parse(&element.into_str()?).ok_or(Error::Field { pointer, fault })
}

/// Reads a value whose type had to be looked at first, with places below `pointer`.
pub(crate) fn nested<T>(
    pointer: &str,
    value: Value,
    read: impl FnOnce(Element) -> Result<T, Error>,
) -> Result<T, Error> {
    read(Element::root(value)).map_err(|error| error.below(pointer))
}

pub(crate) fn number(element: Element, range: &RangeInclusive<u64>) -> Result<u64, Error> {
    let pointer = element.pointer().to_string();
    let value = element.into_u64()?;
    if range.contains(&value) {
        Ok(value)
    } else {
        Err(Error::field(pointer, FieldFault::OutOfRange))
    }
}

pub(crate) fn time_ms(element: Element) -> Result<u64, Error> {
    number(element, &(0..=NUMBER_MAX))
}

pub(crate) fn hex_bytes<const N: usize>(element: Element) -> Result<[u8; N], Error> {
    parsed(element, FieldFault::Hex, |text| {
        let digits = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let mut bytes = [0; N];
        let valid = text.bytes().all(digits) && hex::decode_to_slice(text, &mut bytes).is_ok();
        valid.then_some(bytes)
    })
}

pub(crate) fn base64_bytes<const N: usize>(element: Element) -> Result<[u8; N], Error> {
    parsed(element, FieldFault::Base64, |text| {
        let mut bytes = [0; N];
        let length = Base64::decode(text, &mut bytes).ok()?.len();
        (length == N).then_some(bytes)
    })
}

pub(crate) fn public_keyset(element: Element) -> Result<PublicKeyset, Error> {
    let pointer = element.pointer().to_string();
    let bytes: [u8; chancery_keyset::PUBLIC_KEYSET_LENGTH] = base64_bytes(element)?;
    PublicKeyset::decode(&bytes)
        .ok()
        .ok_or_else(|| Error::field(pointer, FieldFault::Key))
}

/// A name for people: not empty, no control characters, no space at its ends.
pub(crate) fn name(element: Element) -> Result<String, Error> {
    parsed(element, FieldFault::TextForm, |text| {
        is_name(text).then(|| text.to_string())
    })
}

pub(crate) fn is_name(text: &str) -> bool {
    (1..=NAME_LENGTH_MAX).contains(&text.len())
        && !text.chars().any(char::is_control)
        && text.trim() == text
}

/// A list without order or repetition.
pub(crate) fn set<T: Ord>(
    element: Element,
    entries_max: usize,
    read: impl Fn(Element) -> Result<T, Error>,
) -> Result<BTreeSet<T>, Error> {
    let pointer = element.pointer().to_string();
    let elements = element.into_array()?;
    if elements.len() > entries_max {
        return Err(Error::field(pointer, FieldFault::TooMany));
    }
    let mut entries = BTreeSet::new();
    for element in elements {
        let pointer = element.pointer().to_string();
        if !entries.insert(read(element)?) {
            return Err(Error::field(pointer, FieldFault::Duplicate));
        }
    }
    Ok(entries)
}

pub(crate) fn names(element: Element) -> Result<BTreeSet<String>, Error> {
    set(element, NAMES_MAX, name)
}

/// A list in JSON, in the order of the set.
pub(crate) fn list<T>(entries: impl IntoIterator<Item = T>, text: impl Fn(T) -> String) -> Value {
    let items: Vec<Value> = entries
        .into_iter()
        .map(|entry| Value::from(text(entry)))
        .collect();
    Value::from(items)
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}
