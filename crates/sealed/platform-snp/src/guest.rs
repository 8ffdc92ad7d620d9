//! The secure processor as a guest of real hardware reaches it.

use std::fmt;
use std::path::Path;
use std::sync::Mutex;

use chancery_platform::{
    CertificateTable, DerivedKeyRequest, PlatformError, REPORT_DATA_SIZE, REPORT_SIZE,
    SecureProcessor,
};
use chancery_sealing::Key;

use crate::certificate_table::parse_certificate_table;
use crate::device::{GuestDevice, SevGuest};
use crate::tsm::{self, Configfs, Directory};

/// Where a report repeats the report data.
const REPORT_DATA_OFFSET: usize = 0x50;

/// The AMD secure processor, asked by a guest.
pub struct SnpGuest {
    state: Mutex<State>,
}

impl fmt::Debug for SnpGuest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnpGuest").finish_non_exhaustive()
    }
}

struct State {
    configfs: Option<Box<dyn Configfs>>,
    device: Box<dyn GuestDevice>,
    /// The host's certificates beside the newest report.
    certificates: Option<Vec<u8>>,
    /// Set by the first failure after which nothing can succeed.
    final_error: Option<PlatformError>,
}

impl SnpGuest {
    /// Opens the interfaces of this kernel. The device must be there, because derived keys come from it alone.
    ///
    /// # Errors
    /// [`PlatformError::Absent`] if this is not an SNP guest or the driver is not loaded.
    pub fn open() -> Result<Self, PlatformError> {
        Self::open_at(Path::new(tsm::REPORT_ROOT))
    }

    /// As [`SnpGuest::open`], with the place of the configfs-tsm report directory given.
    ///
    /// # Errors
    /// As [`SnpGuest::open`].
    pub fn open_at(tsm_report_root: &Path) -> Result<Self, PlatformError> {
        let configfs = Directory::find(tsm_report_root.to_owned());
        Ok(Self::over(
            configfs.map(|directory| -> Box<dyn Configfs> { Box::new(directory) }),
            Box::new(SevGuest::open()?),
        ))
    }

    fn over(configfs: Option<Box<dyn Configfs>>, device: Box<dyn GuestDevice>) -> Self {
        Self {
            state: Mutex::new(State {
                configfs,
                device,
                certificates: None,
                final_error: None,
            }),
        }
    }

    /// Lets one request through at a time, and none after a final failure: the driver would fail it, and asking on could hide the
    /// first reason.
    fn run<T>(
        &self,
        request: impl FnOnce(&mut State) -> Result<T, PlatformError>,
    ) -> Result<T, PlatformError> {
        let mut state = self.state.lock().ok().ok_or(PlatformError::Lost)?;
        if let Some(error) = state.final_error {
            return Err(error);
        }
        let outcome = request(&mut state);
        state.final_error = outcome.as_ref().err().copied().filter(|e| e.is_final());
        outcome
    }
}

impl State {
    fn report(&mut self, report_data: &[u8; REPORT_DATA_SIZE]) -> Result<Vec<u8>, PlatformError> {
        // Certificates of an earlier report may be of another firmware level: a report without any has none.
        self.certificates = None;
        let asked = self
            .configfs
            .as_ref()
            .map(|configfs| tsm::request(configfs.as_ref(), report_data));
        let report = match asked {
            Some(Ok(answer)) => {
                self.certificates = Some(answer.certificates);
                answer.report
            }
            Some(Err(PlatformError::System)) => {
                self.certificates = Some(Vec::new());
                self.device.report(report_data)?
            }
            Some(Err(error)) => return Err(error),
            None => self.device.report(report_data)?,
        };
        let repeated = report
            .get(REPORT_DATA_OFFSET..)
            .and_then(<[u8]>::first_chunk::<REPORT_DATA_SIZE>);
        if report.len() != REPORT_SIZE || repeated != Some(report_data) {
            return Err(PlatformError::Malformed);
        }
        Ok(report)
    }
}

impl SecureProcessor for SnpGuest {
    fn report(&self, report_data: &[u8; REPORT_DATA_SIZE]) -> Result<Vec<u8>, PlatformError> {
        self.run(|state| state.report(report_data))
    }

    /// The certificates that came with the newest report; if there was none, with one over zeros that is thrown away. Without
    /// configfs-tsm the table is empty.
    fn certificates(&self) -> Result<CertificateTable, PlatformError> {
        self.run(|state| {
            if state.certificates.is_none() && state.configfs.is_some() {
                state.report(&[0; REPORT_DATA_SIZE])?;
            }
            parse_certificate_table(state.certificates.as_deref().unwrap_or_default())
        })
    }

    fn derived_key(&self, request: &DerivedKeyRequest) -> Result<Key, PlatformError> {
        self.run(|state| state.device.derived_key(request))
    }
}

#[cfg(test)]
mod tests;
