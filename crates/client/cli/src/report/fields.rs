//! Every field of a report, for a person and for a program.

use chancery_evidence::{
    GuestPolicy, PlatformInfo, ProductLine, Report, ReportFields, SignerInfo, SigningKey, Tcb,
};
use chancery_json::{Object, Value};

use crate::output::{aligned, table};

/// The bits of POLICY, by number, with the names that release policies use.
const GUEST_POLICY_BITS: [(u64, &str, &str); 9] = [
    (
        GuestPolicy::SMT,
        "smt",
        "may run beside another thread of its core",
    ),
    (
        GuestPolicy::MIGRATE_MA,
        "migrate_ma",
        "may be moved by a migration agent",
    ),
    (GuestPolicy::DEBUG, "debug", "the host may read its memory"),
    (
        GuestPolicy::SINGLE_SOCKET,
        "single_socket",
        "must stay on one socket",
    ),
    (
        GuestPolicy::CXL_ALLOW,
        "cxl_allow",
        "CXL devices may hold its memory",
    ),
    (
        GuestPolicy::MEM_AES_256_XTS,
        "mem_aes_256_xts",
        "memory must be encrypted with AES-256-XTS",
    ),
    (
        GuestPolicy::RAPL_DIS,
        "rapl_dis",
        "power metering must be off",
    ),
    (
        GuestPolicy::CIPHERTEXT_HIDING_DRAM,
        "ciphertext_hiding_dram",
        "ciphertext must be hidden from the host",
    ),
    (
        GuestPolicy::PAGE_SWAP_DISABLE,
        "page_swap_disable",
        "the host may not swap its pages",
    ),
];

/// The bits of PLATFORM_INFO, with the names that release policies use.
const PLATFORM_INFO_BITS: [(u64, &str, &str); 8] = [
    (
        PlatformInfo::SMT,
        "smt",
        "simultaneous multithreading is on",
    ),
    (
        PlatformInfo::TSME,
        "tsme",
        "transparent memory encryption is on",
    ),
    (PlatformInfo::ECC, "ecc", "memory corrects errors"),
    (PlatformInfo::RAPL_DIS, "rapl_dis", "power metering is off"),
    (
        PlatformInfo::CIPHERTEXT_HIDING_DRAM,
        "ciphertext_hiding_dram",
        "ciphertext is hidden from the host",
    ),
    (
        PlatformInfo::ALIAS_CHECK_COMPLETE,
        "alias_check_complete",
        "memory was checked for aliases",
    ),
    (
        PlatformInfo::IOMMU_WRITE_SAFE,
        "iommu_write_safe",
        "writes through the IOMMU are safe",
    ),
    (PlatformInfo::TIO, "tio", "trusted I/O is on"),
];

/// The bits of SIGNER_INFO.
const SIGNER_INFO_BITS: [(u32, &str, &str); 2] = [
    (
        SignerInfo::AUTHOR_KEY_EN,
        "author_key_en",
        "an author key signed the ID key",
    ),
    (
        SignerInfo::MASK_CHIP_KEY,
        "mask_chip_key",
        "the host masked the chip's key",
    ),
];

/// The line that the report itself names, from version 3.
pub(crate) fn line_of(fields: &ReportFields) -> Option<ProductLine> {
    fields.version.cpuid().and_then(|cpuid| cpuid.line())
}

/// Everything, for a person. `line` decides how TCBs are read.
pub(super) fn text(report: &Report, line: Option<ProductLine>) -> String {
    let fields = report.fields();
    [
        aligned(&identity_rows(fields)),
        format!(
            "guest policy {:#x}: firmware ABI at least {}.{}\n{}",
            fields.policy.bits(),
            fields.policy.abi().0,
            fields.policy.abi().1,
            bits_text(&GUEST_POLICY_BITS.map(|(mask, name, meaning)| {
                (
                    mask.trailing_zeros(),
                    name,
                    meaning,
                    fields.policy.has(mask),
                )
            }))
        ),
        format!(
            "platform info {:#x}\n{}",
            fields.platform_info.bits(),
            bits_text(&PLATFORM_INFO_BITS.map(|(mask, name, meaning)| {
                (
                    mask.trailing_zeros(),
                    name,
                    meaning,
                    fields.platform_info.has(mask),
                )
            }))
        ),
        format!(
            "signer info {:#x}: signed by {}\n{}",
            fields.signer_info.bits(),
            signer_text(fields.signer_info.signing_key()),
            bits_text(&SIGNER_INFO_BITS.map(|(mask, name, meaning)| {
                (
                    mask.trailing_zeros(),
                    name,
                    meaning,
                    fields.signer_info.has(mask),
                )
            }))
        ),
        tcb_text(fields, line),
        aligned(&firmware_rows(report)),
    ]
    .join("\n\n")
}

