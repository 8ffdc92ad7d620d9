//! What each identity provider sends, from the test of its connection to the end of an account, against the
//! real processes; and the table of it in the documentation.
#![expect(clippy::panic, reason = "helpers of tests fail by panicking")]

use std::path::{Path, PathBuf};

use chancery_conformance::{Operation, Provider, Stage, operations_table, play_provider, renewed};
use chancery_e2e::Service;

/// Set, it lets the test write the table instead of comparing it.
const WRITE: &str = "CHANCERY_WRITE_DOCS";

/// The order of the table's columns.
const PROVIDERS: [&str; 13] = [
    "okta",
    "okta-wizard",
    "entra",
    "entra-aadoptscim062020",
    "google",
    "jumpcloud",
    "onelogin",
    "ping",
    "rippling",
    "keycloak-mitodl",
    "keycloak-little-auth",
    "authentik",
    "rauthy",
];

fn provider(name: &str) -> Provider {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("idp");
    let read = Provider::read(&folder.join(format!("{name}.json")));
    read.unwrap_or_else(|fault| panic!("{fault}"))
}

#[test]
fn every_file_is_played() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("idp");
    let mut found: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    found.sort();
    let mut played: Vec<String> = PROVIDERS.map(|name| format!("{name}.json")).to_vec();
    played.sort();
    assert_eq!(found, played);
}

#[test]
fn each_provider_gets_through_its_sequence_as_the_documentation_says() {
    let service = Service::new();
    let stage = Stage::new(&service).unwrap();
    let mut voices = stage.voices();
    let (mut passed, mut reports) = (Vec::new(), Vec::new());
    for (number, name) in PROVIDERS.into_iter().enumerate() {
        let provider = provider(name);
        match play_provider(&mut voices, &provider, &format!("p{number:02}z")) {
            Ok(operations) => {
                let has = |wanted| operations.iter().any(|(operation, _)| *operation == wanted);
                for wanted in [
                    Operation::CreateUser,
                    Operation::Deactivate,
                    Operation::Check,
                ] {
                    assert!(has(wanted), "{name} tries no {}", wanted.title());
                }
                passed.push((provider.provider, operations));
            }
            Err(failure) => reports.push(format!("{name}\n{failure}")),
        }
    }
    assert!(reports.is_empty(), "\n{}", reports.join("\n"));
    let page: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "..", "docs", "scim.md"]
        .iter()
        .collect();
    let old = std::fs::read_to_string(&page).unwrap();
    let new = renewed(&old, "providers", &operations_table(&passed)).unwrap();
    if old != new {
        assert!(
            std::env::var_os(WRITE).is_some(),
            "the table in docs/scim.md is not what was sent; run this test with {WRITE}=1 and look at the difference"
        );
        std::fs::write(&page, new).unwrap();
    }
}
