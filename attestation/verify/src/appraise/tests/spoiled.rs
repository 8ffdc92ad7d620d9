//! Every spoiled case is refused, by a check that it is about; every bit and every length counts.

use super::*;

use std::collections::BTreeMap;

use serde_json::Value;

/// Which of our checks stand for a check of the reference that the cases were made with.
fn ours(reference: &str) -> &'static [&'static str] {
    match reference {
        "length" => &["report_length"],
        "version" => &["report_version"],
        "reserved" | "sig_padding" => &["report_reserved", "report_signature_range"],
        "sig_range" => &["report_signature_range"],
        "host_requested" => &["report_host_requested"],
        "report_signature" => &["report_signature"],
        "tcb_mismatch" => &["reported_tcb"],
        "hwid_mismatch" => &["chip_id"],
        "cpuid_product" => &["processor_line"],
        "vek_sig" => &["leaf_signature", "leaf_profile"],
        "ark_not_pinned" => &["root_pinned"],
        "ark_self" => &["root_signature"],
        "ica_sig" => &["intermediate_signature"],
        "vek_expired" | "vek_not_yet_valid" => &["leaf_validity"],
        other => panic!("unknown reference check {other}"),
    }
}

fn time_ms(text: &str) -> u64 {
    let times = BTreeMap::from([
        ("2024-01-01T00:00:00Z", 1_704_067_200_000),
        ("2025-06-01T00:00:00Z", 1_748_736_000_000),
        ("2026-03-01T00:00:00Z", 1_772_323_200_000),
        ("2026-11-22T00:00:00Z", 1_795_305_600_000),
    ]);
    times[text]
}

fn patched(case: &Value) -> Vec<u8> {
    let mut report = read(case["report"].as_str().unwrap());
    for patch in case["patch"].as_array().into_iter().flatten() {
        let offset = patch["offset"].as_str().unwrap().trim_start_matches("0x");
        let offset = usize::from_str_radix(offset, 16).unwrap();
        let set = patch["set"].as_str().map(|text| hex::decode(text).unwrap());
        let xor = patch["xor"].as_str().map(|text| hex::decode(text).unwrap());
        for (index, byte) in set.iter().flatten().enumerate() {
            report[offset + index] = *byte;
        }
        for (index, byte) in xor.iter().flatten().enumerate() {
            report[offset + index] ^= byte;
        }
    }
    if let Some(length) = case["truncate_to"].as_u64() {
        report.truncate(usize::try_from(length).unwrap());
    }
    if let Some(more) = case["append"].as_str() {
        report.extend(hex::decode(more).unwrap());
    }
    report
}

fn rules_for(case: &Value) -> (ReleasePolicy, TcbFloors) {
    let report = read(case["report"].as_str().unwrap());
    let report = Report::parse(&report).unwrap();
    let root = case["root"].as_str().unwrap();
    let line = ProductLine::from_word(root.split('/').nth(1).unwrap()).unwrap();
    let vek = read(case["vek"].as_str().unwrap());
    let identity = Certificate::parse(&vek)
        .and_then(|leaf| leaf.vek(line))
        .map_or(VekIdentity::Chip([1; 64]), |vek| vek.identity);
    let floors = fixture_floors(report.fields(), line);
    (fixture(report.fields(), line, &identity), floors)
}

