//! What every request handler shares.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use chancery_engine::{Act, Answer, Submission, View};
use chancery_scim::Catalogue;
pub use chancery_scim_service::ActFailure;
use chancery_sealing::{EntropyError, Key};
use rustls::ServerConfig;

use crate::claims::Claims;
use crate::clock::{Clock, TrustedTime};
use crate::commit::CommitState;
use crate::entropy::SystemEntropy;
use crate::issuer::Issuers;
use crate::metrics::Metrics;
use crate::node::Node;
use crate::oauth::Assertions;
use crate::sequencer::Inbox;
use crate::transport::Transport;

/// How long a request waits for its act to be cosigned before it is told that the outcome is unknown.
const OUTCOME_TIMEOUT: Duration = Duration::from_secs(10);
/// How old the newest quorum may be before reads stop as well: 15 minutes (design section 6).
const QUORUM_AGE_US_MAX: u64 = 15 * 60 * 1_000_000;

/// The certificate in use and the TLS configuration that presents it.
#[derive(Clone, Debug)]
pub struct Served {
    /// Configuration of the listener.
    pub config: Arc<ServerConfig>,
    /// SHA-256 of the leaf's SubjectPublicKeyInfo.
    pub spki_sha256: [u8; 32],
}

/// What every request handler shares.
#[derive(Debug)]
pub struct Service {
    /// Numbers for the host.
    pub metrics: Arc<Metrics>,
    /// What readers see.
    pub view: Arc<RwLock<View>>,
    /// The sequencer's inbox.
    pub inbox: Arc<Inbox>,
    /// The shell's clock.
    pub clock: Arc<dyn Clock>,
    /// Time as the witnesses bound it.
    pub time: Arc<TrustedTime>,
    /// The commit path's state.
    pub commit: Arc<CommitState>,
    /// Digest key of bearer tokens and client secrets; access tokens are made under it.
    pub token_key: Key,
    /// What attestation needs.
    pub node: Arc<Node>,
    /// Members' claims under way.
    pub claims: Claims,
    /// Which assertions of OAuth clients were used.
    pub assertions: Assertions,
    /// What tenants' OpenID providers publish.
    pub issuers: Issuers,
    /// The way to the host's store, for those who read the private parts of a log.
    pub transport: Arc<dyn Transport>,
    /// What binds records to this store.
    pub store_tag: [u8; 32],
    /// Whether addresses outside the trusted domains are taken (public conformance suites only).
    pub dangerous_any_domain: bool,
    /// The resource types that are offered.
    pub catalogue: Catalogue,
    /// Set once this instance must stop serving.
    pub stopped: AtomicBool,
    served: RwLock<Served>,
    entropy: Mutex<SystemEntropy>,
    uses: Mutex<BTreeMap<[u8; 32], u64>>,
}

/// The parts of a [`Service`] that its fields do not show.
#[derive(Debug)]
pub struct ServiceParts {
    /// The certificate in use.
    pub served: Served,
    /// Randomness of the request handlers.
    pub entropy: SystemEntropy,
    /// Digest key of bearer tokens and client secrets; access tokens are made under it.
    pub token_key: Key,
    /// What attestation needs.
    pub node: Arc<Node>,
    /// Key of this instance's challenges and short codes.
    pub claim_key: Key,
    /// What binds records to this store.
    pub store_tag: [u8; 32],
    /// Whether addresses outside the trusted domains are taken.
    pub dangerous_any_domain: bool,
    /// The resource types that are offered.
    pub catalogue: Catalogue,
}

impl Service {
    /// Puts a service together around what the commit path uses.
    #[must_use]
    pub fn new(parts: ServiceParts, committer: &crate::commit::Committer) -> Self {
        Self {
            metrics: Arc::clone(&committer.metrics),
            view: Arc::clone(&committer.view),
            inbox: Arc::clone(&committer.inbox),
            clock: Arc::clone(&committer.clock),
            time: Arc::clone(&committer.time),
            commit: Arc::clone(&committer.state),
            token_key: parts.token_key,
            node: parts.node,
            claims: Claims::new(parts.claim_key),
            assertions: Assertions::default(),
            issuers: Issuers::new(
                Arc::clone(&committer.transport),
                Arc::clone(&committer.clock),
                Arc::clone(&committer.time),
            ),
            transport: Arc::clone(&committer.transport),
            store_tag: parts.store_tag,
            dangerous_any_domain: parts.dangerous_any_domain,
            catalogue: parts.catalogue,
            stopped: AtomicBool::new(false),
            served: RwLock::new(parts.served),
            entropy: Mutex::new(parts.entropy),
            uses: Mutex::default(),
        }
    }

