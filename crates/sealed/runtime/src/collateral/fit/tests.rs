//! The rules against genuine chips, and against every spoiled certificate of the test PKI.

use super::super::tests::vectors::{
    self, MILAN_LIST, MILAN_NOW_MS, is_accepted_by_clients, pki, read, rules_of_root, signed_report,
};
use super::*;

/// 2026-07-01, when everything in the test PKI that is not spoiled holds.
const NOW_MS: u64 = MILAN_NOW_MS;

fn amd(is_list_needed: bool) -> Rules {
    Rules::of::<chancery_verify::Amd>(is_list_needed, CrlNumbers::ANY)
}

fn roots_of_amd() -> Pool {
    let mut pool = Pool::default();
    for line in ["milan", "genoa", "turin"] {
        for part in ["ask", "asvk", "ark"] {
            pool.add_certificate(&read(&format!("roots/{line}/{part}.der")));
        }
    }
    pool
}

/// The certificates of the test PKI's Genoa chip.
fn parts() -> [(&'static str, Vec<u8>); 4] {
    ["ark", "ask", "vcek", "crl"].map(|part| (part, pki(&format!("genoa-{part}"))))
}

fn pool_of<'a>(parts: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Pool {
    let mut pool = Pool::default();
    for (part, der) in parts {
        if part == "crl" {
            pool.add_list(der);
        } else {
            pool.add_certificate(der);
        }
    }
    pool
}

#[test]
fn finds_the_certificate_of_every_genuine_chip_among_all_of_them() {
    let mut pool = roots_of_amd();
    let mut chips = Vec::new();
    for name in vectors::reports("") {
        pool.add_certificate(&vectors::vcek(&name));
        if !name.contains("vlek") {
            chips.push(name);
        }
    }
    assert!(chips.len() >= 26, "{}", chips.len());
    for name in chips {
        let report = vectors::report(&name);
        let leaf = vectors::vcek(&name);
        let subject = Subject::of(&report).unwrap();
        let parsed = Certificate::parse(&leaf).unwrap();
        let now_ms = parsed.not_before_ms() + 1;
        let rules = amd(false);
        let found = find(&rules, &pool, &subject, now_ms);
        assert_eq!(found.missing(&rules), None, "{name}");
        let evidence = found.staple(report, &rules).unwrap();
        assert_eq!(evidence.vcek, leaf, "{name}");
        assert!(is_accepted_by_clients(&evidence, now_ms), "{name}");
        let later = find(&rules, &pool, &subject, parsed.not_after_ms() + 1);
        assert_eq!(later.missing(&rules), Some(Piece::Vcek), "{name}");
    }
}

#[test]
fn a_report_that_no_chip_signed_by_its_own_key_names_none_to_ask_for() {
    let report = vectors::report("milan-v3-vlek-01-aws");
    let subject = Subject::of(&report).unwrap();
    assert_eq!(subject.chip(), None);
    let mut pool = roots_of_amd();
    pool.add_certificate(&vectors::vcek("milan-v3-vlek-01-aws"));
    let rules = amd(false);
    let found = find(&rules, &pool, &subject, NOW_MS);
    assert_eq!(found.missing(&rules), Some(Piece::Vcek));
    let old = Subject::of(&vectors::report("milan-v2-vcek-01")).unwrap();
    assert_eq!(old.chip(), None, "version 2 names no line");
    assert_eq!(Subject::of(&report[1..]).map(|_| ()), None);
}

#[test]
fn says_the_first_part_that_is_missing() {
    let rules = rules_of_root(&pki("genoa-ark"));
    let report = signed_report([7; 64]);
    let subject = Subject::of(&report).unwrap();
    for (missing, expected) in [
        ("vcek", Piece::Vcek),
        ("ask", Piece::Chain),
        ("ark", Piece::Chain),
        ("crl", Piece::RevocationList),
    ] {
        let parts = parts();
        let rest = parts.iter().filter(|(part, _)| *part != missing);
        let pool = pool_of(rest.map(|(part, der)| (*part, der.as_slice())));
        let found = find(&rules, &pool, &subject, NOW_MS);
        assert_eq!(found.missing(&rules), Some(expected), "{missing}");
        assert_eq!(found.staple(report.clone(), &rules), Err(expected));
    }
    let nothing = find(&rules, &Pool::default(), &subject, NOW_MS);
    assert_eq!(nothing.missing(&rules), Some(Piece::Vcek));
    assert_eq!(nothing.pieces(), Pool::default());
}

