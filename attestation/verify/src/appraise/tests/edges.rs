//! Words, messages and bounds, each at its edge.

use std::error::Error;
use std::string::ToString;
use std::vec;

use chancery_dsse::Envelope;
use chancery_dsse::SigningKey;
use chancery_evidence::CpuId;

use super::*;
use crate::anchor::Mode;
use crate::envelope::RELEASE_POLICY_TYPE;
use crate::envelope::SignedPolicyError;
use crate::envelope::TCB_FLOORS_TYPE;
use crate::envelope::open_release_policy;
use crate::envelope::open_tcb_floors;
use crate::evidence::EvidenceError;
use crate::policy::PolicyError;

#[test]
fn each_mode_stage_and_outcome_has_its_word() {
    for (mode, word) in [(Mode::Amd, "amd"), (Mode::Emulated, "emulated")] {
        assert_eq!(mode.word(), word);
        assert_eq!(Mode::from_word(word), Some(mode));
    }
    assert_eq!(Mode::from_word("AMD"), None);
    assert_eq!(Mode::Amd.shown(), "AMD hardware");
    assert_eq!(Mode::Emulated.shown(), "EMULATED");
    for (stage, word) in [
        (Stage::Parse, "parse"),
        (Stage::Chain, "chain"),
        (Stage::Bind, "bind"),
        (Stage::Signature, "signature"),
        (Stage::Policy, "policy"),
    ] {
        assert_eq!(stage.word(), word);
    }
    for (outcome, word) in [
        (Outcome::Passed, "passed"),
        (Outcome::Failed, "failed"),
        (Outcome::NotChecked, "not_checked"),
    ] {
        assert_eq!(outcome.word(), word);
    }
}

#[test]
fn checks_have_names_of_their_own() {
    let mut names: Vec<&str> = CheckId::ALL.iter().map(|check| check.name()).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
}

#[test]
fn a_signed_document_says_how_many_of_the_known_keys_signed_it() {
    let keys = [1, 2, 3, 4].map(|seed| SigningKey::from_seed([seed; 32]));
    let [first, second, _, stranger] = &keys;
    let known: Vec<_> = keys[..3].iter().map(SigningKey::public_key).collect();
    let signed = |kind: &str, payload: &[u8]| {
        let signers = [first, second, stranger];
        Envelope::sign(kind, payload, &signers).unwrap().to_json()
    };
    let policy = ReleasePolicy::baseline(1, 0, 1).to_json().unwrap();
    let policy = signed(RELEASE_POLICY_TYPE, &policy);
    assert_eq!(
        open_release_policy(&policy, &known, 2).unwrap().signers(),
        2
    );
    let floors = signed(TCB_FLOORS_TYPE, TcbFloors::shipped_json());
    assert_eq!(open_tcb_floors(&floors, &known, 2).unwrap().signers(), 2);
    assert!(open_tcb_floors(&floors, &known, 3).is_err());
    assert!(open_tcb_floors(&policy, &known, 2).is_err());
}

#[test]
fn errors_say_what_is_wrong_and_where_it_comes_from() {
    let json = ReleasePolicy::from_json(b"{").unwrap_err();
    assert!(json.source().is_some());
    assert!(PolicyError::Window.source().is_none());
    let envelope = open_release_policy(b"{", &[], 1).unwrap_err();
    assert!(envelope.to_string().contains("envelope: "));
    assert!(envelope.source().is_some());
    let policy = SignedPolicyError::Policy(PolicyError::Window);
    let text = policy.to_string();
    assert!(text.contains(&PolicyError::Window.to_string()), "{text}");
    assert!(policy.source().is_some());
}

#[test]
fn each_error_says_another_thing() {
    let place = || String::from("/x");
    let policies = [
        ReleasePolicy::from_json(b"{").unwrap_err(),
        PolicyError::Value { pointer: place() },
        PolicyError::Window,
        PolicyError::TooMany { pointer: place() },
        PolicyError::Name,
        PolicyError::Products,
        PolicyError::Bits { pointer: place() },
        PolicyError::IdBlock,
        PolicyError::Level,
        PolicyError::Processors,
    ];
    let evidences = [
        EvidenceError::Purpose,
        EvidenceError::Truncated,
        EvidenceError::PartTooLong,
        EvidenceError::Trailing,
    ];
    let texts: Vec<String> = policies
        .iter()
        .map(ToString::to_string)
        .chain(evidences.iter().map(ToString::to_string))
        .collect();
    for (index, text) in texts.iter().enumerate() {
        assert!(!text.is_empty() && !texts[..index].contains(text), "{text}");
    }
    for error in &policies {
        assert!(error.describe().contains(" at "), "{error:?}");
    }
}

