//! `dateTime` of RFC 7643 section 2.3.5: RFC 3339 with any offset and any number of fraction digits.

use alloc::format;
use alloc::string::String;

const DAY_MS: u64 = 86_400_000;

/// A time with an offset, as nanoseconds since the Unix epoch; finer digits are cut.
pub(crate) fn parse(text: &str) -> Option<i128> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let mut parts = date.splitn(3, '-');
    let year = digits(parts.next()?, 4)?;
    let month = digits(parts.next()?, 2)?;
    let day = digits(parts.next()?, 2)?;
    if !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&day) {
        return None;
    }
    let (clock, offset_minutes) = split_offset(time)?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut parts = clock.splitn(3, ':');
    let hour = digits(parts.next()?, 2)?;
    let minute = digits(parts.next()?, 2)?;
    let second = digits(parts.next()?, 2)?;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let nanos = fraction_nanos(fraction)?;
    let minutes = days_before(year, month, day)
        .checked_mul(1440)?
        .checked_add(hour.checked_mul(60)?)?
        .checked_add(minute)?
        .checked_sub(offset_minutes)?;
    let seconds = minutes.checked_mul(60)?.checked_add(second)?;
    i128::from(seconds)
        .checked_mul(1_000_000_000)?
        .checked_add(i128::from(nanos))
}

/// Milliseconds since the Unix epoch as RFC 3339 in UTC.
pub(crate) fn format_ms(ms: u64) -> String {
    let (days, in_day) = (ms / DAY_MS, ms % DAY_MS);
    let (year, month, day) = civil(days);
    let (hour, minute) = (in_day / 3_600_000, in_day / 60_000 % 60);
    let (second, milli) = (in_day / 1000 % 60, in_day % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

pub(crate) fn nanos_of_ms(ms: u64) -> i128 {
    i128::from(ms).saturating_mul(1_000_000)
}

fn digits(text: &str, width: usize) -> Option<i64> {
    let plain = text.len() == width && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

fn split_offset(time: &str) -> Option<(&str, i64)> {
    if let Some(clock) = time.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let at = time.rfind(['+', '-'])?;
    let (clock, offset) = time.split_at_checked(at)?;
    let (sign, offset) = offset.split_at_checked(1)?;
    let (hours, minutes) = offset.split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let total = hours.checked_mul(60)?.checked_add(minutes)?;
    Some((
        clock,
        if sign == "-" {
            total.checked_neg()?
        } else {
            total
        },
    ))
}

fn fraction_nanos(fraction: &str) -> Option<i64> {
    if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut nanos = 0_i64;
    for digit in fraction.bytes().chain(core::iter::repeat(b'0')).take(9) {
        nanos = nanos
            .checked_mul(10)?
            .checked_add(i64::from(digit.checked_sub(b'0')?))?;
    }
    Some(nanos)
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the years 0 to 9999 (proleptic Gregorian calendar).
#[expect(
    clippy::arithmetic_side_effects,
    reason = "years have four digits: all terms are small"
)]
const fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let shifted = (month + 9) % 12;
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year
        - 719_468
}

/// The date that lies `days` after 1970-01-01.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "u64 milliseconds give under 2^38 days"
)]
const fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_and_parses_the_same_instant() {
        assert_eq!(format_ms(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(format_ms(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(format_ms(1_795_641_720_123), "2026-11-25T21:22:00.123Z");
        let mut ms = 1_u64;
        while ms < 253_402_300_800_000 {
            assert_eq!(parse(&format_ms(ms)), Some(nanos_of_ms(ms)), "{ms}");
            ms = ms * 5 / 4 + 86_399_999;
        }
    }

    #[test]
    fn compares_as_instants_across_offsets() {
        // RFC 7643 section 2.3.5 takes xsd:dateTime; Entra ID sends seven digits.
        assert_eq!(
            parse("2011-05-13T04:42:34+02:00"),
            parse("2011-05-13T02:42:34Z")
        );
        assert_eq!(
            parse("2011-05-13T00:12:34-02:30"),
            parse("2011-05-13T02:42:34.0000000Z")
        );
        let difference = parse("1970-01-01T00:00:00.1234567Z").unwrap();
        assert_eq!(difference, 123_456_700);
        assert_eq!(parse("1969-12-31T23:59:59Z"), Some(-1_000_000_000));
    }

    #[test]
    fn refuses_what_is_no_instant() {
        for text in [
            "",
            "2011",
            "2011-05-13",
            "2011-05-13T04:42:34",
            "2011-02-29T00:00:00Z",
            "2011-13-01T00:00:00Z",
            "2011-00-01T00:00:00Z",
            "2011-01-01T24:00:00Z",
            "2011-01-01T00:60:00Z",
            "2011-01-01T00:00:00.Z",
            "2011-01-01T00:00:00.xZ",
            "+011-01-01T00:00:00Z",
            "2011-01-01T00:00:00+2:00",
            "2011-01-01T00:00:00+24:00",
            "2011-01-01T00:00Z",
            "é-01-01T00:00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
