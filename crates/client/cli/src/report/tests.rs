use super::*;

use std::path::{Path, PathBuf};

use base64ct::{Base64, Encoding as _};
use chancery_json::Limits;
use chancery_verify::Evidence;

use crate::files::tests::Folder;

fn vectors() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../attestation/vectors")
}

fn shown(file: &Path, line: Option<Line>) -> Result<Outcome, CliError> {
    let file = file.to_owned();
    run(&ReportCommand::Show(ReportShowArgs { file, line }))
}

fn read(path: &Path) -> Value {
    Value::parse(&std::fs::read(path).unwrap(), &Limits::DOCUMENT).unwrap()
}

/// The member of an object, `a/b` being the member b of the member a.
fn member<'a>(value: &'a Value, path: &str) -> &'a Value {
    path.split('/').fold(value, |value, name| {
        let object = value.as_object().unwrap_or_else(|| panic!("{path}"));
        object.get(name).unwrap_or_else(|| panic!("{path}"))
    })
}

/// What stands for one fact here, and in the vectors.
const FACTS: &[(&str, &str)] = &[
    ("measurement", "measurement"),
    ("report_data", "report_data"),
    ("host_data", "host_data"),
    ("vmpl", "vmpl"),
    ("guest_svn", "guest_svn"),
    ("chip_id", "chip_id"),
    ("family_id", "family_id"),
    ("image_id", "image_id"),
    ("id_key_digest", "id_key_digest"),
    ("author_key_digest", "author_key_digest"),
    ("report_id", "report_id"),
    ("report_id_ma", "report_id_ma"),
    ("report_version", "version"),
    ("current_firmware", "current_firmware"),
    ("committed_firmware", "committed_firmware"),
    ("guest_policy/bits", "policy/raw"),
    ("guest_policy/smt", "policy/smt_allowed"),
    ("guest_policy/migrate_ma", "policy/migrate_ma_allowed"),
    ("guest_policy/debug", "policy/debug_allowed"),
    (
        "guest_policy/single_socket",
        "policy/single_socket_required",
    ),
    ("guest_policy/cxl_allow", "policy/cxl_allowed"),
    (
        "guest_policy/mem_aes_256_xts",
        "policy/mem_aes_256_xts_required",
    ),
    ("guest_policy/rapl_dis", "policy/rapl_disable_required"),
    (
        "guest_policy/ciphertext_hiding_dram",
        "policy/ciphertext_hiding_required",
    ),
    ("guest_policy/page_swap_disable", "policy/page_swap_disable"),
    ("platform_info/bits", "platform_info/raw"),
    ("platform_info/smt", "platform_info/smt_enabled"),
    ("platform_info/tsme", "platform_info/tsme_enabled"),
    ("platform_info/ecc", "platform_info/ecc_enabled"),
    ("platform_info/rapl_dis", "platform_info/rapl_disabled"),
    (
        "platform_info/ciphertext_hiding_dram",
        "platform_info/ciphertext_hiding_enabled",
    ),
    (
        "platform_info/alias_check_complete",
        "platform_info/alias_check_complete",
    ),
    (
        "platform_info/iommu_write_safe",
        "platform_info/bit6_iommu_write_safe",
    ),
    ("platform_info/tio", "platform_info/tio_enabled"),
    ("signer_info/bits", "signer_info/raw"),
    ("signer_info/author_key_en", "signer_info/author_key_en"),
    ("signer_info/mask_chip_key", "signer_info/mask_chip_key"),
    ("reported_tcb/bytes", "reported_tcb/raw_hex"),
    ("committed_tcb/bytes", "committed_tcb/raw_hex"),
    ("current_tcb/bytes", "current_tcb/raw_hex"),
    ("launch_tcb/bytes", "launch_tcb/raw_hex"),
    ("reported_tcb/snp", "reported_tcb/snp"),
    ("committed_tcb/bootloader", "committed_tcb/bootloader"),
    ("current_tcb/tee", "current_tcb/tee"),
    ("launch_tcb/microcode", "launch_tcb/microcode"),
];

#[test]
fn decodes_every_genuine_report_as_the_vectors_say() {
    let mut count = 0;
    for entry in std::fs::read_dir(vectors().join("reports")).unwrap() {
        let folder = entry.unwrap().path();
        let expected = read(&folder.join("expected.json"));
        let line = member(&expected, "product_line")
            .as_str()
            .unwrap()
            .to_lowercase();
        let version = member(&expected, "report/version").as_u64().unwrap();
        let lines = [
            ("milan", Line::Milan),
            ("genoa", Line::Genoa),
            ("turin", Line::Turin),
        ];
        let given = lines
            .into_iter()
            .find(|(word, _)| version == 2 && *word == line);
        let given = given.map(|(_, line)| line);
        let outcome = shown(&folder.join("report.bin"), given).unwrap();
        let json = Value::from(outcome.json);
        assert_eq!(member(&json, "verified"), &Value::from(false));
        assert_eq!(member(&json, "product_line").as_str(), Some(line.as_str()));
        for (here, there) in FACTS {
            assert_eq!(
                member(&json, here),
                member(&expected, &format!("report/{there}")),
                "{} {here}",
                folder.display()
            );
        }
        if version == 5 {
            for (here, there) in [
                ("launch_mitigations", "launch_mit_vector"),
                ("current_mitigations", "current_mit_vector"),
            ] {
                assert_eq!(
                    member(&json, here),
                    member(&expected, &format!("report/{there}"))
                );
            }
        } else {
            assert_eq!(member(&json, "launch_mitigations"), &Value::Null);
        }
        count += 1;
    }
    assert_eq!(count, 27);
}

