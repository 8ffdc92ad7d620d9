//! Trust policies, by [c2sp.org/tlog-policy](https://c2sp.org/tlog-policy), and the check of a
//! cosigned checkpoint against one.
//!
//! # The arithmetic
//!
//! Let `I` be the fewest witnesses that any two quorums share, and `B` the fewest whose silence
//! leaves no quorum. Members of groups are disjoint, so both follow from the leaves up: a witness
//! has `I = B = 1`; a group of `n` members with threshold `k` has as `I` the sum of the `2k - n`
//! smallest `I` of its members, and as `B` the sum of the `n - k + 1` smallest `B`.
//!
//! `I - 1` witnesses may lie without two histories both reaching a quorum; `B - 1` may be silent.
//! The number of tolerated faults is `f = min(I, B) - 1`. For one flat group this is
//! `k >= floor((n + f) / 2) + 1` and `k <= n - f`. A policy with `I = 0` protects nothing and is
//! refused.

use alloc::string::String;
use alloc::vec::Vec;

use crate::Error;
use crate::Hash;
use crate::checkpoint::Checkpoint;
use crate::checkpoint::UnverifiedCheckpoint;
use crate::cosign::cosigned_by;
use crate::note::SignedNote;
use crate::note::VerifierKey;

mod parse;

/// Most logs, witnesses and groups of a policy, each: what the specification asks for.
pub const ENTRIES_MAX: usize = 32;

/// Longest policy in bytes: three times [`ENTRIES_MAX`] lines with long names and addresses.
pub const POLICY_BYTES_MAX: usize = 64 * 1024;

/// Number of a witness within its policy, in the order of the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WitnessId(usize);

impl WitnessId {
    /// The zero-based number.
    #[must_use]
    pub const fn number(self) -> usize {
        self.0
    }
}

/// A log line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyLog {
    key: VerifierKey,
    url: Option<String>,
}

impl PolicyLog {
    /// The log's key; its name is the log's origin.
    #[must_use]
    pub const fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// The address, if the line gives one.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }
}

/// A witness line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyWitness {
    name: String,
    key: VerifierKey,
    url: Option<String>,
}

impl PolicyWitness {
    /// The name within the policy.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The witness's cosignature key.
    #[must_use]
    pub const fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// The address, if the line gives one.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }
}

/// A member of the quorum tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    Witness(WitnessId),
    /// Index into the groups; always of a group defined earlier.
    Group(usize),
}

/// A group line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    threshold: usize,
    members: Vec<Member>,
}

/// A policy whose quorums pairwise share a witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<PolicyLog>,
    witnesses: Vec<PolicyWitness>,
    groups: Vec<Group>,
    quorum: Member,
    /// Witnesses under the quorum line, ascending; others are known but do not count.
    counted: Vec<WitnessId>,
    shared_min: usize,
    blocking_min: usize,
}

impl Policy {
    /// Reads a policy text and computes what it tolerates.
    ///
    /// # Errors
    /// Any of the `Policy…` variants of [`Error`], a key error, [`Error::TooLarge`],
    /// [`Error::Encoding`] or [`Error::Line`]. [`Error::PolicyDisjoint`] is the linter's refusal.
    pub fn parse(text: &str) -> Result<Self, Error> {
        parse::parse(text)
    }

    /// The log lines. None means that the log is known from elsewhere.
    #[must_use]
    pub fn logs(&self) -> &[PolicyLog] {
        &self.logs
    }

    /// The witness lines with their numbers, in order.
    pub fn witnesses(&self) -> impl Iterator<Item = (WitnessId, &PolicyWitness)> {
        self.witnesses
            .iter()
            .enumerate()
            .map(|(number, witness)| (WitnessId(number), witness))
    }

    /// The witness of a number.
    #[must_use]
    pub fn witness(&self, id: WitnessId) -> Option<&PolicyWitness> {
        self.witnesses.get(id.0)
    }

