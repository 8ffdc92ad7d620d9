use super::*;
use alloc::format;

use crate::sample::{self, Counting, edited, field_fault, key};

#[test]
fn reads_what_it_writes() {
    let admin = KeyFile::Ed25519(Ed25519Seed::from_bytes([1; 32]));
    assert_eq!(
        core::str::from_utf8(&admin.to_json()).unwrap(),
        "{\"version\":1,\"kind\":\"ed25519-seed\",\"seed\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\"}\n"
    );
    let read = KeyFile::from_json(&admin.to_json()).unwrap();
    assert_eq!(read.signing_key().id(), key(1).id());
    assert!(read.into_keyset().is_none());

    let seed = KeysetSeed::generate(&mut Counting(0)).unwrap();
    let public = Keyset::from_seed(KeysetSeed::from_bytes(*seed.expose())).unwrap();
    let recovery = KeyFile::Keyset(seed);
    let read = KeyFile::from_json(&recovery.to_json()).unwrap();
    assert_eq!(read.signing_key().id(), public.signing_key().id());
    assert_eq!(read.into_keyset().unwrap().public(), public.public());
}

#[test]
fn writes_without_growing_so_that_no_copy_is_left_behind() {
    let seed = KeysetSeed::generate(&mut Counting(0)).unwrap();
    let text = KeyFile::Keyset(seed).to_json();
    assert!(text.len() <= 192 && text.capacity() == 192);
}

#[test]
fn refuses_everything_else_with_its_place() {
    let text = KeyFile::Ed25519(Ed25519Seed::from_bytes([1; 32])).to_json();
    sample::assert_strict(text.trim_ascii_end(), |bytes| {
        KeyFile::from_json(bytes).err()
    });
    for (from, to, pointer, fault) in [
        (
            "\"version\":1",
            "\"version\":2",
            "/version",
            FieldFault::UnknownVersion,
        ),
        (
            "ed25519-seed",
            "ed448-seed",
            "/kind",
            FieldFault::UnknownWord,
        ),
        ("ed25519-seed", "keyset-seed", "/seed", FieldFault::Base64),
        ("AQE=", "AQF=", "/seed", FieldFault::Base64),
        ("AQE=", "AQEB", "/seed", FieldFault::Base64),
    ] {
        let error = KeyFile::from_json(edited(&text, from, to).as_bytes()).unwrap_err();
        assert_eq!(error, field_fault(pointer, fault), "{to}");
    }
}

#[test]
fn draws_a_seed_and_prints_none() {
    let seed = Ed25519Seed::generate(&mut Counting(0)).unwrap();
    assert_ne!(seed.signing_key().id(), key(0).id());
    let file = KeyFile::Ed25519(Ed25519Seed::from_bytes([1; 32]));
    let printed = format!("{seed:?} {file:?}");
    assert_eq!(
        printed,
        "Ed25519Seed(redacted) KeyFile(ed25519-seed, redacted)"
    );
}
