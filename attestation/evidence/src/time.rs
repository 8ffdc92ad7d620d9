//! Times of certificates (RFC 5280 section 4.1.2.5) as milliseconds since the Unix epoch.

use crate::der::Der;
use crate::der::DerError;
use crate::der::GENERALIZED_TIME;
use crate::der::UTC_TIME;

/// Reads a `UTCTime` (to 2049) or a `GeneralizedTime` (from 2050), both with seconds and `Z`.
pub(crate) fn read_time_ms(der: &mut Der<'_>) -> Result<u64, DerError> {
    let element = der.any()?;
    let digits = element.contents;
    let (year, rest) = match element.tag {
        UTC_TIME => {
            let (year, rest) = two_digits(digits)?;
            // Two-digit years from 50 are before 2000; none of AMD's certificates is that old.
            if year >= 50 {
                return Err(DerError::Value);
            }
            (year.saturating_add(2000), rest)
        }
        GENERALIZED_TIME => {
            let (high, rest) = two_digits(digits)?;
            let (low, rest) = two_digits(rest)?;
            let year = high.saturating_mul(100).saturating_add(low);
            if year < 2050 {
                return Err(DerError::Value);
            }
            (year, rest)
        }
        got => {
            return Err(DerError::Tag {
                expected: UTC_TIME,
                got,
            });
        }
    };
    let (month, rest) = two_digits(rest)?;
    let (day, rest) = two_digits(rest)?;
    let (hour, rest) = two_digits(rest)?;
    let (minute, rest) = two_digits(rest)?;
    let (second, rest) = two_digits(rest)?;
    let month_days = days_of_month(year, month).ok_or(DerError::Value)?;
    let in_range =
        day >= 1 && day <= month_days && hour < 24 && minute < 60 && second < 60 && rest == b"Z";
    if !in_range {
        return Err(DerError::Value);
    }
    let days = days_since_epoch(year, month, day);
    let seconds = days
        .saturating_mul(86_400)
        .saturating_add(hour.saturating_mul(3600))
        .saturating_add(minute.saturating_mul(60))
        .saturating_add(second);
    Ok(seconds.saturating_mul(1000))
}

fn two_digits(bytes: &[u8]) -> Result<(u64, &[u8]), DerError> {
    match bytes {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9', rest @ ..] => {
            let tens = u64::from(tens.saturating_sub(b'0'));
            let ones = u64::from(ones.saturating_sub(b'0'));
            Ok((tens.saturating_mul(10).saturating_add(ones), rest))
        }
        _ => Err(DerError::Value),
    }
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn days_of_month(year: u64, month: u64) -> Option<u64> {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 if is_leap(year) => Some(29),
        2 => Some(28),
        _ => None,
    }
}

/// Days from 1970-01-01; the date is in range and not before 2000. At most 9999 years are walked.
fn days_since_epoch(year: u64, month: u64, day: u64) -> u64 {
    let years: u64 = (1970..year)
        .map(|y| if is_leap(y) { 366 } else { 365 })
        .sum();
    let months: u64 = (1..month).filter_map(|m| days_of_month(year, m)).sum();
    years
        .saturating_add(months)
        .saturating_add(day.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn read(tag: u8, text: &str) -> Result<u64, DerError> {
        let mut bytes: Vec<u8> = [tag, u8::try_from(text.len()).unwrap()].into();
        bytes.extend_from_slice(text.as_bytes());
        read_time_ms(&mut Der::new(&bytes))
    }

    #[test]
    fn reads_both_forms() {
        assert_eq!(read(UTC_TIME, "260205010433Z"), Ok(1_770_253_473_000));
        assert_eq!(read(UTC_TIME, "240229000000Z"), Ok(1_709_164_800_000));
        assert_eq!(
            read(GENERALIZED_TIME, "20500101000000Z"),
            Ok(2_524_608_000_000)
        );
    }

    #[test]
    fn knows_the_calendar_at_its_edges() {
        for (tag, text, ms) in [
            (UTC_TIME, "000101000000Z", 946_684_800_000),
            (UTC_TIME, "000229235959Z", 951_868_799_000),
            (UTC_TIME, "000301000000Z", 951_868_800_000),
            (UTC_TIME, "011231235959Z", 1_009_843_199_000),
            (UTC_TIME, "491231235959Z", 2_524_607_999_000),
            (GENERALIZED_TIME, "21000228235959Z", 4_107_542_399_000),
            (GENERALIZED_TIME, "21000301000000Z", 4_107_542_400_000),
            (GENERALIZED_TIME, "24000229000000Z", 13_574_563_200_000),
            (GENERALIZED_TIME, "99991231235959Z", 253_402_300_799_000),
        ] {
            assert_eq!(read(tag, text), Ok(ms), "{text}");
        }
        let days = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        for (month, days) in (1_u64..).zip(days) {
            assert_eq!(days_of_month(2025, month), Some(days));
        }
        for (year, leap) in [(2000, true), (2024, true), (2025, false), (2100, false)] {
            assert_eq!(days_of_month(year, 2) == Some(29), leap, "{year}");
        }
        assert_eq!(days_of_month(2025, 0), None);
        assert_eq!(days_of_month(2025, 13), None);
    }

    #[test]
    fn refuses_impossible_and_loose_times() {
        for text in [
            "260229000000Z",
            "261301000000Z",
            "260100000000Z",
            "260132000000Z",
            "260101240000Z",
            "260101006000Z",
            "260101000060Z",
            // A leap second has no place in milliseconds since the epoch.
            "161231235960Z",
            "260431000000Z",
            "260001000000Z",
            "010229000000Z",
            "2601010000Z",
            "260101000000+0000",
            "260101000000z",
            "500101000000Z",
            "26010100000aZ",
            "",
        ] {
            assert!(read(UTC_TIME, text).is_err(), "{text}");
        }
        assert!(read(GENERALIZED_TIME, "20490101000000Z").is_err());
        assert!(read(GENERALIZED_TIME, "20500101000000.1Z").is_err());
        assert!(read(4, "260101000000Z").is_err());
    }
}
