//! The secure processor as the runtime sees it.
//!
//! Zone: sealed.

#![forbid(unsafe_code)]
