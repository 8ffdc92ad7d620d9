//! Words, messages and bounds, each at its edge.

use std::error::Error;
use std::string::ToString;
use std::vec;

use chancery_dsse::Envelope;
use chancery_dsse::SigningKey;
use chancery_evidence::CpuId;
use chancery_evidence::ReportVersion;
use chancery_evidence::SignerInfo;
use chancery_evidence::VekIdentity;
use chancery_evidence::VekKind;

use super::pki::NOW_MS;
use super::pki::TestAnchor;
use super::*;
use crate::anchor::Amd;
use crate::anchor::Mode;
use crate::check::CheckRow;
use crate::envelope::RELEASE_POLICY_TYPE;
use crate::envelope::SignedPolicyError;
use crate::envelope::TCB_FLOORS_TYPE;
use crate::envelope::open_release_policy;
use crate::envelope::open_tcb_floors;
use crate::evidence::EvidenceError;
use crate::floors::CrlNumbers;
use crate::policy::IdBlockRule;
use crate::policy::PolicyError;

const LINE: ProductLine = ProductLine::Turin;

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
        PolicyError::Measurement,
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
    assert_eq!(check(|p| p.floors_version_min = 0), Err(PolicyError::Level));

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
fn a_policy_file_names_each_bit_once() {
    let text = ReleasePolicy::baseline(1, 0, 1).to_json().unwrap();
    let text = String::from_utf8(text).unwrap();
    for (from, to) in [
        ("[\"tio\"]", "[\"tio\",\"tio\"]"),
        ("[\"tio\"]", "[\"tio\",\"ecc\"]"),
        ("[\"tio\"]", "[]"),
        ("[\"tio\"]", "[\"unknown\"]"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text);
        assert!(
            ReleasePolicy::from_json(changed.as_bytes()).is_err(),
            "{to}"
        );
    }
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
        expires_ms: 1,
        crl_numbers_min: CrlNumbers::ANY,
        rules: [rule(0x11, 0b011), rule(0x12, 0b110)].into(),
    };
    let (_, joined) = floors.floor(ProductLine::Genoa, None).unwrap();
    assert_eq!(joined.mitigation_required, 0b111);
    floors.rules[0].sources = ["x".repeat(256)].into();
    assert_eq!(floors.check(), Ok(()));
    floors.rules[0].sources = ["x".repeat(257)].into();
    assert_eq!(floors.check(), Err(PolicyError::Name));
}

/// An appraisal in which nothing is wrong before a test changes it.
struct Case {
    fields: ReportFields,
    evidence: Option<Evidence>,
    policy: ReleasePolicy,
    floors: TcbFloors,
    report_data: [u8; 64],
    now_ms: u64,
}

impl Case {
    fn new() -> Self {
        Self {
            fields: pki::fields(LINE),
            evidence: None,
            policy: pki::policy(LINE),
            floors: pki::floors(LINE),
            report_data: [0x11; 64],
            now_ms: NOW_MS,
        }
    }

    fn evidence(&self) -> Evidence {
        self.evidence
            .clone()
            .unwrap_or_else(|| pki::evidence(LINE, pki::sign(&self.fields.encode_signed())))
    }

    fn appraise(&self) -> Result<Verdict<TestAnchor>, Refusal> {
        appraise(
            &TestAnchor::load(),
            &self.evidence(),
            &self.policy,
            &self.floors,
            &self.report_data,
            self.now_ms,
        )
    }

    /// One row of an appraisal that ended well.
    fn row(&self, check: CheckId) -> CheckRow {
        let verdict = self.appraise().unwrap();
        let row = verdict.rows().iter().find(|row| row.check == check);
        row.unwrap().clone()
    }

    /// How one check ended in an appraisal that ended well.
    fn outcome(&self, check: CheckId) -> Outcome {
        self.row(check).outcome
    }
}

