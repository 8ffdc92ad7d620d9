//! The documents that release keys sign: the release policy and the firmware floors.

use chancery_evidence::Report;
use chancery_verify::Amd;
use chancery_verify::PolicyError;
use chancery_verify::ReleasePolicy;
use chancery_verify::TcbFloors;
use chancery_verify::appraise;

use crate::accepted;
use crate::appraise::assert_names_checks;
use crate::fixture::Genuine;
use crate::fixture::genuine;

/// A document that is read obeys its own rules and is written and read again as the same value; no text is both. Genuine evidence
/// is accepted only by a policy that names it.
pub fn policy(bytes: &[u8]) -> bool {
    let policy = ReleasePolicy::from_json(bytes);
    let floors = TcbFloors::from_json(bytes);
    assert!(policy.is_err() || floors.is_err(), "one text, two meanings");
    for error in [policy.as_ref().err(), floors.as_ref().err()] {
        assert!(error.is_none_or(names_a_place), "{error:?}");
    }
    let policy = accepted(policy, |policy| {
        assert_eq!(policy.check(), Ok(()));
        let again = policy
            .to_json()
            .and_then(|text| ReleasePolicy::from_json(&text));
        assert_eq!(again.as_ref(), Ok(&policy), "another policy");
        if let Some(one) = genuine().first() {
            assert_names_what_it_accepts(one, &policy);
        }
    });
    let floors = accepted(floors, |floors| {
        assert_eq!(floors.check(), Ok(()));
        let again = floors
            .to_json()
            .and_then(|text| TcbFloors::from_json(&text));
        assert_eq!(again.as_ref(), Ok(&floors), "other floors");
        for one in genuine() {
            assert_floor_is_of_the_processor(one, &floors);
        }
    });
    policy || floors
}

fn names_a_place(error: &PolicyError) -> bool {
    let text = error.describe();
    text.contains(" at ") && !text.contains(char::is_control)
}

fn assert_names_what_it_accepts(one: &Genuine, policy: &ReleasePolicy) {
    let input = &one.input;
    let (data, now_ms) = (&input.report_data, input.now_ms);
    match appraise(&Amd, &input.evidence, policy, &one.floors, data, now_ms) {
        Ok(verdict) => {
            let fields = verdict.fields();
            let releases = policy.releases.iter();
            assert!(
                releases
                    .map(|one| one.measurement)
                    .any(|one| one == fields.measurement)
            );
            assert!(policy.host_data.contains(&fields.host_data));
            let chip = policy.chip_ids.contains(&fields.chip_id);
            assert!(chip || policy.dangerous_allow_any_chip);
            assert!(policy.products.contains(&verdict.line()));
            assert!((policy.issued_ms..policy.expires_ms).contains(&now_ms));
            assert!(
                policy.dangerous_allow_unchecked_revocation,
                "there is no list"
            );
            for (rule, bits) in [
                (policy.guest_policy, fields.policy.bits()),
                (policy.platform_info, fields.platform_info.bits()),
            ] {
                assert_eq!(bits & rule.required, rule.required);
                assert_eq!(bits & rule.forbidden, 0);
            }
            assert!(fields.version.number() >= policy.report_version_min);
            assert!(one.floors.version >= policy.floors_version_min);
        }
        Err(refusal) => assert_names_checks(&refusal),
    }
}

/// The floor of a report's processor comes from a rule that contains it, and from one only.
fn assert_floor_is_of_the_processor(one: &Genuine, floors: &TcbFloors) {
    let Ok(report) = Report::parse(&one.input.evidence.report) else {
        return;
    };
    let Some(cpu) = report.fields().version.cpuid() else {
        return;
    };
    let Some(line) = cpu.line() else {
        return;
    };
    let mut rules = floors
        .rules
        .iter()
        .filter(|rule| rule.processors.contain(cpu));
    let rule = rules.next();
    assert!(rules.next().is_none(), "two floors for one processor");
    let expected = rule.map(|rule| (rule.name.as_str(), rule.floor));
    assert_eq!(floors.floor(line, Some(cpu)), expected);
}
