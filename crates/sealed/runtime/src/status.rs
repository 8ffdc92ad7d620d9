//! What the host is told of the runtime, from the first moment on.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chancery_wire::{Health, Telemetry};

use crate::boot::HOST_PAUSE;
use crate::clock::Clock;
use crate::commit::CommitState;
use crate::link;
use crate::metrics::{Metrics, read_process};
use crate::transport::Transport;

/// How often the host is told how the runtime is.
const TELEMETRY_PERIOD: Duration = Duration::from_secs(1);

/// Health, counters and the public document.
#[derive(Debug)]
pub struct Status {
    health: Mutex<Health>,
    deployment: Mutex<Option<Vec<u8>>>,
    collateral: Mutex<Option<Vec<u8>>>,
    commit: Mutex<Option<Arc<CommitState>>>,
    metrics: Arc<Metrics>,
    changed: tokio::sync::Notify,
}

impl Status {
    /// A runtime that starts.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            health: Mutex::new(Health::Starting),
            deployment: Mutex::new(None),
            collateral: Mutex::new(None),
            commit: Mutex::new(None),
            metrics,
            changed: tokio::sync::Notify::new(),
        }
    }

    /// The numbers.
    #[must_use]
    pub const fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Takes over a new health and has it told at once.
    pub fn set(&self, health: Health) {
        *self.health.lock().unwrap_or_else(PoisonError::into_inner) = health;
        self.changed.notify_one();
    }

    /// Publishes the deployment document.
    pub fn publish(&self, document: Vec<u8>) {
        *self
            .deployment
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(document);
    }

    /// Has the host keep collateral for the next start, as a file in PEM.
    pub fn keep_collateral(&self, file: String) {
        *self
            .collateral
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(file.into_bytes());
        self.changed.notify_one();
    }

    /// What the host is to keep, if anything was gathered.
    #[must_use]
    pub fn kept_collateral(&self) -> Option<Vec<u8>> {
        self.collateral
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Follows a commit path from here on.
    pub fn follow(&self, commit: Arc<CommitState>) {
        *self.commit.lock().unwrap_or_else(PoisonError::into_inner) = Some(commit);
    }

    /// The health as of now: a service whose batch cannot be committed waits, whatever it was told.
    fn shown(&self) -> Health {
        let health = *self.health.lock().unwrap_or_else(PoisonError::into_inner);
        let commit = self.commit.lock().unwrap_or_else(PoisonError::into_inner);
        match commit.as_ref() {
            Some(state) if health == Health::Serving && state.stalled.load(Ordering::Acquire) => {
                Health::WaitingForWitnesses
            }
            Some(_) | None => health,
        }
    }

    fn count(&self, clock: &dyn Clock) {
        read_process(&self.metrics);
        self.metrics.uptime_us.set(clock.monotonic_us());
        let commit = self.commit.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = commit.as_ref() {
            let at = state.quorum_at_us.load(Ordering::Acquire);
            self.metrics
                .quorum_age_us
                .set(clock.monotonic_us().saturating_sub(at));
        }
    }

    fn document(&self) -> Option<Vec<u8>> {
        self.deployment
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Tells the host for as long as the process lives; a host that was away is told everything again.
    pub async fn tell(self: Arc<Self>, transport: Arc<dyn Transport>, clock: Arc<dyn Clock>) {
        loop {
            if let Ok(mut stream) = link::telemetry(&transport).await {
                let (mut told, mut told_collateral) = (None, None);
                loop {
                    self.count(clock.as_ref());
                    let known = self.document();
                    let gathered = self.kept_collateral();
                    let report = Telemetry {
                        health: self.shown(),
                        counters: self.metrics.snapshot(),
                        deployment: if told == known { None } else { known.clone() },
                        collateral: if told_collateral == gathered {
                            None
                        } else {
                            gathered.clone()
                        },
                    };
                    if link::send(&mut stream, &report).await.is_err() {
                        break;
                    }
                    told = known;
                    told_collateral = gathered;
                    let _period =
                        tokio::time::timeout(TELEMETRY_PERIOD, self.changed.notified()).await;
                }
            }
            tokio::time::sleep(HOST_PAUSE).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stalled_commit_path_shows_in_the_health_of_a_serving_runtime_alone() {
        let status = Status::new(Arc::new(Metrics::default()));
        let commit = Arc::new(CommitState::new());
        status.follow(Arc::clone(&commit));
        commit.stalled.store(true, Ordering::Release);
        assert_eq!(status.shown(), Health::Starting);
        status.set(Health::Serving);
        assert_eq!(status.shown(), Health::WaitingForWitnesses);
        commit.stalled.store(false, Ordering::Release);
        assert_eq!(status.shown(), Health::Serving);
    }
}
