//! Release statements: which launch digests a release has, signed by a threshold of release keys.
//!
//! Zone: attestation.
//!
//! What it is: a [`ReleaseStatement`] says that one release, measured from named inputs, has one launch digest
//! for each shape of machine that it may run on, from when to when it holds, and that it follows the
//! statements before it. It is an [in-toto Statement
//! v1](https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md) in a
//! [DSSE](https://github.com/secure-systems-lab/dsse/blob/master/protocol.md) envelope; its bytes are in
//! `docs/spec/release-statement.md`. Whoever has the firmware recomputes every digest with [`Subject::measured`].
//!
//! What it is not: a release policy. What a client accepts is decided by the policy alone (`chancery-verify`); a
//! statement says where a measurement in it comes from. There is no I/O and no clock here.
//!
//! ```
//! use chancery_dsse::SigningKey;
//! use chancery_measurement::{Hypervisor, LaunchDigest};
//! use chancery_release::{
//!     Error, MeasuredInputs, ReleaseStatement, Shape, Subject, VcpuModel, open_release_statement,
//! };
//!
//! # fn main() -> Result<(), Error> {
//! let model = VcpuModel::named("EPYC-Genoa").ok_or(Error::NoSubject)?;
//! let statement = ReleaseStatement {
//!     id: "demo".into(),
//!     version: "1.2.0".into(),
//!     serial: 7,
//!     issued_ms: 0,
//!     expires_ms: 1_000,
//!     inputs: MeasuredInputs { firmware_sha256: [1; 32], kernel: None },
//!     subjects: vec![Subject {
//!         shape: Shape::new(Hypervisor::Qemu, 4, Some(model), 1)?,
//!         launch_digest: LaunchDigest::new([2; 48]),
//!     }],
//! };
//! let key = SigningKey::from_seed([3; 32]);
//! let envelope = statement.sign(&[&key])?.to_json();
//! let verified = open_release_statement(&envelope, &[key.public_key()], 1)?;
//! assert_eq!(verified.statement(), &statement);
//! # Ok(())
//! # }
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

mod envelope;
mod error;
mod shape;
mod statement;

pub use envelope::{STATEMENT_PAYLOAD_TYPE, VerifiedStatement, open_release_statement};
pub use error::Error;
pub use shape::{Shape, VcpuModel};
pub use statement::{
    COMMAND_LINE_SIZE_MAX, MeasuredInputs, MeasuredKernel, PREDICATE_TYPE, ReleaseStatement,
    SERIAL_MAX, STATEMENT_TYPE, SUBJECTS_MAX, Subject,
};
