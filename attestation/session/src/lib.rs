//! Node and session statements: evidence bound to one TLS connection.
//!
//! Zone: attestation.
//!
//! What it is: the exact bytes that a runtime attests and a client checks (`docs/spec/attestation.md`), and
//! [`appraise_session`], the client's walk from a pinned deployment to an [`AttestedSession`]. Evidence alone proves
//! that a genuine runtime exists somewhere; a client must know that it is the peer of *this* connection, in *this*
//! deployment, *now*. So the runtime signs the verifier's nonce together with the connection's TLS exporter and
//! leaf key, and names a log entry and a witnessed head.
//!
//! What it is not: it opens no connection, stores nothing and has no clock. The caller observes the channel, keeps
//! the returned [`RememberedHead`], and hands the connection on only when it holds an [`AttestedSession`].
//!
//! ```
//! use chancery_session::{AttestRequest, ProofMode};
//!
//! let request = AttestRequest { nonce: [7; 32], mode: ProofMode::Epoch };
//! let body = request.to_json();
//! assert_eq!(AttestRequest::from_json(&body), Ok(request));
//! assert!(AttestRequest::from_json(br#"{"version":1,"mode":"epoch"}"#).is_err());
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

mod appraise;
mod attested;
mod binding;
pub mod deployment;
mod exchange;
mod frame;
mod node;
mod rows;
mod statement;

pub use crate::appraise::Channel;
pub use crate::appraise::Remembered;
pub use crate::appraise::appraise_session;
pub use crate::appraise::limits;
pub use crate::attested::AttestedSession;
pub use crate::attested::ProofNeeded;
pub use crate::attested::RememberedHead;
pub use crate::attested::SessionOutcome;
pub use crate::attested::SessionRefusal;
pub use crate::binding::EXPORTER_LABEL;
pub use crate::binding::EXPORTER_SIZE;
pub use crate::binding::epoch_signature_message;
pub use crate::binding::exporter_context;
pub use crate::binding::report_data_node;
pub use crate::binding::report_data_session;
pub use crate::deployment::Deployment;
pub use crate::deployment::DeploymentError;
pub use crate::exchange::ATTEST_REQUEST_SIZE_MAX;
pub use crate::exchange::ATTEST_RESPONSE_SIZE_MAX;
pub use crate::exchange::AttestRequest;
pub use crate::exchange::AttestResponse;
pub use crate::exchange::ExchangeError;
pub use crate::exchange::LoggedLeaf;
pub use crate::exchange::ProofMode;
pub use crate::exchange::SessionProof;
pub use crate::frame::StatementError;
pub use crate::node::Beacon;
pub use crate::node::CertificateUsage;
pub use crate::node::NODE_STATEMENT_SIZE_MAX;
pub use crate::node::NodeStatement;
pub use crate::node::ServedCertificate;
pub use crate::rows::SessionCheck;
pub use crate::rows::SessionRow;
pub use crate::statement::ABSENT;
pub use crate::statement::Head;
pub use crate::statement::Role;
pub use crate::statement::SessionStatement;
