//! DSSE envelopes over JSON payloads with Ed25519 keys and thresholds.
//!
//! Zone: core.

#![forbid(unsafe_code)]
