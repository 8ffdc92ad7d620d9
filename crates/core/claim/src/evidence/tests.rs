//! Evidence is read back as it was written, and only so.

use std::format;
use std::string::String;
use std::vec::Vec;

use chancery_dsse::SigningKey;
use chancery_keyset::{Keyset, KeysetSeed};

use super::*;
use crate::jwk::Algorithm;
use crate::sample::{jwk, token};

const CONTEXT: ClaimContext = ClaimContext {
    deployment: [1; 32],
    tenant: [2; 16],
    genesis: [3; 32],
};
const SUBJECT: [u8; 32] = [6; 32];
const NOW_S: u64 = 1_800_000_000;
const ISSUER: &str = "https://id.example";

fn keyset_of(byte: u8) -> Keyset {
    Keyset::from_seed(KeysetSeed::from_bytes([byte; 64])).unwrap()
}

fn request() -> ClaimRequest {
    let account = keyset_of(1);
    let mut request = ClaimRequest {
        challenge: b"single-use".to_vec(),
        claim: ClaimId::from_bytes([7; 16]),
        account: account.public().clone(),
        device: keyset_of(2).public().clone(),
        signature: [0; 64],
    };
    let nonce = request.nonce(&CONTEXT).unwrap();
    request.signature = account.signing_key().sign(&nonce.statement());
    request
}

