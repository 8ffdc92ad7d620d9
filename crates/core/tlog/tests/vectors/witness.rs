//! The witness protocol: messages and decisions.

use chancery_tlog::Checkpoint;
use chancery_tlog::CosignerKey;
use chancery_tlog::Error;
use chancery_tlog::Hash;
use chancery_tlog::KeyKind;
use chancery_tlog::MerkleTree;
use chancery_tlog::SignedNote;
use chancery_tlog::SignerKey;
use chancery_tlog::TreeHead;
use chancery_tlog::UnverifiedCheckpoint;
use chancery_tlog::VerifierKey;
use chancery_tlog::leaf_hash;
use chancery_tlog::witness::AddCheckpoint;
use chancery_tlog::witness::Decision;
use chancery_tlog::witness::Refusal;
use chancery_tlog::witness::WitnessedHead;
use chancery_tlog::witness::decide;
use chancery_tlog::witness::parse_conflict;
use chancery_tlog::witness::parse_cosignatures;

use crate::load;

#[test]
fn request_vectors_have_their_verdicts() {
    for (name, case) in load::cases("witness_requests.json") {
        let body = load::text(&case["body"]);
        let parsed = AddCheckpoint::parse(body.as_bytes());
        assert_eq!(
            parsed.is_ok(),
            case["parse"].as_bool().unwrap(),
            "{name}: {parsed:?}"
        );
        if let Ok(request) = parsed {
            assert_eq!(request.encode(), body, "{name}");
            if let Some(old) = case["old"].as_u64() {
                let size = request.checkpoint().unverified_head().size();
                assert_eq!(
                    (request.old_size(), size),
                    (old, load::number(&case["size"]))
                );
            }
        }
    }
}

/// One signature of the recording is spelled with stray bits after its last byte, which Go's
/// decoder ignores and this crate refuses as malformed. Spelled well it is still a wrong signature.
fn canonical(body: &str) -> String {
    if body.contains("6gx=") {
        assert_eq!(AddCheckpoint::parse(body.as_bytes()), Err(Error::Base64));
    }
    body.replace("6gx=", "6gw=")
}

#[test]
fn the_recorded_conversation_has_the_statuses_of_the_specification() {
    let file = load::json("witness_sequence.json");
    let origin = load::text(&file["log_origin"]);
    let key = hex::decode(load::text(&file["log_pubkey_hex"]))
        .unwrap()
        .try_into()
        .unwrap();
    let key = VerifierKey::new(origin, KeyKind::Ed25519, &key).unwrap();
    let cosigner = CosignerKey::from_seed("example.com/witness", &[5; 32]).unwrap();
    let mut stored: Option<WitnessedHead> = None;
    let mut played = 0;
    for step in file["sequence"].as_array().unwrap() {
        let body = &canonical(load::text(&step["body"]));
        let status = match AddCheckpoint::parse(body.as_bytes()) {
            Err(error) => Refusal::Malformed(error).status(),
            Ok(request) => {
                let known = request.checkpoint().unverified_head().origin() == origin;
                match decide(&request, stored.as_ref(), known.then_some(&key)) {
                    Err(refusal) => {
                        if let Refusal::Conflict { size } = refusal {
                            assert_eq!(parse_conflict(refusal.body().as_bytes()), Ok(size));
                            let expected = format!("body == \"{size}\\n\"");
                            assert_eq!(load::text(&step["assert"]), expected);
                        }
                        refusal.status()
                    }
                    Ok(Decision::Advance(pending)) => {
                        let head = pending.written();
                        let line = head.cosign(&cosigner, 9).unwrap().to_string();
                        let text = request.checkpoint().note().text();
                        let read = parse_cosignatures(line.as_bytes(), text, cosigner.verifier());
                        assert_eq!(read.unwrap().1, 9);
                        stored = Some(head);
                        200
                    }
                    Ok(Decision::Unchanged(_)) => panic!("no step repeats a head"),
                }
            }
        };
        assert_eq!(
            u64::from(status),
            load::number(&step["status_spec"]),
            "{body}"
        );
        played += 1;
    }
    assert_eq!(played, 9);
}

struct World {
    log: SignerKey,
    tree: MerkleTree,
}

impl World {
    fn new(size: u8) -> Self {
        let mut tree = MerkleTree::new();
        for n in 0..size {
            tree.append(leaf_hash(&[n]));
        }
        Self {
            log: SignerKey::from_seed("log.example", &[1; 32]).unwrap(),
            tree,
        }
    }

    fn checkpoint(&self, size: u64) -> UnverifiedCheckpoint {
        let root = self.tree.root_at(size).unwrap();
        let head = TreeHead::new("log.example", size, root).unwrap();
        Checkpoint::sign(head, &self.log).unwrap().to_unverified()
    }

