#![expect(
    clippy::arithmetic_side_effects,
    reason = "offsets of the test's own constants"
)]

use super::*;
use crate::der::INTEGER;
use crate::der::OID;
use crate::der::write::element;
use crate::der::write::extension;
use crate::der::write::inside;
use crate::der::write::nest;
use crate::der::write::resigned;
use crate::der::write::strangers;
use crate::product::ProductLine;
use crate::vek::VekIdentity;

use std::format;
use std::fs;
use std::string::String;
use std::string::ToString;
use std::vec;

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

fn parsed(der: &[u8]) -> Result<(), CertificateError> {
    Certificate::parse(der).map(|_| ())
}

/// Genoa's intermediate with another serial number.
fn with_serial(serial: &[u8]) -> Vec<u8> {
    resigned(&read("roots/genoa/ask.der"), |body| {
        body[1] = element(INTEGER, serial);
    })
}

/// Genoa's intermediate with another key.
fn with_key(key: Vec<u8>) -> Vec<u8> {
    resigned(&read("roots/genoa/ask.der"), |body| body[6] = key)
}

/// Genoa's intermediate with other extensions.
fn with_extensions(extensions: &[Vec<u8>]) -> Vec<u8> {
    resigned(&read("roots/genoa/ask.der"), |body| {
        body[7] = nest(CONTEXT_3, &[nest(SEQUENCE, extensions)]);
    })
}

#[test]
fn what_is_taken_apart_and_put_together_is_the_same() {
    let der = read("roots/genoa/ask.der");
    assert_eq!(resigned(&der, |_| {}), der);
    assert_eq!(with_serial(&[2, 0, 2]).len(), der.len());
}

#[test]
fn reads_the_dates_that_openssl_reads() {
    let der = read("reports/turin-v5-vcek-01-aci/vek.der");
    let certificate = Certificate::parse(&der).unwrap();
    // 2026-02-05T01:04:33Z and 2033-02-05T01:04:33Z.
    assert_eq!(certificate.not_before_ms(), 1_770_253_473_000);
    assert_eq!(certificate.not_after_ms(), 1_991_178_273_000);
}

#[test]
fn bounds_the_whole_before_it_reads_anything() {
    let longest = vec![0; CERTIFICATE_SIZE_MAX];
    assert!(matches!(parsed(&longest), Err(CertificateError::Der(_))));
    let longer = vec![0; CERTIFICATE_SIZE_MAX + 1];
    assert_eq!(parsed(&longer), Err(CertificateError::Size));
}

#[test]
fn bounds_the_serial_number() {
    for serial in [&[0][..], &[1; 20], &[&[0, 0x80][..], &[1; 19]].concat()] {
        assert_eq!(parsed(&with_serial(serial)), Ok(()), "{serial:?}");
    }
    assert_eq!(
        parsed(&with_serial(&[1; 21])),
        Err(CertificateError::Serial)
    );
    let negative = parsed(&with_serial(&[0x80]));
    assert_eq!(negative, Err(CertificateError::Der(DerError::Value)));
}

#[test]
fn refuses_other_versions() {
    for version in [0, 1, 3] {
        let der = resigned(&read("roots/genoa/ask.der"), |body| {
            body[0] = nest(CONTEXT_0, &[element(INTEGER, &[version])]);
        });
        assert_eq!(parsed(&der), Err(CertificateError::Version));
    }
    // Version 1 is left out, and so is the rest of what only version 3 has.
    let der = resigned(&read("roots/genoa/ask.der"), |body| {
        body.remove(0);
    });
    assert!(matches!(parsed(&der), Err(CertificateError::Der(_))));
}

#[test]
fn refuses_unique_identifiers_and_anything_after_the_extensions() {
    let der = read("roots/genoa/ask.der");
    let identified = resigned(&der, |body| body.insert(7, element(0x81, &[0, 1])));
    assert!(matches!(parsed(&identified), Err(CertificateError::Der(_))));
    let followed = resigned(&der, |body| body.push(element(0x84, &[])));
    assert_eq!(
        parsed(&followed),
        Err(CertificateError::Der(DerError::Trailing))
    );
}

