//! Every genuine report passes under a policy made for it, and fails by exactly the rule that is tightened.

#![expect(
    clippy::indexing_slicing,
    reason = "tables that change one member of rules made here"
)]

use chancery_evidence::GuestPolicy;
use chancery_vectors::{Genuine, genuine_ids, read};
use chancery_verify::{CheckId, IdBlockRule, Outcome, Refusal, Stage};

/// 2026-07-01T00:00:00Z.
const JULY_2026_MS: u64 = 1_782_864_000_000;

fn failed_names(refusal: &Refusal) -> Vec<&'static str> {
    refusal.failed().map(|row| row.check.name()).collect()
}

#[test]
fn accepts_every_genuine_report_under_its_fixture_policy() {
    let ids = genuine_ids();
    assert_eq!(ids.len(), 27);
    for id in ids {
        let verdict = Genuine::load(&id).appraise().unwrap_or_else(|refusal| {
            panic!("{id}: {:?}", refusal.failed().collect::<Vec<_>>());
        });
        assert_eq!(verdict.release().id, "fixture");
        assert!(
            verdict
                .rows()
                .iter()
                .all(|row| row.outcome != Outcome::Failed)
        );
    }
}

#[test]
fn accepts_certificates_that_were_issued_anew_for_the_same_key() {
    let mut count = 0;
    for id in genuine_ids() {
        let folder = format!(
            "{}/../../attestation/vectors/reports/{id}",
            env!("CARGO_MANIFEST_DIR")
        );
        if std::fs::exists(format!("{folder}/vek-reissued-1.der")).unwrap() {
            let reissued = Genuine::with_leaf(&id, "vek-reissued-1.der");
            assert_ne!(reissued.evidence.vcek, Genuine::load(&id).evidence.vcek);
            assert!(reissued.appraise().is_ok(), "{id}");
            count += 1;
        }
    }
    assert_eq!(count, 3);
}

#[test]
fn rows_name_each_check_once_and_in_order() {
    let verdict = Genuine::load("turin-v5-vcek-02").appraise().unwrap();
    let checks: Vec<CheckId> = verdict.rows().iter().map(|row| row.check).collect();
    let stages: Vec<Stage> = checks.iter().map(|check| check.stage()).collect();
    assert!(stages.is_sorted());
    let mut once = checks.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), checks.len());
    // Nothing but what follows the waived absence of the revocation list is missing.
    let missing: Vec<&str> = CheckId::ALL
        .iter()
        .filter(|check| !checks.contains(check))
        .map(|check| check.name())
        .collect();
    let after_absence = [
        "revocation_encoding",
        "revocation_issuer",
        "revocation_signature",
        "revocation_freshness",
        "revocation_number",
        "intermediate_revoked",
    ];
    assert_eq!(missing, after_absence);
}

#[test]
fn accepts_a_milan_report_with_its_current_revocation_list() {
    let mut milan = Genuine::load("milan-v5-vcek-01-gcp");
    milan.evidence.crl = read("crls/milan-2026-06-22.crl.der");
    milan.policy.dangerous_allow_unchecked_revocation = false;
    milan.now_ms = JULY_2026_MS;
    let verdict = milan.appraise().unwrap();
    let row = |check| {
        verdict
            .rows()
            .iter()
            .find(|row| row.check == check)
            .unwrap()
    };
    assert_eq!(row(CheckId::IntermediateRevoked).outcome, Outcome::Passed);
}

#[test]
fn refuses_revocation_lists_that_are_missing_stale_foreign_or_spoiled() {
    let case = |change: fn(&mut Genuine)| {
        let mut milan = Genuine::load("milan-v5-vcek-01-gcp");
        milan.evidence.crl = read("crls/milan-2026-06-22.crl.der");
        milan.policy.dangerous_allow_unchecked_revocation = false;
        milan.now_ms = JULY_2026_MS;
        change(&mut milan);
        let refusal = milan.appraise().unwrap_err();
        assert_eq!(refusal.stage(), Stage::Chain);
        failed_names(&refusal)
    };
    assert_eq!(case(|g| g.evidence.crl.clear()), ["revocation_present"]);
    assert_eq!(
        case(|g| g.now_ms += 60 * 86_400_000),
        ["revocation_freshness"]
    );
    assert_eq!(
        case(|g| g.floors.crl_numbers_min.milan = 10),
        ["revocation_number"]
    );
    let genoa = |g: &mut Genuine| g.evidence.crl = read("crls/genoa-2022-10-31.crl.der");
    assert_eq!(case(genoa), ["revocation_issuer"]);
    assert_eq!(case(|g| g.evidence.crl[400] ^= 1), ["revocation_signature"]);
    assert_eq!(case(|g| g.evidence.crl.push(0)), ["revocation_encoding"]);
}

