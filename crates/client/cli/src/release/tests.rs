use super::*;

use std::path::{Path, PathBuf};

use chancery_json::{Limits, Value};
use clap::Parser as _;

use crate::args::{Cli, Command};
use crate::files::tests::Folder;

fn vectors() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../attestation/vectors/launch-digest")
}

/// Runs a command line, its parts separated by spaces, with `extra` parts that may hold some.
fn run_line(line: &str, extra: &[&str]) -> Result<Outcome, CliError> {
    let parts = line.split(' ').filter(|part| !part.is_empty());
    let cli = Cli::try_parse_from(parts.chain(extra.iter().copied()))
        .unwrap_or_else(|error| panic!("{line}: {error}"));
    match cli.command {
        Command::Release(command) => run(&command),
        other => panic!("{other:?}"),
    }
}

fn json(outcome: &Outcome) -> Value {
    Value::parse(&outcome.json.to_bytes(), &Limits::DOCUMENT).unwrap()
}

/// The member of a document at a path of names and indices.
fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    path.split('/').fold(value, |value, step| match value {
        Value::Array(items) => &items[step.parse::<usize>().unwrap()],
        _ => value
            .as_object()
            .unwrap()
            .get(step)
            .unwrap_or_else(|| panic!("{path}")),
    })
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    at(value, path).as_str().unwrap()
}

fn unpacked(name: &str, folder: &Folder) -> PathBuf {
    let path = vectors().join(name);
    if !name.ends_with(".xz") {
        return path;
    }
    let mut image = Vec::new();
    lzma_rs::xz_decompress(&mut std::fs::read(path).unwrap().as_slice(), &mut image).unwrap();
    let path = folder.path("unpacked.fd");
    std::fs::write(&path, image).unwrap();
    path
}

fn cases() -> Vec<Value> {
    let text = std::fs::read(vectors().join("cases.json")).unwrap();
    let document = Value::parse(&text, &Limits::DOCUMENT).unwrap();
    at(&document, "cases").as_array().unwrap().to_vec()
}

fn optional<'a>(case: &'a Value, name: &str) -> Option<&'a str> {
    case.as_object().unwrap().get(name).and_then(Value::as_str)
}

fn case_options(case: &Value, folder: &Folder) -> Vec<String> {
    let mut options = Vec::new();
    let mut add = |name: &str, value: String| options.extend([name.to_owned(), value]);
    add("--vmm", text(case, "vmm").to_owned());
    let path = |name: &str| unpacked(name, folder).display().to_string();
    add("--ovmf", path(text(case, "ovmf")));
    for (option, name) in [("--kernel", "kernel"), ("--initrd", "initrd")] {
        if let Some(name) = optional(case, name) {
            add(option, path(name));
        }
    }
    if let Some(append) = optional(case, "append") {
        add("--append", append.to_owned());
    }
    add("--vcpus", at(case, "vcpus").as_u64().unwrap().to_string());
    if let Some(model) = optional(case, "vcpu_type") {
        add("--vcpu-type", model.to_owned());
    }
    add("--guest-features", text(case, "guest_features").to_owned());
    options
}

#[test]
fn every_launch_digest_of_the_vectors_comes_out_of_the_command() {
    let folder = Folder::new();
    let mut reproduced = 0;
    for case in cases()
        .iter()
        .filter(|case| optional(case, "ovmf").is_some())
    {
        let id = text(case, "id");
        let options = case_options(case, &folder);
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let outcome = run_line("chancery release measure", &options);
        match optional(case, "expect_digest") {
            Some(expected) => {
                let outcome = outcome.unwrap();
                let json = json(&outcome);
                assert_eq!(
                    text(&json, "measurements/0/launch_digest"),
                    expected,
                    "{id}"
                );
                assert!(outcome.text.contains(expected), "{id}");
            }
            None => assert!(
                outcome.unwrap_err().advice().unwrap().contains("AmdSev"),
                "{id}"
            ),
        }
        reproduced += 1;
    }
    assert_eq!(reproduced, 21);
}

fn guid(text: &str) -> Vec<u8> {
    let bytes = hex::decode(text.replace('-', "")).unwrap();
    let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    order.map(|place| bytes[place]).to_vec()
}