/// One line of `cases.json`: which part, and the file that takes its place.
fn cases() -> Vec<(String, String)> {
    let text = read("test-pki/cases.json");
    let limits = chancery_json::Limits {
        bytes_max: 1 << 20,
        depth_max: 4,
        values_max: 1000,
    };
    let value = chancery_json::Value::parse(&text, &limits).unwrap();
    let text = |case: &chancery_json::Value, member: &str| {
        let chancery_json::Value::Object(object) = case else {
            panic!("an object")
        };
        object
            .get(member)
            .and_then(|value| value.as_str())
            .unwrap()
            .to_owned()
    };
    let cases = value.as_array().unwrap();
    cases
        .iter()
        .map(|case| (text(case, "part"), text(case, "file").replace(".der", "")))
        .collect()
}

#[test]
fn takes_no_spoiled_certificate_and_is_not_kept_from_a_good_one_by_it() {
    let report = signed_report([7; 64]);
    let subject = Subject::of(&report).unwrap();
    let mut seen = 0;
    for (part, file) in cases() {
        let spoiled = pki(&file);
        let is_pinned = part == "pinned-ark";
        let part = if is_pinned { "ark" } else { part.as_str() };
        let root = if is_pinned {
            spoiled.clone()
        } else {
            pki("genoa-ark")
        };
        let rules = rules_of_root(&root);
        let good = parts();
        let with_spoiled = good.iter().map(|(name, der)| {
            let der = if *name == part { &spoiled } else { der };
            (*name, der.as_slice())
        });
        let pool = pool_of(with_spoiled);
        let found = find(&rules, &pool, &subject, NOW_MS);
        let missing = found.missing(&rules);
        assert!(missing.is_some(), "{file} was taken");
        if part == "ark" {
            assert_eq!(missing, Some(Piece::Chain), "{file}");
        }
        seen += 1;
        // A list that is signed by the root and in force counts, whatever an older one says.
        if is_pinned || file.contains("crl-revokes") {
            continue;
        }
        let all = pool.with(&pool_of(
            good.iter().map(|(name, der)| (*name, der.as_slice())),
        ));
        let found = find(&rules, &all, &subject, NOW_MS);
        assert_eq!(found.missing(&rules), None, "{file} hides the good one");
        let evidence = found.staple(report.clone(), &rules).unwrap();
        let [(_, ark), (_, ask), (_, vcek), (_, crl)] = parts();
        let expected = Evidence {
            report: report.clone(),
            vcek,
            ask,
            ark,
            crl,
        };
        assert_eq!(evidence, expected, "{file}");
    }
    assert!(seen >= 70, "{seen}");
}

#[test]
fn the_newest_list_counts_also_when_it_revokes() {
    const IN_2037_MS: u64 = 2_129_000_000_000;
    let rules = rules_of_root(&pki("genoa-ark"));
    let report = signed_report([7; 64]);
    let subject = Subject::of(&report).unwrap();
    let newer = pki("spoiled-crl-not-yet-valid");
    let base = parts();
    let mut pool = pool_of(base.iter().map(|(part, der)| (*part, der.as_slice())));
    let old = find(&rules, &pool, &subject, IN_2037_MS);
    assert!(old.list_life().unwrap().is_refresh_due(IN_2037_MS));
    pool.add_list(&newer);
    let found = find(&rules, &pool, &subject, IN_2037_MS);
    assert!(!found.list_life().unwrap().is_refresh_due(IN_2037_MS));
    assert_eq!(found.staple(report, &rules).unwrap().crl, newer);
    // Before it is in force the older one does.
    let before = find(&rules, &pool, &subject, NOW_MS);
    assert!(before.list_life().unwrap().from_ms < NOW_MS);
}

#[test]
fn a_genuine_list_is_shown_while_it_is_in_force() {
    let name = "milan-v3-vcek-01-oak";
    let report = vectors::report(name);
    let subject = Subject::of(&report).unwrap();
    let mut pool = roots_of_amd();
    pool.add_certificate(&vectors::vcek(name));
    pool.add_list(&read("crls/genoa-2022-10-31.crl.der"));
    let rules = amd(true);
    let without = find(&rules, &pool, &subject, NOW_MS);
    assert_eq!(without.missing(&rules), Some(Piece::RevocationList));
    pool.add_list(&read(MILAN_LIST));
    let found = find(&rules, &pool, &subject, NOW_MS);
    let evidence = found.staple(report, &rules).unwrap();
    assert_eq!(evidence.crl, read(MILAN_LIST));
    assert!(is_accepted_by_clients(&evidence, NOW_MS));
    // Its number is 9, and the firmware floors may ask for a later one.
    for (milan, missing) in [(9, None), (10, Some(Piece::RevocationList))] {
        let rules = Rules {
            list_numbers_min: CrlNumbers {
                milan,
                ..CrlNumbers::ANY
            },
            ..amd(true)
        };
        let found = find(&rules, &pool, &subject, NOW_MS);
        assert_eq!(found.missing(&rules), missing);
    }
    let over = find(&rules, &pool, &subject, vectors::MILAN_OVER_MS);
    assert_eq!(over.missing(&rules), Some(Piece::RevocationList));
}
