//! `report show`: what an attestation report says. Nothing is verified, and the output says so.

use chancery_evidence::{
    FirmwareVersion, GuestPolicy, PlatformInfo, ProductLine, Report, ReportFields, SigningKey, Tcb,
};
use chancery_json::Object;

use crate::args::{ReportCommand, ReportShowArgs};
use crate::error::CliError;
use crate::files::read_document;
use crate::output::{Outcome, aligned};

/// Runs `report …`.
pub(crate) fn run(command: &ReportCommand) -> Result<Outcome, CliError> {
    match command {
        ReportCommand::Show(args) => show(args),
    }
}

fn show(args: &ReportShowArgs) -> Result<Outcome, CliError> {
    let bytes = read_document(&args.file)?;
    let report = Report::parse(&bytes).map_err(|error| CliError::DocumentInvalid {
        path: args.file.clone(),
        reason: error.to_string(),
    })?;
    let rows = rows(report.fields());
    let mut json = Object::with_capacity(rows.len().saturating_add(1)).with("verified", false);
    for (name, value) in &rows {
        json = json.with(&name.replace(' ', "_"), value.as_str());
    }
    let text = format!(
        "Decoded only: no signature and no policy was checked.\n\n{}",
        aligned(&rows)
    );
    Ok(Outcome::done(text, json))
}

fn rows(fields: &ReportFields) -> Vec<(&'static str, String)> {
    let line = fields.version.cpuid().and_then(|cpuid| cpuid.line());
    let tcb = |tcb| tcb_text(tcb, line);
    let mut rows = vec![
        ("report version", fields.version.number().to_string()),
        (
            "product line",
            line.map_or("not in this report version", ProductLine::name)
                .to_owned(),
        ),
        ("measurement", hex::encode(fields.measurement)),
        ("report data", hex::encode(fields.report_data)),
        ("host data", hex::encode(fields.host_data)),
        ("vmpl", fields.vmpl.to_string()),
        ("guest policy", policy_text(fields.policy)),
        ("platform info", platform_text(fields.platform_info)),
        ("signing key", signer_text(fields)),
        ("chip id", hex::encode(fields.chip_id)),
        ("reported tcb", tcb(fields.reported_tcb)),
        ("committed tcb", tcb(fields.committed_tcb)),
        ("current tcb", tcb(fields.current_tcb)),
        ("launch tcb", tcb(fields.launch_tcb)),
        ("current firmware", firmware_text(fields.current_firmware)),
        (
            "committed firmware",
            firmware_text(fields.committed_firmware),
        ),
        ("guest svn", fields.guest_svn.to_string()),
        ("family id", hex::encode(fields.family_id)),
        ("image id", hex::encode(fields.image_id)),
        ("id key digest", hex::encode(fields.id_key_digest)),
        ("author key digest", hex::encode(fields.author_key_digest)),
        ("report id", hex::encode(fields.report_id)),
        ("report id ma", hex::encode(fields.report_id_ma)),
    ];
    if let Some(mitigation) = fields.version.mitigation() {
        rows.push(("launch mitigations", format!("{:#018x}", mitigation.launch)));
        rows.push((
            "current mitigations",
            format!("{:#018x}", mitigation.current),
        ));
    }
    rows
}

fn tcb_text(tcb: Tcb, line: Option<ProductLine>) -> String {
    match line.and_then(|line| tcb.components(line)) {
        Some(components) => components.to_string(),
        None => hex::encode(tcb.bytes()),
    }
}

fn firmware_text(version: FirmwareVersion) -> String {
    format!("{}.{}.{}", version.major, version.minor, version.build)
}

fn signer_text(fields: &ReportFields) -> String {
    match fields.signer_info.signing_key() {
        Some(SigningKey::Vcek) => "VCEK (this chip's own key)".to_owned(),
        Some(SigningKey::Vlek) => "VLEK (a key loaded by a cloud provider)".to_owned(),
        Some(SigningKey::None) => "none: the report is not signed".to_owned(),
        None => "undefined".to_owned(),
    }
}

fn policy_text(policy: GuestPolicy) -> String {
    let (major, minor) = policy.abi();
    let bits = [
        (GuestPolicy::DEBUG, "debug"),
        (GuestPolicy::MIGRATE_MA, "migration-agent"),
        (GuestPolicy::SMT, "smt"),
        (GuestPolicy::SINGLE_SOCKET, "single-socket"),
        (GuestPolicy::CXL_ALLOW, "cxl"),
        (GuestPolicy::MEM_AES_256_XTS, "aes-256-xts"),
        (GuestPolicy::RAPL_DIS, "rapl-disabled"),
        (GuestPolicy::CIPHERTEXT_HIDING_DRAM, "ciphertext-hiding"),
        (GuestPolicy::PAGE_SWAP_DISABLE, "page-swap-disabled"),
    ];
    let set = set_names(&bits, |mask| policy.has(mask));
    format!("{:#018x}: abi at least {major}.{minor}{set}", policy.bits())
}

fn platform_text(platform: PlatformInfo) -> String {
    let bits = [
        (PlatformInfo::SMT, "smt"),
        (PlatformInfo::TSME, "tsme"),
        (PlatformInfo::ECC, "ecc"),
        (PlatformInfo::RAPL_DIS, "rapl-disabled"),
        (PlatformInfo::CIPHERTEXT_HIDING_DRAM, "ciphertext-hiding"),
        (PlatformInfo::ALIAS_CHECK_COMPLETE, "alias-check-complete"),
        (PlatformInfo::IOMMU_WRITE_SAFE, "iommu-write-safe"),
        (PlatformInfo::TIO, "tio"),
    ];
    let set = set_names(&bits, |mask| platform.has(mask));
    format!("{:#018x}{set}", platform.bits())
}

fn set_names(bits: &[(u64, &str)], is_set: impl Fn(u64) -> bool) -> String {
    bits.iter()
        .filter(|(mask, _)| is_set(*mask))
        .map(|(_, name)| format!(", {name}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn vector(name: &str) -> PathBuf {
        let vectors =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../attestation/vectors");
        vectors.join("reports").join(name)
    }

    fn shown(name: &str) -> Result<Outcome, CliError> {
        run(&ReportCommand::Show(ReportShowArgs { file: vector(name) }))
    }

    #[test]
    fn decodes_a_genuine_genoa_report_and_says_that_nothing_was_verified() {
        let outcome = shown("genoa-v3-vcek-01-tsm/report.bin").unwrap();
        assert!(
            outcome
                .text
                .starts_with("Decoded only: no signature and no policy was checked.")
        );
        let json = String::from_utf8(outcome.json.to_bytes()).unwrap();
        assert!(json.contains(r#""verified":false"#));
        assert!(json.contains(r#""product_line":"Genoa""#), "{json}");
        assert!(json.contains(r#""report_version":"3""#));
        assert!(json.contains("VCEK"));
    }

    #[test]
    fn refuses_a_file_that_is_no_report() {
        let refused = run(&ReportCommand::Show(ReportShowArgs {
            file: PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"),
        }));
        assert!(matches!(refused, Err(CliError::DocumentInvalid { .. })));
    }
}
