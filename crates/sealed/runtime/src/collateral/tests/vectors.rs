//! Genuine reports with their certificates, and a chip of the test PKI.

use chancery_evidence::{Certificate, ProductLine, Report, VekIdentity, encode_report};
use chancery_platform::CertificateTable;
use chancery_verify::{
    Amd, CrlNumbers, Evidence, Examination, ReleasePolicy, RootKey, Stage, TcbFloors, examine,
};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};

use super::super::fit::Rules;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../attestation/vectors");

/// 2026-07-01, when AMD's list of Milan of 2026-06-22 is in force; it ends on 2026-08-08.
pub(crate) const MILAN_NOW_MS: u64 = 1_782_864_000_000;
/// 2026-07-16, past half of its life.
pub(crate) const MILAN_DUE_MS: u64 = 1_784_160_000_000;
/// 2026-08-09.
pub(crate) const MILAN_OVER_MS: u64 = 1_786_233_600_000;
pub(crate) const MILAN_LIST: &str = "crls/milan-2026-06-22.crl.der";

pub(crate) fn read(path: &str) -> Vec<u8> {
    std::fs::read(format!("{VECTORS}/{path}")).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Names of the folders of genuine reports that begin with `prefix`.
pub(crate) fn reports(prefix: &str) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(format!("{VECTORS}/reports"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(prefix))
        .collect();
    names.sort();
    assert!(!names.is_empty(), "{prefix}");
    names
}

pub(crate) fn report(name: &str) -> Vec<u8> {
    read(&format!("reports/{name}/report.bin"))
}

pub(crate) fn vcek(name: &str) -> Vec<u8> {
    read(&format!("reports/{name}/vek.der"))
}

/// The table of a host that knows the chip's certificate alone.
pub(crate) fn table_of(name: &str) -> CertificateTable {
    CertificateTable {
        vcek: Some(vcek(name)),
        ..CertificateTable::default()
    }
}

/// Whether the verifier of clients gets as far as the policy, which is that of the deployment and not of collateral.
pub(crate) fn is_accepted_by_clients(evidence: &Evidence, now_ms: u64) -> bool {
    let mut policy = ReleasePolicy::baseline(1, 0, u64::MAX);
    policy.dangerous_allow_unchecked_revocation = evidence.crl.is_empty();
    let floors = TcbFloors::shipped().unwrap();
    let examined: Examination = examine(&Amd, evidence, &policy, &floors, None, now_ms);
    examined
        .refused_in()
        .is_none_or(|stage| stage == Stage::Policy)
}

/// The test PKI: `name` is a file of its folder without `.der`.
pub(crate) fn pki(name: &str) -> Vec<u8> {
    read(&format!("test-pki/{name}.der"))
}

/// The rules that believe a root of the test PKI.
pub(crate) fn rules_of_root(root: &[u8]) -> Rules {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, root).as_ref());
    Rules {
        infix: "Test-",
        roots: Some(vec![RootKey::new(ProductLine::Genoa, hash)]),
        is_amd: false,
        is_list_needed: true,
        list_numbers_min: CrlNumbers::ANY,
    }
}

/// A report of the test PKI's Genoa chip, over `report_data`.
pub(crate) fn signed_report(report_data: [u8; 64]) -> Vec<u8> {
    let leaf = pki("genoa-vcek");
    let leaf = Certificate::parse(&leaf).unwrap();
    let extensions = leaf.vek(ProductLine::Genoa).unwrap();
    let VekIdentity::Chip(chip_id) = extensions.identity else {
        panic!("a chip")
    };
    let genuine = Report::parse(&report("genoa-v5-vcek-01-oak")).unwrap();
    let mut fields = genuine.fields().clone();
    fields.chip_id = chip_id;
    fields.reported_tcb = extensions.tcb.encode(ProductLine::Genoa);
    fields.report_data = report_data;
    let signed = fields.encode_signed();
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &pki("vcek-key"), &random);
    let signature = key.unwrap().sign(&random, &signed).unwrap();
    encode_report(&signed, signature.as_ref().try_into().unwrap()).to_vec()
}
