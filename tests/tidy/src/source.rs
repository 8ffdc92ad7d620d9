//! Rules about single files: length, names, words and places that must not stand in them.

/// Longest file without its tests, in lines.
const LINES_MAX: usize = 500;

/// Files that may be longer: path, limit, reason.
const LONGER: [(&str, usize, &str); 0] = [];

/// Words that say nothing about what a thing is.
const EMPTY_WORDS: [&str; 7] = [
    "util", "utils", "common", "helper", "helpers", "misc", "manager",
];

/// Whether a file holds tests alone.
fn is_test(file: &str) -> bool {
    let mut parts: Vec<&str> = file.split('/').collect();
    let name = parts.pop().unwrap_or_default();
    // `tests/` at the top holds packages, whose `src` is ordinary code.
    let below_top = parts.get(1..).unwrap_or_default();
    name == "tests.rs" || below_top.contains(&"tests")
}

/// Whether cargo wrote it: that of the workspace, or of one that stands apart.
#[must_use]
pub fn is_lock(file: &str) -> bool {
    file.split('/').next_back() == Some("Cargo.lock")
}

/// No file of ordinary code is longer than the limit, lines of its test module not counted.
#[must_use]
pub fn lengths(texts: &[(String, String)]) -> Vec<String> {
    let mut breaches = Vec::new();
    for (file, text) in texts {
        if !file.ends_with(".rs") || is_test(file) {
            continue;
        }
        let lines = text
            .lines()
            .take_while(|line| line.trim() != "#[cfg(test)]")
            .count();
        let longer = LONGER.iter().find(|(path, _, _)| path == file);
        let limit = longer.map_or(LINES_MAX, |(_, limit, _)| *limit);
        if lines > limit {
            breaches.push(format!(
                "{file}: {lines} lines without tests, at most {limit}"
            ));
        }
        if longer.is_some() && lines <= LINES_MAX {
            breaches.push(format!("{file}: is short enough now; end its exception"));
        }
    }
    for (path, _, _) in LONGER {
        if !texts.iter().any(|(file, _)| file == path) {
            breaches.push(format!(
                "{path}: is excepted from the length and does not exist"
            ));
        }
    }
    breaches
}

/// The words of a name in any of the usual spellings, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for letter in name.chars() {
        if matches!(letter, '_' | '-' | '.') {
            words.push(String::new());
            continue;
        }
        if letter.is_uppercase() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.extend(letter.to_lowercase());
        }
    }
    words
}

fn empty_word(name: &str) -> Option<&'static str> {
    let words = words(name);
    EMPTY_WORDS
        .into_iter()
        .find(|empty| words.iter().any(|word| word == empty))
}

/// The name that a line declares, if it declares a module or a type.
fn declared(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = match line.strip_prefix("pub") {
        Some(rest) => rest
            .strip_prefix('(')
            .and_then(|rest| rest.split_once(')'))
            .map_or(rest, |(_, rest)| rest)
            .trim_start(),
        None => line,
    };
    let (keyword, rest) = line.split_once(' ')?;
    if !matches!(keyword, "mod" | "struct" | "enum" | "trait" | "type") {
        return None;
    }
    let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
    end.map_or(Some(rest), |end| rest.get(..end))
}

/// No `mod.rs`, and no file, folder, module or type is named by a word that says nothing.
#[must_use]
pub fn names(texts: &[(String, String)]) -> Vec<String> {
    let mut breaches = Vec::new();
    for (file, text) in texts {
        if file.ends_with("/mod.rs") {
            breaches.push(format!("{file}: use `name.rs` with children in `name/`"));
        }
        for part in file.split('/') {
            if let Some(word) = empty_word(part) {
                breaches.push(format!("{file}: `{word}` names nothing"));
            }
        }
        if !file.ends_with(".rs") {
            continue;
        }
        for (line, number) in text.lines().zip(1_u32..) {
            if let Some(word) = declared(line).and_then(empty_word) {
                breaches.push(format!("{file}:{number}: `{word}` names nothing"));
            }
        }
    }
    breaches
}

/// What must stand in no file, in two halves so that it does not stand in this one, and what it shows.
const STRANGERS: [(&str, &str, &str); 7] = [
    ("index.crates", ".io", "a registry's host"),
    ("static.crates", ".io", "a registry's host"),
    ("crates.io-", "index", "a registry's host"),
    ("/wo", "rk/", "a path of one machine"),
    ("/ro", "ot/", "a path of one machine"),
    ("/ho", "me/", "a path of one machine"),
    ("/tmp/pl", "an/", "a path of one machine"),
];

/// Marks of unfinished work, in two halves.
const UNFINISHED: [(&str, &str); 3] = [("TO", "DO"), ("FIX", "ME"), ("XX", "X")];

/// Names of hosts and machines, marks of unfinished work, and ways around the lints stand in no file.
#[must_use]
pub fn contents(texts: &[(String, String)]) -> Vec<String> {
    let mut breaches = Vec::new();
    for (file, text) in texts {
        if is_lock(file) {
            continue;
        }
        for (line, number) in text.lines().zip(1_u32..) {
            for (first, second, what) in STRANGERS {
                if stands_alone(line, &format!("{first}{second}"), Edge::Left) {
                    breaches.push(format!("{file}:{number}: {what}"));
                }
            }
            let is_written = ["rs", "md", "toml", "sh"]
                .iter()
                .any(|end| file.ends_with(&format!(".{end}")));
            for (first, second) in UNFINISHED {
                if is_written && stands_alone(line, &format!("{first}{second}"), Edge::Both) {
                    breaches.push(format!("{file}:{number}: unfinished"));
                }
            }
            let may_be_unsafe = file.starts_with("crates/sealed/platform-snp/");
            if file.ends_with(".rs")
                && !may_be_unsafe
                && line.contains(concat!("expect(unsafe", "_code"))
            {
                breaches.push(format!("{file}:{number}: unsafe code outside the platform"));
            }
            if file.ends_with(".rs") && line.trim_start().starts_with(concat!("#[ign", "ore")) {
                breaches.push(format!("{file}:{number}: a test that does not run"));
            }
        }
    }
    breaches
}

