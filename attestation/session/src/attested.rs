//! What a session appraisal ends in.

use core::fmt;
use core::marker::PhantomData;

use alloc::boxed::Box;
use alloc::vec::Vec;

use chancery_tlog::CosignedCheckpoint;
use chancery_verify::Anchor;
use chancery_verify::Mode;
use chancery_verify::Outcome;
use chancery_verify::Verdict;
use chancery_verify::VerifiedFloors;
use chancery_verify::VerifiedPolicy;

use crate::exchange::ProofMode;
use crate::node::NodeStatement;
use crate::rows::SessionRow;

/// What a client remembers of a deployment from one session to the next. It only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what a head store keeps")]
pub struct RememberedHead {
    /// Leaves of the root log.
    pub size: u64,
    /// The root log's root at that size.
    pub root: [u8; 32],
    /// The release policy's version.
    pub policy_version: u64,
    /// The version of the firmware floors.
    pub floors_version: u64,
}

/// A connection whose peer was appraised under the anchor `A`. Only [`crate::appraise_session`] makes one, and only a
/// holder of one may send application data on that connection (invariant I3).
///
/// It cannot be made in another way:
///
/// ```compile_fail
/// use chancery_session::{AttestedSession, NodeStatement, ProofMode, SessionRow};
/// use chancery_tlog::CosignedCheckpoint;
/// use chancery_verify::{Amd, Verdict, VerifiedFloors, VerifiedPolicy};
/// fn forge(
///     node: NodeStatement,
///     verdict: Verdict<Amd>,
///     policy: VerifiedPolicy,
///     floors: VerifiedFloors,
///     checkpoint: CosignedCheckpoint,
///     proof_mode: ProofMode,
///     rows: Vec<SessionRow>,
/// ) -> AttestedSession<Amd> {
///     AttestedSession { node, verdict, policy, floors, checkpoint, proof_mode, rows }
/// }
/// ```
///
/// The same by the only way in compiles:
///
/// ```
/// use chancery_session::{AttestedSession, NodeStatement, ProofMode, SessionRow};
/// use chancery_session::{AttestResponse, Channel, Deployment, SessionOutcome, SessionRefusal, appraise_session};
/// use chancery_verify::Amd;
/// fn check(
///     deployment: &Deployment,
///     response: &AttestResponse,
///     observed: &Channel,
///     now_ms: u64,
/// ) -> Result<Option<AttestedSession<Amd>>, SessionRefusal> {
///     match appraise_session(deployment, &Amd, response, observed, None, now_ms)? {
///         SessionOutcome::Attested(session, _head) => Ok(Some(*session)),
///         SessionOutcome::ProofNeeded(_) => Ok(None),
///     }
/// }
/// ```
#[derive(Debug)]
pub struct AttestedSession<A> {
    pub(crate) node: NodeStatement,
    pub(crate) verdict: Verdict<A>,
    pub(crate) policy: VerifiedPolicy,
    pub(crate) floors: VerifiedFloors,
    pub(crate) checkpoint: CosignedCheckpoint,
    pub(crate) proof_mode: ProofMode,
    pub(crate) rows: Vec<SessionRow>,
}

impl<A: Anchor> AttestedSession<A> {
    /// Hardware or emulated.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        A::MODE
    }

    /// Every check in the order in which it was made, with what was not checked.
    #[must_use]
    pub fn rows(&self) -> &[SessionRow] {
        &self.rows
    }

    /// What the node said about itself.
    #[must_use]
    pub const fn node(&self) -> &NodeStatement {
        &self.node
    }

    /// The appraisal of its evidence.
    #[must_use]
    pub const fn verdict(&self) -> &Verdict<A> {
        &self.verdict
    }

    /// The release policy in force.
    #[must_use]
    pub const fn policy(&self) -> &VerifiedPolicy {
        &self.policy
    }

    /// The firmware floors in force.
    #[must_use]
    pub const fn floors(&self) -> &VerifiedFloors {
        &self.floors
    }

    /// The witnessed head that the session names.
    #[must_use]
    pub const fn checkpoint(&self) -> &CosignedCheckpoint {
        &self.checkpoint
    }

    /// Who signed the session statement.
    #[must_use]
    pub const fn proof_mode(&self) -> ProofMode {
        self.proof_mode
    }

    /// The session must not be used at or after this time, milliseconds since the Unix epoch.
    #[must_use]
    pub const fn not_after_ms(&self) -> u64 {
        self.node.not_after_ms
    }
}

/// What an appraisal ends in that found nothing wrong.
#[derive(Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a third end must break every match"
)]
pub enum SessionOutcome<A> {
    /// Every check passed. With the session comes the head to remember.
    Attested(Box<AttestedSession<A>>, RememberedHead),
    /// The log has grown since the remembered head, and there is no proof yet that it extends it.
    ProofNeeded(ProofNeeded<A>),
}

/// Every check but one passed. It is no session: on such a connection only the log's public tiles may be asked for, to appraise the same
/// answer again with the consistency proof that they give.
#[derive(Debug)]
pub struct ProofNeeded<A> {
    pub(crate) served_size: u64,
    pub(crate) rows: Vec<SessionRow>,
    pub(crate) anchor: PhantomData<fn() -> A>,
}

impl<A: Anchor> ProofNeeded<A> {
    /// Leaves of the log that the answer names: the proof must lead from the remembered size to this one.
    #[must_use]
    pub const fn served_size(&self) -> u64 {
        self.served_size
    }

    /// The checks that were made, in order.
    #[must_use]
    pub fn rows(&self) -> &[SessionRow] {
        &self.rows
    }
}

/// A session that was refused: every row up to and with the one that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRefusal {
    pub(crate) rows: Vec<SessionRow>,
    pub(crate) mode: Mode,
}

impl SessionRefusal {
    /// The checks that were made, in order.
    #[must_use]
    pub fn rows(&self) -> &[SessionRow] {
        &self.rows
    }

    /// The mode of the client that refused.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// The rows that failed: one, or those that the evidence's policy stage lists.
    pub fn failed(&self) -> impl Iterator<Item = &SessionRow> {
        self.rows
            .iter()
            .filter(|row| row.outcome == Outcome::Failed)
    }
}

impl fmt::Display for SessionRefusal {
    /// Names checks only, because values come from the peer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("session refused:")?;
        for row in self.failed() {
            write!(f, " {}", row.check.name())?;
        }
        Ok(())
    }
}

impl core::error::Error for SessionRefusal {}
