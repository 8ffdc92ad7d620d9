//! The replay: leaves and private parts in, in order, and a verdict at the end.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use chancery_directory::bundle::Verified;
use chancery_directory::entry::TenantLeaf;
use chancery_directory::{
    Details, Digest, Entry, EntryType, Exhibit, Handle, LogState, StateRoot, SubjectKind, TenantId,
};
use chancery_tlog::{MerkleTree, leaf_hash};

use crate::compare::{Roster, Shown};
use crate::finding::{Fault, Finding};
use crate::verdict::{Tally, Verdict};
use crate::world::World;

/// Most findings that are kept; beyond, they are only counted. A log that is wrong in one place for
/// all its users would otherwise fill the memory with one sentence.
pub const FINDINGS_MAX: usize = 10_000;

/// How long after its end a break-glass window may stand open while nothing else happens, in
/// milliseconds: a runtime that was down closes it when it is back.
const WINDOW_GRACE_MS: u64 = 10 * 60 * 1000;

/// Which log is audited. Both are pinned, and come from nowhere near the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "an auditor must state both; a new pin must break every caller"
)]
pub struct Audited {
    /// The deployment id.
    pub deployment: [u8; 32],
    /// The tenant id, which is a hash of the genesis.
    pub tenant: TenantId,
}

/// Who acted, as the state machine sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Actor {
    Admins,
    Delegation,
    Window,
    Instance,
    Itself,
}

/// An entry that stepped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) entry: Entry,
    pub(crate) actor: Actor,
}

/// An act whose entries are all there.
#[derive(Debug)]
pub(crate) struct Act {
    pub(crate) steps: Vec<Step>,
    pub(crate) exhibit: Exhibit,
    pub(crate) details: Details,
}

impl Act {
    /// Index of its first entry.
    pub(crate) const fn first(&self) -> u64 {
        self.exhibit.first
    }

    /// The time of its last entry.
    pub(crate) fn time_ms(&self) -> u64 {
        self.steps.last().map_or(0, |step| step.entry.time_ms)
    }

    /// Whether it has an entry of this type about this subject.
    pub(crate) fn has(&self, kind: EntryType, subject: &Handle) -> bool {
        self.steps
            .iter()
            .any(|step| step.entry.kind == kind && step.entry.subject == *subject)
    }

    /// The first entry of this type.
    pub(crate) fn find(&self, kind: EntryType) -> Option<&Step> {
        self.steps.iter().find(|step| step.entry.kind == kind)
    }
}

/// An act whose entries are still coming.
#[derive(Debug)]
struct Open {
    exhibit: Exhibit,
    steps: Vec<Step>,
}

/// The findings so far.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    kept: Vec<Finding>,
    more: u64,
}

