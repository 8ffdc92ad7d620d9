//! The messages, by stream.
#![expect(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "both ends build and match every message; the frame's version guards the shape"
)]

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::authority::Authority;
use crate::counters::Counters;
use crate::frame::Message;
use crate::health::Health;
use crate::limits::{COLLATERAL_FILE_SIZE_MAX, DEPLOYMENT_SIZE_MAX, EGRESS_NAME_SIZE_MAX};
use crate::octets;

/// First frame of every stream that the runtime opens to the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StreamOpen {
    /// [`BlobRequest`] and [`BlobReply`], one after the other.
    Blobs,
    /// [`StoreRequest`] and [`StoreReply`]; requests may be pipelined and are answered in order.
    Store,
    /// One outbound connection: the host answers with one [`EgressReply`], then raw bytes both ways.
    Egress {
        /// A name from the host's configuration, never an address.
        name: EgressName,
    },
    /// [`Telemetry`] from the runtime; the host never answers.
    Telemetry,
    /// One outbound connection to a tenant's issuer; otherwise as `Egress`. TLS follows, which the
    /// runtime checks: who tells it where to connect need not be believed.
    Issuer {
        /// Where the tenant's genesis, or what its issuer published, says that the issuer is.
        authority: Authority,
    },
}

impl Message for StreamOpen {
    const PURPOSE: &'static str = "chancery/host/stream-open";
    const VERSION: u8 = 2;
}

/// First frame of every stream that the host opens to the runtime; raw bytes of one inbound
/// connection follow, both ways, each half closed on its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IngressOpen {
    /// Where the connection came in.
    pub listener: Listener,
}

impl Message for IngressOpen {
    const PURPOSE: &'static str = "chancery/host/ingress-open";
    const VERSION: u8 = 1;
}

/// A port of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Listener {
    /// The public TLS port.
    Public,
}

/// Name of an outbound destination: 1 to 64 characters of `a-z`, `0-9` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "RawEgressName")]
pub struct EgressName(String);

#[derive(Deserialize)]
struct RawEgressName(#[serde(deserialize_with = "octets::name::<_, EGRESS_NAME_SIZE_MAX>")] String);

/// The text is not a name of an outbound destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidEgressName;

impl fmt::Display for InvalidEgressName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "an egress name has 1 to {EGRESS_NAME_SIZE_MAX} characters of a-z, 0-9 and hyphen"
        )
    }
}

impl core::error::Error for InvalidEgressName {}

impl TryFrom<RawEgressName> for EgressName {
    type Error = InvalidEgressName;

    fn try_from(raw: RawEgressName) -> Result<Self, InvalidEgressName> {
        Self::new(&raw.0)
    }
}

impl EgressName {
    /// Checks and keeps a name.
    ///
    /// # Errors
    ///
    /// [`InvalidEgressName`] for any other length or character.
    pub fn new(text: &str) -> Result<Self, InvalidEgressName> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if text.is_empty() || text.len() > EGRESS_NAME_SIZE_MAX || !text.bytes().all(allowed) {
            return Err(InvalidEgressName);
        }
        Ok(Self(String::from(text)))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The host's answer to [`StreamOpen::Egress`] and [`StreamOpen::Issuer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EgressReply {
    /// Raw bytes follow.
    Connected,
    /// The host's configuration has no such name, or does not allow this issuer.
    UnknownName,
    /// The destination refused, or cannot be reached.
    Refused,
    /// The destination did not answer in time.
    TimedOut,
}

impl Message for EgressReply {
    const PURPOSE: &'static str = "chancery/host/egress-reply";
    const VERSION: u8 = 1;
}

/// A file of the host that the runtime asks for. The host is not believed: the runtime checks the
/// configuration by its measured digest, policy and floors by their signatures, collateral by its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum BlobName {
    /// The runtime's configuration.
    Configuration,
    /// The signed release policy.
    ReleasePolicy,
    /// Certificates of the chip.
    Collateral,
    /// The signed firmware floors.
    TcbFloors,
}

/// Asks for one blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobRequest {
    /// Which.
    pub name: BlobName,
}

impl Message for BlobRequest {
    const PURPOSE: &'static str = "chancery/host/blob-request";
    const VERSION: u8 = 1;
}

/// Answers one [`BlobRequest`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BlobReply {
    /// The file's bytes, at most [`crate::BLOB_SIZE_MAX`].
    Found(
        #[serde(
            serialize_with = "octets::serialize",
            deserialize_with = "octets::blob"
        )]
        Vec<u8>,
    ),
    /// The host has no such file, cannot read it, or it is too large.
    Absent,
}

impl fmt::Debug for BlobReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found(bytes) => write!(f, "Found({} bytes)", bytes.len()),
            Self::Absent => f.write_str("Absent"),
        }
    }
}

impl Message for BlobReply {
    const PURPOSE: &'static str = "chancery/host/blob-reply";
    const VERSION: u8 = 1;
}

/// Id of one stream of records, chosen by the runtime; opaque to the host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StreamId(pub [u8; 16]);

impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamId(")?;
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        f.write_str(")")
    }
}

