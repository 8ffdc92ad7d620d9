use super::*;

use std::string::ToString;
use std::vec;

fn sample() -> ReleasePolicy {
    let mut policy = ReleasePolicy::baseline(7, 1, 2);
    policy.releases = vec![Release {
        id: "demo".to_string(),
        version: "0.1.0".to_string(),
        measurement: [0xa1; 48],
    }];
    policy.host_data = vec![[2; 32]];
    policy.chip_ids = vec![[3; 64], [4; 64]];
    policy.products = vec![ProductLine::Turin];
    policy.floors_version_min = 4;
    policy.id_block = IdBlockRule::Pinned {
        id_key_digests: vec![[5; 48]],
        author_key_digests: vec![[6; 48]],
        guest_svn_min: 9,
        family_id: Some([0xf0; 16]),
        image_id: None,
    };
    policy
}

#[test]
fn reads_what_it_writes() {
    for policy in [sample(), ReleasePolicy::baseline(1, 0, u64::MAX)] {
        let text = policy.to_json().unwrap();
        assert_eq!(ReleasePolicy::from_json(&text), Ok(policy));
    }
}

fn members(text: &str) -> Vec<&str> {
    let mut names: Vec<&str> = text
        .split('"')
        .zip(text.split('"').skip(1).zip(text.split('"').skip(2)))
        .filter(|(_, (_, after))| after.starts_with(':'))
        .map(|(_, (name, _))| name)
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[test]
fn refuses_each_missing_unknown_and_duplicate_member_with_its_place() {
    let text = String::from_utf8(sample().to_json().unwrap()).unwrap();
    let names = members(&text);
    assert!(names.len() > 30, "{names:?}");
    for name in names {
        // Renaming makes the member missing and another one unknown.
        let renamed = text.replacen(&std::format!("\"{name}\":"), "\"surplus\":", 1);
        let error = ReleasePolicy::from_json(renamed.as_bytes()).unwrap_err();
        assert!(
            error.describe().contains('/'),
            "{name}: {}",
            error.describe()
        );
        let duplicated = text.replacen(
            &std::format!("\"{name}\":"),
            &std::format!("\"{name}\":0,\"{name}\":"),
            1,
        );
        assert!(
            ReleasePolicy::from_json(duplicated.as_bytes()).is_err(),
            "{name}"
        );
    }
    let extended = text.replacen('{', "{\"surplus\":0,", 1);
    let error = ReleasePolicy::from_json(extended.as_bytes()).unwrap_err();
    assert_eq!(error.describe(), "unknown member at /surplus");
}

#[test]
fn refuses_values_out_of_form() {
    let text = String::from_utf8(sample().to_json().unwrap()).unwrap();
    let cases = [
        ("a1a1", "A1A1", "/releases/0/measurement"),
        ("a1a1", "a1a", "/releases/0/measurement"),
        ("\"turin\"", "\"venice\"", "/products/0"),
        ("f0f0", "f0f", "/id_block/family_id"),
        ("\"any\"", "\"none\"", "/id_block/image_id"),
        (
            "\"rule\":\"pinned\"",
            "\"rule\":\"maybe\"",
            "/id_block/rule",
        ),
        ("\"debug\"", "\"debugg\"", "/guest_policy/forbidden"),
    ];
    for (from, to, place) in cases {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text);
        let error = ReleasePolicy::from_json(changed.as_bytes()).unwrap_err();
        assert!(
            error.describe().contains(place),
            "{place}: {}",
            error.describe()
        );
    }
}

#[test]
fn every_bit_has_exactly_one_rule() {
    let text = String::from_utf8(sample().to_json().unwrap()).unwrap();
    for (from, to) in [
        ("\"single_socket\",", ""),
        ("\"either\":[", "\"either\":[\"debug\","),
        ("\"tio\"", ""),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text);
        let error = ReleasePolicy::from_json(changed.as_bytes()).unwrap_err();
        assert!(matches!(error, PolicyError::Bits { .. }), "{from}");
        assert!(error.describe().contains(" at /"), "{from}");
    }
}

#[test]
fn refuses_policies_that_break_their_own_rules() {
    type Change = fn(&mut ReleasePolicy);
    let too_many = |pointer: &str| PolicyError::TooMany {
        pointer: pointer.to_string(),
    };
    let bits = |pointer: &str| PolicyError::Bits {
        pointer: pointer.to_string(),
    };
    let cases: [(Change, PolicyError); 18] = [
        (
            |p| p.releases = vec![p.releases[0].clone(); 2],
            PolicyError::Measurement,
        ),
        (|p| p.floors_version_min = 0, PolicyError::Level),
        (|p| p.expires_ms = p.issued_ms, PolicyError::Window),
        (
            |p| p.releases = vec![p.releases[0].clone(); 65],
            too_many("/releases"),
        ),
        (|p| p.chip_ids = vec![[1; 64]; 1025], too_many("/chip_ids")),
        (|p| p.host_data = vec![[1; 32]; 65], too_many("/host_data")),
        (|p| p.releases[0].id.clear(), PolicyError::Name),
        (
            |p| p.releases[0].version = "1 0".to_string(),
            PolicyError::Name,
        ),
        (|p| p.releases[0].id = "x".repeat(65), PolicyError::Name),
        (|p| p.products.push(p.products[0]), PolicyError::Products),
        (
            |p| p.products[0] = ProductLine::Milan,
            PolicyError::Products,
        ),
        (
            |p| p.guest_policy.forbidden &= !GuestPolicy::DEBUG,
            bits("/guest_policy"),
        ),
        (
            |p| p.guest_policy.required |= 1 << 30,
            bits("/guest_policy"),
        ),
        (
            |p| p.platform_info.forbidden |= p.platform_info.required,
            bits("/platform_info"),
        ),
        (|p| p.platform_info.required = 0, bits("/platform_info")),
        (|p| p.dangerous_vmpl_max = 4, PolicyError::Level),
        (|p| p.report_version_min = 6, PolicyError::Level),
        (
            |p| {
                p.id_block = IdBlockRule::Pinned {
                    id_key_digests: vec![],
                    author_key_digests: vec![],
                    guest_svn_min: 0,
                    family_id: None,
                    image_id: None,
                };
            },
            PolicyError::IdBlock,
        ),
    ];
    for (index, (change, expected)) in cases.into_iter().enumerate() {
        let mut policy = sample();
        change(&mut policy);
        assert_eq!(policy.check(), Err(expected), "case {index}");
        assert!(policy.to_json().is_err());
    }
}

#[test]
fn refuses_a_pinned_id_key_of_zeros() {
    let zero = IdBlockRule::Pinned {
        id_key_digests: vec![[0; 48]],
        author_key_digests: vec![],
        guest_svn_min: 0,
        family_id: None,
        image_id: None,
    };
    let policy = ReleasePolicy {
        id_block: zero,
        ..sample()
    };
    assert_eq!(policy.check(), Err(PolicyError::IdBlock));
}

#[test]
fn the_baseline_lets_nothing_dangerous_through() {
    let policy = ReleasePolicy::baseline(1, 0, 1);
    policy.check().unwrap();
    assert_eq!(
        policy.guest_policy.forbidden & GUEST_POLICY_FORBIDDEN_ALWAYS,
        GUEST_POLICY_FORBIDDEN_ALWAYS
    );
    let text = String::from_utf8(policy.to_json().unwrap()).unwrap();
    assert!(!text.contains("true"));
}
