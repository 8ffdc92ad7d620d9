//! Policies: the file, the arithmetic, and the check of checkpoints.

use base64ct::Base64;
use base64ct::Encoding as _;
use chancery_tlog::Checkpoint;
use chancery_tlog::CosignerKey;
use chancery_tlog::Error;
use chancery_tlog::KeyKind;
use chancery_tlog::Policy;
use chancery_tlog::SignedNote;
use chancery_tlog::SignerKey;
use chancery_tlog::TreeHead;
use chancery_tlog::UnverifiedCheckpoint;
use chancery_tlog::VerifierKey;
use chancery_tlog::leaf_hash;
use chancery_tlog::policy::ENTRIES_MAX;
use chancery_tlog::policy::WitnessId;

use crate::load;

/// The public vectors give witnesses keys of type 0x01, which c2sp.org/tlog-policy does not allow
/// for witnesses; the same policy with type 0x04 has the verdict.
fn with_cosignature_keys(policy: &str) -> String {
    let mut text = policy.to_string();
    for word in policy
        .split_whitespace()
        .filter(|word| word.matches('+').count() >= 2)
    {
        let (name, rest) = word.split_once('+').unwrap();
        let blob = Base64::decode_vec(rest.split_once('+').unwrap().1).unwrap();
        let key = VerifierKey::new(name, KeyKind::Cosignature, blob[1..].try_into().unwrap());
        text = text.replace(word, &key.unwrap().to_string());
    }
    text
}

#[test]
fn policy_vectors_have_their_verdicts() {
    for (name, case) in load::cases("tlog_policies.json") {
        let text = load::text(&case["policy"]);
        let parsed = Policy::parse(&with_cosignature_keys(text));
        match case["accept"].as_bool() {
            Some(true) => {
                assert_eq!(Policy::parse(text), Err(Error::KeyType), "{name}");
                let policy = parsed.unwrap();
                // The vectors' groups need all their members, or one of one.
                let threshold = load::number(&case["threshold"]);
                let ids: Vec<WitnessId> = policy.witnesses().map(|(id, _)| id).collect();
                assert_eq!(ids.len().try_into(), Ok(threshold), "{name}");
                assert!(policy.quorum(&ids) && !policy.quorum(&ids[1..]), "{name}");
            }
            // Text after a `#` within a line is no comment by the specification; a word too many.
            _ => assert!(parsed.is_err(), "{name}"),
        }
    }
}

fn cosigner(number: u8) -> CosignerKey {
    CosignerKey::from_seed(&format!("w{number}.example"), &[100 + number; 32]).unwrap()
}

fn witness_lines(count: u8) -> String {
    (1..=count)
        .map(|n| format!("witness w{n} {}\n", cosigner(n).verifier()))
        .collect()
}

fn flat(n: u8, k: u8) -> Result<Policy, Error> {
    let members: String = (1..=n).map(|n| format!(" w{n}")).collect();
    Policy::parse(&format!(
        "{}group g {k}{members}\nquorum g\n",
        witness_lines(n)
    ))
}

#[test]
fn the_quorum_table_of_the_design_holds() {
    // n, f, k: the smallest k that tolerates f, and what is left for outages.
    for (n, f, k) in [
        (3, 0, 2),
        (4, 1, 3),
        (5, 1, 4),
        (6, 1, 4),
        (7, 2, 5),
        (9, 2, 6),
        (10, 3, 7),
    ] {
        let policy = flat(n, k).unwrap();
        assert_eq!(policy.faults_tolerated(), f, "{k} of {n}");
        assert_eq!(policy.outages_tolerated(), usize::from(n - k));
        let weaker = flat(n, k - 1).map(|policy| policy.liars_tolerated());
        assert!(
            weaker.is_err() || weaker.unwrap() < f.max(1),
            "{} of {n}",
            k - 1
        );
    }
    assert_eq!(flat(2, 1), Err(Error::PolicyDisjoint));
    assert_eq!(flat(4, 2), Err(Error::PolicyDisjoint));
    assert_eq!(flat(1, 1).unwrap().faults_tolerated(), 0);
}

