//! Holds this repository to the house rules.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use chancery_tidy::documents::{self, Library};
use chancery_tidy::workspace::{Workspace, repository};
use chancery_tidy::{closure, licences, source, tree, zones};

#[track_caller]
fn none(breaches: &[String]) {
    assert!(breaches.is_empty(), "\n  {}\n", breaches.join("\n  "));
}

fn root() -> PathBuf {
    repository().unwrap_or_default()
}

/// `cargo metadata` is asked once for all tests.
fn workspace() -> Result<&'static Workspace, &'static String> {
    static LOADED: OnceLock<Result<Workspace, String>> = OnceLock::new();
    LOADED.get_or_init(|| Workspace::load(&root())).as_ref()
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_default()
}

#[test]
fn folder_manifest_and_documentation_name_one_zone() {
    let workspace = workspace().unwrap();
    none(&zones::zones_agree(workspace, &read));
}

#[test]
fn dependencies_go_one_way() {
    none(&zones::arrows(workspace().unwrap()));
}

#[test]
fn shipped_programs_hold_nothing_of_the_emulation() {
    none(&zones::shipped_is_clean(workspace().unwrap()));
}

#[test]
fn the_host_can_neither_parse_nor_unseal() {
    none(&zones::host_is_blind(workspace().unwrap()));
}

#[test]
fn every_root_forbids_unsafe_code_and_takes_the_lints() {
    let workspace = workspace().unwrap();
    none(&zones::roots_are_strict(workspace, &read));
}

#[test]
fn files_are_short_and_named_for_what_they_hold() {
    let texts = tree::texts(&root()).unwrap();
    none(&source::lengths(&texts));
    none(&source::names(&texts));
}

#[test]
fn no_file_names_a_machine_or_is_unfinished() {
    none(&source::contents(&tree::texts(&root()).unwrap()));
}

#[test]
fn one_version_of_each_cryptographic_library_from_one_registry() {
    let single = [
        "ring",
        "rustls",
        "sha2",
        "ed25519-dalek",
        "curve25519-dalek",
        "ml-kem",
    ];
    let banned = ["openssl-sys", "aws-lc-sys", "native-tls"];
    none(&source::lock(&read("Cargo.lock"), &single, &banned));
    // Workspaces that stand apart may hold second versions, from the same registry.
    let texts = tree::texts(&root()).unwrap();
    for (_, text) in texts.iter().filter(|(file, _)| source::is_lock(file)) {
        none(&source::lock(text, &[], &banned));
    }
}

#[test]
fn licences_are_among_the_allowed() {
    let workspace = workspace().unwrap();
    assert!(
        workspace.foreign.len() > 50,
        "cargo metadata lists few crates"
    );
    none(&licences::check(&workspace.foreign, &read("deny.toml")));
    assert!(read("LICENSE").contains("Apache License"));
}

#[test]
fn the_trusted_dependencies_are_those_checked_in() {
    let wanted = closure::of_runtime(&root()).unwrap();
    if wanted != read("docs/tcb-dependencies.txt") {
        let renewed = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tcb-dependencies.txt");
        fs::write(&renewed, wanted).unwrap();
        panic!(
            "the runtime's dependencies have changed. If each new one may be trusted:\n  cp {} docs/tcb-dependencies.txt\n\
             and say why in docs/tcb.md",
            renewed.display()
        );
    }
}

#[test]
fn no_trusted_dependency_is_there_twice_without_a_reason() {
    none(&closure::doubles(
        &read("docs/tcb-dependencies.txt"),
        &read("deny.toml"),
    ));
}

#[test]
fn each_trusted_dependency_is_justified() {
    let list = read("docs/tcb-dependencies.txt");
    let used: BTreeSet<&str> = closure::listed(&list);
    assert!(
        used.len() > 50,
        "docs/tcb-dependencies.txt lists few crates"
    );
    none(&documents::dependencies_are_justified(
        &read("docs/tcb.md"),
        &used,
    ));
}

#[test]
fn documents_link_and_name_what_is_there() {
    let files = tree::files(&root()).unwrap();
    let texts = tree::texts(&root()).unwrap();
    let library = Library {
        files: &files,
        texts: &texts,
    };
    none(&documents::links_resolve(&library));
    none(&documents::paths_exist(&library));
    none(&documents::pages_are_linked(&library));
    none(&documents::comments_name_pages(&library));
}

#[test]
fn the_architecture_page_names_every_crate() {
    let workspace = workspace().unwrap();
    none(&documents::architecture_is_complete(
        &read("docs/architecture.md"),
        workspace,
    ));
}

#[test]
fn each_invariant_names_what_tries_it() {
    none(&documents::invariants_are_tried(&read(
        "docs/threat-model.md",
    )));
}

#[test]
fn the_readme_is_short() {
    let lines = read("README.md").lines().count();
    assert!(
        (20..=documents::README_LINES_MAX).contains(&lines),
        "{lines} lines"
    );
}