fn by_token() -> ClaimProof {
    let nonce = request().nonce(&CONTEXT).unwrap().to_text();
    let payload = format!(
        r#"{{"iss":"{ISSUER}","sub":"ada","aud":"c","exp":{},"iat":{NOW_S},"nonce":"{nonce}"}}"#,
        NOW_S + 60
    );
    ClaimProof::IdToken {
        token: token(Algorithm::EdDsa, r#"{"alg":"EdDSA"}"#, &payload),
        key: Box::new(jwk(Algorithm::EdDsa)),
    }
}

fn by_admins() -> ClaimProof {
    let admin = SigningKey::from_seed([3; 32]);
    let act = Envelope::sign("application/example+json", b"{\"a\":1}", &[&admin]).unwrap();
    ClaimProof::Confirmation {
        act,
        body: br#"{"user":"ada","code":"0000-0000"}"#.to_vec(),
    }
}

fn evidence_of(proof: ClaimProof) -> ClaimEvidence {
    let unsigned = UnsignedEvidence::new(request(), proof);
    let pending = keyset_of(4);
    let succession = Succession {
        tenant: CONTEXT.tenant,
        subject: SUBJECT,
        old: pending.public().fingerprint(),
        new: keyset_of(1).public().fingerprint(),
        evidence: unsigned.digest(),
    };
    let signature = pending.signing_key().sign(&succession.statement());
    unsigned.signed(signature)
}

fn both() -> [ClaimEvidence; 2] {
    [evidence_of(by_token()), evidence_of(by_admins())]
}

fn text(evidence: &ClaimEvidence) -> String {
    String::from_utf8(evidence.to_bytes()).unwrap()
}

#[test]
fn is_read_back_as_it_was_written() {
    for evidence in both() {
        let read = ClaimEvidence::parse(&evidence.to_bytes()).unwrap();
        assert_eq!(read.to_bytes(), evidence.to_bytes());
        assert_eq!(read.digest(), evidence.digest());
        assert_eq!(*read.request(), request());
        assert!(
            read.check_succession(&CONTEXT, SUBJECT, keyset_of(4).public())
                .is_ok()
        );
    }
    let [token, act] = both();
    assert!(matches!(token.proof(), ClaimProof::IdToken { .. }));
    assert!(matches!(act.proof(), ClaimProof::Confirmation { .. }));
}

#[test]
fn has_the_members_of_the_specification_in_their_order() {
    let names = |text: &str| -> Vec<String> {
        let object = Value::parse(text.as_bytes(), &LIMITS).unwrap();
        let members = object.as_object().unwrap().iter();
        members.map(|(name, _)| name.into()).collect()
    };
    let [token, act] = both();
    let first = ["challenge", "claim", "account", "device", "signature"];
    let expected = |rest: &[&str]| [first.as_slice(), rest].concat().join(" ");
    assert_eq!(
        names(&text(&token)).join(" "),
        expected(&["id_token", "jwk", "pending_signature"])
    );
    assert_eq!(
        names(&text(&act)).join(" "),
        expected(&["confirmation", "confirmation_body", "pending_signature"])
    );
    assert!(text(&token).contains(&format!(r#""jwk":{}"#, jwk(Algorithm::EdDsa).canonical())));
}

#[test]
fn the_digest_leaves_out_the_pending_signature_alone() {
    for evidence in both() {
        let whole = text(&evidence);
        let (kept, _) = whole.split_once(r#","pending_signature""#).unwrap();
        let digest: [u8; 32] = Sha256::digest(format!("{kept}}}")).into();
        assert_eq!(evidence.digest(), digest);
    }
    let [token, act] = both();
    assert_ne!(token.digest(), act.digest());
}

#[test]
fn an_auditor_checks_the_token_again() {
    let [evidence, act] = both();
    let check = |now_s: u64| evidence.check_token(&CONTEXT, ISSUER, "c", now_s * 1000);
    let token = check(NOW_S).unwrap();
    assert_eq!(token.sub(), "ada");
    assert_eq!(*token.key(), jwk(Algorithm::EdDsa).thumbprint());
    assert!(matches!(check(NOW_S + 120), Err(Error::Expired { .. })));
    let now_ms = NOW_S * 1000;
    assert_eq!(
        evidence.check_token(&CONTEXT, "https://x.example", "c", now_ms),
        Err(Error::OtherIssuer)
    );
    assert_eq!(
        evidence.check_token(&CONTEXT, ISSUER, "d", now_ms),
        Err(Error::OtherAudience)
    );
    assert_eq!(
        act.check_token(&CONTEXT, ISSUER, "c", now_ms),
        Err(Error::NoIdToken)
    );
}

#[test]
fn a_claim_is_signed_by_the_new_account_key_for_one_context() {
    let account = Err(Error::Signature(SignedBy::Account));
    let good = request();
    assert_eq!(good.check(&CONTEXT), good.nonce(&CONTEXT));
    for context in [
        ClaimContext {
            deployment: [9; 32],
            ..CONTEXT
        },
        ClaimContext {
            tenant: [9; 16],
            ..CONTEXT
        },
        ClaimContext {
            genesis: [9; 32],
            ..CONTEXT
        },
    ] {
        assert_eq!(good.check(&context), account);
    }
    let mut other = request();
    other.challenge.push(0);
    assert_eq!(other.check(&CONTEXT), account);
    let mut other = request();
    other.device = keyset_of(5).public().clone();
    assert_eq!(other.check(&CONTEXT), account);
    let mut other = request();
    other.signature[0] ^= 1;
    assert_eq!(other.check(&CONTEXT), account);
    other.challenge.clear();
    assert_eq!(other.check(&CONTEXT), Err(Error::ChallengeSize));
    let unsigned = UnsignedEvidence::new(
        ClaimRequest {
            signature: [1; 64],
            ..request()
        },
        by_token(),
    );
    let evidence = unsigned.signed([0; 64]);
    assert_eq!(
        evidence
            .check_token(&CONTEXT, ISSUER, "c", NOW_S * 1000)
            .unwrap_err(),
        Error::Signature(SignedBy::Account)
    );
}

#[test]
fn a_succession_is_signed_by_the_pending_key_for_one_subject_and_evidence() {
    let pending = Err(Error::Signature(SignedBy::Pending));
    let [evidence, act] = both();
    let check = |evidence: &ClaimEvidence| {
        evidence.check_succession(&CONTEXT, SUBJECT, keyset_of(4).public())
    };
    assert_eq!(check(&evidence), Ok(()));
    let key = keyset_of(4);
    assert_eq!(
        evidence.check_succession(&CONTEXT, [9; 32], key.public()),
        pending
    );
    assert_eq!(
        evidence.check_succession(&CONTEXT, SUBJECT, keyset_of(5).public()),
        pending
    );
    let other = ClaimContext {
        tenant: [9; 16],
        ..CONTEXT
    };
    assert_eq!(
        evidence.check_succession(&other, SUBJECT, key.public()),
        pending
    );
    // The signature of one claim says nothing of another one.
    let moved = UnsignedEvidence::new(request(), by_token()).signed(act.pending_signature);
    assert_eq!(check(&moved), pending);
}

#[test]
fn refuses_any_other_spelling() {
    for evidence in both() {
        let good = text(&evidence);
        let spaced = good.replacen(':', ": ", 1);
        assert_eq!(
            ClaimEvidence::parse(spaced.as_bytes()).unwrap_err(),
            Error::NotCanonical
        );
        let swapped = good.replacen(r#""challenge""#, r#""x""#, 1).replacen(
            r#""signature""#,
            r#""challenge""#,
            1,
        );
        let swapped = swapped.replacen(r#""x""#, r#""signature""#, 1);
        assert!(ClaimEvidence::parse(swapped.as_bytes()).is_err());
        let more = good.replacen('{', r#"{"more":1,"#, 1);
        assert!(matches!(
            ClaimEvidence::parse(more.as_bytes()),
            Err(Error::Json(_))
        ));
    }
    let good = text(&both()[0]);
    let reordered = good.replacen(
        r#""crv":"Ed25519","kty":"OKP""#,
        r#""kty":"OKP","crv":"Ed25519""#,
        1,
    );
    assert_ne!(reordered, good);
    assert_eq!(
        ClaimEvidence::parse(reordered.as_bytes()).unwrap_err(),
        Error::NotCanonical
    );
    let named = good.replacen(r#""jwk":{"#, r#""jwk":{"kid":"a","#, 1);
    assert_eq!(
        ClaimEvidence::parse(named.as_bytes()).unwrap_err(),
        Error::NotCanonical
    );
}

#[test]
fn refuses_both_proofs_or_none() {
    let [token, act] = both().map(|evidence| text(&evidence));
    let both = token.replacen(
        r#""jwk""#,
        r#""confirmation_body":"","confirmation":{},"jwk""#,
        1,
    );
    assert!(ClaimEvidence::parse(both.as_bytes()).is_err());
    let neither = act.replacen("confirmation", "xconfirmation", 1);
    assert!(matches!(
        ClaimEvidence::parse(neither.as_bytes()),
        Err(Error::Json(_))
    ));
}

#[test]
fn refuses_members_that_are_not_what_they_should_be() {
    let refused = |evidence: &str, member: &str| {
        let value = Value::parse(evidence.as_bytes(), &LIMITS).unwrap();
        let Value::Object(mut object) = value else {
            panic!()
        };
        object.insert(member, Value::from("AA"));
        ClaimEvidence::parse(&object.to_bytes()).unwrap_err()
    };
    let [token, act] = both().map(|evidence| text(&evidence));
    for member in [
        "account",
        "device",
        "signature",
        "pending_signature",
        "challenge",
    ] {
        let error = refused(&token, member);
        if let Error::EvidenceForm { member: named } = error {
            assert_eq!(named, member);
        } else {
            // Two digits are a byte only with two more for padding.
            panic!("{member}: {error:?}");
        }
    }
    assert_eq!(refused(&token, "claim"), Error::ClaimIdForm);
    assert!(matches!(refused(&token, "jwk"), Error::Json(_)));
    assert_eq!(
        refused(&act, "confirmation"),
        Error::EvidenceForm {
            member: "confirmation"
        }
    );
    assert_eq!(
        refused(&act, "confirmation_body"),
        Error::EvidenceForm {
            member: "confirmation_body"
        }
    );
}

#[test]
fn is_bounded() {
    let padded = |length: usize| {
        let mut bytes = both()[0].to_bytes();
        bytes.resize(length, b' ');
        ClaimEvidence::parse(&bytes).unwrap_err()
    };
    assert_eq!(padded(EVIDENCE_SIZE_MAX), Error::NotCanonical);
    assert_eq!(padded(EVIDENCE_SIZE_MAX + 1), Error::EvidenceTooLarge);
    let of_token = |length: usize| {
        let proof = ClaimProof::IdToken {
            token: "a".repeat(length),
            key: Box::new(jwk(Algorithm::EdDsa)),
        };
        ClaimEvidence::parse(&evidence_of(proof).to_bytes())
    };
    assert!(of_token(TOKEN_SIZE_MAX).is_ok());
    assert_eq!(
        of_token(TOKEN_SIZE_MAX + 1).unwrap_err(),
        Error::TokenTooLarge
    );
}

#[test]
fn every_cut_is_refused_and_no_changed_byte_leaves_all_checks_standing() {
    let context = CONTEXT;
    let [evidence, _] = both();
    let good = evidence.to_bytes();
    for length in (0..good.len()).step_by(7) {
        assert!(ClaimEvidence::parse(&good[..length]).is_err(), "{length}");
    }
    for at in (0..good.len()).step_by(11) {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        let Ok(changed) = ClaimEvidence::parse(&bytes) else {
            continue;
        };
        let token = changed.check_token(&context, ISSUER, "c", NOW_S * 1000);
        let succession = changed.check_succession(&context, SUBJECT, keyset_of(4).public());
        assert!(token.is_err() || succession.is_err(), "{at}");
    }
}
