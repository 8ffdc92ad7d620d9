//! Key files, readable by their owner alone. Their format is authority's.

use std::path::Path;

use chancery_authority::{Ed25519Seed, KeyFile};
use chancery_dsse::SigningKey;
use chancery_keyset::{Keyset, KeysetSeed, PublicKeyset, SEED_LENGTH};
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

use crate::error::CliError;
use crate::files::{Existing, Privacy, read_secret, write};

/// Fills `out` from the operating system's random source.
fn fill(out: &mut [u8]) -> Result<(), CliError> {
    SystemRandom::new()
        .fill(out)
        .map_err(|ring::error::Unspecified| CliError::Entropy)
}

/// 32 random bytes, for a nonce.
pub(crate) fn nonce() -> Result<[u8; 32], CliError> {
    let mut nonce = [0; 32];
    fill(&mut nonce)?;
    Ok(nonce)
}

/// Draws a new signing key and writes it to `path` before it is used for anything.
///
/// # Errors
///
/// [`CliError::Entropy`], or why the file cannot be written.
pub fn create_signing_key(path: &Path) -> Result<SigningKey, CliError> {
    let mut bytes = Zeroizing::new([0; 32]);
    fill(bytes.as_mut_slice())?;
    let seed = Ed25519Seed::from_bytes(*bytes);
    let key = seed.signing_key();
    write_new(path, &KeyFile::Ed25519(seed))?;
    Ok(key)
}

/// Draws a new recovery keyset, writes its private half to `path` and gives the public half.
///
/// # Errors
///
/// [`CliError::Entropy`], or why the file cannot be written.
pub fn create_recovery_key(path: &Path) -> Result<PublicKeyset, CliError> {
    let mut bytes = Zeroizing::new([0; SEED_LENGTH]);
    fill(bytes.as_mut_slice())?;
    let keyset = Keyset::from_seed(KeysetSeed::from_bytes(*bytes))
        .map_err(|_library_fault| CliError::Entropy)?;
    let (seed, public) = keyset.into_parts();
    write_new(path, &KeyFile::Keyset(seed))?;
    Ok(public)
}

/// Writes a key that is not anywhere else yet. No key is ever replaced by it.
fn write_new(path: &Path, key: &KeyFile) -> Result<(), CliError> {
    let written = write(path, &key.to_json(), Privacy::Private, Existing::Keep);
    written.map_err(|error| match error {
        CliError::FileExists { path } => CliError::KeyExists { path },
        other => other,
    })
}

/// Reads a signing key.
///
/// # Errors
///
/// [`CliError::KeyExposed`] if somebody else can read the file, [`CliError::KeyUnreadable`] if it
/// is not a signing key, or why the file cannot be read.
pub fn read_signing_key(path: &Path) -> Result<SigningKey, CliError> {
    let text = read_secret(path)?;
    match KeyFile::from_json(&text) {
        Ok(KeyFile::Ed25519(seed)) => Ok(seed.signing_key()),
        // A recovery key must not sign acts by a slip of the command line.
        Ok(_) | Err(_) => Err(CliError::KeyUnreadable {
            path: path.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::tests::Folder;

    #[test]
    fn makes_a_new_key_each_time_and_finds_it_again() {
        let folder = Folder::new();
        let first = create_signing_key(&folder.path("a")).unwrap();
        let second = create_signing_key(&folder.path("b")).unwrap();
        assert_ne!(first.id(), second.id());
        assert_eq!(
            read_signing_key(&folder.path("a")).unwrap().id(),
            first.id()
        );
        let again = create_signing_key(&folder.path("a"));
        assert!(matches!(again, Err(CliError::KeyExists { .. })));
        assert_eq!(
            read_signing_key(&folder.path("a")).unwrap().id(),
            first.id()
        );
    }

    #[test]
    fn keeps_the_recovery_key_apart_from_the_keys_that_sign() {
        let folder = Folder::new();
        let path = folder.path("recovery.key");
        let public = create_recovery_key(&path).unwrap();
        let kept = KeyFile::from_json(&read_secret(&path).unwrap()).unwrap();
        assert_eq!(
            kept.into_keyset().unwrap().public().encode(),
            public.encode()
        );
        assert!(matches!(
            read_signing_key(&path),
            Err(CliError::KeyUnreadable { .. })
        ));
        assert!(matches!(
            create_recovery_key(&path),
            Err(CliError::KeyExists { .. })
        ));
    }

    #[test]
    fn refuses_a_file_that_is_no_key() {
        let folder = Folder::new();
        let path = folder.path("a");
        write(&path, b"no key", Privacy::Private, Existing::Keep).unwrap();
        assert!(matches!(
            read_signing_key(&path),
            Err(CliError::KeyUnreadable { .. })
        ));
    }
}
