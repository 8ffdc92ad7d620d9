//! A process that appends is killed again and again: every batch that it acknowledged is there once and
//! whole, and every other batch is there whole or not at all.
//!
//! The operating system survives here, so this shows that nothing is acknowledged before it was handed
//! over, that restarts recover, and that the lock ends with its process; not that the disk keeps it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test without the test harness: a failure is a panic"
)]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use chancery_store::Store;
use chancery_wire::{NewRecord, RecordBody, StreamId};

const ROUNDS: u64 = 12;
const STREAMS: u8 = 3;
const CHILD: &str = "--append-until-killed";

/// Records of each stream in the batch of this number.
fn batch_size(number: u64) -> u64 {
    1 + number % 7
}

fn body(stream: u8, sequence: u64) -> RecordBody {
    let mut body = sequence.to_be_bytes().to_vec();
    body.resize(600 + usize::try_from(sequence % 400).unwrap(), stream);
    RecordBody(body)
}

/// Length of each stream after `batches` batches.
fn length_after(batches: u64) -> u64 {
    (0..batches).map(batch_size).sum()
}

/// Appends for ever; prints how many batches are durable after each.
fn append_until_killed(file: &Path) {
    let mut store = Store::open(file).unwrap();
    let length = store
        .streams()
        .unwrap()
        .first()
        .map_or(0, |head| head.length);
    let mut number = (0..)
        .find(|batches| length_after(*batches) >= length)
        .unwrap();
    let mut acknowledgements = std::io::stdout();
    loop {
        let start = length_after(number);
        let mut records = Vec::new();
        for sequence in start..start + batch_size(number) {
            for stream in 1..=STREAMS {
                let id = StreamId([stream; 16]);
                records.push(NewRecord {
                    stream: id,
                    sequence,
                    body: body(stream, sequence),
                });
            }
        }
        store.append(0, &records).unwrap();
        number += 1;
        writeln!(acknowledgements, "{number}").unwrap();
    }
}

fn start(file: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .arg(CHILD)
        .arg(file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Kills the child after some acknowledgements; returns the last one that it gave.
fn kill_after(mut child: Child, acknowledgements: u64) -> u64 {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut last = 0;
    for _ in 0..acknowledgements {
        last = lines
            .next()
            .expect("the child appends")
            .unwrap()
            .parse()
            .unwrap();
    }
    child.kill().unwrap();
    for line in lines {
        last = line.unwrap().parse().unwrap();
    }
    child.wait().unwrap();
    last
}

/// Checks every record; returns the number of batches in the store.
fn check(file: &Path, acknowledged: u64) -> u64 {
    let mut store = Store::open(file).unwrap();
    let heads = store.streams().unwrap();
    assert_eq!(heads.len(), usize::from(STREAMS));
    let length = heads[0].length;
    let batches = (0..)
        .find(|batches| length_after(*batches) >= length)
        .unwrap();
    assert_eq!(length_after(batches), length, "a batch is there in part");
    assert!(
        batches >= acknowledged,
        "acknowledged {acknowledged} batches, {batches} are there"
    );
    assert!(
        batches <= acknowledged + 1,
        "more than the one batch in flight is there"
    );
    for (stream, head) in (1..=STREAMS).zip(heads) {
        assert_eq!((head.stream, head.length), (StreamId([stream; 16]), length));
        let mut sequence = 0;
        while sequence < length {
            let records = store.read(head.stream, sequence, 1 << 20).unwrap();
            assert!(!records.is_empty(), "a gap at {sequence}");
            for record in records {
                assert_eq!(record, body(stream, sequence));
                sequence += 1;
            }
        }
    }
    batches
}

fn every_acknowledged_record_survives_kill_9() {
    let folder = std::env::temp_dir().join(format!("chancery-store-crash-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("store.sqlite3");
    let mut batches = 0;
    for round in 0..ROUNDS {
        let acknowledged = kill_after(start(&file), 1 + round * 3);
        assert!(
            acknowledged > batches,
            "the child did not go on from batch {batches}"
        );
        batches = check(&file, acknowledged);
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

fn main() {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if let [flag, file] = arguments.as_slice()
        && flag == Path::new(CHILD)
    {
        append_until_killed(file);
    }
    every_acknowledged_record_survives_kill_9();
}