/// Fewest common witnesses of two quorums and smallest blocking set, by trying all sets.
fn by_enumeration(policy: &Policy) -> (usize, usize) {
    let ids: Vec<WitnessId> = policy.witnesses().map(|(id, _)| id).collect();
    let set = |mask: u32| -> Vec<WitnessId> {
        let chosen = |id: &&WitnessId| mask >> id.number() & 1 == 1;
        ids.iter().filter(chosen).copied().collect()
    };
    let all: u32 = (1 << ids.len()) - 1;
    let quorums: Vec<u32> = (0..=all)
        .filter(|mask| policy.quorum(&set(*mask)))
        .collect();
    let common = quorums
        .iter()
        .flat_map(|a| quorums.iter().map(move |b| (a & b).count_ones()));
    let blocking = (0..=all)
        .filter(|mask| !policy.quorum(&set(all & !mask)))
        .map(u32::count_ones);
    let count = |least: Option<u32>| usize::try_from(least.unwrap()).unwrap();
    (count(common.min()), count(blocking.min()))
}

#[test]
fn nested_policies_agree_with_enumeration() {
    let groups = [
        "group a 3 w1 w2 w3 w4\ngroup b any w5 w6\ngroup q all a b\nquorum q\n",
        "group a 2 w1 w2 w3\ngroup b 2 w4 w5 w6\ngroup q all a b\nquorum q\n",
        "group a 2 w1 w2 w3\ngroup b all w4 w5\ngroup q 2 a b w6\nquorum q\n",
        "group a all w1 w2\ngroup b all w3 w4\ngroup c all w5 w6\ngroup q 2 a b c\nquorum q\n",
        "group a 2 w1 w2 w3\ngroup q 2 a w4 w5\nquorum q\n",
        "quorum w3\n",
    ];
    for text in groups {
        let policy = Policy::parse(&format!("{}{text}", witness_lines(6))).unwrap();
        let (common, blocking) = by_enumeration(&policy);
        assert_eq!(policy.liars_tolerated() + 1, common, "{text}");
        assert_eq!(policy.outages_tolerated() + 1, blocking, "{text}");
        assert_eq!(
            policy.faults_tolerated() + 1,
            common.min(blocking),
            "{text}"
        );
    }
    for text in [
        "group a any w1 w2\ngroup b any w3 w4\ngroup q all a b\nquorum q\n",
        "group a all w1 w2 w3\ngroup b all w4 w5 w6\ngroup q any a b\nquorum q\n",
        "group a any w1 w2\ngroup b 2 w3 w4 w5\ngroup q 1 a b\nquorum q\n",
        "quorum none\n",
    ] {
        let parsed = Policy::parse(&format!("{}{text}", witness_lines(6)));
        assert_eq!(parsed, Err(Error::PolicyDisjoint), "{text}");
    }
}

fn refuses(cases: &[(&str, Error)]) {
    let two = witness_lines(2);
    for (lines, error) in cases {
        assert_eq!(
            Policy::parse(&format!("{two}{lines}")),
            Err(*error),
            "{lines}"
        );
    }
}

#[test]
fn refuses_lines_that_the_specification_does_not_have() {
    refuses(&[
        ("quorum w1", Error::Line),
        ("quorum w1\r\n", Error::Encoding),
        ("quorum w1\u{7f}\n", Error::Encoding),
        ("", Error::PolicyQuorum),
        ("quorum w1\nquorum w1\n", Error::PolicyQuorum),
        ("quorum w1 w2\n", Error::PolicyLine),
        ("quorum\n", Error::PolicyLine),
        ("Quorum w1\n", Error::PolicyLine),
        ("mirror m\nquorum w1\n", Error::PolicyLine),
        ("witness w3 key\n", Error::KeyFormat),
    ]);
    let many = format!("{}quorum w1\n", witness_lines(33));
    assert_eq!(Policy::parse(&many), Err(Error::PolicyTooLarge));
    assert_eq!(ENTRIES_MAX, 32);
    assert_eq!(Policy::parse(&"# \n".repeat(30_000)), Err(Error::TooLarge));
}