/// On which sides a match may not touch a letter or digit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edge {
    Left,
    Both,
}

fn stands_alone(line: &str, wanted: &str, edge: Edge) -> bool {
    line.match_indices(wanted).any(|(at, found)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line
            .get(at.saturating_add(found.len())..)
            .and_then(|text| text.chars().next());
        let touches = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
        !touches(before) && (edge == Edge::Left || !touches(after))
    })
}

/// Every package of the lock file comes from the one registry, is ours, and is locked once where it must be.
#[must_use]
pub fn lock(text: &str, single: &[&str], banned: &[&str]) -> Vec<String> {
    let mut breaches = Vec::new();
    let registry = format!(
        "source = \"registry+https://github.com/rust-lang/{}\"",
        concat!("crates.io-", "index")
    );
    for line in text.lines() {
        if line.starts_with("source = ") && line != registry {
            breaches.push(format!("Cargo.lock: {line}"));
        }
    }
    let count = |name: &str| {
        let line = format!("name = \"{name}\"");
        text.lines().filter(|found| *found == line).count()
    };
    for name in single {
        match count(name) {
            1 => {}
            0 => breaches.push(format!(
                "Cargo.lock: {name} is gone: the rule has lost its object"
            )),
            many => breaches.push(format!("Cargo.lock: {many} versions of {name}")),
        }
    }
    for name in banned {
        if count(name) > 0 {
            breaches.push(format!("Cargo.lock: {name} is banned"));
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(file: &str, text: &str) -> Vec<(String, String)> {
        vec![(file.to_owned(), text.to_owned())]
    }

    #[test]
    fn finds_long_files_and_does_not_count_tests() {
        let code = "line\n".repeat(LINES_MAX);
        let tested = format!("{code}#[cfg(test)]\n{code}");
        assert_eq!(lengths(&one("a/b.rs", &tested)), Vec::<String>::new());
        assert_eq!(lengths(&one("a/b.rs", &format!("{code}line\n"))).len(), 1);
        let long = code.repeat(2);
        assert_eq!(
            lengths(&one("crates/a/tests/b.rs", &long)),
            Vec::<String>::new()
        );
        assert_eq!(
            lengths(&one("crates/a/src/b/tests.rs", &long)),
            Vec::<String>::new()
        );
        assert_eq!(lengths(&one("tests/a/src/b.rs", &long)).len(), 1);
    }

    #[test]
    fn finds_names_that_say_nothing() {
        for file in [
            "a/mod.rs",
            "a/http_utils.rs",
            "a/common/b.rs",
            "a/key-manager.rs",
        ] {
            assert!(!names(&one(file, "")).is_empty(), "{file}");
        }
        for line in [
            "pub struct KeyManager {",
            "mod helpers;",
            "pub(crate) mod util {",
            "trait Misc: Sized {",
        ] {
            assert_eq!(names(&one("a.rs", line)).len(), 1, "{line}");
        }
        for line in [
            "pub struct Commons;",
            "use hyper_util::rt;",
            "// the util mod",
            "mod commonly;",
        ] {
            assert_eq!(names(&one("a.rs", line)), Vec::<String>::new(), "{line}");
        }
    }

    #[test]
    fn finds_hosts_machines_and_unfinished_work() {
        for line in [
            concat!("see https://index.crates", ".io/x"),
            concat!("cd /wo", "rk/main"),
            concat!("\"/ho", "me/somebody\""),
            concat!("// TO", "DO: later"),
            concat!("FIX", "ME"),
            concat!("#[ign", "ore]"),
            concat!("#![expect(unsafe", "_code)]"),
        ] {
            assert_eq!(contents(&one("a.rs", line)).len(), 1, "{line}");
        }
        for line in [
            concat!("demo.example/atl/ro", "ot/v1"),
            concat!("a net", "wo", "rk/host"),
            "https://crates.io/crates/ring",
        ] {
            assert_eq!(contents(&one("a.rs", line)), Vec::<String>::new(), "{line}");
        }
    }

    #[test]
    fn knows_the_lock_files_of_workspaces_that_stand_apart() {
        assert!(is_lock("Cargo.lock") && is_lock("fuzz/Cargo.lock"));
        assert!(!is_lock("a/Cargo.lock/b") && !is_lock("a/xCargo.lock"));
    }

    #[test]
    fn finds_second_versions_banned_crates_and_other_sources() {
        let good = concat!(
            "name = \"sha2\"\nsource = \"registry+https://github.com/rust-lang/crates.io-",
            "index\"\n"
        );
        assert_eq!(
            lock(good, &["sha2"], &["openssl-sys"]),
            Vec::<String>::new()
        );
        assert_eq!(lock(&good.repeat(2), &["sha2"], &[]).len(), 1);
        assert_eq!(lock(good, &["rustls"], &[]).len(), 1);
        assert_eq!(lock(good, &[], &["sha2"]).len(), 1);
        let other = "name = \"sha2\"\nsource = \"git+https://example.com/sha2\"\n";
        assert_eq!(lock(other, &["sha2"], &[]).len(), 1);
    }
}
