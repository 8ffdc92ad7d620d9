//! Frames that the untrusted host and the sealed runtime exchange.
//!
//! Zone: core.
//!
//! # What this is not
//!
//! No sockets, no clock, no storage, and no security: the host is hostile, so nothing that arrives in
//! one of these frames is believed by the runtime because of the frame. Records are sealed, blobs are
//! checked by digest or signature, raw streams carry TLS. What this crate does promise is that
//! reading a frame never panics, never takes more memory than its named limits, and never accepts a
//! frame of another purpose, another version or with bytes left over.
//!
//! The bytes are specified in `docs/spec/host-protocol.md`.
//!
//! # Example
//!
//! ```
//! use chancery_wire::{Decoder, StoreOperation, StoreRequest, WireError, encode};
//!
//! fn main() -> Result<(), WireError> {
//!     let request = StoreRequest { id: 7, operation: StoreOperation::Streams };
//!     let bytes = encode(&request)?;
//!
//!     let mut decoder = Decoder::new();
//!     decoder.push(&bytes)?;
//!     assert_eq!(decoder.pull::<StoreRequest>()?, Some(request));
//!     assert_eq!(decoder.pull::<StoreRequest>()?, None);
//!     Ok(())
//! }
//! ```

#![no_std]
#![forbid(unsafe_code)]
#![warn(
    clippy::arithmetic_side_effects,
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    clippy::wildcard_enum_match_arm
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod authority;
mod counters;
mod frame;
mod health;
mod limits;
mod messages;
mod octets;
#[cfg(test)]
mod tests;

pub use crate::authority::{Authority, InvalidAuthority};
pub use crate::counters::{Counters, Metric, MetricKind, Unit};
pub use crate::frame::{
    Decoder, FRAME_SIZE_MAX, LENGTH_SIZE, Message, PUSH_SIZE_MAX, WireError, decode_body, encode,
};
pub use crate::health::{Health, RefusalCode};
pub use crate::limits::{
    AUTHORITY_SIZE_MAX, BATCH_RECORDS_MAX, BLOB_SIZE_MAX, COLLATERAL_FILE_SIZE_MAX,
    DEPLOYMENT_SIZE_MAX, EGRESS_NAME_SIZE_MAX, OPEN_SIZE_MAX, READ_BYTES_MAX, RECORD_SIZE_MAX,
    STREAMS_MAX,
};
pub use crate::messages::{
    BlobName, BlobReply, BlobRequest, EgressName, EgressReply, IngressOpen, InvalidEgressName,
    Listener, NewRecord, RecordBody, StoreAnswer, StoreFault, StoreOperation, StoreReply,
    StoreRequest, StreamHead, StreamId, StreamOpen, Telemetry,
};
