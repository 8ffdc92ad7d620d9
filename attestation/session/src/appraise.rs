//! The client's walk, step by step (`docs/spec/attestation.md`, from steps 1 to 8; any failure stops it).

mod channel;
pub mod limits;
mod log;
mod policy;
mod recorder;
#[cfg(test)]
mod tests;
mod time;

use core::marker::PhantomData;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use chancery_tlog::Hash;
use chancery_verify::Anchor;
use chancery_verify::Mode;
use chancery_verify::Outcome;
use sha2::Digest;
use sha2::Sha256;

use crate::appraise::recorder::Recorder;
use crate::appraise::recorder::Stop;
use crate::attested::AttestedSession;
use crate::attested::ProofNeeded;
use crate::attested::RememberedHead;
use crate::attested::SessionOutcome;
use crate::attested::SessionRefusal;
use crate::deployment::Deployment;
use crate::exchange::AttestResponse;
use crate::node::NodeStatement;
use crate::rows::SessionCheck;
use crate::rows::SessionRow;
use crate::statement::SessionStatement;

/// What the client itself observed of its connection.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the caller must observe each of these"
)]
pub struct Channel {
    /// The nonce that it sent, fresh for this connection.
    pub nonce: [u8; 32],
    /// The exporter with [`crate::EXPORTER_LABEL`] and [`AttestResponse::exporter_context`].
    pub exporter: [u8; 32],
    /// SHA-256 of the DER `SubjectPublicKeyInfo` of the leaf that the peer presented.
    pub leaf_spki_sha256: [u8; 32],
    /// The server name that it sent, or [`crate::ABSENT`] for an IP address.
    pub server_name: String,
    /// The application protocol agreed, or [`crate::ABSENT`].
    pub alpn: String,
    /// The checks of step 2, which only the TLS layer can make: version, full handshake and leaf must be there. One
    /// that failed or is missing refuses the session.
    pub tls_rows: Vec<SessionRow>,
}

/// What the client remembers, with the proof that the served log extends it.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the caller must say both")]
pub struct Remembered {
    /// The head of the last session.
    pub head: RememberedHead,
    /// The consistency proof from that head to the served one, when the client fetched it.
    pub consistency: Option<Vec<Hash>>,
}

/// What every step sees.
pub(crate) struct Walk<'a> {
    pub(crate) deployment: &'a Deployment,
    pub(crate) response: &'a AttestResponse,
    pub(crate) observed: &'a Channel,
    pub(crate) remembered: Option<&'a Remembered>,
    pub(crate) node: NodeStatement,
    pub(crate) node_sha256: [u8; 32],
    pub(crate) session: SessionStatement,
    pub(crate) now_ms: u64,
}

/// Decides whether the peer of a connection is the pinned deployment's runtime, now.
///
/// `now_ms` is the client's time, milliseconds since the Unix epoch. A log that has grown since `remembered` needs a consistency proof;
/// without one there is no session yet ([`SessionOutcome::ProofNeeded`]).
///
/// # Errors
/// Every row up to and with the check that failed.
pub fn appraise_session<A: Anchor>(
    deployment: &Deployment,
    anchor: &A,
    response: &AttestResponse,
    observed: &Channel,
    remembered: Option<&Remembered>,
    now_ms: u64,
) -> Result<SessionOutcome<A>, SessionRefusal> {
    let mut recorder = Recorder::default();
    let result =
        begin::<A>(deployment, response, observed, &mut recorder).and_then(|(node, session)| {
            let node_sha256 = Sha256::digest(&response.node_statement).into();
            let walk = Walk {
                deployment,
                response,
                observed,
                remembered,
                node,
                node_sha256,
                session,
                now_ms,
            };
            go_on(walk, anchor, &mut recorder)
        });
    match result {
        Ok(SessionOutcome::Attested(mut session, head)) => {
            session.rows = recorder.into_rows();
            Ok(SessionOutcome::Attested(session, head))
        }
        Ok(SessionOutcome::ProofNeeded(needed)) => Ok(SessionOutcome::ProofNeeded(ProofNeeded {
            rows: recorder.into_rows(),
            ..needed
        })),
        Err(Stop) => Err(SessionRefusal {
            rows: recorder.into_rows(),
            mode: A::MODE,
        }),
    }
}

