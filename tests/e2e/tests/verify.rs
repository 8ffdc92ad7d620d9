//! Show 2: a client trusts the runtime that it appraised, on the connection that it appraised, and says
//! nothing to any other.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use chancery_e2e::{Finished, Impostor, Service, Tap, run};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Nothing here does damage: one service that clients pin, and one to be confused with it.
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

fn checks<'a>(report: &'a Value, outcome: &str) -> Vec<&'a str> {
    let checks = report["checks"].as_array().unwrap().iter();
    checks
        .filter(|check| check["outcome"] == outcome)
        .map(|check| check["check"].as_str().unwrap())
        .collect()
}

/// A refusal: which checks failed, and that the command says so and exits otherwise than by 0.
fn refused(finished: &Finished) -> Vec<String> {
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let report = finished.json();
    assert_eq!(report["verdict"], "refused");
    let violations = report["violations"].as_array().unwrap();
    let failed = checks(&report, "failed");
    assert_eq!(violations.len(), failed.len());
    assert!(!failed.is_empty(), "no check is named: {report}");
    failed.into_iter().map(str::to_owned).collect()
}

/// The client's files with one member of the deployment file changed.
fn pins_with(folder: &TempDir, member: &str, value: &Value) -> PathBuf {
    let genuine = SERVICE.ready().text("deployment_file").to_owned();
    let mut pins: Value = serde_json::from_slice(&fs::read(&genuine).unwrap()).unwrap();
    assert_ne!(&pins[member], value);
    pins[member] = value.clone();
    let path = folder.path().join("deployment.json");
    fs::write(&path, pins.to_string()).unwrap();
    let roots = Path::new(&genuine).with_file_name("emulated-roots.json");
    fs::copy(roots, path.with_file_name("emulated-roots.json")).unwrap();
    path
}

/// How many requests of a class a service has answered.
fn answered(service: &Service, class: &str) -> u64 {
    let (_, metrics) = service.status("/metrics");
    let name = format!("chancery_requests_total{{class=\"{class}\"}} ");
    let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
    line.unwrap().parse().unwrap()
}

/// A fresh number of requests: the runtime tells the host once a second.
fn counters_are_fresh(service: &Service) {
    let before = answered(service, "scim_read");
    service.await_answer();
    chancery_e2e::eventually("a newer count", chancery_e2e::SHORT, || {
        (answered(service, "scim_read") > before).then_some(())
    });
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
            assert!(MAY_BE_UNCHECKED.contains(&unchecked), "{unchecked}");
        }
        assert!(!report["not_checked"].as_array().unwrap().is_empty());
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
fn a_connection_that_leads_to_another_runtime_is_refused_in_the_handshake() {
    let tap = Tap::tcp(OTHER.ready().address());
    let failed = refused(&verify(&["--json", "--address", &at(tap.address())]));
    assert_eq!(failed, ["tls_leaf"]);
}

#[test]
fn a_connection_that_is_moved_to_another_runtime_is_refused() {
    let tap = Tap::splice(SERVICE.ready().address(), OTHER.ready().address());
    let failed = refused(&verify(&["--json", "--address", &at(tap.address())]));
    assert_eq!(failed, ["attest_response"]);
    assert!(tap.recording.size() > 0, "the other one was spoken to");
}

#[test]
fn another_runtime_is_refused_even_under_a_trusted_certificate() {
    let folder = TempDir::new().unwrap();
    let theirs = fs::read_to_string(OTHER.ready().text("ca_file")).unwrap();
    let pins = pins_with(&folder, "tls_roots_pem", &json!(theirs));
    counters_are_fresh(&OTHER);
    let before = (answered(&OTHER, "attest"), answered(&OTHER, "attested"));
    let address = at(OTHER.ready().address());
    let failed = refused(&verify(&[
        "--json",
        "--deployment",
        pins.to_str().unwrap(),
        "--address",
        &address,
    ]));
    assert_eq!(failed, ["node_deployment"]);
    counters_are_fresh(&OTHER);
    let after = (answered(&OTHER, "attest"), answered(&OTHER, "attested"));
    assert_eq!(
        after,
        (before.0 + 1, before.1),
        "nothing followed the attestation request"
    );
}

#[test]
fn an_impostor_with_a_certificate_of_its_own_hears_nothing() {
    let impostor = Impostor::before(&SERVICE);
    let address = at(impostor.address());
    let failed = refused(&verify(&["--json", "--address", &address]));
    assert_eq!(failed, ["tls_leaf"]);
    assert_eq!(impostor.requests(), Vec::<String>::new());
}

#[test]
fn an_impostor_that_relays_to_the_genuine_runtime_hears_the_attestation_request_alone() {
    for (service, expected) in [
        (&*SERVICE, "session_exporter"),
        (&*OTHER, "node_deployment"),
    ] {
        let impostor = Impostor::before(service);
        let folder = TempDir::new().unwrap();
        let pins = pins_with(&folder, "tls_roots_pem", &json!(impostor.authority_pem()));
        let (pins, address) = (pins.to_str().unwrap(), at(impostor.address()));
        let line = "POST /.well-known/chancery/v1/attest HTTP/1.1";
        for (number, mode) in [&[][..], &["--hardware"]].into_iter().enumerate() {
            let mut arguments = vec!["--json", "--deployment", pins, "--address", &address];
            arguments.extend(mode);
            let failed = refused(&verify(&arguments));
            assert!(failed.contains(&expected.to_owned()), "{failed:?}");
            assert_eq!(impostor.requests(), vec![line; number + 1]);
        }
        // Every command appraises first: an admin's signed act reaches no impostor either.
        let ready_file = SERVICE.ready_file().to_owned();
        let issued = run(
            "chancery-dev",
            &[
                "token",
                "issue",
                "--label",
                "stolen",
                "--ready-file",
                &ready_file,
                "--deployment",
                pins,
                "--address",
                &address,
            ],
        );
        assert_eq!(issued.code, Some(1), "{issued:?}");
        assert_eq!(impostor.requests(), vec![line; 3]);
    }
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
        let pins = pins_with(&folder, member, &value);
        let failed = refused(&verify(&["--json", "--deployment", pins.to_str().unwrap()]));
        assert_eq!(failed, [expected], "{member}");
    }
}
