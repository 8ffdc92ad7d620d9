//! Trust-log structures: entries, state roots, the key directory, tenant heads.
//!
//! Zone: core.

#![forbid(unsafe_code)]
