//! What a member's claim consists of: ID tokens, issuer keys, signed statements, kept evidence. And, being
//! the same JSON Web Tokens and keys, what an OAuth client asserts of itself.
//!
//! Zone: core.
//!
//! A member claims an account by an ID token whose `nonce` commits to the member's new keys
//! ([`ClaimBinding`]), and by a statement that the new account key signs. [`IdToken::verify`] checks such
//! a token against the issuer keys ([`Jwk`]) that the caller trusts; [`ClaimEvidence`] keeps everything
//! from which an auditor can check the claim again. [`ClientAssertion::verify`] checks what an OAuth client
//! signs to be known by. The bytes are specified in `docs/spec/claim.md`.
//!
//! # What it is not
//! It fetches nothing, trusts no issuer by itself and has no clock: which keys count and what time it
//! is are arguments. It does not know accounts: that a subject is provisioned, not suspended and not
//! yet claimed, and that a challenge is used once, is the caller's to decide. It makes no ID tokens.
//!
//! # Stricter than the specifications
//! * Base64url without padding must be canonical, JSON must not repeat a member, times are integers.
//! * `exp`, `iat` and `nonce` are required; several audiences require `azp`.
//! * A key set with a private member, a repeated `kid` or a repeated key is refused as a whole.
//!
//! ```
//! use chancery_claim::{ClaimBinding, ClaimId, Error, ProviderConfiguration, ShortCode};
//! use chancery_keyset::Fingerprint;
//!
//! # fn main() -> Result<(), Error> {
//! let binding = ClaimBinding {
//!     challenge: b"single-use",
//!     claim: ClaimId::parse("2819c223-7f76-453a-919d-413861904646")?,
//!     deployment: [1; 32],
//!     tenant: [2; 16],
//!     genesis: [3; 32],
//!     account: Fingerprint::from_bytes([4; 32]),
//!     device: Fingerprint::from_bytes([5; 32]),
//! };
//! assert_eq!(binding.nonce()?.to_text().len(), 43);
//! assert_eq!(ShortCode::from_digest(&[0xff; 32]).to_string(), "ZZZZ-ZZZZ");
//!
//! let found = br#"{"issuer":"https://other.example"}"#;
//! let refused = ProviderConfiguration::parse(found, "https://id.example");
//! assert_eq!(refused.unwrap_err(), Error::OtherIssuer);
//! # Ok(())
//! # }
//! ```
//!
//! An [`IdToken`] comes from a full check alone: it has no other constructor, and no part of it can be changed.
//!
//! ```
//! fn kept(token: chancery_claim::IdToken) -> chancery_claim::IdToken {
//!     token
//! }
//! ```
//!
//! ```compile_fail
//! fn renamed(mut token: chancery_claim::IdToken) -> chancery_claim::IdToken {
//!     token.sub = String::from("eve");
//!     token
//! }
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

mod assertion;
mod code;
mod discovery;
mod error;
mod evidence;
mod jwk;
#[cfg(test)]
mod sample;
mod statement;
mod token;
mod url;

pub use assertion::{ASSERTION_LIFE_S_MAX, ASSERTION_SKEW_S, ClientAssertion, ExpectedAssertion};
pub use code::ShortCode;
pub use discovery::{CONFIGURATION_SIZE_MAX, ProviderConfiguration, configuration_url};
pub use error::{Error, SignedBy};
pub use evidence::{
    ClaimContext, ClaimEvidence, ClaimProof, ClaimRequest, EVIDENCE_SIZE_MAX, UnsignedEvidence,
};
pub use jwk::{Algorithm, JWK_SET_SIZE_MAX, JWK_SIZE_MAX, Jwk, JwkSet, KEYS_MAX, Thumbprint};
pub use statement::{CHALLENGE_SIZE_MAX, ClaimBinding, ClaimId, ClaimNonce, Succession};
pub use token::{CLOCK_SKEW_S, Expected, IdToken, SubjectClaim, TOKEN_SIZE_MAX};
pub use url::{HttpsUrl, URL_LENGTH_MAX};
