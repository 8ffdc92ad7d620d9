//! Every committed corpus, and every attestation vector, through the targets, without libFuzzer.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chancery_fuzz_targets::TARGETS;

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Fewest inputs of a corpus.
const CORPUS_MIN: usize = 20;

/// Most bytes of all corpora together, so that the repository stays small.
const CORPORA_SIZE_MAX: u64 = 2 * 1024 * 1024;

/// The vectors that are not inputs of a parser of ours: firmware images and the like, above this size in bytes.
const VECTOR_SIZE_MAX: u64 = 64 * 1024;

fn folder(path: &str) -> PathBuf {
    Path::new(REPOSITORY).join(path)
}

/// All files below a folder, in order.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[test]
fn each_target_has_a_program_and_a_corpus_and_nothing_is_left_over() {
    let names: BTreeSet<String> = TARGETS
        .iter()
        .map(|target| target.name.to_owned())
        .collect();
    let in_folder = |path: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(folder(path)).unwrap();
        entries
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_owned())
            .map(|stem| stem.into_string().unwrap())
            .collect()
    };
    assert_eq!(in_folder("fuzz/fuzz_targets"), names);
    assert_eq!(in_folder("fuzz/corpus"), names);
    let manifest = fs::read_to_string(folder("fuzz/Cargo.toml")).unwrap();
    for name in names {
        let program = fs::read_to_string(folder(&format!("fuzz/fuzz_targets/{name}.rs"))).unwrap();
        let call = format!("chancery_fuzz_targets::{name}(bytes)");
        assert!(program.contains(&call), "{name} runs another target");
        assert!(
            manifest.contains(&format!("name = \"{name}\"")),
            "{name} is not built"
        );
    }
}

#[test]
fn every_corpus_replays_and_reaches_both_ends() {
    for target in TARGETS {
        let inputs = files(&folder(&format!("fuzz/corpus/{}", target.name))).unwrap();
        let count = inputs.len();
        assert!(count >= CORPUS_MIN, "{}: {count} inputs", target.name);
        let accepted = inputs
            .iter()
            .filter(|path| (target.run)(&fs::read(path).unwrap()))
            .count();
        let both = accepted > 0 && accepted < count;
        assert!(both, "{}: {accepted} of {count} accepted", target.name);
    }
}

#[test]
fn the_corpora_are_small_and_hold_nothing_twice() {
    let mut size = 0;
    for target in TARGETS {
        let mut seen = BTreeSet::new();
        for path in files(&folder(&format!("fuzz/corpus/{}", target.name))).unwrap() {
            let bytes = fs::read(&path).unwrap();
            size += u64::try_from(bytes.len()).unwrap();
            assert!(seen.insert(bytes), "{} is there twice", path.display());
        }
    }
    assert!(size <= CORPORA_SIZE_MAX, "{size} bytes");
}

#[test]
fn every_vector_goes_through_every_target() {
    let mut count = 0;
    for path in files(&folder("attestation/vectors")).unwrap() {
        if fs::metadata(&path).unwrap().len() > VECTOR_SIZE_MAX {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        for target in TARGETS {
            (target.run)(&bytes);
        }
        count += 1;
    }
    assert!(count >= 200, "{count} vectors");
}

/// Each byte of a genuine input matters to the parser that reads it, or is carried: the property holds for every flip.
#[test]
fn every_flipped_byte_of_a_seed_keeps_the_properties() {
    for (target, vector) in [
        ("report", "reports/turin-v5-vcek-02/report.bin"),
        ("certificate", "reports/turin-v5-vcek-02/vek.der"),
        ("certificate", "roots/turin/ask.der"),
        ("crl", "crls/genoa-2022-10-31.crl.der"),
    ] {
        let run = TARGETS
            .iter()
            .find(|known| known.name == target)
            .unwrap()
            .run;
        let genuine = fs::read(folder(&format!("attestation/vectors/{vector}"))).unwrap();
        assert!(run(&genuine), "{vector}");
        for at in 0..genuine.len() {
            for flip in [0x01, 0x10, 0x80] {
                let mut changed = genuine.clone();
                changed[at] ^= flip;
                run(&changed);
            }
        }
    }
}