    /// The names of the witnesses within the policy, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.witnesses.iter().map(PolicyWitness::name)
    }

    /// `f`: how many witnesses may lie or be silent with neither safety nor progress lost.
    #[must_use]
    pub fn faults_tolerated(&self) -> usize {
        self.shared_min.min(self.blocking_min).saturating_sub(1)
    }

    /// How many witnesses may lie before two histories can both reach a quorum.
    #[must_use]
    pub const fn liars_tolerated(&self) -> usize {
        self.shared_min.saturating_sub(1)
    }

    /// How many witnesses may be silent before no quorum is left.
    #[must_use]
    pub const fn outages_tolerated(&self) -> usize {
        self.blocking_min.saturating_sub(1)
    }

    /// Whether these witnesses suffice. Naming one twice does not help.
    #[must_use]
    pub fn quorum(&self, cosigners: &[WitnessId]) -> bool {
        // A member is only ever of a group before its own, so one pass in order suffices.
        let mut met: Vec<bool> = Vec::with_capacity(self.groups.len());
        for group in &self.groups {
            let count = group
                .members
                .iter()
                .filter(|m| holds(**m, cosigners, &met))
                .count();
            met.push(count >= group.threshold);
        }
        holds(self.quorum, cosigners, &met)
    }

    /// Checks a checkpoint completely: origin, log signature, every cosignature of a known
    /// witness, and the quorum.
    ///
    /// One failing signature of a known key refuses the note. A witness counts once, however many
    /// lines it has; its latest time counts.
    ///
    /// # Errors
    /// What [`UnverifiedCheckpoint::verify`] and [`cosigned_by`] say, [`Error::PolicyLog`] if the
    /// policy lists logs and not this key, or [`Error::QuorumMissing`].
    pub fn check(
        &self,
        checkpoint: &UnverifiedCheckpoint,
        origin: &str,
        log_key: &VerifierKey,
    ) -> Result<CosignedCheckpoint, Error> {
        if !self.logs.is_empty() && !self.logs.iter().any(|log| log.key == *log_key) {
            return Err(Error::PolicyLog);
        }
        let checkpoint = checkpoint.verify(origin, log_key)?;
        let mut cosigners = Vec::new();
        for (witness, known) in self.witnesses() {
            let time = cosigned_by(checkpoint.note(), known.key())?;
            if let Some(timestamp_s) = time.filter(|_| self.counted.contains(&witness)) {
                cosigners.push(Cosigner {
                    witness,
                    timestamp_s,
                });
            }
        }
        let ids: Vec<WitnessId> = cosigners.iter().map(|c| c.witness).collect();
        if !self.quorum(&ids) {
            return Err(Error::QuorumMissing);
        }
        let mut times: Vec<u64> = cosigners.iter().map(|c| c.timestamp_s).collect();
        times.sort_unstable();
        let faults = self.faults_tolerated();
        // A quorum has at least I > f members, so both positions exist.
        let ceiling = times.get(faults).copied().ok_or(Error::QuorumMissing)?;
        let floor = times
            .iter()
            .rev()
            .nth(faults)
            .copied()
            .ok_or(Error::QuorumMissing)?;
        Ok(CosignedCheckpoint {
            checkpoint,
            cosigners,
            time_floor_s: floor,
            time_ceiling_s: ceiling,
        })
    }
}

fn holds(member: Member, cosigners: &[WitnessId], met: &[bool]) -> bool {
    match member {
        Member::Witness(id) => cosigners.contains(&id),
        Member::Group(index) => met.get(index).copied().unwrap_or(false),
    }
}

/// A witness that signed, and when it says it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cosigner {
    witness: WitnessId,
    timestamp_s: u64,
}

impl Cosigner {
    /// Which witness of the policy.
    #[must_use]
    pub const fn witness(&self) -> WitnessId {
        self.witness
    }

    /// Its time in seconds since the Unix epoch.
    #[must_use]
    pub const fn timestamp_s(&self) -> u64 {
        self.timestamp_s
    }
}

/// A checkpoint that satisfied a policy. Only [`Policy::check`] makes one.
///
/// ```compile_fail
/// fn forge(checkpoint: chancery_tlog::Checkpoint) -> chancery_tlog::CosignedCheckpoint {
///     chancery_tlog::CosignedCheckpoint {
///         checkpoint, cosigners: vec![], time_floor_s: 1, time_ceiling_s: 1,
///     }
/// }
/// ```
///
/// The same by the only way in compiles:
///
/// ```
/// use chancery_tlog::{CosignedCheckpoint, Error, Policy, UnverifiedCheckpoint, VerifierKey};
/// fn check(
///     policy: &Policy,
///     received: &UnverifiedCheckpoint,
///     log: &VerifierKey,
/// ) -> Result<CosignedCheckpoint, Error> {
///     policy.check(received, "log.example", log)
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CosignedCheckpoint {
    checkpoint: Checkpoint,
    cosigners: Vec<Cosigner>,
    time_floor_s: u64,
    time_ceiling_s: u64,
}

impl CosignedCheckpoint {
    /// The log's name.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.checkpoint.origin()
    }

    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.checkpoint.size()
    }

    /// Root of the tree.
    #[must_use]
    pub const fn root(&self) -> &Hash {
        self.checkpoint.root()
    }

    /// The checkpoint as the log signed it.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The note as received, with all its signatures.
    #[must_use]
    pub const fn note(&self) -> &SignedNote {
        self.checkpoint.note()
    }

    /// The witnesses that count, in the order of the policy.
    #[must_use]
    pub fn cosigners(&self) -> &[Cosigner] {
        &self.cosigners
    }

    /// The `(f+1)`-th largest time: at least one honest witness said at or after this second that
    /// it knew no larger tree. Freshness is measured against it.
    #[must_use]
    pub const fn time_floor_s(&self) -> u64 {
        self.time_floor_s
    }

    /// The `(f+1)`-th smallest time: at least one honest witness had seen this tree at or before
    /// this second.
    #[must_use]
    pub const fn time_ceiling_s(&self) -> u64 {
        self.time_ceiling_s
    }
}

/// The sum of the `count` smallest.
fn sum_smallest(mut values: Vec<usize>, count: usize) -> usize {
    values.sort_unstable();
    values
        .iter()
        .take(count)
        .fold(0, |sum, value| sum.saturating_add(*value))
}
