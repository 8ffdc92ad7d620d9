//! Show 2: a client trusts the runtime that it appraised and says what it found. What it does when it is
//! attacked is in `attacks.rs`.
use std::fs;
use std::net::SocketAddr;
use std::sync::LazyLock;

use chancery_e2e::{Finished, Service, Tap, checks, refused, run};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Nothing here does damage: one service that clients pin, and one whose pins are others.
static SERVICE: LazyLock<Service> = LazyLock::new(Service::lasting);
static OTHER: LazyLock<Service> = LazyLock::new(Service::lasting);

/// Rows that may stand there unchecked, each for its own reason.
const MAY_BE_UNCHECKED: [&str; 7] = [
    "id_block",
    "guest_svn",
    "family_id",
    "image_id",
    "checkpoint_extends",
    "policy_version",
    "floors_forward",
];

fn verify(arguments: &[&str]) -> Finished {
    let ready_file = SERVICE.ready_file().to_owned();
    let mut all = vec!["verify", "--ready-file", &ready_file];
    all.extend(arguments);
    run("chancery-dev", &all)
}

fn at(address: SocketAddr) -> String {
    address.to_string()
}

#[test]
fn verify_passes_every_check_and_says_emulated_first() {
    for mode in [&[][..], &["--hardware"]] {
        let shown = verify(mode);
        assert_eq!(shown.code, Some(0), "{shown:?}");
        assert!(shown.stdout.starts_with("EMULATED"), "{}", shown.stdout);
        assert!(shown.stdout.contains("ACCEPTED"), "{}", shown.stdout);
        let mut arguments = mode.to_vec();
        arguments.push("--json");
        let finished = verify(&arguments);
        assert_eq!(finished.code, Some(0));
        let report = finished.json();
        assert_eq!(report["verdict"], "accepted");
        assert_eq!(report["mode"], "emulated");
        assert_eq!(report["violations"], json!([]));
        assert!(checks(&report, "failed").is_empty());
        assert!(checks(&report, "passed").len() > 80, "{report}");
        for unchecked in checks(&report, "not_checked") {
            assert!(
                MAY_BE_UNCHECKED.contains(&unchecked.as_str()),
                "{unchecked}"
            );
        }
        assert_eq!(report["stage"], "policy");
        assert_eq!(report["limits"].as_array().unwrap().len(), 2, "{report}");
        let passed = checks(&report, "passed");
        for name in report["not_checked"].as_array().unwrap() {
            let name = name.as_str().unwrap();
            assert!(!passed.iter().any(|check| check == name), "{name}");
        }
        let claims = &report["claims"];
        assert_eq!(claims["mode"], "emulated", "{claims}");
        for member in [
            "product_line",
            "chip_id",
            "measurement",
            "deployment_id",
            "release_id",
            "release_version",
            "policy_version",
            "floors_version",
            "checkpoint_size",
            "current_firmware",
            "reported_tcb",
        ] {
            assert!(!claims[member].is_null(), "{member}: {claims}");
        }
    }
}

#[test]
fn a_client_that_remembers_sees_that_the_log_only_grows() {
    let folder = TempDir::new().unwrap();
    let state = folder.path().join("heads.json");
    let arguments = ["--json", "--state", state.to_str().unwrap()];
    let extends = |report: &Value| {
        let checks = report["checks"].as_array().unwrap().iter();
        let mut found = checks.filter(|check| check["check"] == "checkpoint_extends");
        found.next().unwrap()["outcome"].clone()
    };
    let first = verify(&arguments);
    assert_eq!(extends(&first.json()), "not_checked");
    let mut client = SERVICE.client();
    for number in 0..5 {
        let user = json!({"userName": format!("growth.{number}@demo.example")});
        client.post("/Users", &user).expect(201);
    }
    let second = verify(&arguments);
    assert_eq!(second.code, Some(0), "{second:?}");
    assert_eq!(extends(&second.json()), "passed");
    // Heads of another log, larger than this one: the service looks rolled back.
    let mut heads: Value = serde_json::from_slice(&fs::read(&state).unwrap()).unwrap();
    let size = heads["size"].as_u64().unwrap();
    heads["size"] = json!(size + 1000);
    fs::write(&state, heads.to_string()).unwrap();
    let failed = refused(&verify(&arguments));
    assert_eq!(failed, ["checkpoint_extends"]);
}

#[test]
fn the_shipped_client_refuses_the_same_service_before_it_connects() {
    let tap = Tap::tcp(SERVICE.ready().address());
    let ready_file = SERVICE.ready_file().to_owned();
    let finished = run(
        "chancery",
        &[
            "verify",
            "--ready-file",
            &ready_file,
            "--address",
            &at(tap.address()),
            "--json",
        ],
    );
    assert_eq!(refused(&finished), ["deployment_mode"]);
    assert_eq!(tap.recording.size(), 0, "not a byte was sent");
    let shown = run("chancery", &["verify", "--ready-file", &ready_file]);
    assert_eq!(shown.code, Some(1));
    assert!(
        shown.stdout.contains("REFUSED") && shown.stdout.contains("EMULATED"),
        "{shown:?}"
    );
}

#[test]
fn what_is_pinned_otherwise_is_refused_by_its_own_check() {
    let zeros = "00".repeat(32);
    let policy = {
        let genuine = SERVICE.ready().text("deployment_file").to_owned();
        let pins: Value = serde_json::from_slice(&fs::read(genuine).unwrap()).unwrap();
        let theirs = OTHER.ready().text("deployment_file").to_owned();
        let theirs: Value = serde_json::from_slice(&fs::read(theirs).unwrap()).unwrap();
        assert_ne!(pins["witness_policy"], theirs["witness_policy"]);
        theirs
    };
    for (member, value, expected) in [
        ("deployment_id", json!(zeros), "node_deployment"),
        ("log_key", policy["log_key"].clone(), "node_log"),
        (
            "witness_policy",
            policy["witness_policy"].clone(),
            "checkpoint_quorum",
        ),
        (
            "release_keys",
            policy["release_keys"].clone(),
            "policy_signed",
        ),
    ] {
        let folder = TempDir::new().unwrap();
        let pins = SERVICE.pins_with(folder.path(), |pins| {
            assert_ne!(pins[member], value);
            pins[member] = value;
        });
        let finished = verify(&["--json", "--deployment", &pins]);
        assert_eq!(refused(&finished), [expected], "{member}");
        let is_signature = ["checkpoint_quorum", "policy_signed"].contains(&expected);
        let report = finished.json();
        assert_eq!(
            report["stage"],
            if is_signature { "signature" } else { "bind" }
        );
        assert_eq!(report["claims"]["mode"], "emulated", "{report}");
    }
}
