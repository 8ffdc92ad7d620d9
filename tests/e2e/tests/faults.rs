//! What fails around the runtime: the host, the witnesses, the store, the supervisor. Nothing acknowledged is
//! lost, nobody is told a falsehood, and the service comes back by itself.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::fs;
use std::sync::Arc;

use chancery_e2e::{Answer, Client, LONG, SHORT, Service, eventually, is_alive, run, signal};
use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

fn folder() -> Arc<TempDir> {
    Arc::new(TempDir::with_prefix("chancery-e2e-").unwrap())
}

fn user(name: &str) -> Value {
    json!({"userName": format!("{name}@demo.example")})
}

fn count(client: &mut Client, name: &str) -> usize {
    client
        .find("Users", &format!("userName eq \"{name}@demo.example\""))
        .len()
}

/// A 503 in SCIM's form that says when to try again; the text that it gives as the reason.
fn unavailable(answer: Answer) -> String {
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait));
    answer.scim_error(503, None)
}

/// Creates a user as soon as that is possible again.
fn create_at_last(service: &Service, name: &str) {
    let mut client = service.client();
    let body = user(name).to_string();
    let answer = eventually("a write to succeed", LONG, || {
        let answer = client
            .try_request("POST", "/Users", &[], body.as_bytes())
            .ok()?;
        (answer.status != 503).then_some(answer)
    });
    // An attempt whose outcome was not known may have succeeded.
    assert!(matches!(answer.status, 201 | 409), "{}", answer.text());
    assert_eq!(count(&mut client, name), 1);
}

#[test]
fn a_second_service_on_the_same_folder_or_port_says_who_has_it() {
    let folder = folder();
    let service = Service::start(&folder, &[]);
    let pid = service.ready().pids().up;
    let second = Service::refused(&folder, &[]);
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(
        second.stderr.contains(&format!("process {pid} holds")),
        "{second:?}"
    );
    let taken = service.ready().address().to_string();
    let elsewhere = folder.path().join("elsewhere");
    let elsewhere = elsewhere.to_str().unwrap();
    let arguments = ["up", "--data", elsewhere, "--listen", &taken];
    let third = run("chancery-dev", &arguments);
    assert_eq!(third.code, Some(1), "{third:?}");
    assert!(
        third.stderr.contains("address in use") && third.stderr.contains(&taken),
        "{third:?}"
    );
    let told = run(
        "chancery-dev",
        &["up", "--data", elsewhere, "--listen", &taken, "--json"],
    );
    assert_eq!(told.code, Some(1));
    let last: Value = serde_json::from_str(told.stdout.lines().last().unwrap()).unwrap();
    assert!(
        last["error"]["message"].as_str().unwrap().contains(&taken),
        "{last}"
    );
    let (status, health) = service.status("/healthz");
    assert_eq!(status, 200, "the first one was not disturbed: {health}");
    create_at_last(&service, "undisturbed");
    assert!(service.end().success());
}

#[test]
fn a_killed_host_comes_back_by_itself_on_the_same_port() {
    let folder = folder();
    let service = Service::start(&folder, &[]);
    let mut client = service.client();
    client.post("/Users", &user("before")).expect(201);
    let before = service.ready();
    signal(before.pids().host, Signal::KILL);
    eventually("the host's end", SHORT, || {
        (!is_alive(before.pids().host)).then_some(())
    });
    // Nobody listens, or the host is back without its runtime; never an answer that is not true.
    if let Ok(answer) = client.try_request("GET", "/Users?count=0", &[], b"") {
        assert!(matches!(answer.status, 200 | 503), "{}", answer.text());
    }
    create_at_last(&service, "after");
    assert_eq!(count(&mut service.client(), "before"), 1);
    eventually("the new host in the ready file", LONG, || {
        (service.ready().pids().host != before.pids().host).then_some(())
    });
    let after = service.ready();
    assert_eq!(after.text("base"), before.text("base"));
    assert_eq!(
        after.pids().runtime,
        before.pids().runtime,
        "the runtime outlives its host"
    );
    assert!(service.end().success());
}

