//! Strict JSON (RFC 8259): no duplicate members, bounded depth and size, ordered objects.
//!
//! Zone: core.
//!
//! # What it is
//!
//! The tokenizer is `serde_json`'s; the tree, the limits and the refusals are ours. One text has
//! one meaning here (I28): duplicate members, trailing data, invalid UTF-8, lone surrogates, and
//! texts that are too long, too deep or too rich in values are refused with the place and the kind
//! of the fault. [`Fields`] reads documents in which every member is known and required.
//!
//! # What it is not
//!
//! It is not a `serde` data format for arbitrary types, and it keeps neither white space nor the
//! spelling of numbers.
//!
//! ```
//! use chancery_json::{Error, Fields, Limits};
//!
//! fn threshold(text: &[u8]) -> Result<u64, Error> {
//!     let mut fields = Fields::parse(text, &Limits::DOCUMENT)?;
//!     let threshold = fields.take_u64("threshold")?;
//!     fields.finish()?;
//!     Ok(threshold)
//! }
//! assert_eq!(threshold(br#"{"threshold":2}"#), Ok(2));
//! let error = threshold(br#"{"threshold":2,"extra":0}"#).unwrap_err();
//! assert_eq!(error.describe(), "unknown member at /extra");
//! ```

#![no_std]
#![forbid(unsafe_code)]
#![warn(
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    clippy::exhaustive_enums,
    clippy::exhaustive_structs
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod error;
mod fields;
mod parse;
mod value;
mod write;

pub use serde_json::Number;

pub use crate::error::{Error, ErrorKind, Expected};
pub use crate::fields::{Element, Fields};
pub use crate::parse::{DEPTH_CEILING, Limits};
pub use crate::value::{Object, Value};
pub use crate::write::{push_pointer, write_string, write_u64};
