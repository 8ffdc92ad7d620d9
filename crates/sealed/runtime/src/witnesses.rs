//! Conversations with the witnesses: C2SP `add-checkpoint` over the host's named connections.
//!
//! The connections are plain HTTP. Everything on them is public and signed: a cosignature counts only
//! if it verifies under the witness's key, and a claim that the witness has seen a larger log counts
//! only with that log's own signed checkpoint. The host can silence a witness, not speak for it.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chancery_engine::{Outcome, RootLog, Round};
use chancery_tlog::witness::{
    ADD_CHECKPOINT_PATH, AddCheckpoint, RESPONSE_BYTES_MAX, monitoring_path, parse_conflict,
    parse_cosignatures,
};
use chancery_tlog::{
    Checkpoint, CosignedCheckpoint, NoteSignature, Policy, SignedNote, UnverifiedCheckpoint,
    VerifierKey,
};
use chancery_wire::EgressName;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::link;
use crate::metrics::Metrics;
use crate::transport::Transport;

/// How long one request to one witness may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a quorum may take before the round is given up.
const ROUND_TIMEOUT: Duration = Duration::from_secs(5);
/// How often one submission is corrected after a 409 that tells a smaller size.
const CORRECTIONS_MAX: usize = 3;

/// Why a checkpoint has no quorum.
#[derive(Debug)]
#[non_exhaustive]
pub enum NoQuorum {
    /// A witness showed a larger checkpoint that this log has signed: this state was rolled back,
    /// or another instance goes on.
    Superseded(Box<Checkpoint>),
    /// Too few witnesses answered.
    Unreachable,
}

/// The witnesses of a deployment's policy.
#[derive(Debug)]
pub struct Witnesses {
    policy: Policy,
    origin: String,
    log_key: VerifierKey,
    members: Vec<mpsc::UnboundedSender<Job>>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug)]
struct Job {
    checkpoint: Checkpoint,
    answers: mpsc::UnboundedSender<(usize, Answer)>,
}

#[derive(Debug)]
enum Answer {
    Cosigned(NoteSignature),
    Superseded(Box<Checkpoint>),
    Failed,
}

/// What the conversations need of the rest of the runtime.
#[derive(Clone, Debug)]
pub struct WitnessContext {
    /// The way to the host.
    pub transport: Arc<dyn Transport>,
    /// The tree that consistency proofs come from.
    pub log: Arc<Mutex<RootLog>>,
    /// The shell's clock.
    pub clock: Arc<dyn Clock>,
    /// Counts outcomes.
    pub metrics: Arc<Metrics>,
}

impl Witnesses {
    /// Begins a conversation with each witness of `policy`, reached by the egress name that `names`
    /// gives for it, in the policy's order. Must be called within a tokio runtime.
    #[must_use]
    pub fn start(context: &WitnessContext, policy: Policy, names: Vec<EgressName>) -> Self {
        let (origin, log_key) = {
            let log = context.log.lock().unwrap_or_else(PoisonError::into_inner);
            (String::from(log.origin()), log.verifier().clone())
        };
        let mut members = Vec::new();
        for ((id, witness), egress) in policy.witnesses().zip(names) {
            let (sender, receiver) = mpsc::unbounded_channel();
            let conversation = Conversation {
                index: id.number(),
                key: witness.key().clone(),
                log_key: log_key.clone(),
                egress,
                context: context.clone(),
                believed: None,
                connection: None,
            };
            tokio::spawn(conversation.run(receiver));
            members.push(sender);
        }
        Self {
            policy,
            origin,
            log_key,
            members,
            clock: Arc::clone(&context.clock),
        }
    }

    /// Submits `checkpoint` and waits until the policy's quorum has cosigned it.
    ///
    /// # Errors
    /// [`NoQuorum`].
    pub async fn submit(&self, checkpoint: &Checkpoint) -> Result<CosignedCheckpoint, NoQuorum> {
        tokio::time::timeout(ROUND_TIMEOUT, self.round(checkpoint))
            .await
            .unwrap_or(Err(NoQuorum::Unreachable))
    }

