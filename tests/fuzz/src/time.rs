//! From milliseconds back to the text of a certificate, by another algorithm than the parser's.

use std::fmt::Write as _;

const DAY_MS: u64 = 86_400_000;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_DAYS: u64 = 719_468;
const ERA_DAYS: u64 = 146_097;

/// The element that RFC 5280 section 4.1.2.5 demands for this time: `UTCTime` until 2049, `GeneralizedTime` from 2050.
///
/// The calendar is Howard Hinnant's "days from civil" turned round: years begin in March.
pub(crate) fn encode_time(ms: u64) -> Vec<u8> {
    let seconds = ms / 1000;
    let days = (ms / DAY_MS).saturating_add(EPOCH_DAYS);
    let (era, day_of_era) = (days / ERA_DAYS, days % ERA_DAYS);
    let leap_days = day_of_era / 36_524;
    let short = (day_of_era / 1460).saturating_add(day_of_era / 146_096);
    let year_of_era = day_of_era.saturating_add(leap_days).saturating_sub(short) / 365;
    let before = year_of_era
        .saturating_mul(365)
        .saturating_add(year_of_era / 4)
        .saturating_sub(year_of_era / 100);
    let day_of_year = day_of_era.saturating_sub(before);
    let march_month = day_of_year.saturating_mul(5).saturating_add(2) / 153;
    let month_begins = march_month.saturating_mul(153).saturating_add(2) / 5;
    let day = day_of_year.saturating_sub(month_begins).saturating_add(1);
    let (month, carry) = if march_month < 10 {
        (march_month.saturating_add(3), 0)
    } else {
        (march_month.saturating_sub(9), 1)
    };
    let year = era
        .saturating_mul(400)
        .saturating_add(year_of_era)
        .saturating_add(carry);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);

    let (tag, mut text) = if year < 2050 {
        (0x17, format!("{:02}", year % 100))
    } else {
        (0x18, format!("{year:04}"))
    };
    let written = write!(text, "{month:02}{day:02}{hour:02}{minute:02}{second:02}Z");
    assert!(written.is_ok(), "a string takes everything");
    let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
    let mut element = vec![tag, length];
    element.extend(text.into_bytes());
    element
}

/// The text of a time that was read from `signed` stands in it.
pub(crate) fn assert_stands_in(ms: u64, signed: &[u8]) {
    assert_eq!(ms % 1000, 0, "a part of a second");
    let element = encode_time(ms);
    let found = signed
        .windows(element.len())
        .any(|window| window == element);
    assert!(found, "{ms} ms is not what was written");
}

#[cfg(test)]
mod tests {
    use super::encode_time;

    #[test]
    fn writes_known_times() {
        for (ms, text) in [
            (1_770_253_473_000, &b"\x17\x0d260205010433Z"[..]),
            (1_709_164_800_000, b"\x17\x0d240229000000Z"),
            (946_684_799_000 + 1000, b"\x17\x0d000101000000Z"),
            (2_524_607_999_000, b"\x17\x0d491231235959Z"),
            (2_524_608_000_000, b"\x18\x0f20500101000000Z"),
            (4_107_542_400_000, b"\x18\x0f21000301000000Z"),
            (253_402_300_799_000, b"\x18\x0f99991231235959Z"),
        ] {
            assert_eq!(encode_time(ms), text, "{ms}");
        }
    }
}
