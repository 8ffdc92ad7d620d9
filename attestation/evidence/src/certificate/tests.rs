#![expect(
    clippy::arithmetic_side_effects,
    reason = "offsets of the test's own constants"
)]

use super::*;
use crate::product::ProductLine;
use crate::vek::VekIdentity;

use std::format;
use std::fs;
use std::string::ToString;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../vectors");

fn read(path: &str) -> Vec<u8> {
    fs::read(format!("{VECTORS}/{path}")).unwrap()
}

#[test]
fn reads_every_authority() {
    for line in [ProductLine::Milan, ProductLine::Genoa, ProductLine::Turin] {
        for (file, path_length, usage) in [
            ("ark", None, KeyUsage::CertificatesAndCrls),
            ("ask", Some(0), KeyUsage::Certificates),
            ("asvk", Some(0), KeyUsage::Certificates),
        ] {
            let der = read(&format!("roots/{}/{file}.der", line.word()));
            let certificate = Certificate::parse(&der).unwrap();
            let expected = (BasicConstraints { path_length }, usage);
            assert_eq!(certificate.authority(), Ok(expected), "{line} {file}");
            assert_eq!(certificate.issuer().common_name(), format!("ARK-{line}"));
            assert!(matches!(certificate.key(), PublicKey::Rsa4096(_)));
            assert!(certificate.vek(line).is_err());
        }
    }
}

#[test]
fn reads_every_leaf() {
    let mut count = 0;
    for folder in fs::read_dir(format!("{VECTORS}/reports")).unwrap() {
        let folder = folder.unwrap().path();
        let text = fs::read(folder.join("expected.json")).unwrap();
        let expected: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let line = expected["product_line"].as_str().unwrap().to_lowercase();
        let line = ProductLine::from_word(&line).unwrap();
        let der = fs::read(folder.join("vek.der")).unwrap();
        let certificate = Certificate::parse(&der).unwrap();
        assert_eq!(certificate.serial(), [0]);
        let extensions = certificate.vek(line).unwrap();
        let vek = &expected["vek"];
        assert_eq!(
            extensions.product_name,
            vek["ext_product_name"].as_str().unwrap()
        );
        let tcb = |name: &str| vek["ext_tcb"][name].as_u64().unwrap_or_default();
        assert_eq!(u64::from(extensions.tcb.fmc), tcb("fmc"));
        assert_eq!(u64::from(extensions.tcb.bootloader), tcb("bootloader"));
        assert_eq!(u64::from(extensions.tcb.tee), tcb("tee"));
        assert_eq!(u64::from(extensions.tcb.snp), tcb("snp"));
        assert_eq!(u64::from(extensions.tcb.microcode), tcb("microcode"));
        match extensions.identity {
            VekIdentity::Chip(chip) => {
                let shown = hex::encode(&chip[..line.hardware_id_size()]);
                assert_eq!(shown, vek["ext_hwid_hex"].as_str().unwrap());
            }
            VekIdentity::Provider(_) => assert_eq!(vek["kind"], "VLEK"),
        }
        assert!(certificate.authority().is_err());
        for other in [ProductLine::Milan, ProductLine::Genoa, ProductLine::Turin] {
            assert_eq!(certificate.vek(other).is_ok(), other == line);
        }
        count += 1;
    }
    assert_eq!(count, 27);
}

