//! What a customer signs: genesis, delegation, signed acts; what they allow.
//!
//! Zone: core.
//!
//! A [`Genesis`] makes a tenant and names its admins; a [`Delegation`] says what automation may do
//! until when; an [`AdminChange`] hands over to other admins; an [`Act`] is one signed request; an [`Admission`] is the operator's leave to create a
//! tenant. All are DSSE envelopes over strict JSON: every member is required, unknown and duplicate
//! ones are refused with their place, and the signed bytes must be the one encoding of what they say,
//! so that one meaning has one hash. The formats are in `docs/spec/authority.md`.
//!
//! # What it is not
//! It keeps no state: revocation, used sequence numbers, used admissions, counted bursts and the order
//! of delegations are the engine's. It has no clock, no I/O and no ambient randomness.
//!
//! ```
//! # use std::collections::BTreeSet;
//! # use chancery_authority::*;
//! # use chancery_dsse::{Envelope, SigningKey};
//! # use chancery_keyset::{Keyset, KeysetSeed};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let alice = SigningKey::from_seed([1; 32]);
//! # let admin = Admin { name: "alice".into(), key: alice.public_key() };
//! # let domain = Domain::parse("demo.example").ok_or("domain")?;
//! # let genesis = Genesis {
//! #     deployment: DeploymentId::from_bytes([1; 32]),
//! #     slug: TenantSlug::parse("demo").ok_or("slug")?,
//! #     created_ms: 0,
//! #     nonce: [3; 32],
//! #     admins: AdminSet::new(vec![admin], 1)?,
//! #     recovery_key: Keyset::from_seed(KeysetSeed::from_bytes([4; 64]))?.public().clone(),
//! #     domains: BTreeSet::from([domain.clone()]),
//! #     idp: None,
//! #     protected_groups: BTreeSet::new(),
//! #     protected_accounts: BTreeSet::new(),
//! #     release_rule: ReleaseRule::FollowDeployment,
//! #     witness_policy_sha256: [5; 32],
//! # };
//! # let signed_genesis = genesis.sign(&[&alice])?;
//! # let tenant = Genesis::verify(&signed_genesis)?.tenant();
//! # let delegation = Delegation {
//! #     tenant, serial: 1, not_before_ms: 1_000, not_after_ms: 2_000,
//! #     scopes: [Scope::UsersCreate].into_iter().collect(),
//! #     domains: BTreeSet::from([domain]),
//! #     allow_user_names_without_domain: false,
//! #     managed_groups: ManagedGroups::All,
//! #     sensitive_groups: BTreeSet::new(), protected_groups: BTreeSet::new(), protected_accounts: BTreeSet::new(),
//! #     limits: BurstLimits { window_s: 3600, suspensions: 50, deletions: 20, grants: 1000, emptied_groups: 5 },
//! #     credential_life_max_s: 86_400, on_delete: OnDelete::Suspend, id_mapping: None,
//! #     mode: Mode::Apply, pilot: None,
//! # };
//! # let signed_delegation = delegation.sign(&[&alice])?.to_json();
//! let authority = Genesis::verify(&signed_genesis)?.authority();
//! let delegation = Delegation::verify(&Envelope::parse(&signed_delegation)?, &authority)?;
//! let create = ActClass {
//!     scope: Scope::UsersCreate,
//!     domains: &["demo.example"],
//!     user_name: UserNameForm::InDomain,
//! };
//! assert_eq!(delegation.permits(1_500, &create), Ok(()));
//! assert_eq!(delegation.permits(2_000, &create), Err(Refusal::Expired { not_after_ms: 2_000 }));
//! # Ok(())
//! # }
//! ```
//!
//! What was verified cannot be made in another way. This compiles:
//!
//! ```
//! # use chancery_authority::*;
//! # use chancery_dsse::Envelope;
//! fn put(envelope: &Envelope, authority: &TenantAuthority) -> Result<VerifiedDelegation, Error> {
//!     Delegation::verify(envelope, authority)
//! }
//! ```
//!
//! and this, which skips the verification, does not:
//!
//! ```compile_fail
//! # use chancery_authority::*;
//! # use chancery_dsse::Envelope;
//! fn put(envelope: &Envelope, _: &TenantAuthority) -> Result<VerifiedDelegation, Error> {
//!     Delegation::from_json(envelope.unverified_payload())
//! }
//! ```

#![no_std]
#![forbid(unsafe_code)]
#![warn(
    clippy::arithmetic_side_effects,
    clippy::exhaustive_enums,
    clippy::exhaustive_structs
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod act;
mod admin;
mod admin_change;
mod admission;
mod client;
mod delegation;
mod describe;
mod error;
mod genesis;
mod key_file;
mod name;
mod permit;
mod read;
mod scope;
mod token;

#[cfg(test)]
mod sample;

pub use act::{ACT_LIFE_MS_MAX, ACT_PAYLOAD_TYPE, Act, ActName, Expected, VerifiedAct, verify_act};
pub use admin::{ADMINS_MAX, Admin, AdminSet};
pub use admin_change::{ADMINS_PAYLOAD_TYPE, AdminChange, VerifiedAdminChange};
pub use admission::{ADMISSION_PAYLOAD_TYPE, Admission, VerifiedAdmission};
pub use client::{
    ACCESS_LABEL, ACCESS_LENGTH, ACCESS_LIFE_MS_MAX, AccessToken, CLIENT_SECRET_DIGEST_LABEL,
    ClientSecret,
};
pub use delegation::{
    BurstLimits, CREDENTIAL_LIFE_S_MAX, DELEGATION_LIFE_MS_MAX, DELEGATION_PAYLOAD_TYPE,
    Delegation, ManagedGroups, Mode, OnDelete, Pilot, VerifiedDelegation,
};
pub use error::{Error, FieldFault};
pub use genesis::{
    DOMAINS_MAX, GENESIS_PAYLOAD_TYPE, Genesis, IdMapping, IdentityProvider, RELEASE_WAIT_DAYS_MAX,
    ReleaseRule, TLS_ROOT_SIZE_MAX, TLS_ROOTS_MAX, TenantAuthority, VerifiedGenesis,
};
pub use key_file::{Ed25519Seed, KeyFile};
pub use name::{DeploymentId, Domain, TenantId, TenantSlug};
pub use permit::{ActClass, GroupStanding, Refusal, UserNameForm};
pub use scope::{Scope, ScopeSet};
pub use token::{TOKEN_DIGEST_LABEL, TOKEN_LENGTH, Token, TokenDigest, TokenId, TokenRecord};
