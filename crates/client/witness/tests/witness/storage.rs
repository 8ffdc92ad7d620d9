//! What the state folder promises, and what happens when it is touched.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use chancery_tlog::SignerKey;
use chancery_witness::Error;

use crate::harness::Folder;
use crate::harness::Log;
use crate::harness::Running;

const SLOT: usize = 4096;

/// A folder of a witness that has cosigned sizes 5 and 17.
fn used() -> (Folder, Log, String) {
    let (folder, log) = (Folder::new(), Log::new("log.example", 40));
    folder.follow(&[&log]);
    let witness = Running::start(&folder).unwrap();
    let mut client = witness.client();
    client.cosigned(&log, 0, 5, &witness.vkey);
    client.cosigned(&log, 5, 17, &witness.vkey);
    let vkey = witness.vkey.clone();
    drop(client);
    (folder, log, vkey)
}

fn refused(folder: &Folder) -> Error {
    match Running::start(folder) {
        Ok(_) => panic!("it started"),
        Err(error) => error,
    }
}

#[test]
fn a_restart_forgets_neither_key_nor_head() {
    let (folder, log, vkey) = used();
    let witness = Running::start(&folder).unwrap();
    assert_eq!(witness.vkey, vkey);
    let mut client = witness.client();
    assert_eq!(client.add(&log.request(5, 17)).body, "17\n");
    client.cosigned(&log, 17, 20, &vkey);
}

#[test]
fn a_write_that_was_cut_off_leaves_the_head_before_it() {
    let (folder, log, vkey) = used();
    let path = folder.head_file();
    let whole = fs::read(&path).unwrap();
    assert_eq!(whole.len(), 2 * SLOT);
    // Size 17 is the second write and stands in the first slot.
    for at in [0, 8, 19, 20, 100, SLOT - 1] {
        let mut torn = whole.clone();
        torn[at] ^= 1;
        fs::write(&path, torn).unwrap();
        let witness = Running::start(&folder).unwrap();
        assert_eq!(
            witness.client().add(&log.request(0, 17)).body,
            "5\n",
            "byte {at}"
        );
    }
    // The same on the first write: nothing was ever cosigned.
    let mut first = whole.clone();
    first[..SLOT].fill(0);
    first[SLOT] ^= 1;
    fs::write(&path, first).unwrap();
    let witness = Running::start(&folder).unwrap();
    witness.client().cosigned(&log, 0, 17, &vkey);
}

#[test]
fn a_write_that_took_effect_without_an_answer_stands() {
    let (folder, log, vkey) = used();
    let path = folder.head_file();
    let before = fs::read(&path).unwrap();
    let witness = Running::start(&folder).unwrap();
    witness.client().cosigned(&log, 17, 30, &vkey);
    drop(witness);
    let after = fs::read(&path).unwrap();
    // Only the slot of size 5 was overwritten.
    assert_eq!(before[..SLOT], after[..SLOT]);
    assert_ne!(before[SLOT..], after[SLOT..]);
    let witness = Running::start(&folder).unwrap();
    assert_eq!(witness.client().add(&log.request(17, 30)).body, "30\n");
}

#[test]
fn does_not_start_with_a_damaged_head_file() {
    let (folder, _log, _) = used();
    let path = folder.head_file();
    let whole = fs::read(&path).unwrap();
    let mut both = whole.clone();
    both[30] ^= 1;
    both[SLOT + 30] ^= 1;
    for damaged in [
        both,
        whole[..SLOT].to_vec(),
        Vec::new(),
        [&whole[..], &[0]].concat(),
    ] {
        fs::write(&path, damaged).unwrap();
        assert!(matches!(refused(&folder), Error::HeadDamaged));
    }
    fs::write(&path, whole).unwrap();
    assert!(Running::start(&folder).is_ok());
}

#[test]
fn does_not_start_with_another_key_for_a_stored_head() {
    let (folder, mut log, _) = used();
    log.key = SignerKey::from_seed("log.example", &[2; 32]).unwrap();
    folder.follow(&[&log]);
    assert!(matches!(refused(&folder), Error::HeadInvalid(_)));
}

#[test]
fn the_seed_is_private_and_not_replaced() {
    let (folder, _log, _) = used();
    let seed = folder.state().join("seed");
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(seed.clone()), 0o600);
    assert_eq!(mode(folder.state()), 0o700);
    fs::set_permissions(&seed, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(refused(&folder), Error::Seed));
    fs::set_permissions(&seed, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(Running::start(&folder).is_ok());
    fs::write(&seed, [0; 31]).unwrap();
    assert!(matches!(refused(&folder), Error::Seed));
    fs::remove_file(&seed).unwrap();
    assert!(matches!(refused(&folder), Error::Seed));
}

#[test]
fn one_folder_has_one_witness() {
    let (folder, log, _) = used();
    let witness = Running::start(&folder).unwrap();
    assert!(matches!(refused(&folder), Error::Locked));
    witness.client().cosigned(&log, 17, 20, &witness.vkey);
    drop(witness);
    assert!(Running::start(&folder).is_ok());
}

#[test]
fn does_not_start_with_a_bad_logs_file() {
    let (folder, log) = (Folder::new(), Log::new("log.example", 1));
    assert!(matches!(refused(&folder), Error::Io("logs file", _)));
    let key = log.key.verifier().to_string();
    let entry = format!(r#"{{"origin":"log.example","vkey":"{key}"}}"#);
    let cosigner = chancery_tlog::CosignerKey::from_seed("w", &[1; 32]).unwrap();
    let witness_key = cosigner.verifier().to_string();
    for (text, expected) in [
        ("not json".to_string(), "LogsFormat"),
        (r#"{"version":1}"#.to_string(), "LogsFormat"),
        (
            r#"{"version":1,"logs":[],"logs":[]}"#.to_string(),
            "LogsFormat",
        ),
        (
            r#"{"version":1,"logs":[{"origin":"x"}]}"#.to_string(),
            "LogsFormat",
        ),
        (r#"{"version":2,"logs":[]}"#.to_string(), "LogsVersion"),
        (
            format!(r#"{{"version":1,"logs":[{entry},{entry}]}}"#),
            "LogConflict",
        ),
        (
            format!(r#"{{"version":1,"logs":[{}]}}"#, entry.replace(&key, "k")),
            "LogKey",
        ),
        (
            format!(
                r#"{{"version":1,"logs":[{}]}}"#,
                entry.replace(&key, &witness_key)
            ),
            "LogKey",
        ),
        (" ".repeat(2_000_000), "LogsTooLarge"),
    ] {
        folder.write_logs(&text);
        let error = format!("{:?}", refused(&folder));
        assert!(error.starts_with(expected), "{error} for {text:.60}");
    }
}

#[test]
fn the_name_must_be_a_key_name() {
    let folder = Folder::new();
    folder.follow(&[]);
    let mut options = folder.options();
    options.name = "two words".to_string();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let bound = runtime.block_on(chancery_witness::Witness::bind(options, || 1));
    assert!(matches!(bound.map(|_| ()), Err(Error::Name(_))));
}