fn identity_rows(fields: &ReportFields) -> Vec<(&'static str, String)> {
    let processor = match fields.version.cpuid() {
        Some(cpuid) => {
            let line = cpuid.line().map_or("unknown", ProductLine::name);
            format!(
                "{line}: family {:02x}h, model {:02x}h, stepping {}",
                cpuid.family, cpuid.model, cpuid.stepping
            )
        }
        None => "not named in this report version".to_owned(),
    };
    vec![
        ("report version", fields.version.number().to_string()),
        ("processor", processor),
        ("chip id", hex::encode(fields.chip_id)),
        ("measurement", hex::encode(fields.measurement)),
        ("report data", hex::encode(fields.report_data)),
        ("host data", hex::encode(fields.host_data)),
        ("vmpl", fields.vmpl.to_string()),
        ("guest svn", fields.guest_svn.to_string()),
        ("family id", hex::encode(fields.family_id)),
        ("image id", hex::encode(fields.image_id)),
        ("id key digest", hex::encode(fields.id_key_digest)),
        ("author key digest", hex::encode(fields.author_key_digest)),
        ("report id", hex::encode(fields.report_id)),
        ("report id ma", hex::encode(fields.report_id_ma)),
    ]
}

fn bits_text(bits: &[(u32, &str, &str, bool)]) -> String {
    let rows: Vec<Vec<String>> = bits
        .iter()
        .map(|(number, name, meaning, is_set)| {
            vec![
                format!("  {number:>2}"),
                (*name).to_owned(),
                (if *is_set { "yes" } else { "no" }).to_owned(),
                (*meaning).to_owned(),
            ]
        })
        .collect();
    table(&[" bit", "name", "set", "meaning if set"], &rows)
}

fn signer_text(key: Option<SigningKey>) -> &'static str {
    match key {
        Some(SigningKey::Vcek) => "a VCEK, this chip's own key",
        Some(SigningKey::Vlek) => "a VLEK, which a cloud provider loaded and which names no chip",
        Some(SigningKey::None) => "nobody",
        None => "a key that the ABI does not define",
    }
}

const fn signer_word(key: SigningKey) -> &'static str {
    match key {
        SigningKey::Vcek => "vcek",
        SigningKey::Vlek => "vlek",
        SigningKey::None => "none",
    }
}

