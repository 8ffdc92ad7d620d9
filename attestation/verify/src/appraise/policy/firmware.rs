//! Product line, firmware levels and mitigations.

use alloc::format;
use alloc::string::ToString;

use chancery_evidence::ProductLine;
use chancery_evidence::ReportFields;
use chancery_evidence::Tcb;
use chancery_evidence::TcbComponents;

use super::super::rows::Rows;
use crate::check::CheckId;
use crate::policy::ProductRule;
use crate::policy::ReleasePolicy;

pub(crate) fn check(
    fields: &ReportFields,
    line: ProductLine,
    policy: &ReleasePolicy,
    rows: &mut Rows,
) {
    let rule = policy.product(line);
    rows.note(
        CheckId::Product,
        "an allowed product line",
        line.name(),
        rule.is_some(),
    );
    if let Some(rule) = rule {
        check_floors(fields, rule, rows);
        check_mitigations(fields, rule, rows);
    }
    check_order(fields, line, rows);
    check_committed(fields, policy, rows);
}

fn check_floors(fields: &ReportFields, rule: &ProductRule, rows: &mut Rows) {
    let floors = [
        (CheckId::TcbReportedFloor, fields.reported_tcb),
        (CheckId::TcbCommittedFloor, fields.committed_tcb),
        (CheckId::TcbCurrentFloor, fields.current_tcb),
        (CheckId::TcbLaunchFloor, fields.launch_tcb),
    ];
    let expected = format!("at least {}", rule.tcb_floor);
    for (check, tcb) in floors {
        let components = tcb.components(rule.line);
        let fits = components.is_some_and(|tcb| tcb.at_least(rule.tcb_floor));
        rows.note(check, expected.as_str(), show(tcb, components), fits);
    }
    let got = fields.current_firmware;
    let floor = rule.firmware_floor;
    let fits = got >= floor && fields.committed_firmware >= floor;
    let got = format!("{got}, committed {}", fields.committed_firmware);
    rows.note(
        CheckId::FirmwareFloor,
        format!("at least {floor}"),
        got,
        fits,
    );
}

fn show(tcb: Tcb, components: Option<TcbComponents>) -> alloc::string::String {
    components.map_or_else(|| hex::encode(tcb.bytes()), |tcb| tcb.to_string())
}

/// Vectors are bit sets: every required bit, compared as bits and never as a number.
fn check_mitigations(fields: &ReportFields, rule: &ProductRule, rows: &mut Rows) {
    let required = rule.mitigation_required;
    let expected = format!("all of {required:#x}");
    match fields.version.mitigation() {
        Some(vectors) => {
            let (launch, current) = (vectors.launch, vectors.current);
            let fits = launch & required == required;
            rows.note(
                CheckId::MitigationLaunch,
                expected.as_str(),
                format!("{launch:#x}"),
                fits,
            );
            let fits = current & required == required;
            rows.note(
                CheckId::MitigationCurrent,
                expected,
                format!("{current:#x}"),
                fits,
            );
        }
        None if required == 0 => {
            rows.skip(
                CheckId::MitigationLaunch,
                expected.as_str(),
                "not before version 5",
            );
            rows.skip(CheckId::MitigationCurrent, expected, "not before version 5");
        }
        None => {
            rows.note(
                CheckId::MitigationLaunch,
                expected.as_str(),
                "not before version 5",
                false,
            );
            rows.note(
                CheckId::MitigationCurrent,
                expected,
                "not before version 5",
                false,
            );
        }
    }
}

/// The host may report less than is committed, never more; it may commit less than it runs, never more.
fn check_order(fields: &ReportFields, line: ProductLine, rows: &mut Rows) {
    let tcb = |tcb: Tcb| tcb.components(line);
    let order = match (
        tcb(fields.reported_tcb),
        tcb(fields.committed_tcb),
        tcb(fields.current_tcb),
        tcb(fields.launch_tcb),
    ) {
        (Some(reported), Some(committed), Some(current), Some(launch)) => {
            committed.at_least(reported) && current.at_least(committed) && current.at_least(launch)
        }
        _ => false,
    };
    let expected = "reported <= committed <= current, launch <= current";
    rows.note(
        CheckId::TcbOrder,
        expected,
        if order { "in order" } else { "out of order" },
        order,
    );
}

fn check_committed(fields: &ReportFields, policy: &ReleasePolicy, rows: &mut Rows) {
    let committed = fields.committed_tcb == fields.current_tcb
        && fields.committed_firmware == fields.current_firmware;
    let expected = "running firmware committed";
    if !committed && policy.dangerous_allow_provisional_firmware {
        let got = "provisional; waived by dangerous_allow_provisional_firmware";
        rows.skip(CheckId::FirmwareCommitted, expected, got);
    } else {
        let got = if committed {
            "committed"
        } else {
            "provisional"
        };
        rows.note(CheckId::FirmwareCommitted, expected, got, committed);
    }
}