    async fn round(&self, checkpoint: &Checkpoint) -> Result<CosignedCheckpoint, NoQuorum> {
        let (sender, mut answers) = mpsc::unbounded_channel();
        let mut note = uncosigned(checkpoint, &self.log_key);
        let (mut round, mut ask) = Round::begin(self.members.len(), self.now_ms());
        loop {
            for index in ask {
                let job = Job {
                    checkpoint: checkpoint.clone(),
                    answers: sender.clone(),
                };
                let asked = self
                    .members
                    .get(index)
                    .is_some_and(|member| member.send(job).is_ok());
                if !asked {
                    let _closed = sender.send((index, Answer::Failed));
                }
            }
            let wait = round.deadline_ms().map_or(REQUEST_TIMEOUT, |at| {
                Duration::from_millis(at.saturating_sub(self.now_ms()))
            });
            let Ok(answer) = tokio::time::timeout(wait, answers.recv()).await else {
                ask = round.tick(self.now_ms());
                continue;
            };
            let Some((index, answer)) = answer else {
                return Err(NoQuorum::Unreachable);
            };
            let outcome = match answer {
                Answer::Cosigned(signature) => match note.push(signature) {
                    Ok(()) => Outcome::Cosigned,
                    Err(_full) => Outcome::Failed,
                },
                Answer::Superseded(larger) => return Err(NoQuorum::Superseded(larger)),
                Answer::Failed => Outcome::Failed,
            };
            if outcome == Outcome::Cosigned
                && let Ok(unverified) = UnverifiedCheckpoint::from_note(note.clone())
                && let Ok(cosigned) = self.policy.check(&unverified, &self.origin, &self.log_key)
            {
                // The rest is still asked, so that no witness falls behind.
                for index in round.answered(index, outcome, self.now_ms()) {
                    let job = Job {
                        checkpoint: checkpoint.clone(),
                        answers: sender.clone(),
                    };
                    if let Some(member) = self.members.get(index) {
                        let _closed = member.send(job);
                    }
                }
                return Ok(cosigned);
            }
            ask = round.answered(index, outcome, self.now_ms());
            if round.is_over() {
                return Err(NoQuorum::Unreachable);
            }
        }
    }

    fn now_ms(&self) -> u64 {
        self.clock.monotonic_us() / 1000
    }
}

/// The checkpoint with its log's own signature alone. With the cosignatures of an earlier round the quorum
/// would be there at the first answer, and be as old as that round.
fn uncosigned(checkpoint: &Checkpoint, log_key: &VerifierKey) -> SignedNote {
    checkpoint.note().retaining(&[log_key])
}

