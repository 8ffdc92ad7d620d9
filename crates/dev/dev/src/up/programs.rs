//! The programs that belong together, side by side in one folder.

use std::path::{Path, PathBuf};

use crate::error::DevError;

/// Where the programs are.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    /// `chancery-host`.
    pub(crate) host: PathBuf,
    /// `chancery-witness`.
    pub(crate) witness: PathBuf,
    /// `chancery-issuer`.
    pub(crate) issuer: PathBuf,
    /// `chancery-emulated-sp`.
    pub(crate) processor: PathBuf,
    /// `chancery-runtime-dev`.
    pub(crate) runtime: PathBuf,
}

impl Programs {
    /// Finds them beside this program.
    pub(crate) fn find() -> Result<Self, DevError> {
        let own = std::env::current_exe().map_err(DevError::System)?;
        Self::beside(&own)
    }

    fn beside(own: &Path) -> Result<Self, DevError> {
        let program = |name| {
            let path = own.with_file_name(name);
            if path.is_file() {
                Ok(path)
            } else {
                Err(DevError::ProgramMissing { path })
            }
        };
        Ok(Self {
            host: program("chancery-host")?,
            witness: program("chancery-witness")?,
            issuer: program("chancery-issuer")?,
            processor: program("chancery-emulated-sp")?,
            runtime: program("chancery-runtime-dev")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_program_that_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("chancery-dev");
        for name in [
            "chancery-host",
            "chancery-witness",
            "chancery-issuer",
            "chancery-emulated-sp",
        ] {
            let Err(DevError::ProgramMissing { path }) = Programs::beside(&own) else {
                panic!("nothing is missing");
            };
            assert_eq!(path, folder.path().join(name));
            std::fs::write(path, b"").unwrap();
        }
        assert!(Programs::beside(&own).is_err());
        std::fs::write(folder.path().join("chancery-runtime-dev"), b"").unwrap();
        assert!(Programs::beside(&own).is_ok());
    }
}
