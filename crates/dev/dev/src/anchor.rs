//! The emulated anchor in the shared commands.

use std::path::Path;

use chancery_cli::AnchorSource;
use chancery_emulated_sp::{EmulatedAnchor, EmulatedRoots};

/// The file, beside the deployment file, that names the emulated processor's root.
pub(crate) const EMULATED_ROOTS_FILE: &str = "emulated-roots.json";

/// Takes the root of an emulated processor from the file beside the deployment file.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmulatedSource;

impl AnchorSource for EmulatedSource {
    type Anchor = EmulatedAnchor;

    fn anchor(&self, deployment_file: &Path) -> Result<EmulatedAnchor, String> {
        let path = deployment_file.with_file_name(EMULATED_ROOTS_FILE);
        match EmulatedRoots::read(&path) {
            Ok(roots) => Ok(EmulatedAnchor::new(&roots)),
            Err(error) => Err(format!("{error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_which_file_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let error = EmulatedSource
            .anchor(&folder.path().join("deployment.json"))
            .unwrap_err();
        assert!(error.contains(EMULATED_ROOTS_FILE), "{error}");
    }
}