#[test]
fn a_part_of_evidence_has_at_most_65535_bytes() {
    let with = |size: usize| Evidence {
        crl: vec![7; size],
        ..Evidence::default()
    };
    let longest = with(65_535);
    let encoded = longest.encode().unwrap();
    assert_eq!(Evidence::decode(&encoded), Ok(longest));
    assert_eq!(with(65_536).encode(), Err(EvidenceError::PartTooLong));
    // The same part with one byte more, length and all.
    let mut longer = encoded;
    let at = longer.len() - 65_535 - 4;
    longer[at..at + 4].copy_from_slice(&65_536_u32.to_be_bytes());
    longer.push(7);
    assert_eq!(Evidence::decode(&longer), Err(EvidenceError::PartTooLong));
}

#[test]
fn a_policy_holds_existing_levels_and_known_bits_alone() {
    let check = |change: fn(&mut ReleasePolicy)| {
        let mut policy = ReleasePolicy::baseline(1, 0, 1);
        change(&mut policy);
        policy.check()
    };
    assert_eq!(check(|p| p.dangerous_vmpl_max = 3), Ok(()));
    assert_eq!(check(|p| p.dangerous_vmpl_max = 4), Err(PolicyError::Level));
    assert_eq!(check(|p| p.report_version_min = 2), Ok(()));
    assert_eq!(check(|p| p.report_version_min = 5), Ok(()));
    assert_eq!(check(|p| p.report_version_min = 1), Err(PolicyError::Level));
    assert_eq!(check(|p| p.report_version_min = 6), Err(PolicyError::Level));

    let bits = |pointer: &str| {
        Err(PolicyError::Bits {
            pointer: String::from(pointer),
        })
    };
    let open = |p: &mut ReleasePolicy| {
        p.dangerous_guest_policy_allowed = GuestPolicy::DEBUG;
        p.guest_policy.forbidden &= !GuestPolicy::DEBUG;
    };
    assert_eq!(check(open), Ok(()));
    let guest = bits("/guest_policy");
    assert_eq!(
        check(|p| p.dangerous_guest_policy_allowed = GuestPolicy::SMT),
        guest
    );
    assert_eq!(
        check(|p| p.guest_policy.forbidden &= !GuestPolicy::DEBUG),
        guest
    );
    assert_eq!(check(|p| p.guest_policy.required = 1 << 26), guest);
    assert_eq!(check(|p| p.guest_policy.forbidden |= 1 << 17), guest);
    assert_eq!(
        check(|p| p.guest_policy.required = GuestPolicy::DEBUG),
        guest
    );
    let platform = bits("/platform_info");
    assert_eq!(check(|p| p.platform_info.required |= 1 << 8), platform);
    assert_eq!(check(|p| p.platform_info.forbidden |= 1 << 63), platform);
    assert_eq!(check(|p| p.platform_info.forbidden |= 1 << 2), platform);
    assert_eq!(check(|p| p.platform_info.required = 0), platform);
}

#[test]
fn floors_bound_their_sources_and_join_their_mitigations() {
    let rule = |model: u8, mitigation_required: u64| FloorRule {
        name: String::from("x"),
        line: ProductLine::Genoa,
        processors: Processors::only(CpuId {
            family: 0x19,
            model,
            stepping: 1,
        }),
        floor: Floor {
            tcb: pki::tcb(ProductLine::Genoa),
            firmware: FirmwareVersion {
                major: 1,
                minor: 55,
                build: 1,
            },
            mitigation_required,
        },
        sources: Vec::new(),
    };
    let mut floors = TcbFloors {
        version: 1,
        issued_ms: 0,
        rules: [rule(0x11, 0b011), rule(0x12, 0b110)].into(),
    };
    let (_, joined) = floors.floor(ProductLine::Genoa, None).unwrap();
    assert_eq!(joined.mitigation_required, 0b111);
    floors.rules[0].sources = ["x".repeat(256)].into();
    assert_eq!(floors.check(), Ok(()));
    floors.rules[0].sources = ["x".repeat(257)].into();
    assert_eq!(floors.check(), Err(PolicyError::Name));
}
