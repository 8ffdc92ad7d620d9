//! Offline proofs.

use chancery_tlog::Checkpoint;
use chancery_tlog::CosignerKey;
use chancery_tlog::Error;
use chancery_tlog::Hash;
use chancery_tlog::MerkleTree;
use chancery_tlog::PROOF_HASHES_MAX;
use chancery_tlog::Policy;
use chancery_tlog::SignerKey;
use chancery_tlog::TreeHead;
use chancery_tlog::leaf_hash;
use chancery_tlog::proof::UnverifiedProof;

use crate::load;

#[test]
fn proof_vectors_have_their_verdicts() {
    for (name, case) in load::cases("tlog_proofs.json") {
        let text = load::text(&case["proof"]);
        let parsed = UnverifiedProof::parse(text.as_bytes());
        assert_eq!(
            parsed.is_ok(),
            case["parse"].as_bool().unwrap(),
            "{name}: {parsed:?}"
        );
        if let Ok(proof) = parsed {
            assert_eq!(
                proof.unverified_index(),
                load::number(&case["index"]),
                "{name}"
            );
            assert_eq!(
                u64::try_from(proof.path().len()),
                Ok(load::number(&case["hashes"]))
            );
            assert_eq!(proof.encode(), text, "{name}");
        }
    }
}

#[test]
fn refuses_misplaced_lines() {
    let hash = Hash::EMPTY_ROOT.to_base64();
    let head = "c2sp.org/tlog-proof@v1\n";
    for (text, error) in [
        (format!("{head}index 0\n"), Error::Line),
        (format!("{head}extra AA==\n\nx\n"), Error::Line),
        (format!("{head}index 0\nextra AA==\n\nx\n"), Error::Base64),
        (
            format!("{head}extra AA==\nextra AA==\nindex 0\n\nx\n"),
            Error::Line,
        ),
        (format!("{head}index 00\n\nx\n"), Error::Number),
        (
            format!("c2sp.org/tlog-proof@v2\nindex 0\n{hash}\n\nx\n"),
            Error::Line,
        ),
        (
            format!("{head}index 0\n{}\nx\n", format!("{hash}\n").repeat(64)),
            Error::ProofLength,
        ),
    ] {
        assert_eq!(
            UnverifiedProof::parse(text.as_bytes()),
            Err(error),
            "{text:.60}"
        );
    }
    let most = format!(
        "{head}index 0\n{}\nx\n",
        format!("{hash}\n").repeat(PROOF_HASHES_MAX)
    );
    assert!(UnverifiedProof::parse(most.as_bytes()).is_ok());
}

#[test]
fn a_proof_holds_for_its_leaf_log_and_policy_only() {
    let log = SignerKey::from_seed("log.example", &[1; 32]).unwrap();
    let witness = CosignerKey::from_seed("w", &[2; 32]).unwrap();
    let policy = Policy::parse(&format!("witness w {}\nquorum w\n", witness.verifier())).unwrap();
    let mut tree = MerkleTree::new();
    for n in 0..11_u8 {
        tree.append(leaf_hash(&[n]));
    }
    let head = TreeHead::new("log.example", 11, tree.root()).unwrap();
    let mut note = Checkpoint::sign(head, &log).unwrap().note().clone();
    let uncosigned = note.encode();
    note.push(witness.cosign(note.text(), 5).unwrap()).unwrap();
    let path = tree.inclusion(4, 11).unwrap();
    let proof = UnverifiedProof::new(Some(b"x".to_vec()), 4, path.clone(), note.encode()).unwrap();
    let proof = UnverifiedProof::parse(proof.encode().as_bytes()).unwrap();
    assert_eq!(proof.unverified_extra(), Some(&b"x"[..]));

    let verify = |proof: &UnverifiedProof, leaf: u8, origin: &str| {
        proof.verify(&leaf_hash(&[leaf]), &policy, origin, log.verifier())
    };
    let verified = verify(&proof, 4, "log.example").unwrap();
    assert_eq!((verified.index(), verified.checkpoint().size()), (4, 11));
    assert_eq!(
        verify(&proof, 5, "log.example").err(),
        Some(Error::RootMismatch)
    );
    assert_eq!(
        verify(&proof, 4, "other.example").err(),
        Some(Error::OriginMismatch)
    );
    let moved = UnverifiedProof::new(None, 5, path.clone(), note.encode()).unwrap();
    assert_eq!(
        verify(&moved, 4, "log.example").err(),
        Some(Error::RootMismatch)
    );
    let bare = UnverifiedProof::new(None, 4, path, uncosigned).unwrap();
    assert_eq!(
        verify(&bare, 4, "log.example").err(),
        Some(Error::QuorumMissing)
    );
}