/// An image of one page that has the metadata of a published launch, and nothing else.
fn image_with_metadata(inputs: &Value) -> Vec<u8> {
    let word = |value: u64| u32::try_from(value).unwrap().to_le_bytes();
    let sections = at(inputs, "ovmf_sections").as_array().unwrap();
    let count = u64::try_from(sections.len()).unwrap();
    let mut image = b"ASEV".to_vec();
    for value in [16 + 12 * count, 1, count] {
        image.extend(word(value));
    }
    for section in sections {
        for name in ["gpa", "size", "section_type"] {
            image.extend(word(at(section, name).as_u64().unwrap()));
        }
    }
    let number = |name: &str| at(inputs, name).as_u64().unwrap();
    let entries = [
        (
            number("sev_hashes_table_gpa"),
            "7255371f-3a3b-4b04-927b-1da6efa8d454",
        ),
        (
            number("sev_es_reset_eip"),
            "00f771de-1a7e-4fcb-890e-68c77e2fb44e",
        ),
        (4096, "dc886566-984a-4798-a75e-5585a7bf67cc"),
    ];
    let mut table = Vec::new();
    for (value, id) in entries {
        table.extend(word(value));
        table.extend(22_u16.to_le_bytes());
        table.extend(guid(id));
    }
    let size = u16::try_from(table.len() + 18).unwrap();
    table.extend(size.to_le_bytes());
    table.extend(guid("96b582de-1fb2-45f7-baea-a366c55a082d"));
    image.resize(4096 - 32 - table.len(), 0);
    image.extend(table);
    image.resize(4096, 0);
    image
}

#[test]
fn the_measurement_of_a_genuine_milan_report_comes_out_of_its_published_hashes() {
    let folder = Folder::new();
    let cases = cases();
    let case = cases
        .iter()
        .find(|case| text(case, "id") == "hw-milan-dstack")
        .unwrap();
    let inputs = at(case, "inputs");
    let ovmf = folder.path("metadata.fd");
    std::fs::write(&ovmf, image_with_metadata(inputs)).unwrap();
    let number = |name: &str| at(inputs, name).as_u64().unwrap().to_string();
    let vcpus = number("vcpus");
    let features = at(inputs, "guest_features").as_u64().unwrap();
    let features = format!("{features:#x}");
    let extra = [
        "--ovmf",
        ovmf.to_str().unwrap(),
        "--snp-ovmf-hash",
        text(inputs, "ovmf_hash"),
        "--kernel-sha256",
        text(inputs, "kernel_hash"),
        "--initrd-sha256",
        text(inputs, "initrd_hash"),
        "--append",
        text(inputs, "base_cmdline"),
        "--vcpus",
        &vcpus,
        "--vcpu-type",
        text(inputs, "vcpu_type"),
        "--guest-features",
        &features,
    ];
    let outcome = run_line("chancery release measure", &extra).unwrap();
    let expected = text(case, "expect_digest");
    assert_eq!(
        text(&json(&outcome), "measurements/0/launch_digest"),
        expected
    );
}

fn amd_sev() -> String {
    vectors()
        .join("ovmf/ovmf_AmdSev_suffix.bin")
        .display()
        .to_string()
}

