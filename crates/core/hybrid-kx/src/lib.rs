//! X25519MLKEM768 as a rustls key-exchange group, and the one TLS provider.
//!
//! Zone: core.
//!
//! # What it is
//!
//! One place that decides what TLS means in this project: [`provider`] (ring, with the hybrid group
//! of draft-ietf-tls-ecdhe-mlkem in front), [`attested_client_config`] for clients that appraise a
//! runtime, [`server_config`] for the runtime itself, and [`web_client_config`] (in a runtime
//! [`web_client_config_at`]) for whoever fetches from a customer's identity provider. All of them make
//! every connection a full handshake: no ticket, no session cache, no early data (invariant I3).
//!
//! # What it is not
//!
//! No sockets and no appraisal: a connection made with these configurations is only *encrypted*.
//! That the other end is a genuine runtime is decided by `chancery-session`.
//!
//! # Example
//!
//! ```
//! use chancery_hybrid_kx::{ConfigError, attested_client_config};
//!
//! // A client without a pinned root is refused instead of trusting nobody or everybody.
//! assert_eq!(attested_client_config("").unwrap_err(), ConfigError::NoRoot);
//! ```

#![forbid(unsafe_code)]

mod config;
mod hybrid;

pub use config::ALPN_HTTP_1_1;
pub use config::ConfigError;
pub use config::ROOTS_MAX;
pub use config::ROOTS_PEM_SIZE_MAX;
pub use config::attested_client_config;
pub use config::provider;
pub use config::server_config;
pub use config::web_client_config;
pub use config::web_client_config_at;
pub use hybrid::X25519MLKEM768;
