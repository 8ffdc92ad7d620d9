//! The shell's one clock, and the bound that witnesses put on it.

use std::sync::atomic::{AtomicU64, Ordering};
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

/// Time that only moves forward: never before what some honest witness has seen (I31).
#[derive(Debug, Default)]
pub struct TrustedTime {
    floor_ms: AtomicU64,
    latest_ms: AtomicU64,
}

impl TrustedTime {
    /// Takes over the lower bound of a quorum, in milliseconds since the Unix epoch.
    pub fn raise_floor(&self, bound_ms: u64) {
        self.floor_ms.fetch_max(bound_ms, Ordering::AcqRel);
    }

    /// The lower bound so far.
    #[must_use]
    pub fn floor_ms(&self) -> u64 {
        self.floor_ms.load(Ordering::Acquire)
    }

    /// Now: the host's clock, but neither before the floor nor before any time given out earlier.
    #[must_use]
    pub fn now_ms(&self, clock: &dyn Clock) -> u64 {
        let now = clock.wall_ms().max(self.floor_ms());
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
        time.raise_floor(2_000_000);
        assert_eq!(time.now_ms(&clock), 2_000_000);
        time.raise_floor(3);
        assert_eq!(time.floor_ms(), 2_000_000);
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
