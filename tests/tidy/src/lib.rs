//! House rules as tests.
//!
//! Zone: tests.
//!
//! Each rule is a function from what the repository holds to a list of breaches, one line each with its place. Rules are tested
//! on made-up input that breaks them, beside their code; `tests/house_rules.rs` holds the repository to them.
//!
//! What this is not: a lint. What the compiler, clippy or rustfmt can check stands in their settings.

#![forbid(unsafe_code)]

pub mod closure;
pub mod documents;
pub mod licences;
pub mod source;
pub mod tree;
pub mod workspace;
pub mod zones;
