//! Stage 5: the release policy. Every violation is listed.

mod firmware;
mod platform;

use alloc::format;
use alloc::string::String;
use alloc::string::ToString;

use chancery_evidence::GuestPolicy;
use chancery_evidence::Report;
use chancery_evidence::ReportFields;
use chancery_evidence::SignerInfo;
use chancery_evidence::VekIdentity;

use super::Inputs;
use super::chain::Leaf;
use super::end_of_policy;
use super::rows::Failed;
use super::rows::Rows;
use crate::check::CheckId;
use crate::check::Stage;
use crate::policy::IdBlockRule;
use crate::policy::Release;

pub(crate) fn run(
    report: &Report,
    leaf: &Leaf<'_>,
    inputs: &Inputs<'_>,
    rows: &mut Rows,
) -> Result<Release, Failed> {
    let fields = report.fields();
    check_policy_itself(inputs, rows);
    check_report_version(fields, inputs, rows);
    check_signer(leaf, inputs, rows);
    check_chip(leaf, inputs, rows);
    let release = check_measurement(fields, inputs, rows);
    check_data(fields, inputs, rows);
    check_vmpl(fields, inputs, rows);
    platform::check(fields, inputs.policy, rows);
    firmware::check(fields, leaf.line, inputs, rows);
    check_id_block(fields, &inputs.policy.id_block, rows);
    check_migration_agent(fields, rows);
    end_of_policy(rows)?;
    release.ok_or(Failed(Stage::Policy))
}

fn check_policy_itself(inputs: &Inputs<'_>, rows: &mut Rows) {
    let (got, fits) = match inputs.policy.check() {
        Ok(()) => (String::from("well formed"), true),
        Err(error) => (error.to_string(), false),
    };
    rows.note(CheckId::PolicyWellFormed, "well formed", got, fits);
    let (from, to) = (inputs.policy.issued_ms, inputs.policy.expires_ms);
    let in_force = (from..to).contains(&inputs.now_ms);
    let expected = format!("{from} to before {to} ms");
    rows.note(
        CheckId::PolicyWindow,
        expected,
        format!("{} ms", inputs.now_ms),
        in_force,
    );
}

fn check_report_version(fields: &ReportFields, inputs: &Inputs<'_>, rows: &mut Rows) {
    let (got, min) = (fields.version.number(), inputs.policy.report_version_min);
    let expected = format!("at least {min}");
    rows.note(
        CheckId::ReportVersionMin,
        expected,
        got.to_string(),
        got >= min,
    );
}

fn check_signer(leaf: &Leaf<'_>, inputs: &Inputs<'_>, rows: &mut Rows) {
    match &leaf.extensions.identity {
        VekIdentity::Chip(_) => rows.note(CheckId::Signer, "VCEK", "VCEK", true),
        VekIdentity::Provider(provider) => {
            let allowed = is_allowed_provider(inputs, provider);
            rows.waivable(
                CheckId::Signer,
                "VCEK",
                format!("VLEK of {provider}"),
                allowed,
                Some(VLEK_WAIVER),
            );
        }
    }
}

/// The member that lets VLEKs through.
const VLEK_WAIVER: &str = "dangerous_allow_vlek_of";

fn is_allowed_provider(inputs: &Inputs<'_>, provider: &String) -> bool {
    inputs.policy.dangerous_allow_vlek_of.contains(provider)
}

fn check_chip(leaf: &Leaf<'_>, inputs: &Inputs<'_>, rows: &mut Rows) {
    let policy = inputs.policy;
    match &leaf.extensions.identity {
        VekIdentity::Chip(_) if policy.dangerous_allow_any_chip => {
            let got = "any; waived by dangerous_allow_any_chip";
            rows.skip(CheckId::Chip, "a listed chip", got);
        }
        VekIdentity::Chip(chip) => {
            let listed = policy.chip_ids.contains(chip);
            rows.note(CheckId::Chip, "a listed chip", hex::encode(chip), listed);
        }
        // A VLEK names no chip: whoever believes a provider's VLEKs believes in all of its chips, and in nobody else's.
        VekIdentity::Provider(provider) => rows.waivable(
            CheckId::Chip,
            "a listed chip",
            "unknown: a VLEK names none",
            is_allowed_provider(inputs, provider),
            Some(VLEK_WAIVER),
        ),
    }
}