#[test]
fn refuses_signatures_of_other_lengths() {
    let mut outer = inside(&read("roots/genoa/ask.der"));
    for size in [0, 511, 513] {
        outer[2] = element(BIT_STRING, &vec![0; size + 1]);
        let der = nest(SEQUENCE, &outer);
        assert_eq!(parsed(&der), Err(CertificateError::SignatureSize), "{size}");
    }
    outer[2] = element(BIT_STRING, &[&[1][..], &[0; 512]].concat());
    let bits = parsed(&nest(SEQUENCE, &outer));
    assert_eq!(bits, Err(CertificateError::Der(DerError::Value)));
}

fn rsa_key(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let key = nest(
        SEQUENCE,
        &[element(INTEGER, modulus), element(INTEGER, exponent)],
    );
    let algorithm = nest(
        SEQUENCE,
        &[element(OID, RSA_ENCRYPTION), element(NULL, &[])],
    );
    let bits = element(BIT_STRING, &[&[0][..], &key].concat());
    nest(SEQUENCE, &[algorithm, bits])
}

#[test]
fn an_rsa_modulus_has_exactly_4096_bits() {
    let e = RSA_EXPONENT;
    let modulus = |first: &[u8], size: usize| [first, &vec![0x55; size]].concat();
    assert_eq!(
        parsed(&with_key(rsa_key(&modulus(&[0, 0x80], 511), e))),
        Ok(())
    );
    for (first, size) in [
        // 4095 bits in 512 bytes, 4088 with the top bit set, 4104, and 4096 with a surplus zero.
        (&[0x7f][..], 511),
        (&[0, 0x80], 510),
        (&[0, 0x80], 512),
        (&[1], 511),
    ] {
        let der = with_key(rsa_key(&modulus(first, size), e));
        assert_eq!(
            parsed(&der),
            Err(CertificateError::PublicKey),
            "{first:?} {size}"
        );
    }
    let good = modulus(&[0, 0x80], 511);
    for exponent in [&[3][..], &[1, 0, 3], &[1, 0, 1, 1]] {
        let der = with_key(rsa_key(&good, exponent));
        assert_eq!(
            parsed(&der),
            Err(CertificateError::PublicKey),
            "{exponent:?}"
        );
    }
}

#[test]
fn a_p384_point_is_uncompressed_and_of_its_length() {
    let point = |first: u8, size: usize| {
        let algorithm = nest(
            SEQUENCE,
            &[element(OID, EC_PUBLIC_KEY), element(OID, SECP384R1)],
        );
        let bits = element(BIT_STRING, &[&[0, first][..], &vec![7; size]].concat());
        parsed(&with_key(nest(SEQUENCE, &[algorithm, bits])))
    };
    assert_eq!(point(4, 96), Ok(()));
    for (first, size) in [(4, 95), (4, 97), (2, 48), (6, 96)] {
        assert_eq!(point(first, size), Err(CertificateError::PublicKey));
    }
}

#[test]
fn extensions_are_at_least_one_at_most_sixteen_and_each_once() {
    assert_eq!(parsed(&with_extensions(&strangers(16))), Ok(()));
    let many = parsed(&with_extensions(&strangers(17)));
    assert_eq!(many, Err(CertificateError::Extensions));
    assert_eq!(
        parsed(&with_extensions(&[])),
        Err(CertificateError::Extensions)
    );
    let mut twice = strangers(2);
    twice.push(twice[0].clone());
    assert_eq!(
        parsed(&with_extensions(&twice)),
        Err(CertificateError::Extensions)
    );
    let loose = extension(&[0x55, 0x1d, 0x80, 0x0f], false, &[]);
    let loose = parsed(&with_extensions(&[loose]));
    assert_eq!(loose, Err(CertificateError::Der(DerError::Value)));
}

#[test]
fn the_default_of_critical_is_left_out() {
    for value in [0, 1, 0xfe] {
        let written = nest(
            SEQUENCE,
            &[
                element(OID, KEY_USAGE),
                element(BOOLEAN, &[value]),
                element(OCTET_STRING, &[]),
            ],
        );
        let refused = parsed(&with_extensions(&[written]));
        assert_eq!(refused, Err(CertificateError::Der(DerError::Value)));
    }
}

/// `basicConstraints` and `keyUsage` of an intermediate, in any order.
const PATH_0: &[u8] = &[0x30, 6, 1, 1, 0xff, 2, 1, 0];
const SIGN: &[u8] = &[3, 2, 1, 4];

