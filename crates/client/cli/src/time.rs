//! Times as people read and give them.

use chancery_client::now_ms;

/// Milliseconds of a day.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Days of the 400 years after which the Gregorian calendar repeats.
const ERA_DAYS: u64 = 146_097;

/// Days from 1 March of year 0 to 1 January 1970.
const EPOCH_DAYS: u64 = 719_468;

/// Now and this many days, in milliseconds since the Unix epoch; none unless there are 1 to
/// `days_max`.
pub(crate) fn in_days(days: u64, days_max: u64) -> Option<u64> {
    (1..=days_max)
        .contains(&days)
        .then(|| now_ms().saturating_add(days.saturating_mul(DAY_MS)))
}

/// A time as RFC 3339 in UTC, to the second.
pub(crate) fn utc(ms: u64) -> String {
    let seconds = ms / 1000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Civil date from days, with years that begin in March so that leap days come last.
    let days = days.saturating_add(EPOCH_DAYS);
    let (era, day_of_era) = (days / ERA_DAYS, days % ERA_DAYS);
    let leap_free = day_of_era
        .saturating_sub(day_of_era / 1460)
        .saturating_add(day_of_era / 36_524)
        .saturating_sub(day_of_era / 146_096);
    let year_of_era = leap_free / 365;
    let before_year = (365_u64.saturating_mul(year_of_era))
        .saturating_add(year_of_era / 4)
        .saturating_sub(year_of_era / 100);
    let day_of_year = day_of_era.saturating_sub(before_year);
    let shifted_month = (day_of_year.saturating_mul(5)).saturating_add(2) / 153;
    let before_month = (shifted_month.saturating_mul(153)).saturating_add(2) / 5;
    let day = day_of_year.saturating_sub(before_month).saturating_add(1);
    let (month, carry) = if shifted_month < 10 {
        (shifted_month + 3, 0)
    } else {
        (shifted_month - 9, 1)
    };
    let year = era
        .saturating_mul(400)
        .saturating_add(year_of_era)
        .saturating_add(carry);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_known_times() {
        // Made with `date -u -d @S +%FT%TZ`.
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (1_764_106_200, "2025-11-25T21:30:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(utc(seconds * 1000 + 999), text);
        }
    }

    #[test]
    fn refuses_no_days_and_too_many() {
        assert_eq!(in_days(0, 7), None);
        assert_eq!(in_days(8, 7), None);
        assert!(in_days(7, 7).unwrap() > now_ms());
    }
}