#[test]
fn measures_each_number_of_processors_with_each_model_once() {
    let line = format!("chancery release measure --ovmf {}", amd_sev());
    let several = "--vcpus 1,2 --vcpus 4 --vcpu-type EPYC-v4,EPYC-Genoa --vcpu-sig 0xb00f00 --vcpu-type EPYC-v4";
    let outcome = run_line(&format!("{line} {several}"), &[]).unwrap();
    let document = json(&outcome);
    let measurements = at(&document, "measurements").as_array().unwrap();
    assert_eq!(measurements.len(), 9);
    assert_eq!(
        text(&measurements[2], "name"),
        "snp-launch-digest:qemu:1:0xb00f00:0x1"
    );
    let mut digests: Vec<&str> = measurements
        .iter()
        .map(|m| text(m, "launch_digest"))
        .collect();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), 9);
    let lines: Vec<&str> = outcome.text.lines().collect();
    assert_eq!(lines[0], "vmm   vcpus  vcpu type   features  launch digest");
    assert!(lines[2].starts_with("qemu  1      EPYC-Genoa  0x1       "));

    // EC2 and GCE keep the model out of the measurement, so there is nothing to choose.
    let gce = run_line(
        &format!("{line} --vmm gce --vcpus 2 --vcpu-type EPYC-v4,EPYC-Genoa"),
        &[],
    );
    let document = json(&gce.unwrap());
    assert_eq!(at(&document, "measurements").as_array().unwrap().len(), 1);
    assert_eq!(at(&document, "measurements/0/vcpu_type"), &Value::Null);
    // The tool's own name of the option, and its way of writing the value, are taken too.
    assert!(
        run_line(
            &format!("{line} --vmm-type QEMU --vcpus 1 --vcpu-type EPYC"),
            &[]
        )
        .is_ok()
    );
}

#[test]
fn a_firmware_that_cannot_be_measured_is_named_with_what_to_do() {
    let folder = Folder::new();
    let path = folder.path("firmware.fd");
    let image = std::fs::read(amd_sev()).unwrap();
    let mut without_table = image.clone();
    without_table[4096 - 33] ^= 1;
    for (bytes, advice) in [
        (&image[..100], "OvmfPkg/AmdSev"),
        (&without_table, "OvmfPkg/AmdSev"),
        (b"", "OvmfPkg/AmdSev"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let line = format!(
            "chancery release measure --vcpus 1 --vcpu-type EPYC --ovmf {}",
            path.display()
        );
        let error = run_line(&line, &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("{} has no launch digest", path.display())
        );
        assert_eq!(error.causes().len(), 1);
        assert!(error.advice().unwrap().contains(advice));
    }
    let absent = folder.path("absent");
    let absent = absent.display();
    for options in [
        format!("--ovmf {absent}"),
        format!("--ovmf {} --kernel {absent}", amd_sev()),
    ] {
        let line = format!("chancery release measure --vcpus 1 --vcpu-type EPYC {options}");
        let error = run_line(&line, &[]).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot read {absent}"));
    }
}

#[test]
fn refuses_qemu_without_a_model_and_more_shapes_than_a_release_can_have() {
    let line = format!("chancery release measure --ovmf {}", amd_sev());
    let error = run_line(&format!("{line} --vcpus 1"), &[]).unwrap_err();
    assert!(error.to_string().starts_with("--vcpu-type must be given"));
    assert_eq!(error.exit_code(), 2);
    let many: Vec<String> = (1..=65).map(|vcpus| vcpus.to_string()).collect();
    let error = run_line(
        &format!("{line} --vcpu-type EPYC --vcpus {}", many.join(",")),
        &[],
    );
    assert!(
        error
            .unwrap_err()
            .to_string()
            .starts_with("--vcpus must be given")
    );
}

/// A release of two shapes signed by `a.key`, and the keys `a.key` and `b.key` with their public halves.
struct Signed {
    folder: Folder,
}

impl Signed {
    fn new() -> Self {
        let signed = Self {
            folder: Folder::new(),
        };
        for key in ["a.key", "b.key"] {
            signed.run(&format!("keygen --out {key}")).unwrap();
        }
        signed.run(&signed.sign("7", "one.dsse")).unwrap();
        signed
    }

    /// A command line that signs the release with this serial.
    fn sign(&self, serial: &str, out: &str) -> String {
        format!(
            "sign --key a.key --out {out} --id demo --release-version 1.2.0 --serial {serial} \
             --issued 2026-01-01T00:00:00Z --expires 2027-01-01T00:00:00Z --ovmf {} \
             --vcpus 1,2 --vcpu-type EPYC-Genoa",
            amd_sev()
        )
    }

    /// Runs a command line, in which file names are those of the folder.
    fn run(&self, line: &str) -> Result<Outcome, CliError> {
        let parts: Vec<String> = line
            .split_whitespace()
            .map(|part| {
                let is_file = [".key", ".pub", ".dsse", ".json"]
                    .iter()
                    .any(|end| part.ends_with(end));
                match is_file && !Path::new(part).is_absolute() {
                    true => self.folder.path(part).display().to_string(),
                    false => part.to_owned(),
                }
            })
            .collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        run_line("chancery release", &parts)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.folder.path(name), bytes).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.folder.path(name)).unwrap()
    }

    /// The names of the checks that failed.
    fn failed(&self, line: &str) -> Vec<String> {
        let outcome = self.run(line).unwrap();
        let document = json(&outcome);
        let violations = at(&document, "violations").as_array().unwrap();
        let refused = !violations.is_empty();
        assert_eq!(outcome.holds, !refused);
        assert_eq!(
            text(&document, "verdict"),
            if refused { "refused" } else { "accepted" }
        );
        assert!(
            outcome
                .text
                .starts_with(if refused { "REFUSED: " } else { "ACCEPTED: " })
        );
        violations
            .iter()
            .map(|row| text(row, "check").to_owned())
            .collect()
    }
}

