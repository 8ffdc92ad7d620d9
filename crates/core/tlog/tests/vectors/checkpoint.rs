//! Checkpoint texts and cosignatures.

use chancery_tlog::Checkpoint;
use chancery_tlog::CosignerKey;
use chancery_tlog::Error;
use chancery_tlog::Hash;
use chancery_tlog::NoteSignature;
use chancery_tlog::SignedNote;
use chancery_tlog::SignerKey;
use chancery_tlog::TREE_SIZE_MAX;
use chancery_tlog::TreeHead;
use chancery_tlog::UnverifiedCheckpoint;
use chancery_tlog::VerifierKey;
use chancery_tlog::cosign::cosigned_by;
use chancery_tlog::cosign::verify_cosignature;
use chancery_tlog::leaf_hash;
use chancery_tlog::witness::monitoring_path;

use crate::load;

#[test]
fn checkpoint_vectors_have_their_verdicts() {
    for (name, case) in load::cases("checkpoint_texts.json") {
        let text = load::text(&case["text"]);
        let parsed = TreeHead::parse(text);
        assert_eq!(
            parsed.is_ok(),
            case["accept"].as_bool().unwrap(),
            "{name}: {parsed:?}"
        );
        if let Ok(head) = parsed {
            assert_eq!(head.size(), load::number(&case["size"]), "{name}");
            assert!(text.starts_with(&head.to_string()), "{name}");
        }
    }
}

#[test]
fn refuses_each_way_to_spoil_a_checkpoint_text() {
    let root = Hash::EMPTY_ROOT.to_base64();
    for (text, error) in [
        (format!("log\n1\n{root}"), Error::Line),
        (format!("log\n{root}\n"), Error::Line),
        (format!("log\n1\n{root}\n\n"), Error::Line),
        (format!("log\n1\n{root}\nextension\n\n"), Error::Line),
        (format!("log\n01\n{root}\n"), Error::Number),
        (format!("log\n+1\n{root}\n"), Error::Number),
        (format!("log\n\n{root}\n"), Error::Number),
        (
            format!("log\n{}\n{root}\n", TREE_SIZE_MAX + 1),
            Error::Number,
        ),
        (format!("log\n1\n {root}\n"), Error::Base64),
        (
            format!("log\n1\n{}\n", root.trim_end_matches('=')),
            Error::Base64,
        ),
        (
            format!("log\n1\n{root}\n").replace("FU=", "FV="),
            Error::Base64,
        ),
        (format!("{}\n1\n{root}\n", "o".repeat(256)), Error::Origin),
    ] {
        assert_eq!(TreeHead::parse(&text), Err(error), "{text:.60}");
    }
}

#[test]
fn refuses_heads_that_cannot_be() {
    let root = leaf_hash(b"");
    assert_eq!(TreeHead::new("", 1, root), Err(Error::Origin));
    assert_eq!(TreeHead::new("a\nb", 1, root), Err(Error::Origin));
    assert_eq!(TreeHead::new("log", 0, root), Err(Error::EmptyRootMismatch));
    assert_eq!(
        TreeHead::new("log", TREE_SIZE_MAX + 1, root),
        Err(Error::TreeTooLarge)
    );
}

#[test]
fn a_checkpoint_is_of_its_own_log_and_key_only() {
    let log = SignerKey::from_seed("log.example", &[1; 32]).unwrap();
    let head = TreeHead::new("log.example", 1, leaf_hash(b"")).unwrap();
    let signed = Checkpoint::sign(head, &log).unwrap();
    let bytes = signed.note().encode();
    let read = UnverifiedCheckpoint::parse(bytes.as_bytes()).unwrap();
    assert_eq!(
        read.verify("log.example", log.verifier()).as_ref(),
        Ok(&signed)
    );
    let other = read.verify("other.example", log.verifier());
    assert_eq!(other, Err(Error::OriginMismatch));
    let stranger = SignerKey::from_seed("log.example", &[2; 32]).unwrap();
    let other = read.verify("log.example", stranger.verifier());
    assert_eq!(other, Err(Error::SignatureMissing));
    let cosigner = CosignerKey::from_seed("log.example", &[1; 32]).unwrap();
    let other = read.verify("log.example", cosigner.verifier());
    assert_eq!(other, Err(Error::KeyType));
}

#[test]
fn refuses_a_signed_empty_tree_with_another_root() {
    let log = SignerKey::from_seed("log", &[1; 32]).unwrap();
    let text = format!("log\n0\n{}\n", leaf_hash(b"").to_base64());
    let note = SignedNote::new(&text, log.sign(&text).unwrap()).unwrap();
    let read = UnverifiedCheckpoint::from_note(note).unwrap();
    assert_eq!(
        read.verify("log", log.verifier()),
        Err(Error::EmptyRootMismatch)
    );
}

#[test]
fn cosignature_vectors_have_their_verdicts() {
    let mut checked = 0;
    for (name, case) in load::cases("cosignatures.json") {
        let Some(text) = case["checkpoint"].as_str() else {
            continue;
        };
        let read = UnverifiedCheckpoint::parse(text.as_bytes()).unwrap();
        assert_eq!(read.note().encode(), text, "{name}");
        if let Some(expected) = case["origin_sha256_hex"].as_str() {
            let path = monitoring_path(read.unverified_head().origin());
            assert_eq!(path, format!("/{expected}/checkpoint"), "{name}");
        }
        for key in case["cosigner_vkeys"].as_array().into_iter().flatten() {
            let key = VerifierKey::parse(load::text(key)).unwrap();
            let time = cosigned_by(read.note(), &key).unwrap();
            assert_eq!(time.is_some(), case["accept"].as_bool().unwrap(), "{name}");
            checked += 1;
        }
    }
    assert_eq!(checked, 3);
}

