//! Limits on what one message may carry. A deserializer enforces each of them, so that a hostile
//! peer cannot turn a frame into many times its size in memory.

/// Largest body of one record, in bytes: a large batch of one tenant or a snapshot part, and half of
/// a frame, so that an append of one record and a read of one record always fit.
pub const RECORD_SIZE_MAX: usize = 8 * 1024 * 1024;

/// Most records in one append or one read: one per tenant and batch; bounds the vector's headers.
pub const BATCH_RECORDS_MAX: usize = 4096;

/// Most bytes of record bodies that one read returns, unless its first record alone is larger.
pub const READ_BYTES_MAX: u32 = 8 * 1024 * 1024;

/// Most streams that a store may list: 26 bytes each at worst, which fits one frame.
pub const STREAMS_MAX: usize = 500_000;

/// Largest blob (configuration, release policy, attestation collateral), in bytes.
pub const BLOB_SIZE_MAX: usize = 1024 * 1024;

/// Largest file of collateral that the runtime gives the host to keep, in bytes: three certificates and a revocation list in base64.
pub const COLLATERAL_FILE_SIZE_MAX: usize = 512 * 1024;

/// Largest published deployment document, in bytes.
pub const DEPLOYMENT_SIZE_MAX: usize = 256 * 1024;

/// Longest name of an outbound destination, in bytes.
pub const EGRESS_NAME_SIZE_MAX: usize = 64;

/// Longest host and port of an issuer, in bytes: a DNS name of 253, a colon and five digits.
pub const AUTHORITY_SIZE_MAX: usize = 259;

/// Largest frame that may open a stream, in bytes: a decoder for first frames needs no more.
pub const OPEN_SIZE_MAX: u32 = 512;
