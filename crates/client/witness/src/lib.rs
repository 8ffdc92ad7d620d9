//! A C2SP witness with durable state.
//!
//! Zone: client.
//!
//! A witness promises one thing: for each log it cosigns only what extends the last head that it
//! cosigned, also after a crash. The protocol and the decision are
//! [`chancery_tlog::witness`]; this crate is the shell around it: a disk, a clock, a socket.
//!
//! # HTTP
//!
//! Plain HTTP/1.1 with keep-alive. `POST /add-checkpoint` and
//! `GET /<lower-case hex SHA-256 of the origin>/checkpoint`, as
//! [c2sp.org/tlog-witness](https://c2sp.org/tlog-witness) has them. The second answers with the
//! newest head that this witness has committed to, the log's signature and a cosignature made for
//! the answer, so that a writer that was left behind can verify that a larger head exists.
//!
//! Why plain HTTP is safe: a request carries the log's signature and an answer the witness's, both
//! over the whole statement, and nothing in either is secret. Whoever changes bytes on the way
//! makes a signature fail. The size in a 409 is unsigned and only a hint, which clients confirm by
//! the second call. Who can reach the port can take time from the witness, so it listens where the
//! operator says, on loopback or behind a TLS proxy.
//!
//! # State folder
//!
//! | file | trusted | what |
//! |---|---|---|
//! | `lock` | - | locked while a process uses the folder; a second one is refused |
//! | `seed` | secret | 32-byte Ed25519 seed, mode 0600; whoever reads it can sign as this witness |
//! | `<hex SHA-256 of origin>.head` | yes | two slots of 4096 bytes, the newest head in one of them |
//!
//! A slot is `"CHWITNS1" | u64 sequence | u32 length | note | zeros | SHA-256` of all before it,
//! big-endian. Writes alternate between the slots, in place, in a file that has its full length
//! from the start, and are flushed with `fdatasync` before the cosignature exists: a torn write
//! damages the slot that nobody has been told about and leaves the other whole. Restoring an old
//! copy of this folder makes the witness forget, which is the one fault that it must not have:
//! never restore it from a backup; make a new witness instead.
//!
//! # Logs file
//!
//! `{"version":1,"logs":[{"origin":"<origin>","vkey":"<name+id+key>"}]}`, strict. When an unknown
//! origin is asked for and the file has changed, it is read again. Logs are only added while
//! running; the key of an origin never changes (a log with a new key has a new origin).

#![forbid(unsafe_code)]

mod error;
mod http;
mod logs;
mod service;
mod state;

pub use error::Error;
pub use http::Witness;
pub use service::Clock;

use std::net::SocketAddr;
use std::path::PathBuf;

/// What a witness needs to know to start.
#[derive(Debug, Clone)]
pub struct Options {
    /// The state folder; made if it is absent.
    pub state: PathBuf,
    /// Key name of the witness, such as `witness.example/w1`.
    pub name: String,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The logs file.
    pub logs: PathBuf,
}
