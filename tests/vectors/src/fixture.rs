//! Rules under which exactly one report is in order.

use chancery_evidence::{
    CpuId, GuestPolicy, ProductLine, ReportFields, TcbComponents, VekIdentity,
};
use chancery_verify::{
    BitRule, CrlNumbers, Floor, FloorRule, Processors, Release, ReleasePolicy, TcbFloors,
};

/// A policy that lists this report's measurement, configuration and chip, with the `dangerous_` fields that it needs.
/// `dangerous_allow_unchecked_revocation` is among them: current revocation lists of Genoa and Turin are not public offline.
#[must_use]
pub fn policy(fields: &ReportFields, line: ProductLine, identity: &VekIdentity) -> ReleasePolicy {
    let mut policy = ReleasePolicy::baseline(1, 0, u64::MAX);
    policy.releases = vec![Release {
        id: "fixture".to_owned(),
        version: "1".to_owned(),
        measurement: fields.measurement,
    }];
    policy.host_data = vec![fields.host_data];
    match identity {
        VekIdentity::Chip(chip) => policy.chip_ids = vec![*chip],
        VekIdentity::Provider(provider) => {
            policy.dangerous_allow_vlek_of = vec![provider.clone()];
        }
    }
    policy.products = vec![line];
    policy.guest_policy.forbidden &= !GuestPolicy::SMT;
    policy.platform_info = BitRule {
        required: 0,
        forbidden: 0,
    };
    policy.report_version_min = 2;
    policy.dangerous_vmpl_max = fields.vmpl;
    policy.dangerous_allow_milan = line == ProductLine::Milan;
    policy.dangerous_allow_provisional_firmware = true;
    policy.dangerous_allow_unchecked_revocation = true;
    policy.dangerous_allow_unchecked_aliases = true;
    if fields.policy.has(GuestPolicy::DEBUG) {
        policy.dangerous_guest_policy_allowed = GuestPolicy::DEBUG;
        policy.guest_policy.forbidden &= !GuestPolicy::DEBUG;
    }
    policy
}

/// Floors at the level of exactly this report, for its processor; a report of version 2 names none, so that any of the line does.
///
/// # Panics
/// If the report's reported TCB is not of `line`: no genuine one is.
#[must_use]
pub fn floors(fields: &ReportFields, line: ProductLine) -> TcbFloors {
    let cpu = fields.version.cpuid().unwrap_or(match line {
        ProductLine::Milan => cpu(0x19, 0x01, 1),
        ProductLine::Genoa => cpu(0x19, 0x11, 1),
        ProductLine::Turin => cpu(0x1a, 0x02, 1),
    });
    let vectors = fields.version.mitigation();
    TcbFloors {
        version: 1,
        issued_ms: 0,
        expires_ms: u64::MAX,
        crl_numbers_min: CrlNumbers::ANY,
        rules: vec![FloorRule {
            name: "fixture".to_owned(),
            line,
            processors: Processors::only(cpu),
            floor: Floor {
                tcb: level(fields, line),
                firmware: fields.committed_firmware,
                mitigation_required: vectors.map_or(0, |vectors| vectors.current),
            },
            sources: Vec::new(),
        }],
    }
}

const fn cpu(family: u8, model: u8, stepping: u8) -> CpuId {
    CpuId {
        family,
        model,
        stepping,
    }
}

fn level(fields: &ReportFields, line: ProductLine) -> TcbComponents {
    let level = fields.reported_tcb.components(line);
    level.unwrap_or_else(|| panic!("the reported TCB is not of {line}"))
}
