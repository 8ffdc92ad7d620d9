//! The host's store of sealed records.
//!
//! Zone: host.
//!
//! One `SQLite` file holds streams of opaque records. An append is one transaction over many streams,
//! compared with each stream's length and with a fencing epoch, and durable when it returns.
//!
//! # What this is not
//!
//! Nothing here is trusted. Whoever edits the file can remove, change or roll back records; the
//! runtime finds that out because every record is sealed and chained and the log's head is witnessed.
//! The store reads no record. It also does not decide who may write: the epoch only keeps an honest
//! host's older writer out, the witness quorum is what a fork cannot pass.
//!
//! # Durability
//!
//! `SQLite` runs in WAL mode with `synchronous=FULL`: the write-ahead log is flushed before an append
//! returns. A failed flush is never retried, because the kernel may have dropped the pages that it
//! could not write: the store refuses everything afterwards and its process must end.
//!
//! # Example
//!
//! ```
//! use chancery_store::{Failure, Store};
//! use chancery_wire::{NewRecord, RecordBody, StreamId};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let folder = std::env::temp_dir().join(format!("chancery-store-doc-{}", std::process::id()));
//!     std::fs::create_dir_all(&folder)?;
//!     let mut store = Store::open(&folder.join("store.sqlite3"))?;
//!     let stream = StreamId([1; 16]);
//!     let record = NewRecord { stream, sequence: 0, body: RecordBody(b"sealed".to_vec()) };
//!     store.append(0, &[record.clone()])?;
//!     match store.append(0, &[record]) {
//!         Err(Failure::Fault(fault)) => println!("refused: {fault}"),
//!         other => return Err(format!("accepted twice: {other:?}").into()),
//!     }
//!     std::fs::remove_dir_all(&folder)?;
//!     Ok(())
//! }
//! ```

#![forbid(unsafe_code)]

mod error;
mod store;

pub use crate::error::{Failure, StoreError};
pub use crate::store::Store;
