//! Compare, fence, limits, full disk, paging, locks and edited files.

use std::path::PathBuf;

use super::*;

/// A folder of one test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let name = format!("chancery-store-{}-{test}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("store.sqlite3")
    }

    fn open(&self) -> Store {
        Store::open(&self.file()).unwrap()
    }

    /// The file as another tool sees it.
    fn edit(&self) -> Connection {
        Connection::open(self.file()).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn stream(byte: u8) -> StreamId {
    StreamId([byte; 16])
}

fn record(byte: u8, sequence: u64, body: &[u8]) -> NewRecord {
    NewRecord {
        stream: stream(byte),
        sequence,
        body: RecordBody(body.to_vec()),
    }
}

fn fault<T: std::fmt::Debug>(result: Result<T, Failure>) -> StoreFault {
    match result {
        Err(Failure::Fault(fault)) => fault,
        other => panic!("expected a fault, got {other:?}"),
    }
}

fn bodies(store: &mut Store, byte: u8) -> Vec<Vec<u8>> {
    let records = store.read(stream(byte), 0, u32::MAX).unwrap();
    records.into_iter().map(|record| record.0).collect()
}

fn lengths(store: &Store) -> Vec<(u8, u64)> {
    store
        .streams()
        .unwrap()
        .iter()
        .map(|head| (head.stream.0[0], head.length))
        .collect()
}

#[test]
fn a_batch_over_several_streams_is_there_after_reopening() {
    let folder = Folder::new("reopen");
    let mut store = folder.open();
    store
        .append(
            0,
            &[record(9, 0, b"a"), record(2, 0, b"b"), record(9, 1, b"c")],
        )
        .unwrap();
    store
        .append(0, &[record(2, 1, b"d"), record(5, 0, b"")])
        .unwrap();
    drop(store);
    let mut store = folder.open();
    assert_eq!(lengths(&store), [(2, 2), (5, 1), (9, 2)]);
    assert_eq!(bodies(&mut store, 9), [b"a", b"c"]);
    assert_eq!(bodies(&mut store, 2), [b"b", b"d"]);
    assert_eq!(bodies(&mut store, 5), [b""]);
    store
        .append(0, &[record(7, 0, b"e"), record(9, 2, b"f")])
        .unwrap();
    assert_eq!(bodies(&mut store, 7), [b"e"]);
    assert_eq!(bodies(&mut store, 9), [b"a", b"c", b"f"]);
}

#[test]
fn refuses_a_record_that_is_not_next_and_writes_nothing_of_its_batch() {
    let folder = Folder::new("conflict");
    let mut store = folder.open();
    store.append(0, &[record(1, 0, b"a")]).unwrap();
    let conflict = |length| StoreFault::Conflict {
        stream: stream(1),
        length,
    };
    for sequence in [0, 2, u64::MAX] {
        let batch = [record(2, 0, b"x"), record(1, sequence, b"y")];
        assert_eq!(fault(store.append(0, &batch)), conflict(1));
    }
    let twice = [record(1, 1, b"y"), record(1, 1, b"z")];
    assert_eq!(
        fault(store.append(0, &twice)),
        conflict(1),
        "length in the store, not in the batch"
    );
    let unknown = StoreFault::Conflict {
        stream: stream(3),
        length: 0,
    };
    assert_eq!(fault(store.append(0, &[record(3, 1, b"y")])), unknown);
    assert_eq!(lengths(&store), [(1, 1)]);
    drop(store);
    assert_eq!(lengths(&folder.open()), [(1, 1)]);
}

#[test]
fn a_raised_fence_keeps_older_epochs_out_even_after_reopening() {
    let folder = Folder::new("fence");
    let mut store = folder.open();
    store.append(0, &[record(1, 0, b"a")]).unwrap();
    store.raise_fence(5).unwrap();
    store.raise_fence(5).unwrap();
    assert_eq!(fault(store.raise_fence(4)), StoreFault::Fenced { epoch: 5 });
    assert_eq!(
        fault(store.append(4, &[record(1, 1, b"b")])),
        StoreFault::Fenced { epoch: 5 }
    );
    assert_eq!(fault(store.append(4, &[])), StoreFault::Fenced { epoch: 5 });
    drop(store);
    let mut store = folder.open();
    assert_eq!(store.fence(), 5);
    assert_eq!(
        fault(store.append(4, &[record(1, 1, b"b")])),
        StoreFault::Fenced { epoch: 5 }
    );
    store.append(5, &[record(1, 1, b"b")]).unwrap();
    store.append(6, &[record(1, 2, b"c")]).unwrap();
    assert_eq!(fault(store.raise_fence(u64::MAX)), StoreFault::TooLarge);
    assert_eq!(store.fence(), 5);
}

#[test]
fn refuses_batches_and_records_over_the_limits() {
    let folder = Folder::new("limits");
    let mut store = folder.open();
    let long = record(1, 0, &vec![0; RECORD_SIZE_MAX + 1]);
    assert_eq!(fault(store.append(0, &[long])), StoreFault::TooLarge);
    let numbers = 0..u64::try_from(BATCH_RECORDS_MAX).unwrap();
    let mut many: Vec<_> = numbers.map(|sequence| record(1, sequence, b"x")).collect();
    many.push(record(2, 0, b"x"));
    assert_eq!(fault(store.append(0, &many)), StoreFault::TooLarge);
    assert_eq!(lengths(&store), []);
    many.pop();
    store.append(0, &many).unwrap();
    let longest = record(2, 0, &vec![7; RECORD_SIZE_MAX]);
    store.append(0, &[longest]).unwrap();
    assert_eq!(
        store.read(stream(2), 0, 1).unwrap()[0].0.len(),
        RECORD_SIZE_MAX
    );
}

#[test]
fn reads_in_pages_of_at_least_one_record() {
    let folder = Folder::new("pages");
    let mut store = folder.open();
    let batch: Vec<_> = (0..10)
        .map(|sequence| record(1, sequence, &[1; 100]))
        .collect();
    store.append(0, &batch).unwrap();
    for (bytes_max, expected) in [
        (0, 1),
        (100, 1),
        (199, 1),
        (200, 2),
        (950, 9),
        (u32::MAX, 10),
    ] {
        assert_eq!(
            store.read(stream(1), 0, bytes_max).unwrap().len(),
            expected,
            "{bytes_max}"
        );
    }
    assert_eq!(store.read(stream(1), 8, u32::MAX).unwrap().len(), 2);
    for from in [10, 11, u64::MAX] {
        assert_eq!(store.read(stream(1), from, u32::MAX).unwrap(), []);
    }
    assert_eq!(store.read(stream(2), 0, u32::MAX).unwrap(), []);
    let more: Vec<_> = (10..4196)
        .map(|sequence| record(1, sequence, b""))
        .collect();
    store.append(0, &more[..4000]).unwrap();
    store.append(0, &more[4000..]).unwrap();
    assert_eq!(
        store.read(stream(1), 0, u32::MAX).unwrap().len(),
        BATCH_RECORDS_MAX
    );
    assert_eq!(store.read(stream(1), 4096, u32::MAX).unwrap().len(), 100);
}

#[test]
fn a_full_disk_is_a_fault_that_writes_nothing_and_passes() {
    let folder = Folder::new("full");
    let mut store = folder.open();
    store.append(0, &[record(1, 0, b"a")]).unwrap();
    let limit = |store: &Store, pages: u32| {
        let sql = format!("PRAGMA max_page_count = {pages}");
        store
            .connection
            .query_row(&sql, [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    let pages = limit(&store, 1);
    let batch: Vec<_> = (1..100)
        .map(|sequence| record(1, sequence, &[3; 2000]))
        .collect();
    for _ in 0..3 {
        assert_eq!(fault(store.append(0, &batch)), StoreFault::Full);
        assert_eq!(lengths(&store), [(1, 1)]);
        assert_eq!(bodies(&mut store, 1), [b"a"]);
    }
    limit(&store, u32::try_from(pages).unwrap() + 10_000);
    store.append(0, &batch).unwrap();
    drop(store);
    assert_eq!(lengths(&folder.open()), [(1, 100)]);
}

#[test]
fn a_lock_held_by_another_tool_is_a_fault_that_passes() {
    let folder = Folder::new("busy");
    let mut store = folder.open();
    store
        .connection
        .busy_timeout(Duration::from_millis(1))
        .unwrap();
    let other = folder.edit();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(
        fault(store.append(0, &[record(1, 0, b"a")])),
        StoreFault::Unavailable
    );
    assert_eq!(fault(store.raise_fence(1)), StoreFault::Unavailable);
    assert_eq!(store.fence(), 0);
    other.execute_batch("ROLLBACK").unwrap();
    store.append(0, &[record(1, 0, b"a")]).unwrap();
}

#[test]
fn a_failed_write_is_fatal_and_nothing_is_tried_again() {
    let folder = Folder::new("fatal");
    let mut store = folder.open();
    store.append(0, &[record(1, 0, b"a")]).unwrap();
    store
        .connection
        .execute_batch("PRAGMA query_only = ON")
        .unwrap();
    let result = store.append(0, &[record(1, 1, b"b")]);
    assert!(
        matches!(result, Err(Failure::Fatal(StoreError::Database(_)))),
        "{result:?}"
    );
    store
        .connection
        .execute_batch("PRAGMA query_only = OFF")
        .unwrap();
    let failed = |result: Result<(), Failure>| {
        assert!(
            matches!(result, Err(Failure::Fatal(StoreError::Failed))),
            "{result:?}"
        );
    };
    failed(store.append(0, &[record(1, 1, b"b")]));
    failed(store.append(0, &[]));
    failed(store.raise_fence(1));
    failed(store.read(stream(1), 0, 1).map(drop));
    failed(store.streams().map(drop));
    assert!(store.execute(&StoreOperation::Streams).is_err());
    drop(store);
    assert_eq!(lengths(&folder.open()), [(1, 1)]);
}

#[test]
fn a_record_put_in_our_place_by_another_tool_is_fatal_not_overwritten() {
    let folder = Folder::new("foreign");
    let mut store = folder.open();
    store.append(0, &[record(1, 0, b"a")]).unwrap();
    let insert = "INSERT INTO record (stream, sequence, body) VALUES (1, 1, x'00')";
    folder.edit().execute_batch(insert).unwrap();
    let result = store.append(0, &[record(1, 1, b"b")]);
    assert!(
        matches!(result, Err(Failure::Fatal(StoreError::Database(_)))),
        "{result:?}"
    );
    drop(store);
    assert_eq!(bodies(&mut folder.open(), 1), [b"a", b"\0"]);
}

#[test]
fn refuses_a_second_opening_and_allows_one_after_the_first_ends() {
    let folder = Folder::new("locked");
    let store = folder.open();
    let error = Store::open(&folder.file()).unwrap_err();
    assert!(matches!(&error, StoreError::Held { lock } if lock.ends_with("store.sqlite3.lock")));
    assert!(
        error
            .to_string()
            .starts_with("another process has this store open")
    );
    drop(store);
    drop(folder.open());
}

#[test]
fn reads_stop_at_a_gap_that_an_edited_file_has() {
    let folder = Folder::new("gap");
    let mut store = folder.open();
    let batch: Vec<_> = (0..5).map(|sequence| record(1, sequence, b"x")).collect();
    store.append(0, &batch).unwrap();
    drop(store);
    folder
        .edit()
        .execute_batch("DELETE FROM record WHERE sequence = 2")
        .unwrap();
    let mut store = folder.open();
    assert_eq!(lengths(&store), [(1, 5)]);
    assert_eq!(store.read(stream(1), 0, u32::MAX).unwrap().len(), 2);
    assert_eq!(store.read(stream(1), 2, u32::MAX).unwrap(), []);
    assert_eq!(store.read(stream(1), 3, u32::MAX).unwrap().len(), 2);
}

#[test]
fn refuses_files_of_other_programs_versions_and_values() {
    let folder = Folder::new("format");
    folder
        .edit()
        .execute_batch("CREATE TABLE notes (a)")
        .unwrap();
    let format = |version| matches!(version, Err(StoreError::Format { .. }));
    assert!(format(Store::open(&folder.file())));
    std::fs::remove_file(folder.file()).unwrap();

    drop(folder.open());
    folder
        .edit()
        .execute_batch("PRAGMA user_version = 2")
        .unwrap();
    assert!(format(Store::open(&folder.file())));
    folder
        .edit()
        .execute_batch("PRAGMA user_version = 1")
        .unwrap();
    folder
        .edit()
        .execute_batch("UPDATE fence SET epoch = -1")
        .unwrap();
    assert!(matches!(
        Store::open(&folder.file()),
        Err(StoreError::Damaged)
    ));

    std::fs::write(folder.file(), [b'x'; 5000]).unwrap();
    assert!(matches!(
        Store::open(&folder.file()),
        Err(StoreError::Database(_))
    ));
    let absent = folder.0.join("absent").join("store.sqlite3");
    assert!(matches!(Store::open(&absent), Err(StoreError::Lock { .. })));
}

#[test]
fn execute_answers_each_operation() {
    let folder = Folder::new("execute");
    let mut store = folder.open();
    let append = StoreOperation::Append {
        fence: 1,
        records: vec![record(1, 0, b"a")],
    };
    let read = StoreOperation::Read {
        stream: stream(1),
        from: 0,
        bytes_max: 10,
    };
    let fence = StoreOperation::Fence { epoch: 2 };
    assert_eq!(store.execute(&append).unwrap(), Ok(StoreAnswer::Appended));
    let records = StoreAnswer::Records(vec![RecordBody(b"a".to_vec())]);
    assert_eq!(store.execute(&read).unwrap(), Ok(records));
    let heads = vec![StreamHead {
        stream: stream(1),
        length: 1,
    }];
    assert_eq!(
        store.execute(&StoreOperation::Streams).unwrap(),
        Ok(StoreAnswer::Streams(heads))
    );
    assert_eq!(store.execute(&fence).unwrap(), Ok(StoreAnswer::Fenced));
    assert_eq!(
        store.execute(&append).unwrap(),
        Err(StoreFault::Fenced { epoch: 2 })
    );
}

#[test]
fn appends_are_flushed_before_they_return() {
    let folder = Folder::new("flushed");
    let store = folder.open();
    let pragma = |name: &str| {
        let sql = format!("PRAGMA {name}");
        store
            .connection
            .query_row(&sql, [], |row| row.get::<_, rusqlite::types::Value>(0))
            .unwrap()
    };
    assert_eq!(
        pragma("journal_mode"),
        rusqlite::types::Value::Text("wal".to_owned())
    );
    assert_eq!(pragma("synchronous"), rusqlite::types::Value::Integer(2));
}
