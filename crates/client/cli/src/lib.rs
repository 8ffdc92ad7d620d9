//! The `chancery` command for admins, members and auditors.
//!
//! Zone: client.

#![forbid(unsafe_code)]
