//! The trusted dependencies: what is resolved into the runtime, and what runs while it is built.

use std::collections::BTreeSet;
use std::path::Path;

use crate::workspace::{PLATFORM, cargo};

/// What `docs/tcb-dependencies.txt` begins with.
const HEAD: &str = "\
# Everything that is linked into chancery-runtime, or (marked `build`) runs while it is built: name and version.
# Compared by `cargo test -p chancery-tidy`, which says how to renew it. docs/tcb.md says why each is trusted.
";

/// The list as it should stand in `docs/tcb-dependencies.txt`: one sorted `name version` per line, after a head.
///
/// # Errors
/// If `cargo tree` fails.
pub fn of_runtime(repository: &Path) -> Result<String, String> {
    let linked = names(&tree(repository, "normal,no-proc-macro")?);
    let all = names(&tree(repository, "normal,build")?);
    Ok(list(&linked, &all))
}

fn tree(repository: &Path, edges: &str) -> Result<String, String> {
    cargo(
        repository,
        &[
            "tree",
            "--package=chancery-runtime",
            "--edges",
            edges,
            "--prefix=none",
            "--format={p}",
            "--target",
            PLATFORM,
        ],
    )
}

/// The distinct `name version` pairs of `cargo tree --prefix none`; ours are left out, because the folders already tell them.
fn names(tree: &str) -> BTreeSet<String> {
    let lines = tree.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let name = words.next()?;
        let version = words.next()?.strip_prefix('v')?;
        let is_ours = words.next().is_some_and(|word| word.starts_with("(/"));
        (!is_ours).then(|| format!("{name} {version}"))
    });
    lines.collect()
}

fn list(linked: &BTreeSet<String>, all: &BTreeSet<String>) -> String {
    let mut text = HEAD.to_owned();
    for name in all {
        text.push_str(name);
        if !linked.contains(name) {
            text.push_str(" build");
        }
        text.push('\n');
    }
    text
}

/// The crates of a list that are there in two versions without an entry `skip` in `deny.toml`, and the entries that nobody needs.
#[must_use]
pub fn doubles(text: &str, deny: &str) -> Vec<String> {
    let names: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(' ').next())
        .collect();
    let is_double = |name: &str| names.iter().filter(|found| **found == name).count() > 1;
    let skipped = skipped(deny);
    let mut breaches = Vec::new();
    for name in listed(text) {
        if is_double(name) && !skipped.contains(name) {
            breaches.push(format!("docs/tcb-dependencies.txt: two versions of {name}"));
        }
    }
    for name in skipped {
        if !is_double(name) {
            breaches.push(format!(
                "deny.toml: {name} is there once and need not be skipped"
            ));
        }
    }
    breaches
}

/// The names in entries `{ crate = "name@version", reason = ... }`.
fn skipped(deny: &str) -> BTreeSet<&str> {
    let entries = deny.lines().filter_map(|line| {
        let (entry, reason) = line
            .trim_start()
            .strip_prefix("{ crate = \"")?
            .split_once('"')?;
        let (name, _) = entry.split_once('@')?;
        reason.starts_with(", reason = ").then_some(name)
    });
    entries.collect()
}

/// The names of a list, without the head, versions and marks.
#[must_use]
pub fn listed(text: &str) -> BTreeSet<&str> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split(' ').next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_foreign_crates_once_and_marks_what_only_builds() {
        let all = names(
            "ours v1.0.0 (/somewhere)\nring v0.17.14\ncc v1.2.0\nring v0.17.14 (*)\nderive v1.0.0 (proc-macro)\n",
        );
        let linked = names("ours v1.0.0 (/somewhere)\nring v0.17.14\n");
        let expected = format!("{HEAD}cc 1.2.0 build\nderive 1.0.0 build\nring 0.17.14\n");
        assert_eq!(list(&linked, &all), expected);
        assert_eq!(listed(&expected), ["cc", "derive", "ring"].into());
    }

    #[test]
    fn finds_second_versions_and_needless_exceptions() {
        let deny = "skip = [\n  { crate = \"syn@2\", reason = \"macros\" },\n]\n";
        let double = "syn 2.0.0 build\nsyn 3.0.0 build\nring 1.0.0\n";
        assert_eq!(doubles(double, deny), Vec::<String>::new());
        assert_eq!(doubles(double, "").len(), 1);
        assert_eq!(doubles("ring 1.0.0\n", deny).len(), 1);
        let unexplained = "{ crate = \"syn@2\" },\n";
        assert_eq!(doubles(double, unexplained).len(), 1);
    }
}
