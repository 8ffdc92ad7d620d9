//! The SNP launch digest, computed from published parts.
//!
//! Zone: attestation.
//!
//! The AMD secure processor hashes each page that the hypervisor puts into a new guest, with its type and its
//! guest-physical address, into one running digest: the MEASUREMENT of every report of that guest. This crate computes the same
//! value from the firmware, kernel, initial filesystem, command line and processor shape that a release publishes, so that
//! a client need not believe anybody's number.
//!
//! It is not a launcher and reads no file: bytes in, a [`LaunchDigest`] out.
//!
//! - [`DigestChain`]: the page chain itself (SEV-SNP firmware ABI, 8.17.2).
//! - [`Firmware`], [`KernelHashes`], [`LaunchShape`] and [`launch_digest`]: what QEMU, EC2 and GCE measure.
//! - [`process_mode_digest`]: the layout of an emulated launch of one program (docs/spec/process-mode-launch.md).
//! - [`IdBlock`]: what pins a launch digest and policy on the host's side.
//!
//! ```
//! use chancery_measurement::{MeasurementError, process_mode_digest};
//!
//! match process_mode_digest(b"\x7fELF...") {
//!     Ok(digest) => assert_eq!(digest.as_bytes().len(), 48),
//!     Err(MeasurementError::ImageTooLarge { bytes_max }) => panic!("more than {bytes_max} bytes"),
//!     Err(other) => panic!("{other}"),
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

mod chain;
mod error;
mod firmware;
mod id_block;
mod kernel_hashes;
mod launch;
mod process;
mod vmsa;

pub use chain::{DigestChain, LaunchDigest, PAGE_SIZE};
pub use error::MeasurementError;
pub use firmware::{FIRMWARE_SIZE_MAX, Firmware, Section, SectionKind};
pub use id_block::{ID_AUTH_SIZE, ID_BLOCK_SIZE, ID_KEY_SIZE, IdBlock, IdKeys};
pub use kernel_hashes::KernelHashes;
pub use launch::{Hypervisor, LaunchShape, VCPUS_MAX, launch_digest};
pub use process::{PROCESS_IMAGE_SIZE_MAX, process_mode_digest};
pub use vmsa::{VcpuSignature, Vmsa};
