//! The auditor's replay of a tenant's log: what was done, by whose authority, and what does not add up.
//!
//! Zone: core.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod finding;

pub use finding::{ActFault, Breach, Fault, Finding, KeyFault};
