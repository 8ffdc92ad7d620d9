//! Stage 3: report and leaf are about the same chip, firmware and processor.

use alloc::format;
use alloc::string::String;
use alloc::string::ToString;

use chancery_evidence::Report;
use chancery_evidence::SignerInfo;
use chancery_evidence::SigningKey;
use chancery_evidence::VekIdentity;
use chancery_evidence::VekKind;

use super::chain::Leaf;
use super::rows::Failed;
use super::rows::Rows;
use crate::check::CheckId;

pub(crate) fn run(report: &Report, leaf: &Leaf<'_>, rows: &mut Rows) -> Result<(), Failed> {
    let fields = report.fields();
    let kind = leaf.extensions.identity.kind();
    let signer = fields.signer_info.signing_key();
    let same_kind = matches!(
        (signer, kind),
        (Some(SigningKey::Vcek), VekKind::Vcek) | (Some(SigningKey::Vlek), VekKind::Vlek)
    );
    let masked = fields.signer_info.has(SignerInfo::MASK_CHIP_KEY);
    let expected = match kind {
        VekKind::Vcek => "VCEK, chip key not masked",
        VekKind::Vlek => "VLEK, chip key not masked",
    };
    let got = match signer {
        Some(SigningKey::Vcek) => "VCEK",
        Some(SigningKey::Vlek) => "VLEK",
        Some(SigningKey::None) => "none",
        None => "undefined",
    };
    let got = if masked {
        format!("{got}, masked")
    } else {
        String::from(got)
    };
    rows.require(CheckId::SignerKind, expected, got, same_kind && !masked)?;

    // A masked id is all zero. A VCEK's chip must not be; a VLEK knows no chip, and hosts of providers mask it.
    let (expected, fits) = match &leaf.extensions.identity {
        VekIdentity::Chip(chip) => (
            hex::encode(chip),
            fields.chip_id == *chip && *chip != [0; 64],
        ),
        VekIdentity::Provider(_) => (String::from("zero"), fields.chip_id == [0; 64]),
    };
    rows.require(CheckId::ChipId, expected, hex::encode(fields.chip_id), fits)?;

    let reported = fields.reported_tcb.components(leaf.line);
    let got = reported.map_or_else(
        || {
            format!(
                "reserved bytes set: {}",
                hex::encode(fields.reported_tcb.bytes())
            )
        },
        |tcb| tcb.to_string(),
    );
    let expected = leaf.extensions.tcb.to_string();
    let equal = reported == Some(leaf.extensions.tcb);
    rows.require(CheckId::ReportedTcb, expected, got, equal)?;

    match fields.version.cpuid() {
        None => rows.skip(CheckId::ProcessorLine, leaf.line.name(), "not in version 2"),
        Some(cpuid) => {
            let line = cpuid.line();
            let got = line.map_or("unknown", |line| line.name());
            rows.require(
                CheckId::ProcessorLine,
                leaf.line.name(),
                got,
                line == Some(leaf.line),
            )?;
        }
    }
    Ok(())
}
