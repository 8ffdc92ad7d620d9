//! The attested client: no application byte before a full appraisal.
//!
//! Zone: client.

#![forbid(unsafe_code)]
