//! Reports and certificates of the emulated processor beside genuine ones of the same product and firmware: given what a genuine guest was
//! launched with, every byte is the same but for those that name the chip, name the launch, or sign.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use chancery_emulated_sp::{
    Chip, EmulatedProduct, Guest, GuestIdentity, Machine, PlatformLevel, TrailerEncoding,
};
use chancery_evidence::{Report, ReportFields};
use chancery_measurement::LaunchDigest;
use chancery_platform::SecureProcessor as _;

const NOW_MS: u64 = 1_790_000_000_000;

/// Genuine reports, and the firmware level that wrote each.
const GENUINE: [(&str, &str); 6] = [
    ("genoa-v3-vcek-01-tsm", "genoa-1.55.40"),
    ("genoa-v3-vcek-02-aci", "genoa-1.55.40"),
    ("genoa-v3-vcek-03-azure-hcl", "genoa-1.55.40"),
    ("genoa-v5-vcek-01-oak", "genoa-1.55.43"),
    ("turin-v5-vcek-01-aci", "turin-1.55.65"),
    ("turin-v5-vcek-02", "turin-1.58.3"),
];

const CHIP_ID: usize = 0x1a0;
const REPORT_ID: Range<usize> = 0x140..0x160;
/// The significant bytes of the two numbers of the signature.
const SIGNATURE: [Range<usize>; 2] = [0x2a0..0x2d0, 0x2e8..0x318];

fn chip(product: EmulatedProduct) -> Arc<Chip> {
    static GENOA: OnceLock<Arc<Chip>> = OnceLock::new();
    static TURIN: OnceLock<Arc<Chip>> = OnceLock::new();
    let slot = match product {
        EmulatedProduct::Genoa => &GENOA,
        EmulatedProduct::Turin => &TURIN,
    };
    let made = slot.get_or_init(|| Arc::new(Chip::generate(product, NOW_MS).unwrap()));
    Arc::clone(made)
}

fn vector(id: &str, file: &str) -> Vec<u8> {
    let folder: PathBuf =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../attestation/vectors");
    fs::read(folder.join("reports").join(id).join(file)).unwrap()
}

/// The guest that a genuine report is about.
fn guest(fields: &ReportFields) -> Guest {
    Guest {
        measurement: LaunchDigest::new(fields.measurement),
        host_data: fields.host_data,
        policy: fields.policy,
        identity: GuestIdentity {
            family_id: fields.family_id,
            image_id: fields.image_id,
            guest_svn: fields.guest_svn,
            id_key_digest: fields.id_key_digest,
            author_key_digest: (fields.author_key_digest != [0; 48])
                .then_some(fields.author_key_digest),
        },
    }
}

/// A machine at the named firmware level, set up as the genuine one was (SMT and memory encryption differ between hosts).
fn machine(word: &str, genuine: &ReportFields) -> (EmulatedProduct, Machine) {
    let (product, level) = PlatformLevel::from_word(word).unwrap();
    let level = PlatformLevel {
        platform_info: genuine.platform_info,
        ..level
    };
    let machine = Machine::launch(chip(product), level, guest(genuine), Arc::new(|| NOW_MS));
    (product, machine.unwrap())
}

/// The report with what may differ set to zero.
fn comparable(report: &[u8], product: EmulatedProduct) -> Vec<u8> {
    let hardware_id = CHIP_ID..CHIP_ID + product.line().hardware_id_size();
    let mut bytes = report.to_vec();
    for range in SIGNATURE.into_iter().chain([hardware_id, REPORT_ID]) {
        assert!(bytes[range.clone()].iter().any(|byte| *byte != 0));
        bytes[range].fill(0);
    }
    bytes
}

#[test]
fn reports_are_those_of_genuine_hardware_byte_for_byte() {
    for (id, level) in GENUINE {
        let genuine = vector(id, "report.bin");
        let parsed = Report::parse(&genuine).unwrap();
        let (product, machine) = machine(level, parsed.fields());
        let report = machine.report(&parsed.fields().report_data).unwrap();
        let (ours, theirs) = (comparable(&report, product), comparable(&genuine, product));
        let differing: Vec<usize> = (0..theirs.len())
            .filter(|at| ours[*at] != theirs[*at])
            .collect();
        assert_eq!(ours.len(), theirs.len(), "{id}");
        assert!(differing.is_empty(), "{id}: {differing:#x?}");
    }
}

