//! Faults of the disk that no socket can cause.

use std::fs::File;
use std::path::PathBuf;

use chancery_tlog::Checkpoint;
use chancery_tlog::MerkleTree;
use chancery_tlog::SignerKey;
use chancery_tlog::TreeHead;
use chancery_tlog::leaf_hash;
use chancery_tlog::witness::AddCheckpoint;
use chancery_tlog::witness::Decision;
use chancery_tlog::witness::Pending;
use chancery_tlog::witness::decide;

use super::HeadFile;
use super::StateFolder;
use crate::Error;

fn pending(log: &SignerKey) -> Pending {
    let mut tree = MerkleTree::new();
    tree.append(leaf_hash(b""));
    let head = TreeHead::new("log.example", 1, tree.root()).unwrap();
    let checkpoint = Checkpoint::sign(head, log).unwrap().to_unverified();
    let request = AddCheckpoint::new(0, Vec::new(), checkpoint).unwrap();
    match decide(&request, None, Some(log.verifier())) {
        Ok(Decision::Advance(pending)) => pending,
        other => panic!("{other:?}"),
    }
}

fn folder(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("chancery-witness-{}-{name}", std::process::id()))
}

#[test]
fn a_failed_write_stops_the_log_until_restart() {
    let log = SignerKey::from_seed("log.example", &[1; 32]).unwrap();
    let path = folder("in-doubt");
    let state = StateFolder::open(&path).unwrap();
    let mut head = state.head("log.example", log.verifier()).unwrap();
    let mut files = std::fs::read_dir(&path)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let head_path = files.find(|path| path.extension().is_some_and(|e| e == "head"));
    // A descriptor that cannot write stands for a disk that cannot.
    head.file = File::open(head_path.unwrap()).unwrap();
    assert!(matches!(
        head.commit(pending(&log)),
        Err(Error::Io("head file", _))
    ));
    assert!(matches!(head.newest(), Err(Error::HeadInDoubt)));
    assert!(matches!(
        head.commit(pending(&log)),
        Err(Error::HeadInDoubt)
    ));
    drop(head);
    let mut head = state.head("log.example", log.verifier()).unwrap();
    assert!(matches!(head.newest(), Ok(None)));
    assert_eq!(head.commit(pending(&log)).unwrap().size(), 1);
    std::fs::remove_dir_all(path).unwrap();
}

#[test]
fn each_write_goes_to_the_other_slot() {
    let log = SignerKey::from_seed("log.example", &[1; 32]).unwrap();
    let path = folder("slots");
    let state = StateFolder::open(&path).unwrap();
    let mut head = state.head("log.example", log.verifier()).unwrap();
    for sequence in 1..=5 {
        head.commit(pending(&log)).unwrap();
        let again = HeadFile::read(
            head.file.try_clone().unwrap(),
            "log.example",
            log.verifier(),
        );
        assert_eq!(again.unwrap().sequence, sequence);
    }
    std::fs::remove_dir_all(path).unwrap();
}