    /// The certificate in use.
    #[must_use]
    pub fn served_certificate(&self) -> Served {
        self.served
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Presents another certificate from the next connection on.
    pub fn serve_certificate(&self, served: Served) {
        *self.served.write().unwrap_or_else(PoisonError::into_inner) = served;
    }

    /// What readers see.
    pub fn read(&self) -> RwLockReadGuard<'_, View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Now, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.time.now_ms(self.clock.as_ref())
    }

    /// A fresh key for one act.
    ///
    /// # Errors
    /// [`EntropyError`].
    pub fn fresh(&self) -> Result<Key, EntropyError> {
        Key::generate(&mut *self.entropy.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes that a credential was used now, also to read: the journal hears of changes alone.
    pub fn note_use(&self, handle: [u8; 32]) {
        let now_ms = self.now_ms();
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        uses.insert(handle, now_ms);
    }

    /// When a credential was last used since this instance started, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn last_used_ms(&self, handle: &[u8; 32]) -> Option<u64> {
        let uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        uses.get(handle).copied()
    }

    /// Age of the newest quorum in microseconds.
    #[must_use]
    pub fn quorum_age_us(&self) -> u64 {
        let at = self.commit.quorum_at_us.load(Ordering::Acquire);
        self.clock.monotonic_us().saturating_sub(at)
    }

    /// Whether reads may be answered: the newest quorum is young enough.
    #[must_use]
    pub fn may_read(&self) -> bool {
        !self.stopped.load(Ordering::Acquire) && self.quorum_age_us() <= QUORUM_AGE_US_MAX
    }

    /// Whether an act can be taken in now.
    #[must_use]
    pub fn may_write(&self) -> bool {
        self.may_read()
            && !self.commit.stalled.load(Ordering::Acquire)
            && !self.commit.clock_disagrees.load(Ordering::Acquire)
    }

    /// Has an act of the boot itself decided, however long its quorum takes; none if it was not taken
    /// in.
    pub async fn boot_act(&self, act: Act) -> Option<Answer> {
        let waiting = self
            .inbox
            .submit(self.clock.monotonic_us(), |reply| Submission { act, reply })
            .ok()?;
        waiting.await.ok()?.ok()
    }

    /// Has an act decided, and waits until its outcome is durable and cosigned. It is taken in by the call, not
    /// by the first look at its future.
    ///
    /// # Errors
    /// [`ActFailure`].
    pub fn act(&self, act: Act) -> impl Future<Output = Result<Answer, ActFailure>> + Send + use<> {
        let waiting = if self.may_write() {
            self.inbox
                .submit(self.clock.monotonic_us(), |reply| Submission { act, reply })
                .map_err(|_overloaded| ActFailure::Unavailable)
        } else {
            Err(ActFailure::Unavailable)
        };
        // The time runs from here, also for whoever looks at one future after another.
        let waiting = waiting.map(|waiting| tokio::time::timeout(OUTCOME_TIMEOUT, waiting));
        let metrics = Arc::clone(&self.metrics);
        async move {
            let waiting = waiting?;
            let outcome = {
                let _counted = Waiting::count(&metrics);
                waiting.await
            };
            match outcome {
                Ok(Ok(Ok(answer))) => Ok(answer),
                Ok(Ok(Err(refusal))) => Err(ActFailure::Refused(refusal)),
                Ok(Err(_)) | Err(_) => {
                    metrics.acts_unknown.add(1);
                    Err(ActFailure::OutcomeUnknown)
                }
            }
        }
    }
}

/// One act that waits, counted until its future ends in whatever way.
struct Waiting<'a>(&'a Metrics);

impl<'a> Waiting<'a> {
    fn count(metrics: &'a Metrics) -> Self {
        metrics.acts_waiting.add(1);
        Self(metrics)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.acts_waiting.take(1);
    }
}
