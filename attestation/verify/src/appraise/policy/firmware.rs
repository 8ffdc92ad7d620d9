//! Product line, firmware levels and mitigations.

use alloc::format;
use alloc::string::String;
use alloc::string::ToString;

use chancery_evidence::ProductLine;
use chancery_evidence::ReportFields;
use chancery_evidence::Tcb;
use chancery_evidence::TcbComponents;

use super::super::Inputs;
use super::super::rows::Rows;
use crate::check::CheckId;
use crate::floors::Floor;
use crate::policy::ReleasePolicy;

pub(crate) fn check(
    fields: &ReportFields,
    line: ProductLine,
    inputs: &Inputs<'_>,
    rows: &mut Rows,
) {
    let allowed = inputs.policy.products.contains(&line);
    let waived = match line {
        // A policy that lists Milan is well formed only with this member.
        ProductLine::Milan => Some("dangerous_allow_milan"),
        ProductLine::Genoa | ProductLine::Turin => None,
    };
    let expected = "an allowed product line";
    rows.waivable(CheckId::Product, expected, line.name(), allowed, waived);
    check_floors_themselves(inputs, rows);
    let cpu = fields.version.cpuid();
    let floor = inputs.floors.floor(line, cpu);
    let got = floor.map_or_else(|| String::from("none"), |(name, _)| String::from(name));
    let expected = match cpu {
        Some(cpu) => format!(
            "a floor for family {:02x}h model {:02x}h stepping {}",
            cpu.family, cpu.model, cpu.stepping
        ),
        None => format!("a floor for {line}"),
    };
    rows.note(CheckId::FloorsProcessor, expected, got, floor.is_some());
    if let Some((_, floor)) = floor {
        check_floors(fields, line, floor, rows);
        check_mitigations(fields, floor.mitigation_required, rows);
    }
    check_order(fields, line, rows);
    check_committed(fields, inputs.policy, rows);
}

fn check_floors_themselves(inputs: &Inputs<'_>, rows: &mut Rows) {
    let floors = inputs.floors;
    let (got, fits) = match floors.check() {
        Ok(()) => (String::from("well formed"), true),
        Err(error) => (error.to_string(), false),
    };
    rows.note(CheckId::FloorsWellFormed, "well formed", got, fits);
    let (got, min) = (floors.version, inputs.policy.floors_version_min);
    let expected = format!("at least {min}");
    rows.note(
        CheckId::FloorsVersion,
        expected,
        got.to_string(),
        got >= min,
    );
    let (expires, now) = (floors.expires_ms, inputs.now_ms);
    rows.note(
        CheckId::FloorsExpiry,
        format!("before {expires} ms"),
        format!("{now} ms"),
        now < expires,
    );
}

fn check_floors(fields: &ReportFields, line: ProductLine, floor: Floor, rows: &mut Rows) {
    let tcbs = [
        (CheckId::TcbReportedFloor, fields.reported_tcb),
        (CheckId::TcbCommittedFloor, fields.committed_tcb),
        (CheckId::TcbCurrentFloor, fields.current_tcb),
        (CheckId::TcbLaunchFloor, fields.launch_tcb),
    ];
    let expected = format!("at least {}", floor.tcb);
    for (check, tcb) in tcbs {
        let components = tcb.components(line);
        let fits = components.is_some_and(|tcb| tcb.at_least(floor.tcb));
        rows.note(check, expected.as_str(), show(tcb, components), fits);
    }
    let got = fields.current_firmware;
    let least = floor.firmware;
    let fits = got >= least && fields.committed_firmware >= least;
    let got = format!("{got}, committed {}", fields.committed_firmware);
    rows.note(
        CheckId::FirmwareFloor,
        format!("at least {least}"),
        got,
        fits,
    );
}

fn show(tcb: Tcb, components: Option<TcbComponents>) -> String {
    components.map_or_else(|| hex::encode(tcb.bytes()), |tcb| tcb.to_string())
}

/// Vectors are bit sets: every required bit, compared as bits and never as a number.
fn check_mitigations(fields: &ReportFields, required: u64, rows: &mut Rows) {
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
            committed.at_least(reported)
                && current.at_least(committed)
                && current.at_least(launch)
                && fields.current_firmware >= fields.committed_firmware
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
