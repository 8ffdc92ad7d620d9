//! How old things may be.

/// A node statement ends at most this long after its beacon's time, so that a stolen epoch key is worth an hour.
pub const NODE_STATEMENT_LIFETIME_MS_MAX: u64 = 60 * 60 * 1000;

/// A runtime renews its node statement this often.
pub const NODE_STATEMENT_RENEW_MS: u64 = 30 * 60 * 1000;

/// The newest checkpoint is at most this old by its witnesses' time: the bound after which a runtime without a quorum
/// stops to serve.
pub const CHECKPOINT_AGE_MS_MAX: u64 = 15 * 60 * 1000;

/// How far the client's clock and the witnesses' may be apart.
pub const CLOCK_SKEW_MS_MAX: u64 = 5 * 60 * 1000;