#[test]
fn the_time_of_the_specification_is_read() {
    let case = load::json("cosignatures.json")["cases"]["c2sp-parse-only"].clone();
    let note = SignedNote::parse(load::text(&case["checkpoint"]).as_bytes()).unwrap();
    let expected = load::number(&case["timestamp_of_cosignature"]);
    // The keys are not published; the line itself shows the time after its key id.
    let line = note.signatures()[1].to_string();
    let blob = line.trim_end().rsplit(' ').next().unwrap();
    let blob = <base64ct::Base64 as base64ct::Encoding>::decode_vec(blob).unwrap();
    assert_eq!(blob[4..12], expected.to_be_bytes());
}

#[test]
fn a_plain_signature_is_no_cosignature() {
    let key = CosignerKey::from_seed("w", &[3; 32]).unwrap();
    let blob = load::json("cosignatures.json")["cases"]["timestamp-wrong-type"].clone();
    let blob = load::text(&blob["signature_base64"]).to_string();
    let mut bytes = <base64ct::Base64 as base64ct::Encoding>::decode_vec(&blob).unwrap();
    bytes[..4].copy_from_slice(&key.verifier().id().to_be_bytes());
    let blob = <base64ct::Base64 as base64ct::Encoding>::encode_string(&bytes);
    let line = NoteSignature::parse_line(&format!("\u{2014} w {blob}")).unwrap();
    let verdict = verify_cosignature("text\n", &line, key.verifier());
    assert_eq!(verdict, Err(Error::SignatureLength));
}

#[test]
fn a_cosignature_is_bound_to_text_time_and_key() {
    let key = CosignerKey::from_seed("w", &[3; 32]).unwrap();
    let line = key.cosign("text\n", 1_700_000_000).unwrap();
    assert_eq!(
        verify_cosignature("text\n", &line, key.verifier()),
        Ok(1_700_000_000)
    );
    let verdict = verify_cosignature("texT\n", &line, key.verifier());
    assert_eq!(verdict, Err(Error::SignatureInvalid));
    let text = line.to_string();
    let blob = text.trim_end().rsplit(' ').next().unwrap();
    let bytes = <base64ct::Base64 as base64ct::Encoding>::decode_vec(blob).unwrap();
    for at in 4..bytes.len() {
        let mut spoilt = bytes.clone();
        spoilt[at] ^= 1;
        let blob = <base64ct::Base64 as base64ct::Encoding>::encode_string(&spoilt);
        let line = NoteSignature::parse_line(&format!("\u{2014} w {blob}")).unwrap();
        let verdict = verify_cosignature("text\n", &line, key.verifier());
        assert_eq!(verdict, Err(Error::SignatureInvalid), "byte {at}");
    }
    let other = CosignerKey::from_seed("w", &[4; 32]).unwrap();
    let verdict = verify_cosignature("text\n", &line, other.verifier());
    assert_eq!(verdict, Err(Error::SignatureMissing));
    let log = SignerKey::from_seed("w", &[3; 32]).unwrap();
    let verdict = verify_cosignature("text\n", &line, log.verifier());
    assert_eq!(verdict, Err(Error::KeyType));
}

#[test]
fn times_out_of_range_are_neither_made_nor_read() {
    let key = CosignerKey::from_seed("w", &[3; 32]).unwrap();
    for time in [0, TREE_SIZE_MAX + 1, u64::MAX] {
        assert_eq!(key.cosign("text\n", time), Err(Error::Timestamp));
        let mut bytes = key.verifier().id().to_be_bytes().to_vec();
        bytes.extend(time.to_be_bytes());
        bytes.extend([0; 64]);
        let blob = <base64ct::Base64 as base64ct::Encoding>::encode_string(&bytes);
        let line = NoteSignature::parse_line(&format!("\u{2014} w {blob}")).unwrap();
        let verdict = verify_cosignature("text\n", &line, key.verifier());
        assert_eq!(verdict, Err(Error::Timestamp));
    }
}

#[test]
fn rekor_checkpoints_have_their_verdicts() {
    let mut accepted = 0;
    for (name, case) in load::cases("rekor_entries.json") {
        let Some(envelope) = case["inclusionProof"]["checkpoint"]["envelope"].as_str() else {
            continue;
        };
        // Version 1 signs with ECDSA, which this crate does not read.
        let Some(logs) = case["tlogs"].as_array() else {
            continue;
        };
        let key_of = |log: &serde_json::Value| {
            let spki = load::text(&log["publicKey"]["rawBytes"]);
            let spki = <base64ct::Base64 as base64ct::Encoding>::decode_vec(spki).unwrap();
            let key = spki.last_chunk::<32>().unwrap();
            let name = load::text(&log["baseUrl"])
                .strip_prefix("https://")
                .unwrap();
            VerifierKey::new(name, chancery_tlog::KeyKind::Ed25519, key).ok()
        };
        let keys = logs
            .iter()
            .filter(|log| load::text(&log["publicKey"]["keyDetails"]) == "PKIX_ED25519")
            .filter_map(key_of);
        let verified = UnverifiedCheckpoint::parse(envelope.as_bytes())
            .is_ok_and(|read| keys.into_iter().any(|k| read.verify(k.name(), &k).is_ok()));
        let expected = load::text(&case["expected"]) == "accept";
        assert_eq!(verified, expected, "{name}");
        accepted += usize::from(verified);
    }
    assert!(accepted >= 5, "{accepted}");
}