#[test]
fn a_refusal_shows_all_rows_and_names_those_that_failed() {
    let mut case = Case::new();
    case.report_data = [0; 64];
    let refusal = case.appraise().unwrap_err();
    assert_eq!(refusal.stage(), Stage::Policy);
    assert_eq!(refusal.mode(), Mode::Emulated);
    assert_eq!(refusal.rows().len(), CheckId::ALL.len());
    assert!(refusal.has_failed(CheckId::ReportData));
    assert!(!refusal.has_failed(CheckId::HostData));
    assert_eq!(
        refusal.to_string(),
        "evidence refused in stage policy: report_data"
    );
}

#[test]
fn an_examination_ends_as_the_appraisal_does() {
    let mut case = Case::new();
    let evidence = case.evidence();
    let seen = |case: &Case, data: Option<&[u8; 64]>| {
        let (anchor, floors) = (TestAnchor::load(), pki::floors(LINE));
        examine(&anchor, &evidence, &case.policy, &floors, data, case.now_ms)
    };
    let accepted = seen(&case, Some(&[0x11; 64]));
    assert!(accepted.is_accepted());
    assert_eq!(accepted.refused_in(), None);
    assert_eq!(accepted.mode(), Mode::Emulated);
    case.evidence = Some(evidence.clone());
    assert_eq!(accepted.rows(), case.appraise().unwrap().rows());

    let undirected = seen(&case, None);
    assert!(undirected.is_accepted());
    let skipped = undirected.rows().iter();
    let mut skipped = skipped.filter(|row| row.check == CheckId::ReportData);
    assert_eq!(skipped.next().unwrap().outcome, Outcome::NotChecked);

    case.policy.host_data.clear();
    let refused = seen(&case, Some(&[0x11; 64]));
    assert!(!refused.is_accepted());
    assert_eq!(refused.refused_in(), Some(Stage::Policy));
    assert_eq!(refused.rows(), case.appraise().unwrap_err().rows());
}

#[test]
fn a_waiver_for_revocation_is_used_only_where_the_list_is_not_current() {
    let mut case = Case::new();
    assert_eq!(case.outcome(CheckId::RevocationFreshness), Outcome::Passed);
    case.policy.dangerous_allow_unchecked_revocation = true;
    assert_eq!(case.outcome(CheckId::RevocationPresent), Outcome::Passed);
    assert_eq!(case.outcome(CheckId::RevocationFreshness), Outcome::Passed);

    let mut evidence = case.evidence();
    evidence.crl.clear();
    case.evidence = Some(evidence.clone());
    let present = case.outcome(CheckId::RevocationPresent);
    assert_eq!(present, Outcome::NotChecked);
    case.policy.dangerous_allow_unchecked_revocation = false;
    let refusal = case.appraise().unwrap_err();
    assert_eq!(failed_names(&refusal), ["revocation_present"]);
}

#[test]
fn any_chip_is_let_through_by_its_dangerous_field_alone() {
    let mut case = Case::new();
    assert_eq!(case.outcome(CheckId::Chip), Outcome::Passed);
    case.policy.chip_ids.clear();
    assert_eq!(failed_names(&case.appraise().unwrap_err()), ["chip"]);
    case.policy.dangerous_allow_any_chip = true;
    assert_eq!(case.outcome(CheckId::Chip), Outcome::NotChecked);
}

