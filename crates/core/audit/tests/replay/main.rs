//! Audits of logs that a test runtime writes: honest ones, and ones that lie in one place.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where its world is not as it must be"
)]

mod honest;
mod lies;
mod runtime;
