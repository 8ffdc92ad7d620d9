//! The platform's file in the state folder: `platform.json`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::chip::STATE_FILE;
use crate::error::EmulationError;
use crate::platform::PlatformState;
use crate::product::{EmulatedProduct, PlatformLevel};
use crate::state_file::{file_error, lock, replace, write_new};

const PLATFORM_FILE: &str = "platform.json";

/// The platform of a state folder, which may change while guests run.
#[derive(Debug, Clone)]
pub struct PlatformFolder {
    folder: PathBuf,
    path: PathBuf,
}

impl PlatformFolder {
    fn at(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            path: folder.join(PLATFORM_FILE),
        }
    }

    /// Opens the platform of a folder that holds a chip; makes it the first time, at `level` or the product's default one.
    ///
    /// # Errors
    /// [`EmulationError::File`], [`EmulationError::State`]; [`EmulationError::OtherLevel`] if `level` is given and another one
    /// runs; [`EmulationError::OtherProduct`] if the file is of another product.
    pub fn open(
        folder: &Path,
        product: EmulatedProduct,
        level: Option<PlatformLevel>,
        now_ms: u64,
    ) -> Result<Self, EmulationError> {
        let opened = Self::at(folder);
        let state = match opened.read() {
            Err(EmulationError::File { source, .. })
                if source.kind() == io::ErrorKind::NotFound =>
            {
                let first = level.unwrap_or_else(|| product.level());
                let made = PlatformState::new(product, first, now_ms);
                write_new(&opened.folder, &opened.path, &made.to_json())?;
                // Another process may have been first: what lies there counts.
                opened.read()?
            }
            found => found?,
        };
        if state.product() != product {
            return Err(EmulationError::OtherProduct);
        }
        if level.is_some_and(|level| level != *state.current()) {
            return Err(EmulationError::OtherLevel);
        }
        Ok(opened)
    }

    /// Opens the platform of a folder in which it was made before.
    ///
    /// # Errors
    /// [`EmulationError::File`] and [`EmulationError::State`].
    pub fn existing(folder: &Path) -> Result<Self, EmulationError> {
        let opened = Self::at(folder);
        opened.read()?;
        Ok(opened)
    }

    /// The platform as it is now.
    ///
    /// # Errors
    /// [`EmulationError::File`] and [`EmulationError::State`].
    pub fn read(&self) -> Result<PlatformState, EmulationError> {
        let bytes = fs::read(&self.path).map_err(file_error(&self.path))?;
        PlatformState::parse(&bytes).map_err(|reason| EmulationError::State {
            path: self.path.clone(),
            reason,
        })
    }

    /// Changes the platform, one change at a time and whole: a guest's next request sees it. Nothing changes if `change` fails.
    ///
    /// # Errors
    /// That of `change`; [`EmulationError::File`] and [`EmulationError::State`].
    pub fn change(
        &self,
        change: impl FnOnce(&mut PlatformState) -> Result<(), EmulationError>,
    ) -> Result<PlatformState, EmulationError> {
        let held = lock(&self.folder.join(STATE_FILE))?;
        let mut state = self.read()?;
        change(&mut state)?;
        replace(&self.folder, &self.path, &state.to_json())?;
        drop(held);
        Ok(state)
    }
}
