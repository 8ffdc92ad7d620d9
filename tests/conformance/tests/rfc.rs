//! Every sentence of the RFCs that a case quotes, tried against the real processes over TLS.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use chancery_conformance::{Case, CaseFile, Stage, play_case};
use chancery_e2e::Service;

/// The least number of cases.
const CASES_MIN: usize = 400;
/// Threads that play cases.
const THREADS: usize = 8;

/// Every case, with its file and area.
fn cases() -> Vec<(String, Case)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let files = std::fs::read_dir(&folder).unwrap();
    let mut files: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        let read = CaseFile::read(&file).unwrap_or_else(|fault| panic!("{fault}"));
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        cases.extend(read.cases.into_iter().map(|case| (name.clone(), case)));
    }
    cases
}

#[test]
fn every_sentence_that_is_quoted_holds() {
    let cases = cases();
    assert!(cases.len() >= CASES_MIN, "only {} cases", cases.len());
    let mut names: Vec<&str> = cases.iter().map(|(_, case)| case.name.as_str()).collect();
    names.sort_unstable();
    let twice: Vec<&&str> = names
        .iter()
        .zip(names.iter().skip(1))
        .filter(|(one, next)| one == next)
        .map(|(one, _)| one)
        .collect();
    assert!(twice.is_empty(), "cases of one name: {twice:?}");

    let service = Service::new();
    let stage = Stage::new(&service).unwrap();
    let (next, reports) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut voices = stage.voices();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some((file, case)) = cases.get(number) else {
                        return;
                    };
                    if let Err(failure) = play_case(&mut voices, case, &format!("q{number:04}z")) {
                        let Case {
                            name,
                            rfc,
                            section,
                            quote,
                            ..
                        } = case;
                        let report = format!(
                            "{file}: {name}\n  RFC {rfc} section {section}: \"{quote}\"\n{failure}"
                        );
                        reports.lock().unwrap().push((number, report));
                    }
                }
            });
        }
    });
    let mut reports = reports.into_inner().unwrap();
    reports.sort();
    let texts: Vec<&str> = reports.iter().map(|(_, text)| text.as_str()).collect();
    assert!(
        texts.is_empty(),
        "\n{}\n{} of {} cases fail",
        texts.join("\n"),
        texts.len(),
        cases.len()
    );
}