#[test]
fn a_waiver_for_age_does_not_let_a_foreign_list_pass() {
    let mut genoa = Genuine::load("genoa-v5-vcek-01-oak");
    genoa.evidence.crl = read("crls/genoa-2022-10-31.crl.der");
    assert!(genoa.appraise().is_ok());
    genoa.evidence.crl = read("crls/milan-2026-06-22.crl.der");
    assert_eq!(
        failed_names(&genoa.appraise().unwrap_err()),
        ["revocation_issuer"]
    );
}

type Change = fn(&mut Genuine);

/// A report, what is tightened, and the checks that fail then.
const TIGHTENED: &[(&str, Change, &[&str])] = &[
    (
        "genoa-v5-vcek-01-oak",
        |g| g.report_data[0] ^= 1,
        &["report_data"],
    ),
    (
        "genoa-v5-vcek-01-oak",
        |g| g.policy.host_data.clear(),
        &["host_data"],
    ),
    (
        "genoa-v5-vcek-01-oak",
        |g| g.policy.chip_ids[0][0] ^= 1,
        &["chip"],
    ),
    (
        "genoa-v5-vcek-01-oak",
        |g| g.policy.releases.clear(),
        &["measurement"],
    ),
    (
        "genoa-v5-vcek-01-oak",
        |g| g.policy.products.clear(),
        &["product"],
    ),
    (
        "genoa-v5-vcek-01-oak",
        |g| g.policy.expires_ms = g.now_ms,
        &["policy_window"],
    ),
    (
        "genoa-v5-vcek-01-oak",
        |g| g.policy.issued_ms = g.now_ms + 1,
        &["policy_window"],
    ),
    (
        "genoa-v3-vcek-01-tsm",
        |g| g.policy.report_version_min = 4,
        &["report_version_min"],
    ),
    (
        "genoa-v5-vcek-01-oak",
        |g| g.floors.rules[0].floor.mitigation_required = 0x2,
        &["mitigation_launch", "mitigation_current"],
    ),
    (
        "genoa-v3-vcek-01-tsm",
        |g| g.floors.rules[0].floor.mitigation_required = 0x1,
        &["mitigation_launch", "mitigation_current"],
    ),
    (
        "turin-v5-vcek-02",
        |g| g.floors.rules[0].floor.tcb.fmc += 1,
        &[
            "tcb_reported_floor",
            "tcb_committed_floor",
            "tcb_current_floor",
            "tcb_launch_floor",
        ],
    ),
    (
        "turin-v5-vcek-02",
        |g| g.floors.rules[0].floor.firmware.minor = 59,
        &["firmware_floor"],
    ),
    (
        "genoa-v5-vcek-01-oak",
        |g| g.policy.floors_version_min = 2,
        &["floors_version"],
    ),
    (
        "genoa-v5-vcek-01-oak",
        |g| g.floors.expires_ms = g.now_ms,
        &["floors_expiry"],
    ),
    (
        "genoa-v5-vcek-01-oak",
        |g| g.floors.rules.clear(),
        &["floors_processor"],
    ),
    (
        "genoa-v5-vcek-01-oak",
        |g| g.floors.rules[0].processors.steppings = [2, 2],
        &["floors_processor"],
    ),
    (
        "genoa-v5-vcek-01-oak",
        |g| g.floors.rules[0].processors.models = [0x11, 0xa0],
        &["floors_well_formed"],
    ),
    (
        "genoa-v5-vcek-01-oak",
        |g| g.policy.guest_policy.forbidden |= GuestPolicy::SMT,
        &["guest_policy_forbidden"],
    ),
    (
        "genoa-v5-vcek-01-oak",
        |g| g.policy.guest_policy.required |= GuestPolicy::SINGLE_SOCKET,
        &["guest_policy_required"],
    ),
    (
        "genoa-v5-vcek-01-oak",
        |g| g.policy.guest_abi_min.minor = 1,
        &["guest_policy_abi"],
    ),
    (
        "genoa-v5-vcek-01-oak",
        |g| g.policy.platform_info.required = 2,
        &["platform_required"],
    ),
    (
        "genoa-v5-vcek-01-oak",
        |g| g.policy.platform_info.forbidden = 1,
        &["platform_forbidden"],
    ),
    (
        "milan-v2-vcek-05-provisional",
        |g| g.policy.dangerous_allow_provisional_firmware = false,
        &["firmware_committed"],
    ),
    (
        "milan-v3-vlek-01-aws",
        |g| g.policy.dangerous_vmpl_max = 0,
        &["vmpl"],
    ),
    (
        "milan-v3-vlek-01-aws",
        |g| g.policy.dangerous_allow_vlek_of.clear(),
        &["signer", "chip"],
    ),
];

