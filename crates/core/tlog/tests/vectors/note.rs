//! Signed notes and verifier keys.

use base64ct::Base64;
use base64ct::Encoding as _;
use chancery_tlog::Error;
use chancery_tlog::KeyKind;
use chancery_tlog::NoteSignature;
use chancery_tlog::SignedNote;
use chancery_tlog::SignerKey;
use chancery_tlog::VerifierKey;
use chancery_tlog::note::NOTE_BYTES_MAX;
use chancery_tlog::note::SIGNATURES_MAX;

use crate::load;

#[test]
fn note_vectors_have_their_verdicts() {
    for (name, case) in load::cases("signed_notes.json") {
        let keys = case["vkeys"].as_array().unwrap();
        let accept = case["accept"].as_bool().unwrap();
        let note = SignedNote::parse(load::text(&case["note"]).as_bytes());
        let Ok(note) = note else {
            assert!(!accept, "{name}: {note:?}");
            continue;
        };
        assert_eq!(note.encode(), load::text(&case["note"]), "{name}");
        let verified: Vec<String> = keys
            .iter()
            .map(|key| VerifierKey::parse(load::text(key)).unwrap())
            .filter(|key| note.verify(key).is_ok())
            .map(|key| key.name().to_string())
            .collect();
        assert_eq!(!verified.is_empty(), accept, "{name}");
        if accept {
            let expected: Vec<&str> = case["verified"]
                .as_array()
                .unwrap()
                .iter()
                .map(load::text)
                .collect();
            assert_eq!(verified, expected, "{name}");
        }
    }
}

#[test]
fn key_vectors_have_their_verdicts() {
    for (name, case) in load::cases("vkeys.json") {
        let text = load::text(&case["vkey"]);
        let parsed = VerifierKey::parse(text);
        match (name.as_str(), case["valid"].as_bool()) {
            // Both ML-DSA-44 keys are refused; the first for its key id, as the specification asks.
            ("mldsa44-formats-test-key", _) => assert_eq!(parsed, Err(Error::KeyIdMismatch)),
            ("mldsa44-test-mtc-log", _) => assert_eq!(parsed, Err(Error::KeyType)),
            (_, Some(true)) => assert_eq!(parsed.unwrap().to_string(), text, "{name}"),
            (_, Some(false)) => assert_eq!(parsed, Err(Error::KeyFormat), "{name}"),
            (_, None) => assert_eq!(parsed, Err(Error::KeyType), "{name}"),
        }
    }
}

const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

#[test]
fn refuses_every_mutation_of_a_key() {
    let (name, rest) = KEY.split_once('+').unwrap();
    for (text, error) in [
        (KEY.replace("c74f20a3", "C74F20A3"), Error::KeyFormat),
        (KEY.replace("c74f20a3", "c74f20a4"), Error::KeyIdMismatch),
        (KEY.replace("c74f20a3", "c74f20a"), Error::KeyFormat),
        (KEY.replace("c74f20a3", "+74f20a3"), Error::KeyFormat),
        (format!("Other+{rest}"), Error::KeyIdMismatch),
        (format!("Peter Neumann+{rest}"), Error::KeyName),
        (format!("Peter\u{a0}Neumann+{rest}"), Error::KeyName),
        (format!("+{rest}"), Error::KeyName),
        (format!("{}+{rest}", "n".repeat(256)), Error::KeyName),
        (format!("{name}+c74f20a3+"), Error::KeyFormat),
        (format!("{name}+c74f20a3"), Error::KeyFormat),
        (format!("{KEY}="), Error::KeyFormat),
        (format!("{KEY}\n"), Error::KeyFormat),
    ] {
        assert_eq!(VerifierKey::parse(&text), Err(error), "{text}");
    }
}

#[test]
fn refuses_weak_and_non_canonical_public_keys() {
    let identity = {
        let mut bytes = [0; 32];
        bytes[0] = 1;
        bytes
    };
    // y = p + 1 is the identity again, y = p + 3 is a point written in a second way.
    let mut second_identity = [0xff; 32];
    (second_identity[0], second_identity[31]) = (0xee, 0x7f);
    let mut second_way = second_identity;
    second_way[0] = 0xf0;
    for bytes in [[0; 32], identity, second_identity, second_way, [0xff; 32]] {
        for kind in [KeyKind::Ed25519, KeyKind::Cosignature] {
            assert_eq!(VerifierKey::new("key", kind, &bytes), Err(Error::KeyWeak));
        }
    }
}

fn signed(text: &str) -> (SignerKey, SignedNote) {
    let key = SignerKey::from_seed("log.example", &[7; 32]).unwrap();
    let note = SignedNote::new(text, key.sign(text).unwrap()).unwrap();
    (key, note)
}

