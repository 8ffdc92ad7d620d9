//! Name leaves of the directory, and the prunable list of their changes.

use alloc::vec::Vec;

use super::{LogState, StepError};
use crate::codec::{DecodeError, Reader, within};
use crate::digest::{Digest, domain};
use crate::head::pairs_digest;
use crate::prefix::TAG_NONE;

/// Most name changes of one batch: two names of each of a million users, as a new VRF key makes them.
pub const NAME_CHANGES_MAX: usize = 1 << 21;

/// The change of one name leaf over a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameChange {
    /// The VRF label.
    pub label: [u8; 32],
    /// The value after the batch; `None` if the name was released.
    pub value: Option<Digest>,
}

impl NameChange {
    /// The list's bytes: `uint32` count, then label and value (zero: released) of each.
    #[must_use]
    pub fn encode_list(changes: &[Self]) -> Vec<u8> {
        let mut out = Vec::with_capacity(changes.len().saturating_mul(64).saturating_add(4));
        out.extend_from_slice(
            &u32::try_from(changes.len())
                .unwrap_or(u32::MAX)
                .to_be_bytes(),
        );
        for change in changes {
            out.extend_from_slice(&change.label);
            out.extend_from_slice(&change.value.unwrap_or(Digest::ZERO).0);
        }
        out
    }

    /// Reads a list, which must be strictly sorted by label.
    ///
    /// # Errors
    /// [`DecodeError`] unless the bytes are exactly one sorted list.
    pub fn decode_list(bytes: &[u8]) -> Result<Vec<Self>, DecodeError> {
        let mut reader = Reader::new(bytes);
        let count = usize::try_from(reader.u32()?).unwrap_or(usize::MAX);
        within("name changes", count, (0, NAME_CHANGES_MAX))?;
        // Nothing is reserved by the count alone, which the bytes need not bear out.
        let mut changes: Vec<Self> = Vec::new();
        for _ in 0..count {
            let label = reader.array()?;
            let value = Digest(reader.array()?);
            if changes.last().is_some_and(|last| last.label >= label) {
                return Err(DecodeError::NotCanonical {
                    field: "name changes",
                });
            }
            changes.push(Self {
                label,
                value: (!value.is_zero()).then_some(value),
            });
        }
        reader.finish()?;
        Ok(changes)
    }
}

impl LogState {
    /// Binds the name of `label` to `value` (see [`crate::DirName::value`]) in the open batch.
    ///
    /// # Errors
    /// [`StepError::NameTaken`] and its kin; the state is unchanged then.
    pub fn name_bind(&mut self, label: [u8; 32], value: Digest) -> Result<(), StepError> {
        if self.name_value(&label)?.is_some() {
            return Err(StepError::NameTaken);
        }
        self.name_set(label, Some(value))
    }

    /// Releases the name of `label` in the open batch; gives the value it had.
    ///
    /// # Errors
    /// [`StepError::NameUnbound`] and its kin; the state is unchanged then.
    pub fn name_release(&mut self, label: [u8; 32]) -> Result<Digest, StepError> {
        let value = self.name_value(&label)?.ok_or(StepError::NameUnbound)?;
        self.name_set(label, None)?;
        Ok(value)
    }

    /// The value of a name's leaf.
    #[must_use]
    pub fn name(&self, label: &[u8; 32]) -> Option<Digest> {
        self.name_value(label).ok().flatten()
    }

    /// Takes in the list of a batch's name changes, as a monitor gets it beside the log.
    ///
    /// # Errors
    /// [`StepError::NameListNotCanonical`] and its kin; the state is unchanged then.
    pub fn apply_name_changes(&mut self, changes: &[NameChange]) -> Result<(), StepError> {
        if changes.len() > NAME_CHANGES_MAX {
            return Err(StepError::TooManyNameChanges);
        }
        let sorted = changes
            .iter()
            .zip(changes.iter().skip(1))
            .all(|(a, b)| a.label < b.label);
        if !sorted {
            return Err(StepError::NameListNotCanonical);
        }
        for change in changes {
            if change.value.is_some_and(|value| value.is_zero()) {
                return Err(StepError::NameValueZero);
            }
            if self.name_value(&change.label)? == change.value {
                return Err(StepError::NameListNotCanonical);
            }
        }
        if !self.directory.has_room_for(changes.len()) {
            return Err(StepError::DirectoryFull);
        }
        for change in changes {
            self.name_set(change.label, change.value)?;
        }
        Ok(())
    }

    /// The changes of the open batch: label by label, from before it to now, what is different.
    #[must_use]
    pub fn name_changes(&self) -> Vec<NameChange> {
        self.batch_names
            .iter()
            .map(|(label, before)| (label, before, self.directory.get(label)))
            .filter(|(_, before, now)| *before != now)
            .map(|(label, _, value)| NameChange {
                label: *label,
                value,
            })
            .collect()
    }

    /// `dir_update`: `H(0x23 || list)`, with the list as [`NameChange::encode_list`] writes it.
    pub(super) fn dir_update(&self) -> Digest {
        let changes = self.name_changes();
        let pairs = changes
            .iter()
            .map(|change| (&change.label, change.value.unwrap_or(Digest::ZERO)));
        pairs_digest(domain::DIR_UPDATE, pairs).0
    }

    /// A name's value, unless the label is a subject's key.
    fn name_value(&self, label: &[u8; 32]) -> Result<Option<Digest>, StepError> {
        match self.directory.tag(label) {
            None => Ok(None),
            Some(TAG_NONE) => Ok(self.directory.get(label)),
            Some(_) => Err(StepError::LabelIsSubject),
        }
    }

    fn name_set(&mut self, label: [u8; 32], value: Option<Digest>) -> Result<(), StepError> {
        if value.is_some_and(|value| value.is_zero()) {
            return Err(StepError::NameValueZero);
        }
        if self.batch_names.len() >= NAME_CHANGES_MAX && !self.batch_names.contains_key(&label) {
            return Err(StepError::TooManyNameChanges);
        }
        let before = match value {
            Some(value) => self
                .directory
                .set(label, value)
                .map_err(|_full| StepError::DirectoryFull)?,
            None => self.directory.remove(&label),
        };
        self.batch_names.entry(label).or_insert(before);
        Ok(())
    }
}
