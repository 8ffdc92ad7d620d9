//! Vectors computed with Python's hashlib from the formulas of `docs/spec/claim.md`.

use std::format;
use std::string::ToString as _;
use std::vec::Vec;

use super::*;

const CLAIM: &str = "2819c223-7f76-453a-919d-413861904646";

fn challenge() -> Vec<u8> {
    (0..40).collect()
}

fn binding(challenge: &[u8]) -> ClaimBinding<'_> {
    ClaimBinding {
        challenge,
        claim: ClaimId::parse(CLAIM).unwrap(),
        deployment: [1; 32],
        tenant: [2; 16],
        genesis: [3; 32],
        account: Fingerprint::from_bytes([4; 32]),
        device: Fingerprint::from_bytes([5; 32]),
    }
}

fn succession() -> Succession {
    Succession {
        tenant: [2; 16],
        subject: [6; 32],
        old: Fingerprint::from_bytes([4; 32]),
        new: Fingerprint::from_bytes([5; 32]),
        evidence: [7; 32],
    }
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[test]
fn the_nonce_is_the_hash_of_its_parts() {
    let challenge = challenge();
    let nonce = binding(&challenge).nonce().unwrap();
    assert_eq!(
        hex::encode(nonce.as_bytes()),
        "7619d0a8b6ff4b0bc3fa63e320f7617eaae3e10f4fc4f98756802d06435e3523"
    );
    assert_eq!(
        nonce.to_text(),
        "dhnQqLb_SwvD-mPjIPdhfqrj4Q9PxPmHVoAtBkNeNSM"
    );
}

#[test]
fn the_claim_statement_is_the_framed_nonce() {
    let challenge = challenge();
    let statement = binding(&challenge).nonce().unwrap().statement();
    assert_eq!(statement.len(), 60);
    assert_eq!(
        sha256(&statement),
        "84d43715183650a755a21ac031c60cdb68afff63fb287483998a6998abca9f94"
    );
}

#[test]
fn the_succession_statement_holds_its_parts() {
    let statement = succession().statement();
    assert_eq!(statement.len(), 174);
    assert_eq!(
        sha256(&statement),
        "b1ae41f7a532ff91367039aac2f9369512f67b59509a9269374a0e4ea4e150b5"
    );
}

#[test]
fn every_part_of_a_binding_counts() {
    let (challenge, other, shorter) = (challenge(), [9; 40], [9; 39]);
    let base = binding(&challenge);
    let fingerprint = Fingerprint::from_bytes([9; 32]);
    let all = [
        base,
        ClaimBinding {
            challenge: &other,
            ..base
        },
        ClaimBinding {
            challenge: &shorter,
            ..base
        },
        ClaimBinding {
            claim: ClaimId::from_bytes([9; 16]),
            ..base
        },
        ClaimBinding {
            deployment: [9; 32],
            ..base
        },
        ClaimBinding {
            tenant: [9; 16],
            ..base
        },
        ClaimBinding {
            genesis: [9; 32],
            ..base
        },
        ClaimBinding {
            account: fingerprint,
            ..base
        },
        ClaimBinding {
            device: fingerprint,
            ..base
        },
        ClaimBinding {
            account: base.device,
            device: base.account,
            ..base
        },
    ];
    let nonces: Vec<_> = all.iter().map(|binding| binding.nonce().unwrap()).collect();
    for (index, nonce) in nonces.iter().enumerate() {
        assert_eq!(nonces.iter().position(|other| other == nonce), Some(index));
    }
}

#[test]
fn every_part_of_a_succession_counts() {
    let base = succession();
    let all = [
        base,
        Succession {
            tenant: [9; 16],
            ..base
        },
        Succession {
            subject: [9; 32],
            ..base
        },
        Succession {
            old: Fingerprint::from_bytes([9; 32]),
            ..base
        },
        Succession {
            new: Fingerprint::from_bytes([9; 32]),
            ..base
        },
        Succession {
            evidence: [9; 32],
            ..base
        },
        Succession {
            old: base.new,
            new: base.old,
            ..base
        },
    ];
    let statements: Vec<_> = all.iter().map(Succession::statement).collect();
    for (index, statement) in statements.iter().enumerate() {
        assert_eq!(
            statements.iter().position(|other| other == statement),
            Some(index)
        );
    }
}

#[test]
fn challenges_are_bounded() {
    let longest = [0; CHALLENGE_SIZE_MAX + 1];
    assert!(binding(&longest[..CHALLENGE_SIZE_MAX]).nonce().is_ok());
    assert!(binding(&longest[..1]).nonce().is_ok());
    for wrong in [&longest[..], &[]] {
        assert_eq!(binding(wrong).nonce(), Err(Error::ChallengeSize));
    }
}

#[test]
fn claim_ids_are_uuids_in_one_form() {
    let id = ClaimId::parse(CLAIM).unwrap();
    assert_eq!(hex::encode(id.as_bytes()), CLAIM.replace('-', ""));
    assert_eq!(id.to_string(), CLAIM);
    assert_eq!(ClaimId::from_bytes(*id.as_bytes()), id);
    assert_eq!(format!("{id:?}"), format!("ClaimId({CLAIM})"));
    for wrong in [
        "",
        "2819c2237f76453a919d413861904646",
        "2819C223-7f76-453a-919d-413861904646",
        "2819c2237-f76-453a-919d-413861904646",
        "2819c223-7f76-453a-919d-41386190464",
        "2819c223-7f76-453a-919d-4138619046466",
        "2819c223-7f76-453a-919d-41386190464g",
        "------------------------------------",
        "{819c223-7f76-453a-919d-41386190464}",
        "2819c223-7f76-453a-919d-41386190464é",
    ] {
        assert_eq!(ClaimId::parse(wrong), Err(Error::ClaimIdForm), "{wrong}");
    }
}

#[test]
fn the_specification_shows_the_vectors() {
    let specification = include_str!("../../../../../docs/spec/claim.md");
    let challenge = challenge();
    let nonce = binding(&challenge).nonce().unwrap();
    for value in [
        CLAIM.to_string(),
        hex::encode(nonce.as_bytes()),
        nonce.to_text(),
        sha256(&nonce.statement()),
        sha256(&succession().statement()),
    ] {
        assert!(specification.contains(&format!("`{value}` |\n")), "{value}");
    }
}