#[test]
fn without_a_quorum_writes_wait_and_reads_go_on() {
    let service = Service::new();
    let mut client = service.client();
    client.post("/Users", &user("before")).expect(201);
    let witnesses = service.ready().pids().witnesses;
    // One of four is no loss, not even the one that is asked first.
    signal(witnesses[0], Signal::STOP);
    client.post("/Users", &user("with.three")).expect(201);
    signal(witnesses[1], Signal::STOP);
    let reason = unavailable(client.post("/Users", &user("with.two")));
    assert!(
        reason.contains("not known"),
        "the act may still commit: {reason}"
    );
    let reason = unavailable(client.post("/Users", &user("refused")));
    assert!(reason.contains("nothing was changed"), "{reason}");
    let (status, health) = service.status("/healthz");
    assert!(
        health.starts_with("waiting_for_witnesses"),
        "{status} {health}"
    );
    assert_eq!(count(&mut client, "before"), 1);
    assert_eq!(
        count(&mut client, "with.two"),
        0,
        "nothing is seen before its quorum"
    );
    client.get("/ServiceProviderConfig").expect(200);
    for witness in &witnesses[..2] {
        signal(*witness, Signal::CONT);
    }
    create_at_last(&service, "after");
    // The one that waited was committed by then, for it was on its way first.
    assert_eq!(count(&mut client, "with.two"), 1);
    assert_eq!(count(&mut client, "refused"), 0);
    eventually("health", SHORT, || {
        service
            .status("/healthz")
            .1
            .starts_with("serving")
            .then_some(())
    });
    // Killed ones are started again on other ports, which the host learns.
    let before = service.ready().pids();
    for witness in &before.witnesses[2..] {
        signal(*witness, Signal::KILL);
    }
    create_at_last(&service, "after.kill");
    eventually("the new witnesses in the ready file", LONG, || {
        let now = service.ready().pids().witnesses;
        (now[2] != before.witnesses[2] && now[3] != before.witnesses[3]).then_some(())
    });
    assert!(service.end().success());
}

#[test]
fn a_store_that_takes_nothing_is_waited_for() {
    let service = Service::new();
    let mut client = service.client();
    client.post("/Users", &user("before")).expect(201);
    // As a backup tool that holds the database would.
    let store = Connection::open(service.data().join("host/store.sqlite3")).unwrap();
    store.execute_batch("BEGIN IMMEDIATE").unwrap();
    let reason = unavailable(client.post("/Users", &user("waiting")));
    assert!(reason.contains("not known"), "{reason}");
    unavailable(client.post("/Users", &user("refused")));
    assert_eq!(count(&mut client, "before"), 1);
    assert_eq!(count(&mut client, "waiting"), 0);
    store.execute_batch("ROLLBACK").unwrap();
    create_at_last(&service, "after");
    assert_eq!(count(&mut client, "waiting"), 1);
    assert_eq!(count(&mut client, "refused"), 0);
    assert!(service.end().success());
}

#[test]
fn a_killed_supervisor_leaves_no_process_and_its_folder_serves_again() {
    let folder = folder();
    let service = Service::start(&folder, &[]);
    service.client().post("/Users", &user("before")).expect(201);
    let before = service.ready();
    let pins = fs::read_to_string(before.text("deployment_file")).unwrap();
    let pins: Value = serde_json::from_str(&pins).unwrap();
    signal(before.pids().up, Signal::KILL);
    for pid in before.pids().all() {
        eventually("the end of a process whose parent is gone", SHORT, || {
            (!is_alive(pid)).then_some(())
        });
    }
    drop(service);
    let port = before.address().to_string();
    let service = Service::start(&folder, &["--listen", &port]);
    let after = service.ready();
    for member in ["base", "scim_token", "tenant", "ca_file"] {
        assert_eq!(after.text(member), before.text(member), "{member}");
    }
    let again = fs::read_to_string(after.text("deployment_file")).unwrap();
    let again: Value = serde_json::from_str(&again).unwrap();
    assert_eq!(again, pins, "what clients pinned still holds");
    assert_eq!(count(&mut service.client(), "before"), 1);
    create_at_last(&service, "after");
    assert!(service.end().success());
}
