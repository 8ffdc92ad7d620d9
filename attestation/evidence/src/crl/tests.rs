use super::*;
use crate::der::BIT_STRING;
use crate::der::write::element;
use crate::der::write::extension;
use crate::der::write::inside;
use crate::der::write::nest;
use crate::der::write::resigned;

use std::format;
use std::fs;
use std::string::String;
use std::string::ToString;
use std::vec;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../vectors");

fn read(name: &str) -> Vec<u8> {
    fs::read(format!("{VECTORS}/crls/{name}.crl.der")).unwrap()
}

#[test]
fn reads_the_genuine_lists() {
    let der = read("genoa-2022-10-31");
    let crl = Crl::parse(&der).unwrap();
    assert_eq!(crl.issuer().common_name(), "ARK-Genoa");
    assert!(crl.revokes(&[2, 0, 1]));
    assert!(!crl.revokes(&[2, 0, 2]));
    assert_eq!(crl.number(), [2]);

    let der = read("milan-2026-06-22");
    let crl = Crl::parse(&der).unwrap();
    assert_eq!(crl.issuer().common_name(), "ARK-Milan");
    assert!(!crl.revokes(&[1, 0, 1]));
    assert_eq!(crl.number(), [9]);
    assert_eq!(crl.this_update_ms(), 1_782_107_632_000);
    assert_eq!(crl.next_update_ms(), 1_786_147_200_000);
}

#[test]
fn refuses_every_truncation_and_trailing_bytes() {
    let der = read("genoa-2022-10-31");
    for length in 0..der.len() {
        assert!(Crl::parse(&der[..length]).is_err(), "{length}");
    }
    let mut longer = der;
    longer.push(0);
    assert_eq!(
        Crl::parse(&longer).map(|_| ()),
        Err(CrlError::Der(DerError::Trailing))
    );
}

#[test]
fn refuses_lists_that_are_partial_or_indirect() {
    // 2.5.29.27 marks a delta list and 2.5.29.28 a partial or indirect one.
    for id in [0x1b, 0x1c] {
        let mut der = read("genoa-2022-10-31");
        let at = der
            .windows(3)
            .position(|window| window == CRL_NUMBER)
            .unwrap();
        der[at + 2] = id;
        assert_eq!(Crl::parse(&der).map(|_| ()), Err(CrlError::Extension));
    }
}

#[test]
fn refuses_a_version_1_list() {
    let mut der = read("genoa-2022-10-31");
    let at = der
        .windows(3)
        .position(|window| window == [2, 1, 1])
        .unwrap();
    der[at + 2] = 0;
    assert_eq!(Crl::parse(&der).map(|_| ()), Err(CrlError::Version));
}

fn parsed(der: &[u8]) -> Result<(), CrlError> {
    Crl::parse(der).map(|_| ())
}

fn entry(serial: &[u8], extensions: &[Vec<u8>]) -> Vec<u8> {
    let date = element(0x17, b"260101000000Z");
    let mut parts = vec![element(INTEGER, serial), date];
    if !extensions.is_empty() {
        parts.push(nest(SEQUENCE, extensions));
    }
    nest(SEQUENCE, &parts)
}

/// Genoa's list with other entries.
fn with_entries(entries: &[Vec<u8>]) -> Vec<u8> {
    resigned(&read("genoa-2022-10-31"), |body| {
        body[5] = nest(SEQUENCE, entries);
    })
}

fn with_extensions(extensions: &[Vec<u8>]) -> Vec<u8> {
    resigned(&read("genoa-2022-10-31"), |body| {
        body[6] = nest(CONTEXT_0, &[nest(SEQUENCE, extensions)]);
    })
}

#[test]
fn what_is_taken_apart_and_put_together_is_the_same() {
    let der = read("genoa-2022-10-31");
    assert_eq!(resigned(&der, |_| {}), der);
    assert_eq!(parsed(&with_entries(&[entry(&[1], &[])])), Ok(()));
}

#[test]
fn bounds_the_whole_before_it_reads_anything() {
    let longest = vec![0; CRL_SIZE_MAX];
    assert!(matches!(parsed(&longest), Err(CrlError::Der(_))));
    let longer = vec![0; CRL_SIZE_MAX + 1];
    assert_eq!(parsed(&longer), Err(CrlError::Size));
}

#[test]
fn refuses_other_signatures_and_two_algorithms_that_differ() {
    let der = read("genoa-2022-10-31");
    let outer = inside(&der);
    let mut short = outer.clone();
    short[2] = element(BIT_STRING, &[0; 512]);
    assert_eq!(parsed(&nest(SEQUENCE, &short)), Err(CrlError::Signature));
    let mut salt = outer.clone();
    let at = salt[1].len() - 1;
    let at = salt[1][..at]
        .iter()
        .rposition(|byte| *byte == 0x30)
        .unwrap();
    salt[1][at] = 0x20;
    assert_eq!(parsed(&nest(SEQUENCE, &salt)), Err(CrlError::Signature));
    let inner = resigned(&der, |body| {
        let at = body[1].len() - 1;
        body[1][at] ^= 1;
    });
    assert_eq!(parsed(&inner), Err(CrlError::AlgorithmMismatch));
}

