//! The runtime on the emulated secure processor.
//!
//! Zone: dev.

#![forbid(unsafe_code)]