#[test]
fn refuses_a_note_with_any_byte_changed_or_cut() {
    let (key, note) = signed("one\n\ntwo\n");
    let text = note.encode();
    assert_eq!(
        SignedNote::parse(text.as_bytes())
            .unwrap()
            .verify(&key.verifier().clone()),
        Ok(())
    );
    let accepted = |bytes: &[u8]| {
        SignedNote::parse(bytes).is_ok_and(|note| note.verify(key.verifier()).is_ok())
    };
    for at in 0..text.len() {
        assert!(!accepted(&text.as_bytes()[..at]), "cut at {at}");
        for bit in 0..8 {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            assert!(!accepted(&bytes), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn refuses_malformed_notes() {
    let (_, note) = signed("text\n");
    let line = note.signatures()[0].to_string();
    let blob = line.trim_end().rsplit(' ').next().unwrap().to_string();
    for (text, error) in [
        (format!("text\n{line}"), Error::Line),
        (format!("text\n\n{line}trailing\n"), Error::Line),
        (format!("text\n\n- log.example {blob}\n"), Error::Line),
        ("text\n\n\u{2014} log.example\n".to_string(), Error::Line),
        (
            format!("text\n\n\u{2014} log.example {blob} \n"),
            Error::Base64,
        ),
        (
            format!("text\n\n\u{2014}  log.example {blob}\n"),
            Error::KeyName,
        ),
        (
            format!("text\n\n\u{2014} log+example {blob}\n"),
            Error::KeyName,
        ),
        (
            "text\n\n\u{2014} log.example AAAAAA==\n".to_string(),
            Error::SignatureLength,
        ),
        (
            "text\n\n\u{2014} log.example AAAAAAE\n".to_string(),
            Error::Base64,
        ),
        (
            "text\n\n\u{2014} log.example AAAAAAF=\n".to_string(),
            Error::Base64,
        ),
        (format!("te\txt\n\n{line}"), Error::Encoding),
        (format!("te\rxt\n\n{line}"), Error::Encoding),
        (format!("text\n\n{}", line.trim_end()), Error::Line),
        (
            format!("text\n\n{}", line.repeat(SIGNATURES_MAX + 1)),
            Error::SignatureCount,
        ),
        ("text\n\n".to_string(), Error::SignatureCount),
        (
            format!("{}\n\n{line}", "x".repeat(NOTE_BYTES_MAX)),
            Error::TooLarge,
        ),
    ] {
        assert_eq!(SignedNote::parse(text.as_bytes()), Err(error), "{text:.80}");
    }
    assert_eq!(SignedNote::parse(b"te\xffxt\n\n"), Err(Error::Encoding));
    let most = format!("text\n\n{}", line.repeat(SIGNATURES_MAX));
    assert_eq!(
        SignedNote::parse(most.as_bytes())
            .unwrap()
            .signatures()
            .len(),
        SIGNATURES_MAX
    );
}

#[test]
fn one_failing_line_of_a_known_key_refuses_the_note() {
    let (key, mut note) = signed("text\n");
    note.push(key.sign("other text\n").unwrap()).unwrap();
    assert_eq!(note.verify(key.verifier()), Err(Error::SignatureInvalid));
    let reversed = SignedNote::new("text\n", note.signatures()[1].clone()).unwrap();
    assert_eq!(
        reversed.verify(key.verifier()),
        Err(Error::SignatureInvalid)
    );
}

#[test]
fn unknown_keys_are_ignored_even_with_a_shared_name() {
    let (key, mut note) = signed("text\n");
    let namesake = SignerKey::from_seed("log.example", &[8; 32]).unwrap();
    note.push(namesake.sign("other text\n").unwrap()).unwrap();
    assert_eq!(note.verify(key.verifier()), Ok(()));
    let stranger = SignerKey::from_seed("log.example", &[9; 32]).unwrap();
    assert_eq!(
        note.verify(stranger.verifier()),
        Err(Error::SignatureMissing)
    );
    assert_eq!(note.retaining(&[key.verifier()]).signatures().len(), 1);
}

#[test]
fn a_signature_of_another_length_is_refused() {
    let (key, note) = signed("text\n");
    let line = note.signatures()[0].to_string();
    let blob = Base64::decode_vec(line.trim_end().rsplit(' ').next().unwrap()).unwrap();
    let cut = Base64::encode_string(&blob[..blob.len() - 1]);
    let short = NoteSignature::parse_line(&format!("\u{2014} log.example {cut}")).unwrap();
    let note = SignedNote::new("text\n", short).unwrap();
    assert_eq!(note.verify(key.verifier()), Err(Error::SignatureLength));
}

#[test]
fn does_not_sign_what_cannot_be_a_note() {
    let key = SignerKey::from_seed("log.example", &[7; 32]).unwrap();
    assert_eq!(key.sign("no newline"), Err(Error::Line));
    assert_eq!(key.sign("tab\t\n"), Err(Error::Encoding));
    assert!(matches!(
        SignerKey::from_seed("log example", &[7; 32]),
        Err(Error::KeyName)
    ));
}

#[test]
fn debug_output_of_a_signer_holds_no_secret() {
    let key = SignerKey::from_seed("log.example", &[0x5a; 32]).unwrap();
    let shown = format!("{key:?}");
    assert!(shown.contains("log.example"));
    assert!(!shown.contains("90") && !shown.to_lowercase().contains("5a5a"));
}