/// Steps 1 to 3: the pinned mode, the TLS rows, the two statements' form.
fn begin<A: Anchor>(
    deployment: &Deployment,
    response: &AttestResponse,
    observed: &Channel,
    recorder: &mut Recorder,
) -> Result<(NodeStatement, SessionStatement), Stop> {
    let mode = deployment.mode();
    recorder.require(
        SessionCheck::DeploymentMode,
        A::MODE.shown(),
        mode.shown(),
        mode == A::MODE,
    )?;
    check_tls(&observed.tls_rows, recorder)?;
    let node = NodeStatement::decode(&response.node_statement);
    let node = recorder.decoded(SessionCheck::NodeStatement, node)?;
    require_mode::<A>(SessionCheck::NodeStatement, node.mode, recorder)?;
    let session = SessionStatement::decode(&response.session_statement);
    let session = recorder.decoded(SessionCheck::SessionStatement, session)?;
    require_mode::<A>(SessionCheck::SessionStatement, session.mode, recorder)?;
    Ok((node, session))
}

/// Step 2 is the caller's, but not its choice: a row that is missing is a row that failed.
fn check_tls(rows: &[SessionRow], recorder: &mut Recorder) -> Result<(), Stop> {
    for row in rows {
        recorder.push(row.clone());
    }
    for check in [
        SessionCheck::TlsVersion,
        SessionCheck::TlsFullHandshake,
        SessionCheck::TlsLeaf,
    ] {
        let passed = |row: &SessionRow| row.check == check && row.outcome == Outcome::Passed;
        let failed = |row: &SessionRow| row.check == check && row.outcome == Outcome::Failed;
        if !rows.iter().any(passed) && !rows.iter().any(failed) {
            recorder.require(check, "made by the caller", "not made", false)?;
        }
    }
    if rows.iter().any(|row| row.outcome == Outcome::Failed) {
        Err(Stop)
    } else {
        Ok(())
    }
}

fn require_mode<A: Anchor>(
    check: SessionCheck,
    mode: Mode,
    recorder: &mut Recorder,
) -> Result<(), Stop> {
    recorder.require(check, A::MODE.shown(), mode.shown(), mode == A::MODE)
}

/// Steps 4 to 8.
fn go_on<A: Anchor>(
    walk: Walk<'_>,
    anchor: &A,
    recorder: &mut Recorder,
) -> Result<SessionOutcome<A>, Stop> {
    let (rules, verdict) = policy::check_node(&walk, anchor, recorder)?;
    channel::check(&walk, anchor, &rules, &verdict, recorder)?;
    let logged = log::check(&walk, recorder)?;
    policy::check_versions(&walk, &rules, &logged.policy_sha256, recorder)?;
    let checkpoint = logged.checkpoint;
    time::check(&walk, &checkpoint, recorder)?;
    let Some(head) = logged.head else {
        return Ok(SessionOutcome::ProofNeeded(ProofNeeded {
            served_size: checkpoint.size(),
            rows: Vec::new(),
            anchor: PhantomData,
        }));
    };
    let (policy, floors) = (rules.policy, rules.floors);
    let known = walk.remembered.map(|known| known.head);
    let policy_version = known.map_or(0, |head| head.policy_version);
    let policy_version = policy_version.max(policy.policy().version);
    let floors_version = known.map_or(0, |head| head.floors_version);
    let floors_version = floors_version.max(floors.floors().version);
    let session = AttestedSession {
        proof_mode: walk.response.session_proof.mode(),
        node: walk.node,
        verdict,
        policy,
        floors,
        checkpoint,
        rows: Vec::new(),
    };
    let head = RememberedHead {
        policy_version,
        floors_version,
        ..head
    };
    Ok(SessionOutcome::Attested(Box::new(session), head))
}
