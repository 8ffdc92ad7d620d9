//! Streams of records in one `SQLite` file.
//!
//! Records have ascending row ids, so that inserts append to the table's tree whatever their stream;
//! a small unique index on (stream number, sequence) finds them.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chancery_wire::{
    BATCH_RECORDS_MAX, NewRecord, READ_BYTES_MAX, RECORD_SIZE_MAX, RecordBody, STREAMS_MAX,
    StoreAnswer, StoreFault, StoreOperation, StreamHead, StreamId,
};
use rusqlite::{Connection, TransactionBehavior, params};

use crate::error::{Failure, StoreError};

#[cfg(test)]
mod tests;

/// `SQLite` application id: "Chst".
const APPLICATION_ID: i64 = 0x4368_7374;

/// Version of the tables, in `user_version`.
const FORMAT_VERSION: i64 = 1;

/// How long an append waits for another tool (a backup) that holds `SQLite`'s lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

const SETTINGS: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA cache_size = -16384;
    PRAGMA journal_size_limit = 67108864;
    PRAGMA trusted_schema = OFF;
";

const TABLES: &str = "
    CREATE TABLE fence (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        epoch INTEGER NOT NULL
    ) STRICT;
    INSERT INTO fence (id, epoch) VALUES (1, 0);
    CREATE TABLE stream (
        number INTEGER PRIMARY KEY,
        id BLOB NOT NULL UNIQUE CHECK (length(id) = 16)
    ) STRICT;
    CREATE TABLE record (
        id INTEGER PRIMARY KEY,
        stream INTEGER NOT NULL,
        sequence INTEGER NOT NULL,
        body BLOB NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX record_place ON record (stream, sequence);
";

const INSERT_STREAM: &str = "INSERT INTO stream (number, id) VALUES (?1, ?2)";
const INSERT_RECORD: &str = "INSERT INTO record (stream, sequence, body) VALUES (?1, ?2, ?3)";
const SELECT_RECORDS: &str = "SELECT sequence, body FROM record
    WHERE stream = ?1 AND sequence >= ?2 ORDER BY sequence LIMIT ?3";
const SELECT_LENGTH: &str = "SELECT coalesce(max(sequence) + 1, 0) FROM record WHERE stream = ?1";

/// Where a stream is and how long.
#[derive(Debug, Clone, Copy)]
struct Head {
    number: i64,
    length: u64,
}

/// An open store: the only one of its file, held by a lock file beside it.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    heads: BTreeMap<StreamId, Head>,
    fence: u64,
    number_next: i64,
    failed: bool,
    /// Held for as long as the store is open; the kernel releases it with the process.
    _lock: File,
}

