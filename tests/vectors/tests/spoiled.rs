//! Every spoiled case is refused, by a check that it is about; every bit and every length counts.

#![expect(clippy::panic, reason = "a helper of tests")]

use chancery_vectors::{Genuine, spoiled_cases, table};
use chancery_verify::{Evidence, Outcome, Refusal, Stage};

fn failed_names(refusal: &Refusal) -> Vec<&'static str> {
    refusal.failed().map(|row| row.check.name()).collect()
}

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

#[test]
fn every_spoiled_case_is_refused_by_exactly_one_check_that_it_is_about() {
    let cases = spoiled_cases();
    assert_eq!(cases.len(), 35);
    for case in cases {
        let id = &case.id;
        let examination = case.examine();
        assert_eq!(examination.is_accepted(), case.accepted, "{id}");
        let rows = examination.rows().iter();
        let failed: Vec<&str> = rows
            .filter(|row| row.outcome == Outcome::Failed)
            .map(|row| row.check.name())
            .collect();
        assert_eq!(
            failed.len(),
            usize::from(!case.accepted),
            "{id}: {failed:?}"
        );
        let about: Vec<&str> = case
            .reference
            .iter()
            .flat_map(|check| ours(check))
            .copied()
            .collect();
        assert!(
            failed.iter().all(|name| about.contains(name)),
            "{id}: {failed:?} not in {about:?}"
        );
    }
}

/// The page is the reviewed list of verdicts: whoever changes one changes it in sight.
#[test]
fn the_page_in_docs_is_what_the_command_prints() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/attestation-vectors.md"
    );
    let page = std::fs::read_to_string(path).unwrap();
    assert!(
        page == table(),
        "run: cargo run -p chancery-vectors > docs/attestation-vectors.md"
    );
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
        for length in 0..full {
            let mut shorter = genuine.clone();
            part(&mut shorter.evidence).truncate(length);
            assert_eq!(
                failed_names(&shorter.appraise().unwrap_err()),
                [check],
                "{length}"
            );
        }
    }
}

/// One report of each version that current hardware gives, from each line that is accepted.
const GENUINE: [&str; 2] = ["genoa-v3-vcek-01-tsm", "turin-v5-vcek-02"];

#[test]
fn refuses_every_extension_of_a_report() {
    for id in GENUINE {
        let genuine = Genuine::load(id);
        assert!(genuine.appraise().is_ok(), "{id}");
        for more in 1..=4096 {
            for filling in [0, 0xff] {
                let mut longer = genuine.clone();
                longer.evidence.report.resize(1184 + more, filling);
                assert_eq!(
                    failed_names(&longer.appraise().unwrap_err()),
                    ["report_length"],
                    "{more}"
                );
            }
        }
    }
}

#[test]
fn refuses_every_truncation_of_a_report() {
    for id in GENUINE {
        let genuine = Genuine::load(id);
        for length in 0..1184 {
            let mut shorter = genuine.clone();
            shorter.evidence.report.truncate(length);
            assert_eq!(
                failed_names(&shorter.appraise().unwrap_err()),
                ["report_length"],
                "{length}"
            );
        }
    }
}

/// The whole appraisal for each of the 9,472 bits, after it accepted the report as it was.
#[test]
fn refuses_every_single_bit_flip_of_a_report() {
    for id in GENUINE {
        let genuine = Genuine::load(id);
        assert!(genuine.appraise().is_ok(), "{id}");
        let mut refused = 0;
        for byte in 0..1184 {
            for bit in 0..8 {
                let mut flipped = genuine.clone();
                flipped.evidence.report[byte] ^= 1 << bit;
                let refusal = flipped.appraise().expect_err(id);
                // The rules are fitted to the report, so that it must fail before they are asked.
                assert!(
                    refusal.stage() < Stage::Policy,
                    "{id} byte {byte:#x} bit {bit}"
                );
                assert_eq!(refusal.failed().count(), 1);
                refused += 1;
            }
        }
        assert_eq!(refused, 9472, "{id}");
    }
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
            let mut flipped = genuine.clone();
            part(&mut flipped.evidence)[byte] ^= 0x10;
            assert_eq!(
                flipped.appraise().unwrap_err().stage(),
                Stage::Chain,
                "{byte}"
            );
        }
    }
}
