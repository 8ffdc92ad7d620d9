//! The client's one clock. Everything else takes the time as an argument.

use std::time::SystemTime;
use std::time::UNIX_EPOCH;

/// Milliseconds since the Unix epoch by this machine's clock; 0 if the clock stands before it,
/// which no evidence survives.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the shell's one clock")]
pub fn now_ms() -> u64 {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stands_after_the_year_2025_and_does_not_run_backwards_at_once() {
        let first = now_ms();
        assert!(first > 1_735_689_600_000);
        assert!(now_ms() >= first);
    }
}
