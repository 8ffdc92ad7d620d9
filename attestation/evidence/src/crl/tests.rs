use super::*;

use std::format;
use std::fs;

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
