//! The project's own commands.
//!
//! Zone: dev.

#![forbid(unsafe_code)]

fn main() {}