impl Findings {
    pub(crate) fn push(&mut self, index: Option<u64>, fault: Fault) {
        if self.kept.len() < FINDINGS_MAX {
            self.kept.push(Finding { index, fault });
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    fn count(&self) -> u64 {
        u64::try_from(self.kept.len())
            .unwrap_or(u64::MAX)
            .saturating_add(self.more)
    }

    pub(crate) fn into_parts(self) -> (Vec<Finding>, u64) {
        (self.kept, self.more)
    }
}

/// An audit under way.
///
/// Give each private part before the leaf of its first entry, both in the log's order; then
/// [`Audit::finish`].
#[derive(Debug)]
pub struct Audit {
    pub(crate) audited: Audited,
    pub(crate) log: LogState,
    pub(crate) world: World,
    pub(crate) findings: Findings,
    pub(crate) tally: Tally,
    tree: MerkleTree,
    waiting: VecDeque<Exhibit>,
    open: Option<Open>,
    broken: bool,
    withheld: Vec<(u64, Vec<Handle>)>,
}

impl Audit {
    /// An audit of an empty log.
    #[must_use]
    pub fn new(audited: Audited) -> Self {
        Self {
            audited,
            log: LogState::new(),
            world: World::default(),
            findings: Findings::default(),
            tally: Tally::default(),
            tree: MerkleTree::new(),
            waiting: VecDeque::new(),
            open: None,
            broken: false,
            withheld: Vec::new(),
        }
    }

    /// How many leaves were taken in.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Takes in the private part of an act that is still to come.
    pub fn exhibit(&mut self, exhibit: Exhibit) {
        self.waiting.push_back(exhibit);
    }

    /// Takes in the next leaf of the log.
    pub fn leaf(&mut self, bytes: &[u8]) {
        let index = self.tree.append(leaf_hash(bytes));
        if self.broken {
            return;
        }
        match TenantLeaf::decode(bytes) {
            Ok(TenantLeaf::Entry(entry)) => self.entry(index, entry),
            Ok(TenantLeaf::StateRoot(root)) => self.state_root(index, &root),
            Err(error) => self.break_off(index, Fault::LeafMalformed(error)),
        }
    }

    pub(crate) fn find(&mut self, index: u64, fault: Fault) {
        self.findings.push(Some(index), fault);
    }

    /// A log that broke cannot be followed any further.
    fn break_off(&mut self, index: u64, fault: Fault) {
        self.find(index, fault);
        self.broken = true;
        self.open = None;
        self.waiting.clear();
    }

    fn entry(&mut self, index: u64, entry: Entry) {
        let actor = self.actor(&entry);
        if let Err(error) = self.log.step(&entry) {
            self.break_off(index, Fault::LogBroken(error));
            return;
        }
        let step = Step { entry, actor };
        let mut open = match self.open.take() {
            Some(open) => open,
            None => match self.next_exhibit(index) {
                Some(exhibit) => Open {
                    exhibit,
                    steps: Vec::new(),
                },
                None => {
                    self.find(index, Fault::ExhibitMissing);
                    self.take_bare(&step);
                    return;
                }
            },
        };
        open.steps.push(step);
        if u32::try_from(open.steps.len()).is_ok_and(|count| count < open.exhibit.entries) {
            self.open = Some(open);
        } else {
            self.close(open);
        }
    }

    /// The exhibit of the act that begins at `index`; what belongs before it belongs nowhere.
    fn next_exhibit(&mut self, index: u64) -> Option<Exhibit> {
        while let Some(next) = self.waiting.pop_front() {
            if next.first == index {
                return Some(next);
            }
            if next.first > index {
                self.waiting.push_front(next);
                return None;
            }
            self.find(next.first, Fault::ExhibitUnexpected);
        }
        None
    }

    fn actor(&self, entry: &Entry) -> Actor {
        if matches!(entry.kind, EntryType::Genesis | EntryType::Boot)
            || entry.actor == self.log.instance()
        {
            return Actor::Instance;
        }
        if Some(entry.actor) == self.log.tenant() {
            return Actor::Admins;
        }
        match self.log.subject(&entry.actor).map(|subject| subject.kind) {
            Some(SubjectKind::Delegation) => Actor::Delegation,
            Some(SubjectKind::BreakGlass) => Actor::Window,
            _ => Actor::Itself,
        }
    }

    fn state_root(&mut self, index: u64, root: &StateRoot) {
        if self.open.take().is_some() {
            self.find(index, Fault::ActCut);
        }
        self.tally.batches = self.tally.batches.saturating_add(1);
        if let Err(error) = self.log.check_state_root(root) {
            self.break_off(index, Fault::LogBroken(error));
        }
    }

    fn close(&mut self, open: Open) {
        let Open { exhibit, steps } = open;
        self.tally.acts = self.tally.acts.saturating_add(1);
        if exhibit.withheld {
            self.take_withheld(&steps, &exhibit);
            return;
        }
        let details = match Details::decode(&exhibit.body) {
            Ok(details) => details,
            Err(error) => {
                self.find(exhibit.first, Fault::DetailsMalformed(error));
                for step in &steps {
                    self.take_bare(step);
                }
                self.move_names_unopened(&steps, &exhibit.names);
                return;
            }
        };
        let act = Act {
            steps,
            exhibit,
            details,
        };
        let before = self.findings.count();
        self.check_commitments(&act);
        let paper = self.paper(&act);
        self.check_authority(&act, &paper);
        if self.findings.count() > before {
            self.call_ghosts(&act.steps);
        }
        let devices = self.apply(&act, paper);
        self.check_keys(&act);
        if let Some(devices) = devices {
            self.check_devices(&act, &devices);
        }
        self.check_names(&act);
        self.check_groups(&act);
    }

    /// Whoever an act made that does not add up is a ghost.
    fn call_ghosts(&mut self, steps: &[Step]) {
        for step in steps {
            if step.entry.kind == EntryType::UserProvisioned {
                let user = step.entry.subject;
                self.find(step.entry.index, Fault::GhostUser { user });
            }
        }
    }

    /// An entry of which nothing is shown: what can be known from the entry alone.
    fn take_bare(&mut self, step: &Step) {
        self.call_ghosts(core::slice::from_ref(step));
        self.take_clear(step);
    }

    /// What an act did to subjects that were erased since: only the clear fields and the names are left.
    fn take_withheld(&mut self, steps: &[Step], exhibit: &Exhibit) {
        let subjects = steps.iter().map(|step| step.entry.subject).collect();
        self.withheld.push((exhibit.first, subjects));
        self.tally.withheld = self.tally.withheld.saturating_add(1);
        for step in steps {
            self.take_clear(step);
        }
        self.move_names_unopened(steps, &exhibit.names);
        self.leave_unopened(steps);
    }

    /// What an entry says in clear.
    fn take_clear(&mut self, step: &Step) {
        let entry = &step.entry;
        match entry.kind {
            EntryType::UserProvisioned => {
                self.world.users.entry(entry.subject).or_default();
            }
            EntryType::GroupCreated => {
                self.world.groups.entry(entry.subject).or_default();
            }
            EntryType::GroupDeleted => self.end_group(&entry.subject),
            EntryType::BreakGlassOpened => {
                self.world.windows.insert(entry.subject);
            }
            EntryType::TokenRevoked => self.revoke(&entry.subject),
            EntryType::Erased => {
                self.check_erasure(step);
                self.forget(&entry.subject);
            }
            _ => {}
        }
        if entry.key_commit != Digest::ZERO {
            self.count_key(&entry.subject);
        }
    }

    /// Compares the replay with the head that the witnesses cosigned, with the users that the identity
    /// provider knows, and with what the service says now; and gives the verdict.
    ///
    /// Nothing of the roster or of what is shown is believed: both are only compared.
    #[must_use]
    pub fn finish(
        mut self,
        head: &Verified,
        roster: Option<&Roster>,
        shown: Option<&Shown>,
    ) -> Verdict {
        if let Some(open) = self.open.take() {
            self.find(open.exhibit.first, Fault::ActCut);
        }
        while let Some(exhibit) = self.waiting.pop_front() {
            self.find(exhibit.first, Fault::ExhibitUnexpected);
        }
        self.check_head(head);
        for (index, subjects) in core::mem::take(&mut self.withheld) {
            if !subjects.iter().any(|one| self.log.is_erased(one)) {
                self.find(index, Fault::WithheldWithoutErasure);
            }
        }
        let closed_by_ms = head.time_floor_ms().saturating_sub(WINDOW_GRACE_MS);
        if self.log.overdue_break_glass(closed_by_ms).is_some() {
            self.findings.push(None, Fault::WindowLeftOpen);
        }
        if let Some(roster) = roster {
            self.compare_roster(roster);
        }
        if let Some(shown) = shown {
            self.compare_shown(shown);
        }
        Verdict::new(self, *head.head())
    }

    fn check_head(&mut self, verified: &Verified) {
        let head = verified.head();
        if head.tenant != self.audited.tenant {
            self.findings.push(None, Fault::HeadForeign);
        }
        let given = self.tree.size();
        if head.size != given {
            self.findings.push(
                None,
                Fault::SizeMismatch {
                    witnessed: head.size,
                    given,
                },
            );
        } else if head.root.0 != self.tree.root().0 {
            self.findings.push(None, Fault::RootMismatch);
        }
    }
}