#[test]
fn refuses_groups_that_are_no_tree_of_earlier_names() {
    refuses(&[
        ("quorum g\ngroup g all w1 w2\n", Error::PolicyUnknownName),
        ("group g all w1 w3\nquorum g\n", Error::PolicyUnknownName),
        ("group g all w1 g\nquorum g\n", Error::PolicyUnknownName),
        ("group g all w1 none\nquorum g\n", Error::PolicyUnknownName),
        ("group g all w1 w1\nquorum g\n", Error::PolicyMemberTwice),
        (
            "group a all w1 w2\ngroup b all a w1\nquorum b\n",
            Error::PolicyMemberTwice,
        ),
        (
            "group a all w1 w2\ngroup b all a\ngroup c all a\n",
            Error::PolicyMemberTwice,
        ),
        ("group w1 all w1 w2\nquorum w1\n", Error::PolicyName),
        ("group none all w1 w2\nquorum w1\n", Error::PolicyName),
        ("group g 0 w1 w2\nquorum g\n", Error::PolicyThreshold),
        ("group g 3 w1 w2\nquorum g\n", Error::PolicyThreshold),
        ("group g all\nquorum g\n", Error::PolicyThreshold),
        ("group g 02 w1 w2\nquorum g\n", Error::Number),
        ("group g most w1 w2\nquorum g\n", Error::Number),
        ("group g\nquorum g\n", Error::PolicyLine),
    ]);
}

#[test]
fn refuses_keys_with_two_lines_or_roles() {
    let (one, three) = (cosigner(1), cosigner(3));
    let (one, three) = (one.verifier(), three.verifier());
    let log = SignerKey::from_seed("log", &[9; 32]).unwrap();
    let log = log.verifier();
    let renamed = VerifierKey::new("x", KeyKind::Cosignature, one.public_key()).unwrap();
    let as_log = VerifierKey::new("x", KeyKind::Ed25519, one.public_key()).unwrap();
    refuses(&[
        (&format!("witness w3 {one}\n"), Error::PolicyDuplicateKey),
        (
            &format!("witness w3 {renamed}\n"),
            Error::PolicyDuplicateKey,
        ),
        (&format!("log {as_log}\n"), Error::PolicyDuplicateKey),
        (
            &format!("log {log}\nlog {log}\n"),
            Error::PolicyDuplicateKey,
        ),
        (&format!("log {three}\n"), Error::KeyType),
        (&format!("witness w3 {log}\n"), Error::KeyType),
        (&format!("witness w1 {three}\n"), Error::PolicyName),
        (&format!("witness none {three}\n"), Error::PolicyName),
        (&format!("witness w3 {three} url more\n"), Error::PolicyLine),
    ]);
}

#[test]
fn keeps_names_addresses_and_comments_as_the_specification_says() {
    let (w, log) = (cosigner(1), SignerKey::from_seed("log", &[9; 32]).unwrap());
    let text = format!(
        "\n  # comment\n\tlog\t{}  https://log.example/\n witness  \u{212a} {} https://w/#x \nquorum \u{212a}\n",
        log.verifier(),
        w.verifier()
    );
    let policy = Policy::parse(&text).unwrap();
    assert_eq!(policy.names().collect::<Vec<_>>(), ["\u{212a}"]);
    let (id, witness) = policy.witnesses().next().unwrap();
    assert_eq!(
        (witness.url(), witness.key()),
        (Some("https://w/#x"), w.verifier())
    );
    assert_eq!(policy.witness(id), Some(witness));
    assert_eq!(policy.logs()[0].url(), Some("https://log.example/"));
}

struct Log {
    key: SignerKey,
    note: SignedNote,
}

impl Log {
    fn new() -> Self {
        let key = SignerKey::from_seed("log.example", &[1; 32]).unwrap();
        let head = TreeHead::new("log.example", 1, leaf_hash(b"")).unwrap();
        let note = Checkpoint::sign(head, &key).unwrap().note().clone();
        Self { key, note }
    }

    fn cosigned(mut self, times: &[(u8, u64)]) -> Self {
        for (number, time) in times {
            let line = cosigner(*number).cosign(self.note.text(), *time).unwrap();
            self.note.push(line).unwrap();
        }
        self
    }

    fn check(&self, policy: &Policy) -> Result<(u64, u64), Error> {
        let read = UnverifiedCheckpoint::parse(self.note.encode().as_bytes()).unwrap();
        let cosigned = policy.check(&read, "log.example", self.key.verifier())?;
        Ok((cosigned.time_floor_s(), cosigned.time_ceiling_s()))
    }
}

