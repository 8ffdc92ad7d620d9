//! Waiting for what can be seen, with a bound.

use std::time::{Duration, Instant};

/// Longest wait for one answer or one small change.
pub const SHORT: Duration = Duration::from_secs(30);
/// Longest wait for a service to start, to recover or to end, on a machine that has other work.
pub const LONG: Duration = Duration::from_secs(120);

/// Pause between two looks.
const PERIOD: Duration = Duration::from_millis(20);

/// Looks until `look` finds something.
///
/// # Panics
/// After `limit`, naming what never came.
#[expect(
    clippy::disallowed_methods,
    reason = "other processes are watched from outside; there is no event to wait for"
)]
pub fn eventually<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < limit, "waited {limit:?} for this: {what}");
        std::thread::sleep(PERIOD);
    }
}

/// Lets a client that was refused wait a moment before it tries again, as any client does.
#[expect(
    clippy::disallowed_methods,
    reason = "a pause of a client, not of a test"
)]
pub fn back_off() {
    std::thread::sleep(PERIOD);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_what_was_found_at_last() {
        let mut looks = 0;
        let third = eventually("the third look", SHORT, || {
            looks += 1;
            (looks == 3).then_some(looks)
        });
        assert_eq!(third, 3);
    }

    #[test]
    #[should_panic(expected = "for this: what never comes")]
    fn gives_up_by_name() {
        eventually::<()>("what never comes", Duration::ZERO, || None);
    }
}
