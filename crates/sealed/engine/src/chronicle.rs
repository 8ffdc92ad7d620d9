//! One tenant's trust log: entries, their Merkle tree, and the head that the root log commits to.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use chancery_directory::head::head_opening;
use chancery_directory::{
    Details, Digest, DirName, Draft, Entry, Handle, LogState, Opening, Origin, PrefixProof,
    StateRoot, StepError, TenantHead, TenantId,
};
use chancery_sealing::Key;
use chancery_tlog::{Hash, MerkleTree, leaf_hash};
use serde::{Deserialize, Serialize};

/// A change of a name's binding, as the journal keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NameMove {
    /// VRF label of the name.
    pub label: [u8; 32],
    /// Commitment to the new binding; none if the name was released.
    pub value: Option<[u8; 32]>,
}

/// Why a log could not be extended or replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChronicleError {
    /// An entry or a name breaks a rule of the log.
    Step(StepError),
    /// A stored entry or state root has no valid encoding.
    Encoding,
    /// The replayed log is not the one that the head commits to.
    HeadMismatch,
}

impl fmt::Display for ChronicleError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step(error) => write!(formatter, "the log refuses an entry: {error}"),
            Self::Encoding => formatter.write_str("a stored log leaf is malformed"),
            Self::HeadMismatch => formatter.write_str("the replayed log has another head"),
        }
    }
}

impl core::error::Error for ChronicleError {}

impl From<StepError> for ChronicleError {
    fn from(error: StepError) -> Self {
        Self::Step(error)
    }
}

/// The log of one tenant.
#[derive(Debug)]
pub(crate) struct Chronicle {
    tenant: TenantId,
    map_key: Key,
    log: LogState,
    tree: MerkleTree,
    head: Option<TenantHead>,
    /// Every leaf's bytes, for readers of the log.
    leaves: Vec<Box<[u8]>>,
    /// What each leaf's act rests on: its origin, and which of `credentials` it used.
    bases: Vec<(u8, u32)>,
    /// Handles of credentials that acts have used; the first is none.
    credentials: Vec<[u8; 32]>,
    basis: (u8, u32),
    state_root: Option<StateRoot>,
    /// Labels that were released at least once, with the number of their latest binding.
    rebound: BTreeMap<[u8; 32], u32>,
}

impl Chronicle {
    /// An empty log.
    #[must_use]
    pub(crate) fn new(tenant: TenantId, map_key: Key) -> Self {
        Self {
            tenant,
            map_key,
            log: LogState::new(),
            tree: MerkleTree::new(),
            head: None,
            leaves: Vec::new(),
            bases: Vec::new(),
            credentials: alloc::vec![[0; 32]],
            basis: (0, 0),
            state_root: None,
            rebound: BTreeMap::new(),
        }
    }

    /// The state that the log makes.
    #[must_use]
    pub(crate) const fn log(&self) -> &LogState {
        &self.log
    }

    /// The newest head, if a batch was ever closed.
    #[must_use]
    pub(crate) const fn head(&self) -> Option<&TenantHead> {
        self.head.as_ref()
    }

    /// Says on what the entries rest that follow.
    pub(crate) fn rest_on(&mut self, details: &Details) {
        let credential = details.credential.0;
        let place = self
            .credentials
            .iter()
            .position(|known| *known == credential)
            .unwrap_or_else(|| {
                self.credentials.push(credential);
                self.credentials.len().saturating_sub(1)
            });
        self.basis = (
            details.origin.code(),
            u32::try_from(place).unwrap_or_default(),
        );
    }

    /// On what the act of leaf `index` rests: its origin and the handle of its credential, zero if none.
    pub(crate) fn basis(&self, index: u64) -> Option<(Origin, [u8; 32])> {
        let (origin, place) = *self.bases.get(usize::try_from(index).ok()?)?;
        let credential = self.credentials.get(usize::try_from(place).ok()?)?;
        Some((Origin::from_code(origin).ok()?, *credential))
    }

    /// The newest state root, if a batch was ever closed.
    pub(crate) const fn state_root(&self) -> Option<&StateRoot> {
        self.state_root.as_ref()
    }

    /// The path of leaf `index` in the tree of the newest head.
    pub(crate) fn inclusion(&self, index: u64) -> Option<Vec<Hash>> {
        let size = self.head.as_ref()?.size;
        self.tree.inclusion(index, size).ok()
    }

    /// The path of a subject in the directory as it is now.
    pub(crate) fn prove_subject(&mut self, handle: &Handle) -> PrefixProof {
        self.log.prove_subject(handle)
    }

