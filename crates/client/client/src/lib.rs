//! The attested client: no application byte before a full appraisal.
//!
//! Zone: client.

#![forbid(unsafe_code)]

mod channel;
mod checklist;
mod clock;
mod connection;
mod connector;
mod endpoint;
mod error;
mod heads;
mod http;
pub mod limits;
mod tiles;

pub use chancery_session::{AttestedSession, Deployment, ProofMode};
pub use checklist::{Checklist, Row};
pub use clock::now_ms;
pub use connection::{ACT_EXPORTER_LABEL, AttestedConnection};
pub use connector::{ATTEST_PATH, Attempt, Connector};
pub use endpoint::Endpoint;
pub use error::{ClientError, Step};
pub use heads::{HeadStore, HeadsError, LockedHeads};
pub use http::{Request, Response};