/// A leaf that is Turin's test leaf but for whose it is, and a report that such a leaf might have signed.
fn with_identity<T>(
    identity: VekIdentity,
    chip_id: [u8; 64],
    run: impl Fn(&Report, &Leaf<'_>) -> T,
) -> T {
    let der = read("test-pki/turin-vcek.der");
    let leaf = chancery_evidence::Certificate::parse(&der).unwrap();
    let mut extensions = leaf.vek(LINE).unwrap();
    let mut fields = pki::fields(LINE);
    fields.chip_id = chip_id;
    if identity.kind() == VekKind::Vlek {
        fields.signer_info = SignerInfo::from_bits(1 << 2);
    }
    extensions.identity = identity;
    let leaf = Leaf {
        line: LINE,
        key: &[],
        extensions,
    };
    let report = Report::parse(&pki::sign(&fields.encode_signed())).unwrap();
    run(&report, &leaf)
}

#[test]
fn a_chip_id_is_the_leaf_s_and_zero_exactly_for_a_provider() {
    let bound = |identity: VekIdentity, chip_id| {
        with_identity(identity, chip_id, |report, leaf| {
            let mut rows = Rows::default();
            let result = bind::run(report, leaf, &mut rows);
            let last = rows.into_rows().pop().unwrap();
            (result.is_ok(), last.check)
        })
    };
    let refused = (false, CheckId::ChipId);
    let passed = (true, CheckId::ProcessorLine);
    let chip = pki::fields(LINE).chip_id;
    assert_eq!(bound(VekIdentity::Chip(chip), chip), passed);
    assert_eq!(bound(VekIdentity::Chip(chip), [0; 64]), refused);
    assert_eq!(bound(VekIdentity::Chip([0; 64]), [0; 64]), refused);
    let provider = || VekIdentity::Provider(String::from("provider"));
    assert_eq!(bound(provider(), [0; 64]), passed);
    assert_eq!(bound(provider(), chip), refused);
}

#[test]
fn a_provider_is_believed_only_by_name_and_then_for_all_of_its_chips() {
    let provider = VekIdentity::Provider(String::from("provider"));
    let floors = pki::floors(LINE);
    let outcomes = |allowed: &str| {
        with_identity(provider.clone(), [0; 64], |report, leaf| {
            let mut policy = pki::policy(LINE);
            policy.dangerous_allow_vlek_of = [String::from(allowed)].into();
            let inputs = Inputs {
                policy: &policy,
                floors: &floors,
                expected_report_data: Some(&[0x11; 64]),
                now_ms: NOW_MS,
            };
            let mut rows = Rows::default();
            let accepted = policy::run(report, leaf, &inputs, &mut rows).is_ok();
            let rows = rows.into_rows();
            let of = |check| rows.iter().find(|row| row.check == check).unwrap().outcome;
            (accepted, of(CheckId::Signer), of(CheckId::Chip))
        })
    };
    let waived = Outcome::NotChecked;
    assert_eq!(outcomes("provider"), (true, waived, waived));
    let failed = Outcome::Failed;
    assert_eq!(outcomes("another"), (false, failed, failed));
}

#[test]
fn a_lower_privilege_level_passes_by_its_dangerous_field_alone() {
    let mut case = Case::new();
    case.policy.dangerous_vmpl_max = 1;
    assert_eq!(case.outcome(CheckId::Vmpl), Outcome::Passed);
    case.fields.vmpl = 1;
    assert_eq!(case.outcome(CheckId::Vmpl), Outcome::NotChecked);
    case.fields.vmpl = 2;
    assert_eq!(failed_names(&case.appraise().unwrap_err()), ["vmpl"]);
}

#[test]
fn a_pinned_id_block_is_compared_member_by_member() {
    let digest = pki::fields(LINE).id_key_digest;
    let with = |guest_svn_min, family_id, image_id| {
        let mut case = Case::new();
        case.fields.family_id = [1; 16];
        case.fields.image_id = [2; 16];
        case.policy.id_block = IdBlockRule::Pinned {
            id_key_digests: [digest].into(),
            author_key_digests: Vec::new(),
            guest_svn_min,
            family_id,
            image_id,
        };
        case.appraise()
            .map_or_else(|refusal| failed_names(&refusal), |_| Vec::new())
    };
    let none: [&str; 0] = [];
    assert_eq!(with(3, Some([1; 16]), Some([2; 16])), none);
    assert_eq!(with(3, None, None), none);
    assert_eq!(with(4, None, None), ["guest_svn"]);
    assert_eq!(with(0, Some([2; 16]), Some([2; 16])), ["family_id"]);
    assert_eq!(with(0, Some([1; 16]), Some([1; 16])), ["image_id"]);
}

#[test]
fn a_debuggable_guest_passes_by_its_dangerous_field_alone() {
    let mut case = Case::new();
    case.fields.policy = GuestPolicy::from_bits(GuestPolicy::RESERVED_ONE | GuestPolicy::DEBUG);
    let refusal = case.appraise().unwrap_err();
    assert_eq!(failed_names(&refusal), ["guest_policy_forbidden"]);
    case.policy.dangerous_guest_policy_allowed = GuestPolicy::DEBUG;
    case.policy.guest_policy.forbidden &= !GuestPolicy::DEBUG;
    let waived = Outcome::NotChecked;
    assert_eq!(case.outcome(CheckId::GuestPolicyForbidden), waived);
}

#[test]
fn floors_end_at_their_last_moment() {
    let mut case = Case::new();
    case.floors.issued_ms = 0;
    case.floors.expires_ms = NOW_MS + 1;
    assert_eq!(case.outcome(CheckId::FloorsExpiry), Outcome::Passed);
    case.floors.expires_ms = NOW_MS;
    let refusal = case.appraise().unwrap_err();
    assert_eq!(failed_names(&refusal), ["floors_expiry"]);
}

#[test]
fn a_floor_s_row_shows_the_level_that_the_report_has() {
    let level = pki::tcb(LINE).to_string();
    let row = Case::new().row(CheckId::TcbReportedFloor);
    assert_eq!(row.got, level);
    assert!(row.expected.ends_with(&level), "{}", row.expected);
}

#[test]
fn a_report_without_mitigation_vectors_passes_where_none_are_required() {
    let mut case = Case::new();
    let cpuid = case.fields.version.cpuid().unwrap();
    case.fields.version = ReportVersion::V3(cpuid);
    let both = ["mitigation_launch", "mitigation_current"];
    assert_eq!(failed_names(&case.appraise().unwrap_err()), both);
    case.floors.rules[0].floor.mitigation_required = 0;
    let waived = Outcome::NotChecked;
    assert_eq!(case.outcome(CheckId::MitigationLaunch), waived);
    assert_eq!(case.outcome(CheckId::MitigationCurrent), waived);
}

#[test]
fn provisional_firmware_passes_by_its_dangerous_field_alone() {
    let mut case = Case::new();
    case.policy.dangerous_allow_provisional_firmware = true;
    assert_eq!(case.outcome(CheckId::FirmwareCommitted), Outcome::Passed);
    case.fields.current_firmware.build += 1;
    let waived = Outcome::NotChecked;
    assert_eq!(case.outcome(CheckId::FirmwareCommitted), waived);
    case.policy.dangerous_allow_provisional_firmware = false;
    let refusal = case.appraise().unwrap_err();
    assert_eq!(failed_names(&refusal), ["firmware_committed"]);
}

#[test]
fn a_list_is_not_below_the_number_that_the_floors_demand() {
    let id = "reports/milan-v5-vcek-01-gcp";
    let evidence = Evidence {
        report: read(&std::format!("{id}/report.bin")),
        vcek: read(&std::format!("{id}/vek.der")),
        ask: read("roots/milan/ask.der"),
        ark: read("roots/milan/ark.der"),
        crl: read("crls/milan-2026-06-22.crl.der"),
    };
    let policy = ReleasePolicy::baseline(1, 0, u64::MAX);
    // The list's number is 9.
    for (least, passes) in [(0, true), (9, true), (10, false)] {
        let mut floors = pki::floors(LINE);
        floors.crl_numbers_min.milan = least;
        let inputs = Inputs {
            policy: &policy,
            floors: &floors,
            expected_report_data: None,
            now_ms: NOW_MS,
        };
        let mut rows = Rows::default();
        let result = chain::run(&Amd, &evidence, &inputs, &mut rows);
        assert_eq!(result.is_ok(), passes, "{least}");
        let rows = rows.into_rows();
        let mut numbers = rows
            .iter()
            .filter(|row| row.check == CheckId::RevocationNumber);
        assert_eq!(numbers.next().unwrap().got, "9");
    }
}
