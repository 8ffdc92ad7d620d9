//! Guest policy and platform bits. Every bit has a rule.

use alloc::format;

use chancery_evidence::GuestPolicy;
use chancery_evidence::PlatformInfo;
use chancery_evidence::ReportFields;
use chancery_evidence::SignerInfo;

use super::super::rows::Rows;
use crate::check::CheckId;
use crate::policy::AbiVersion;
use crate::policy::GUEST_POLICY_FORBIDDEN_ALWAYS;
use crate::policy::ReleasePolicy;

pub(crate) fn check(fields: &ReportFields, policy: &ReleasePolicy, rows: &mut Rows) {
    check_guest(fields.policy, policy, rows);
    check_consistency(fields.policy, fields.platform_info, rows);
    check_author_key(fields, rows);
    check_platform(fields.platform_info, policy, rows);
}

fn check_guest(guest: GuestPolicy, policy: &ReleasePolicy, rows: &mut Rows) {
    let show = |bits: u64| format!("{bits:#x}");
    let required = policy.guest_policy.required;
    let expected = format!("all of {required:#x}");
    let got = show(guest.bits());
    rows.note(
        CheckId::GuestPolicyRequired,
        expected,
        got,
        guest.has(required),
    );

    let closed = GUEST_POLICY_FORBIDDEN_ALWAYS & !policy.dangerous_guest_policy_allowed;
    let forbidden = policy.guest_policy.forbidden | closed;
    let clear = guest.bits() & forbidden == 0;
    let expected = format!("none of {forbidden:#x}");
    // Bits that are never good, but let through by name.
    let waived = guest.bits() & GUEST_POLICY_FORBIDDEN_ALWAYS != 0;
    rows.waivable(
        CheckId::GuestPolicyForbidden,
        expected,
        show(guest.bits()),
        clear,
        waived.then_some("dangerous_guest_policy_allowed"),
    );

    let (major, minor) = guest.abi();
    let min = policy.guest_abi_min;
    let expected = format!("at least {}.{}", min.major, min.minor);
    let fits = AbiVersion { major, minor } >= min;
    rows.note(
        CheckId::GuestPolicyAbi,
        expected,
        format!("{major}.{minor}"),
        fits,
    );
}

/// Firmware enforces these three; a report that breaks one comes from no genuine firmware.
fn check_consistency(guest: GuestPolicy, platform: PlatformInfo, rows: &mut Rows) {
    let got = || format!("guest {:#x}, platform {:#x}", guest.bits(), platform.bits());
    let smt = guest.has(GuestPolicy::SMT) || !platform.has(PlatformInfo::SMT);
    rows.note(
        CheckId::SmtConsistent,
        "off unless the guest allows it",
        got(),
        smt,
    );
    let rapl = !guest.has(GuestPolicy::RAPL_DIS) || platform.has(PlatformInfo::RAPL_DIS);
    rows.note(
        CheckId::RaplConsistent,
        "off if the guest demands it",
        got(),
        rapl,
    );
    let hiding = !guest.has(GuestPolicy::CIPHERTEXT_HIDING_DRAM)
        || platform.has(PlatformInfo::CIPHERTEXT_HIDING_DRAM);
    let expected = "on if the guest demands it";
    rows.note(CheckId::CiphertextHidingConsistent, expected, got(), hiding);
}

/// Firmware writes the digest of an author key only when it is enabled.
fn check_author_key(fields: &ReportFields, rows: &mut Rows) {
    let enabled = fields.signer_info.has(SignerInfo::AUTHOR_KEY_EN);
    let consistent = enabled || fields.author_key_digest == [0; 48];
    rows.note(
        CheckId::AuthorKeyConsistent,
        "zero unless enabled",
        format!(
            "{}, {}",
            if enabled { "enabled" } else { "not enabled" },
            hex::encode(fields.author_key_digest)
        ),
        consistent,
    );
}

fn check_platform(platform: PlatformInfo, policy: &ReleasePolicy, rows: &mut Rows) {
    let unknown = platform.bits() & !PlatformInfo::RULED;
    let got = format!("{:#x}", platform.bits());
    rows.note(
        CheckId::PlatformKnown,
        "no unknown bit",
        got.as_str(),
        unknown == 0,
    );
    let required = policy.platform_info.required;
    let expected = format!("all of {required:#x}");
    let unchecked = !platform.has(PlatformInfo::ALIAS_CHECK_COMPLETE);
    rows.waivable(
        CheckId::PlatformRequired,
        expected,
        got.as_str(),
        platform.has(required),
        unchecked.then_some("dangerous_allow_unchecked_aliases"),
    );
    let forbidden = policy.platform_info.forbidden;
    let expected = format!("none of {forbidden:#x}");
    let clear = platform.bits() & forbidden == 0;
    rows.note(CheckId::PlatformForbidden, expected, got.as_str(), clear);
}