    fn request(&self, old: u64, new: u64) -> AddCheckpoint {
        let proof = self.tree.consistency(old.min(new), new).unwrap();
        AddCheckpoint::new(old, proof, self.checkpoint(new)).unwrap()
    }

    fn stored(&self, size: u64) -> WitnessedHead {
        let note = self.checkpoint(size).note().encode();
        WitnessedHead::restore(note.as_bytes(), "log.example", self.log.verifier()).unwrap()
    }

    fn decide(&self, request: &AddCheckpoint, size: u64) -> Result<Decision, Refusal> {
        decide(request, Some(&self.stored(size)), Some(self.log.verifier()))
    }
}

#[test]
fn growth_is_committed_and_repetition_is_not() {
    let world = World::new(20);
    let Ok(Decision::Advance(pending)) = world.decide(&world.request(8, 13), 8) else {
        panic!("not accepted");
    };
    assert_eq!(pending.size(), 13);
    let restored = WitnessedHead::restore(
        pending.note().encode().as_bytes(),
        "log.example",
        world.log.verifier(),
    );
    assert_eq!(restored.as_ref(), Ok(&pending.written()));
    let again = world.decide(&world.request(13, 13), 13);
    assert!(matches!(again, Ok(Decision::Unchanged(head)) if head.size() == 13));
}

#[test]
fn a_first_head_of_size_zero_is_committed_and_grows() {
    let world = World::new(3);
    let request = world.request(0, 0);
    let first = decide(&request, None, Some(world.log.verifier()));
    assert!(matches!(first, Ok(Decision::Advance(_))));
    assert!(matches!(
        world.decide(&request, 0),
        Ok(Decision::Unchanged(_))
    ));
    assert!(matches!(
        world.decide(&world.request(0, 3), 0),
        Ok(Decision::Advance(_))
    ));
}

#[test]
fn refuses_rollback_and_forks() {
    let (world, mut fork) = (World::new(20), World::new(10));
    for n in 100..110 {
        fork.tree.append(leaf_hash(&[n]));
    }
    // An older head, told honestly, with a lie about the old size, and twisted.
    assert_eq!(
        world.decide(&world.request(8, 9), 13),
        Err(Refusal::Conflict { size: 13 })
    );
    assert_eq!(
        world.decide(&world.request(0, 9), 13),
        Err(Refusal::Conflict { size: 13 })
    );
    let twisted = AddCheckpoint::new(13, Vec::new(), world.checkpoint(9)).unwrap();
    assert_eq!(world.decide(&twisted, 13), Err(Refusal::OldSizeTooLarge));
    // Another root of the same size, and growth of another history.
    let refused = world.decide(&fork.request(13, 13), 13);
    assert_eq!(refused, Err(Refusal::Inconsistent(Error::RootMismatch)));
    let refused = world.decide(&fork.request(13, 20), 13);
    assert_eq!(refused, Err(Refusal::Inconsistent(Error::RootMismatch)));
    // What the fork shares is no fork.
    assert!(matches!(
        world.decide(&fork.request(10, 20), 10),
        Ok(Decision::Advance(_))
    ));
}

#[test]
fn refuses_in_the_order_of_the_specification() {
    let world = World::new(20);
    let wrong = AddCheckpoint::new(15, vec![Hash::EMPTY_ROOT], world.checkpoint(9)).unwrap();
    let stranger = SignerKey::from_seed("log.example", &[2; 32]).unwrap();
    let stored = world.stored(13);
    assert_eq!(
        decide(&wrong, Some(&stored), None),
        Err(Refusal::UnknownOrigin)
    );
    let refused = decide(&wrong, Some(&stored), Some(stranger.verifier()));
    assert_eq!(refused, Err(Refusal::BadSignature(Error::SignatureMissing)));
    assert_eq!(world.decide(&wrong, 13), Err(Refusal::OldSizeTooLarge));
    let wrong = AddCheckpoint::new(5, vec![Hash::EMPTY_ROOT], world.checkpoint(9)).unwrap();
    assert_eq!(
        world.decide(&wrong, 13),
        Err(Refusal::Conflict { size: 13 })
    );
    let wrong = AddCheckpoint::new(0, vec![Hash::EMPTY_ROOT], world.checkpoint(9)).unwrap();
    let refused = decide(&wrong, None, Some(world.log.verifier()));
    assert_eq!(refused, Err(Refusal::Inconsistent(Error::ProofLength)));
}