#[test]
fn tightening_one_rule_fails_exactly_that_rule() {
    for (id, change, expected) in TIGHTENED {
        let mut genuine = Genuine::load(id);
        change(&mut genuine);
        let refusal = genuine.appraise().unwrap_err();
        assert_eq!(refusal.stage(), Stage::Policy);
        assert_eq!(failed_names(&refusal), *expected, "{id}");
    }
}

/// What a `dangerous_` member lets through stands on the checklist as not checked, with the member's name.
#[test]
fn a_waiver_is_never_shown_as_a_check_that_passed() {
    let all = |id: &str| -> Vec<(&'static str, String)> {
        let verdict = Genuine::load(id).appraise().unwrap();
        let rows = verdict.rows().iter();
        rows.filter(|row| row.outcome == Outcome::NotChecked)
            .filter_map(|row| {
                let (_, member) = row.got.split_once("waived by ")?;
                Some((row.check.name(), member.to_owned()))
            })
            .collect()
    };
    let row = |check, member: &str| (check, member.to_owned());
    let revocation = row("revocation_present", "dangerous_allow_unchecked_revocation");
    assert_eq!(all("turin-v5-vcek-02"), std::slice::from_ref(&revocation));
    assert_eq!(
        all("milan-v3-vlek-01-aws"),
        [
            revocation.clone(),
            row("signer", "dangerous_allow_vlek_of"),
            row("chip", "dangerous_allow_vlek_of"),
            row("vmpl", "dangerous_vmpl_max"),
            row("product", "dangerous_allow_milan"),
            row("firmware_committed", "dangerous_allow_provisional_firmware"),
        ]
    );
    assert_eq!(
        all("milan-v2-vcek-03-debug"),
        [
            revocation,
            row("guest_policy_forbidden", "dangerous_guest_policy_allowed"),
            row("platform_required", "dangerous_allow_unchecked_aliases"),
            row("product", "dangerous_allow_milan"),
        ]
    );
}

#[test]
fn the_vleks_of_a_provider_do_not_open_the_list_of_chips() {
    let mut vcek = Genuine::load("genoa-v5-vcek-01-oak");
    vcek.policy.dangerous_allow_vlek_of = vec!["amazon".to_owned()];
    assert!(vcek.appraise().is_ok());
    vcek.policy.chip_ids.clear();
    assert_eq!(failed_names(&vcek.appraise().unwrap_err()), ["chip"]);
}

#[test]
fn milan_debug_and_unchecked_aliases_need_their_dangerous_fields() {
    let mut milan = Genuine::load("milan-v3-vcek-05-aci");
    milan.policy.dangerous_allow_milan = false;
    assert_eq!(
        failed_names(&milan.appraise().unwrap_err()),
        ["policy_well_formed"]
    );
    milan.policy.products.clear();
    assert_eq!(failed_names(&milan.appraise().unwrap_err()), ["product"]);

    let mut debug = Genuine::load("milan-v2-vcek-03-debug");
    debug.policy.dangerous_guest_policy_allowed = 0;
    let refusal = debug.appraise().unwrap_err();
    assert_eq!(
        failed_names(&refusal),
        ["policy_well_formed", "guest_policy_forbidden"]
    );

    let mut aliases = Genuine::load("milan-v2-vcek-01");
    aliases.policy.dangerous_allow_unchecked_aliases = false;
    assert_eq!(
        failed_names(&aliases.appraise().unwrap_err()),
        ["policy_well_formed"]
    );
}

#[test]
fn a_pinned_id_block_needs_its_key_and_svn() {
    let mut id = Genuine::load("turin-v5-vcek-01-aci");
    let digest = id.fields().id_key_digest;
    let pinned = |digest, guest_svn_min| IdBlockRule::Pinned {
        id_key_digests: [digest].into(),
        author_key_digests: Vec::new(),
        guest_svn_min,
        family_id: None,
        image_id: None,
    };
    id.policy.id_block = pinned(digest, 2);
    assert!(id.appraise().is_ok());
    id.policy.id_block = pinned(digest, 3);
    assert_eq!(failed_names(&id.appraise().unwrap_err()), ["guest_svn"]);
    id.policy.id_block = pinned([7; 48], 0);
    assert_eq!(failed_names(&id.appraise().unwrap_err()), ["id_block"]);
}
