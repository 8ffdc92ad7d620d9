//! The shell's one clock, and the bound that witnesses put on it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// A clock that the host sets, so it is believed only between bounds that witnesses give.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Milliseconds since the Unix epoch, as the host says.
    fn wall_ms(&self) -> u64;
    /// Microseconds since some moment, for measuring durations.
    fn monotonic_us(&self) -> u64;
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// Starts the monotonic part now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the shell's one clock")]
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the shell's one clock")]
    fn wall_ms(&self) -> u64 {
        let elapsed = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
    }

    fn monotonic_us(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// How far the host's clock may differ from what a fresh witness quorum vouches for, in
/// milliseconds, before writes stop (I31).
pub const CLOCK_DISAGREEMENT_MS_MAX: u64 = 5 * 60 * 1000;

/// Time that only moves forward: never before what some honest witness has seen, and never far
/// ahead of it (I31).
#[derive(Debug, Default)]
pub struct TrustedTime {
    bound: Mutex<Option<Bound>>,
    latest_ms: AtomicU64,
}

/// A lower bound of the time, and when it was learnt.
#[derive(Clone, Copy, Debug)]
struct Bound {
    floor_ms: u64,
    learnt_us: u64,
}

impl TrustedTime {
    /// Takes over the lower bound of a fresh quorum, in milliseconds since the Unix epoch.
    pub fn raise_floor(&self, bound_ms: u64, clock: &dyn Clock) {
        let mut bound = self.bound.lock().unwrap_or_else(PoisonError::into_inner);
        let known_ms = bound.map_or(0, |known| known.floor_ms);
        *bound = Some(Bound {
            floor_ms: known_ms.max(bound_ms),
            learnt_us: clock.monotonic_us(),
        });
    }

    /// The lower bound so far; 0 before the first quorum.
    #[must_use]
    pub fn floor_ms(&self) -> u64 {
        self.bound
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .map_or(0, |bound| bound.floor_ms)
    }

    /// Now: the host's clock, but not before the floor, not further ahead of it than the time since it
    /// was learnt and the allowed disagreement, and not before any time given out earlier. A clock
    /// that jumps ahead thus cannot bring authority forward, nor leave its mark on a log for ever.
    #[must_use]
    pub fn now_ms(&self, clock: &dyn Clock) -> u64 {
        let wall_ms = clock.wall_ms();
        let bound = *self.bound.lock().unwrap_or_else(PoisonError::into_inner);
        let now = bound.map_or(wall_ms, |bound| {
            let elapsed_ms = clock.monotonic_us().saturating_sub(bound.learnt_us) / 1000;
            let ceiling_ms = bound
                .floor_ms
                .saturating_add(elapsed_ms)
                .saturating_add(CLOCK_DISAGREEMENT_MS_MAX);
            wall_ms.clamp(bound.floor_ms, ceiling_ms)
        });
        self.latest_ms.fetch_max(now, Ordering::AcqRel).max(now)
    }

    /// Whether the host's clock is within bounds of a quorum whose lower bound was just learnt.
    #[must_use]
    pub fn agrees(clock: &dyn Clock, bound_ms: u64) -> bool {
        clock.wall_ms().abs_diff(bound_ms) <= CLOCK_DISAGREEMENT_MS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Fixed(AtomicU64);

    impl Clock for Fixed {
        fn wall_ms(&self) -> u64 {
            self.0.load(Ordering::Acquire)
        }
        fn monotonic_us(&self) -> u64 {
            0
        }
    }

    #[test]
    fn a_clock_set_back_revives_nothing() {
        let clock = Fixed(AtomicU64::new(1_000_000));
        let time = TrustedTime::default();
        assert_eq!(time.now_ms(&clock), 1_000_000);
        clock.0.store(5, Ordering::Release);
        assert_eq!(time.now_ms(&clock), 1_000_000);
        time.raise_floor(2_000_000, &clock);
        assert_eq!(time.now_ms(&clock), 2_000_000);
        time.raise_floor(3, &clock);
        assert_eq!(time.floor_ms(), 2_000_000);
    }

    #[test]
    fn a_clock_set_ahead_brings_nothing_forward_for_good() {
        let clock = Fixed(AtomicU64::new(1_000_000));
        let time = TrustedTime::default();
        time.raise_floor(1_000_000, &clock);
        clock.0.store(99_000_000, Ordering::Release);
        let most = 1_000_000 + CLOCK_DISAGREEMENT_MS_MAX;
        assert_eq!(time.now_ms(&clock), most);
        clock.0.store(1_000_500, Ordering::Release);
        assert_eq!(time.now_ms(&clock), most);
        time.raise_floor(most + 7, &clock);
        assert_eq!(time.now_ms(&clock), most + 7);
    }

    #[test]
    fn a_clock_far_from_the_witnesses_is_noticed() {
        let clock = Fixed(AtomicU64::new(10_000_000));
        assert!(TrustedTime::agrees(
            &clock,
            10_000_000 - CLOCK_DISAGREEMENT_MS_MAX
        ));
        assert!(!TrustedTime::agrees(
            &clock,
            10_000_001 + CLOCK_DISAGREEMENT_MS_MAX
        ));
        assert!(!TrustedTime::agrees(&clock, 1));
    }
}