#[test]
fn revokes_each_serial_number_that_is_listed_and_no_other() {
    let longest = [7; 20];
    let der = with_entries(&[
        entry(&[1], &[]),
        entry(&[0, 0x80], &[]),
        entry(&longest, &[]),
    ]);
    let crl = Crl::parse(&der).unwrap();
    for serial in [&[1][..], &[0x80], &longest] {
        assert!(crl.revokes(serial), "{serial:?}");
    }
    for serial in [&[0][..], &[2], &[0, 0x80], &[], &[7; 19]] {
        assert!(!crl.revokes(serial), "{serial:?}");
    }
}

#[test]
fn bounds_entries_and_their_serial_numbers() {
    let long = with_entries(&[entry(&[7; 21], &[])]);
    assert_eq!(parsed(&long), Err(CrlError::Revoked));
    let many = |count: u16| {
        let serials = (0..count).map(|number| number.to_be_bytes());
        let entries: Vec<Vec<u8>> = serials
            .map(|[high, low]| entry(&[1, high, low], &[]))
            .collect();
        parsed(&with_entries(&entries))
    };
    assert_eq!(many(1024), Ok(()));
    assert_eq!(many(1025), Err(CrlError::Revoked));
    assert_eq!(parsed(&with_entries(&[])), Err(CrlError::Revoked));
}

#[test]
fn an_entry_may_have_a_reason_that_the_rfc_defines_and_nothing_else() {
    let with = |oid: &[u8], critical, value: &[u8]| {
        parsed(&with_entries(&[entry(
            &[1],
            &[extension(oid, critical, value)],
        )]))
    };
    for reason in [0, 1, 2, 3, 4, 5, 6, 9, 10] {
        assert_eq!(
            with(REASON_CODE, false, &[10, 1, reason]),
            Ok(()),
            "{reason}"
        );
    }
    // 7 is not used, 8 is removeFromCRL.
    for reason in [7, 8, 11, 0xff] {
        let refused = with(REASON_CODE, false, &[10, 1, reason]);
        assert_eq!(refused, Err(CrlError::Extension), "{reason}");
    }
    for value in [&[10, 2, 0, 1][..], &[10, 0]] {
        assert_eq!(with(REASON_CODE, false, value), Err(CrlError::Extension));
    }
    for value in [&[2, 1, 1][..], &[10, 1, 1, 0], &[]] {
        let refused = with(REASON_CODE, false, value);
        assert!(matches!(refused, Err(CrlError::Der(_))), "{value:?}");
    }
    assert_eq!(
        with(REASON_CODE, true, &[10, 1, 1]),
        Err(CrlError::Extension)
    );
    // certificateIssuer, of indirect lists.
    assert_eq!(
        with(&[0x55, 0x1d, 0x1d], false, &[10, 1, 1]),
        Err(CrlError::Extension)
    );
    let empty = nest(
        SEQUENCE,
        &[
            element(INTEGER, &[1]),
            element(0x17, b"260101000000Z"),
            nest(SEQUENCE, &[]),
        ],
    );
    assert_eq!(parsed(&with_entries(&[empty])), Err(CrlError::Extension));
}

#[test]
fn a_list_has_a_number_and_if_wanted_a_key_identifier() {
    let number = |critical| extension(CRL_NUMBER, critical, &[2, 2, 0, 0x80]);
    let issuer = |critical| extension(AUTHORITY_KEY_ID, critical, &[0x30, 0]);
    let der = with_extensions(&[issuer(false), number(false)]);
    assert_eq!(Crl::parse(&der).unwrap().number(), [0x80]);
    assert_eq!(parsed(&with_extensions(&[number(false)])), Ok(()));
    for extensions in [
        &[number(true)][..],
        &[number(false), issuer(true)],
        &[issuer(false)],
        &[number(false), number(false)],
        &[],
        &[extension(CRL_NUMBER, false, &[4, 1, 1])],
    ] {
        assert_eq!(
            parsed(&with_extensions(extensions)),
            Err(CrlError::Extension)
        );
    }
    for value in [&[2, 1, 0x80][..], &[2, 2, 0, 1], &[2, 1, 1, 0]] {
        let refused = parsed(&with_extensions(&[extension(CRL_NUMBER, false, value)]));
        assert!(matches!(refused, Err(CrlError::Der(_))), "{value:?}");
    }
}

#[test]
fn a_list_says_when_the_next_one_is_due() {
    let undated = resigned(&read("genoa-2022-10-31"), |body| {
        body.remove(4);
    });
    assert!(matches!(parsed(&undated), Err(CrlError::Der(_))));
    let followed = resigned(&read("genoa-2022-10-31"), |body| {
        body.push(element(0x84, &[]));
    });
    assert_eq!(parsed(&followed), Err(CrlError::Der(DerError::Trailing)));
}

#[test]
fn each_error_says_another_thing() {
    let texts: Vec<String> = [
        CrlError::Size,
        CrlError::Der(DerError::Truncated),
        CrlError::Version,
        CrlError::AlgorithmMismatch,
        CrlError::Signature,
        CrlError::Revoked,
        CrlError::Extension,
    ]
    .iter()
    .map(ToString::to_string)
    .collect();
    assert_eq!(texts[1], DerError::Truncated.to_string());
    for (index, text) in texts.iter().enumerate() {
        assert!(!text.is_empty() && !texts[..index].contains(text), "{text}");
    }
}
