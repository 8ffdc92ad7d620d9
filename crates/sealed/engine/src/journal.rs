//! Sealed, chained records (I24): what the host's store holds.
//!
//! A record is `epoch (8, big-endian) || sealed postcard body`. Its place is authenticated with it:
//! store, stream, number in the stream, boot epoch and the SHA-256 of the record before, so that
//! the store can neither change, move, repeat, drop nor splice one. The epoch in clear is only a hint
//! for building that associated data; it is believed because the tag covers it.

use alloc::vec::Vec;
use core::fmt;

use chancery_sealing::{Entropy, Key, SealError, open, seal};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

/// Purpose of every sealed record.
const PURPOSE: &str = "chancery/record/v1";
/// First byte of every plaintext.
const BODY_VERSION: u8 = 1;

/// A stream of the store.
pub type StreamBytes = [u8; 16];

/// The stream of the deployment's own records.
pub const ROOT_STREAM: StreamBytes = [0; 16];

/// Why a record was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordError {
    /// The record is not authentic at this place.
    NotAuthentic,
    /// The record is authentic but its body is of another version or shape.
    Malformed,
    /// The record could not be sealed.
    Seal(SealError),
}

impl fmt::Display for RecordError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAuthentic => formatter.write_str("a record is not authentic at its place"),
            Self::Malformed => formatter.write_str("a record has an unknown shape"),
            Self::Seal(error) => write!(formatter, "a record could not be sealed: {error}"),
        }
    }
}

impl core::error::Error for RecordError {}

/// The end of a stream: where the next record goes and what it must follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tail {
    stream: StreamBytes,
    length: u64,
    last: [u8; 32],
}

impl Tail {
    /// The end of an empty stream.
    #[must_use]
    pub(crate) const fn empty(stream: StreamBytes) -> Self {
        Self {
            stream,
            length: 0,
            last: [0; 32],
        }
    }

    /// The end of a stream whose last record, the one before `length`, has this digest.
    #[must_use]
    pub(crate) const fn at(stream: StreamBytes, length: u64, last: [u8; 32]) -> Self {
        Self {
            stream,
            length,
            last,
        }
    }

    /// The stream.
    #[must_use]
    pub(crate) const fn stream(&self) -> StreamBytes {
        self.stream
    }

    /// Number of records; also the number of the next one.
    #[must_use]
    pub(crate) const fn length(&self) -> u64 {
        self.length
    }

    /// Takes over a record that carries no seal of its own kind (the root anchor).
    pub(crate) fn pass(&mut self, record: &[u8]) {
        self.length = self.length.saturating_add(1);
        self.last = Sha256::digest(record).into();
    }

    fn associated(&self, store: &[u8; 32], epoch: u64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(96);
        bytes.extend_from_slice(store);
        bytes.extend_from_slice(&self.stream);
        bytes.extend_from_slice(&self.length.to_be_bytes());
        bytes.extend_from_slice(&epoch.to_be_bytes());
        bytes.extend_from_slice(&self.last);
        bytes
    }
}

/// Seals and opens the records of one deployment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scribe {
    store: [u8; 32],
    epoch: u64,
}

impl Scribe {
    /// For the store of one deployment, writing in boot epoch `epoch`.
    #[must_use]
    pub(crate) const fn new(store: [u8; 32], epoch: u64) -> Self {
        Self { store, epoch }
    }