#[test]
fn a_person_reads_every_bit_and_component_by_its_name_and_that_nothing_is_verified() {
    let path = vectors().join("reports/turin-v5-vcek-02/report.bin");
    let text = shown(&path, None).unwrap().text;
    assert!(text.starts_with("Decoded only: nothing here is verified."));
    for line in [
        "report version     5",
        "processor          Turin: family 1ah, model 02h, stepping 1",
        "guest policy 0x30000: firmware ABI at least 0.0",
        "  16  smt                     yes  may run beside another thread of its core",
        "  19  debug                   no   the host may read its memory",
        "   5  alias_check_complete    yes  memory was checked for aliases",
        "signer info 0x0: signed by a VCEK, this chip's own key",
        "tcb        fmc  bootloader  tee  snp  microcode  bytes",
        "reported   1    3           2    5    97         0103020500000061",
        "current firmware     1.58.3",
        "launch mitigations   0x3f",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
    }
}

#[test]
fn a_report_of_version_2_needs_its_line_named_to_have_its_tcbs_read() {
    let path = vectors().join("reports/milan-v2-vcek-01/report.bin");
    let outcome = shown(&path, None).unwrap();
    assert!(outcome.text.contains("pass --line"));
    assert!(
        outcome.text.contains("\nreported   ?    ?"),
        "{}",
        outcome.text
    );
    let json = Value::from(outcome.json);
    assert_eq!(member(&json, "product_line"), &Value::Null);
    assert!(
        member(&json, "reported_tcb")
            .as_object()
            .unwrap()
            .get("snp")
            .is_none()
    );
    // Bytes that do not fit the layout of the given line stay bytes.
    let wrong = shown(&path, Some(Line::Turin)).unwrap();
    assert!(wrong.text.contains("\nreported   ?    ?"), "{}", wrong.text);
    let named = vectors().join("reports/turin-v5-vcek-02/report.bin");
    let refused = shown(&named, Some(Line::Turin));
    assert!(matches!(
        refused,
        Err(CliError::ValueInvalid {
            option: "--line",
            ..
        })
    ));
}

#[test]
fn reads_a_report_in_every_form_that_people_have_it_in() {
    let folder = Folder::new();
    let raw = vectors().join("reports/genoa-v3-vcek-01-tsm/report.bin");
    let bytes = std::fs::read(&raw).unwrap();
    let expected = shown(&raw, None).unwrap().text;
    let hexadecimal = hex::encode(&bytes);
    let lines: Vec<String> = hexadecimal
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8(line.to_vec()).unwrap())
        .collect();
    let evidence = Evidence {
        report: bytes.clone(),
        ..Evidence::default()
    };
    for form in [
        hexadecimal.to_uppercase().into_bytes(),
        lines.join("\r\n").into_bytes(),
        Base64::encode_string(&bytes).into_bytes(),
        evidence.encode().unwrap(),
    ] {
        let path = folder.path("report");
        std::fs::write(&path, form).unwrap();
        assert_eq!(shown(&path, None).unwrap().text, expected);
    }
}

#[test]
fn bad_bytes_are_refused_by_the_named_check() {
    let folder = Folder::new();
    let path = folder.path("report");
    let genuine = std::fs::read(vectors().join("reports/turin-v5-vcek-02/report.bin")).unwrap();
    let flipped = |at: usize, bit: u8| {
        let mut spoiled = genuine.clone();
        spoiled[at] ^= bit;
        spoiled
    };
    for (bytes, check) in [
        (Vec::new(), "report_length"),
        (genuine[..1183].to_vec(), "report_length"),
        ([&genuine[..], b"x"].concat(), "report_length"),
        (b"00".to_vec(), "report_length"),
        (b"no report".to_vec(), "report_length"),
        (vec![0xff; 4096], "report_length"),
        (flipped(0, 0x40), "report_version"),
        (flipped(10, 0x02), "report_policy_reserved"),
        (flipped(0x30, 0x04), "report_vmpl"),
        (flipped(0x34, 0x02), "report_signature_algorithm"),
        (flipped(0x48, 0x80), "report_signer_info"),
        (flipped(0x4c, 0x01), "report_reserved"),
        (flipped(0x188, 0x40), "report_processor"),
        (flipped(0x3c, 0x01), "report_tcb_reserved"),
        (flipped(0x2d0, 0x01), "report_signature_range"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let told = shown(&path, None).unwrap_err().to_string();
        assert!(told.contains(&format!("is not valid: {check}: ")), "{told}");
    }
    assert!(matches!(
        shown(&folder.path("absent"), None),
        Err(CliError::FileRead { .. })
    ));
}
