//! The attested client: no application byte before a full appraisal.
//!
//! Zone: client.
//!
//! # What it is
//!
//! A [`Connector`] takes a pinned [`Deployment`] to an [`AttestedConnection`]: TCP, a full TLS 1.3
//! handshake under the pinned roots, the attestation request as the first bytes, the appraisal of the
//! answer (`chancery-session`), and, if heads are remembered, the proof that the log extends them. Only
//! then does a value exist that can send a request, and it is pinned to that one TLS connection: to
//! connect again is to appraise again (I3). The checks of the way are a [`Checklist`] for a person.
//!
//! An application that already speaks HTTP through `hyper_util`'s pooled client gives it an
//! [`AttestedConnector`] instead: the same walk for every connection of the pool, each of which ends when
//! its evidence should be renewed. `docs/client.md` tells it from the start.
//!
//! # What it is not
//!
//! It decides nothing about evidence, keeps no pool of its own and never retries: whether a request that got no
//! answer took effect, only the caller can find out. It trusts nothing on first use.
//!
//! # Example
//!
//! ```no_run
//! use chancery_client::{ClientError, Connector, Deployment, Request};
//! use chancery_verify::Amd;
//!
//! async fn ask(deployment: &Deployment) -> Result<Vec<u8>, ClientError> {
//!     let mut connection = Connector::new(Amd).connect(deployment, None).await?;
//!     let response = connection.request(Request::get("/v1/tenants/demo")).await?;
//!     Ok(response.body().to_vec())
//! }
//! ```

#![forbid(unsafe_code)]

mod appraised;
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
mod service;
mod stream;
mod tiles;
mod web;

pub use appraised::Appraisal;
pub use chancery_session::{AttestedSession, Deployment, ProofMode};
pub use checklist::{Checklist, Row};
pub use clock::now_ms;
pub use connection::{ACT_EXPORTER_LABEL, AttestedConnection};
pub use connector::{ATTEST_PATH, Attempt, Connector};
pub use endpoint::Endpoint;
pub use error::{ClientError, Step};
pub use heads::{HeadStore, HeadsError, LockedHeads, RememberedTenant};
pub use http::{Request, Response};
pub use service::AttestedConnector;
pub use stream::AttestedStream;
pub use web::WebClient;

/// The page's own lines compile.
#[cfg(doctest)]
#[doc = include_str!("../../../../docs/client.md")]
struct ClientPage;
