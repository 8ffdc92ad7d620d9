use core::fmt;

use chancery_sealing::EntropyError;

/// Why a keyset or a wrap was not made, not read or not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Environment: the source of randomness failed; nothing was made.
    Entropy(EntropyError),
    /// Peer: the bytes have not the length of what they should be.
    Length,
    /// Peer: the version byte is unknown.
    Version,
    /// Peer: the algorithm ids are not the one suite that is known.
    UnknownSuite,
    /// Peer: the KEM half is no X-Wing public key (FIPS 203 section 7.2 modulus check).
    KemKey,
    /// Peer: the signing half is no canonical strong Ed25519 key.
    SigningKey,
    /// Caller: the plaintext is longer than [`crate::WRAP_PLAINTEXT_SIZE_MAX`].
    PlaintextTooLarge,
    /// Peer: the wrap was made for another key or another context, or was changed.
    Unauthentic,
    /// Bug: the HPKE library asked for other randomness than encapsulation takes, or failed to seal.
    Encapsulation,
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Entropy(_) => "the source of randomness failed",
            Self::Length => "wrong length",
            Self::Version => "unknown version",
            Self::UnknownSuite => "unknown algorithm suite",
            Self::KemKey => "invalid KEM public key",
            Self::SigningKey => "invalid signing public key",
            Self::PlaintextTooLarge => "the plaintext is too large to wrap",
            Self::Unauthentic => "the wrap does not open for this key and context",
            Self::Encapsulation => "encapsulation failed",
        })
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        if let Self::Entropy(error) = self {
            Some(error)
        } else {
            None
        }
    }
}

impl From<EntropyError> for Error {
    fn from(error: EntropyError) -> Self {
        Self::Entropy(error)
    }
}