#[test]
fn reads_leaves_without_reports() {
    for name in [
        "milan-vcek-tcb0-1",
        "turin-vcek-tcb0",
        "milan-vcek-oldtcb-chip-28efc607",
    ] {
        let der = read(&format!("certs-only/{name}.der"));
        let word = name.split('-').next().unwrap();
        let line = ProductLine::from_word(word).unwrap();
        Certificate::parse(&der)
            .unwrap()
            .vek(line)
            .unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}

#[test]
fn refuses_a_hardware_id_wrapped_in_der() {
    let der = read("certs-invalid/vcek-hwid-octetstring-not-amd.der");
    let refused = match Certificate::parse(&der) {
        Ok(certificate) => certificate.vek(ProductLine::Milan).is_err(),
        Err(_) => true,
    };
    assert!(refused);
}

#[test]
fn refuses_every_truncation_and_trailing_bytes() {
    let der = read("reports/turin-v5-vcek-01-aci/vek.der");
    for length in 0..der.len() {
        assert!(Certificate::parse(&der[..length]).is_err(), "{length}");
    }
    let mut longer = der.clone();
    longer.push(0);
    assert_eq!(
        Certificate::parse(&longer).map(|_| ()),
        Err(CertificateError::Der(DerError::Trailing))
    );
    longer.resize(5000, 0);
    assert_eq!(
        Certificate::parse(&longer).map(|_| ()),
        Err(CertificateError::Size)
    );
}

/// Replaces the one occurrence of `from` that begins after `after`.
fn replace(der: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut der = der.to_vec();
    let at = der
        .windows(from.len())
        .position(|window| window == from)
        .unwrap();
    der[at..at + from.len()].copy_from_slice(to);
    der
}

#[test]
fn refuses_leaf_extensions_that_break_a_rule() {
    let der = read("reports/turin-v5-vcek-01-aci/vek.der");
    let turin = |der: &[u8]| {
        Certificate::parse(der)
            .and_then(|certificate| certificate.vek(ProductLine::Turin))
            .map_err(|error| error.to_string())
    };
    assert!(turin(&der).is_ok());
    let arc = [0x2b, 0x06, 0x01, 0x04, 0x01, 0x9c, 0x78, 0x01];
    let oid = |suffix: &[u8]| [&arc[..], suffix].concat();
    // (what to look for, what to put there)
    let cases = [
        (oid(&[3, 9]), oid(&[3, 4]), "fmc missing, spl4 present"),
        (oid(&[3, 9]), oid(&[3, 1]), "boot loader twice"),
        (
            oid(&[3, 8]),
            oid(&[3, 0x0a]),
            "microcode under an unknown id",
        ),
        (
            [oid(&[4]), [4, 8].into()].concat(),
            [oid(&[6]), [4, 8].into()].concat(),
            "no identity",
        ),
        (
            [oid(&[4]), [4, 8].into()].concat(),
            [oid(&[5]), [4, 8].into()].concat(),
            "provider",
        ),
        (
            b"\x16\x05Turin".into(),
            b"\x16\x05Turim".into(),
            "another line",
        ),
        (
            b"\x16\x05Turin".into(),
            b"\x0c\x05Turin".into(),
            "another string type",
        ),
        (
            [oid(&[1]), [4, 3, 2, 1, 1].into()].concat(),
            [oid(&[1]), [4, 3, 2, 1, 0].into()].concat(),
            "struct version",
        ),
        (
            [oid(&[3, 5]), [4, 3, 2, 1, 0].into()].concat(),
            [oid(&[3, 5]), [4, 3, 2, 1, 1].into()].concat(),
            "reserved level",
        ),
        (
            [oid(&[3, 3]), [4, 3, 2, 1, 4].into()].concat(),
            [oid(&[3, 3]), [4, 3, 2, 1, 0x84].into()].concat(),
            "negative level",
        ),
    ];
    for (from, to, what) in cases {
        assert!(turin(&replace(&der, &from, &to)).is_err(), "{what}");
    }
}

#[test]
fn refuses_authorities_whose_extensions_break_a_rule() {
    let der = read("roots/genoa/ask.der");
    let authority = |der: &[u8]| Certificate::parse(der).and_then(|c| c.authority());
    let critical_constraints = b"\x55\x1d\x13\x01\x01\xff";
    let cases: [(&[u8], &[u8], &str); 5] = [
        (
            critical_constraints,
            b"\x55\x1d\x14\x01\x01\xff",
            "unknown critical extension",
        ),
        (
            critical_constraints,
            b"\x55\x1d\x0f\x01\x01\xff",
            "usage twice",
        ),
        (
            b"\x30\x06\x01\x01\xff\x02\x01\x00",
            b"\x30\x06\x01\x01\x00\x02\x01\x00",
            "not a CA",
        ),
        (b"\x03\x02\x01\x04", b"\x03\x02\x01\x80", "other usage"),
        (
            b"\x55\x1d\x0e\x04",
            b"\x55\x1d\x25\x04",
            "unknown extension",
        ),
    ];
    for (from, to, what) in cases {
        assert!(authority(&replace(&der, from, to)).is_err(), "{what}");
    }
}

#[test]
fn refuses_keys_of_other_kinds() {
    let rsa = read("roots/genoa/ask.der");
    let exponent = replace(
        &rsa,
        b"\x02\x03\x01\x00\x01\xa3",
        b"\x02\x03\x01\x00\x03\xa3",
    );
    assert_eq!(
        Certificate::parse(&exponent).map(|_| ()),
        Err(CertificateError::PublicKey)
    );
    let ec = read("reports/turin-v5-vcek-01-aci/vek.der");
    let curve = replace(&ec, b"\x2b\x81\x04\x00\x22", b"\x2b\x81\x04\x00\x23");
    assert_eq!(
        Certificate::parse(&curve).map(|_| ()),
        Err(CertificateError::PublicKey)
    );
    let compressed = replace(&ec, b"\x03\x62\x00\x04", b"\x03\x62\x00\x02");
    assert_eq!(
        Certificate::parse(&compressed).map(|_| ()),
        Err(CertificateError::PublicKey)
    );
}

#[test]
fn refuses_two_signature_algorithms_that_differ() {
    // Both encodings of the parameters are fine, but not one inside and the other outside.
    let der = read("reports/turin-v5-vcek-01-aci/vek.der");
    let mut changed = der.clone();
    let salt = der
        .windows(5)
        .rposition(|w| w == b"\xa2\x03\x02\x01\x30")
        .unwrap();
    changed[salt + 4] = 0x20;
    assert_eq!(
        Certificate::parse(&changed).map(|_| ()),
        Err(CertificateError::AlgorithmMismatch)
    );
}