    /// Seals `body` as the next record after `tail` and moves `tail` on.
    ///
    /// # Errors
    /// [`RecordError::Seal`] if no randomness can be had, [`RecordError::Malformed`] if the body
    /// cannot be encoded.
    pub(crate) fn write<T: Serialize>(
        &self,
        key: &Key,
        tail: &mut Tail,
        body: &T,
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<u8>, RecordError> {
        let plain = zeroize::Zeroizing::new(
            postcard::to_extend(body, alloc::vec![BODY_VERSION])
                .map_err(|_encoding| RecordError::Malformed)?,
        );
        let associated = tail.associated(&self.store, self.epoch);
        let sealed = seal(key, PURPOSE, &associated, &plain, entropy).map_err(RecordError::Seal)?;
        let mut record = Vec::with_capacity(sealed.len().saturating_add(8));
        record.extend_from_slice(&self.epoch.to_be_bytes());
        record.extend_from_slice(&sealed);
        tail.pass(&record);
        Ok(record)
    }

    /// Opens `record` as the next one after `tail` and moves `tail` on.
    ///
    /// # Errors
    /// [`RecordError::NotAuthentic`] or [`RecordError::Malformed`]; `tail` stays where it was.
    pub(crate) fn read<T: DeserializeOwned>(
        &self,
        key: &Key,
        tail: &mut Tail,
        record: &[u8],
    ) -> Result<T, RecordError> {
        let (epoch, sealed) = record
            .split_first_chunk::<8>()
            .ok_or(RecordError::NotAuthentic)?;
        let associated = tail.associated(&self.store, u64::from_be_bytes(*epoch));
        let plain = zeroize::Zeroizing::new(
            open(key, PURPOSE, &associated, sealed).map_err(|_seal| RecordError::NotAuthentic)?,
        );
        let (version, body) = plain.split_first().ok_or(RecordError::Malformed)?;
        if *version != BODY_VERSION {
            return Err(RecordError::Malformed);
        }
        let (value, rest) =
            postcard::take_from_bytes(body).map_err(|_decoding| RecordError::Malformed)?;
        if !rest.is_empty() {
            return Err(RecordError::Malformed);
        }
        tail.pass(record);
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_sealing::ExpandedEntropy;

    fn world() -> (Key, Scribe, Tail, Vec<u8>) {
        let key = Key::from_bytes([1; 32]);
        let scribe = Scribe::new([2; 32], 5);
        let mut tail = Tail::empty([3; 16]);
        let mut entropy = ExpandedEntropy::new(Key::from_bytes([4; 32]));
        let before = tail;
        let record = scribe.write(&key, &mut tail, &7_u64, &mut entropy).unwrap();
        (key, scribe, before, record)
    }

    #[test]
    fn every_changed_bit_and_every_cut_is_refused() {
        let (key, scribe, tail, record) = world();
        let read = |bytes: &[u8]| scribe.read::<u64>(&key, &mut tail.clone(), bytes);
        assert_eq!(read(&record), Ok(7));
        for place in 0..record.len() {
            for bit in 0..8 {
                let mut spoilt = record.clone();
                spoilt[place] ^= 1 << bit;
                assert_eq!(read(&spoilt), Err(RecordError::NotAuthentic));
            }
            assert_eq!(read(&record[..place]), Err(RecordError::NotAuthentic));
        }
    }

    #[test]
    fn a_record_is_refused_at_every_other_place() {
        let (key, scribe, tail, record) = world();
        let mut later = tail;
        later.pass(&record);
        let places = [
            later,
            Tail::empty([9; 16]),
            Tail {
                last: [1; 32],
                ..tail
            },
        ];
        for mut place in places {
            assert_eq!(
                scribe.read::<u64>(&key, &mut place, &record),
                Err(RecordError::NotAuthentic)
            );
        }
        let foreign = Scribe::new([8; 32], 5);
        assert_eq!(
            foreign.read::<u64>(&key, &mut tail.clone(), &record),
            Err(RecordError::NotAuthentic)
        );
        // The reader's own epoch does not matter: old epochs stay readable.
        let newer = Scribe::new([2; 32], 6);
        assert_eq!(newer.read::<u64>(&key, &mut tail.clone(), &record), Ok(7));
        assert_eq!(
            scribe.read::<(u64, u64)>(&key, &mut tail.clone(), &record),
            Err(RecordError::Malformed)
        );
    }
}