#[test]
fn time_is_what_one_honest_witness_must_have_said() {
    let policy = flat(4, 3).unwrap();
    let log = Log::new().cosigned(&[(1, 100), (2, 9_000), (3, 200)]);
    assert_eq!(log.check(&policy), Ok((200, 200)));
    let log = Log::new().cosigned(&[(1, 100), (2, 9_000), (3, 200), (4, 1)]);
    assert_eq!(log.check(&policy), Ok((200, 100)));
    let log = Log::new().cosigned(&[(1, 100), (2, 300), (3, 200)]);
    assert_eq!(log.check(&flat(3, 2).unwrap()), Ok((300, 100)));
}

#[test]
fn each_witness_counts_once() {
    let policy = flat(4, 3).unwrap();
    let log = Log::new().cosigned(&[(1, 100), (1, 101), (1, 102), (2, 100)]);
    assert_eq!(log.check(&policy), Err(Error::QuorumMissing));
    let log = Log::new().cosigned(&[(1, 100), (1, 110), (2, 100), (3, 90)]);
    assert_eq!(log.check(&policy), Ok((100, 100)));
    let (id, _) = policy.witnesses().next().unwrap();
    assert!(!policy.quorum(&[id; 4]));
}

#[test]
fn strangers_and_witnesses_outside_the_quorum_do_not_count() {
    let policy = flat(4, 3).unwrap();
    let log = Log::new().cosigned(&[(1, 100), (2, 100), (7, 100)]);
    assert_eq!(log.check(&policy), Err(Error::QuorumMissing));
    let lines = format!("{}group g 2 w1 w2 w3\nquorum g\n", witness_lines(4));
    let policy = Policy::parse(&lines).unwrap();
    let log = Log::new().cosigned(&[(1, 100), (4, 100)]);
    assert_eq!(log.check(&policy), Err(Error::QuorumMissing));
    let log = Log::new().cosigned(&[(1, 100), (2, 90), (4, 9_000)]);
    assert_eq!(log.check(&policy), Ok((100, 90)));
}

#[test]
fn one_failing_cosignature_of_a_known_key_refuses_the_note() {
    let policy = flat(4, 3).unwrap();
    let mut log = Log::new().cosigned(&[(1, 100), (2, 100), (3, 100)]);
    log.note
        .push(cosigner(4).cosign("another text\n", 100).unwrap())
        .unwrap();
    assert_eq!(log.check(&policy), Err(Error::SignatureInvalid));
    let mut log = Log::new().cosigned(&[(1, 100), (2, 100), (3, 100)]);
    log.note
        .push(cosigner(9).cosign("another text\n", 100).unwrap())
        .unwrap();
    assert_eq!(log.check(&policy), Ok((100, 100)));
}

#[test]
fn cosignatures_do_not_stand_in_for_the_logs_signature() {
    let policy = flat(4, 3).unwrap();
    let log = Log::new().cosigned(&[(1, 100), (2, 100), (3, 100)]);
    let keys: Vec<CosignerKey> = (1..4).map(cosigner).collect();
    let keys: Vec<&VerifierKey> = keys.iter().map(CosignerKey::verifier).collect();
    let read = UnverifiedCheckpoint::from_note(log.note.retaining(&keys)).unwrap();
    let verdict = policy.check(&read, "log.example", log.key.verifier());
    assert_eq!(verdict.err(), Some(Error::SignatureMissing));
    let read = UnverifiedCheckpoint::from_note(log.note).unwrap();
    let verdict = policy.check(&read, "other.example", log.key.verifier());
    assert_eq!(verdict.err(), Some(Error::OriginMismatch));
}

#[test]
fn a_policy_that_lists_logs_refuses_others() {
    let listed = SignerKey::from_seed("log.example", &[2; 32]).unwrap();
    let text = format!("log {}\n{}quorum w1\n", listed.verifier(), witness_lines(1));
    let policy = Policy::parse(&text).unwrap();
    let log = Log::new().cosigned(&[(1, 100)]);
    assert_eq!(log.check(&policy), Err(Error::PolicyLog));
    let text = text.replace(
        &listed.verifier().to_string(),
        &log.key.verifier().to_string(),
    );
    assert_eq!(log.check(&Policy::parse(&text).unwrap()), Ok((100, 100)));
}