struct Conversation {
    index: usize,
    key: VerifierKey,
    log_key: VerifierKey,
    egress: EgressName,
    context: WitnessContext,
    believed: Option<u64>,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Conversation {
    async fn run(mut self, mut jobs: mpsc::UnboundedReceiver<Job>) {
        while let Some(mut job) = jobs.recv().await {
            // Only the newest checkpoint matters to a witness that has fallen behind.
            while let Ok(newer) = jobs.try_recv() {
                let _gone = job.answers.send((self.index, Answer::Failed));
                job = newer;
            }
            let answer = self.ask(&job.checkpoint).await;
            let _gone = job.answers.send((self.index, answer));
        }
    }

    async fn ask(&mut self, checkpoint: &Checkpoint) -> Answer {
        for _ in 0..CORRECTIONS_MAX {
            let old = self
                .believed
                .unwrap_or_else(|| checkpoint.size())
                .min(checkpoint.size());
            match tokio::time::timeout(REQUEST_TIMEOUT, self.submit(checkpoint, old)).await {
                Ok(Ok(Reply::Cosigned(signature))) => {
                    self.believed = Some(checkpoint.size());
                    self.context.metrics.cosignatures_accepted.add(1);
                    return Answer::Cosigned(signature);
                }
                Ok(Ok(Reply::Size(size))) if size <= checkpoint.size() && size != old => {
                    self.believed = Some(size);
                }
                Ok(Ok(Reply::Size(_) | Reply::Inconsistent)) => {
                    self.context.metrics.cosignatures_conflict.add(1);
                    return self.confirm(checkpoint).await;
                }
                Ok(Ok(Reply::Refused)) => {
                    self.context.metrics.cosignatures_refused.add(1);
                    return Answer::Failed;
                }
                Ok(Ok(Reply::Invalid)) => {
                    self.context.metrics.cosignatures_invalid.add(1);
                    return Answer::Failed;
                }
                Ok(Err(_)) | Err(_) => {
                    self.connection = None;
                    self.context.metrics.cosignatures_unreachable.add(1);
                    return Answer::Failed;
                }
            }
        }
        Answer::Failed
    }

    async fn submit(&mut self, checkpoint: &Checkpoint, old: u64) -> io::Result<Reply> {
        let proof = {
            let log = self
                .context
                .log
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if old == 0 || old == checkpoint.size() {
                Vec::new()
            } else {
                log.consistency(old, checkpoint.size())
                    .map_err(io::Error::other)?
            }
        };
        let request = AddCheckpoint::new(old, proof, checkpoint.to_unverified())
            .map_err(io::Error::other)?
            .encode();
        let (status, body) = self
            .call(Method::POST, ADD_CHECKPOINT_PATH, request.into())
            .await?;
        Ok(match status {
            StatusCode::OK => {
                match parse_cosignatures(&body, checkpoint.note().text(), &self.key) {
                    Ok((signature, _time)) => Reply::Cosigned(signature),
                    Err(_error) => Reply::Invalid,
                }
            }
            StatusCode::CONFLICT => match parse_conflict(&body) {
                Ok(size) => Reply::Size(size),
                Err(_error) => Reply::Invalid,
            },
            // The witness has another tree of a size that we both know: only its signed checkpoint
            // says which.
            StatusCode::UNPROCESSABLE_ENTITY => Reply::Inconsistent,
            _ => Reply::Refused,
        })
    }

    /// A 409 is nobody's signature: only a larger checkpoint of this very log fences its writer.
    async fn confirm(&mut self, ours: &Checkpoint) -> Answer {
        let path = monitoring_path(ours.origin());
        let call = self.call(Method::GET, &path, Bytes::new());
        let Ok(Ok((StatusCode::OK, body))) = tokio::time::timeout(REQUEST_TIMEOUT, call).await
        else {
            return Answer::Failed;
        };
        match UnverifiedCheckpoint::parse(&body)
            .and_then(|unverified| unverified.verify(ours.origin(), &self.log_key))
        {
            Ok(theirs) if theirs.size() > ours.size() || self.differs(&theirs) => {
                Answer::Superseded(Box::new(theirs))
            }
            Ok(_) | Err(_) => Answer::Failed,
        }
    }

    /// Whether a checkpoint that this log's key signed is of another tree than ours.
    fn differs(&self, theirs: &Checkpoint) -> bool {
        let log = self
            .context
            .log
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        log.root_at(theirs.size())
            .is_ok_and(|root| root != *theirs.root())
    }

    async fn call(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> io::Result<(StatusCode, Bytes)> {
        let mut connection = match self.connection.take() {
            Some(open) if !open.is_closed() => open,
            Some(_) | None => {
                let stream = link::egress(&self.context.transport, &self.egress).await?;
                let (sender, driver) = handshake(TokioIo::new(stream))
                    .await
                    .map_err(io::Error::other)?;
                tokio::spawn(driver);
                sender
            }
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(hyper::header::HOST, self.egress.as_str())
            .body(Full::new(body))
            .map_err(io::Error::other)?;
        let response = connection
            .send_request(request)
            .await
            .map_err(io::Error::other)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), RESPONSE_BYTES_MAX)
            .collect()
            .await
            .map_err(io::Error::other)?
            .to_bytes();
        self.connection = Some(connection);
        Ok((status, body))
    }
}

enum Reply {
    Cosigned(NoteSignature),
    Size(u64),
    Inconsistent,
    Refused,
    Invalid,
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_sealing::Key;
    use chancery_tlog::CosignerKey;

    #[test]
    fn a_round_begins_without_the_cosignatures_of_an_earlier_one() {
        let mut log = RootLog::new("example/log", &Key::from_bytes([1; 32])).unwrap();
        log.append(b"leaf");
        let key = log.verifier().clone();
        let signed = log.sign().unwrap();
        let witness = CosignerKey::from_seed("example/witness", &[2; 32]).unwrap();
        let mut note = signed.note().clone();
        note.push(witness.cosign(note.text(), 1_700_000_000).unwrap())
            .unwrap();
        let cosigned = UnverifiedCheckpoint::from_note(note).unwrap();
        let cosigned = cosigned.verify("example/log", &key).unwrap();
        assert_eq!(cosigned.note().signatures().len(), 2);
        assert_eq!(uncosigned(&cosigned, &key), *signed.note());
    }
}
