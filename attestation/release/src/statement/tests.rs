use super::*;

use std::borrow::ToOwned as _;
use std::vec;

use chancery_dsse::{Envelope, SigningKey};
use chancery_measurement::Hypervisor;

use crate::envelope::{STATEMENT_PAYLOAD_TYPE, open_release_statement};
use crate::shape::VcpuModel;

fn subject(hypervisor: Hypervisor, vcpus: u32, model: Option<VcpuModel>, digest: u8) -> Subject {
    Subject {
        shape: Shape::new(hypervisor, vcpus, model, 1).unwrap(),
        launch_digest: LaunchDigest::new([digest; 48]),
    }
}

fn sample() -> ReleaseStatement {
    ReleaseStatement {
        id: "demo".to_owned(),
        version: "1.2.0".to_owned(),
        serial: 7,
        issued_ms: 1_000,
        expires_ms: 2_000,
        inputs: MeasuredInputs {
            firmware_sha256: [0xa1; 32],
            kernel: Some(MeasuredKernel {
                kernel_sha256: [0xb2; 32],
                initrd_sha256: Some([0xc3; 32]),
                command_line: Some("console=ttyS0 \"ro\"".to_owned()),
            }),
        },
        subjects: vec![
            subject(Hypervisor::Qemu, 4, VcpuModel::named("EPYC-Genoa"), 0xd4),
            subject(
                Hypervisor::Qemu,
                2,
                Some(VcpuModel::with_signature(0xb0_0f00)),
                0xe5,
            ),
            subject(Hypervisor::Gce, 2, None, 0xf6),
        ],
    }
}

fn text() -> String {
    String::from_utf8(sample().to_json().unwrap()).unwrap()
}

fn refusal(text: &str) -> Error {
    ReleaseStatement::from_json(text.as_bytes()).unwrap_err()
}

#[test]
fn reads_what_it_writes() {
    let mut without_kernel = sample();
    without_kernel.inputs.kernel = None;
    let mut bare_kernel = sample();
    bare_kernel.inputs.kernel = Some(MeasuredKernel {
        kernel_sha256: [1; 32],
        initrd_sha256: None,
        command_line: None,
    });
    for statement in [sample(), without_kernel, bare_kernel] {
        let text = statement.to_json().unwrap();
        assert_eq!(ReleaseStatement::from_json(&text), Ok(statement));
    }
}

#[test]
fn is_an_in_toto_statement_of_version_1() {
    let text = text();
    assert!(text.starts_with(
        "{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{\"name\":\"snp-launch-digest:qemu:4:EPYC-Genoa:0x1\",\"digest\":{\"sha384\":\"d4d4"
    ));
    assert!(
        text.contains(
            "\"predicateType\":\"urn:chancery:release:v1\",\"predicate\":{\"id\":\"demo\","
        )
    );
    let sample = sample();
    let envelope = sample.sign(&[&SigningKey::from_seed([1; 32])]).unwrap();
    assert_eq!(
        envelope.unverified_payload_type(),
        "application/vnd.in-toto+json"
    );
}

#[test]
fn refuses_each_missing_unknown_and_duplicate_member_with_its_place() {
    let text = text();
    let mut names: Vec<&str> = text
        .split('"')
        .zip(text.split('"').skip(1).zip(text.split('"').skip(2)))
        .filter(|(_, (_, after))| after.starts_with(':'))
        .map(|(_, (name, _))| name)
        .filter(|name| !name.contains(':'))
        .collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 23, "{names:?}");
    for name in names {
        let member = format!("\"{name}\":");
        let renamed = refusal(&text.replacen(&member, "\"surplus\":", 1)).describe();
        let place = renamed.strip_prefix("missing member at ");
        assert!(
            place.is_some_and(|place| place.ends_with(&format!("/{name}"))),
            "{name}: {renamed}"
        );
        let doubled =
            refusal(&text.replacen(&member, &format!("{member}0,{member}"), 1)).describe();
        assert!(
            doubled.starts_with("duplicate member at /"),
            "{name}: {doubled}"
        );
    }
    for (object, place) in [
        ("{\"_type\"", "/surplus"),
        ("{\"name\"", "/subject/0/surplus"),
        ("{\"sha384\"", "/subject/0/digest/surplus"),
        ("{\"id\"", "/predicate/surplus"),
        ("{\"ovmf_sha256\"", "/predicate/inputs/surplus"),
        ("{\"subject\"", "/predicate/shapes/0/surplus"),
    ] {
        let extended = text.replacen(object, &object.replacen('{', "{\"surplus\":0,", 1), 1);
        assert_eq!(
            refusal(&extended).describe(),
            format!("unknown member at {place}")
        );
    }
}

