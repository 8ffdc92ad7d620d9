//! Show 3: whatever is done to the store, the runtime serves what it acknowledged or refuses to serve, says
//! why, and leaves the store as it found it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chancery_e2e::{Finished, Service};
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

/// The store's file and those that SQLite keeps beside it.
const STORE_FILES: [&str; 3] = ["store.sqlite3", "store.sqlite3-wal", "store.sqlite3-shm"];

/// A record's place: stream and sequence.
type Place = (Vec<u8>, i64);

fn folder() -> Arc<TempDir> {
    Arc::new(TempDir::with_prefix("chancery-e2e-").unwrap())
}

fn host(folder: &TempDir) -> PathBuf {
    folder.path().join("data").join("host")
}

fn open(folder: &TempDir) -> Connection {
    Connection::open(host(folder).join("store.sqlite3")).unwrap()
}

/// All that the store holds: every record, and the fence.
fn dump(folder: &TempDir) -> (Vec<(Place, Vec<u8>)>, i64) {
    let store = open(folder);
    let mut rows = store
        .prepare(
            "SELECT stream.id, sequence, body FROM record JOIN stream ON stream.number = record.stream
             ORDER BY stream.id, sequence",
        )
        .unwrap();
    let records = rows
        .query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let fence = store
        .query_row("SELECT epoch FROM fence", [], |row| row.get(0))
        .unwrap();
    (records, fence)
}

fn put(folder: &TempDir, (stream, sequence): &Place, body: &[u8]) {
    let changed = open(folder)
        .execute(
            "UPDATE record SET body = ?3 WHERE sequence = ?2
             AND stream = (SELECT number FROM stream WHERE id = ?1)",
            (stream, sequence, body),
        )
        .unwrap();
    assert_eq!(changed, 1);
}

fn remove(folder: &TempDir, (stream, sequence): &Place) {
    let changed = open(folder)
        .execute(
            "DELETE FROM record WHERE sequence = ?2
             AND stream = (SELECT number FROM stream WHERE id = ?1)",
            (stream, sequence),
        )
        .unwrap();
    assert_eq!(changed, 1);
}