fn authority(extensions: &[Vec<u8>]) -> Result<(BasicConstraints, KeyUsage), CertificateError> {
    let der = with_extensions(extensions);
    Certificate::parse(&der).unwrap().authority()
}

#[test]
fn an_authority_has_both_extensions_critical_and_the_others_not() {
    let constraints = |critical| extension(BASIC_CONSTRAINTS, critical, PATH_0);
    let usage = |critical| extension(KEY_USAGE, critical, SIGN);
    let expected = (
        BasicConstraints {
            path_length: Some(0),
        },
        KeyUsage::Certificates,
    );
    assert_eq!(authority(&[usage(true), constraints(true)]), Ok(expected));
    let broken = Err(CertificateError::ExtensionValue);
    assert_eq!(authority(&[usage(false), constraints(true)]), broken);
    assert_eq!(authority(&[usage(true), constraints(false)]), broken);
    let missing = Err(CertificateError::MissingExtension);
    assert_eq!(authority(&[usage(true)]), missing);
    assert_eq!(authority(&[constraints(true)]), missing);
    for oid in [SUBJECT_KEY_ID, AUTHORITY_KEY_ID, CRL_DISTRIBUTION_POINTS] {
        let with = |critical| {
            let third = extension(oid, critical, &[4, 0]);
            authority(&[usage(true), constraints(true), third])
        };
        assert_eq!(with(false), Ok(expected));
        assert_eq!(with(true), broken);
    }
    // extendedKeyUsage
    let unknown = extension(&[0x55, 0x1d, 0x25], false, &[]);
    let unknown = authority(&[usage(true), constraints(true), unknown]);
    assert_eq!(unknown, Err(CertificateError::UnknownExtension));
}

#[test]
fn an_authority_says_that_it_is_one_in_one_way() {
    let constraints = |value: &[u8]| {
        let usage = extension(KEY_USAGE, true, SIGN);
        authority(&[extension(BASIC_CONSTRAINTS, true, value), usage])
    };
    assert_eq!(
        constraints(&[0x30, 3, 1, 1, 0xff]).map(|(limits, _)| limits.path_length),
        Ok(None)
    );
    for bad in [
        &[0x30, 0][..],
        &[0x30, 3, 1, 1, 0],
        &[0x30, 3, 1, 1, 1],
        &[0x30, 6, 1, 1, 0xff, 2, 1, 0x80],
        &[0x30, 7, 1, 1, 0xff, 2, 2, 1, 0],
        &[0x30, 5, 1, 1, 0xff, 5, 0],
        &[0x30, 8, 1, 1, 0xff, 2, 1, 0, 5, 0],
        &[0x30, 3, 1, 1, 0xff, 5, 0],
        &[],
    ] {
        assert!(constraints(bad).is_err(), "{bad:?}");
    }
    let usage = |value: &[u8]| {
        let limits = extension(BASIC_CONSTRAINTS, true, PATH_0);
        authority(&[limits, extension(KEY_USAGE, true, value)]).map(|(_, usage)| usage)
    };
    assert_eq!(usage(&[3, 2, 2, 4]), Ok(KeyUsage::Certificates));
    assert_eq!(usage(&[3, 2, 1, 6]), Ok(KeyUsage::CertificatesAndCrls));
    for bad in [
        &[3, 2, 0, 4][..],
        &[3, 2, 3, 4],
        &[3, 2, 2, 6],
        &[3, 2, 1, 2],
        &[3, 2, 1, 0x84],
        &[3, 3, 1, 4, 0],
        &[3, 2, 1, 4, 0],
        &[4, 2, 1, 4],
    ] {
        assert!(usage(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn each_error_says_another_thing() {
    let texts: Vec<String> = [
        CertificateError::Size,
        CertificateError::Der(DerError::Truncated),
        CertificateError::Version,
        CertificateError::Serial,
        CertificateError::AlgorithmMismatch,
        CertificateError::SignatureAlgorithm(DerError::Value),
        CertificateError::SignatureSize,
        CertificateError::PublicKey,
        CertificateError::Extensions,
        CertificateError::UnknownExtension,
        CertificateError::ExtensionValue,
        CertificateError::MissingExtension,
    ]
    .iter()
    .map(ToString::to_string)
    .collect();
    assert_eq!(texts[1], DerError::Truncated.to_string());
    for (index, text) in texts.iter().enumerate() {
        assert!(!text.is_empty() && !texts[..index].contains(text), "{text}");
    }
}