fn check_measurement(
    fields: &ReportFields,
    inputs: &Inputs<'_>,
    rows: &mut Rows,
) -> Option<Release> {
    let mut releases = inputs.policy.releases.iter();
    let release = releases.find(|release| release.measurement == fields.measurement);
    let got = hex::encode(fields.measurement);
    rows.note(
        CheckId::Measurement,
        "a listed release",
        got,
        release.is_some(),
    );
    release.cloned()
}

fn check_data(fields: &ReportFields, inputs: &Inputs<'_>, rows: &mut Rows) {
    let got = hex::encode(fields.report_data);
    match inputs.expected_report_data {
        Some(expected) => {
            let equal = fields.report_data == *expected;
            rows.note(CheckId::ReportData, hex::encode(expected), got, equal);
        }
        None => rows.skip(CheckId::ReportData, "none given to compare with", got),
    }
    let listed = inputs.policy.host_data.contains(&fields.host_data);
    let got = hex::encode(fields.host_data);
    rows.note(CheckId::HostData, "a listed configuration", got, listed);
}

fn check_vmpl(fields: &ReportFields, inputs: &Inputs<'_>, rows: &mut Rows) {
    let max = inputs.policy.dangerous_vmpl_max;
    let waived = (fields.vmpl > 0).then_some("dangerous_vmpl_max");
    rows.waivable(
        CheckId::Vmpl,
        format!("at most {max}"),
        fields.vmpl.to_string(),
        fields.vmpl <= max,
        waived,
    );
}

/// Without a pinned key an ID block says nothing: anyone can sign one.
fn check_id_block(fields: &ReportFields, rule: &IdBlockRule, rows: &mut Rows) {
    let svn = format!("{}", fields.guest_svn);
    let ids = [
        (CheckId::FamilyId, fields.family_id),
        (CheckId::ImageId, fields.image_id),
    ];
    match rule {
        IdBlockRule::Unpinned => {
            const UNPINNED: &str = "any: the policy pins no key";
            let got = format!("id key {}", hex::encode(fields.id_key_digest));
            rows.skip(CheckId::IdBlock, UNPINNED, got);
            rows.skip(CheckId::GuestSvn, UNPINNED, svn);
            for (check, got) in ids {
                rows.skip(check, UNPINNED, hex::encode(got));
            }
        }
        IdBlockRule::Pinned {
            id_key_digests,
            author_key_digests,
            guest_svn_min,
            family_id,
            image_id,
        } => {
            let author_enabled = fields.signer_info.has(SignerInfo::AUTHOR_KEY_EN);
            let author = author_enabled && author_key_digests.contains(&fields.author_key_digest);
            let pinned = author || id_key_digests.contains(&fields.id_key_digest);
            let got = format!(
                "id key {}, author key {}",
                hex::encode(fields.id_key_digest),
                hex::encode(fields.author_key_digest),
            );
            rows.note(CheckId::IdBlock, "a pinned key", got, pinned);
            let expected = format!("at least {guest_svn_min}");
            let fits = fields.guest_svn >= *guest_svn_min;
            rows.note(CheckId::GuestSvn, expected, svn, fits);
            for ((check, got), pinned) in ids.into_iter().zip([family_id, image_id]) {
                match pinned {
                    Some(id) => rows.note(check, hex::encode(id), hex::encode(got), got == *id),
                    None => rows.skip(check, "any: the policy says so", hex::encode(got)),
                }
            }
        }
    }
}

/// Without the policy bit there can be no migration agent.
fn check_migration_agent(fields: &ReportFields, rows: &mut Rows) {
    let allowed = fields.policy.has(GuestPolicy::MIGRATE_MA);
    let absent = fields.report_id_ma == [0xff; 32];
    let got = if absent { "none" } else { "one" };
    let waived = (!absent).then_some("dangerous_guest_policy_allowed");
    rows.waivable(
        CheckId::MigrationAgent,
        "none",
        got,
        absent || allowed,
        waived,
    );
}
