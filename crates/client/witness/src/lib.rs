//! A C2SP witness with durable state.
//!
//! Zone: client.

#![forbid(unsafe_code)]
