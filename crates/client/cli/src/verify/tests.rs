use super::*;

use chancery_client::{ClientError, HeadsError};

fn row(check: &'static str, outcome: CheckOutcome) -> Row {
    let (expected, got) = ("the pinned one".to_owned(), "another\u{1b}[2J".to_owned());
    Row {
        check,
        expected,
        got,
        outcome,
    }
}

fn closed() -> CliError {
    ClientError::Closed.into()
}

fn json(outcome: &Outcome) -> String {
    String::from_utf8(outcome.json.to_bytes()).unwrap()
}

#[test]
fn accepts_only_when_every_check_passed_and_there_is_a_connection() {
    let rows = vec![row("report_length", CheckOutcome::Passed)];
    let checklist = Checklist::new(rows, vec!["the operator's custody of the chip"]);
    let accepted = report("https://localhost", Mode::Amd, &checklist, None);
    assert!(accepted.holds);
    assert!(accepted.text.starts_with("Verifying https://localhost\n"));
    assert!(accepted.text.contains("✓ report length"));
    assert!(
        accepted
            .text
            .contains("Not checked:\n  - the operator's custody of the chip")
    );
    assert!(
        accepted
            .text
            .ends_with("ACCEPTED: all 1 checks that were made passed.")
    );
    let start = r#"{"verdict":"accepted","stage":"policy","violations":[],"not_checked":["#;
    assert!(json(&accepted).starts_with(start));
    let limits = r#""limits":["the operator's custody of the chip"]"#;
    assert!(json(&accepted).contains(limits));
    let rest = json(&accepted)
        .split_once(r#""not_checked":["#)
        .unwrap()
        .1
        .to_owned();
    let not_checked = rest.split_once(']').unwrap().0;
    assert!(not_checked.contains(r#""measurement""#), "{not_checked}");
    assert!(!not_checked.contains("report_length"), "{not_checked}");

    let without = report("https://localhost", Mode::Amd, &checklist, Some(&closed()));
    assert!(!without.holds);
    assert!(json(&without).contains(r#""error":"the server closed the connection early""#));
    assert!(json(&without).starts_with(r#"{"verdict":"refused","stage":null,"violations":[]"#));
}

#[test]
fn says_what_failed_with_what_was_required_and_found_on_a_safe_line() {
    let rows = vec![
        row("tls_leaf", CheckOutcome::Passed),
        row("session_nonce", CheckOutcome::Failed),
    ];
    let refused = report(
        "https://localhost",
        Mode::Amd,
        &Checklist::new(rows, Vec::new()),
        None,
    );
    assert!(!refused.holds);
    assert!(
        refused
            .text
            .contains("✗ session nonce  FAILED\n      required  the pinned one")
    );
    assert!(refused.text.contains("found     another\\u{1b}[2J"));
    assert!(refused.text.contains("REFUSED: 1 of 2 checks failed."));
    let start = r#"{"verdict":"refused","stage":"bind","violations":[{"check":"session_nonce","#;
    assert!(json(&refused).starts_with(start));
    assert!(json(&refused).contains(r#""claims":{},"mode":"amd","checks":[{"#));
}

#[test]
fn says_emulated_in_its_first_line_whatever_the_verdict() {
    let checklist = Checklist::default();
    for error in [None, Some(&closed())] {
        let outcome = report("https://localhost", Mode::Emulated, &checklist, error);
        assert!(outcome.text.lines().next().unwrap().starts_with("EMULATED"));
        assert!(json(&outcome).contains(r#""mode":"emulated""#));
    }
    let amd = report("https://localhost", Mode::Amd, &checklist, None);
    assert!(!amd.text.contains("EMULATED"));
}

#[test]
fn a_check_that_the_policy_waived_is_listed_as_not_checked() {
    let rows = vec![row("id_block", CheckOutcome::NotChecked)];
    let outcome = report(
        "https://localhost",
        Mode::Amd,
        &Checklist::new(rows, Vec::new()),
        None,
    );
    assert!(
        outcome
            .text
            .contains("Not checked:\n  - id block: the pinned one")
    );
}

#[test]
fn what_could_not_be_judged_is_not_called_refused() {
    let malformed = HeadsError::Malformed {
        path: "state/heads.json".into(),
    };
    let unreachable = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
    for (error, check, words, advice) in [
        (
            ClientError::Heads(malformed),
            None,
            "state/heads.json",
            "pass another with --state",
        ),
        (
            ClientError::Connect(unreachable),
            Some("tcp_connection"),
            "connection refused",
            "check that the service runs",
        ),
        (
            ClientError::AttestRefused { status: 503 },
            Some("attest_response"),
            "status 503",
            "try again later",
        ),
    ] {
        let rows = check.map(|check| row(check, CheckOutcome::Failed));
        let checklist = Checklist::new(rows.into_iter().collect(), Vec::new());
        let error = CliError::from(error);
        let outcome = report("https://localhost", Mode::Amd, &checklist, Some(&error));
        assert!(!outcome.holds);
        let (_, verdict) = outcome.text.split_once("COULD NOT BE JUDGED").unwrap();
        assert!(verdict.contains(words), "{verdict}");
        assert!(verdict.contains(advice), "{verdict}");
        assert!(!outcome.text.contains("do not use"), "{}", outcome.text);
        let json = json(&outcome);
        assert!(
            json.starts_with(r#"{"verdict":"refused","stage":null"#),
            "{json}"
        );
        assert!(json.contains(r#""error":""#), "{json}");
    }
}

#[test]
fn a_failed_check_refuses_even_if_the_connection_broke_in_it() {
    let rows = vec![row("checkpoint_extends", CheckOutcome::Failed)];
    let checklist = Checklist::new(rows, Vec::new());
    let outcome = report("https://localhost", Mode::Amd, &checklist, Some(&closed()));
    assert!(outcome.text.contains("REFUSED: 1 of 1"), "{}", outcome.text);
    assert!(json(&outcome).starts_with(r#"{"verdict":"refused","stage":"bind""#));
}

#[test]
fn times_are_told_as_dates() {
    let mut dated = row("beacon_age", CheckOutcome::Passed);
    dated.got = "at 1000 ms".to_owned();
    let lines = table(&[dated]);
    assert_eq!(lines, ["  ✓ beacon age  at 1970-01-01T00:00:01Z"]);
}