/// Body of one sealed record, at most [`crate::RECORD_SIZE_MAX`] bytes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordBody(
    /// The sealed bytes.
    #[serde(
        serialize_with = "octets::serialize",
        deserialize_with = "octets::record"
    )]
    pub Vec<u8>,
);

impl fmt::Debug for RecordBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordBody({} bytes)", self.0.len())
    }
}

/// One record to append.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewRecord {
    /// The stream it extends; a stream begins with its first record.
    pub stream: StreamId,
    /// Its number in the stream, from 0: must equal the stream's length, earlier records of the same
    /// batch counted.
    pub sequence: u64,
    /// Its bytes.
    pub body: RecordBody,
}

/// One request to the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreRequest {
    /// Chosen by the runtime, repeated in the reply.
    pub id: u64,
    /// What to do.
    pub operation: StoreOperation,
}

impl Message for StoreRequest {
    const PURPOSE: &'static str = "chancery/host/store-request";
    const VERSION: u8 = 1;
}

/// What the store is asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StoreOperation {
    /// All records or none, in one transaction that is durable before the reply.
    Append {
        /// The writer's fencing epoch: refused if the store's is higher.
        fence: u64,
        /// At most [`crate::BATCH_RECORDS_MAX`] records, in order.
        #[serde(deserialize_with = "octets::batch")]
        records: Vec<NewRecord>,
    },
    /// Consecutive records of one stream.
    Read {
        /// Which stream.
        stream: StreamId,
        /// Number of the first record wanted.
        from: u64,
        /// Stop before the bodies exceed this many bytes, but return at least one record if there is
        /// one; capped at [`crate::READ_BYTES_MAX`].
        bytes_max: u32,
    },
    /// All streams and their lengths.
    Streams,
    /// Raises the fencing epoch; durable before the reply.
    Fence {
        /// The new epoch; equal to the store's is accepted, lower is refused.
        epoch: u64,
    },
}

/// Answers one [`StoreRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreReply {
    /// The request's id.
    pub id: u64,
    /// What came of it.
    pub result: Result<StoreAnswer, StoreFault>,
}

impl Message for StoreReply {
    const PURPOSE: &'static str = "chancery/host/store-reply";
    const VERSION: u8 = 1;
}

/// The store did what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StoreAnswer {
    /// The batch is durable.
    Appended,
    /// Records from the asked number on, without a gap; empty past the stream's end.
    Records(#[serde(deserialize_with = "octets::batch")] Vec<RecordBody>),
    /// All streams, ordered by id, at most [`crate::STREAMS_MAX`].
    Streams(#[serde(deserialize_with = "octets::streams")] Vec<StreamHead>),
    /// The fencing epoch is raised.
    Fenced,
}

/// A stream and its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamHead {
    /// Which stream.
    pub stream: StreamId,
    /// How many records it has.
    pub length: u64,
}

/// The store did nothing, and says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StoreFault {
    /// A record's number is not its stream's length: another writer was here, or the caller is wrong.
    Conflict {
        /// The stream.
        stream: StreamId,
        /// Its length in the store.
        length: u64,
    },
    /// The caller's fencing epoch is lower than the store's.
    Fenced {
        /// The store's epoch.
        epoch: u64,
    },
    /// No room; nothing was written, and the same batch may be sent again.
    Full,
    /// The store cannot answer now; nothing was written.
    Unavailable,
    /// The batch, a record or the list of streams exceeds a limit; sending it again cannot help.
    TooLarge,
}

impl fmt::Display for StoreFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict { length, .. } => {
                write!(
                    f,
                    "another record is in that place of a stream of length {length}"
                )
            }
            Self::Fenced { epoch } => write!(f, "fenced by epoch {epoch}"),
            Self::Full => f.write_str("store is full"),
            Self::Unavailable => f.write_str("store is unavailable"),
            Self::TooLarge => f.write_str("request exceeds a limit of the store"),
        }
    }
}

impl core::error::Error for StoreFault {}

/// What the runtime tells the host of itself, each second and at each change of health.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Telemetry {
    /// For `/healthz`.
    pub health: Health,
    /// For `/metrics`.
    pub counters: Counters,
    /// The public deployment document, when it is new or the stream is; at most
    /// [`crate::DEPLOYMENT_SIZE_MAX`] bytes.
    #[serde(
        serialize_with = "octets::optional::serialize",
        deserialize_with = "octets::optional::deserialize::<_, DEPLOYMENT_SIZE_MAX>"
    )]
    pub deployment: Option<Vec<u8>>,
    /// What the host is to keep as [`BlobName::Collateral`] for the next start, when it is new or the stream is;
    /// at most [`crate::COLLATERAL_FILE_SIZE_MAX`] bytes.
    #[serde(
        serialize_with = "octets::optional::serialize",
        deserialize_with = "octets::optional::deserialize::<_, COLLATERAL_FILE_SIZE_MAX>"
    )]
    pub collateral: Option<Vec<u8>>,
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry")
            .field("health", &self.health)
            .field("deployment_size", &self.deployment.as_ref().map(Vec::len))
            .field("collateral_size", &self.collateral.as_ref().map(Vec::len))
            .finish_non_exhaustive()
    }
}

impl Message for Telemetry {
    const PURPOSE: &'static str = "chancery/host/telemetry";
    const VERSION: u8 = 2;
}