#[test]
fn every_spoiled_case_is_refused_by_a_check_that_it_is_about() {
    let cases: Value = serde_json::from_slice(&read("negative/cases.json")).unwrap();
    let cases = cases.as_array().unwrap();
    assert_eq!(cases.len(), 35);
    for case in cases {
        let id = case["id"].as_str().unwrap();
        let evidence = Evidence {
            report: patched(case),
            vcek: read(case["vek"].as_str().unwrap()),
            ask: read(case["intermediate"].as_str().unwrap()),
            ark: read(case["root"].as_str().unwrap()),
            crl: Vec::new(),
        };
        let (policy, floors) = rules_for(case);
        let original = Report::parse(&read(case["report"].as_str().unwrap())).unwrap();
        let now_ms = time_ms(case["time"].as_str().unwrap());
        let result = appraise(
            &Amd,
            &evidence,
            &policy,
            &floors,
            &original.fields().report_data,
            now_ms,
        );
        if case["expect"] == "accept" {
            assert!(result.is_ok(), "{id}: {:?}", result.map(|_| ()));
            continue;
        }
        let refusal = result.expect_err(id);
        let failed = failed_names(&refusal);
        let reference = case["checks_that_fail"].as_array().unwrap();
        let about: Vec<&str> = reference
            .iter()
            .flat_map(|check| ours(check.as_str().unwrap()))
            .copied()
            .collect();
        assert!(
            failed.iter().all(|name| about.contains(name)),
            "{id}: {failed:?} not in {about:?}"
        );
    }
}

type Part = fn(&mut Evidence) -> &mut Vec<u8>;

#[test]
fn refuses_every_truncation_of_every_part() {
    let genuine = Genuine::load("turin-v5-vcek-02");
    let parts: [(Part, &str); 4] = [
        (|evidence| &mut evidence.report, "report_length"),
        (|evidence| &mut evidence.ark, "root_encoding"),
        (|evidence| &mut evidence.ask, "intermediate_encoding"),
        (|evidence| &mut evidence.vcek, "leaf_encoding"),
    ];
    for (part, check) in parts {
        let full = part(&mut genuine.evidence.clone()).len();
        for length in (0..full).step_by(7) {
            let mut evidence = genuine.evidence.clone();
            part(&mut evidence).truncate(length);
            let result = appraise(
                &Amd,
                &evidence,
                &genuine.policy,
                &genuine.floors,
                &genuine.report_data,
                genuine.now_ms,
            );
            let refusal = result.unwrap_err();
            assert_eq!(failed_names(&refusal), [check], "{length}");
        }
    }
}

/// A chain check costs three RSA operations, so the walk over every bit runs the stages that read the report.
#[test]
fn refuses_every_single_bit_flip_of_a_report() {
    let genuine = Genuine::load("turin-v5-vcek-02");
    let leaf = Certificate::parse(&genuine.evidence.vcek).unwrap();
    let chancery_evidence::PublicKey::P384(key) = *leaf.key() else {
        panic!("leaf key")
    };
    let extensions = leaf.vek(ProductLine::Turin).unwrap();
    let leaf = Leaf {
        line: ProductLine::Turin,
        key,
        extensions,
    };
    let refused = |bytes: &[u8]| {
        let mut rows = Rows::default();
        let report = parse::run(bytes, &mut rows);
        let Ok(report) = report else { return true };
        bind::run(&report, &leaf, &mut rows).is_err()
            || check_signature(&report, &leaf, &mut rows).is_err()
    };
    assert!(!refused(&genuine.evidence.report));
    let mut count = 0;
    for byte in 0..genuine.evidence.report.len() {
        for bit in 0..8 {
            let mut report = genuine.evidence.report.clone();
            report[byte] ^= 1 << bit;
            assert!(refused(&report), "byte {byte:#x} bit {bit}");
            count += 1;
        }
    }
    assert_eq!(count, 9472);
}

#[test]
fn refuses_every_byte_flip_of_the_certificates() {
    let genuine = Genuine::load("genoa-v5-vcek-01-oak");
    let parts: [Part; 3] = [
        |evidence| &mut evidence.ark,
        |evidence| &mut evidence.ask,
        |evidence| &mut evidence.vcek,
    ];
    for part in parts {
        let full = part(&mut genuine.evidence.clone()).len();
        for byte in 0..full {
            let mut evidence = genuine.evidence.clone();
            part(&mut evidence)[byte] ^= 0x10;
            let result = appraise(
                &Amd,
                &evidence,
                &genuine.policy,
                &genuine.floors,
                &genuine.report_data,
                genuine.now_ms,
            );
            assert_eq!(result.unwrap_err().stage(), Stage::Chain, "{byte}");
        }
    }
}
