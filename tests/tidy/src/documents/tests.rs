//! Each rule about documents meets one document that keeps it and some that break it.

use std::collections::BTreeMap;

use super::*;
use crate::workspace::{Package, Root};

fn library(texts: &[(&str, &str)]) -> (Vec<String>, Vec<(String, String)>) {
    let files = texts.iter().map(|(file, _)| (*file).to_owned()).collect();
    let pairs = texts
        .iter()
        .map(|(file, text)| ((*file).to_owned(), (*text).to_owned()));
    (files, pairs.collect())
}

fn check(rule: fn(&Library<'_>) -> Vec<String>, texts: &[(&str, &str)]) -> usize {
    let (files, texts) = library(texts);
    rule(&Library {
        files: &files,
        texts: &texts,
    })
    .len()
}

#[test]
fn follows_links_to_files_folders_and_headings() {
    let good = "[a](b.md) [c](../README.md#what-it-is) [d](#here) [e](sub/) [f](https://example.com/x)\n## Here\n";
    let other = [
        ("docs/b.md", ""),
        ("README.md", "## What it is\n"),
        ("docs/sub/c.md", ""),
    ];
    let with = |text| {
        let mut texts = vec![("docs/a.md", text)];
        texts.extend(other);
        check(links_resolve, &texts)
    };
    assert_eq!(with(good), 0);
    assert_eq!(with("[a](gone.md)"), 1);
    assert_eq!(with("[a](../README.md#gone)"), 1);
    assert_eq!(with("[a](../../README.md)"), 1);
    assert_eq!(with("[a](#gone)"), 1);
    assert_eq!(with("```\n[a](gone.md)\n```\n"), 0);
}

#[test]
fn finds_paths_and_functions_that_are_gone() {
    let with = |text| {
        check(
            paths_exist,
            &[
                ("README.md", text),
                ("crates/core/a/src/lib.rs", "fn refuses_all() {}"),
            ],
        )
    };
    assert_eq!(
        with("`crates/core/a` and `crates/core/a/src/lib.rs#refuses_all`"),
        0
    );
    assert_eq!(
        with("`crates/core/*` and `cargo test` and `other/place`"),
        0
    );
    assert_eq!(with("`crates/core/b`"), 1);
    assert_eq!(with("`crates/core/a/src/lib.rs#refuses_some`"), 1);
}

#[test]
fn finds_pages_that_nobody_links() {
    let linked = [
        ("README.md", "[a](docs/a.md#x)"),
        (
            "docs/a.md",
            "[b](sub/b.md) [outside](https://example.com/docs/c.md)",
        ),
        ("docs/sub/b.md", "[a](../a.md)"),
    ];
    assert_eq!(check(pages_are_linked, &linked), 0);
    let mut orphan = linked.to_vec();
    orphan.push(("docs/c.md", "[a](a.md)"));
    assert_eq!(check(pages_are_linked, &orphan), 1);
}

#[test]
fn finds_comments_that_name_a_page_that_is_gone() {
    let with = |text| check(comments_name_pages, &[("a.rs", text), ("docs/a.md", "")]);
    assert_eq!(with("//! The bytes are in `docs/a.md`."), 0);
    assert_eq!(with("//! The bytes are in `docs/b.md`."), 1);
    assert_eq!(with("let text = \"`docs/b.md`\";"), 0);
}

#[test]
fn pages_beside_vectors_may_speak_of_other_repositories() {
    let page = [("crates/core/a/vectors/x/README.md", "`tests/theirs.py`")];
    assert_eq!(check(paths_exist, &page), 0);
}

fn workspace() -> Workspace {
    let package = Package {
        folder: "crates/host/forwarder".to_owned(),
        zone: None,
        roots: vec![Root {
            kind: Kind::Program,
            name: "chancery-host".to_owned(),
            path: String::new(),
        }],
        uses: Vec::new(),
    };
    Workspace {
        packages: BTreeMap::from([("chancery-forwarder".to_owned(), package)]),
        foreign: Vec::new(),
    }
}

#[test]
fn finds_crates_that_the_architecture_forgets_or_invents() {
    let complete =
        "`chancery-forwarder` is the program `chancery-host`; `chancery-data/` is a folder";
    assert_eq!(
        architecture_is_complete(complete, &workspace()),
        Vec::<String>::new()
    );
    assert_eq!(
        architecture_is_complete("`chancery-host`", &workspace()).len(),
        1
    );
    let invented = "`chancery-forwarder` `chancery-gone`";
    assert_eq!(architecture_is_complete(invented, &workspace()).len(), 1);
}

fn threat_model(tried: &str) -> String {
    let sections = (1..=INVARIANTS).map(|number| format!("### I{number} Name\nText.\n{tried}\n"));
    sections.collect()
}

#[test]
fn finds_invariants_that_nothing_tries() {
    let good = threat_model("Tried by: `a.rs#refuses`");
    assert_eq!(invariants_are_tried(&good), Vec::<String>::new());
    let honest = threat_model("Tried by: none yet: issue 5");
    assert_eq!(invariants_are_tried(&honest), Vec::<String>::new());
    let silent = invariants_are_tried(&threat_model(""));
    assert_eq!(silent.len(), 34);
    let vague = invariants_are_tried(&threat_model("Tried by: many tests"));
    assert_eq!(vague.len(), 34);
    let lost = good.replace("### I7 Name\n", "");
    assert_eq!(invariants_are_tried(&lost).len(), 1);
}

#[test]
fn finds_dependencies_without_a_reason_and_reasons_without_a_dependency() {
    let page =
        "| crate | why |\n| --- | --- |\n| `ring` | crypto |\n| `http`, `hyper` | `HTTP` |\n";
    let used = |names: &[&'static str]| names.iter().copied().collect();
    assert_eq!(
        dependencies_are_justified(page, &used(&["ring", "http", "hyper"])),
        Vec::<String>::new()
    );
    assert_eq!(
        dependencies_are_justified(page, &used(&["ring", "http"])).len(),
        1
    );
    let more = used(&["ring", "http", "hyper", "mio"]);
    assert_eq!(dependencies_are_justified(page, &more).len(), 1);
}
