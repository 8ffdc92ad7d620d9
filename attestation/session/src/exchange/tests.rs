use super::*;

use std::format;
use std::string::ToString;
use std::vec;

fn leaf(index: u64) -> LoggedLeaf {
    LoggedLeaf {
        index,
        leaf: vec![1, 2],
        proof: vec![Hash([3; 32]), Hash([4; 32])],
    }
}

fn evidence() -> Evidence {
    Evidence {
        report: vec![1],
        vcek: vec![2],
        ask: vec![3],
        ark: vec![4],
        crl: vec![5],
    }
}

fn response(session_proof: SessionProof) -> AttestResponse {
    AttestResponse {
        node_statement: vec![1],
        node_evidence: evidence(),
        session_statement: vec![2],
        session_proof,
        release_policy: vec![3],
        tcb_floors: vec![4],
        checkpoint: "origin\n1\n".to_string(),
        beacon: "origin\n0\n".to_string(),
        genesis: leaf(0),
        boot: leaf(1),
        node: leaf(2),
    }
}

#[test]
fn reads_the_response_that_it_writes() {
    for proof in [
        SessionProof::Epoch([6; 64]),
        SessionProof::Hardware(evidence()),
    ] {
        let response = response(proof);
        let text = response.to_json().unwrap();
        assert_eq!(AttestResponse::from_json(&text), Ok(response));
    }
}

#[test]
fn refuses_each_missing_unknown_and_mistyped_member_of_a_response() {
    let text = response(SessionProof::Epoch([6; 64])).to_json().unwrap();
    let text = String::from_utf8(text).unwrap();
    for name in [
        "version",
        "node_statement",
        "node_evidence",
        "session_statement",
        "session_proof",
        "release_policy",
        "tcb_floors",
        "checkpoint",
        "beacon",
        "genesis",
        "boot",
        "node",
        "mode",
        "signature",
        "index",
        "leaf",
        "proof",
    ] {
        let renamed = text.replacen(&format!("\"{name}\":"), "\"surplus\":", 1);
        assert_ne!(renamed, text);
        assert!(
            AttestResponse::from_json(renamed.as_bytes()).is_err(),
            "{name}"
        );
        let mistyped = text.replacen(
            &format!("\"{name}\":"),
            &format!("\"{name}\":null,\"x\":"),
            1,
        );
        assert!(
            AttestResponse::from_json(mistyped.as_bytes()).is_err(),
            "{name}"
        );
    }
}

#[test]
fn refuses_base64_that_is_not_canonical_and_sizes_that_are_wrong() {
    let text = response(SessionProof::Epoch([6; 64])).to_json().unwrap();
    let text = String::from_utf8(text).unwrap();
    for (from, to) in [
        ("\"node_statement\":\"AQ==\"", "\"node_statement\":\"AQ\""),
        ("\"node_statement\":\"AQ==\"", "\"node_statement\":\"AR==\""),
        ("\"node_statement\":\"AQ==\"", "\"node_statement\":\"A_==\""),
        ("\"signature\":\"", "\"signature\":\"AAAA"),
        ("\"mode\":\"epoch\"", "\"mode\":\"both\""),
        ("\"mode\":\"epoch\"", "\"mode\":\"hardware\""),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text);
        assert!(
            AttestResponse::from_json(changed.as_bytes()).is_err(),
            "{to}"
        );
    }
}

#[test]
fn refuses_proofs_longer_than_any_tree_needs() {
    let mut long = response(SessionProof::Epoch([6; 64]));
    long.boot.proof = vec![Hash([0; 32]); PROOF_HASHES_MAX + 1];
    let text = long.to_json().unwrap();
    let error = AttestResponse::from_json(&text).unwrap_err();
    assert_eq!(
        error,
        ExchangeError::Value {
            pointer: "/boot/proof".to_string()
        }
    );
}

#[test]
fn a_request_holds_a_nonce_and_a_mode_and_nothing_else() {
    let request = AttestRequest {
        nonce: [9; 32],
        mode: ProofMode::Hardware,
    };
    let text = String::from_utf8(request.to_json()).unwrap();
    assert!(text.len() <= ATTEST_REQUEST_SIZE_MAX);
    assert_eq!(AttestRequest::from_json(text.as_bytes()), Ok(request));
    for (from, to) in [
        ("CQkJ", "CQk"),
        ("\"hardware\"", "\"none\""),
        ("\"version\":1", "\"version\":2"),
        ("{", "{\"report_data\":\"\","),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text);
        assert!(
            AttestRequest::from_json(changed.as_bytes()).is_err(),
            "{to}"
        );
    }
    let long = format!("{text}{}", " ".repeat(ATTEST_REQUEST_SIZE_MAX));
    assert!(AttestRequest::from_json(long.as_bytes()).is_err());
}
