//! Reads vector files.

use std::fs;
use std::path::PathBuf;

use chancery_tlog::Hash;
use serde_json::Value;

pub(crate) fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "vectors", name]
        .iter()
        .collect()
}

pub(crate) fn bytes(name: &str) -> Vec<u8> {
    fs::read(path(name)).unwrap()
}

pub(crate) fn json(name: &str) -> Value {
    serde_json::from_slice(&bytes(name)).unwrap()
}

/// The cases of a file with their names; a file without cases is a broken file.
pub(crate) fn cases(name: &str) -> Vec<(String, Value)> {
    let cases = json(name)["cases"].as_object().unwrap().clone();
    assert!(!cases.is_empty());
    cases.into_iter().collect()
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// A number, also where the file spells it as a string.
pub(crate) fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| text(value).parse().unwrap())
}

/// A hash, or none if the vector's value is not 32 bytes.
pub(crate) fn hash(value: &Value) -> Option<Hash> {
    Hash::from_base64(text(value)).ok()
}

/// A list of hashes, or none if one of them is not 32 bytes; `null` is the empty list.
pub(crate) fn hashes(value: &Value) -> Option<Vec<Hash>> {
    value
        .as_array()
        .map_or(Some(Vec::new()), |list| list.iter().map(hash).collect())
}

pub(crate) fn hex_hash(value: &Value) -> Hash {
    Hash(hex::decode(text(value)).unwrap().try_into().unwrap())
}