const fn tcbs(fields: &ReportFields) -> [(&'static str, Tcb); 4] {
    [
        ("reported", fields.reported_tcb),
        ("committed", fields.committed_tcb),
        ("current", fields.current_tcb),
        ("launch", fields.launch_tcb),
    ]
}

fn tcb_text(fields: &ReportFields, line: Option<ProductLine>) -> String {
    let mut rows = Vec::new();
    for (name, tcb) in tcbs(fields) {
        let mut row = vec![name.to_owned()];
        let components = line.and_then(|line| tcb.components(line));
        row.extend(match components {
            Some(parts) => [
                parts.fmc,
                parts.bootloader,
                parts.tee,
                parts.snp,
                parts.microcode,
            ]
            .map(|part| part.to_string()),
            None => ["?"; 5].map(str::to_owned),
        });
        row.push(hex::encode(tcb.bytes()));
        rows.push(row);
    }
    let headings = [
        "tcb",
        "fmc",
        "bootloader",
        "tee",
        "snp",
        "microcode",
        "bytes",
    ];
    let table = table(&headings, &rows);
    match line {
        Some(_) => table,
        None => format!(
            "{table}\nThis report version does not name the product line; pass --line to have the bytes read \
             in its layout."
        ),
    }
}

fn firmware_rows(report: &Report) -> Vec<(&'static str, String)> {
    let fields = report.fields();
    let mut rows = vec![
        ("current firmware", fields.current_firmware.to_string()),
        ("committed firmware", fields.committed_firmware.to_string()),
    ];
    if let Some(vectors) = fields.version.mitigation() {
        rows.push(("launch mitigations", format!("{:#x}", vectors.launch)));
        rows.push(("current mitigations", format!("{:#x}", vectors.current)));
    }
    let (r, s) = report.signature().split_at(48);
    rows.push(("signature r", hex::encode(r)));
    rows.push(("signature s", hex::encode(s)));
    rows
}

/// Everything, for a program. `line` decides how TCBs are read.
pub(crate) fn json(report: &Report, line: Option<ProductLine>) -> Object {
    let fields = report.fields();
    let cpuid = fields.version.cpuid().map_or(Value::Null, |cpuid| {
        Object::with_capacity(3)
            .with("family", u64::from(cpuid.family))
            .with("model", u64::from(cpuid.model))
            .with("stepping", u64::from(cpuid.stepping))
            .into()
    });
    let mut json = Object::with_capacity(28)
        .with("report_version", u64::from(fields.version.number()))
        .with(
            "product_line",
            line.map_or(Value::Null, |line| line.word().into()),
        )
        .with("cpuid", cpuid)
        .with("chip_id", hex::encode(fields.chip_id))
        .with("measurement", hex::encode(fields.measurement))
        .with("report_data", hex::encode(fields.report_data))
        .with("host_data", hex::encode(fields.host_data))
        .with("vmpl", u64::from(fields.vmpl))
        .with("guest_svn", u64::from(fields.guest_svn))
        .with("family_id", hex::encode(fields.family_id))
        .with("image_id", hex::encode(fields.image_id))
        .with("id_key_digest", hex::encode(fields.id_key_digest))
        .with("author_key_digest", hex::encode(fields.author_key_digest))
        .with("report_id", hex::encode(fields.report_id))
        .with("report_id_ma", hex::encode(fields.report_id_ma))
        .with("guest_policy", guest_policy_json(fields.policy))
        .with("platform_info", platform_info_json(fields.platform_info))
        .with("signer_info", signer_info_json(fields.signer_info));
    for (name, tcb) in tcbs(fields) {
        json = json.with(&format!("{name}_tcb"), tcb_json(tcb, line));
    }
    let vectors = fields.version.mitigation();
    let mitigation =
        |bits: Option<u64>| bits.map_or(Value::Null, |bits| format!("{bits:#x}").into());
    let (r, s) = report.signature().split_at(48);
    json.with("current_firmware", fields.current_firmware.to_string())
        .with("committed_firmware", fields.committed_firmware.to_string())
        .with(
            "launch_mitigations",
            mitigation(vectors.map(|both| both.launch)),
        )
        .with(
            "current_mitigations",
            mitigation(vectors.map(|both| both.current)),
        )
        .with(
            "signature",
            Object::with_capacity(3)
                .with("algorithm", "ecdsa-p384-sha384")
                .with("r", hex::encode(r))
                .with("s", hex::encode(s)),
        )
}

fn guest_policy_json(policy: GuestPolicy) -> Object {
    let (major, minor) = policy.abi();
    let json = Object::with_capacity(11)
        .with("bits", format!("{:#x}", policy.bits()))
        .with("abi_min", format!("{major}.{minor}"));
    GUEST_POLICY_BITS
        .iter()
        .fold(json, |json, (mask, name, _)| {
            json.with(name, policy.has(*mask))
        })
}

fn platform_info_json(platform: PlatformInfo) -> Object {
    let json = Object::with_capacity(9).with("bits", format!("{:#x}", platform.bits()));
    PLATFORM_INFO_BITS
        .iter()
        .fold(json, |json, (mask, name, _)| {
            json.with(name, platform.has(*mask))
        })
}

fn signer_info_json(signer: SignerInfo) -> Object {
    let key = signer.signing_key().map(signer_word);
    let json = Object::with_capacity(4)
        .with("bits", format!("{:#x}", signer.bits()))
        .with("signing_key", key.map_or(Value::Null, Value::from));
    SIGNER_INFO_BITS.iter().fold(json, |json, (mask, name, _)| {
        json.with(name, signer.has(*mask))
    })
}

fn tcb_json(tcb: Tcb, line: Option<ProductLine>) -> Object {
    let json = Object::with_capacity(6).with("bytes", hex::encode(tcb.bytes()));
    match line.and_then(|line| tcb.components(line)) {
        Some(parts) => json
            .with("fmc", u64::from(parts.fmc))
            .with("bootloader", u64::from(parts.bootloader))
            .with("tee", u64::from(parts.tee))
            .with("snp", u64::from(parts.snp))
            .with("microcode", u64::from(parts.microcode)),
        None => json,
    }
}
