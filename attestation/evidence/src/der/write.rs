//! Writes what the reader must judge: elements with minimal lengths, and certificates and lists made of them.

use std::vec::Vec;

use super::*;

/// An element with these contents, below 64 KiB.
pub(crate) fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = u16::try_from(contents.len()).unwrap();
    let head = match (length, length.to_be_bytes()) {
        (0..=0x7f, [_, low]) => [tag, low].to_vec(),
        (0x80..=0xff, [_, low]) => [tag, 0x81, low].to_vec(),
        (_, [high, low]) => [tag, 0x82, high, low].to_vec(),
    };
    [head, contents.to_vec()].concat()
}

/// An element whose contents are other elements.
pub(crate) fn nest(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    element(tag, &parts.concat())
}

/// One extension; the default of `critical` is left out.
pub(crate) fn extension(oid: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = if critical {
        &[BOOLEAN, 1, 0xff][..]
    } else {
        &[]
    };
    nest(
        SEQUENCE,
        &[
            element(OID, oid),
            critical.to_vec(),
            element(OCTET_STRING, value),
        ],
    )
}

/// `n` extensions with different identifiers that nobody knows.
pub(crate) fn strangers(n: u8) -> Vec<Vec<u8>> {
    (0..n)
        .map(|number| extension(&[0x55, 0x7f, number], false, &[]))
        .collect()
}

/// The elements that follow one another in `bytes`.
pub(crate) fn split(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut der = Der::new(bytes);
    let mut parts = Vec::new();
    while !der.is_empty() {
        parts.push(der.any().unwrap().whole.to_vec());
    }
    parts
}

/// The elements inside one constructed element.
pub(crate) fn inside(bytes: &[u8]) -> Vec<Vec<u8>> {
    split(Der::new(bytes).any().unwrap().contents)
}

/// A signed structure, certificate or list, after `change` to the elements of its signed part. The signature is the old one.
pub(crate) fn resigned(der: &[u8], change: impl FnOnce(&mut Vec<Vec<u8>>)) -> Vec<u8> {
    let mut outer = inside(der);
    let mut body = inside(&outer[0]);
    change(&mut body);
    outer[0] = nest(SEQUENCE, &body);
    nest(SEQUENCE, &outer)
}