const VERIFY_ONE: &str = "verify one.dsse --release-key a.key.pub --at 2026-06-01T00:00:00Z";

#[test]
fn a_statement_is_signed_from_what_is_measured_and_verified() {
    let signed = Signed::new();
    assert_eq!(signed.failed(VERIFY_ONE), Vec::<String>::new());
    let outcome = signed.run(VERIFY_ONE).unwrap();
    let document = json(&outcome);
    assert_eq!(text(&document, "kind"), "release");
    assert_eq!(text(&document, "at"), "2026-06-01T00:00:00Z");
    assert_eq!(text(&document, "document/version"), "1.2.0");
    assert_eq!(at(&document, "document/serial").as_u64(), Some(7));
    assert_eq!(at(&document, "not_checked").as_array().unwrap().len(), 3);
    let measured = run_line(
        &format!(
            "chancery release measure --ovmf {} --vcpus 2 --vcpu-type EPYC-Genoa",
            amd_sev()
        ),
        &[],
    );
    assert_eq!(
        at(&document, "document/subjects/1"),
        at(&json(&measured.unwrap()), "measurements/0")
    );
    let payload_type = json_of(&signed.read("one.dsse"));
    assert_eq!(
        text(&payload_type, "payloadType"),
        "application/vnd.in-toto+json"
    );
}

fn json_of(bytes: &[u8]) -> Value {
    Value::parse(bytes, &Limits::DOCUMENT).unwrap()
}

#[test]
fn force_destroys_no_key_and_no_input() {
    let signed = Signed::new();
    let key = signed.read("b.key");
    for line in [
        "sign one.dsse --key b.key --out b.key --force",
        "sign one.dsse --key b.key --out a.key --force",
        "sign one.dsse --key b.key --out one.dsse --force",
    ] {
        let refused = signed.run(line);
        assert!(
            matches!(refused, Err(CliError::OutputProtected { .. })),
            "{line}"
        );
    }
    assert_eq!(signed.read("b.key"), key);
    let again = signed.run("keygen --out a.key").unwrap_err();
    assert!(!again.advice().unwrap().contains("--force"));
}

#[test]
fn a_folder_is_no_exposed_key() {
    let signed = Signed::new();
    let folder = signed.folder.path("").display().to_string();
    let error = signed
        .run(&format!("sign one.dsse --key {folder} --out two.dsse"))
        .unwrap_err();
    assert!(matches!(error, CliError::FileRead { .. }), "{error:?}");
}