#[test]
fn a_signed_empty_tree_with_another_root_is_inconsistent() {
    let world = World::new(1);
    let text = format!("log.example\n0\n{}\n", leaf_hash(b"").to_base64());
    let note = SignedNote::new(&text, world.log.sign(&text).unwrap()).unwrap();
    let checkpoint = UnverifiedCheckpoint::from_note(note).unwrap();
    let request = AddCheckpoint::new(0, Vec::new(), checkpoint).unwrap();
    let refused = decide(&request, None, Some(world.log.verifier()));
    assert_eq!(
        refused,
        Err(Refusal::Inconsistent(Error::EmptyRootMismatch))
    );
}

#[test]
fn only_the_logs_own_signature_is_stored() {
    let world = World::new(2);
    let mut note = world.checkpoint(2).note().clone();
    let stranger = SignerKey::from_seed("stranger", &[9; 32]).unwrap();
    note.push(stranger.sign(note.text()).unwrap()).unwrap();
    let checkpoint = UnverifiedCheckpoint::from_note(note).unwrap();
    let request = AddCheckpoint::new(0, Vec::new(), checkpoint).unwrap();
    let Ok(Decision::Advance(pending)) = decide(&request, None, Some(world.log.verifier())) else {
        panic!("not accepted");
    };
    assert_eq!(pending.note().signatures().len(), 1);
    let cosigner = CosignerKey::from_seed("w", &[5; 32]).unwrap();
    let served = pending.written().cosigned_note(&cosigner, 7).unwrap();
    assert_eq!(served.signatures().len(), 2);
    assert_eq!(served.verify(world.log.verifier()), Ok(()));
}

#[test]
fn a_damaged_store_is_noticed() {
    let world = World::new(2);
    let note = world
        .checkpoint(2)
        .note()
        .encode()
        .replacen("\n2\n", "\n1\n", 1);
    let restored = WitnessedHead::restore(note.as_bytes(), "log.example", world.log.verifier());
    assert_eq!(restored, Err(Error::SignatureInvalid));
}

#[test]
fn refuses_malformed_requests() {
    let world = World::new(5);
    let body = world.request(3, 5).encode();
    let note = world.checkpoint(5).note().encode();
    let hash = Hash::EMPTY_ROOT.to_base64();
    for (text, error) in [
        (body.replacen("old 3", "old 03", 1), Error::Number),
        (body.replacen("old 3", "old  3", 1), Error::Number),
        (body.replacen("old 3", "Old 3", 1), Error::Line),
        (
            body.replacen("old 3", "old 9223372036854775808", 1),
            Error::Number,
        ),
        (
            format!("old 0\n{}\n{note}", format!("{hash}\n").repeat(64)),
            Error::ProofLength,
        ),
        (format!("old 0\n{hash}=\n\n{note}"), Error::Base64),
        (format!("old 0\n\n{note}trailing\n"), Error::Line),
        (String::new(), Error::Line),
    ] {
        assert_eq!(
            AddCheckpoint::parse(text.as_bytes()),
            Err(error),
            "{text:.60}"
        );
    }
    let most = format!("old 0\n{}\n{note}", format!("{hash}\n").repeat(63));
    assert!(AddCheckpoint::parse(most.as_bytes()).is_ok());
    for at in 0..body.len() {
        assert!(
            AddCheckpoint::parse(&body.as_bytes()[..at]).is_err(),
            "cut at {at}"
        );
    }
}

#[test]
fn a_client_takes_only_its_witnesss_line() {
    let (one, two) = (
        CosignerKey::from_seed("w1", &[1; 32]).unwrap(),
        CosignerKey::from_seed("w2", &[2; 32]).unwrap(),
    );
    let text = "log\n1\nroot\n";
    let lines = format!(
        "{}{}",
        two.cosign(text, 5).unwrap(),
        one.cosign(text, 6).unwrap()
    );
    let (line, time) = parse_cosignatures(lines.as_bytes(), text, one.verifier()).unwrap();
    assert_eq!((line.name(), time), ("w1", 6));
    let other = two.cosign(text, 5).unwrap().to_string();
    let missing = parse_cosignatures(other.as_bytes(), text, one.verifier());
    assert_eq!(missing, Err(Error::SignatureMissing));
    let wrong = one.cosign("another text\n", 5).unwrap().to_string();
    let refused = parse_cosignatures(wrong.as_bytes(), text, one.verifier());
    assert_eq!(refused, Err(Error::SignatureInvalid));
    assert_eq!(
        parse_cosignatures(b"", text, one.verifier()),
        Err(Error::SignatureCount)
    );
    for body in ["", "5", "05\n", "5\n\n", "-5\n"] {
        assert!(parse_conflict(body.as_bytes()).is_err(), "{body}");
    }
}
