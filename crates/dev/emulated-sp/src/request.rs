//! What is asked to be launched, as files.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use chancery_evidence::GuestPolicy;
use chancery_measurement::{KernelHashes, LaunchShape};

use crate::error::EmulationError;
use crate::guest::Guest;
use crate::id_block::GuestIdentity;
use crate::state_file::file_error;

/// What the host says of a launch beside what is measured.
#[derive(Debug, Clone, Default)]
pub struct LaunchTerms {
    /// A guest policy in place of the default.
    pub policy: Option<u64>,
    /// Files with an ID block (96 bytes) and its authentication (4096 bytes).
    pub id_block: Option<(PathBuf, PathBuf)>,
}

impl LaunchTerms {
    fn apply(&self, guest: Guest) -> Result<Guest, EmulationError> {
        let mut guest = guest;
        if let Some(policy) = self.policy {
            guest.policy = GuestPolicy::from_bits(policy);
        }
        if let Some((block, auth)) = &self.id_block {
            guest.identity = GuestIdentity::check(&guest, &read_sized(block)?, &read_sized(auth)?)?;
        }
        Ok(guest)
    }
}

/// A program that is launched in process mode.
#[derive(Debug, Clone)]
pub struct LaunchRequest {
    /// The program: what is measured and run.
    pub runtime: PathBuf,
    /// The configuration, whose digest becomes HOST_DATA. Who serves it to the program is not our business.
    pub configuration: PathBuf,
    /// The program's arguments, which are not measured and so must decide nothing.
    pub arguments: Vec<OsString>,
    /// What the host says.
    pub terms: LaunchTerms,
}

impl LaunchRequest {
    /// Reads and measures program and configuration as they lie there now.
    ///
    /// # Errors
    /// [`EmulationError::File`], [`EmulationError::Measurement`] and [`EmulationError::IdBlockRefused`].
    pub fn measure(&self) -> Result<Guest, EmulationError> {
        let guest = Guest::measure(&read(&self.runtime)?, &read(&self.configuration)?)?;
        self.terms.apply(guest)
    }
}

/// A virtual machine with firmware and, for a measured direct boot, a kernel.
#[derive(Debug, Clone)]
pub struct MachineRequest {
    /// The firmware image (OVMF).
    pub firmware: PathBuf,
    /// What it boots, if its hashes are part of the measurement.
    pub kernel: Option<KernelRequest>,
    /// The processors.
    pub shape: LaunchShape,
    /// The configuration, whose digest becomes HOST_DATA; zero without one.
    pub configuration: Option<PathBuf>,
    /// What the host says.
    pub terms: LaunchTerms,
}

/// The parts of a measured direct boot.
#[derive(Debug, Clone)]
pub struct KernelRequest {
    /// The kernel.
    pub kernel: PathBuf,
    /// The initial filesystem.
    pub initrd: Option<PathBuf>,
    /// The command line.
    pub append: Option<String>,
}

impl KernelRequest {
    fn hashes(&self) -> Result<KernelHashes, EmulationError> {
        let initrd = self.initrd.as_deref().map(read).transpose()?;
        Ok(KernelHashes::of(
            &read(&self.kernel)?,
            initrd.as_deref(),
            self.append.as_deref(),
        ))
    }
}

impl MachineRequest {
    /// Reads and measures the parts as they lie there now.
    ///
    /// # Errors
    /// [`EmulationError::File`], [`EmulationError::Measurement`] and [`EmulationError::IdBlockRefused`].
    pub fn measure(&self) -> Result<Guest, EmulationError> {
        let kernel = self
            .kernel
            .as_ref()
            .map(KernelRequest::hashes)
            .transpose()?;
        let configuration = self.configuration.as_deref().map(read).transpose()?;
        let guest = Guest::measure_machine(
            &read(&self.firmware)?,
            kernel.as_ref(),
            &self.shape,
            configuration.as_deref(),
        )?;
        self.terms.apply(guest)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, EmulationError> {
    fs::read(path).map_err(file_error(path))
}

/// A file of exactly `N` bytes.
fn read_sized<const N: usize>(path: &Path) -> Result<[u8; N], EmulationError> {
    <[u8; N]>::try_from(read(path)?)
        .ok()
        .ok_or_else(|| EmulationError::State {
            path: path.to_owned(),
            reason: format!("it is not {N} bytes long"),
        })
}
