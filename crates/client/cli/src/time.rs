//! Times as people read and give them.

use chancery_client::now_ms;

use crate::output::printable;

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

/// A value of a check for a person: times as dates, nothing that a terminal obeys.
pub(crate) fn dated(value: &str) -> String {
    let value = printable(value);
    if !value.contains(" ms") {
        return value;
    }
    let words = value.split(' ').map(|word| match word.parse::<u64>() {
        Ok(ms) => utc(ms),
        Err(_) => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ").replace(" ms", "")
}

/// Reads a time of RFC 3339, section 5.6, as milliseconds since the Unix epoch: a date, `T`, a time of day and `Z` or
/// an offset. What is finer than a millisecond is cut off; a leap second is refused, because no clock of ours has one.
pub(crate) fn parse_utc(text: &str) -> Result<u64, String> {
    parse_rfc_3339(text).ok_or_else(|| "a time such as 2026-07-01T00:00:00Z is wanted".to_owned())
}

fn parse_rfc_3339(text: &str) -> Option<u64> {
    let (date, time) = text.split_once(['T', 't'])?;
    let [year, month, day] = digits(date, '-', [4, 2, 2])?;
    let (time, offset_s) = split_offset(time)?;
    let (time, millis) = match time.split_once('.') {
        Some((time, fraction)) => (time, parse_fraction(fraction)?),
        None => (time, 0),
    };
    let [hour, minute, second] = digits(time, ':', [2, 2, 2])?;
    let date_fits = (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
    if !date_fits || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let of_day = hour
        .checked_mul(3600)?
        .checked_add(minute.checked_mul(60)?)?;
    let seconds = days_before(year, month, day)?
        .checked_mul(86_400)?
        .checked_add(of_day)?
        .checked_add(second)?
        .checked_add_signed(offset_s.checked_neg()?)?;
    seconds.checked_mul(1000)?.checked_add(millis)
}

/// Three groups of decimal digits of exactly these lengths.
fn digits(text: &str, between: char, lengths: [usize; 3]) -> Option<[u64; 3]> {
    let mut groups = text.split(between);
    let mut numbers = [0; 3];
    for (number, length) in numbers.iter_mut().zip(lengths) {
        *number = group(groups.next()?, length)?;
    }
    groups.next().is_none().then_some(numbers)
}

fn group(text: &str, length: usize) -> Option<u64> {
    let fits = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| text.parse().ok())?
}

/// The time of day, and the seconds by which local time is ahead of UTC.
fn split_offset(time: &str) -> Option<(&str, i64)> {
    if let Some(time) = time.strip_suffix(['Z', 'z']) {
        return Some((time, 0));
    }
    let at = time.rfind(['+', '-'])?;
    let (time, offset) = time.split_at_checked(at)?;
    let (sign, offset) = offset.split_at_checked(1)?;
    let (hours, minutes) = offset.split_once(':')?;
    let (hours, minutes) = (group(hours, 2)?, group(minutes, 2)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let ahead = hours
        .checked_mul(3600)?
        .checked_add(minutes.checked_mul(60)?)?;
    let ahead = i64::try_from(ahead).ok()?;
    Some((
        time,
        if sign == "-" {
            ahead.checked_neg()?
        } else {
            ahead
        },
    ))
}

fn parse_fraction(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let padded: String = text.chars().chain("000".chars()).take(3).collect();
    is_number.then(|| padded.parse().ok())?
}

const fn days_of(year: u64, month: u64) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1 January 1970 to a date that exists; none for a date before.
fn days_before(year: u64, month: u64, day: u64) -> Option<u64> {
    // Years that begin in March, so that leap days come last.
    let (year, month) = if month > 2 {
        (year, month.checked_sub(3)?)
    } else {
        (year.checked_sub(1)?, month.checked_add(9)?)
    };
    let of_year = month.checked_mul(153)?.checked_add(2)? / 5;
    let leap_days = (year / 4)
        .checked_sub(year / 100)?
        .checked_add(year / 400)?;
    year.checked_mul(365)?
        .checked_add(leap_days)?
        .checked_add(of_year)?
        .checked_add(day)?
        .checked_sub(1)?
        .checked_sub(EPOCH_DAYS)
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
            assert_eq!(parse_utc(text), Ok(seconds * 1000), "{text}");
        }
    }

    #[test]
    fn times_of_checks_are_told_as_dates() {
        for (value, told) in [
            (
                "0 to before 1000 ms",
                "1970-01-01T00:00:00Z to before 1970-01-01T00:00:01Z",
            ),
            ("at most 1000 ms", "at most 1970-01-01T00:00:01Z"),
            ("1000 ms; waived by x", "1970-01-01T00:00:01Z; waived by x"),
            ("0 to 3", "0 to 3"),
            ("\u{1b}[2J 5 ms", "\\u{1b}[2J 1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(dated(value), told);
        }
    }

    #[test]
    fn reads_every_day_that_it_writes() {
        for day in (0..80_000).step_by(17).chain(10_950..11_400) {
            let ms = day * DAY_MS;
            assert_eq!(parse_utc(&utc(ms)), Ok(ms), "{}", utc(ms));
        }
    }

    #[test]
    fn reads_offsets_and_fractions() {
        for (text, ms) in [
            ("1970-01-01T01:00:00+01:00", 0),
            ("1970-01-01T23:30:00-00:30", DAY_MS),
            ("1970-01-01t00:00:00z", 0),
            ("1970-01-01T00:00:01.5Z", 1500),
            ("1970-01-01T00:00:00.0019Z", 1),
            ("2026-07-01T02:00:00+02:00", 1_782_864_000_000),
        ] {
            assert_eq!(parse_utc(text), Ok(ms), "{text}");
        }
    }

    #[test]
    fn refuses_times_that_are_none() {
        for text in [
            "",
            "now",
            "1782864000000",
            "2026-07-01",
            "2026-07-01T00:00:00",
            "2026-07-01 00:00:00Z",
            "2026-7-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-07-00T00:00:00Z",
            "2026-06-31T00:00:00Z",
            "2026-07-01T24:00:00Z",
            "2026-07-01T00:60:00Z",
            "2026-07-01T00:00:60Z",
            "2026-07-01T00:00:00.Z",
            "2026-07-01T00:00:00+24:00",
            "2026-07-01T00:00:00+0200",
            "2026-07-01T00:00:+1Z",
            "1969-12-31T23:59:59Z",
            "0000-01-01T00:00:00Z",
        ] {
            assert!(parse_utc(text).is_err(), "{text}");
        }
    }

    #[test]
    fn refuses_no_days_and_too_many() {
        assert_eq!(in_days(0, 7), None);
        assert_eq!(in_days(8, 7), None);
        assert!(in_days(7, 7).unwrap() > now_ms());
    }
}