/// Copies the store's files, so that nothing of an earlier copy stays behind.
fn copy(from: &Path, to: &Path) {
    for name in STORE_FILES {
        if to.join(name).exists() {
            fs::remove_file(to.join(name)).unwrap();
        }
        if from.join(name).exists() {
            fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

fn provision(service: &Service, names: &[&str]) {
    let mut client = service.client();
    for name in names {
        let user = json!({"userName": format!("{name}@demo.example")});
        client.post("/Users", &user).expect(201);
    }
}

fn has(service: &Service, name: &str) -> bool {
    let filter = format!("userName eq \"{name}@demo.example\"");
    service.client().find("Users", &filter).len() == 1
}

/// Starts the service on what lies there: it must refuse for one of these reasons and change nothing.
fn refuses(folder: &TempDir, what: &str, codes: &[&str]) {
    let before = dump(folder);
    let Finished {
        code,
        stdout,
        stderr,
    } = Service::refused(folder, &[]);
    assert_eq!(code, Some(1), "{what}: {stdout}{stderr}");
    let said = stderr.split("the runtime refuses to serve: ").nth(1);
    let mut words = said
        .unwrap_or_else(|| panic!("{what}: {stdout}{stderr}"))
        .split(": ");
    let reason = words.next().unwrap();
    assert!(codes.contains(&reason), "{what}: {reason}");
    assert!(words.next().unwrap().len() > 20, "a sentence: {stderr}");
    assert!(!stdout.contains("The service is ready"), "{what}: {stdout}");
    assert!(dump(folder) == before, "{what}: the store was changed");
}

/// The first, a middle and the last record of every stream.
fn sampled(records: &[(Place, Vec<u8>)]) -> Vec<(Place, Vec<u8>)> {
    let mut streams: Vec<&Vec<u8>> = records.iter().map(|((stream, _), _)| stream).collect();
    streams.dedup();
    assert!(streams.len() >= 2, "the root's stream and a tenant's");
    let mut chosen = Vec::new();
    for stream in streams {
        let of_stream: Vec<_> = records.iter().filter(|((of, _), _)| of == stream).collect();
        let count = of_stream.len();
        assert!(count >= 3);
        for index in [0, count / 2, count - 1] {
            chosen.push(of_stream[index].clone());
        }
    }
    chosen
}

#[test]
fn refuses_a_store_with_any_record_changed_and_serves_once_it_is_restored() {
    let folder = folder();
    let service = Service::start(&folder, &[]);
    provision(&service, &["ada", "grace", "edsger", "barbara"]);
    assert!(service.end().success());
    let (records, _) = dump(&folder);
    let codes = [
        "record_authentication_failed",
        "record_chain_broken",
        "root_sealed_for_another_image",
        "store_incomplete",
    ];
    // One byte of each sampled record, at a different place in each.
    let mut flips = 0;
    for (number, (place, body)) in sampled(&records).into_iter().enumerate() {
        let at = [0, body.len() / 2, body.len() - 1][number % 3];
        let mut changed = body.clone();
        changed[at] ^= 1 << (number % 8);
        put(&folder, &place, &changed);
        refuses(&folder, &format!("byte {at} of {place:?}"), &codes);
        put(&folder, &place, &body);
        flips += 1;
    }
    assert!(flips >= 6);
    // Record 0 of the root's stream holds the sealed root, some of it in clear.
    let (anchor, body) = records
        .iter()
        .find(|((_, sequence), body)| *sequence == 0 && is_anchor(body))
        .unwrap();
    for at in [1, 60] {
        let mut changed = body.clone();
        changed[at] ^= 0x40;
        put(&folder, anchor, &changed);
        refuses(&folder, &format!("byte {at} of the sealed root"), &codes);
    }
    put(&folder, anchor, body);
    let service = Service::start(&folder, &[]);
    assert!(has(&service, "ada") && has(&service, "barbara"));
    provision(&service, &["donald"]);
    assert!(service.end().success());
}

/// The sealed root is told from a tenant's first record, which holds a genesis, by its size.
fn is_anchor(body: &[u8]) -> bool {
    body.len() < 256
}

#[test]
fn refuses_a_store_that_lacks_records_or_has_them_elsewhere() {
    let folder = folder();
    let service = Service::start(&folder, &[]);
    provision(&service, &["ada", "grace", "edsger"]);
    assert!(service.end().success());
    let aside = TempDir::new().unwrap();
    copy(&host(&folder), aside.path());
    let (records, _) = dump(&folder);
    let sample = sampled(&records);
    let codes = [
        "record_authentication_failed",
        "record_chain_broken",
        "store_incomplete",
        "rolled_back",
    ];
    // Streams are in order of their ids; the one with the sealed root is the root's.
    let is_root = |stream: &[u8]| {
        records
            .iter()
            .any(|((of, sequence), body)| of == stream && *sequence == 0 && is_anchor(body))
    };
    let newest = |root: bool| {
        let of_kind = records
            .iter()
            .filter(|((stream, _), _)| is_root(stream) == root);
        of_kind
            .max_by_key(|((_, sequence), _)| *sequence)
            .unwrap()
            .0
            .clone()
    };
    for place in [newest(false), newest(true)] {
        remove(&folder, &place);
        refuses(&folder, &format!("without {place:?}"), &codes);
        copy(aside.path(), &host(&folder));
    }
    // Two records of one stream in each other's place.
    let ((first, one), (second, other)) = (&sample[1], &sample[2]);
    put(&folder, first, other);
    put(&folder, second, one);
    refuses(&folder, "two records swapped", &codes);
    copy(aside.path(), &host(&folder));
    // A whole stream gone.
    let tenant = newest(false).0;
    let store = open(&folder);
    let number: i64 = store
        .query_row(
            "SELECT number FROM stream WHERE id = ?1",
            [&tenant],
            |row| row.get(0),
        )
        .unwrap();
    store
        .execute("DELETE FROM record WHERE stream = ?1", [number])
        .unwrap();
    store
        .execute("DELETE FROM stream WHERE number = ?1", [number])
        .unwrap();
    drop(store);
    refuses(&folder, "without the tenant's stream", &codes);
    copy(aside.path(), &host(&folder));
    let service = Service::start(&folder, &[]);
    assert!(has(&service, "edsger"));
    assert!(service.end().success());
}

#[test]
fn refuses_an_earlier_copy_of_the_store_and_serves_the_newest() {
    let folder = folder();
    let service = Service::start(&folder, &[]);
    provision(&service, &["early"]);
    assert!(service.end().success());
    let (early, late) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    copy(&host(&folder), early.path());
    let service = Service::start(&folder, &[]);
    provision(&service, &["late"]);
    assert!(service.end().success());
    copy(&host(&folder), late.path());
    copy(early.path(), &host(&folder));
    for attempt in ["first", "second"] {
        refuses(&folder, &format!("{attempt} start"), &["rolled_back"]);
    }
    copy(late.path(), &host(&folder));
    let service = Service::start(&folder, &[]);
    assert!(has(&service, "early") && has(&service, "late"));
    assert!(service.end().success());
}

#[test]
fn refuses_the_store_of_another_machine_and_another_configuration() {
    let (folder, other) = (folder(), folder());
    for each in [&folder, &other] {
        let service = Service::start(each, &[]);
        provision(&service, &["ada"]);
        assert!(service.end().success());
    }
    let aside = TempDir::new().unwrap();
    copy(&host(&folder), aside.path());
    copy(&host(&other), &host(&folder));
    let codes = ["root_sealed_for_another_image"];
    refuses(&folder, "the store of another machine", &codes);
    copy(aside.path(), &host(&folder));
    let configuration = host(&folder).join("configuration.json");
    let genuine = fs::read_to_string(&configuration).unwrap();
    let widened = genuine.replace(
        "\"dangerous_any_domain\":false",
        "\"dangerous_any_domain\":true",
    );
    assert_ne!(genuine, widened);
    fs::write(&configuration, widened).unwrap();
    refuses(&folder, "another configuration", &codes);
    fs::write(&configuration, genuine).unwrap();
    let service = Service::start(&folder, &[]);
    assert!(has(&service, "ada"));
    assert!(service.end().success());
}