#[test]
fn a_number_after_which_there_is_none_is_not_signed() {
    let signed = Signed::new();
    let last = "9007199254740991";
    signed.run(&signed.sign(last, "last.dsse")).unwrap();
    for serial in ["9007199254740992", "18446744073709551615"] {
        assert!(signed.run(&signed.sign(serial, "two.dsse")).is_err());
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../policies/turin.json");
    let text = std::fs::read_to_string(path).unwrap();
    let large = text.replacen("\"version\": 1,", "\"version\": 9007199254740992,", 1);
    assert_ne!(large, text);
    signed.write("policy.json", large.as_bytes());
    let line = "sign policy.json --kind release-policy --key a.key --out policy.dsse";
    assert!(matches!(
        signed.run(line),
        Err(CliError::EditInvalid { .. })
    ));
}

#[test]
fn several_people_sign_one_after_another_and_a_threshold_counts() {
    let signed = Signed::new();
    let both = "--release-key a.key.pub --release-key b.key.pub --at 2026-06-01T00:00:00Z";
    assert_eq!(
        signed.failed(&format!("verify one.dsse {both}")),
        ["signatures"]
    );
    assert!(
        signed
            .failed(&format!("verify one.dsse {both} --threshold 1"))
            .is_empty()
    );
    let outcome = signed
        .run("sign one.dsse --key b.key --out two.dsse")
        .unwrap();
    // Only who signed now is told as a signer; nobody checked the other signature.
    let signed_now = json(&outcome);
    let ids = |name| at(&signed_now, name).as_array().unwrap();
    assert_eq!(
        (ids("signers").len(), ids("unchecked_signatures").len()),
        (1, 1)
    );
    assert_ne!(ids("signers"), ids("unchecked_signatures"));
    let (before, after) = outcome.text.split_once("not checked:").unwrap();
    assert!(before.contains(text(&signed_now, "signers/0")));
    assert!(after.contains(text(&signed_now, "unchecked_signatures/0")));
    assert!(signed.failed(&format!("verify two.dsse {both}")).is_empty());
    // Nobody signs twice, and nothing is replaced without being asked for.
    assert!(
        signed
            .run("sign two.dsse --key b.key --out three.dsse")
            .is_err()
    );
    let again = signed.run("sign one.dsse --key b.key --out two.dsse");
    assert!(matches!(again, Err(CliError::FileExists { .. })));
    assert!(
        signed
            .run("sign one.dsse --key b.key --out two.dsse --force")
            .is_ok()
    );
    let error = signed
        .run(&format!("verify one.dsse {both} --threshold 3"))
        .unwrap_err();
    assert!(error.to_string().starts_with("--threshold must be from 1"));
    assert_eq!(error.exit_code(), 2);
}

#[test]
fn a_statement_of_others_keys_and_a_spoiled_one_are_refused() {
    let signed = Signed::new();
    let line = "verify one.dsse --release-key b.key.pub --at 2026-06-01T00:00:00Z";
    assert_eq!(signed.failed(line), ["signatures"]);
    let envelope = String::from_utf8(signed.read("one.dsse")).unwrap();
    signed.write(
        "spoiled.dsse",
        envelope.replacen("eyJ", "eyI", 1).as_bytes(),
    );
    let line = VERIFY_ONE.replace("one", "spoiled");
    assert_eq!(signed.failed(&line), ["signatures", "form"]);
    for garbage in [&b""[..], b"{}", b"\xff", &envelope.as_bytes()[1..]] {
        signed.write("spoiled.dsse", garbage);
        assert_eq!(signed.failed(&line), ["envelope"]);
    }
    let other = envelope.replace("application/vnd.in-toto+json", "application/vnd.other+json");
    signed.write("spoiled.dsse", other.as_bytes());
    assert_eq!(signed.failed(&line), ["envelope"]);
}

#[test]
fn a_statement_holds_only_between_its_two_times() {
    let signed = Signed::new();
    for (time, failed) in [
        ("2025-12-31T23:59:59Z", vec!["in_force"]),
        ("2026-01-01T00:00:00Z", vec![]),
        ("2026-12-31T23:59:59Z", vec![]),
        ("2027-01-01T00:00:00Z", vec!["in_force"]),
    ] {
        let line = format!("verify one.dsse --release-key a.key.pub --at {time}");
        assert_eq!(signed.failed(&line), failed, "{time}");
    }
}

#[test]
fn a_number_that_does_not_grow_is_neither_signed_nor_accepted() {
    let signed = Signed::new();
    signed.run(&signed.sign("8", "next.dsse")).unwrap();
    let previous = "--previous next.dsse";
    assert_eq!(
        signed.failed(&format!("{VERIFY_ONE} {previous}")),
        ["number"]
    );
    assert_eq!(
        signed.failed(&format!("{VERIFY_ONE} --previous one.dsse")),
        ["number"]
    );
    let line = VERIFY_ONE.replace("one", "next");
    assert!(
        signed
            .failed(&format!("{line} --previous one.dsse"))
            .is_empty()
    );

    let refused = signed.run(&format!("{} {previous}", signed.sign("8", "last.dsse")));
    let error = refused.unwrap_err();
    assert!(
        error.to_string().starts_with("number 8 is not above 8"),
        "{error}"
    );
    assert!(!signed.folder.path("last.dsse").exists());
    signed
        .run(&format!("{} {previous}", signed.sign("9", "last.dsse")))
        .unwrap();
}

/// A policy that lists what the statement `one.dsse` names.
fn policy_listing(signed: &Signed, version: &str) -> String {
    let document = json(&signed.run(VERIFY_ONE).unwrap());
    let subjects = at(&document, "document/subjects").as_array().unwrap();
    let releases: Vec<String> = subjects
        .iter()
        .map(|subject| {
            format!(
                "{{\"id\":\"demo\",\"version\":\"{version}\",\"measurement\":\"{}\"}}",
                text(subject, "launch_digest")
            )
        })
        .collect();
    let mut policy =
        chancery_verify::ReleasePolicy::baseline(3, 1_767_225_600_000, 1_798_761_600_000);
    policy.floors_version_min = 1;
    let empty = String::from_utf8(policy.to_json().unwrap()).unwrap();
    assert!(empty.contains("\"releases\":[]"));
    empty.replace(
        "\"releases\":[]",
        &format!("\"releases\":[{}]", releases.join(",")),
    )
}

#[test]
fn says_whether_a_policy_lists_every_launch_digest() {
    let signed = Signed::new();
    let line = format!("{VERIFY_ONE} --policy policy.json");
    let policy = policy_listing(&signed, "1.2.0");
    signed.write("policy.json", policy.as_bytes());
    assert!(signed.failed(&line).is_empty());
    signed.write("policy.json", policy_listing(&signed, "1.1.0").as_bytes());
    assert_eq!(signed.failed(&line), ["listed", "listed"]);
    let outcome = signed.run(&line).unwrap();
    assert!(
        outcome.text.contains("listed as demo 1.1.0"),
        "{}",
        outcome.text
    );
    let document = json(&signed.run(VERIFY_ONE).unwrap());
    let digest = text(&document, "document/subjects/0/launch_digest");
    let one_missing = policy.replace(digest, &"0".repeat(96));
    signed.write("policy.json", one_missing.as_bytes());
    assert_eq!(signed.failed(&line), ["listed"]);
    signed.write(
        "policy.json",
        policy.replacen('{', "{\"surplus\":1,", 1).as_bytes(),
    );
    let outcome = signed.run(&line).unwrap();
    assert_eq!(
        text(&json(&outcome), "violations/0/got"),
        "unknown member at /surplus"
    );
}

#[test]
fn a_policy_is_signed_by_kind_and_its_signatures_count() {
    let signed = Signed::new();
    let policy = policy_listing(&signed, "1.2.0");
    signed.write("policy.json", policy.as_bytes());
    let refused = signed
        .run("sign policy.json --key a.key --out policy.dsse")
        .unwrap_err();
    assert!(refused.to_string().contains("pass --kind"), "{refused}");
    let refused = signed.run("sign policy.json --kind tcb-floors --key a.key --out policy.dsse");
    assert!(matches!(refused, Err(CliError::EditInvalid { .. })));
    signed
        .run("sign policy.json --kind release-policy --key a.key --out policy.dsse")
        .unwrap();
    let envelope = json_of(&signed.read("policy.dsse"));
    assert_eq!(
        text(&envelope, "payloadType"),
        "application/vnd.chancery.release-policy+json"
    );
    assert!(
        signed
            .failed(&VERIFY_ONE.replace("one", "policy"))
            .is_empty()
    );
    assert!(
        signed
            .failed(&format!("{VERIFY_ONE} --policy policy.dsse"))
            .is_empty()
    );
    signed
        .run("sign policy.json --kind release-policy --key b.key --out foreign.dsse")
        .unwrap();
    assert_eq!(
        signed.failed(&format!("{VERIFY_ONE} --policy foreign.dsse")),
        ["policy_signatures"]
    );
    let confused = signed.run("sign policy.dsse --kind release --key b.key --out x.dsse");
    assert!(
        confused
            .unwrap_err()
            .to_string()
            .contains("it is a release-policy, not a release")
    );
    let misplaced = signed.run(&format!(
        "{} --policy policy.json",
        VERIFY_ONE.replace("one", "policy")
    ));
    assert!(matches!(
        misplaced,
        Err(CliError::ValueInvalid {
            option: "--policy",
            ..
        })
    ));
    let broken = policy.replacen("\"issued_ms\"", "\"issued\"", 1);
    signed.write("policy.json", broken.as_bytes());
    let refused = signed.run("sign policy.json --kind release-policy --key a.key --out y.dsse");
    let told = refused.unwrap_err().to_string();
    assert!(told.contains("missing member at /issued_ms"), "{told}");
    assert!(!signed.folder.path("y.dsse").exists());
}

#[test]
fn floors_are_signed_by_kind() {
    let signed = Signed::new();
    signed.write("floors.json", chancery_verify::TcbFloors::shipped_json());
    signed
        .run("sign floors.json --kind tcb-floors --key a.key --out floors.dsse")
        .unwrap();
    let envelope = json_of(&signed.read("floors.dsse"));
    assert_eq!(
        text(&envelope, "payloadType"),
        "application/vnd.chancery.tcb-floors+json"
    );
    let line = "verify floors.dsse --release-key a.key.pub --at";
    assert!(
        signed
            .failed(&format!("{line} 2027-01-01T00:00:00Z"))
            .is_empty()
    );
    assert_eq!(
        signed.failed(&format!("{line} 2020-01-01T00:00:00Z")),
        ["in_force"]
    );
    assert_eq!(
        signed.failed(&format!("{line} 2040-01-01T00:00:00Z")),
        ["in_force"]
    );
    let late = format!("{line} 2027-01-01T00:00:00Z --previous floors.json");
    assert_eq!(signed.failed(&late), ["number"]);
}

#[test]
fn the_digests_are_computed_again_from_the_firmware() {
    let signed = Signed::new();
    let line = format!("{VERIFY_ONE} --ovmf");
    assert!(signed.failed(&format!("{line} {}", amd_sev())).is_empty());
    let other = vectors().join("ovmf/ovmf_OvmfX64_suffix.bin");
    assert_eq!(
        signed.failed(&format!("{line} {}", other.display())),
        ["firmware", "digest", "digest"]
    );
}

#[test]
fn a_statement_file_is_signed_in_its_one_encoding() {
    let signed = Signed::new();
    let envelope = chancery_dsse::Envelope::parse(&signed.read("one.dsse")).unwrap();
    let payload = envelope.unverified_payload();
    signed.write("statement.json", crate::pretty::pretty(payload).as_bytes());
    signed
        .run("sign statement.json --key a.key --out again.dsse")
        .unwrap();
    assert_eq!(signed.read("again.dsse"), signed.read("one.dsse"));
    let misspelt = String::from_utf8(payload.to_vec())
        .unwrap()
        .replace("\"serial\"", "\"sreial\"");
    signed.write("statement.json", misspelt.as_bytes());
    let told = signed
        .run("sign statement.json --key a.key --out other.dsse")
        .unwrap_err()
        .to_string();
    assert!(
        told.contains("missing member at /predicate/serial"),
        "{told}"
    );
}

#[test]
fn a_key_that_others_can_read_and_a_file_that_is_no_key_sign_nothing() {
    let signed = Signed::new();
    assert!(signed.run("keygen --out a.key").is_err());
    signed.write("open.key", &signed.read("a.key"));
    let exposed = signed.run("sign one.dsse --key open.key --out x.dsse");
    assert!(matches!(exposed, Err(CliError::KeyExposed { .. })));
    let public = signed.run("verify one.dsse --release-key one.dsse --at 2026-06-01T00:00:00Z");
    assert!(matches!(public, Err(CliError::DocumentInvalid { .. })));
}
