//! An emulated AMD secure processor. It protects nothing.
//!
//! Zone: dev.
//!
//! It plays the part that AMD's processor has on real hardware: it measures what it launches with the true SNP launch-digest
//! algorithm, signs byte-exact reports with a chip key that hangs under its own root, hands out certificates and a revocation
//! list, and derives keys from a chip secret by the hardware's monotonic rules. Everything lies in a folder that anybody
//! with access to it can read, which is why it protects nothing.
//!
//! It is never a way around appraisal: its root, its certificate names and its statement strings are its own, no shipped binary contains
//! this crate, and no AMD policy accepts what it signs.
//!
//! - [`Chip`]: one processor, made once per state folder.
//! - [`Machine`]: a chip with one launched guest; it implements [`SecureProcessor`](chancery_platform::SecureProcessor) itself for tests in one process.
//! - [`PlatformState`] and [`PlatformFolder`]: the firmware under the guests, which an operator updates, commits and reports, and what
//!   its host does.
//! - [`serve`] and [`EmulatedProcessor`]: the two ends of the socket that stands for the guest device.
//! - [`EmulatedRoots`] and [`EmulatedAnchor`]: what a development client must be given to accept this processor.
//!
//! ```
//! use chancery_emulated_sp::EmulatedRoots;
//!
//! let refused = EmulatedRoots::parse(b"{\"purpose\":\"chancery-AMD/roots/v1\"}");
//! assert!(refused.is_err());
//! ```

#![forbid(unsafe_code)]

mod anchor;
mod certificate_table;
mod chip;
mod client;
mod crl;
mod der;
mod error;
mod guest;
mod id_block;
mod identity;
mod launch;
mod machine;
mod pki;
mod platform;
mod product;
mod protocol;
mod random;
mod request;
mod roots;
mod server;
mod state_file;

pub use anchor::EmulatedAnchor;
pub use certificate_table::{CertificateForm, TableContents};
pub use chip::Chip;
pub use client::EmulatedProcessor;
pub use error::EmulationError;
pub use guest::Guest;
pub use id_block::GuestIdentity;
pub use identity::Identity;
pub use launch::run_launcher;
pub use machine::{Clock, Machine};
pub use pki::TrailerEncoding;
pub use platform::{PlatformFolder, PlatformSource, PlatformState, parse_firmware, parse_tcb};
pub use product::{EmulatedProduct, PlatformLevel, ReportLayout};
pub use request::{KernelRequest, LaunchRequest, LaunchTerms, MachineRequest};
pub use roots::{EMULATED_ROOTS_PURPOSE, EmulatedRoots};
pub use server::{GuestDevice, serve};
