//! A reference of SCIM for property tests, and generators of filters, PATCH bodies and requests.
//!
//! Zone: tests.
//!
//! # What it is
//!
//! A second, naive implementation of RFC 7643 and RFC 7644 over plain `serde_json` values: maps and
//! lists, no indexes, no parsers. What it generates are trees; their texts are written in random legal
//! spellings, so that it never has to read one. The tests compare the service with it.
//!
//! # What it is not
//!
//! It calls nothing of the service's own SCIM code, and it does not know every limit: where the RFCs
//! leave a choice, it follows what the documentation says, and a generator that would leave that ground
//! does not go there.

#![forbid(unsafe_code)]
#![expect(
    clippy::indexing_slicing,
    reason = "an item is picked at a place that was drawn below the length"
)]

pub mod document;
pub mod fault;
pub mod filter;
pub mod generate;
pub mod listing;
pub mod patch;
pub mod program;
pub mod random;
pub mod request;
pub mod run;
pub mod schema;
pub mod shrink;
pub mod spelling;
pub mod state;
pub mod step;
pub mod text;
pub mod wire;