impl Store {
    /// Opens the store at `path`, or makes a new one.
    ///
    /// # Errors
    ///
    /// [`StoreError::Held`] if another process has it open; otherwise the file cannot be used.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let lock = take_lock(path)?;
        let mut connection = Connection::open(path).map_err(StoreError::Database)?;
        prepare(&mut connection)?;
        sync_folder(path)?;
        let fence = connection
            .query_row("SELECT epoch FROM fence WHERE id = 1", [], |row| {
                row.get::<_, i64>(0)
            })
            .map_err(StoreError::Database)?;
        let fence = u64::try_from(fence).ok().ok_or(StoreError::Damaged)?;
        let heads = read_heads(&connection)?;
        let number_last = heads.values().map(|head| head.number).max().unwrap_or(0);
        let number_next = number_last.checked_add(1).ok_or(StoreError::Damaged)?;
        Ok(Self {
            connection,
            heads,
            fence,
            number_next,
            failed: false,
            _lock: lock,
        })
    }

    /// Carries out one request. The inner result is the answer to send; the outer error means that
    /// the process must end without sending one.
    ///
    /// # Errors
    ///
    /// The store can no longer be used.
    pub fn execute(
        &mut self,
        operation: &StoreOperation,
    ) -> Result<Result<StoreAnswer, StoreFault>, StoreError> {
        let result = match operation {
            StoreOperation::Append { fence, records } => {
                self.append(*fence, records).map(|()| StoreAnswer::Appended)
            }
            StoreOperation::Read {
                stream,
                from,
                bytes_max,
            } => self
                .read(*stream, *from, *bytes_max)
                .map(StoreAnswer::Records),
            StoreOperation::Streams => self.streams().map(StoreAnswer::Streams),
            StoreOperation::Fence { epoch } => {
                self.raise_fence(*epoch).map(|()| StoreAnswer::Fenced)
            }
        };
        match result {
            Ok(answer) => Ok(Ok(answer)),
            Err(Failure::Fault(fault)) => Ok(Err(fault)),
            Err(Failure::Fatal(error)) => Err(error),
        }
    }

    /// Appends all records or none; durable when it returns.
    ///
    /// # Errors
    ///
    /// A fault if the epoch is too low, a record is not next in its stream, a limit is exceeded or
    /// there is no room; fatal if the commit failed and its outcome is unknown.
    pub fn append(&mut self, fence: u64, records: &[NewRecord]) -> Result<(), Failure> {
        self.usable()?;
        let too_long = |record: &NewRecord| record.body.0.len() > RECORD_SIZE_MAX;
        if records.len() > BATCH_RECORDS_MAX || records.iter().any(too_long) {
            return Err(StoreFault::TooLarge.into());
        }
        if fence < self.fence {
            return Err(StoreFault::Fenced { epoch: self.fence }.into());
        }
        let (changed, number_next) = self.extended(records)?;
        if records.is_empty() {
            return Ok(());
        }
        let result = self.insert(records, &changed);
        self.note(&result);
        result?;
        self.heads.extend(changed);
        self.number_next = number_next;
        Ok(())
    }

    /// Consecutive records of a stream from `from` on: at least one if there is one, otherwise at most
    /// `bytes_max` bytes. Stops before a gap, which only an edited file has.
    ///
    /// # Errors
    ///
    /// Fatal if the file cannot be read.
    pub fn read(
        &mut self,
        stream: StreamId,
        from: u64,
        bytes_max: u32,
    ) -> Result<Vec<RecordBody>, Failure> {
        self.usable()?;
        let Some(head) = self.heads.get(&stream).copied() else {
            return Ok(Vec::new());
        };
        if from >= head.length {
            return Ok(Vec::new());
        }
        let result = self.select(head.number, from, bytes_max.min(READ_BYTES_MAX));
        self.note(&result);
        result
    }

    /// All streams and their lengths, ordered by id.
    ///
    /// # Errors
    ///
    /// [`StoreFault::TooLarge`] if an edited file has more than [`STREAMS_MAX`].
    pub fn streams(&self) -> Result<Vec<StreamHead>, Failure> {
        self.usable()?;
        if self.heads.len() > STREAMS_MAX {
            return Err(StoreFault::TooLarge.into());
        }
        let head = |(stream, head): (&StreamId, &Head)| StreamHead {
            stream: *stream,
            length: head.length,
        };
        Ok(self.heads.iter().map(head).collect())
    }

    /// Raises the fencing epoch; durable when it returns.
    ///
    /// # Errors
    ///
    /// [`StoreFault::Fenced`] if the store's epoch is higher already; fatal if the commit failed.
    pub fn raise_fence(&mut self, epoch: u64) -> Result<(), Failure> {
        self.usable()?;
        if epoch < self.fence {
            return Err(StoreFault::Fenced { epoch: self.fence }.into());
        }
        if epoch == self.fence {
            return Ok(());
        }
        let value = i64::try_from(epoch).ok().ok_or(StoreFault::TooLarge)?;
        let result = self
            .connection
            .execute("UPDATE fence SET epoch = ?1 WHERE id = 1", params![value])
            .map_err(Failure::from);
        self.note(&result);
        result?;
        self.fence = epoch;
        Ok(())
    }

    /// The fencing epoch.
    #[must_use]
    pub const fn fence(&self) -> u64 {
        self.fence
    }

    fn usable(&self) -> Result<(), Failure> {
        if self.failed {
            Err(StoreError::Failed.into())
        } else {
            Ok(())
        }
    }

    /// Remembers a fatal failure, so that nothing is tried on this connection again.
    fn note<T>(&mut self, result: &Result<T, Failure>) {
        if matches!(result, Err(Failure::Fatal(_))) {
            self.failed = true;
        }
    }

    /// The heads that a batch would leave, or the first record that is not next in its stream.
    fn extended(&self, records: &[NewRecord]) -> Result<(BTreeMap<StreamId, Head>, i64), Failure> {
        let mut changed: BTreeMap<StreamId, Head> = BTreeMap::new();
        let mut number_next = self.number_next;
        let mut streams = self.heads.len();
        for record in records {
            let stored = self.heads.get(&record.stream);
            let head = match changed.get(&record.stream).or(stored) {
                Some(head) => *head,
                None => {
                    let head = Head {
                        number: number_next,
                        length: 0,
                    };
                    number_next = number_next.checked_add(1).ok_or(StoreFault::TooLarge)?;
                    streams = streams.saturating_add(1);
                    head
                }
            };
            if record.sequence != head.length {
                let length = stored.map_or(0, |head| head.length);
                return Err(StoreFault::Conflict {
                    stream: record.stream,
                    length,
                }
                .into());
            }
            let length = head.length.checked_add(1).ok_or(StoreFault::TooLarge)?;
            changed.insert(record.stream, Head { length, ..head });
        }
        if streams > STREAMS_MAX {
            return Err(StoreFault::TooLarge.into());
        }
        Ok((changed, number_next))
    }

    fn insert(
        &mut self,
        records: &[NewRecord],
        changed: &BTreeMap<StreamId, Head>,
    ) -> Result<(), Failure> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut insert_stream = transaction.prepare_cached(INSERT_STREAM)?;
            for (stream, head) in changed {
                if !self.heads.contains_key(stream) {
                    insert_stream.execute(params![head.number, stream.0])?;
                }
            }
            let mut insert_record = transaction.prepare_cached(INSERT_RECORD)?;
            for record in records {
                let head = changed.get(&record.stream).ok_or(StoreError::Damaged)?;
                let sequence = i64::try_from(record.sequence)
                    .ok()
                    .ok_or(StoreFault::TooLarge)?;
                insert_record.execute(params![head.number, sequence, record.body.0])?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    fn select(&self, number: i64, from: u64, bytes_max: u32) -> Result<Vec<RecordBody>, Failure> {
        let from = i64::try_from(from).ok().ok_or(StoreFault::TooLarge)?;
        let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        let count_max = i64::try_from(BATCH_RECORDS_MAX).unwrap_or(i64::MAX);
        let mut statement = self.connection.prepare_cached(SELECT_RECORDS)?;
        let mut rows = statement.query(params![number, from, count_max])?;
        let mut records: Vec<RecordBody> = Vec::new();
        let mut size = 0_usize;
        let mut expected = from;
        while let Some(row) = rows.next()? {
            let sequence: i64 = row.get(0)?;
            let body = row.get_ref(1)?.as_blob().ok().ok_or(StoreError::Damaged)?;
            size = size.saturating_add(body.len());
            let fits = records.is_empty() || size <= bytes_max;
            if sequence != expected || !fits || body.len() > RECORD_SIZE_MAX {
                break;
            }
            records.push(RecordBody(body.to_vec()));
            expected = expected.saturating_add(1);
        }
        Ok(records)
    }
}

