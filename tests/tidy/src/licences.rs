//! Licences of everything from the registry, by the same list that `cargo-deny` reads.

use crate::workspace::Foreign;

/// The strings of `allow = [ ... ]` in the `[licenses]` table of `deny.toml`.
#[must_use]
pub fn allowed(deny: &str) -> Vec<String> {
    let table = deny.split("\n[licenses]\n").nth(1).unwrap_or_default();
    let list = table
        .split_once("\nallow = [")
        .map(|(_, rest)| rest)
        .or_else(|| table.strip_prefix("allow = ["));
    let list = list
        .and_then(|rest| rest.split_once(']'))
        .map_or("", |(list, _)| list);
    strings(list)
}

/// The crates that `deny.toml` excepts by name, each with the licence that it may have besides.
#[must_use]
pub fn exceptions(deny: &str) -> Vec<(String, String)> {
    let lines = deny
        .lines()
        .map(str::trim_start)
        .filter(|line| line.starts_with("{ crate = ") && line.contains("allow = ["));
    let pairs = lines.filter_map(|line| {
        let found = strings(line);
        Some((found.first()?.clone(), found.get(1)?.clone()))
    });
    pairs.collect()
}

/// What stands between quotation marks.
fn strings(text: &str) -> Vec<String> {
    text.split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// Each crate can be used under allowed licences alone.
#[must_use]
pub fn check(foreign: &[Foreign], deny: &str) -> Vec<String> {
    let allowed = allowed(deny);
    let exceptions = exceptions(deny);
    let mut breaches = Vec::new();
    for package in foreign {
        let may = |licence: &str| {
            allowed.iter().any(|name| name == licence)
                || exceptions
                    .iter()
                    .any(|(name, besides)| *name == package.name && besides == licence)
        };
        let expression = package.licence.as_deref().unwrap_or_default();
        if !satisfied(expression, &may) {
            breaches.push(format!(
                "{} {}: licence {expression:?} is not allowed by deny.toml",
                package.name, package.version
            ));
        }
    }
    for (name, _) in &exceptions {
        if !foreign.iter().any(|package| package.name == *name) {
            breaches.push(format!("deny.toml: {name} is excepted and not used"));
        }
    }
    breaches
}

/// Whether an SPDX expression can be met by licences for which `may` holds. `/` is the old spelling of `OR`.
fn satisfied(expression: &str, may: &dyn Fn(&str) -> bool) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let (met, rest) = either(&words, may);
    met && rest.is_empty()
}

fn either<'a>(words: &'a [&'a str], may: &dyn Fn(&str) -> bool) -> (bool, &'a [&'a str]) {
    let (mut met, mut rest) = both(words, may);
    while let Some((&"OR", after)) = rest.split_first() {
        let (other, left) = both(after, may);
        met |= other;
        rest = left;
    }
    (met, rest)
}

fn both<'a>(words: &'a [&'a str], may: &dyn Fn(&str) -> bool) -> (bool, &'a [&'a str]) {
    let (mut met, mut rest) = one(words, may);
    while let Some((&"AND", after)) = rest.split_first() {
        let (other, left) = one(after, may);
        met &= other;
        rest = left;
    }
    (met, rest)
}

fn one<'a>(words: &'a [&'a str], may: &dyn Fn(&str) -> bool) -> (bool, &'a [&'a str]) {
    match words {
        ["(", inside @ ..] => {
            let (met, rest) = either(inside, may);
            match rest {
                [")", after @ ..] => (met, after),
                // unbalanced: what is left refuses the whole
                _ => (false, rest),
            }
        }
        // an exception to a licence only widens it, but it has to be allowed as a whole
        [licence, "WITH", exception, after @ ..] => {
            (may(&format!("{licence} WITH {exception}")), after)
        }
        [licence, after @ ..] => (may(licence), after),
        [] => (false, words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENY: &str = "[graph]\n\n[licenses]\nallow = [\"MIT\", \"ISC\",\n \"Unicode-3.0\"]\nexceptions = [\n  { crate = \"odd\", allow = [\"MPL-2.0\"] },\n]\n";

    fn package(name: &str, licence: Option<&str>) -> Foreign {
        Foreign {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            licence: licence.map(str::to_owned),
        }
    }

    fn refused(licence: Option<&str>) -> bool {
        let foreign = [package("odd", Some("MPL-2.0")), package("even", licence)];
        !check(&foreign, DENY).is_empty()
    }

    #[test]
    fn reads_the_list_of_cargo_deny() {
        assert_eq!(allowed(DENY), ["MIT", "ISC", "Unicode-3.0"]);
        assert_eq!(exceptions(DENY), [("odd".to_owned(), "MPL-2.0".to_owned())]);
    }

    #[test]
    fn accepts_what_the_list_can_meet() {
        for licence in [
            "MIT",
            "MIT OR Apache-2.0",
            "Apache-2.0/MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR MIT",
        ] {
            assert!(!refused(Some(licence)), "{licence}");
        }
    }

    #[test]
    fn refuses_what_the_list_cannot_meet() {
        for licence in [
            "GPL-3.0-only",
            "MIT AND GPL-3.0-only",
            "(MIT OR ISC) AND Apache-2.0",
            "MPL-2.0",
            "MIT WITH LLVM-exception",
            "(MIT",
            "MIT ISC",
            "",
        ] {
            assert!(refused(Some(licence)), "{licence}");
        }
        assert!(refused(None));
    }

    #[test]
    fn notices_an_exception_that_nobody_needs() {
        assert_eq!(check(&[package("even", Some("MIT"))], DENY).len(), 1);
    }
}
