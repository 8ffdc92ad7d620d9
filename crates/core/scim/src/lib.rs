//! SCIM 2.0 (RFC 7643, RFC 7644): resources, filters, PATCH, errors, discovery.
//!
//! Zone: core.
//!
//! # What it is
//!
//! Bytes in, decisions and bytes out: bodies become canonical documents with typed index keys,
//! PATCH becomes a new document or a list of member changes, filters become an index key and a
//! test. The engine is strict; what known IdPs send beside the RFC is tolerated in one enumerated
//! normaliser. Schemas are data, and every rule reads them.
//!
//! # What it is not
//!
//! It keeps no resources, gives no ids, knows no tenants, clock or network, and does not check
//! domains against a delegation: it tells the identifiers to check.
//!
//! ```
//! use chancery_scim::{Catalogue, Error, PatchRequest, UserDocument};
//!
//! fn suspend(stored: &[u8], body: &[u8]) -> Result<Vec<u8>, Error> {
//!     let current = UserDocument::from_canonical(stored)?;
//!     let (next, _changed) = PatchRequest::parse(body)?.apply_user(&current, Catalogue::STANDARD)?;
//!     Ok(next.to_canonical())
//! }
//! let user = UserDocument::parse_create(
//!     br#"{"userName":"ada@demo.example"}"#,
//!     Catalogue::STANDARD,
//! )?;
//! let body = br#"{"Operations":[{"op":"Replace","path":"active","value":"False"}]}"#;
//! let next = UserDocument::from_canonical(&suspend(&user.to_canonical(), body)?)?;
//! assert!(!next.keys().active);
//! # Ok::<(), Error>(())
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

mod bulk;
pub mod discovery;
mod error;
mod etag;
mod filter;
mod group;
mod instant;
pub mod limits;
mod name;
mod normalise;
mod patch;
mod projection;
mod query;
mod render;
mod schema;
mod sort;
mod user;

pub use crate::bulk::{BulkMethod, BulkOperation, BulkRequest, BulkTask};
pub use crate::error::{Error, ScimError, ScimType};
pub use crate::etag::{EntityTags, weak_etag};
pub use crate::filter::{Filter, Probe, ResourceView};
pub use crate::group::{GroupChanges, GroupDocument, GroupKeys, MemberChange, MemberRef};
pub use crate::name::{FoldedName, Identifier, NameFault, canonical_domain};
pub use crate::patch::PatchRequest;
pub use crate::projection::Projection;
pub use crate::query::{Kinds, ListQuery, Page, Selection, refuse_discovery_filter};
pub use crate::render::{
    GroupRef, MemberView, Meta, Position, location, render_group, render_list, render_user,
};
pub use crate::schema::{Catalogue, ResourceKind, ResourceType, SchemaFault, urn};
pub use crate::sort::{Sort, SortKey};
pub use crate::user::{Changed, UserDocument, UserKeys};
