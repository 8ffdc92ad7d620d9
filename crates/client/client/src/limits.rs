//! Every bound of the client, with its reason.

use core::time::Duration;

/// Longest wait for TCP to connect: a reachable server answers within a few round trips.
pub const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

/// Longest wait for the TLS handshake.
pub const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);

/// Longest wait for the attestation response: the secure processor is serial and a busy host may
/// make hardware mode wait for seconds.
pub const ATTEST_TIME_MAX: Duration = Duration::from_secs(30);

/// Longest wait for a response after appraisal: the runtime itself answers 503 long before.
pub const RESPONSE_TIME_MAX: Duration = Duration::from_secs(60);

/// Largest response body in bytes after appraisal: one page of log entries with their bodies.
pub const RESPONSE_SIZE_MAX: usize = 16 * 1024 * 1024;

/// Longest wait for an answer of somebody who is no runtime.
pub const WEB_TIME_MAX: Duration = Duration::from_secs(30);

/// Largest answer of somebody who is no runtime, in bytes: an identity provider's key set.
pub const WEB_RESPONSE_SIZE_MAX: usize = 256 * 1024;

/// Largest request body in bytes: a signed act with a large delegation is far below.
pub const REQUEST_SIZE_MAX: usize = 1024 * 1024;

/// Longest request path with its query, in bytes.
pub const PATH_SIZE_MAX: usize = 2048;

/// An appraised stream on which nothing was asked and nothing came for this long rests between two
/// requests: a server that is within an answer sends the rest of it sooner.
pub const REST_TIME: Duration = Duration::from_secs(1);

/// Most header fields in a response.
pub(crate) const RESPONSE_HEADERS_MAX: usize = 64;

/// Bytes of the buffer that holds a response's head; hyper's own minimum is 8 KiB.
pub(crate) const RESPONSE_HEAD_SIZE_MAX: usize = 32 * 1024;
