//! What fitted the last few chips and firmware levels.
//!
//! A host can report another level for a while and then the old one again, and has the certificate of either only once. So a
//! report takes nothing away from what is kept for others, and nothing from its own that did not come again.

use super::fit::{Found, Level};
use super::pool::Pool;

/// Most levels that are kept. A machine has one at a time; an update that is taken back makes it two.
pub(crate) const LEVELS_MAX: usize = 4;

/// Collateral by level, the last used at the end.
#[derive(Debug, Default)]
pub(crate) struct Kept(Vec<(Level, Found)>);

impl Kept {
    /// Everything, to be looked through again.
    pub(crate) fn pool(&self) -> Pool {
        let pools = self.0.iter().map(|(_, found)| found.pieces());
        pools.fold(Pool::default(), |all, pool| all.with(&pool))
    }

    /// Keeps what was found for a report. If there is no room, a level without a certificate of the chip goes first, and then the one
    /// that was not used for longest.
    pub(crate) fn remember(&mut self, level: Level, found: &Found) {
        let known = self.0.iter().position(|(one, _)| *one == level);
        let known = known.map(|index| self.0.remove(index).1);
        let found = match known {
            Some(known) => found.clone().or(known),
            None => found.clone(),
        };
        self.0.push((level, found));
        if self.0.len() > LEVELS_MAX {
            let bare = self.0.iter().position(|(_, found)| !found.has_vcek());
            self.0.remove(bare.unwrap_or(0));
        }
    }
}