    /// The path of a name in the directory as it is now.
    pub(crate) fn prove_name(&mut self, label: &[u8; 32]) -> PrefixProof {
        self.log.prove_name(label)
    }

    /// Appends the entry of a draft.
    ///
    /// # Errors
    /// [`StepError`]; the log is unchanged then.
    pub(crate) fn append(&mut self, draft: &Draft) -> Result<Entry, StepError> {
        let entry = self.log.append(draft)?;
        self.keep(&entry.encode());
        Ok(entry)
    }

    /// Binds a name to a subject, since the entry that was appended last; returns also which binding
    /// of the label it is, from 1.
    ///
    /// # Errors
    /// [`StepError`]; the log is unchanged then.
    pub(crate) fn bind(
        &mut self,
        label: [u8; 32],
        handle: Handle,
        opening: &Opening,
    ) -> Result<(NameMove, u32), StepError> {
        let binding = self
            .rebound
            .get(&label)
            .map_or(1, |last| last.saturating_add(1));
        let since = self.log.next_index().saturating_sub(1);
        let value = DirName {
            handle,
            binding,
            since,
        }
        .value(opening);
        let moved = self.move_name(NameMove {
            label,
            value: Some(value.0),
        })?;
        Ok((moved, binding))
    }

    /// Releases a name.
    ///
    /// # Errors
    /// [`StepError`]; the log is unchanged then.
    pub(crate) fn release(&mut self, label: [u8; 32]) -> Result<NameMove, StepError> {
        self.move_name(NameMove { label, value: None })
    }

    fn move_name(&mut self, change: NameMove) -> Result<NameMove, StepError> {
        match change.value {
            Some(value) => {
                self.log.name_bind(change.label, Digest(value))?;
                if let Some(binding) = self.rebound.get_mut(&change.label) {
                    *binding = binding.saturating_add(1);
                }
            }
            None => {
                self.log.name_release(change.label)?;
                self.rebound.entry(change.label).or_insert(1);
            }
        }
        Ok(change)
    }

    /// Closes the open batch with its state root and moves the head on.
    ///
    /// # Errors
    /// [`StepError`], such as an empty batch.
    pub(crate) fn close(&mut self, now_ms: u64, floor_ms: u64) -> Result<StateRoot, StepError> {
        let root = self.log.seal_state_root(now_ms, floor_ms)?;
        self.extend_head(&root);
        Ok(root)
    }

    fn extend_head(&mut self, root: &StateRoot) {
        self.keep(&root.encode());
        self.state_root = Some(*root);
        let (size, tree_root) = (self.tree.size(), Digest(self.tree.root().0));
        self.head = Some(match &self.head {
            Some(head) => head.next(size, tree_root),
            None => TenantHead::first(self.tenant, size, tree_root),
        });
    }

    /// The map value that commits to the newest head.
    #[must_use]
    pub(crate) fn map_value(&self) -> Option<Digest> {
        self.head
            .as_ref()
            .map(|head| head.map_value(&head_opening(self.map_key.expose(), head.version)))
    }

    /// Takes in one stored act: its entries, then its names.
    ///
    /// # Errors
    /// [`ChronicleError`] if a leaf is malformed or breaks a rule.
    pub(crate) fn replay(
        &mut self,
        entries: &[Vec<u8>],
        names: &[NameMove],
    ) -> Result<(), ChronicleError> {
        for bytes in entries {
            let entry = Entry::decode(bytes).map_err(|_decode| ChronicleError::Encoding)?;
            self.log.step(&entry)?;
            self.keep(bytes);
        }
        for change in names {
            self.move_name(*change)?;
        }
        Ok(())
    }

    /// Takes in a stored state root.
    ///
    /// # Errors
    /// [`ChronicleError`] if it is not what the replayed batch makes.
    pub(crate) fn replay_root(&mut self, bytes: &[u8]) -> Result<(), ChronicleError> {
        let root = StateRoot::decode(bytes).map_err(|_decode| ChronicleError::Encoding)?;
        self.log.check_state_root(&root)?;
        self.extend_head(&root);
        Ok(())
    }

    fn keep(&mut self, leaf: &[u8]) {
        self.tree.append(leaf_hash(leaf));
        self.leaves.push(Box::from(leaf));
        self.bases.push(self.basis);
    }

    /// At most `count` leaves from index `from` on, state roots included.
    pub(crate) fn leaves(&self, from: u64, count: u64) -> impl Iterator<Item = &[u8]> {
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        self.leaves.iter().skip(from).take(count).map(AsRef::as_ref)
    }
}