/// What is changed, into what, and the place that the refusal names.
const OUT_OF_FORM: &[(&str, &str, &str)] = &[
    ("Statement/v1", "Statement/v0", "/_type"),
    ("release:v1", "release:v2", "/predicateType"),
    ("d4d4", "D4D4", "/subject/0/digest/sha384"),
    ("d4d4", "d4d", "/subject/0/digest/sha384"),
    ("a1a1", "A1A1", "/predicate/inputs/ovmf_sha256"),
    ("b2b2", "b2", "/predicate/inputs/kernel_sha256"),
    ("{\"name\":\"snp", "{\"name\":\"sev", "/subject/0/name"),
    (
        "{\"subject\":\"snp",
        "{\"subject\":\"sev",
        "/predicate/shapes/0/subject",
    ),
    (
        "\"vmm\":\"qemu\"",
        "\"vmm\":\"xen\"",
        "/predicate/shapes/0/vmm",
    ),
    ("\"vcpus\":4", "\"vcpus\":0", "/predicate/shapes/0/vcpus"),
    (
        "\"vcpus\":4",
        "\"vcpus\":4294967300",
        "/predicate/shapes/0/vcpus",
    ),
    ("\"vcpus\":4", "\"vcpus\":5", "/predicate/shapes/0/subject"),
    (
        "\"vcpu_type\":\"EPYC-Genoa\"",
        "\"vcpu_type\":\"EPYC-Venice\"",
        "/predicate/shapes/0/vcpu_type",
    ),
    (
        "\"vcpu_type\":\"EPYC-Genoa\"",
        "\"vcpu_type\":null",
        "/predicate/shapes/0/vcpu_type",
    ),
    (
        "\"vcpu_sig\":null",
        "\"vcpu_sig\":\"0x1\"",
        "/predicate/shapes/0/vcpu_sig",
    ),
    (
        "\"0xb00f00\"",
        "\"0x1b00b00f00\"",
        "/predicate/shapes/1/vcpu_sig",
    ),
    ("\"0xb00f00\"", "\"b00f00\"", "/predicate/shapes/1/vcpu_sig"),
    (
        "\"guest_features\":\"0x1\"",
        "\"guest_features\":\"0x01\"",
        "/predicate/shapes/0/guest_features",
    ),
    ("\"serial\":7", "\"serial\":0", "/predicate/serial"),
    (
        "\"serial\":7",
        "\"serial\":9007199254740992",
        "/predicate/serial",
    ),
    (
        "\"expires_ms\":2000",
        "\"expires_ms\":1000",
        "/predicate/expires_ms",
    ),
    ("\"id\":\"demo\"", "\"id\":\"\"", "/predicate/id"),
    (
        "\"version\":\"1.2.0\"",
        "\"version\":\"1 2\"",
        "/predicate/version",
    ),
    ("console", "con\\u0000sole", "/predicate/inputs/append"),
];

#[test]
fn refuses_values_out_of_form_with_their_place() {
    let text = text();
    for (from, to, place) in OUT_OF_FORM {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        let error = refusal(&changed);
        assert!(
            matches!(&error, Error::Value { pointer, .. } if pointer == place),
            "{to}: {error:?}"
        );
        assert!(
            error
                .describe()
                .contains(&format!(" at {place}; right would be "))
        );
    }
    let gce_with_model = text.replace(
        "\"vmm\":\"gce\",\"vcpus\":2,\"vcpu_type\":null",
        "\"vmm\":\"gce\",\"vcpus\":2,\"vcpu_type\":\"EPYC\"",
    );
    assert!(
        matches!(refusal(&gce_with_model), Error::Value { pointer, .. } if pointer == "/predicate/shapes/2/vcpu_type")
    );
}

#[test]
fn refuses_an_initial_filesystem_or_command_line_without_a_kernel() {
    let text = text();
    let kernel = format!("\"kernel_sha256\":\"{}\"", "b2".repeat(32));
    let without = text.replace(&kernel, "\"kernel_sha256\":null");
    assert_ne!(without, text);
    assert!(
        matches!(refusal(&without), Error::Value { pointer, .. } if pointer == "/predicate/inputs/initrd_sha256")
    );
    let initrd = format!("\"initrd_sha256\":\"{}\"", "c3".repeat(32));
    let without = without.replace(&initrd, "\"initrd_sha256\":null");
    assert!(
        matches!(refusal(&without), Error::Value { pointer, .. } if pointer == "/predicate/inputs/append")
    );
}