/// The lock file beside a store.
fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

fn take_lock(path: &Path) -> Result<File, StoreError> {
    let lock = lock_path(path);
    let opened = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock);
    let file = match opened {
        Ok(file) => file,
        Err(source) => return Err(StoreError::Lock { path: lock, source }),
    };
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Held { lock }),
        Err(TryLockError::Error(source)) => Err(StoreError::Lock { path: lock, source }),
    }
}

/// Settings of the connection; tables if the file is new; a refusal if it is somebody else's.
fn prepare(connection: &mut Connection) -> Result<(), StoreError> {
    connection
        .busy_timeout(BUSY_TIMEOUT)
        .map_err(StoreError::Database)?;
    let pragma = |name: &str| {
        connection
            .query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0))
            .map_err(StoreError::Database)
    };
    let (application_id, version) = (pragma("application_id")?, pragma("user_version")?);
    let is_empty = pragma("schema_version")? == 0;
    if is_empty {
        connection
            .execute_batch(SETTINGS)
            .map_err(StoreError::Database)?;
        let transaction = connection.transaction().map_err(StoreError::Database)?;
        let identity = format!(
            "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT_VERSION};"
        );
        transaction
            .execute_batch(TABLES)
            .map_err(StoreError::Database)?;
        transaction
            .execute_batch(&identity)
            .map_err(StoreError::Database)?;
        return transaction.commit().map_err(StoreError::Database);
    }
    if (application_id, version) != (APPLICATION_ID, FORMAT_VERSION) {
        return Err(StoreError::Format {
            application_id,
            version,
        });
    }
    connection
        .execute_batch(SETTINGS)
        .map_err(StoreError::Database)
}

/// Makes the names of the store's files durable.
fn sync_folder(path: &Path) -> Result<(), StoreError> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| StoreError::Lock {
            path: folder.to_path_buf(),
            source,
        })
}

fn read_heads(connection: &Connection) -> Result<BTreeMap<StreamId, Head>, StoreError> {
    let read = || -> Result<Vec<(i64, [u8; 16], i64)>, rusqlite::Error> {
        let mut streams = connection.prepare("SELECT number, id FROM stream")?;
        let mut length = connection.prepare(SELECT_LENGTH)?;
        let mut rows = streams.query([])?;
        let mut heads = Vec::new();
        while let Some(row) = rows.next()? {
            let number = row.get(0)?;
            heads.push((
                number,
                row.get(1)?,
                length.query_row(params![number], |row| row.get(0))?,
            ));
        }
        Ok(heads)
    };
    let mut heads = BTreeMap::new();
    for (number, id, length) in read().map_err(StoreError::Database)? {
        let length = u64::try_from(length).ok().ok_or(StoreError::Damaged)?;
        heads.insert(StreamId(id), Head { number, length });
    }
    Ok(heads)
}
