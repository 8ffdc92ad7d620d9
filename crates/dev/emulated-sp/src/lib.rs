//! An emulated AMD secure processor. It protects nothing.
//!
//! Zone: dev.

#![forbid(unsafe_code)]
