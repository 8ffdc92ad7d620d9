//! The end of a batch: its state root.

use super::{LogState, StepError};
use crate::entry::StateRoot;

impl LogState {
    /// Ends the open batch and gives its last leaf.
    ///
    /// `now_ms` is raised to the log's time and to the lower bound if it lags; `time_floor_ms` to the
    /// bound before it.
    ///
    /// # Errors
    /// [`StepError::EmptyBatch`] or [`StepError::NameChangeWithoutEntry`]; the batch stays open.
    pub fn seal_state_root(
        &mut self,
        now_ms: u64,
        time_floor_ms: u64,
    ) -> Result<StateRoot, StepError> {
        let time_floor_ms = time_floor_ms.max(self.time_floor_ms);
        let root = StateRoot {
            index: self.next_index,
            time_ms: now_ms.max(self.time_ms).max(time_floor_ms),
            batch: self.batch,
            entries: self.batch_entries,
            time_floor_ms,
            dir_root: self.directory.root(),
            dir_update: self.dir_update(),
        };
        self.check_state_root(&root)?;
        Ok(root)
    }

    /// Takes in a state root, if it is what the batch makes.
    ///
    /// # Errors
    /// [`StepError`], by the rule that it breaks; the batch stays open then.
    pub fn check_state_root(&mut self, root: &StateRoot) -> Result<(), StepError> {
        self.check_state_root_fields(root)?;
        if root.dir_root != self.directory.root() {
            return Err(StepError::DirRootMismatch);
        }
        self.close_batch(root);
        Ok(())
    }

    /// [`Self::check_state_root`] without the directory root, whose hashing is most of a replay.
    ///
    /// For a runtime that reads its own authenticated journal back, and for nobody else: after the
    /// last leaf it must compare [`Self::dir_root`] with the last state root's, which covers them all.
    ///
    /// # Errors
    /// [`StepError`], by the rule that it breaks; the batch stays open then.
    pub fn dangerous_check_state_root_without_directory(
        &mut self,
        root: &StateRoot,
    ) -> Result<(), StepError> {
        self.check_state_root_fields(root)?;
        self.close_batch(root);
        Ok(())
    }

    /// Every rule of a state root but the directory root.
    fn check_state_root_fields(&self, root: &StateRoot) -> Result<(), StepError> {
        self.check_order(root.index, root.time_ms)?;
        if self.batch_entries == 0 {
            return Err(StepError::EmptyBatch);
        }
        if root.batch != self.batch {
            return Err(StepError::BatchMismatch {
                expected: self.batch,
                found: root.batch,
            });
        }
        if root.entries != self.batch_entries {
            let expected = self.batch_entries;
            return Err(StepError::EntriesMismatch {
                expected,
                found: root.entries,
            });
        }
        if root.time_floor_ms < self.time_floor_ms {
            return Err(StepError::FloorDecreased);
        }
        if root.time_ms < root.time_floor_ms {
            return Err(StepError::FloorAfterTime);
        }
        if !self.batch_moves_names && !self.name_changes().is_empty() {
            return Err(StepError::NameChangeWithoutEntry);
        }
        if root.dir_update != self.dir_update() {
            return Err(StepError::DirUpdateMismatch);
        }
        Ok(())
    }

    fn close_batch(&mut self, root: &StateRoot) {
        self.batch = self.batch.saturating_add(1);
        self.batch_entries = 0;
        self.batch_moves_names = false;
        self.batch_names.clear();
        self.next_index = self.next_index.saturating_add(1);
        self.time_ms = root.time_ms;
        self.time_floor_ms = root.time_floor_ms;
    }
}