/// One DER element: its tag, its contents, and what follows.
fn element(bytes: &[u8]) -> (u8, &[u8], &[u8]) {
    let (tag, first) = (bytes[0], usize::from(bytes[1]));
    let (length, header) = match first {
        0..=0x7f => (first, 2),
        0x81 => (usize::from(bytes[2]), 3),
        0x82 => (usize::from(bytes[2]) << 8 | usize::from(bytes[3]), 4),
        _ => panic!("a length of {first:#x}"),
    };
    let (contents, rest) = bytes[header..].split_at(length);
    (tag, contents, rest)
}

/// The elements in the contents of one.
fn elements(contents: &[u8]) -> Vec<(u8, &[u8])> {
    let mut rest = contents;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (tag, contents, after) = element(rest);
        found.push((tag, contents));
        rest = after;
    }
    found
}

/// What a leaf certificate says, but for names, dates, key and signature: version, serial number, the signature algorithm in both places, the
/// algorithm of the key, and the extensions with the hardware id cut to its length.
fn shape(der: &[u8]) -> Vec<Vec<u8>> {
    let (_, certificate, rest) = element(der);
    assert_eq!(rest, b"");
    let parts = elements(certificate);
    let [(0x30, tbs), algorithm, signature] = parts[..] else {
        panic!("{} parts", parts.len());
    };
    let tbs = elements(tbs);
    let [
        version,
        serial,
        inner,
        _,
        _,
        subject,
        (0x30, key),
        (0xa3, extensions),
    ] = tbs[..]
    else {
        panic!("{} parts to be signed", tbs.len());
    };
    assert_eq!(inner, algorithm);
    let names = elements(subject.1);
    let common_name = names
        .iter()
        .find(|(_, set)| set.windows(3).any(|w| w == [0x55, 4, 3]));
    let key = elements(key);
    let mut found = vec![
        version.1.to_vec(),
        serial.1.to_vec(),
        algorithm.1.to_vec(),
        signature.1.len().to_be_bytes().to_vec(),
        common_name.unwrap().1.to_vec(),
        key[0].1.to_vec(),
        vec![key[1].0, key[1].1[0], key[1].1[1]],
        key[1].1.len().to_be_bytes().to_vec(),
    ];
    for (_, extension) in elements(elements(extensions)[0].1) {
        let parts = elements(extension);
        found.push(parts[0].1.to_vec());
        let (tag, value) = *parts.last().unwrap();
        assert_eq!(tag, 4, "an octet string");
        // The hardware id, which names the chip.
        let is_id = parts[0].1.ends_with(&[0x9c, 0x78, 1, 4]);
        found.push(if is_id {
            value.len().to_be_bytes().to_vec()
        } else {
            value.to_vec()
        });
    }
    found
}

#[test]
fn leaf_certificates_are_those_of_amd_but_for_names_dates_key_and_chip() {
    for (id, level) in GENUINE {
        let genuine = vector(id, "report.bin");
        let parsed = Report::parse(&genuine).unwrap();
        let (_, machine) = machine(level, parsed.fields());
        let vcek = machine.certificates().unwrap().vcek.unwrap();
        assert_eq!(shape(&vcek), shape(&vector(id, "vek.der")), "{id}");
    }
}

#[test]
fn both_encodings_of_the_signature_algorithm_are_ones_of_genuine_leaves() {
    let genuine = vector("genoa-v5-vcek-01-oak", "report.bin");
    let parsed = Report::parse(&genuine).unwrap();
    // AMD wrote the default trailer field until 2024 and leaves it out since.
    for (trailer, leaf) in [
        (TrailerEncoding::Explicit, "milan-v2-vcek-01"),
        (TrailerEncoding::Omitted, "genoa-v5-vcek-01-oak"),
    ] {
        let (_, machine) = machine("genoa-1.55.43", parsed.fields());
        let machine = machine.with_leaf_trailer(trailer);
        let vcek = machine.certificates().unwrap().vcek.unwrap();
        assert_eq!(shape(&vcek)[2], shape(&vector(leaf, "vek.der"))[2]);
    }
}