#[test]
fn refuses_no_subject_too_many_and_one_shape_twice() {
    type Change = fn(&mut ReleaseStatement);
    type Expected = fn(&Error) -> bool;
    let cases: [(Change, Expected); 4] = [
        (|s| s.subjects.clear(), |e| *e == Error::NoSubject),
        (
            |s| s.subjects.push(s.subjects[0].clone()),
            |e| matches!(e, Error::ShapeTwice { name } if name.contains("EPYC-Genoa")),
        ),
        (
            |s| {
                s.subjects = (1..=65)
                    .map(|n| subject(Hypervisor::Gce, n, None, 0))
                    .collect();
            },
            |e| matches!(e, Error::Value { pointer, .. } if pointer == "/subject"),
        ),
        (
            |s| {
                if let Some(kernel) = &mut s.inputs.kernel {
                    kernel.command_line = Some("x".repeat(COMMAND_LINE_SIZE_MAX + 1));
                }
            },
            |e| matches!(e, Error::Value { pointer, .. } if pointer == "/predicate/inputs/append"),
        ),
    ];
    for (index, (change, expected)) in cases.into_iter().enumerate() {
        let mut statement = sample();
        change(&mut statement);
        let error = statement.check().unwrap_err();
        assert!(expected(&error), "case {index}: {error:?}");
        assert_eq!(statement.to_json(), Err(error));
    }
    let shapes = text().replacen(
        ",{\"name\":\"snp-launch-digest:gce:2:any:0x1\",\"digest\":{\"sha384\":\"",
        "",
        1,
    );
    let shapes = shapes.replacen(&format!("{}\"}}}}]", "f6".repeat(48)), "]", 1);
    assert!(
        matches!(refusal(&shapes), Error::Value { pointer, .. } if pointer == "/predicate/shapes"),
        "{shapes}"
    );
}

#[test]
fn a_threshold_of_keys_signs_one_after_another() {
    let keys: Vec<SigningKey> = (1..=3)
        .map(|seed| SigningKey::from_seed([seed; 32]))
        .collect();
    let public: Vec<_> = keys.iter().map(SigningKey::public_key).collect();
    let mut envelope = sample().sign(&[&keys[0]]).unwrap();
    let one = open_release_statement(&envelope.to_json(), &public, 2);
    assert!(matches!(
        one,
        Err(Error::Envelope(chancery_dsse::Error::BelowThreshold {
            valid: 1,
            threshold: 2
        }))
    ));
    envelope.add_signature(&keys[1]).unwrap();
    let two = open_release_statement(&envelope.to_json(), &public, 2).unwrap();
    assert_eq!(two.statement(), &sample());
    assert_eq!(two.signers().len(), 2);
    assert!(open_release_statement(&envelope.to_json(), &public[2..], 1).is_err());
}

#[test]
fn refuses_another_payload_type_and_a_payload_that_is_no_statement() {
    let key = SigningKey::from_seed([1; 32]);
    let public = [key.public_key()];
    let payload = sample().to_json().unwrap();
    let other = Envelope::sign(
        "application/vnd.chancery.release-policy+json",
        &payload,
        &[&key],
    );
    assert_eq!(
        open_release_statement(&other.unwrap().to_json(), &public, 1),
        Err(Error::Envelope(chancery_dsse::Error::WrongPayloadType))
    );
    let empty = Envelope::sign(STATEMENT_PAYLOAD_TYPE, b"{}", &[&key]).unwrap();
    assert!(matches!(
        open_release_statement(&empty.to_json(), &public, 1),
        Err(Error::Json(_))
    ));
}

#[test]
fn is_in_force_from_its_issue_until_it_expires() {
    let statement = sample();
    for (now_ms, in_force) in [(999, false), (1_000, true), (1_999, true), (2_000, false)] {
        assert_eq!(statement.is_in_force(now_ms), in_force, "{now_ms}");
    }
}

#[test]
fn the_serial_only_grows() {
    let (previous, mut next) = (sample(), sample());
    for (serial, follows) in [(6, false), (7, false), (8, true), (u64::MAX, true)] {
        next.serial = serial;
        assert_eq!(next.check_follows(&previous).is_ok(), follows, "{serial}");
    }
    next.serial = 7;
    let error = next.check_follows(&previous).unwrap_err();
    assert_eq!(error.to_string(), "serial 7 is not above 7, the one before");
}

#[test]
fn an_absent_initial_filesystem_counts_as_an_empty_one() {
    let kernel = |initrd_sha256| MeasuredKernel {
        kernel_sha256: [1; 32],
        initrd_sha256,
        command_line: None,
    };
    let published = KernelHashes::of(b"", None, None);
    let empty = MeasuredKernel {
        kernel_sha256: EMPTY_SHA256,
        initrd_sha256: None,
        command_line: None,
    };
    assert_eq!(empty.hashes(), published);
    assert_eq!(kernel(None).hashes(), kernel(Some(EMPTY_SHA256)).hashes());
}
