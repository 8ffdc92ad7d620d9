//! Stage 1: the report's own format.

use alloc::format;
use alloc::string::ToString;

use chancery_evidence::REPORT_SIZE;
use chancery_evidence::Report;
use chancery_evidence::ReportError;

use super::rows::Failed;
use super::rows::Rows;
use crate::check::CheckId;
use crate::check::Stage;

pub(crate) fn run(bytes: &[u8], rows: &mut Rows) -> Result<Report, Failed> {
    let report = match Report::parse(bytes) {
        Ok(report) => report,
        Err(error) => {
            rows.note(check_of(error), "by the ABI", error.to_string(), false);
            return Err(Failed(Stage::Parse));
        }
    };
    let fields = report.fields();
    let bytes_expected = format!("{REPORT_SIZE} bytes");
    rows.note(
        CheckId::ReportLength,
        bytes_expected.as_str(),
        bytes_expected.as_str(),
        true,
    );
    rows.note(
        CheckId::ReportVersion,
        "2 to 5",
        fields.version.number().to_string(),
        true,
    );
    let policy = format!("{:#x}", fields.policy.bits());
    rows.note(
        CheckId::ReportPolicyReserved,
        "reserved bits as defined",
        policy,
        true,
    );
    rows.note(
        CheckId::ReportHostRequested,
        "asked by the guest",
        "asked by the guest",
        true,
    );
    rows.note(CheckId::ReportVmpl, "0 to 3", fields.vmpl.to_string(), true);
    rows.note(CheckId::ReportSignatureAlgorithm, "1", "1", true);
    let signer = format!("{:#x}", fields.signer_info.bits());
    rows.note(CheckId::ReportSignerInfo, "defined", signer, true);
    rows.note(CheckId::ReportReserved, "zero", "zero", true);
    match fields.version.cpuid() {
        Some(cpuid) => {
            let got = format!("{:#x}/{:#x}/{}", cpuid.family, cpuid.model, cpuid.stepping);
            rows.note(CheckId::ReportProcessor, "of a known line", got, true);
            rows.note(CheckId::ReportTcbReserved, "zero", "zero", true);
        }
        None => {
            rows.skip(
                CheckId::ReportProcessor,
                "of a known line",
                "not in version 2",
            );
            rows.skip(
                CheckId::ReportTcbReserved,
                "zero",
                "checked with the certificate",
            );
        }
    }
    rows.note(
        CheckId::ReportSignatureRange,
        "0 < r, s < n",
        "in range",
        true,
    );
    Ok(report)
}

fn check_of(error: ReportError) -> CheckId {
    match error {
        ReportError::Length { .. } => CheckId::ReportLength,
        ReportError::Version { .. } => CheckId::ReportVersion,
        ReportError::PolicyReserved { .. } => CheckId::ReportPolicyReserved,
        ReportError::HostRequested => CheckId::ReportHostRequested,
        ReportError::Vmpl { .. } => CheckId::ReportVmpl,
        ReportError::SignatureAlgorithm { .. } => CheckId::ReportSignatureAlgorithm,
        ReportError::SignerInfo { .. } => CheckId::ReportSignerInfo,
        ReportError::CpuId { .. } => CheckId::ReportProcessor,
        ReportError::TcbReserved { .. } => CheckId::ReportTcbReserved,
        ReportError::SignatureRange => CheckId::ReportSignatureRange,
        // `ReportError` may grow; whatever is new about a format is about its reserved parts first.
        ReportError::Reserved { .. } | _ => CheckId::ReportReserved,
    }
}
