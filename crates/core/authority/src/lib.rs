//! What a customer signs: genesis, delegation, signed acts; what they allow.
//!
//! Zone: core.

#![forbid(unsafe_code)]
